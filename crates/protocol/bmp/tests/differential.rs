//! Two readers of the same bytes: ours and NetGauze's must find the same routes and attributes in every real UPDATE.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

use bmp::{Codec, Framer, LabelledNlri, Message, Nlri, Repair, RouteMonitoring};
use netgauze_bmp_pkt::BmpMessage;
use netgauze_bmp_pkt::wire::deserializer::BmpParsingContext;
use netgauze_parse_utils::reader::SliceReader;
use netgauze_parse_utils::traits::ParseFromWithOneInput;
use serde_json::Value;
use std::collections::BTreeSet;

/// NetGauze's names of the families that we read beside unicast.
const LABELLED: [&str; 6] =
    ["Ipv4MplsVpnUnicast", "Ipv6MplsVpnUnicast", "Ipv4NlriMplsLabels", "Ipv6NlriMplsLabels", "Ipv4Multicast", "Ipv6Multicast"];
/// RFC 6793 §9.
const AS_TRANS: u64 = 23456;

type Route = (String, Option<u64>);

/// What both readers say of an UPDATE.
#[derive(Debug, Default, PartialEq)]
struct Facts {
    announce: BTreeSet<Route>,
    withdraw: BTreeSet<Route>,
    /// Labelled and VPN prefixes, announced and withdrawn.
    labelled: (BTreeSet<Route>, BTreeSet<Route>),
    as_path: Vec<u64>,
    med: Option<u64>,
    local_pref: Option<u64>,
    communities: BTreeSet<u64>,
    next_hops: BTreeSet<String>,
}

fn theirs(update: &Value) -> Facts {
    let mut out = Facts::default();
    let routes = |list: &Value| -> Vec<Route> {
        let prefix = |n: &Value| n.get("network").or_else(|| n.get("prefix")).and_then(Value::as_str).map(str::to_owned);
        let of = |n: &Value| Some((prefix(n)?, n["path_id"].as_u64()));
        list.as_array().map(|a| a.iter().filter_map(of).collect()).unwrap_or_default()
    };
    out.announce.extend(routes(&update["nlri"]));
    out.withdraw.extend(routes(&update["withdrawn_routes"]));
    let plain = !out.announce.is_empty();
    for attribute in update["path_attributes"].as_array().unwrap() {
        let (name, value) = attribute["value"].as_object().unwrap().iter().next().unwrap();
        match name.as_str() {
            "AsPath" => {
                let segments = value.as_object().unwrap().values().next().unwrap().as_array().unwrap();
                out.as_path = segments.iter().flat_map(|s| s["as_numbers"].as_array().unwrap()).filter_map(Value::as_u64).collect();
            }
            "MultiExitDiscriminator" => out.med = value["metric"].as_u64(),
            "LocalPreference" => out.local_pref = value["metric"].as_u64(),
            "Communities" => out.communities.extend(value["communities"].as_array().unwrap().iter().filter_map(Value::as_u64)),
            "NextHop" if plain => out.next_hops.extend(value["next_hop"].as_str().map(str::to_owned)),
            "MpReach" | "MpUnreach" => {
                for family in LABELLED.iter().filter_map(|f| value.get(f)) {
                    let list = if name == "MpUnreach" { &mut out.labelled.1 } else { &mut out.labelled.0 };
                    list.extend(routes(&family["nlri"]));
                }
                for family in ["Ipv4Unicast", "Ipv6Unicast"].iter().filter_map(|f| value.get(f)) {
                    if name == "MpUnreach" {
                        out.withdraw.extend(routes(&family["nlri"]));
                    } else {
                        out.announce.extend(routes(&family["nlri"]));
                        let hop = family.get("next_hop_global").or_else(|| family.get("next_hop"));
                        out.next_hops.extend(hop.and_then(Value::as_str).map(str::to_owned));
                    }
                }
            }
            _ => {}
        }
    }
    out
}

fn ours(m: &RouteMonitoring, own: u64) -> Facts {
    let routes = |list: &[Nlri]| list.iter().map(|n| (n.prefix.to_string(), n.path_id.map(u64::from))).collect();
    let mut out = Facts { announce: routes(&m.announce), withdraw: routes(&m.withdraw), ..Facts::default() };
    let labelled = |list: &[LabelledNlri]| list.iter().map(|l| (l.nlri.prefix.to_string(), l.nlri.path_id.map(u64::from))).collect();
    out.labelled = (labelled(&m.labelled.announce), labelled(&m.labelled.withdraw));
    out.next_hops = m.announce.iter().filter_map(|n| Some(n.next_hop?.to_string())).collect();
    if let Some(a) = &m.attributes {
        let segments = a.as_path.to_string();
        out.as_path = segments.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect();
        if m.repairs.contains(&Repair::FrrOwnAsInFront) {
            out.as_path.insert(0, own);
        }
        (out.med, out.local_pref) = (a.med.map(u64::from), a.local_pref.map(u64::from));
        out.communities = a.communities.iter().map(|c| u64::from(c.0)).collect();
    }
    out
}

#[test]
fn netgauze_finds_the_same_routes_in_our_recording() {
    let dir = std::path::PathBuf::from("../../../tests/recordings/seed");
    assert!(same_routes(&dir, &["bmp"]).unwrap() > 1000);
}

#[test]
fn netgauze_finds_the_same_routes_in_the_captures() {
    let dir = std::path::PathBuf::from(std::env::var("PILOTHOUSE_BMP_CORPUS").unwrap_or_else(|_| "../../../../shared/data/bmp".to_owned()));
    match same_routes(&dir, &["streams", "from-mrt", "crafted"]) {
        Some(compared) => assert!(compared > 9000, "{compared}"),
        None => println!("skipped: no captures at {}", dir.display()),
    }
}

/// Compares every UPDATE in some folders and returns how many; `None`: a folder is not there.
fn same_routes(dir: &std::path::Path, folders: &[&str]) -> Option<usize> {
    let (mut compared, mut unread_by_them, mut repaired, mut labelled) = (0, 0, 0, 0);
    for sub in folders {
        let Ok(entries) = std::fs::read_dir(dir.join(sub)) else { return None };
        for path in entries.map(|e| e.unwrap().path()).filter(|p| p.extension().is_some_and(|e| e == "bmp")) {
            let (mut framer, mut codec, mut context) = (Framer::new(), Codec::default(), BmpParsingContext::default());
            framer.push(&std::fs::read(&path).unwrap());
            while let Some(frame) = framer.next() {
                let frame = frame.unwrap();
                let message = bmp::decode(&frame.bytes, &mut codec).unwrap();
                let mut reader = SliceReader::new(&frame.bytes);
                let Ok(other) = BmpMessage::parse(&mut reader, &mut context) else {
                    unread_by_them += 1;
                    continue;
                };
                context.update(&other);
                let json = serde_json::to_value(&other).unwrap();
                let Message::RouteMonitoring(m) = message else { continue };
                let update = &json["V3"]["RouteMonitoring"]["update_message"]["Update"];
                // a guess of ours is more than they try, and version 4 has another shape
                if update.is_null() || m.repairs.contains(&Repair::AddPathGuessed) || m.repairs.contains(&Repair::TwoOctetAsPath) {
                    continue;
                }
                let mut expected = theirs(update);
                if m.announce.is_empty() {
                    expected =
                        Facts { announce: expected.announce, withdraw: expected.withdraw, labelled: expected.labelled, ..Facts::default() };
                }
                let own = expected.as_path.first().copied().unwrap_or_default();
                let mut found = ours(&m, own);
                if m.announce.is_empty() {
                    found = Facts { announce: found.announce, withdraw: found.withdraw, labelled: found.labelled, ..Facts::default() };
                }
                if expected.as_path.len() == found.as_path.len() {
                    // they leave AS_TRANS where we have taken the number from AS4_PATH
                    expected.as_path.iter_mut().zip(&found.as_path).filter(|(t, _)| **t == AS_TRANS).for_each(|(t, o)| *t = *o);
                }
                assert_eq!(found, expected, "{} at {}", path.display(), frame.offset);
                labelled += found.labelled.0.len() + found.labelled.1.len();
                repaired += usize::from(m.repairs.contains(&Repair::FrrOwnAsInFront));
                compared += 1;
            }
        }
    }
    println!(
        "{compared} UPDATEs alike with {labelled} labelled routes, {repaired} of them with the own AS taken off; {unread_by_them} messages that NetGauze refuses"
    );
    Some(compared)
}
