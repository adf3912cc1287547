//! The captures that pmacct decoded too (`pmacct__*.json`, one object a prefix, statistic or session): each row of theirs is one of ours with
//! the same values, and none of ours is left over.
//!
//! What differs, and why. All else is compared:
//! - `log_init` is pmacct's own first line. Of capture 206 it is the only one: pmacct closed that run before it wrote a message, we read all.
//! - `internal` deletes: pmacct lets go of what it holds when the transport ends. Ours is stale then and nothing is withdrawn. They must be
//!   the updates once more, with pmacct's own time.
//! - `seq`, `bmp_router`, `bmp_router_port`, `writer_id`, `tag`, `label`, `peer_tcp_port`: of their process, not in the message. `timestamp` of
//!   an Initiation is 0 there, absent here.
//! - A list is an array in one of two runs and a text with blanks between in the other. Both are read.
//! - `rd`: theirs begins with the type. Ours does not, and `rd_origin` says where it stood: in the header (`bmp`) or in the prefix (`bgp`). They
//!   leave that of the header out where prefixes are labelled without a distinguisher of their own (SAFI 4); ours has it with the peer.
//! - `is_filtered` (F flag of RFC 9069 §4.2) is not read by ours; theirs is 1 in the Peer Up and 0 with the routes of one peer.
//! - `peer_type_str` and `counter_type_str` are names of `peer_type` and `counter_type`, which are compared as numbers.
//! - `psid_li` (Prefix-SID, which ours lists by its code) is null in every row: nothing to compare.
//! - 13 next hops of labelled IPv4 prefixes in capture 200: theirs is `::ffff:198.51.100.71`, on the wire it is four bytes (c6336447), as ours
//!   says. Theirs is right for other prefixes with a next hop written the same way; IPv6 prefixes of the capture do carry the long form.
//! - Communities are compared as sets, as ours keeps them (they have no order, RFC 1997).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

use bmp::{Codec, Framer, Message, Peer, PeerKind, RouteMonitoring, View};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Their files, and how many rows of each kind they have: Peer Up, statistic, prefix, End-of-RIB.
const GOLDENS: [(&str, &str, [usize; 4]); 5] = [
    ("200-BMP-HUAWEI-locrib_instance", "output-bmp-00", [18, 0, 84, 2]),
    ("200-BMP-HUAWEI-locrib_instance", "scenario-01_output-bmp-00", [18, 0, 84, 2]),
    ("201-BMP-CISCO-rd_instance", "output-bmp-00", [42, 120, 235, 36]),
    ("201-BMP-CISCO-rd_instance", "scenario-01_output-bmp-00", [42, 120, 235, 36]),
    ("206-BMP-high-availability", "output-bmp-00", [0; 4]),
];

/// How an IPv4 address begins that is written as an IPv6 one, and how many next hops of IPv4 prefixes are in capture 200.
const MAPPED: &str = "::ffff:";
const MAPPED_IN_200: usize = 13;

/// Rows with how often they occur.
type Rows = BTreeMap<String, usize>;

fn add(rows: &mut Rows, row: &Value) {
    *rows.entry(row.to_string()).or_default() += 1;
}

/// A list, whichever way it is written, in the order of its texts where `sorted`.
fn list(value: &Value, sorted: bool) -> Value {
    let mut all: Vec<String> = match value {
        Value::Array(items) => items.iter().map(|i| i.as_str().unwrap().to_owned()).collect(),
        Value::String(text) => text.split(' ').map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    if sorted {
        all.sort();
    }
    json!(all)
}

/// A row of theirs in the common shape; `None` for their own lines. A delete is shaped as the update that it takes back.
fn theirs(row: &Value) -> Option<Value> {
    let copied =
        |names: &[&str]| -> Value { names.iter().map(|n| ((*n).to_owned(), row[n].clone())).collect::<serde_json::Map<_, _>>().into() };
    let table = ["peer_ip", "peer_asn", "bgp_id", "bmp_rib_type", "is_in", "is_loc", "is_post", "is_out", "rd", "rd_origin"];
    let with = |names: &[&str]| copied(&[&table[..], names].concat());
    let mut out = match row["bmp_msg_type"].as_str()? {
        "init" => copied(&["bmp_init_info_string", "bmp_init_info_sysdescr", "bmp_init_info_sysname", "bmp_init_info_reserved"]),
        "peer_up" => with(&[
            "timestamp",
            "peer_type",
            "local_as",
            "local_ip",
            "local_port",
            "remote_port",
            "bmp_peer_up_info_string",
            "bmp_peer_up_info_vrf_table_name",
            "bmp_peer_up_info_admin_label",
            "bmp_peer_up_info_reserved",
        ]),
        "stats" => with(&["timestamp", "peer_type", "counter_type", "counter_value", "afi", "safi"]),
        _ => with(&[
            "log_type",
            "timestamp",
            "afi",
            "safi",
            "ip_prefix",
            "bgp_nexthop",
            "as_path",
            "as_path_id",
            "comms",
            "ecomms",
            "lcomms",
            "origin",
            "local_pref",
            "med",
            "aigp",
            "otc",
            "mpls_label",
        ]),
    };
    for (name, sorted) in [("as_path", false), ("comms", true), ("ecomms", true), ("lcomms", true)] {
        if let Some(value) = out.get_mut(name) {
            *value = list(value, sorted);
        }
    }
    if out["afi"] == 1
        && let Some(four) = out["bgp_nexthop"].as_str().and_then(|h| h.strip_prefix(MAPPED))
    {
        out["bgp_nexthop"] = four.to_owned().into();
    }
    if row["bmp_msg_type"] == "internal" {
        out["log_type"] = "update".into();
        out.as_object_mut().unwrap().remove("timestamp");
    }
    Some(out)
}

/// The table of a peer, with the distinguisher of its header.
fn table(peer: &Peer) -> Value {
    let flag = |is: bool| if is { json!(1) } else { Value::Null };
    let (name, post) = match peer.view {
        View::AdjRibInPre => ("Adj-Rib-In Pre-Policy", json!(0)),
        View::AdjRibInPost => ("Adj-Rib-In Post-Policy", json!(1)),
        View::AdjRibOutPre => ("Adj-Rib-Out Pre-Policy", json!(0)),
        View::AdjRibOutPost => ("Adj-Rib-Out Post-Policy", json!(1)),
        View::LocRib => ("Loc-Rib", Value::Null),
    };
    let out = matches!(peer.view, View::AdjRibOutPre | View::AdjRibOutPost);
    let global = peer.distinguisher == "0:0";
    json!({
        "peer_ip": peer.address.to_string(), "peer_asn": peer.asn.0, "bgp_id": peer.bgp_id.to_string(), "bmp_rib_type": name,
        "is_in": flag(peer.view.is_adj_rib_in()), "is_loc": flag(peer.view == View::LocRib), "is_post": post, "is_out": flag(out),
        "rd": if global { Value::Null } else { spelled(peer.distinguisher).into() },
        "rd_origin": if global { Value::Null } else { "bmp".into() },
    })
}

/// A distinguisher with its type in front.
fn spelled(distinguisher: bmp::Distinguisher) -> String {
    let text = distinguisher.to_string();
    let admin = text.split(':').next().unwrap();
    let kind = match admin.parse::<u32>() {
        Ok(asn) => u8::from(u16::try_from(asn).is_err()) * 2,
        Err(_) => 1,
    };
    format!("{kind}:{text}")
}

fn joined(mut base: Value, more: Value) -> Value {
    base.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    base
}

/// Seconds with microseconds.
fn time(peer: &Peer) -> String {
    let micros = peer.time.unwrap_or_default() / 1000;
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

const fn kind(peer: &Peer) -> u8 {
    match peer.kind {
        PeerKind::Global => 0,
        PeerKind::Rd => 1,
        PeerKind::Local => 2,
        PeerKind::LocRib => 3,
        PeerKind::Other(n) => n,
    }
}

fn text(tlvs: &[bmp::Tlv], name: &str) -> Value {
    tlvs.iter().find(|t| t.name == name).map(|t| t.value.clone()).into()
}

/// The rows of one of our messages.
fn ours(message: &Message) -> Vec<Value> {
    match message {
        Message::Initiation(m) => vec![json!({
            "bmp_init_info_string": text(&m.tlvs, "string"), "bmp_init_info_sysdescr": text(&m.tlvs, "sys_descr"),
            "bmp_init_info_sysname": text(&m.tlvs, "sys_name"), "bmp_init_info_reserved": Value::Null,
        })],
        Message::PeerUp(m) => vec![joined(
            table(&m.peer),
            json!({
                "timestamp": time(&m.peer), "peer_type": kind(&m.peer), "local_as": m.sent_open.as_ref().unwrap().asn.0,
                "local_ip": m.local_address.to_string(), "local_port": m.local_port, "remote_port": m.remote_port,
                "bmp_peer_up_info_string": text(&m.tlvs, "string"),
                "bmp_peer_up_info_vrf_table_name": text(&m.tlvs, "vrf_table_name"),
                "bmp_peer_up_info_admin_label": text(&m.tlvs, "admin_label"), "bmp_peer_up_info_reserved": Value::Null,
            }),
        )],
        Message::Statistics(m) => {
            assert!(m.unread.is_empty());
            let one = |c: &bmp::Counter| {
                let family = (c.family.map(|f| f.afi), c.family.map(|f| f.safi));
                let row = json!({
                    "timestamp": time(&m.peer), "peer_type": kind(&m.peer), "counter_type": c.kind, "counter_value": c.value,
                    "afi": family.0, "safi": family.1,
                });
                joined(table(&m.peer), row)
            };
            m.counters.iter().map(one).collect()
        }
        Message::RouteMonitoring(m) => routes(m),
        other => panic!("no golden of pmacct has one: {other:?}"),
    }
}

fn routes(m: &RouteMonitoring) -> Vec<Value> {
    assert!(m.withdraw.is_empty() && m.labelled.withdraw.is_empty() && m.evpn.is_empty() && m.unread.is_empty(), "{m:?}");
    if let Some(family) = m.end_of_rib {
        let none: [&str; 0] = [];
        let row = json!({
            "log_type": "end-of-rib", "timestamp": time(&m.peer), "afi": family.afi, "safi": family.safi, "ip_prefix": null,
            "bgp_nexthop": null, "as_path": none, "as_path_id": null, "comms": none, "ecomms": none, "lcomms": none, "origin": null,
            "local_pref": null, "med": null, "aigp": null, "otc": null, "mpls_label": null,
        });
        return vec![joined(table(&m.peer), row)];
    }
    let plain = m.announce.iter().map(|n| (bmp::AfiSafi::from(n.prefix.family()), n, None, None));
    let labelled = m.labelled.announce.iter().map(|l| (l.afi_safi, &l.nlri, l.distinguisher, Some(&l.labels)));
    plain.chain(labelled).map(|(family, nlri, distinguisher, labels)| route(m, family, nlri, distinguisher, labels)).collect()
}

fn route(
    m: &RouteMonitoring,
    family: bmp::AfiSafi,
    nlri: &bmp::Nlri,
    distinguisher: Option<bmp::Distinguisher>,
    labels: Option<&Vec<u32>>,
) -> Value {
    let a = m.attributes.as_ref().unwrap();
    let sorted = |items: Vec<String>| list(&json!(items), true);
    let extended = |e: &String| e.replace("rt:", "RT:").replace("soo:", "SoO:");
    let row = json!({
        "log_type": "update", "timestamp": time(&m.peer), "afi": family.afi, "safi": family.safi, "ip_prefix": nlri.prefix.to_string(),
        "bgp_nexthop": nlri.next_hop.map(|h| h.to_string()), "as_path": list(&a.as_path.to_string().into(), false),
        "as_path_id": nlri.path_id, "comms": sorted(a.communities.iter().map(ToString::to_string).collect()),
        "ecomms": sorted(m.extra.ext_communities.iter().map(extended).collect()),
        "lcomms": sorted(a.large_communities.iter().map(ToString::to_string).collect()),
        "origin": serde_json::to_value(a.origin).unwrap().as_str().unwrap()[..1], "local_pref": a.local_pref, "med": a.med,
        "aigp": m.extra.aigp, "otc": m.extra.otc,
        "mpls_label": labels.map(|l| l.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")),
    });
    let mut out = joined(table(&m.peer), row);
    if labels.is_some() {
        out["rd"] = distinguisher.map(spelled).into();
        out["rd_origin"] = distinguisher.map(|_| "bgp").into();
    }
    out
}

#[test]
fn every_row_of_pmacct_is_one_of_ours() {
    let dir = PathBuf::from(std::env::var("PILOTHOUSE_BMP_CORPUS").unwrap_or_else(|_| "../../../../shared/data/bmp".to_owned()));
    if !dir.exists() {
        println!("skipped: no captures at {}", dir.display());
        return;
    }
    for (capture, run, counts) in GOLDENS {
        let name = format!("pmacct__{capture}__{run}.json");
        let (mut expected, mut updates, mut deletes) = (Rows::new(), Rows::new(), Rows::new());
        let (mut found_counts, mut mapped) = ([0; 4], 0);
        for line in std::fs::read_to_string(dir.join("pcap").join(&name)).unwrap().lines().filter(|l| !l.trim().is_empty()) {
            let row: Value = serde_json::from_str(line).unwrap();
            let Some(shaped) = theirs(&row) else {
                assert_eq!(row["event_type"], "log_init", "{name}: {line}");
                continue;
            };
            let place = match (row["bmp_msg_type"].as_str().unwrap(), row["log_type"].as_str()) {
                ("init", _) => None,
                ("peer_up", _) => Some(0),
                ("stats", _) => Some(1),
                ("route_monitor", Some("update")) => Some(2),
                ("route_monitor", Some("end-of-rib")) => Some(3),
                ("internal", Some("delete")) => {
                    add(&mut deletes, &shaped);
                    continue;
                }
                _ => panic!("{name}: {line}"),
            };
            if let Some(place) = place {
                found_counts[place] += 1;
            }
            if place == Some(2) {
                mapped += usize::from(row["afi"] == 1 && row["bgp_nexthop"].as_str().is_some_and(|h| h.starts_with(MAPPED)));
                let mut timeless = shaped.clone();
                timeless.as_object_mut().unwrap().remove("timestamp");
                add(&mut updates, &timeless);
            }
            add(&mut expected, &shaped);
        }
        assert_eq!(found_counts, counts, "{name}");
        assert_eq!(mapped, if capture.starts_with("200") { MAPPED_IN_200 } else { 0 }, "{name}");
        assert_eq!(deletes, updates, "{name}: what pmacct lets go of at the end is what it was told");
        if counts == [0; 4] {
            assert!(expected.is_empty(), "{name}");
            continue;
        }

        let (mut framer, mut codec, mut found) = (Framer::new(), Codec::default(), Rows::new());
        framer.push(&std::fs::read(dir.join(format!("streams/{capture}__traffic-00__flow0.bmp"))).unwrap());
        while let Some(frame) = framer.next() {
            let message = bmp::decode(&frame.unwrap().bytes, &mut codec).unwrap();
            ours(&message).iter().for_each(|row| add(&mut found, row));
        }
        let only = |a: &Rows, b: &Rows| -> Vec<String> {
            a.iter().filter(|(row, n)| b.get(*row) != Some(n)).map(|(row, n)| format!("{n} × {row}")).collect()
        };
        let (theirs, ours) = (only(&expected, &found), only(&found, &expected));
        assert!(theirs.is_empty() && ours.is_empty(), "{name}\nonly theirs: {theirs:#?}\nonly ours: {ours:#?}");
        println!("{name}: {} rows equal ours", expected.values().sum::<usize>());
    }
}
