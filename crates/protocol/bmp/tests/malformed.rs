//! RFC 7606: what each fault costs, and where it is said to be. And that no bytes at all make the decoder panic.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

mod wire;

use bmp::{Action, Codec, DecodeError, Message, RouteMonitoring};
use proptest::prelude::*;
use wire::{ATTRIBUTES, NLRI, attribute, good, monitoring, update};

fn decode(bytes: &[u8]) -> Result<Message, DecodeError> {
    bmp::decode(bytes, &mut Codec::default())
}

fn routes(bytes: &[u8]) -> RouteMonitoring {
    match decode(bytes).unwrap() {
        Message::RouteMonitoring(m) => *m,
        other => panic!("{other:?}"),
    }
}

/// Puts `bad` behind the good attributes, or in the place of the one with the same code.
fn with(bad: &[u8]) -> (Vec<u8>, usize) {
    let mut all = good();
    all.retain(|a| a[1] != bad[1]);
    let at = ATTRIBUTES + all.concat().len();
    all.push(bad.to_vec());
    (monitoring(0, &update(&[], &all.concat(), &NLRI)), at)
}

#[test]
fn each_faulty_attribute_costs_its_routes_at_its_place() {
    let cases: [(&[u8], &str); 18] = [
        (&attribute(0x40, 1, &[3]), "ORIGIN is 3 (RFC 7606 §7.1)"),
        (&attribute(0x40, 1, &[0, 0]), "ORIGIN attribute has length 2 (RFC 7606 §7.1)"),
        (&attribute(0xC0, 1, &[0]), "ORIGIN has flags 0xc0 (RFC 7606 §3 c)"),
        (&attribute(0x40, 2, &[2, 3, 0, 0]), "AS_PATH has a segment of 3 AS numbers with 2 bytes left (RFC 7606 §7.2)"),
        (&attribute(0x40, 2, &[9, 1, 0, 0, 0, 1]), "AS_PATH has a segment of type 9 (RFC 7606 §7.2)"),
        (&attribute(0x40, 2, &[2, 0]), "AS_PATH has a segment of 0 AS numbers with 0 bytes left (RFC 7606 §7.2)"),
        (&attribute(0x40, 2, &[2]), "AS_PATH ends inside a segment header (RFC 7606 §7.2)"),
        (&attribute(0x40, 3, &[10, 0, 0]), "NEXT_HOP attribute has length 3 (RFC 7606 §7.3)"),
        (&attribute(0x80, 4, &[0, 0, 1]), "MULTI_EXIT_DISC attribute has length 3 (RFC 7606 §7.4)"),
        (&attribute(0x40, 5, &[1]), "LOCAL_PREF attribute has length 1 (RFC 7606 §7.5)"),
        (&attribute(0xC0, 8, &[1, 2, 3]), "COMMUNITIES attribute has length 3 (RFC 7606 §7.8)"),
        (&attribute(0xC0, 8, &[]), "COMMUNITIES attribute has length 0 (RFC 7606 §7.8)"),
        (&attribute(0x80, 9, &[1]), "ORIGINATOR_ID attribute has length 1 (RFC 7606 §7.9)"),
        (&attribute(0x80, 10, &[1, 2, 3, 4, 5]), "CLUSTER_LIST attribute has length 5 (RFC 7606 §7.10)"),
        (&attribute(0xC0, 16, &[0; 9]), "EXTENDED_COMMUNITIES attribute has length 9 (RFC 7606 §7.14)"),
        (&attribute(0xC0, 32, &[0; 13]), "LARGE_COMMUNITY attribute has length 13 (RFC 8092 §6)"),
        (&attribute(0xC0, 35, &[0; 3]), "ONLY_TO_CUSTOMER attribute has length 3 (RFC 7606 §7 and RFC 9234 §5)"),
        (&[0x40, 8, 200, 1], "the attributes do not end where they should (RFC 7606 §4)"),
    ];
    for (bad, words) in cases {
        let (bytes, at) = with(bad);
        let error = decode(&bytes).unwrap_err();
        assert_eq!((error.what.as_str(), error.action, error.offset), (words, Action::TreatAsWithdraw, at));
        let salvage = error.salvage.unwrap();
        assert!(salvage.announce.is_empty());
        assert_eq!(salvage.withdraw[0].prefix.to_string(), "203.0.113.0/24", "{words}");
    }
}

#[test]
fn faults_that_cost_only_the_attribute_leave_the_routes() {
    for (bad, words) in [
        (attribute(0x40, 6, &[1]), "ATOMIC_AGGREGATE attribute has length 1 (RFC 7606 §7.6)"),
        (attribute(0xC0, 7, &[1, 2, 3]), "AGGREGATOR attribute has length 3 (RFC 7606 §7.7)"),
        (attribute(0xC0, 17, &[2, 3, 0, 0]), "AS4_PATH has a segment of 3 AS numbers with 2 bytes left (RFC 6793 §6)"),
        (attribute(0xC0, 18, &[1, 2, 3]), "AS4_AGGREGATOR attribute has length 3 (RFC 7606 §7.7)"),
        (attribute(0x80, 26, &[1, 0, 4, 9]), "AIGP holds no metric of 11 bytes (RFC 7311 §3)"),
    ] {
        let (bytes, at) = with(&bad);
        let m = routes(&bytes);
        assert_eq!(m.announce.len(), 1);
        assert_eq!((m.faults[0].error.as_str(), m.faults[0].offset, m.faults[0].action), (words, at, Action::AttributeDiscard));
    }
    let twice = [good().concat(), attribute(0x80, 4, &[0, 0, 0, 1]), attribute(0x80, 4, &[0, 0, 0, 2])].concat();
    let m = routes(&monitoring(0, &update(&[], &twice, &NLRI)));
    assert_eq!(m.attributes.unwrap().med, Some(1), "the first counts");
    assert_eq!(m.faults.len(), 1);
}

#[test]
fn what_an_external_neighbour_must_not_send_is_discarded() {
    let mut codec = Codec::new(Some(bgp::Asn(65001)));
    for (bad, words) in [
        (attribute(0x40, 5, &[0, 0, 0, 200]), "LOCAL_PREF from an external neighbour (RFC 7606 §7.5)"),
        (attribute(0x80, 9, &[10, 0, 0, 9]), "ORIGINATOR_ID from an external neighbour (RFC 7606 §7.9)"),
        (attribute(0x80, 10, &[10, 0, 0, 9]), "CLUSTER_LIST from an external neighbour (RFC 7606 §7.10)"),
        // not even its length matters then
        (attribute(0x40, 5, &[200]), "LOCAL_PREF from an external neighbour (RFC 7606 §7.5)"),
    ] {
        let (bytes, at) = with(&bad);
        let Message::RouteMonitoring(m) = bmp::decode(&bytes, &mut codec).unwrap() else { panic!() };
        assert_eq!((m.faults.len(), m.faults[0].error.as_str(), m.faults[0].offset), (1, words, at));
        let a = m.attributes.unwrap();
        assert_eq!((a.local_pref, a.originator_id, a.cluster_list.len()), (None, None, 0));
    }
    // after policy it is the router's own word, and an internal neighbour may
    let (bytes, _) = with(&attribute(0x40, 5, &[0, 0, 0, 200]));
    let kept = |bytes: &[u8], codec: &mut Codec| match bmp::decode(bytes, codec).unwrap() {
        Message::RouteMonitoring(m) => m.attributes.unwrap().local_pref,
        other => panic!("{other:?}"),
    };
    assert_eq!(kept(&bytes, &mut Codec::new(Some(bgp::Asn(65002)))), Some(200));
    let mut after = bytes.clone();
    after[7] = 0x40;
    assert_eq!(kept(&after, &mut codec), Some(200));
}

#[test]
fn a_bad_prefix_costs_what_stands_behind_it_and_no_more() {
    // withdrawn: 198.51.100.0/24; announced: 203.0.113.0/24, then a length of 77 bits
    let bad = [&NLRI[..], &[77, 1, 2]].concat();
    let error = decode(&monitoring(0, &update(&[24, 198, 51, 100], &good().concat(), &bad))).unwrap_err();
    assert_eq!(error.action, Action::SessionReset);
    let withdrawn = |error: DecodeError| -> Vec<String> {
        let salvage = error.salvage.unwrap();
        assert!(salvage.announce.is_empty() && salvage.end_of_rib.is_none());
        salvage.withdraw.iter().map(|n| n.prefix.to_string()).collect()
    };
    assert_eq!(withdrawn(error), ["198.51.100.0/24", "203.0.113.0/24"]);
    // MP_REACH_NLRI twice: the first is read, the routes in the old fields too
    let reach = attribute(0x80, 14, &[&[0, 2, 1, 16][..], &[0x20; 16], &[0, 16, 0x20, 1]].concat());
    let twice = [good().concat(), reach.clone(), reach].concat();
    let error = decode(&monitoring(0, &update(&[24, 198, 51, 100], &twice, &NLRI))).unwrap_err();
    assert_eq!((error.action, error.what.as_str()), (Action::SessionReset, "attribute 14 stands twice (RFC 7606 §3 g)"));
    assert_eq!(withdrawn(error), ["198.51.100.0/24", "203.0.113.0/24", "2001::/16"]);
    // a next hop that cannot be: its prefixes have no place, the others do
    let reach = attribute(0x80, 14, &[0, 2, 1, 5, 1, 2, 3, 4, 5, 0, 16, 0x20, 1]);
    let error = decode(&monitoring(0, &update(&[24, 198, 51, 100], &[good().concat(), reach].concat(), &[]))).unwrap_err();
    assert_eq!(withdrawn(error), ["198.51.100.0/24"]);
    // attributes that are longer than the message
    let mut bytes = monitoring(0, &update(&[24, 198, 51, 100], &[], &[]));
    let at = bytes.len() - 1;
    bytes[at] = 9;
    let error = decode(&bytes).unwrap_err();
    assert_eq!((error.action, withdrawn(error)), (Action::SessionReset, vec!["198.51.100.0/24".to_owned()]));
}

/// What a bad UPDATE costs: the words, the action, the prefixes that it withdraws.
fn cost(attributes: &[u8], nlri: &[u8]) -> (String, Action, Vec<String>) {
    let error = decode(&monitoring(0, &update(&[], attributes, nlri))).unwrap_err();
    let salvage = error.salvage.unwrap();
    assert!(salvage.announce.is_empty() && salvage.end_of_rib.is_none());
    (error.what, error.action, salvage.withdraw.iter().map(|n| n.prefix.to_string()).collect())
}

/// 2001:db8::/32 by way of one next hop.
fn six() -> Vec<u8> {
    [&[0, 2, 1, 16][..], &[0x20; 16], &[0, 32, 0x20, 1, 0xd, 0xb8]].concat()
}

#[test]
fn wrong_flags_of_an_attribute_with_nlri_withdraw_its_prefixes() {
    // transitive, which neither is
    let (what, action, withdrawn) = cost(&[good().concat(), attribute(0xC0, 14, &six())].concat(), &NLRI);
    assert_eq!((what.as_str(), action), ("MP_REACH_NLRI has flags 0xc0 (RFC 7606 §3 c)", Action::TreatAsWithdraw));
    assert_eq!(withdrawn, ["203.0.113.0/24", "2001:db8::/32"]);
    let alone = [&good()[..2], &[attribute(0xC0, 14, &six())]].concat().concat();
    assert_eq!((cost(&alone, &[]).1, cost(&alone, &[]).2), (Action::TreatAsWithdraw, vec!["2001:db8::/32".to_owned()]));
    let gone = attribute(0x40, 15, &[0, 2, 1, 32, 0x20, 1, 0xd, 0xb8]);
    let (what, action, withdrawn) = cost(&gone, &[]);
    assert_eq!((what.as_str(), action), ("MP_UNREACH_NLRI has flags 0x40 (RFC 7606 §3 c)", Action::TreatAsWithdraw));
    assert_eq!(withdrawn, ["2001:db8::/32"]);
    // and when nothing can be made of it, nobody knows what to withdraw
    for bad in [&[0, 2, 1][..], &[0, 2, 1, 5, 1, 2, 3, 4, 5, 0, 16, 0x20, 1], &[]] {
        let (_, action, withdrawn) = cost(&[good().concat(), attribute(0xC0, 14, bad)].concat(), &NLRI);
        assert_eq!((action, withdrawn), (Action::SessionReset, vec!["203.0.113.0/24".to_owned()]), "{bad:?}");
    }
}

#[test]
fn an_attribute_with_nlri_that_is_cut_off_withdraws_what_is_there_and_says_that_more_is_lost() {
    // two prefixes, the second without its last byte
    let reach = attribute(0x80, 14, &[&six()[..], &[32, 0x20, 1, 0xd, 0xb9]].concat());
    let cut = [good().concat(), reach[..reach.len() - 1].to_vec()].concat();
    let (what, action, withdrawn) = cost(&cut, &NLRI);
    let words = "MP_REACH_NLRI does not end where it should: not all of its prefixes are known (RFC 7606 §3 j, §4)";
    assert_eq!((what.as_str(), action), (words, Action::SessionReset));
    assert_eq!(withdrawn, ["203.0.113.0/24", "2001:db8::/32"]);
    // between two prefixes it looks whole
    let cut = [good().concat(), reach[..reach.len() - 5].to_vec()].concat();
    assert_eq!(cost(&cut, &[]), (words.to_owned(), Action::SessionReset, vec!["2001:db8::/32".to_owned()]));
    for rest in 0..reach.len() - 1 {
        let (_, action, withdrawn) = cost(&[good().concat(), reach[..rest + 1].to_vec()].concat(), &NLRI);
        // one byte does not say whose it was
        assert_eq!(action, if rest == 0 { Action::TreatAsWithdraw } else { Action::SessionReset }, "{rest}");
        assert_eq!(withdrawn[0], "203.0.113.0/24");
    }
    let gone = [0x90, 15, 0, 200, 0, 2, 1, 32, 0x20, 1, 0xd, 0xb8];
    let (what, action, withdrawn) = cost(&gone, &[]);
    assert!(what.starts_with("MP_UNREACH_NLRI does not end"), "{what}");
    assert_eq!((action, withdrawn), (Action::SessionReset, vec!["2001:db8::/32".to_owned()]));
}

#[test]
fn a_fault_that_would_withdraw_nothing_is_no_treat_as_withdraw() {
    // a length that is wrong swallows MP_REACH_NLRI
    let swallowed = [&good()[0][..], &[0xC0, 8, 200], &attribute(0x80, 14, &six())].concat();
    let (what, action, withdrawn) = cost(&swallowed, &[]);
    assert_eq!((what.as_str(), action), ("the attributes do not end where they should (RFC 7606 §4)", Action::SessionReset));
    assert!(withdrawn.is_empty());
    // with routes to withdraw it is one, and so where MP_REACH_NLRI stands in front
    assert_eq!(cost(&swallowed, &NLRI).1, Action::TreatAsWithdraw);
    let front = [&attribute(0x80, 14, &six())[..], &good()[0], &[0xC0, 8, 200, 1]].concat();
    assert_eq!((cost(&front, &[]).1, cost(&front, &[]).2), (Action::TreatAsWithdraw, vec!["2001:db8::/32".to_owned()]));
    // what costs an attribute only costs no more without routes
    assert!(decode(&monitoring(0, &update(&NLRI, &attribute(0x40, 6, &[1]), &[]))).is_ok());
    // of several faults the strongest counts (RFC 7606 §3 h)
    let reach = attribute(0x80, 14, &six());
    let both = [attribute(0x40, 1, &[7]), reach.clone(), reach].concat();
    assert_eq!((cost(&both, &[]).1, cost(&both, &[]).2), (Action::SessionReset, vec!["2001:db8::/32".to_owned()]));
}

#[test]
fn missing_attributes_and_broken_lists_are_told_apart() {
    let lacking = |code: u8| {
        let mut all = good();
        all.retain(|a| a[1] != code);
        decode(&monitoring(0, &update(&[], &all.concat(), &NLRI))).unwrap_err()
    };
    assert_eq!(lacking(1).what, "ORIGIN is missing (RFC 7606 §3 d)");
    assert_eq!(lacking(2).what, "AS_PATH is missing (RFC 7606 §3 d)");
    assert_eq!((lacking(3).what.as_str(), lacking(3).action), ("NEXT_HOP is missing (RFC 7606 §3 d)", Action::TreatAsWithdraw));

    let long = decode(&monitoring(0, &update(&[], &good().concat(), &[33, 1, 2, 3, 4, 5]))).unwrap_err();
    assert!(long.what.starts_with("a prefix length of 33 bits"), "{long}");
    assert_eq!(long.action, Action::SessionReset);

    let reach = attribute(0x80, 14, &[0, 2, 1, 5, 1, 2, 3, 4, 5, 0]);
    let next_hop = decode(&monitoring(0, &update(&[], &[good().concat(), reach.clone()].concat(), &[]))).unwrap_err();
    assert!(next_hop.what.contains("5 bytes long (RFC 7606 §7.11)"), "{next_hop}");
    let twice = decode(&monitoring(0, &update(&[], &[reach.clone(), reach].concat(), &[]))).unwrap_err();
    assert_eq!(twice.action, Action::SessionReset);
}

#[test]
fn messages_that_are_no_messages_say_where() {
    let short = decode(&wire::message(0, &[0; 10])).unwrap_err();
    assert_eq!((short.offset, short.action), (16, Action::MessageDiscard));
    let kind = decode(&wire::message(99, &[])).unwrap_err();
    assert_eq!((kind.offset, kind.what.as_str()), (5, "message type 99 is unknown (RFC 7854 §4.1)"));
    let mut marker = monitoring(0, &update(&[], &good().concat(), &NLRI));
    marker[wire::HEADERS] = 0;
    assert!(decode(&marker).unwrap_err().what.contains("marker"));
    let mut length = wire::message(4, &[]);
    length[4] = 7;
    assert_eq!(decode(&length).unwrap_err().offset, 1);
    let open_in_its_place = decode(&wire::monitoring(0, &wire::open(1, &[]))).unwrap_err();
    assert_eq!(open_in_its_place.what, "a BGP message of type 1 stands where an UPDATE belongs");
}

/// Whole messages of every kind, to be mutated.
fn seeds() -> Vec<Vec<u8>> {
    let six = attribute(0x80, 14, &[&[0, 2, 1, 16][..], &[0x20; 16], &[0, 32, 0x20, 1, 0xd, 0xb8]].concat());
    let gone = attribute(0x80, 15, &[0, 2, 1, 32, 0x20, 1, 0xd, 0xb8]);
    let vpn = [&[0, 1, 128, 12][..], &[0; 8], &[10, 0, 0, 2, 0, 112, 0, 1, 0x11], &[0, 0, 0xFD, 0xE9, 0, 0, 0, 7], &[203, 0, 113]].concat();
    let add_path = [wire::four_octet(65002), vec![69, 4, 0, 1, 1, 3]].concat();
    vec![
        monitoring(0, &update(&[8, 10], &good().concat(), &NLRI)),
        monitoring(0x20, &update(&[], &[good().concat(), six, gone].concat(), &[])),
        monitoring(0, &update(&[], &[good().concat(), attribute(0x80, 14, &vpn)].concat(), &[])),
        wire::peer_up(&wire::open(65001, &add_path), &wire::open(65002, &add_path)),
        wire::peer_down(3, &wire::bgp(3, &[6, 2, 1])),
        wire::message(1, &[&wire::peer(0, [10, 0, 0, 2], 65002)[..], &[0, 0, 0, 1, 0, 7, 0, 8, 0, 0, 0, 0, 0, 0, 1, 156]].concat()),
        wire::message(4, &[0, 2, 0, 2, b'r', b'1']),
        wire::message(5, &[0, 1, 0, 2, 0, 0]),
        wire::message(6, &[&wire::peer(0x80, [10, 0, 0, 2], 65002)[..], &[0, 1, 0, 2, 0, 0]].concat()),
    ]
}

#[test]
fn a_vpn_route_is_shown_with_distinguisher_and_label() {
    let bytes = &seeds()[2];
    let json = bmp::json::message(&decode(bytes).unwrap(), 0);
    let wanted = serde_json::json!([{"afi_safi": "ipv4_mpls_vpn", "prefix": "203.0.113.0/24", "path_id": null, "next_hop": "10.0.0.2",
        "rd": "65001:7", "labels": [17]}]);
    assert_eq!(json["announce"], wanted);
    assert!(routes(bytes).announce.is_empty(), "and no part of the unicast table");
}

fn survives(bytes: &[u8], codec: &mut Codec) {
    match bmp::decode(bytes, codec) {
        Ok(message) => assert!(bmp::json::message(&message, 0)["type"].is_string()),
        Err(error) => {
            assert!(error.offset <= bytes.len(), "{error} of {}", bytes.len());
            assert!(bmp::json::malformed(&error, bytes, 0)["error"].is_string());
        }
    }
}

proptest! {
    // the seed is printed on failure; a file beside the source would outlive its reason
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_messages_never_panic(
        which in 0..9_usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
        keep in any::<bool>(),
    ) {
        let mut bytes = seeds()[which].clone();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if !keep {
            bytes.truncate(cut.index(bytes.len()) + 1);
            if bytes.len() >= 5 {
                let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
                bytes[1..5].copy_from_slice(&length);
            }
        }
        let mut codec = Codec::default();
        for seed in seeds() {
            survives(&seed, &mut codec);
            survives(&bytes, &mut codec);
        }
    }

    #[test]
    fn random_bodies_never_panic(kind in 0..8_u8, body in prop::collection::vec(any::<u8>(), 0..300)) {
        survives(&wire::message(kind, &body), &mut Codec::default());
    }
}
