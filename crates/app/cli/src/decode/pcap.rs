//! `pilotctl decode pcap`: BMP of every flow of a packet capture.

use crate::exit::Failure;
use archive::bmp_flows::{BmpFlows, Given};
use archive::pcap::Flow;
use bmp::Codec;
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;

/// Prints a capture's messages in the order in which they were complete; says whether part of it was bad.
pub fn print(file: &Path, fresh: &Codec, out: &mut impl Write) -> Result<bool, Failure> {
    let input = super::input(file)?;
    let mut flows = BmpFlows::new(fresh.clone());
    let (mut bad, mut unwritten, mut printed) = (false, None, false);
    let mut each = |flow: Flow, time: Option<i64>, given: Given| {
        let (value, fault) = object(flow, time, given);
        bad |= fault;
        printed = true;
        if unwritten.is_none() {
            unwritten = writeln!(out, "{value}").err();
        }
    };
    let read = archive::pcap::read(input, |event| flows.take(&event, &mut each));
    flows.finish(&mut each);
    if let Some(error) = unwritten {
        return Err(super::unwritten(&error));
    }
    let counts = match read {
        Ok(counts) => counts,
        Err(e) => return super::ended(file, &e, printed),
    };
    for (n, what) in [
        (counts.fragments, "IP fragments were not put together"),
        (counts.cut, "packets were cut by the capture's snap length"),
        (counts.beyond_flows, "segments belong to more flows than are followed"),
        (flows.left_out(), "segments belong to more connections than are looked into"),
    ] {
        if n > 0 {
            bad = true;
            eprintln!("PH-CLI-025 {}: {n} {what}", file.display());
        }
    }
    Ok(bad)
}

fn object(flow: Flow, time: Option<i64>, given: Given) -> (Value, bool) {
    let (mut value, bad) = match given {
        Given::Message(frame, result) => match *result {
            Ok(message) => (bmp::json::message(&message, frame.offset), false),
            Err(error) => (bmp::json::malformed(&error, &frame.bytes, frame.offset), true),
        },
        Given::Lost { offset, bytes, why } => {
            (json!({"type": "malformed", "offset": offset, "length": bytes, "error": why, "action": "bytes_lost", "raw": null}), true)
        }
    };
    if let Some(fields) = value.as_object_mut() {
        fields.insert("flow".to_owned(), json!({"src": flow.src.to_string(), "dst": flow.dst.to_string()}));
        fields.insert("packet_time".to_owned(), time.map(bmp::json::rfc3339).into());
    }
    (value, bad)
}
