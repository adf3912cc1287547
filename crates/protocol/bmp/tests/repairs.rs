//! Known sender faults: each is corrected, named, and shown in the JSON that `pilotctl decode bmp` prints.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

mod wire;

use bgp::Asn;
use bmp::{Codec, Message, Repair, RouteMonitoring, View};
use serde_json::json;
use wire::{NLRI, as_path, attribute, good, monitoring, update};

fn routes(bytes: &[u8], codec: &mut Codec) -> RouteMonitoring {
    match bmp::decode(bytes, codec).unwrap() {
        Message::RouteMonitoring(m) => *m,
        other => panic!("{other:?}"),
    }
}

fn path(asns: &[u32]) -> Vec<u8> {
    let mut all = good();
    all[1] = as_path(asns);
    monitoring(0, &update(&[], &all.concat(), &NLRI))
}

/// A session where the peer is up, from our AS 65001.
fn up(received: &[u8], sent: &[u8]) -> Codec {
    let mut codec = Codec::default();
    let sent = [wire::four_octet(65001), sent.to_vec()].concat();
    let received = [wire::four_octet(65002), received.to_vec()].concat();
    let message = bmp::decode(&wire::peer_up(&wire::open(65001, &sent), &wire::open(65002, &received)), &mut codec).unwrap();
    assert!(message.repairs().is_empty());
    codec
}

#[test]
fn the_own_as_in_front_of_an_ebgp_path_is_taken_off() {
    let mut codec = up(&[], &[]);
    let m = routes(&path(&[65001, 65002, 64500]), &mut codec);
    assert_eq!(m.attributes.unwrap().as_path.to_string(), "65002 64500");
    assert_eq!(m.repairs, [Repair::FrrOwnAsInFront]);
    // a path that is right stays, and so does a real loop further back
    for asns in [&[65002, 64500][..], &[65002, 65001, 64500], &[65001, 64500]] {
        let m = routes(&path(asns), &mut codec);
        assert_eq!(m.attributes.unwrap().as_path, bgp::AsPath::sequence(asns.iter().copied()));
        assert!(m.repairs.is_empty());
    }
    // a VPN route (444:2, label 102) is no exception
    let reach =
        [&[0, 1, 128, 12, 0, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2, 0, 112, 0, 6, 0x61, 0, 0, 1, 0xBC, 0, 0, 0, 2][..], &NLRI[1..]].concat();
    let all = [attribute(0x40, 1, &[0]), as_path(&[65001, 65002]), attribute(0x80, 14, &reach)].concat();
    let m = routes(&monitoring(0, &update(&[], &all, &[])), &mut codec);
    assert_eq!((m.labelled.announce.len(), m.attributes.unwrap().as_path.to_string()), (1, "65002".to_owned()));
    assert_eq!(m.repairs, [Repair::FrrOwnAsInFront]);
    // without Peer Up the AS is an argument
    let m = routes(&path(&[65001, 65002]), &mut Codec::new(Some(Asn(65001))));
    assert_eq!(m.repairs, [Repair::RoutesWithoutPeerUp, Repair::FrrOwnAsInFront]);
}

#[test]
fn an_as_path_of_the_other_width_is_read_and_named() {
    let mut all = good();
    all[1] = attribute(0x40, 2, &[2, 2, 0xFD, 0xEA, 0xFB, 0xF4]);
    let mut codec = up(&[], &[]);
    let m = routes(&monitoring(0, &update(&[], &all.concat(), &NLRI)), &mut codec);
    assert_eq!((m.attributes.unwrap().as_path.to_string().as_str(), m.repairs), ("65002 64500", vec![Repair::TwoOctetAsPath]));
    let flagged = routes(&monitoring(0x20, &update(&[], &all.concat(), &NLRI)), &mut codec);
    assert!(flagged.repairs.is_empty(), "the flag says it: nothing to repair");
    assert_eq!(flagged.peer.as_width, 2);
}

#[test]
fn a_two_octet_path_takes_its_large_numbers_from_as4_path() {
    let mut all = good();
    all[1] = attribute(0x40, 2, &[2, 3, 0xFD, 0xEA, 0x5B, 0xA0, 0x5B, 0xA0]);
    all.push(attribute(0xC0, 17, &[2, 2, 0, 1, 0, 0, 0, 1, 0, 1]));
    let m = routes(&monitoring(0x20, &update(&[], &all.concat(), &NLRI)), &mut up(&[], &[]));
    assert_eq!(m.attributes.unwrap().as_path.to_string(), "65002 65536 65537");
}

#[test]
fn path_identifiers_are_read_where_both_sides_agreed() {
    let both = [69, 4, 0, 1, 1, 3];
    let nlri = [&[0, 0, 0, 7][..], &NLRI].concat();
    let bytes = monitoring(0, &update(&[], &good().concat(), &nlri));
    let m = routes(&bytes, &mut up(&both, &both));
    assert_eq!((m.announce[0].path_id, m.repairs.len()), (Some(7), 0));
    // only the peer's offer: not agreed, and what was agreed on is not guessed at
    assert!(bmp::decode(&bytes, &mut up(&both, &[])).is_err());
    // nothing known: identifiers only where plain prefixes make no sense
    let odd = monitoring(0, &update(&[], &good().concat(), &[&[0, 0, 0, 200][..], &NLRI].concat()));
    let m = routes(&odd, &mut Codec::default());
    assert_eq!((m.announce[0].path_id, m.repairs), (Some(200), vec![Repair::RoutesWithoutPeerUp, Repair::AddPathGuessed]));
}

/// A Loc-RIB session of AS 65001 whose Peer Up says nothing of path identifiers.
fn loc_rib_up() -> Codec {
    let mut codec = Codec::default();
    let open = wire::open(65001, &wire::four_octet(65001));
    let mut bytes = wire::peer_up(&open, &open);
    bytes[6] = 3;
    bmp::decode(&bytes, &mut codec).unwrap();
    codec
}

/// Routes of that Loc-RIB.
fn loc_rib(update: &[u8]) -> Vec<u8> {
    let mut bytes = monitoring(0, update);
    bytes[6] = 3;
    bytes
}

#[test]
fn a_loc_rib_with_path_identifiers_that_its_peer_up_hides_is_read_and_named() {
    // as GoBGP sent it: identifier 1, then 203.0.113.0/24, twice with other numbers
    let nlri = [&[0, 0, 0, 1][..], &NLRI, &[0, 0, 0, 2], &[24, 198, 51, 100]].concat();
    let bytes = loc_rib(&update(&[], &good().concat(), &nlri));
    let m = routes(&bytes, &mut loc_rib_up());
    assert_eq!(m.peer.view, View::LocRib);
    let found: Vec<(String, Option<u32>)> = m.announce.iter().map(|n| (n.prefix.to_string(), n.path_id)).collect();
    assert_eq!(found, [("203.0.113.0/24".to_owned(), Some(1)), ("198.51.100.0/24".to_owned(), Some(2))]);
    assert_eq!(m.repairs, [Repair::LocRibAddPath]);
    // identifier 0 reads like default routes; several of them in one UPDATE are none
    let zero = [&[0, 0, 0, 0][..], &NLRI].concat();
    let m = routes(&loc_rib(&update(&[], &good().concat(), &zero)), &mut loc_rib_up());
    assert_eq!((m.announce.len(), m.announce[0].path_id, m.repairs), (1, Some(0), vec![Repair::LocRibAddPath]));
    // plain routes stay plain, the default route among them
    let plain = [&[0][..], &NLRI].concat();
    let m = routes(&loc_rib(&update(&[], &good().concat(), &plain)), &mut loc_rib_up());
    assert_eq!((m.announce.len(), m.announce[0].path_id, m.repairs.len()), (2, None, 0));
}

#[test]
fn a_loc_rib_path_of_two_octets_is_read_and_named() {
    let mut all = good();
    all[1] = attribute(0x40, 2, &[2, 3, 0xFD, 0xEA, 0xFB, 0xF4, 0xFB, 0xF5]);
    let m = routes(&loc_rib(&update(&[], &all.concat(), &NLRI)), &mut loc_rib_up());
    assert_eq!((m.attributes.unwrap().as_path.to_string().as_str(), m.repairs), ("65002 64500 64501", vec![Repair::TwoOctetAsPath]));
}

#[test]
fn a_correction_that_is_switched_off_is_not_made() {
    let off = |names: &[&str]| bmp::Switched::try_from(names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>());
    let without = |codec: Codec, name: &str| codec.with_repairs(off(&[name]).unwrap());
    let m = routes(&path(&[65001, 65002, 64500]), &mut without(up(&[], &[]), "frr_own_as_in_front"));
    assert_eq!((m.attributes.unwrap().as_path.to_string().as_str(), m.repairs.len()), ("65001 65002 64500", 0));
    let mut all = good();
    all[1] = attribute(0x40, 2, &[2, 2, 0xFD, 0xEA, 0xFB, 0xF4]);
    let short = monitoring(0, &update(&[], &all.concat(), &NLRI));
    let error = bmp::decode(&short, &mut without(up(&[], &[]), "two_octet_as_path")).unwrap_err();
    assert_eq!(error.action, bmp::Action::TreatAsWithdraw);
    let numbered = loc_rib(&update(&[], &good().concat(), &[&[0, 0, 0, 200][..], &NLRI].concat()));
    assert!(bmp::decode(&numbered, &mut without(loc_rib_up(), "loc_rib_add_path")).is_err());
    assert!(bmp::decode(&numbered, &mut loc_rib_up()).is_ok());
    // what is switched off stays so in the saved state
    let codec = without(up(&[], &[]), "add_path_guessed");
    assert_eq!(serde_json::from_str::<Codec>(&serde_json::to_string(&codec).unwrap()).unwrap(), codec);
    let words = off(&["own_as"]).unwrap_err().to_string();
    assert!(words.starts_with("\"own_as\" is no correction") && words.contains("next_hop_missing"), "{words}");
}

#[test]
fn peers_that_go_down_out_of_turn_are_named() {
    let mut codec = Codec::default();
    let mut down = || bmp::decode(&wire::peer_down(4, &[]), &mut codec).unwrap().repairs().to_vec();
    assert_eq!(down(), [Repair::PeerDownBeforePeerUp]);
    assert_eq!(down(), [Repair::PeerDownRepeated]);
    let mut codec = up(&[], &[]);
    assert!(bmp::decode(&wire::peer_down(1, &wire::bgp(3, &[6, 4])), &mut codec).unwrap().repairs().is_empty());
}

#[test]
fn a_peer_down_before_its_peer_up_is_taken_as_it_is_when_that_is_switched_off() {
    let off = bmp::Switched::off(["peer_down_before_peer_up".parse().unwrap()]);
    let mut codec = Codec::default().with_repairs(off);
    assert!(bmp::decode(&wire::peer_down(4, &[]), &mut codec).unwrap().repairs().is_empty());
    assert_eq!(bmp::decode(&wire::peer_down(4, &[]), &mut codec).unwrap().repairs(), [Repair::PeerDownRepeated]);
    // notes are no corrections
    for note in ["peer_down_repeated", "routes_without_peer_up", "ipv6_flag_missing", "unknown_statistic_9", "statistic_length_9"] {
        assert!(note.parse::<Repair>().is_err(), "{note}");
    }
}

/// FRR 8.4.4 that lost the OPEN of a session (both sides connected at once) sends the header of one.
#[test]
fn a_peer_whose_open_the_router_did_not_keep_is_up_all_the_same() {
    let (bare, whole) = (wire::bgp(1, &[]), wire::open(65001, &wire::four_octet(65001)));
    for (sent, received, own) in [(&bare, &whole, None), (&whole, &bare, Some(65001)), (&bare, &bare, None)] {
        let mut codec = Codec::default();
        let message = bmp::decode(&wire::peer_up(sent, received), &mut codec).unwrap();
        assert_eq!(message.repairs(), [Repair::OpenMissing]);
        let json = bmp::json::message(&message, 0);
        assert_eq!((json["sent_open"].is_null(), json["received_open"].is_null()), (*sent == bare, *received == bare));
        assert_eq!(json["repairs"], json!(["open_missing"]));
        let Message::PeerUp(up) = message else { panic!("a Peer Up") };
        assert_eq!(up.sent_open.map(|open| open.asn.0), own);
        // it is up: its routes are no surprise, and its end is one
        assert!(!routes(&path(&[65002]), &mut codec).repairs.contains(&Repair::RoutesWithoutPeerUp));
        assert!(bmp::decode(&wire::peer_down(4, &[]), &mut codec).unwrap().repairs().is_empty());
        let off = bmp::Switched::off(["open_missing".parse().unwrap()]);
        let error = bmp::decode(&wire::peer_up(sent, received), &mut Codec::default().with_repairs(off)).unwrap_err();
        assert!(error.to_string().contains("the BGP version"), "{error}");
    }
    // an OPEN that is cut in the middle is none that was not kept
    let cut = wire::bgp(1, &[4]);
    assert!(bmp::decode(&wire::peer_up(&cut, &whole), &mut Codec::default()).is_err());
}

/// A Loc-RIB message under another BGP identifier.
fn identified(mut bytes: Vec<u8>, id: u8) -> Vec<u8> {
    bytes[6] = 3;
    bytes[16..32].fill(0);
    bytes[36..40].copy_from_slice(&[10, 0, 0, id]);
    bytes
}

#[test]
fn two_loc_ribs_without_distinguisher_are_two_peers() {
    let both = [69, 4, 0, 1, 1, 3];
    let opened = |more: &[u8]| wire::open(65001, &[wire::four_octet(65001), more.to_vec()].concat());
    let numbered = opened(&both);
    let mut codec = Codec::default();
    bmp::decode(&identified(wire::peer_up(&numbered, &numbered), 1), &mut codec).unwrap();
    bmp::decode(&identified(wire::peer_up(&opened(&[]), &opened(&[])), 2), &mut codec).unwrap();
    let told = |id| identified(monitoring(0, &update(&[], &good().concat(), &[&[0, 0, 0, 7][..], &NLRI].concat())), id);
    let m = routes(&told(1), &mut codec);
    assert_eq!((m.announce[0].path_id, m.repairs.len()), (Some(7), 0));
    assert_eq!(routes(&told(2), &mut codec).repairs, [Repair::LocRibAddPath], "what one agreed on is not the other's");
    // the end of one is not that of the other
    assert!(bmp::decode(&identified(wire::peer_down(6, &[]), 2), &mut codec).unwrap().repairs().is_empty());
    let m = routes(&told(1), &mut codec);
    assert_eq!((m.announce[0].path_id, m.repairs.len()), (Some(7), 0));
    assert_eq!(routes(&told(2), &mut codec).repairs, [Repair::RoutesWithoutPeerUp, Repair::AddPathGuessed]);
    let again = bmp::decode(&identified(wire::peer_down(6, &[]), 2), &mut codec).unwrap();
    assert_eq!(again.repairs(), [Repair::PeerDownRepeated]);
    // a state that was saved before is read on
    let mut saved = serde_json::to_value(&codec).unwrap();
    let peers = saved["peers"].as_array_mut().unwrap();
    peers.retain(|p| p[1]["up"] == true);
    assert!(peers[0][0].as_object_mut().unwrap().remove("loc_rib").is_some());
    let mut codec: Codec = serde_json::from_value(saved).unwrap();
    assert!(routes(&told(1), &mut codec).repairs.is_empty());
}

/// FRR 8.4.4 sends a Peer Down with identifier 0.0.0.0 for a peer that was up under its own (data/lab/bmp-raw).
#[test]
fn a_neighbour_is_known_by_its_address_whatever_identifier_it_comes_with() {
    let mut codec = up(&[], &[]);
    let mut bytes = wire::peer_down(4, &[]);
    bytes[36..40].fill(0);
    assert!(bmp::decode(&bytes, &mut codec).unwrap().repairs().is_empty());
    assert_eq!(routes(&path(&[65002]), &mut codec).repairs, [Repair::RoutesWithoutPeerUp]);
}

#[test]
fn a_codec_is_saved_and_read_again() {
    let both = [69, 4, 0, 1, 1, 3];
    let codec = up(&both, &both);
    let text = serde_json::to_string(&codec).unwrap();
    assert_eq!(serde_json::from_str::<Codec>(&text).unwrap(), codec);
}

#[test]
fn end_of_rib_is_an_empty_update_per_family() {
    let mut codec = up(&[], &[]);
    let four = routes(&monitoring(0, &update(&[], &[], &[])), &mut codec);
    assert_eq!(four.end_of_rib.unwrap().to_string(), "ipv4_unicast");
    let six = routes(&monitoring(0, &update(&[], &attribute(0x80, 15, &[0, 2, 1]), &[])), &mut codec);
    assert_eq!(six.end_of_rib.unwrap().to_string(), "ipv6_unicast");
    assert_eq!(routes(&monitoring(0, &update(&NLRI, &[], &[])), &mut codec).end_of_rib, None);
}

#[test]
fn views_and_families_are_told_apart() {
    let mut codec = Codec::default();
    let view = |flags| routes(&monitoring(flags, &update(&NLRI, &[], &[])), &mut Codec::default()).peer.view;
    assert_eq!([0, 0x40, 0x10, 0x50].map(view), [View::AdjRibInPre, View::AdjRibInPost, View::AdjRibOutPre, View::AdjRibOutPost]);
    let flow = attribute(0x80, 15, &[0, 1, 133, 1, 2, 3]);
    let m = routes(&monitoring(0, &update(&[], &flow, &[])), &mut codec);
    assert_eq!((m.unread[0].to_string().as_str(), m.withdraw.len()), ("ipv4_flow_spec", 0));
}

#[test]
fn the_json_has_the_documented_shape() {
    let mut codec = up(&[], &[]);
    let mut all = good();
    all.push(attribute(0xC0, 8, &[0xFD, 0xEA, 0, 100]));
    let bytes = monitoring(0, &update(&[], &all.concat(), &NLRI));
    let message = bmp::decode(&bytes, &mut codec).unwrap();
    assert_eq!(
        bmp::json::message(&message, 1832),
        json!({"type": "route_monitoring", "offset": 1832, "time": "2020-09-13T12:26:40.250000000Z",
            "peer": {"type": "global", "distinguisher": "0:0", "address": "10.0.0.2", "asn": 65002, "bgp_id": "10.0.0.2",
                "view": "adj_rib_in_pre", "as_width": 4},
            "announce": [{"afi_safi": "ipv4_unicast", "prefix": "203.0.113.0/24", "path_id": null, "next_hop": "10.0.0.2"}],
            "withdraw": [],
            "attributes": {"origin": "igp", "as_path": "65002 64500", "med": null, "local_pref": null, "communities": ["65002:100"],
                "large_communities": [], "ext_communities": [], "originator_id": null, "cluster_list": [], "aggregator": null,
                "atomic_aggregate": false, "otc": null, "aigp": null},
            "repairs": []})
    );
    let down = bmp::decode(&wire::peer_down(3, &wire::bgp(3, &[6, 2, 0xAB])), &mut codec).unwrap();
    let down = bmp::json::message(&down, 0);
    assert_eq!((&down["reason"], &down["notification"]), (&json!("remote_notification"), &json!({"code": 6, "subcode": 2, "data": "ab"})));
    let counters =
        [&wire::peer(0, [10, 0, 0, 2], 65002)[..], &[0, 0, 0, 2, 0, 7, 0, 8, 0, 0, 0, 0, 0, 0, 1, 156, 0xFF, 0xFB, 0, 4, 0, 0, 0, 9]]
            .concat();
    let statistics = bmp::json::message(&bmp::decode(&wire::message(1, &counters), &mut codec).unwrap(), 0);
    assert_eq!(statistics["counters"][0], json!({"type": 7, "name": "adj_rib_in_routes", "value": 412}));
    assert_eq!(statistics["repairs"], json!(["unknown_statistic_65531"]));
    let initiation = bmp::decode(&wire::message(4, &[0, 2, 0, 2, b'r', b'1']), &mut codec).unwrap();
    assert_eq!(
        bmp::json::message(&initiation, 0),
        json!({"type": "initiation", "offset": 0, "tlvs": [{"type": "sys_name", "value": "r1"}]})
    );
    all.push(attribute(0x80, 4, &[1, 2, 3]));
    let bytes = monitoring(0, &update(&[], &all.concat(), &NLRI));
    let error = bmp::decode(&bytes, &mut codec).unwrap_err();
    let malformed = bmp::json::malformed(&error, &bytes, 90233);
    assert_eq!(
        (&malformed["type"], &malformed["action"], &malformed["offset"]),
        (&json!("malformed"), &json!("treat_as_withdraw"), &json!(90233))
    );
    assert_eq!(malformed["error"], "MULTI_EXIT_DISC attribute has length 3 (RFC 7606 §7.4)");
    assert_eq!(malformed["length"], bytes.len());
}

/// FRR 8.4.4 and GoBGP 3.10 (after policy) agree on path identifiers with their neighbour and leave them out in BMP. Read as agreed, every
/// such message is broken or, worse, names another prefix.
#[test]
fn path_identifiers_that_are_left_out_are_missed_and_nothing_is_misread() {
    let both = [69, 4, 0, 1, 1, 3];
    let told = |nlri: &[u8]| monitoring(0, &update(&[], &good().concat(), nlri));
    let prefixes = |m: &RouteMonitoring| m.announce.iter().map(|n| (n.prefix.to_string(), n.path_id)).collect::<Vec<_>>();
    let plain = |text: &str| (text.to_owned(), None);
    let missing = vec![Repair::AddPathMissing];

    let mut codec = up(&both, &both);
    // as a path with an identifier this would be the default route
    let m = routes(&told(&[25, 203, 0, 113, 0]), &mut codec);
    assert_eq!((prefixes(&m), m.repairs), (vec![plain("203.0.113.0/25")], missing.clone()));
    // and these two half of them, under the number 0x18c00002
    let m = routes(&told(&[24, 192, 0, 2, 24, 203, 0, 113]), &mut codec);
    assert_eq!((prefixes(&m), m.repairs), (vec![plain("192.0.2.0/24"), plain("203.0.113.0/24")], missing.clone()));
    let m = routes(&told(&NLRI), &mut codec);
    assert_eq!((prefixes(&m), m.repairs), (vec![plain("203.0.113.0/24")], missing.clone()));
    let m = routes(&monitoring(0, &update(&[25, 203, 0, 113, 0], &[], &[])), &mut codec);
    assert_eq!((m.withdraw[0].prefix.to_string(), m.withdraw[0].path_id, m.repairs), ("203.0.113.0/25".to_owned(), None, missing));

    // a sender that was seen to number its paths is believed whatever the numbers are
    let mut codec = up(&both, &both);
    let m = routes(&told(&[0, 0, 0, 1, 24, 203, 0, 113]), &mut codec);
    assert_eq!((prefixes(&m), m.repairs.len()), (vec![("203.0.113.0/24".to_owned(), Some(1))], 0));
    let m = routes(&told(&[24, 192, 0, 2, 24, 203, 0, 113]), &mut codec);
    assert_eq!((prefixes(&m), m.repairs.len()), (vec![("203.0.113.0/24".to_owned(), Some(0x18C0_0002))], 0));
    assert!(bmp::decode(&told(&NLRI), &mut codec).is_err());
    // each view speaks for itself (GoBGP numbers before policy only), and a new session begins anew
    let m = routes(&monitoring(0x40, &update(&[], &good().concat(), &NLRI)), &mut codec);
    assert_eq!((m.peer.view, m.repairs), (View::AdjRibInPost, vec![Repair::AddPathMissing]));
    let opened = |capabilities: &[u8], asn| wire::open(asn, &[wire::four_octet(asn), capabilities.to_vec()].concat());
    bmp::decode(&wire::peer_up(&opened(&both, 65001), &opened(&both, 65002)), &mut codec).unwrap();
    assert_eq!(routes(&told(&NLRI), &mut codec).repairs, [Repair::AddPathMissing]);
    // switched off, the OPEN rules
    let mut strict = up(&both, &both).with_repairs(bmp::Switched::off(["add_path_missing".parse().unwrap()]));
    assert!(bmp::decode(&told(&NLRI), &mut strict).is_err());
}
