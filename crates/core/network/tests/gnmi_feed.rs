//! What gNMI notifications make of the picture: joins, deletes, rates, probes, volumes, and how wrong input is borne.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

use action::DeviceId;
use bgp::{Asn, Family, Prefix};
use core::net::{IpAddr, Ipv4Addr};
use gnmi::{Notification, Update, Value};
use network::{
    ConfigEvent, Device, DeviceRole, DeviceSpec, ExitSpec, Freshness, GnmiEvent, Inventory, Network, Observation, ProbeKey, SessionState,
};
use serde_json::json;
use units::Timestamp;

const BGP: &str = "/network-instances/network-instance[name=default]/protocols/protocol[identifier=BGP][name=BGP]/bgp";

fn t(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_000_000_000 + seconds * 1000)
}

fn network() -> Network {
    let exit = ExitSpec {
        id: "r1-ispa".into(),
        device: "r1".into(),
        provider: "isp-a".into(),
        interface: "eth0".to_owned(),
        remote_as: Asn(1234),
        neighbors: vec!["172.31.1.1".parse().unwrap()],
        capacity_bps: 100_000_000,
        role: None,
    };
    let device = DeviceSpec {
        id: "r1".into(),
        hostname: "r1".to_owned(),
        role: DeviceRole::Edge,
        router_id: Ipv4Addr::new(10, 0, 0, 1),
        bmp: None,
        gnmi: None,
        netconf: None,
    };
    Network::new(Inventory {
        name: "test".to_owned(),
        lab: None,
        own_asn: Asn(65001),
        own_prefixes: vec![],
        public_space: vec![],
        devices: vec![device],
        providers: vec![],
        exits: vec![exit],
        groups: vec![],
        ..Inventory::empty("")
    })
}

fn r1(network: &Network) -> &Device {
    &network.devices[&DeviceId::from("r1")]
}

fn event(network: &mut Network, event: GnmiEvent, at: Timestamp) {
    network.observe(&Observation::Gnmi { device: "r1".into(), event }, at);
}

fn notify(network: &mut Network, updates: &[(&str, serde_json::Value)], deletes: &[&str], at: Timestamp) {
    let updates = updates.iter().map(|(p, v)| Update { path: p.parse().unwrap(), value: Value::Json(v.clone()) }).collect();
    let deletes = deletes.iter().map(|p| p.parse().unwrap()).collect();
    let notification = Notification { timestamp: at.nanos(), updates, deletes, ..Notification::default() };
    event(network, GnmiEvent::Notification { notification }, at);
}

fn route(prefix: &str) -> String {
    let family = if prefix.contains(':') { ("IPV6_UNICAST", "ipv6-unicast") } else { ("IPV4_UNICAST", "ipv4-unicast") };
    format!(
        "{BGP}/rib/afi-safis/afi-safi[afi-safi-name={}]/{}/loc-rib/routes/route[prefix={prefix}][origin=BGP][path-id=0]",
        family.0, family.1
    )
}

fn attr_set(index: u64) -> String {
    format!("{BGP}/rib/attr-sets/attr-set[index={index}]")
}

fn set_json(index: u64, local_pref: u32) -> serde_json::Value {
    json!({"index": index, "state": {"index": index, "origin": "IGP", "next-hop": "172.31.1.1", "local-pref": local_pref},
        "as-path": {"as-segment": [{"index": 0, "state": {"index": 0, "type": "AS_SEQ", "member": [1234, 64500]}}]}})
}

fn route_json(prefix: &str, set: u64, community: u64) -> serde_json::Value {
    json!({"prefix": prefix, "state": {"prefix": prefix, "attr-index": set, "community-index": community, "best-path": true, "valid-route": true}})
}

fn community(index: u64) -> String {
    format!("{BGP}/rib/communities/community[index={index}]")
}

fn p(text: &str) -> Prefix {
    text.parse().unwrap()
}

#[test]
fn best_routes_are_joined_with_their_sets_whatever_comes_first() {
    let mut n = network();
    event(&mut n, GnmiEvent::Connected, t(0));
    notify(&mut n, &[(&route("203.0.113.0/24"), route_json("203.0.113.0/24", 1, 2))], &[], t(1));
    assert!(r1(&n).loc_rib.is_empty(), "a route without its sets waits");
    notify(&mut n, &[(&attr_set(1), set_json(1, 200))], &[], t(1));
    assert!(r1(&n).loc_rib.is_empty());
    let set = json!({"index": 2, "state": {"index": 2, "community": ["65001:110", "openconfig-bgp-types:NO_EXPORT"]}});
    notify(&mut n, &[(&community(2), set)], &[], t(1));
    let attributes = &r1(&n).loc_rib[&p("203.0.113.0/24")].attributes;
    assert_eq!((attributes.as_path.to_string().as_str(), attributes.local_pref, attributes.med), ("1234 64500", Some(200), None));
    assert_eq!(attributes.communities.iter().map(ToString::to_string).collect::<Vec<_>>(), ["65001:110", "65535:65281"]);

    // a set that changes changes the routes that use it
    notify(&mut n, &[(&attr_set(1), set_json(1, 140))], &[], t(2));
    assert_eq!(r1(&n).loc_rib[&p("203.0.113.0/24")].attributes.local_pref, Some(140));
    notify(&mut n, &[], &[&route("203.0.113.0/24")], t(3));
    assert!(r1(&n).loc_rib.is_empty());
}

#[test]
fn a_new_stream_sweeps_what_is_not_told_again_and_only_then() {
    let mut n = network();
    let both = ["203.0.113.0/24", "2001:db8:200::/48"];
    event(&mut n, GnmiEvent::Connected, t(0));
    notify(&mut n, &[(&attr_set(1), set_json(1, 200)), (&community(2), json!({"state": {"community": []}}))], &[], t(0));
    for prefix in both {
        notify(&mut n, &[(&route(prefix), route_json(prefix, 1, 2))], &[], t(0));
    }
    event(&mut n, GnmiEvent::Synced, t(1));
    event(&mut n, GnmiEvent::Closed { reason: "gone".to_owned() }, t(2));
    assert!(matches!(r1(&n).gnmi, Freshness::Stale { .. }));
    assert_eq!(r1(&n).loc_rib.len(), 2, "losing sight withdraws nothing");
    event(&mut n, GnmiEvent::Connected, t(3));
    notify(&mut n, &[(&attr_set(9), set_json(9, 200)), (&route(both[0]), json!({"state": {"attr-index": 9}}))], &[], t(3));
    assert_eq!(r1(&n).loc_rib.len(), 2);
    event(&mut n, GnmiEvent::Synced, t(4));
    assert_eq!(r1(&n).loc_rib.keys().copied().collect::<Vec<_>>(), [p(both[0])]);
    notify(&mut n, &[], &[&format!("{BGP}/rib/afi-safis/afi-safi[afi-safi-name=IPV4_UNICAST]")], t(5));
    assert!(r1(&n).loc_rib.is_empty());
}

#[test]
fn sessions_come_as_leaves_or_as_containers() {
    let mut n = network();
    let neighbor = format!("{BGP}/neighbors/neighbor[neighbor-address=172.31.1.1]");
    let state = json!({"openconfig-network-instance:session-state": "ESTABLISHED", "peer-as": 1234, "enabled": true});
    notify(&mut n, &[(&format!("{neighbor}/state"), state)], &[], t(0));
    let received = format!("{neighbor}/afi-safis/afi-safi[afi-safi-name=IPV4_UNICAST]/state/prefixes/received");
    notify(&mut n, &[(&received, json!("412"))], &[], t(1));
    notify(&mut n, &[(&format!("{neighbor}/state/session-state"), json!("IDLE"))], &[], t(2));
    notify(&mut n, &[(&format!("{neighbor}/state/enabled"), json!(false))], &[], t(3));
    let session = &r1(&n).sessions[&"172.31.1.1".parse().unwrap()];
    assert_eq!((session.state, session.remote_as, session.flaps, session.since), (SessionState::Idle, Some(Asn(1234)), 1, t(2)));
    assert_eq!((session.admin_down, session.received[&Family::Ipv4Unicast]), (true, 412));
    notify(&mut n, &[], &[&neighbor], t(4));
    assert!(r1(&n).sessions.is_empty());
}

#[test]
fn rates_survive_resets_duplicates_and_disorder() {
    let mut n = network();
    let read = |n: &mut Network, seconds: i64, input: serde_json::Value, output: serde_json::Value| {
        let base = "/interfaces/interface[name=eth0]/state/counters";
        notify(n, &[(&format!("{base}/in-octets"), input), (&format!("{base}/out-octets"), output)], &[], t(seconds));
        r1(n).interfaces.get("eth0").and_then(|i| i.rate_bps)
    };
    assert_eq!(read(&mut n, 0, json!("1000"), json!("2000")), None, "one read is no rate");
    assert_eq!(read(&mut n, 2, json!("3000"), json!("2500")), Some((8000.0, 2000.0)));
    assert_eq!(read(&mut n, 2, json!("3000"), json!("2500")), Some((8000.0, 2000.0)), "the same read again changes nothing");
    assert_eq!(read(&mut n, 4, json!("10"), json!("2500")), None, "a counter that fell gives no rate, never a negative one");
    assert_eq!(read(&mut n, 6, json!("260"), json!("2750")), Some((1000.0, 1000.0)));
    assert_eq!(read(&mut n, 8, json!(u64::MAX), json!(u64::MAX)).map(|r| r.0.is_finite() && r.0 > 0.0), Some(true));
    let before = r1(&n).gnmi_session.wrong_type;
    assert!(read(&mut n, 10, json!("NaN"), json!(-1)).is_some());
    assert_eq!(r1(&n).gnmi_session.wrong_type, before + 2, "wrong types are counted and change nothing");
}

#[test]
fn processor_memory_and_host_name() {
    let mut n = network();
    notify(
        &mut n,
        &[
            ("/system/cpus/cpu[index=ALL]/state/total/instant", json!(37)),
            ("/system/memory/state", json!({"physical": "4000", "used": "1000"})),
            ("/system/state/hostname", json!("edge-router-01")),
            ("/system/clock/state/timezone-name", json!("UTC")),
            ("/interfaces/interface[name=eth0]/state", json!({"oper-status": "DOWN", "admin-status": "UP", "mtu": 1500})),
        ],
        &[],
        t(0),
    );
    let device = r1(&n);
    assert_eq!((device.cpu, device.memory, device.gnmi_session.hostname.as_deref()), (Some(0.37), Some(0.25), Some("edge-router-01")));
    assert_eq!((device.interfaces["eth0"].oper_up, device.interfaces["eth0"].admin_up), (Some(false), Some(true)));
    assert_eq!(device.gnmi_session.unread, 1);
}

fn probe_path(name: &str) -> String {
    format!("/probes/probe[name={name}]/tests/test[name={name}]/state")
}

#[test]
fn probe_intervals_add_up_to_windows() {
    let mut n = network();
    let path = probe_path("r1-ispa:east:ipv4");
    let interval = |sent: u32, received: u32, delay: serde_json::Value| {
        json!({"sent": sent, "received": received, "forward-delay-ms": delay, "forward-delay-min-ms": "3.5", "forward-delay-max-ms": 9,
            "rtt-ms": 8.1, "interval-ms": 1000, "rate-hz": 10})
    };
    notify(&mut n, &[(&path, interval(10, 10, json!(4.0)))], &[], t(1));
    notify(&mut n, &[(&path, interval(10, 8, json!("6.5")))], &[], t(2));
    notify(&mut n, &[(&path, interval(10, 8, json!("6.5")))], &[], t(2));
    notify(&mut n, &[(&path, json!({"sent": 10, "received": 0}))], &[], t(3));
    let key = ProbeKey { device: "r1".into(), exit: Some("r1-ispa".into()), group: "east".into(), family: Family::Ipv4Unicast };
    assert_eq!(key.name(), "r1-ispa:east:ipv4");
    let window = n.probe_window(&key, t(3), 60);
    assert_eq!((window.sent, window.received, window.samples), (30, 18, 3), "the repeated interval counts once");
    assert!((window.loss.unwrap() - 0.4).abs() < 1e-12);
    assert!((window.delay_ms.unwrap() - (40.0 + 52.0) / 18.0).abs() < 1e-12, "weighted by what arrived");
    assert_eq!((window.delay_ms_min, window.delay_ms_max), (Some(3.5), Some(9.0)));
    assert_eq!(n.probe_window(&key, t(3), 1).delay_ms, None, "nothing arrived: no delay, no zero");
    let routed = ProbeKey { exit: None, ..key };
    notify(&mut n, &[(&probe_path("as-routed@r1:east:ipv4"), json!({"sent": 1, "received": 1}))], &[], t(4));
    assert_eq!(n.probe_window(&routed, t(4), 5).sent, 1);
    assert_eq!(n.probe_window(&routed, t(4), 5).loss, Some(0.0));
    notify(&mut n, &[(&probe_path("nonsense"), json!({"sent": 1, "received": 1}))], &[], t(4));
    assert_eq!(n.probes.len(), 2);
}

#[test]
fn volumes_that_are_not_named_were_nothing() {
    let mut n = network();
    let path = "/volumes/exit[name=r1-ispa]/state";
    let entry = |prefix: &str, octets: u64| json!({"prefix": prefix, "octets": octets.to_string()});
    let both = json!({"interval-ms": 5000, "prefixes": [entry("203.0.113.0/24", 625_000), entry("198.18.0.0/24", 5)]});
    notify(&mut n, &[(path, both)], &[], t(5));
    let volume = |n: &Network, prefix: &str| n.volumes.get(&("r1-ispa".into(), p(prefix))).map(|v| (v.bps, v.at));
    assert_eq!(volume(&n, "203.0.113.0/24"), Some((1_000_000.0, t(5))));
    notify(&mut n, &[(path, json!({"interval-ms": 5000, "prefixes": [entry("198.18.0.0/24", 5)]}))], &[], t(10));
    assert_eq!(volume(&n, "203.0.113.0/24"), Some((0.0, t(10))));
    assert_eq!(volume(&n, "198.18.0.0/24"), Some((8.0, t(10))));
    let foreign = "/volumes/exit[name=r2-ispc]/state";
    notify(&mut n, &[(foreign, json!({"interval-ms": 5000, "prefixes": [entry("198.18.1.0/24", 5)]}))], &[], t(10));
    assert_eq!(n.volumes.len(), 2, "an exit of another router");
}

#[test]
fn silence_is_staleness_and_ends_with_the_next_word() {
    let mut n = network();
    event(&mut n, GnmiEvent::Connected, t(0));
    event(&mut n, GnmiEvent::Synced, t(1));
    n.tick(t(16));
    assert!(matches!(r1(&n).gnmi, Freshness::Synced { .. }) && !r1(&n).gnmi_is_stale(t(16)));
    assert!(r1(&n).gnmi_is_stale(t(17)));
    n.tick(t(17));
    assert_eq!(r1(&n).gnmi, Freshness::Stale { since: t(1) });
    notify(&mut n, &[("/system/state/hostname", json!("r1"))], &[], t(20));
    assert_eq!(r1(&n).gnmi, Freshness::Synced { last: t(20) });
}

#[test]
fn a_target_that_never_says_sync_is_synced_after_a_minute() {
    let mut n = network();
    event(&mut n, GnmiEvent::Connected, t(0));
    for second in (2..=60).step_by(2) {
        assert!(matches!(r1(&n).gnmi, Freshness::Initial { .. }));
        notify(&mut n, &[("/system/state/hostname", json!("r1"))], &[], t(second));
    }
    assert_eq!(r1(&n).gnmi, Freshness::Synced { last: t(60) });
}

#[test]
fn a_device_clock_that_is_wrong_is_not_believed() {
    let mut n = network();
    let path = probe_path("r1-ispa:east:ipv4").parse().unwrap();
    let updates = vec![Update { path, value: Value::Json(json!({"sent": 1, "received": 1})) }];
    let notification = Notification { timestamp: 0, updates, ..Notification::default() };
    event(&mut n, GnmiEvent::Notification { notification }, t(7));
    assert_eq!(n.probes.values().next().unwrap().samples[0].at, t(7));
}

#[test]
fn the_whole_picture_is_saved_and_read_again() {
    let mut n = network();
    event(&mut n, GnmiEvent::Connected, t(0));
    let set = json!({"state": {"community": ["65001:110"]}});
    let volumes = json!({"interval-ms": 5000, "prefixes": [{"prefix": "203.0.113.0/24", "octets": 7}]});
    notify(
        &mut n,
        &[
            (&attr_set(1), set_json(1, 200)),
            (&community(2), set),
            (&route("203.0.113.0/24"), route_json("203.0.113.0/24", 1, 2)),
            (&probe_path("r1-ispa:east:ipv4"), json!({"sent": 10, "received": 9, "forward-delay-ms": 4.25})),
            ("/volumes/exit[name=r1-ispa]/state", volumes),
            ("/interfaces/interface[name=eth0]/state/counters", json!({"in-octets": "1", "out-octets": "2"})),
        ],
        &[],
        t(1),
    );
    let text = "router bgp 65001\n neighbor 172.31.1.1 remote-as 1234\n".to_owned();
    let read = ConfigEvent::Read { text, digest: "00".to_owned() };
    n.observe(&Observation::Config { device: "r1".into(), event: read }, t(2));
    assert!(r1(&n).config.as_ref().unwrap().model.bgp.is_some());
    let failed = ConfigEvent::Failed { reason: "no route".to_owned() };
    n.observe(&Observation::Config { device: "r1".into(), event: failed }, t(3));
    assert!(r1(&n).config.is_some() && r1(&n).config_failure.is_some());
    // each in its own language; what is none is told, and what was read before stays
    let read = |n: &mut Network, text: &str| {
        let event = ConfigEvent::Read { text: text.to_owned(), digest: "01".to_owned() };
        n.observe(&Observation::Config { device: "r1".into(), event }, t(4));
    };
    let junos = "set version 21.4R1\nset routing-options autonomous-system 65001\nset protocols bgp group UP type external\n\
        set protocols bgp group UP neighbor 172.31.1.1 peer-as 1234\n";
    read(&mut n, junos);
    let model = &r1(&n).config.as_ref().unwrap().model;
    assert!(model.vendor == config::Vendor::Junos && model.bgp.as_ref().unwrap().neighbors.len() == 1, "{model:?}");
    read(&mut n, "");
    assert!(r1(&n).config_failure.as_ref().unwrap().contains("not a configuration that is read"), "{:?}", r1(&n).config_failure);
    assert_eq!(r1(&n).config.as_ref().unwrap().model.vendor, config::Vendor::Junos);
    let saved = serde_json::to_string(&n).unwrap();
    assert_eq!(serde_json::from_str::<Network>(&saved).unwrap(), n);
    assert_eq!(n.prefixes_known(), 1);
}

#[test]
fn error_counters_and_load_keep_the_time_of_their_read() {
    let mut network = network();
    let leaf = |l: &str| format!("/interfaces/interface[name=eth0]/state/counters/{l}");
    let (input, output) = (leaf("in-errors"), leaf("out-errors"));
    let cpu = "/system/cpus/cpu[index=ALL]/state/total/instant";
    notify(&mut network, &[(&input, 7.into()), (&output, 9.into()), (cpu, 34.into())], &[], t(5));
    notify(&mut network, &[(&input, "many".into()), (&leaf("in-discards"), 3.into())], &[], t(6));
    let device = &network.devices[&"r1".into()];
    let errors = device.interfaces["eth0"].errors;
    assert_eq!((errors.input, errors.output), (Some((t(5), 7)), Some((t(5), 9))));
    assert_eq!((device.cpu, device.system_at.cpu, device.system_at.memory), (Some(0.34), Some(t(5)), None));
    assert_eq!(device.gnmi_session.wrong_type, 1);
}

/// What the collector judged is in the log, so a replay shows it too; a new stream begins without the old one's verdicts.
#[test]
fn the_health_of_subscriptions_is_kept_as_told_until_the_next_stream() {
    let mut n = network();
    let silent = network::SubscriptionState::Silent { since: t(7), reason: "no sample for 3000 ms".to_owned() };
    let subscriptions = vec![network::SubscriptionHealth {
        set: "counters".to_owned(),
        path: "/interfaces/interface[name=*]/state/counters".to_owned(),
        expected_ms: Some(2000),
        last: Some(t(4)),
        state: silent.clone(),
        instead: None,
        synced: true,
        coalesced: 2,
        empty: 0,
    }];
    let told = GnmiEvent::Health { subscriptions };
    let logged: GnmiEvent = serde_json::from_str(&serde_json::to_string(&told).unwrap()).unwrap();
    assert_eq!(logged, told);
    event(&mut n, GnmiEvent::Connected, t(0));
    event(&mut n, GnmiEvent::Warning { text: "PH-COLL-040: x".to_owned() }, t(0));
    event(&mut n, logged, t(7));
    event(&mut n, GnmiEvent::Closed { reason: "gone".to_owned() }, t(8));
    let session = |n: &Network| n.devices[&"r1".into()].gnmi_session.clone();
    assert_eq!(session(&n).subscriptions[0].state, silent);
    assert_eq!(session(&n).warnings, ["PH-COLL-040: x"]);
    event(&mut n, GnmiEvent::Connected, t(9));
    assert!(session(&n).subscriptions.is_empty() && session(&n).warnings.is_empty());
}

#[test]
fn an_atomic_notification_replaces_what_stands_at_its_prefix() {
    let mut n = network();
    event(&mut n, GnmiEvent::Connected, t(0));
    notify(&mut n, &[(&attr_set(1), set_json(1, 200)), (&community(2), json!({"state": {"community": []}}))], &[], t(0));
    for prefix in ["203.0.113.0/24", "198.51.100.0/24"] {
        notify(&mut n, &[(&route(prefix), route_json(prefix, 1, 2))], &[], t(0));
    }
    assert_eq!(r1(&n).loc_rib.len(), 2);
    let prefix = format!("{BGP}/rib/afi-safis/afi-safi[afi-safi-name=IPV4_UNICAST]").parse().unwrap();
    let update = Update { path: route("203.0.113.0/24").parse().unwrap(), value: Value::Json(route_json("203.0.113.0/24", 1, 2)) };
    let notification = Notification { timestamp: t(1).nanos(), prefix, atomic: true, updates: vec![update], ..Notification::default() };
    event(&mut n, GnmiEvent::Notification { notification }, t(1));
    assert_eq!(r1(&n).loc_rib.keys().copied().collect::<Vec<_>>(), [p("203.0.113.0/24")]);
}

/// One neighbour address in two network instances is two sessions (RFC 4364 §4.1: addresses need be unique within a VPN only).
#[test]
fn a_neighbour_in_another_instance_does_not_overwrite_that_of_the_default_one() {
    for default in ["default", "DEFAULT", "master", "Base"] {
        let mut n = network();
        let leaf = |instance: &str, leaf: &str| {
            let bgp = format!("/network-instances/network-instance[name={instance}]/protocols/protocol[identifier=BGP][name=BGP]/bgp");
            format!("{bgp}/neighbors/neighbor[neighbor-address=172.31.1.1]/{leaf}")
        };
        let (state, peer_as) = ("state/session-state", "state/peer-as");
        let received = "afi-safis/afi-safi[afi-safi-name=IPV4_UNICAST]/state/prefixes/received";
        let of = |n: &mut Network, instance: &str, values: (&str, u32, u32), at: i64| {
            let (name, asn, count) = values;
            let leaves =
                [(leaf(instance, state), name.into()), (leaf(instance, peer_as), asn.into()), (leaf(instance, received), count.into())];
            notify(n, &leaves.each_ref().map(|(path, value): &(String, serde_json::Value)| (path.as_str(), value.clone())), &[], t(at));
        };
        let peer: IpAddr = "172.31.1.1".parse().unwrap();
        let seen = |s: &network::Session| (s.state, s.remote_as.map(|a| a.0), s.received.values().sum::<u64>());
        let both = |n: &Network| {
            let other = r1(n).instance_sessions.iter().map(|((name, address), s)| (name.clone(), *address, seen(s))).collect::<Vec<_>>();
            (r1(n).sessions.get(&peer).map(seen), other)
        };
        let up = (SessionState::Established, Some(1234), 7);
        let blue = || vec![("blue".to_owned(), peer, (SessionState::Active, Some(64999), 9))];

        event(&mut n, GnmiEvent::Connected, t(0));
        of(&mut n, default, ("ESTABLISHED", 1234, 7), 1);
        of(&mut n, "blue", ("ACTIVE", 64999, 9), 2);
        event(&mut n, GnmiEvent::Synced, t(3));
        assert_eq!(both(&n), (Some(up), blue()), "{default}");
        assert_eq!(serde_json::from_str::<Network>(&serde_json::to_string(&n).unwrap()).unwrap(), n);

        let gone = leaf("blue", "state").replace("/state", "");
        notify(&mut n, &[], &[&gone], t(4));
        assert_eq!(both(&n), (Some(up), vec![]), "{default}: deleted alone");
        of(&mut n, "blue", ("ACTIVE", 64999, 9), 5);
        notify(&mut n, &[], &[&gone.replace("blue", default)], t(6));
        assert_eq!(both(&n), (None, blue()), "{default}: deleted alone");

        of(&mut n, default, ("ESTABLISHED", 1234, 7), 7);
        event(&mut n, GnmiEvent::Connected, t(10));
        of(&mut n, default, ("ESTABLISHED", 1234, 7), 11);
        assert_eq!(both(&n), (Some(up), blue()), "{default}: until all is told");
        event(&mut n, GnmiEvent::Synced, t(12));
        assert_eq!(both(&n), (Some(up), vec![]), "{default}: not told again");
    }
}

/// Rates are told by whole minutes: one that runs, or of which a part was not read, has none.
#[test]
fn the_newest_minute_is_the_last_that_was_read_over_and_none_of_long_ago() {
    // whole minutes begin at t(20), t(80), …: t(0) is 40 s into one
    let m = |s: i64| t(20 + s);
    let leaf = |name: &str| format!("/interfaces/interface[name=eth0]/state/counters/{name}");
    let mut n = network();
    let mut read = |from: i64, to: i64| {
        for s in (from..=to).step_by(30) {
            let leaves = [leaf("in-octets"), leaf("out-octets")];
            notify(&mut n, &[(&leaves[0], (s * 1000).into()), (&leaves[1], (s * 2000).into())], &[], m(s));
        }
        r1(&n).interfaces["eth0"].minutes.clone()
    };
    assert_eq!(read(15, 75).newest(m(75)), None, "of the first minute a quarter is missing");
    let minutes = read(105, 135);
    assert_eq!(minutes.newest(m(119)), None, "the minute that runs is not whole");
    let second = Some((m(120), 8000, 16_000));
    assert_eq!(minutes.newest(m(135)), second);
    assert_eq!(minutes.newest(m(181)), second, "the next ended too, but its last read is still to come");
    assert_eq!(minutes.newest(m(299)), second);
    assert_eq!(minutes.newest(m(300)), None);
}
