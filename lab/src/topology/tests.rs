use super::*;

/// Parses the seed with one replacement and returns what is said about it.
fn refused(from: &str, to: &str) -> String {
    assert!(SEED.contains(from), "the seed no longer holds {from:?}");
    match Topology::parse("t.toml", &SEED.replacen(from, to, 1)) {
        Ok(_) => "accepted".to_owned(),
        Err(e) => e.to_string(),
    }
}

/// The line of the first occurrence of `text` in the seed.
fn line(text: &str) -> usize {
    SEED.lines().position(|l| l.contains(text)).unwrap() + 1
}

#[test]
fn the_seed_is_the_network_of_the_checklist() {
    let t = Topology::seed().unwrap();
    let own: Vec<_> = t.own_nodes().map(|n| (n.id.as_str(), n.hostname.as_str(), n.role)).collect();
    assert_eq!(
        own,
        [
            ("r1", "edge-router-01", Role::Edge),
            ("r2", "edge-router-02", Role::Edge),
            ("r3", "rr-01", Role::Reflector),
            ("r4", "dc-spine-01", Role::Spine),
            ("r5", "dc-spine-02", Role::Spine)
        ]
    );
    let exits: Vec<_> = t.exits.iter().map(|e| (e.id.as_str(), e.remote_as.0)).collect();
    assert_eq!(exits, [("r1-ispa", 1234), ("r1-ispb", 5678), ("r2-ispb", 3312), ("r2-ispc", 9012)]);
    let providers: Vec<_> = t.providers.iter().map(|p| (p.name.as_str(), p.cost_per_gb)).collect();
    assert_eq!(providers, [("ISP-A (Jio)", 0.02), ("ISP-B (Idea)", 0.015), ("ISP-C (Vodafone)", 0.025)]);
    let delays: Vec<u64> = t.exits.iter().map(|e| 2 * t.link_of(e).unwrap().delay_us).collect();
    assert_eq!(delays, [8000, 12000, 12000, 6000]);
    assert_eq!(t.remote_prefixes().count(), 241);
}

/// MED is compared between paths by one neighbour AS only (RFC 4271 §9.1.2.2 c).
#[test]
fn seed_plus_has_two_sessions_to_one_provider_as_with_two_meds() {
    let t = Topology::seed_plus().unwrap();
    assert_eq!(t.name, "seed-plus");
    let of_1234: Vec<_> = t.exits.iter().filter(|e| e.remote_as.0 == 1234).map(|e| (e.id.as_str(), e.med)).collect();
    assert_eq!(of_1234, [("r1-ispa", Some(10)), ("r2-ispa", Some(20))]);
    assert!(Topology::seed().unwrap().exits.iter().all(|e| e.med.is_none()), "the seed itself is as before");
    let inventory = t.inventory(&Endpoints::default());
    assert_eq!(inventory.exit_of(&"r2".into(), "172.31.1.3".parse().unwrap()).unwrap().id.as_str(), "r2-ispa");
}

#[test]
fn the_inventory_carries_exits_groups_and_how_devices_are_reached() {
    let t = Topology::seed().unwrap();
    let bmp = BmpSource::at("127.99.0.1".parse().unwrap());
    let reached = DeviceEndpoints { bmp: Some(bmp.clone()), ..DeviceEndpoints::default() };
    let inventory = t.inventory(&Endpoints { lab: Some("1a2b".to_owned()), devices: [(DeviceId::new("r1"), reached)].into() });
    assert_eq!(inventory.lab.as_deref(), Some("1a2b"));
    assert_eq!(inventory.device(&"r1".into()).unwrap().bmp, Some(bmp));
    assert_eq!(inventory.device(&"r4".into()).unwrap().bmp, None);
    let exit = inventory.exit_of(&"r2".into(), "2001:db8:f2:2::1".parse().unwrap()).unwrap();
    assert_eq!((exit.id.as_str(), exit.interface.as_str(), exit.remote_as.0, exit.capacity_bps), ("r2-ispb", "ispb", 3312, 100_000_000));
    assert_eq!(inventory.group_of(&"198.18.100.0/24".parse().unwrap()).unwrap().id.as_str(), "west");
    assert_eq!(inventory.group_of(&"198.19.0.0/24".parse().unwrap()), None);
    let back: Topology = serde_json::from_str(&serde_json::to_string(&t).unwrap()).unwrap();
    assert_eq!(back, t);
}

#[test]
fn ports_see_the_same_link_from_both_ends() {
    let t = Topology::seed().unwrap();
    let exit = t.exit("r2-ispc").unwrap();
    let ours = t.port_of(exit).unwrap();
    let theirs = t.ports("ispc").into_iter().find(|p| p.peer == "r2").unwrap();
    assert_eq!((ours.v4, ours.peer_v4), (theirs.peer_v4, theirs.v4));
    assert_eq!(ours.peer_v6.to_string(), "2001:db8:f3:2::1");
    assert_eq!(t.expected_received(exit, Family::Ipv4Unicast), 211);
    assert_eq!(t.expected_received(exit, Family::Ipv6Unicast), 43);
}

#[test]
fn syntax_errors_name_file_line_and_what_was_expected() {
    let number = refused("asn = 1234\n", "asn = \"x\"\n");
    assert!(number.starts_with(&format!("t.toml:{}: ", line("asn = 1234"))), "{number}");
    let unknown = refused("hostname = \"edge-router-01\"", "host = \"edge-router-01\"");
    assert!(unknown.starts_with(&format!("t.toml:{}: unknown field `host`", line("edge-router-01"))), "{unknown}");
    let comma = refused("own_prefixes = [\"192.0.2.0/24\",", "own_prefixes = [\"192.0.2.0/24\"");
    assert!(comma.starts_with(&format!("t.toml:{}: ", line("own_prefixes"))), "{comma}");
}

#[test]
fn every_contradiction_is_refused_with_its_line_and_key() {
    // What is replaced, by what, the line it is found on, the key, a part of the message.
    let table = [
        ("id = \"r2\"", "id = \"r1\"", "id = \"r2\"", "node[1].id", "there twice"),
        ("id = \"r5\"", "id = \"R5\"", "id = \"r5\"", "node[4].id", "lower-case letter"),
        ("hostname = \"rr-01\"", "hostname = \"rr 01\"", "hostname = \"rr-01\"", "node[2].hostname", "not a host name"),
        ("loopback4 = \"10.0.0.2\"", "loopback4 = \"10.0.0.1\"", "loopback4 = \"10.0.0.2\"", "node[1].loopback4", "another node"),
        ("asn = 1234\n", "asn = 65001\n", "asn = 1234", "node[5].asn", "not ours"),
        ("node = \"ispa\"", "node = \"r1\"", "node = \"ispa\"", "provider[0].node", "role \"isp\""),
        ("loss_max = 0.01", "loss_max = 1.5", "loss_max = 0.01", "provider[0].loss_max", "0 to 1"),
        ("community = \"65001:100\"", "community = \"red\"", "community = \"65001:100\"", "provider[0].community", "65001:100"),
        ("remote_as = 3312", "remote_as = 3313", "remote_as = 3312", "exit[2].remote_as", "add it to asns"),
        ("id = \"r1-ispb\"", "id = \"second\"", "id = \"r1-ispb\"", "exit[1].id", "named after its link"),
        ("v4 = \"172.31.1.0/31\"", "v4 = \"172.31.1.0/30\"", "v4 = \"172.31.1.0/31\"", "link[0].v4", "/31"),
        ("rate_bps = 50_000_000", "rate_bps = 50", "rate_bps = 50_000_000", "link[3].rate_bps", "64000"),
        ("delay_us = 3000", "delay_us = 30_000_000", "delay_us = 3000", "link[3].delay_us", "at most"),
        ("preferred = \"isp-b\"", "preferred = \"isp-x\"", "preferred = \"isp-b\"", "group[1].preferred", "no provider"),
        (
            "targets = [\"203.0.113.1\"",
            "targets = [\"203.0.114.1\"",
            "targets = [\"203.0.113.1\"",
            "group[0].targets",
            "none of the group's",
        ),
        ("class = 2", "class = 1", "id = \"west\"", "group[1].id", "there twice"),
        ("ebgp_hold = 90", "ebgp_hold = 2", "ebgp_hold = 90", "timers.ebgp_hold", "RFC 4271"),
        ("[\"192.0.2.129/25\"", "[\"10.9.9.1/25\"", "192.0.2.129/25", "node[4].subnets", "own_prefixes"),
    ];
    for (from, to, on, key, part) in table {
        let said = refused(from, to);
        let start = format!("t.toml:{}: {key}: ", line(on));
        assert!(said.starts_with(&start) && said.contains(part), "{from} → {to}\n  said   {said}\n  wanted {start}…{part}");
    }
}

#[test]
fn a_link_to_nowhere_and_a_forgotten_exit_are_found() {
    let nowhere = refused("b = \"ispc\"", "b = \"ispd\"");
    assert!(nowhere.contains("link[3].b: no node has the id \"ispd\""), "{nowhere}");
    let forgotten = refused("[[exit]]\nid = \"r1-ispb\"\ndevice = \"r1\"\nprovider = \"isp-b\"\nremote_as = 5678\n", "");
    assert!(forgotten.contains("link[1].a: r1-ispb joins an edge and a provider but no [[exit]] names it"), "{forgotten}");
    let cost = refused("igp_cost = 10\n", "");
    assert!(cost.contains("is inside our AS, so it needs a cost"), "{cost}");
}

#[test]
fn prefix_lists_hold_ranges_and_refuse_what_is_none() {
    let list = |texts: &[&str]| Prefixes::try_from(texts.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>());
    let three: Vec<String> = list(&["2001:db8:fffe::/48 to 2001:db9::/48"]).unwrap().into();
    assert_eq!(three, ["2001:db8:fffe::/48", "2001:db8:ffff::/48", "2001:db9::/48"]);
    for (text, part) in [
        ("198.18.0.1/24", "has host bits"),
        ("198.18.0.0", "is not a prefix"),
        ("198.18.1.0/24 to 198.18.0.0/24", "is not a range"),
        ("198.18.0.0/24 to 198.18.1.0/25", "is not a range"),
        ("10.0.0.0/24 to 2001:d00::/24", "is not a range"),
        ("0.0.0.0/32 to 1.0.0.0/32", "at most 4096"),
        ("2001:db8::/128 to 2001:db9::/128", "at most 4096"),
    ] {
        let said = list(&[text]).unwrap_err();
        assert!(said.contains(part), "{text}: {said}");
    }
}
