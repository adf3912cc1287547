//! Every capture against its golden file (NetGauze's objects, one a message): each message of theirs is one object that `pilotctl decode bmp`
//! prints, with the same header and content, and none of ours is left over but those that they refuse, each of which is listed here with the
//! reason. That the program prints these very objects is tested where the program is (`cli --test decode_files`).
//!
//! How their fields map to ours, where names differ or more than names does:
//! - `peer_header.peer_type` is our `peer.type`, `view` and `as_width`; its `ipv6` flag is told by the address; the Loc-RIB's `filtered` flag
//!   is not printed. A peer address of zeros is null in theirs, ours prints it where it is not a Loc-RIB's. `rd` is `distinguisher`, `0:0`
//!   where they have null.
//! - `update_message` (version 3) and `update_pdu` (version 4) are `announce`, `withdraw`, `attributes`; `update_pdu.index` is always 0.
//! - Attributes of an UPDATE that announces nothing: they keep them, ours are null, since they belong to no route.
//! - AS_PATH: the router's own AS that ours takes off (repair `frr_own_as_in_front`) is put back for the comparison; neighbouring AS_SEQUENCE
//!   segments are one; a number that they leave AS_TRANS and ours takes from AS4_PATH (RFC 6793 §4.2.3) counts as equal.
//! - Extended communities other than route target and origin: ours prints sixteen hex digits, compared by number and place only. Theirs in
//!   named fields. Prefix-SID and link-state attributes: ours lists the code in `unknown`; not compared.
//! - Route target (RFC 4684) and link-state families: ours names them in `unread`; not compared.
//! - A NOTIFICATION in a Peer Down: code and subcode by name, data by value. None of these captures has one; those of the laboratory and one
//!   of each kind are compared in `differential.rs`, by the same function.
//! - Capabilities: by code, and those that ours reads by value (multi-protocol, 4-octet AS, add-path).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

mod facts;

use bmp::{Codec, Framer};
use facts::theirs;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// RFC 6793 §9: where they leave it, we have taken the number from AS4_PATH.
const AS_TRANS: u64 = 23456;

/// Messages that they refuse and we read, by capture: how many, and why ours is right.
const REFUSED: [(&str, usize, &str); 2] = [
    // RFC 6286 §2.1 forbids 0.0.0.0 as identifier in an OPEN that is taken; BMP tells the OPEN that was sent. And twice an AS_PATH of
    // 2-octet numbers under a flag that says 4: read, and named as a repair
    ("206-BMP-high-availability__traffic-00", 3, "InvalidBgpId; InvalidAsPathLength, twice"),
    ("208-BMP-mem-leak-test__bmp-multi-sources-peer-up", 2, "InvalidBgpId"),
];

fn folder() -> PathBuf {
    PathBuf::from(std::env::var("PILOTHOUSE_BMP_CORPUS").unwrap_or_else(|_| "../../../../shared/data/bmp".to_owned()))
}

/// Kind, peer and time: what tells messages apart before their content is looked at. They give none where it is unspecified.
fn their_key(kind: &str, body: &Value) -> String {
    let peer = &body["peer_header"];
    if peer.is_null() {
        return kind.to_owned();
    }
    // both without the zeros at the end of the fraction
    let time = peer["timestamp"].as_str().unwrap_or_default();
    format!("{kind}|{}|{}|{}|{}", peer["peer_as"], peer["bgp_id"], peer["address"].as_str().unwrap_or("-"), short(time))
}

fn our_key(json: &Value) -> String {
    let kind = match json["type"].as_str().unwrap() {
        "route_monitoring" => "RouteMonitoring",
        "peer_up" => "PeerUpNotification",
        "peer_down" => "PeerDownNotification",
        "statistics" => "StatisticsReport",
        "initiation" => "Initiation",
        other => other,
    };
    let peer = &json["peer"];
    if peer.is_null() {
        return kind.to_owned();
    }
    // a Loc-RIB has none; a router's own routes under peer 0.0.0.0 are told as they came
    let address = peer["address"].as_str().filter(|a| !["0.0.0.0", "::"].contains(a)).unwrap_or("-");
    format!("{kind}|{}|{}|{address}|{}", peer["asn"], peer["bgp_id"], short(json["time"].as_str().unwrap_or_default()))
}

fn short(time: &str) -> String {
    let time = time.trim_end_matches('Z');
    if time.contains('.') { time.trim_end_matches('0').trim_end_matches('.').to_owned() } else { time.to_owned() }
}

/// Version, hold time, identifier and AS of an OPEN.
fn their_open(open: &Value) -> String {
    let open = &open["Open"];
    let capabilities = open["params"].as_array().into_iter().flatten().flat_map(|p| p["Capabilities"].as_array().into_iter().flatten());
    let four = capabilities.filter_map(|c| c["FourOctetAs"]["asn4"].as_u64()).next();
    format!("{} {} {} {}", open["version"], open["hold_time"], open["bgp_id"].as_str().unwrap(), four.or(open["my_as"].as_u64()).unwrap())
}

fn our_open(open: &Value) -> String {
    format!("{} {} {} {}", open["version"], open["hold_time"], open["bgp_id"].as_str().unwrap(), open["asn"])
}

/// Codes of their capabilities that have a name of their own.
const CAPABILITIES: [(&str, u64); 12] = [
    ("MultiProtocolExtensions", 1),
    ("RouteRefresh", 2),
    ("ExtendedNextHopEncoding", 5),
    ("ExtendedMessage", 6),
    ("BgpRole", 9),
    ("GracefulRestartCapability", 64),
    ("FourOctetAs", 65),
    ("AddPath", 69),
    ("EnhancedRouteRefresh", 70),
    ("LongLivedGracefulRestart", 71),
    ("Fqdn", 73),
    ("CiscoRouteRefresh", 128),
];

/// Codes of statistics by their names.
const STATISTICS: [(&str, u16); 16] = [
    ("NumberOfPrefixesRejectedByInboundPolicy", 0),
    ("NumberOfDuplicatePrefixAdvertisements", 1),
    ("NumberOfDuplicateWithdraws", 2),
    ("NumberOfUpdatesInvalidatedDueToClusterListLoop", 3),
    ("NumberOfUpdatesInvalidatedDueToAsPathLoop", 4),
    ("NumberOfUpdatesInvalidatedDueToOriginatorId", 5),
    ("NumberOfUpdatesInvalidatedDueToAsConfederationLoop", 6),
    ("NumberOfRoutesInAdjRibIn", 7),
    ("NumberOfRoutesInLocRib", 8),
    ("NumberOfRoutesInPerAfiSafiAdjRibIn", 9),
    ("NumberOfRoutesInPerAfiSafiLocRib", 10),
    ("NumberOfUpdatesSubjectedToTreatAsWithdraw", 11),
    ("NumberOfPrefixesSubjectedToTreatAsWithdraw", 12),
    ("NumberOfDuplicateUpdateMessagesReceived", 13),
    ("Experimental65531", 65531),
    ("Experimental65532", 65532),
];

/// Address families as they spell them, for what is compared by value.
fn family(name: &str) -> Option<&'static str> {
    Some(match name {
        "Ipv4Unicast" => "ipv4_unicast",
        "Ipv6Unicast" => "ipv6_unicast",
        "Ipv4Multicast" => "ipv4_multicast",
        "Ipv6Multicast" => "ipv6_multicast",
        "Ipv4NlriMplsLabels" => "ipv4_labeled_unicast",
        "Ipv6NlriMplsLabels" => "ipv6_labeled_unicast",
        "Ipv4MplsLabeledVpn" => "ipv4_mpls_vpn",
        "Ipv6MplsLabeledVpn" => "ipv6_mpls_vpn",
        _ => return None,
    })
}

/// The per-peer header beyond what finds the message: type, table, width, distinguisher.
fn same_peer(header: &Value, peer: &Value) -> bool {
    let Some((kind, flags)) = header["peer_type"].as_object().and_then(|o| o.iter().next()) else { return false };
    let kind = match kind.as_str() {
        "GlobalInstancePeer" => "global",
        "RdInstancePeer" => "rd",
        "LocalInstancePeer" => "local",
        _ => "loc_rib",
    };
    let view = match (flags["adj_rib_out"].as_bool(), flags["post_policy"].as_bool()) {
        (None, _) => "loc_rib",
        (Some(false), Some(false)) => "adj_rib_in_pre",
        (Some(false), _) => "adj_rib_in_post",
        (Some(true), Some(false)) => "adj_rib_out_pre",
        (Some(true), _) => "adj_rib_out_post",
    };
    let width = if flags["asn2"].as_bool() == Some(true) { 2 } else { 4 };
    let rd = facts::distinguisher(&header["rd"]).unwrap_or_else(|| "0:0".to_owned());
    (&peer["type"], &peer["view"], &peer["as_width"], &peer["distinguisher"]) == (&kind.into(), &view.into(), &width.into(), &rd.into())
}

fn same_capabilities(open: &Value, ours: &Value) -> bool {
    let theirs: Vec<&Value> =
        open["Open"]["params"].as_array().into_iter().flatten().flat_map(|p| p["Capabilities"].as_array().into_iter().flatten()).collect();
    let same = |theirs: &Value, ours: &Value| {
        let name = theirs.as_str().or_else(|| theirs.as_object()?.keys().next().map(String::as_str)).unwrap();
        let code = CAPABILITIES.iter().find(|(n, _)| *n == name).map(|(_, c)| *c).or(theirs[name]["code"].as_u64());
        let content = match name {
            "MultiProtocolExtensions" => same_family(&theirs[name], ours),
            "FourOctetAs" => theirs[name]["asn4"].as_u64() == ours["asn"].as_u64(),
            "AddPath" => same_offers(&theirs[name], ours),
            _ => true,
        };
        code.is_some() && code == ours["code"].as_u64() && content
    };
    let ours = ours["capabilities"].as_array().unwrap();
    theirs.len() == ours.len() && theirs.iter().zip(ours).all(|(t, o)| same(t, o))
}

/// The family by name, where ours has one for theirs.
fn same_family(theirs: &Value, ours: &Value) -> bool {
    let spelled = theirs["address_type"].as_str().and_then(family);
    spelled.is_none_or(|s| ours["afi_safi"].as_str() == Some(s))
}

fn same_offers(theirs: &Value, ours: &Value) -> bool {
    let (Some(list), Some(offers)) = (theirs["address_families"].as_array(), ours["families"].as_array()) else { return false };
    let same = |t: &Value, o: &Value| (&t["send"], &t["receive"]) == (&o["send"], &o["receive"]) && same_family(t, o);
    list.len() == offers.len() && list.iter().zip(offers).all(|(t, o)| same(t, o))
}

/// What stands beside the UPDATE in version 4.
fn same_tlvs(theirs: &Value, ours: &Value) -> bool {
    let (list, ours) = (theirs.as_array().cloned().unwrap_or_default(), ours.as_array().cloned().unwrap_or_default());
    list.len() == ours.len()
        && list.iter().zip(&ours).all(|(t, o)| {
            let (name, value) = t["value"].as_object().unwrap().iter().next().unwrap();
            let same = match (name.as_str(), o["type"].as_str().unwrap()) {
                ("GroupTlv", "group") => *value == o["members"],
                ("VrfTableName", "vrf_table_name") => *value == o["value"],
                ("PathMarking", "path_marking") => {
                    let names: Vec<String> = o["status"].as_array().unwrap().iter().map(|n| n.as_str().unwrap().to_uppercase()).collect();
                    value["path_status"].as_str() == Some(&names.join(" | ")) && value["reason"].is_null() == o["reason"].is_null()
                }
                ("StatelessParsing", "stateless_parsing") => same_offers(&value["AddPath"], &o["capability"]),
                _ => false,
            };
            same && t["index"] == o["index"]
        })
}

/// Says whether an object that `decode bmp` prints holds what theirs does.
fn same(kind: &str, body: &Value, ours: &Value) -> bool {
    if !ours["peer"].is_null() && !same_peer(&body["peer_header"], &ours["peer"]) {
        return false;
    }
    match ours["type"].as_str().unwrap() {
        "route_monitoring" => {
            let update = [&body["update_message"]["Update"], &body["update_pdu"]["value"]["BgpUpdate"]["Update"]];
            let Some(update) = update.into_iter().find(|u| !u.is_null()) else { return false };
            let mut expected = theirs(update);
            let mut found = facts::ours(ours, expected.as_path.first().copied().unwrap_or_default());
            if ours["attributes"].is_null() {
                // whatever stands in an UPDATE that announces nothing
                expected = facts::Facts { withdraw: expected.withdraw, labelled: expected.labelled, ..facts::Facts::default() };
                found = facts::Facts { withdraw: found.withdraw, labelled: found.labelled, ..facts::Facts::default() };
            }
            if expected.as_path.len() == found.as_path.len() {
                expected.as_path.iter_mut().zip(&found.as_path).filter(|(t, _)| **t == AS_TRANS).for_each(|(t, o)| *t = *o);
            }
            expected == found && same_tlvs(&body["tlvs"], &ours["tlvs"])
        }
        "peer_up" => {
            ["local_address", "local_port", "remote_port"].iter().all(|field| body[field] == ours[field])
                && [("sent_message", "sent_open"), ("received_message", "received_open")].iter().all(|(theirs, mine)| {
                    their_open(&body[theirs]) == our_open(&ours[mine]) && same_capabilities(&body[theirs], &ours[mine])
                })
                && same_texts(&body["information"], &ours["tlvs"])
        }
        "statistics" => {
            let (theirs, ours) = (body["counters"].as_array().unwrap(), ours["counters"].as_array().unwrap());
            theirs.len() == ours.len()
                && theirs.iter().zip(ours).all(|(t, o)| {
                    let (name, value) = t.as_object().unwrap().iter().next().unwrap();
                    let code = STATISTICS.iter().find(|(n, _)| n == name).map(|(_, c)| *c);
                    let (spelled, number) = match value.as_array() {
                        // an experimental statistic is raw bytes, one per family a pair
                        Some(bytes) if bytes.len() != 2 => (None, bytes.iter().try_fold(0, |n, b| Some(n << 8 | b.as_u64()?))),
                        Some(pair) => (pair[0].as_str().and_then(family), pair[1].as_u64()),
                        None => (None, value.as_u64()),
                    };
                    code.map(u64::from) == o["type"].as_u64()
                        && number.is_some()
                        && number == o["value"].as_u64()
                        && spelled == o["afi_safi"].as_str()
                })
        }
        "initiation" => same_texts(&body["information"], &ours["tlvs"]),
        "peer_down" => {
            let (name, value) = body["reason"].as_object().map_or((body["reason"].as_str().unwrap_or_default(), &Value::Null), |o| {
                let (name, value) = o.iter().next().unwrap();
                (name.as_str(), value)
            });
            match (name, ours["reason"].as_str().unwrap()) {
                ("LocalSystemClosedTlvDataFollows", "local_tlv") => same_texts(&Value::Array(vec![value.clone()]), &ours["tlvs"]),
                ("LocalSystemClosedNotificationPduFollows", "local_notification")
                | ("RemoteSystemClosedNotificationPduFollows", "remote_notification") => {
                    facts::same_notification(value, &ours["notification"])
                }
                ("LocalSystemClosedFsmEventFollows", "local_fsm_event") => *value == ours["fsm_event"],
                ("RemoteSystemClosedNoData", "remote_no_notification") | ("PeerDeConfigured", "deconfigured") => true,
                _ => false,
            }
        }
        // no capture has one
        _ => panic!("compare {kind}: {body}"),
    }
}

/// Information TLVs: the same names and texts in the same order.
fn same_texts(theirs: &Value, ours: &Value) -> bool {
    let names = [
        ("String", "string"),
        ("SystemDescription", "sys_descr"),
        ("SystemName", "sys_name"),
        ("VrfTableName", "vrf_table_name"),
        ("AdminLabel", "admin_label"),
    ];
    let (theirs, ours) = (theirs.as_array().cloned().unwrap_or_default(), ours.as_array().cloned().unwrap_or_default());
    theirs.len() == ours.len()
        && theirs.iter().zip(&ours).all(|(t, o)| {
            let (name, text) = t.as_object().unwrap().iter().next().unwrap();
            names.iter().any(|(n, ours)| n == name && o["type"] == *ours) && *text == o["value"]
        })
}

#[test]
fn every_message_of_every_capture_equals_its_golden_object() {
    let dir = folder();
    let Ok(index) = std::fs::read_to_string(dir.join("streams/INDEX.json")) else {
        println!("skipped: no captures at {}", dir.display());
        return;
    };
    let index: BTreeMap<String, Value> = serde_json::from_str(&index).unwrap();
    let (mut captures, mut messages, mut refused_in_all) = (0, 0, 0);
    for golden in std::fs::read_dir(dir.join("pcap")).unwrap().map(|e| e.unwrap().path()) {
        let name = golden.file_name().unwrap().to_str().unwrap();
        let Some(capture) = name.strip_suffix("-bmp.json") else { continue };
        let mut found: BTreeMap<String, Vec<(Value, bool)>> = BTreeMap::new();
        let mut ours_in_all = 0;
        for stream in index.iter().filter(|(_, v)| v["pcap"] == format!("{capture}.pcap")).map(|(name, _)| name) {
            let (mut framer, mut codec) = (Framer::new(), Codec::default());
            framer.push(&std::fs::read(dir.join("streams").join(stream)).unwrap());
            while let Some(frame) = framer.next() {
                let frame = frame.unwrap();
                let message = bmp::decode(&frame.bytes, &mut codec).unwrap_or_else(|e| panic!("{stream} at {}: {e}", frame.offset));
                let printed = bmp::json::message(&message, frame.offset);
                found.entry(our_key(&printed)).or_default().push((printed, false));
                ours_in_all += 1;
            }
            assert_eq!(framer.pending(), 0, "{stream}");
        }
        if ours_in_all == 0 {
            println!("{capture}: no stream of it was extracted");
            continue;
        }
        let (mut theirs_in_all, mut refused) = (0, 0);
        for line in std::fs::read_to_string(&golden).unwrap().lines().filter(|l| !l.trim().is_empty()) {
            let object: Value = serde_json::from_str(line).unwrap();
            theirs_in_all += 1;
            let (version, inner) = object.as_object().unwrap().iter().next().unwrap();
            if version == "BmpMessageParsingError" {
                refused += 1;
                continue;
            }
            let (kind, body) = inner.as_object().unwrap().iter().next().unwrap();
            let key = their_key(kind, body).replace('"', "");
            let candidates = found.iter_mut().find(|(k, _)| k.replace('"', "") == key);
            let Some((_, candidates)) = candidates else { panic!("{capture}: we have no {key}") };
            let hit = candidates.iter_mut().find(|(printed, taken)| !taken && same(kind, body, printed));
            let Some((_, taken)) = hit else { panic!("{capture}: none of ours is {line}\nours: {candidates:#?}") };
            *taken = true;
        }
        assert_eq!(ours_in_all, theirs_in_all, "{capture}: messages");
        let left = found.values().flatten().filter(|(_, taken)| !taken).count();
        let expected = REFUSED.iter().find(|(c, ..)| *c == capture).map_or(0, |(_, n, _)| *n);
        assert_eq!((left, refused), (expected, expected), "{capture}: messages that only we read");
        captures += 1;
        messages += theirs_in_all;
        refused_in_all += refused;
    }
    assert!(captures >= 10 && messages > 900, "{captures} captures, {messages} messages");
    println!("{messages} messages of {captures} captures equal their golden objects; {refused_in_all} that NetGauze refuses are read");
}
