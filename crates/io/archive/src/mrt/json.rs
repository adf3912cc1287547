//! Records as the JSON objects that `pilotctl decode mrt` prints. Absent is null.

use super::Record;
use super::entry::{Change, Entry, Peer, PeerTable, entries};
use bmp::{DecodeError, Message, Repair, RouteMonitoring};
use serde_json::{Value, json};

/// Returns the objects of one record and whether one is `malformed`.
pub(super) fn of(record: &Record, table: &mut PeerTable) -> (Vec<Value>, bool) {
    match entries(record, table) {
        Ok(found) => {
            let mut bad = false;
            (found.iter().map(|e| one(e, record, table, &mut bad)).collect(), bad)
        }
        Err(error) => {
            let out = json!({
                "type": "malformed", "offset": record.offset, "length": record.raw.len(), "error": error, "action": "record_discard",
                "raw": hex(&record.raw), "time": bmp::json::rfc3339(record.time),
            });
            (vec![out], true)
        }
    }
}

fn one(entry: &Entry, record: &Record, table: &PeerTable, bad: &mut bool) -> Value {
    let mut out = match &entry.change {
        Change::Update(result) => routes("update", result, record, bad),
        Change::RibEntry(result) => routes("rib_entry", result, record, bad),
        Change::State(old, new) => json!({"type": "state_change", "old_state": state(*old), "new_state": state(*new)}),
        Change::Peers => {
            let peers: Vec<Value> = table.peers.iter().map(peer).collect();
            json!({"type": "peer_index", "collector": table.collector.map(|c| c.to_string()), "view": table.view, "peers": peers})
        }
        Change::Other(kind, data) => {
            let name = match kind {
                1 => "open",
                3 => "notification",
                4 => "keepalive",
                5 => "route_refresh",
                _ => "unknown",
            };
            json!({"type": name, "code": kind, "data": hex(data)})
        }
    };
    if let Some(fields) = out.as_object_mut() {
        fields.insert("offset".to_owned(), record.offset.into());
        fields.insert("time".to_owned(), bmp::json::rfc3339(record.time).into());
        if let Some(p) = &entry.peer {
            fields.insert("peer".to_owned(), peer(p));
        }
        if let Some(seconds) = entry.originated_s {
            fields.insert("originated".to_owned(), bmp::json::rfc3339(i64::from(seconds) * 1_000_000_000).into());
        }
    }
    out
}

fn routes(kind: &str, result: &Result<RouteMonitoring, DecodeError>, record: &Record, bad: &mut bool) -> Value {
    match result {
        Ok(found) => {
            let mut found = found.clone();
            // a table's missing next hop of a peer is no repair of ours
            found.repairs.retain(|r| kind != "rib_entry" || *r != Repair::NextHopMissing);
            let mut out = bmp::json::message(&Message::RouteMonitoring(Box::new(found)), record.offset);
            if let Some(fields) = out.as_object_mut() {
                fields.insert("type".to_owned(), kind.into());
            }
            out
        }
        Err(error) => {
            *bad = true;
            let mut out = bmp::json::malformed(error, &record.raw, record.offset);
            if let Some(fields) = out.as_object_mut() {
                // the fault's place is known within the BGP message only
                fields.remove("field_offset");
                fields.insert("bgp_message_offset".to_owned(), error.offset.into());
            }
            out
        }
    }
}

fn peer(p: &Peer) -> Value {
    json!({
        "type": null, "distinguisher": null, "address": p.address.to_string(), "asn": p.asn,
        "bgp_id": p.bgp_id.map(|i| i.to_string()), "view": null, "as_width": p.as_width,
    })
}

/// Names of the states of RFC 4271 §8.2.2 as RFC 6396 §4.4.1 numbers them.
fn state(number: u16) -> String {
    match number {
        1 => "idle".to_owned(),
        2 => "connect".to_owned(),
        3 => "active".to_owned(),
        4 => "open_sent".to_owned(),
        5 => "open_confirm".to_owned(),
        6 => "established".to_owned(),
        other => format!("unknown_{other}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
