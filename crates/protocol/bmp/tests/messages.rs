//! Messages and fields that few routers send: each is told as the standard names it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

mod wire;

use bmp::{Codec, Message};
use serde_json::{Value, json};
use wire::{NLRI, attribute, good, monitoring, update};

fn shown(bytes: &[u8]) -> Value {
    bmp::json::message(&bmp::decode(bytes, &mut Codec::default()).unwrap(), 0)
}

fn peer() -> Vec<u8> {
    wire::peer(0, [10, 0, 0, 2], wire::PEER_AS)
}

#[test]
fn a_termination_says_why() {
    let body = [&[0, 0, 0, 3][..], b"bye", &[0, 1, 0, 2, 0, 3], &[0, 9, 0, 1, b'x']].concat();
    let wanted = json!([{"type": "string", "value": "bye"}, {"type": "reason", "value": "redundant_connection"}, {"type": "unknown_9", "value": "x"}]);
    assert_eq!(shown(&wire::message(5, &body)), json!({"type": "termination", "offset": 0, "tlvs": wanted}));
    for (code, name) in [
        (0, "administratively_closed"),
        (1, "unspecified"),
        (2, "out_of_resources"),
        (4, "permanently_administratively_closed"),
        (7, "unknown_7"),
    ] {
        assert_eq!(shown(&wire::message(5, &[0, 1, 0, 2, 0, code]))["tlvs"][0]["value"], name);
    }
}

#[test]
fn mirrored_messages_stay_raw() {
    // a BGP message (0) and "messages lost" (1, code 1)
    let update = wire::bgp(4, &[]);
    let length = u16::try_from(update.len()).unwrap().to_be_bytes();
    let body = [&peer()[..], &[0, 0], &length, &update, &[0, 1, 0, 2, 0, 1]].concat();
    let Message::RouteMirroring(m) = bmp::decode(&wire::message(6, &body), &mut Codec::default()).unwrap() else { panic!() };
    assert_eq!(m.tlvs, [(0, update.clone()), (1, vec![0, 1])]);
    let hex: String = update.iter().map(|b| format!("{b:02x}")).collect();
    let json = shown(&wire::message(6, &body));
    assert_eq!(
        (&json["type"], &json["tlvs"]),
        (&json!("route_mirroring"), &json!([{"type": 0, "value": hex}, {"type": 1, "value": "0001"}]))
    );
}

#[test]
fn a_statistic_of_an_odd_length_is_kept_raw_and_named() {
    let values = [&[0, 7, 0, 2, 1, 2][..], &[0, 0, 0, 4, 0, 0, 0, 9], &[0xFF, 0xFB, 0, 0]].concat();
    let bytes = wire::message(1, &[&wire::peer(0, [10, 0, 0, 2], 65002)[..], &[0, 0, 0, 3], &values].concat());
    let message = bmp::decode(&bytes, &mut Codec::default()).unwrap();
    let Message::Statistics(m) = &message else { panic!("{message:?}") };
    assert_eq!((m.counters.len(), m.counters[0].value), (1, 9));
    let unread: Vec<(u16, &str, &[u8])> = m.unread.iter().map(|u| (u.kind, u.name.as_str(), &u.raw[..])).collect();
    assert_eq!(unread, [(7, "adj_rib_in_routes", &[1, 2][..]), (65531, "unknown", &[])]);
    let json = bmp::json::message(&message, 0);
    assert_eq!(json["repairs"], serde_json::json!(["statistic_length_7", "unknown_statistic_65531", "statistic_length_65531"]));
    assert_eq!(json["unread"][0], serde_json::json!({"type": 7, "name": "adj_rib_in_routes", "raw": "0102"}));
    // alone it is no empty report
    let alone = wire::message(1, &[&wire::peer(0, [10, 0, 0, 2], 65002)[..], &[0, 0, 0, 1, 0, 7, 0, 2, 1, 2]].concat());
    assert!(bmp::decode(&alone, &mut Codec::default()).is_ok());
}

#[test]
fn every_registered_statistic_has_its_name() {
    let statistic = |kind: u16, value: &[u8]| {
        let length = u16::try_from(value.len()).unwrap().to_be_bytes();
        let body = [&peer()[..], &[0, 0, 0, 1], &kind.to_be_bytes(), &length, value].concat();
        shown(&wire::message(1, &body))["counters"][0].clone()
    };
    let names = [
        (0, "rejected_by_policy"),
        (1, "duplicate_prefix_advertisements"),
        (2, "duplicate_withdraws"),
        (3, "cluster_list_loop"),
        (4, "as_path_loop"),
        (5, "originator_id_loop"),
        (6, "as_confed_loop"),
        (11, "updates_treated_as_withdraw"),
        (12, "prefixes_treated_as_withdraw"),
        (13, "duplicate_updates"),
    ];
    for (kind, name) in names {
        assert_eq!(statistic(kind, &[0, 0, 1, 0]), json!({"type": kind, "name": name, "value": 256}));
    }
    let gauges = [
        (7, "adj_rib_in_routes"),
        (8, "loc_rib_routes"),
        (14, "adj_rib_out_pre_policy_routes"),
        (15, "adj_rib_out_post_policy_routes"),
        (18, "adj_rib_in_pre_policy_routes"),
        (20, "adj_rib_in_post_policy_routes"),
    ];
    for (kind, name) in gauges {
        assert_eq!(statistic(kind, &[0, 0, 0, 1, 0, 0, 0, 0]), json!({"type": kind, "name": name, "value": 1_u64 << 32}));
    }
    let families = [
        (9, "adj_rib_in_routes_per_family"),
        (10, "loc_rib_routes_per_family"),
        (16, "adj_rib_out_pre_policy_routes_per_family"),
        (17, "adj_rib_out_post_policy_routes_per_family"),
        (26, "suppressed_by_damping_per_family"),
        (35, "rpki_invalid_in_adj_rib_in_per_family"),
    ];
    for (kind, name) in families {
        let value = [0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 5];
        assert_eq!(statistic(kind, &value), json!({"type": kind, "name": name, "value": 5, "afi_safi": "ipv6_unicast"}));
    }
    assert_eq!(statistic(24, &[0, 0, 0, 1])["name"], "unknown");
}

#[test]
fn a_peer_up_keeps_what_stands_behind_its_opens() {
    let open = wire::open(65001, &wire::four_octet(65001));
    let tlvs = [&[0, 3, 0, 4][..], b"CUST", &[0, 4, 0, 5], b"north", &[0, 0, 0, 2], b"hi"].concat();
    let mut bytes = [wire::peer_up(&open, &open), tlvs].concat();
    let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
    bytes[1..5].copy_from_slice(&length);
    let wanted =
        json!([{"type": "vrf_table_name", "value": "CUST"}, {"type": "admin_label", "value": "north"}, {"type": "string", "value": "hi"}]);
    assert_eq!(shown(&bytes)["tlvs"], wanted);
}

/// A TLV of version 4: type, length, index, value.
fn tlv(kind: u16, index: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len()).unwrap();
    [&kind.to_be_bytes()[..], &length.to_be_bytes(), &index.to_be_bytes(), value].concat()
}

fn version_4(tlvs: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = wire::message(0, &[&peer()[..], &tlvs.concat()].concat());
    bytes[0] = 4;
    bytes
}

#[test]
fn version_4_says_more_of_routes_and_needs_no_peer_up() {
    let nlri = [&[0, 0, 0, 7][..], &NLRI].concat();
    let bytes = version_4(&[
        tlv(1, 0, &[69, 4, 0, 1, 1, 2]),
        tlv(2, 0x8001, &[0, 1, 0, 2]),
        tlv(4, 0, &update(&[], &good().concat(), &nlri)),
        tlv(5, 1, &[0, 0, 0, 0x8A]),
        tlv(5, 0, &[0, 0, 0, 5, 0, 1]),
        tlv(3, 0, b"blue"),
        tlv(5, 0, &[1, 2, 3]),
    ]);
    let json = shown(&bytes);
    assert_eq!(json["announce"][0]["path_id"], 7, "{json}");
    assert_eq!(json["repairs"], json!(["routes_without_peer_up"]), "nothing was guessed");
    assert_eq!(
        json["tlvs"],
        json!([
            {"index": 0, "type": "stateless_parsing",
                "capability": {"code": 69, "name": "add_path", "families": [{"afi_safi": "ipv4_unicast", "receive": false, "send": true}]}},
            {"index": 0x8001, "type": "group", "members": [1, 2]},
            {"index": 1, "type": "path_marking", "status": ["best", "primary", "add_path"], "status_bits": 0x8A, "reason": null},
            {"index": 0, "type": "path_marking", "status": ["invalid", "non_selected"], "status_bits": 5, "reason": 1},
            {"index": 0, "type": "vrf_table_name", "value": "blue"},
            {"index": 0, "type": "unknown_5", "value": "010203"},
        ])
    );
    let none = bmp::decode(&version_4(&[tlv(3, 0, b"blue")]), &mut Codec::default()).unwrap_err();
    assert_eq!(none.what, "a version 4 Route Monitoring message without BGP message TLV");
}

#[test]
fn evpn_routes_of_each_type_are_told() {
    let rd = [0, 1, 10, 0, 0, 1, 0, 5];
    let esi = [0; 10];
    let mac = [2, 0, 0, 0, 0, 9];
    let route = |kind: u8, value: &[&[u8]]| {
        let value = value.concat();
        [&[kind, u8::try_from(value.len()).unwrap()][..], &value].concat()
    };
    let tag = [0, 0, 0, 100];
    let label = [0, 0x27, 0x10];
    let all = [
        route(1, &[&rd, &esi, &tag, &label]),
        route(2, &[&rd, &esi, &tag, &[48], &mac, &[32, 192, 0, 2, 1], &label, &label]),
        route(2, &[&rd, &esi, &tag, &[48], &mac, &[0], &label]),
        route(3, &[&rd, &tag, &[32, 10, 0, 0, 1]]),
        route(4, &[&rd, &esi, &[32, 10, 0, 0, 1]]),
        route(5, &[&rd, &esi, &tag, &[24, 203, 0, 113, 0], &[0; 4], &label]),
        route(5, &[&rd, &esi, &tag, &[48], &[0x20, 1, 0x0d, 0xb8], &[0; 12], &[0; 16], &label]),
        route(8, &[&[1, 2, 3]]),
        // a type 3 that is too short for its fields
        route(3, &[&rd]),
    ]
    .concat();
    let reach = attribute(0x80, 14, &[&[0, 25, 70, 4, 10, 0, 0, 1, 0][..], &all].concat());
    let bytes = monitoring(0, &update(&[], &[good().concat(), reach].concat(), &[]));
    let json = shown(&bytes);
    let list = json["announce"].as_array().unwrap();
    assert_eq!(list.len(), 9);
    let ours = |i: usize, wanted: Value| {
        for (key, value) in wanted.as_object().unwrap() {
            assert_eq!(&list[i][key], value, "{i} {key}: {}", list[i]);
        }
        assert_eq!(list[i]["next_hop"], "10.0.0.1");
        assert_eq!(list[i]["afi_safi"], "l2vpn_evpn");
    };
    ours(0, json!({"route_type": 1, "rd": "10.0.0.1:5", "ethernet_tag": 100, "labels": [10_000]}));
    ours(1, json!({"route_type": 2, "mac": "02:00:00:00:00:09", "address": "192.0.2.1", "labels": [10_000, 10_000]}));
    ours(2, json!({"route_type": 2, "mac": "02:00:00:00:00:09", "labels": [10_000]}));
    ours(3, json!({"route_type": 3, "ethernet_tag": 100, "address": "10.0.0.1"}));
    ours(4, json!({"route_type": 4, "esi": "00:00:00:00:00:00:00:00:00:00", "address": "10.0.0.1"}));
    ours(5, json!({"route_type": 5, "prefix": "203.0.113.0/24"}));
    ours(6, json!({"route_type": 5, "prefix": "2001:db8::/48"}));
    ours(7, json!({"route_type": 8, "raw": "010203"}));
    ours(8, json!({"route_type": 3, "raw": "00010a0000010005"}));
    // and a length that goes beyond the field costs the rest
    let bad = attribute(0x80, 15, &[&[0, 25, 70][..], &route(3, &[&rd, &tag, &[32, 10, 0, 0, 1]]), &[2, 200, 1]].concat());
    let error = bmp::decode(&monitoring(0, &update(&[], &bad, &[])), &mut Codec::default()).unwrap_err();
    assert_eq!(error.what, "an EVPN route wants 200 bytes, 1 are left (RFC 7606 §5.3)");
    assert_eq!(error.salvage.unwrap().evpn.withdraw.len(), 1);
}
