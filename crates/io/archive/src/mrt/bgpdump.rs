//! The one-line text of `bgpdump -m`, field by field.

use super::Record;
use super::entry::{Change, Entry, PeerTable, attributes, entries};
use bgp::{AsPath, Segment};
use bmp::{Nlri, RouteMonitoring};

/// Returns the lines of one record, and whether part of it is malformed and has none.
#[must_use]
pub fn lines(record: &Record, table: &mut PeerTable) -> (Vec<String>, bool) {
    let Ok(found) = entries(record, table) else { return (Vec::new(), true) };
    let kinds = if record.kind == 12 { "TABLE_DUMP" } else { "TABLE_DUMP2" };
    let mut out = Vec::new();
    let mut bad = false;
    for entry in &found {
        let Some(peer) = entry.peer else {
            bad |= matches!(entry.change, Change::RibEntry(_));
            continue;
        };
        let head =
            |kind: &str, letter: &str, seconds: i64| format!("{kind}|{seconds}|{letter}|{}|{}", spelt(&peer.address.to_string()), peer.asn);
        let seconds = record.time / 1_000_000_000;
        match &entry.change {
            Change::State(old, new) => out.push(format!("{}|{old}|{new}", head("BGP4MP", "STATE", seconds))),
            Change::Update(result) => match result.as_ref() {
                Ok(update) => {
                    out.extend(
                        update.withdraw.iter().map(|n| format!("{}|{}", head("BGP4MP", "W", seconds), spelt(&n.prefix.to_string()))),
                    );
                    out.extend(update.announce.iter().map(|n| announced(&head("BGP4MP", "A", seconds), n, update, entry)));
                }
                Err(_) => bad = true,
            },
            Change::RibEntry(result) => match result.as_ref() {
                Ok(update) => {
                    let seconds = if record.kind == 12 { entry.originated_s.map_or(seconds, i64::from) } else { seconds };
                    out.extend(update.announce.iter().map(|n| announced(&head(kinds, "B", seconds), n, update, entry)));
                }
                Err(_) => bad = true,
            },
            Change::Peers | Change::Other(..) => {}
        }
    }
    (out, bad)
}

fn announced(head: &str, n: &Nlri, update: &RouteMonitoring, entry: &Entry) -> String {
    let Some(a) = &update.attributes else { return format!("{head}|{}", n.prefix) };
    let origin = match a.origin {
        bgp::Origin::Igp => "IGP",
        bgp::Origin::Egp => "EGP",
        bgp::Origin::Incomplete => "INCOMPLETE",
    };
    let hop = n.next_hop.map(|h| spelt(&h.to_string())).unwrap_or_default();
    let aggregator = a.aggregator.map(|g| format!("{} {}", g.asn.0, g.id)).unwrap_or_default();
    let atomic = if a.atomic_aggregate { "AG" } else { "NAG" };
    format!(
        "{head}|{}|{}|{origin}|{hop}|{}|{}|{}|{atomic}|{aggregator}|",
        spelt(&n.prefix.to_string()),
        path(&a.as_path),
        a.local_pref.unwrap_or_default(),
        a.med.unwrap_or_default(),
        communities(&entry.raw_attributes)
    )
}

fn path(path: &AsPath) -> String {
    let join = |asns: &[bgp::Asn], with: &str| asns.iter().map(|a| a.0.to_string()).collect::<Vec<_>>().join(with);
    let segment = |s: &Segment| match s {
        Segment::Sequence(asns) => join(asns, " "),
        Segment::Set(asns) => format!("{{{}}}", join(asns, ",")),
        Segment::ConfedSequence(asns) => format!("({})", join(asns, " ")),
        Segment::ConfedSet(asns) => format!("[{}]", join(asns, ",")),
    };
    path.segments().iter().map(segment).collect::<Vec<_>>().join(" ")
}

/// The C library writes `::` for one zero group too; RFC 5952 §4.2.2 does not.
fn spelt(address: &str) -> String {
    if address.contains("::") { address.to_owned() } else { address.replacen(":0:", "::", 1) }
}

/// In the order of the wire, the well-known ones by name (RFC 1997).
fn communities(raw: &[u8]) -> String {
    let value = attributes(raw).find(|(_, kind, _)| *kind == 8).map_or(&[][..], |(_, _, v)| v);
    let name = |&[a, b, c, d]: &[u8; 4]| match u32::from_be_bytes([a, b, c, d]) {
        0xFFFF_FF01 => "no-export".to_owned(),
        0xFFFF_FF02 => "no-advertise".to_owned(),
        0xFFFF_FF03 => "local-AS".to_owned(),
        _ => format!("{}:{}", u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])),
    };
    value.as_chunks::<4>().0.iter().map(name).collect::<Vec<_>>().join(" ")
}
