//! One look for each format.

use super::{Found, NAMES_MAX};
use crate::bmp_flows::{BmpFlows, Given};
use crate::mrt::{PeerTable, Records};
use crate::open_bmp::Wrapped;
use crate::pcap::{self, Datagram, Event};
use std::io::Read;

/// Bytes of a telemetry dump that show its dialect.
const DIALECT_BYTES: u64 = 64 << 10;

/// A message of BMP in words: its type, its peer, the time that its router gave it.
fn message(frame: &[u8], codec: &mut bmp::Codec, found: &mut Found) {
    match bmp::decode(frame, codec) {
        Ok(message) => {
            let object = bmp::json::message(&message, 0);
            found.count(object.get("type").and_then(|t| t.as_str()).unwrap_or("message"));
            if let Some(address) = object.pointer("/peer/address").and_then(|a| a.as_str()) {
                found.speaker(address.to_owned());
            }
        }
        Err(_) => found.count("malformed"),
    }
    if let Some(time) = crate::messages::stamp(frame) {
        found.at(time);
    }
}

/// Ends with the bytes that could not be read on.
fn pieces(input: &mut impl Read, found: &mut Found, mut each: impl FnMut(&[u8], &mut Found) -> bool) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        match input.read(&mut buffer) {
            Ok(0) => return,
            Ok(n) => {
                if !each(buffer.get(..n).unwrap_or_default(), found) {
                    return;
                }
            }
            Err(error) => {
                found.left_out.push(format!("the file cannot be read on: {error}"));
                return;
            }
        }
    }
}

pub(super) fn bmp(input: &mut impl Read, found: &mut Found) {
    let (mut framer, mut codec) = (bmp::Framer::new(), bmp::Codec::default());
    pieces(input, found, |bytes, found| {
        framer.push(bytes);
        while let Some(next) = framer.next() {
            match next {
                Ok(frame) => message(&frame.bytes, &mut codec, found),
                Err(error) => {
                    found.left_out.push(format!("what follows byte {}: {error}", framer.offset()));
                    return false;
                }
            }
        }
        true
    });
    if framer.pending() > 0 {
        found.left_out.push(format!("the last {} bytes: the file ends inside a message", framer.pending()));
    }
    malformed(found, "messages");
}

pub(super) fn open_bmp(input: &mut impl Read, found: &mut Found) {
    let mut routers = std::collections::BTreeMap::new();
    for next in Wrapped::new(input) {
        match next {
            Ok(one) => {
                found.speaker(format!("router {}", one.router));
                if routers.len() < NAMES_MAX || routers.contains_key(&one.router) {
                    message(&one.bmp, routers.entry(one.router).or_default(), found);
                }
            }
            Err(error) => found.left_out.push(error.to_string()),
        }
    }
    malformed(found, "messages");
}

pub(super) fn mrt(input: &mut impl Read, found: &mut Found) {
    let mut table = PeerTable::default();
    for record in Records::new(input) {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                found.left_out.push(error.to_string());
                break;
            }
        };
        found.at(record.time);
        for object in crate::mrt::json_of(&record, &mut table).0 {
            found.count(object.get("type").and_then(|t| t.as_str()).unwrap_or("record"));
            if let Some(address) = object.pointer("/peer/address").and_then(|a| a.as_str()) {
                found.speaker(address.to_owned());
            }
        }
    }
    malformed(found, "records or entries");
}

pub(super) fn packets(input: &mut impl Read, found: &mut Found) {
    let mut flows = BmpFlows::default();
    let mut lost = 0_u64;
    let shared = std::cell::RefCell::new(&mut *found);
    let mut each = |flow: pcap::Flow, time: Option<i64>, given: Given| {
        let mut found = shared.borrow_mut();
        match given {
            Given::Message(_, result) => {
                found.count(if result.is_ok() { "bmp" } else { "malformed" });
                found.speaker(format!("BMP {} to {}", flow.src, flow.dst));
                if let Some(time) = time {
                    found.at(time);
                }
            }
            Given::Lost { bytes, .. } => lost += bytes,
        }
    };
    let read = pcap::read(input, |event| {
        if let Event::Datagram(datagram) = &event {
            let mut found = shared.borrow_mut();
            found.count(&format!("{} on UDP {}", protocol(datagram), datagram.dst.port()));
            found.at(datagram.time);
        }
        flows.take(&event, &mut each);
    });
    flows.finish(&mut each);
    match read {
        Ok(counts) => {
            for (n, what) in [
                (counts.fragments, "IP fragments: they are not put together"),
                (counts.cut, "packets: cut by the capture's snap length"),
                (counts.beyond_flows + flows.left_out(), "segments: of more flows than are followed"),
            ] {
                if n > 0 {
                    found.left_out.push(format!("{n} {what}"));
                }
            }
        }
        Err(error) => found.left_out.push(with_causes(&error)),
    }
    if lost > 0 {
        found.left_out.push(format!("{lost} bytes of BMP flows: no packet holds them, or they are no BMP"));
    }
    malformed(found, "messages");
}

/// What a datagram looks like: its first bytes, as the receivers tell it.
fn protocol(datagram: &Datagram) -> &'static str {
    match datagram.payload.as_slice() {
        [0, 5, ..] => "netflow_v5",
        [0, 9, ..] => "netflow_v9",
        [0, 10, ..] => "ipfix",
        [0, 0, 0, 5, ..] => "sflow_v5",
        [b'<', b'0'..=b'9', ..] => "syslog",
        _ => "other",
    }
}

pub(super) fn gnmi(input: &mut impl Read, found: &mut Found) {
    let mut text = Vec::new();
    if let Err(error) = input.take(DIALECT_BYTES).read_to_end(&mut text) {
        found.left_out.push(format!("the file cannot be read on: {error}"));
    }
    let has = |name: &str| {
        text.windows(name.len() + 2).any(|w| w.strip_prefix(b"\"").and_then(|w| w.strip_suffix(b"\"")) == Some(name.as_bytes()))
    };
    let dialect = if has("updates") && has("Path") {
        "gnmic, format json"
    } else if has("tags") && has("values") {
        "gnmic, format event"
    } else if has("syncResponse") || has("sync_response") || has("update") && has("elem") {
        "protobuf's JSON of SubscribeResponse"
    } else if has("notification") {
        "protobuf's JSON of GetResponse"
    } else {
        found.left_out.push("everything: JSON, but none of the telemetry dialects that are read".to_owned());
        "JSON of no known dialect"
    };
    found.detail = Some(dialect.to_owned());
}

fn malformed(found: &mut Found, what: &str) {
    if let Some(n) = found.kinds.get("malformed") {
        found.left_out.push(format!("{n} {what}: malformed"));
    }
}

/// An error with its causes.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut out = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        out.push_str(": ");
        out.push_str(&cause.to_string());
        next = cause.source();
    }
    out
}
