//! Deletes, atomics and new streams against the tree of the gNMI specification: after any stream of notifications the picture is the one that
//! the leaves still standing in a [`gnmi::Tree`] would have made alone.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

use action::DeviceId;
use bgp::{Asn, Prefix};
use core::net::Ipv4Addr;
use gnmi::{Notification, Path, Tree, Update, Value};
use network::{
    Device, DeviceRole, DeviceSpec, ExitSpec, Gauge, GnmiEvent, Inventory, Network, Observation, ProbeKey, ProbeSource, SubscriptionHealth,
    SubscriptionState,
};
use proptest::prelude::*;
use serde_json::json;
use units::Timestamp;

const BGP: &str = "/network-instances/network-instance[name=default]/protocols/protocol[identifier=BGP][name=BGP]/bgp";

fn t(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_000_000_000 + seconds * 1000)
}

fn network() -> Network {
    let exit = |id: &str| ExitSpec {
        id: id.into(),
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
    Network::new(Inventory { devices: vec![device], exits: vec![exit("x1"), exit("x2")], ..Inventory::empty("test") })
}

fn r1(network: &Network) -> &Device {
    &network.devices[&DeviceId::from("r1")]
}

fn event(network: &mut Network, event: GnmiEvent, at: Timestamp) {
    network.observe(&Observation::Gnmi { device: "r1".into(), event }, at);
}

fn path(text: &str) -> Path {
    text.parse().unwrap()
}

fn said(updates: &[(String, serde_json::Value)], deletes: &[&str]) -> Notification {
    Notification {
        timestamp: t(0).nanos(),
        updates: updates.iter().map(|(p, v)| Update { path: path(p), value: Value::Json(v.clone()) }).collect(),
        deletes: deletes.iter().map(|p| path(p)).collect(),
        ..Notification::default()
    }
}

fn notify(n: &mut Network, notification: Notification) {
    event(n, GnmiEvent::Notification { notification }, t(0));
}

/// Everything that the product reads, at two of each list's entries.
fn leaves() -> Vec<(String, serde_json::Value)> {
    let mut out = vec![
        ("/system/state/hostname".to_owned(), json!("r1")),
        ("/system/state/boot-time".to_owned(), json!("1611283415000000000")),
        ("/system/memory/state/physical".to_owned(), json!(4000)),
        ("/system/memory/state/used".to_owned(), json!(1000)),
        ("/system/memory/state/free".to_owned(), json!(2000)),
    ];
    for cpu in ["ALL", "0"] {
        out.push((format!("/system/cpus/cpu[index={cpu}]/state/total/instant"), json!(37)));
    }
    for name in ["eth0", "eth1"] {
        let state = format!("/interfaces/interface[name={name}]/state");
        let values = [("oper-status", json!("UP")), ("admin-status", json!("UP")), ("ifindex", json!(3)), ("last-change", json!("7"))];
        out.extend(values.map(|(leaf, v)| (format!("{state}/{leaf}"), v)));
        let counters = ["in-octets", "out-octets", "in-errors", "out-errors"];
        out.extend(counters.map(|leaf| (format!("{state}/counters/{leaf}"), json!("5"))));
    }
    for address in ["172.31.1.1", "2001:db8::1"] {
        let neighbor = format!("{BGP}/neighbors/neighbor[neighbor-address={address}]");
        let state = [("session-state", json!("ESTABLISHED")), ("peer-as", json!(65002)), ("enabled", json!(false))];
        out.extend(state.map(|(leaf, v)| (format!("{neighbor}/state/{leaf}"), v)));
        for family in ["IPV4_UNICAST", "IPV6_UNICAST"] {
            let prefixes = format!("{neighbor}/afi-safis/afi-safi[afi-safi-name={family}]/state/prefixes");
            out.extend(["received", "sent"].map(|leaf| (format!("{prefixes}/{leaf}"), json!(9))));
        }
    }
    for name in ["PSU1", "Ethernet1"] {
        let component = format!("/components/component[name={name}]");
        out.extend(
            [
                ("state/temperature/instant", json!("41.5")),
                ("state/used-power", json!(300)),
                ("state/memory/available", json!(100)),
                ("state/memory/utilized", json!(40)),
                ("cpu/utilization/state/instant", json!(12)),
                ("power-supply/state/output-power", json!("220.5")),
                ("transceiver/physical-channels/channel[index=0]/state/input-power/instant", json!("-3.2")),
                ("transceiver/physical-channels/channel[index=1]/state/output-power/instant", json!("-1.2")),
                ("transceiver/physical-channels/channel[index=1]/state/laser-bias-current/instant", json!("30.1")),
            ]
            .map(|(below, v)| (format!("{component}/{below}"), v)),
        );
    }
    for exit in ["x1", "x2"] {
        let test = format!("/probes/probe[name={exit}:east:ipv4]/tests/test[name={exit}:east:ipv4]/state");
        out.push((test, json!({"sent": 10, "received": 9, "forward-delay-ms": 4.5})));
        let volumes = json!({"interval-ms": 5000, "prefixes": [{"prefix": "203.0.113.0/24", "octets": 7}]});
        out.push((format!("/volumes/exit[name={exit}]/state"), volumes));
    }
    for prefix in ["203.0.113.0/24", "198.51.100.0/24", "2001:db8:200::/48"] {
        let (family, container) = if prefix.contains(':') { ("IPV6_UNICAST", "ipv6-unicast") } else { ("IPV4_UNICAST", "ipv4-unicast") };
        let routes = format!("{BGP}/rib/afi-safis/afi-safi[afi-safi-name={family}]/{container}/loc-rib/routes");
        out.push((format!("{routes}/route[prefix={prefix}][origin=BGP][path-id=0]"), json!({"state": {"attr-index": 1}})));
    }
    out
}

fn set_of_attributes() -> (String, serde_json::Value) {
    (format!("{BGP}/rib/attr-sets/attr-set[index=1]"), json!({"state": {"origin": "IGP", "next-hop": "172.31.1.1"}}))
}

/// What is compared: everything that the leaves make, without the history of the sessions.
fn picture(n: &Network) -> String {
    let device = r1(n);
    let sessions: Vec<_> =
        device.sessions.iter().map(|(a, s)| (a, s.state, s.admin_down, s.remote_as, s.received.clone(), s.sent.clone())).collect();
    let probes: Vec<_> = n.probes.keys().collect();
    let volumes: Vec<_> = n.volumes.keys().collect();
    let routes: Vec<_> = device.loc_rib.keys().collect();
    let load = (device.cpu, device.memory, device.system_at);
    let text = (&device.gnmi_session.hostname, &device.interfaces, sessions, &device.hardware, load);
    format!("{text:#?}\n{probes:#?}\n{volumes:#?}\n{routes:#?}")
}

/// The picture that the leaves of a tree make in an empty network.
fn alone(tree: &Tree) -> Network {
    let mut n = network();
    notify(&mut n, said(&[set_of_attributes()], &[]));
    let mut standing: Vec<Path> = Vec::new();
    tree.for_each(|_, path, _| standing.push(path.clone()));
    let told: Vec<_> = leaves().into_iter().filter(|(p, _)| standing.iter().any(|s| path(p).covers(s))).collect();
    // octets make a rate by pairs, as they came
    for one in told {
        notify(&mut n, said(&[one], &[]));
    }
    n
}

/// A path of a leaf, cut anywhere, with any of its keys a wildcard or left out, any of its names a wildcard.
fn pattern() -> impl Strategy<Value = Path> {
    (0..leaves().len(), 1..14_usize, any::<u16>(), 0..60_u8).prop_map(|(leaf, length, keys, name)| {
        let mut path = path(&leaves()[leaf].0);
        path.elems.truncate(length);
        let mut bits = keys;
        for elem in &mut path.elems {
            for key in elem.keys.clone().keys() {
                match bits & 3 {
                    0 => drop(elem.keys.insert(key.clone(), "*".to_owned())),
                    1 => drop(elem.keys.remove(key)),
                    _ => {}
                }
                bits = bits.rotate_right(2);
            }
        }
        // a name that is a wildcard, now and then; never above the lists that tell routes from neighbours' attributes
        let depth = path.elems.len() - 1;
        if name % 8 == 7 && depth > 0 && !path.names().any(|n| n == "rib") {
            path.elems[depth].name = "*".to_owned();
        }
        path
    })
}

#[derive(Clone, Debug)]
enum Step {
    Tell(Vec<usize>),
    Delete(Path),
    /// Replaces what is below the path by the leaves of these numbers that stand there.
    Atomic(Path, Vec<usize>),
}

fn step() -> impl Strategy<Value = Step> {
    let some = || prop::collection::vec(0..leaves().len(), 1..12);
    prop_oneof![
        3 => some().prop_map(Step::Tell),
        2 => pattern().prop_map(Step::Delete),
        1 => (pattern(), some()).prop_map(|(p, l)| Step::Atomic(p, l)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn the_picture_is_what_the_tree_holds(steps in prop::collection::vec(step(), 1..12)) {
        let all = leaves();
        let (mut n, mut tree) = (network(), Tree::default());
        event(&mut n, GnmiEvent::Connected, t(0));
        notify(&mut n, said(&all, &[]));
        notify(&mut n, said(&[set_of_attributes()], &[]));
        tree.apply(&said(&all, &[]));
        let rib: Path = path(&format!("{BGP}/rib"));
        for step in steps {
            let notification = match step {
                Step::Tell(which) => said(&which.into_iter().map(|i| all[i].clone()).collect::<Vec<_>>(), &[]),
                Step::Delete(path) => Notification { deletes: vec![path], ..said(&[], &[]) },
                Step::Atomic(prefix, which) => {
                    let below: Vec<_> = which.into_iter().map(|i| all[i].clone()).filter(|(p, _)| prefix.covers(&path(p))).collect();
                    Notification { atomic: true, prefix, ..said(&below, &[]) }
                }
            };
            // the sets go with their container; they are no part of what is compared
            let sets = notification.deletes.iter().chain([&notification.prefix]).any(|p| p.covers(&rib) || rib.covers(p));
            tree.apply(&notification);
            notify(&mut n, notification);
            if sets {
                notify(&mut n, said(&[set_of_attributes()], &[]));
            }
            let (was, must) = (picture(&n), picture(&alone(&tree)));
            let differs = was.lines().zip(must.lines()).find(|(a, b)| a != b);
            prop_assert!(was == must, "{:?}", differs);
        }
    }
}

#[test]
fn every_container_and_leaf_can_be_deleted_and_leaves_nothing_behind() {
    let empty = picture(&{
        let mut n = network();
        notify(&mut n, said(&[set_of_attributes()], &[]));
        n
    });
    for (leaf, value) in leaves() {
        let full = path(&leaf);
        for length in 1..=full.elems.len() {
            let mut n = network();
            notify(&mut n, said(&[set_of_attributes(), (leaf.clone(), value.clone())], &[]));
            assert_ne!(picture(&n), empty, "{leaf} is not part of the picture");
            let cut = Path { elems: full.elems[..length].to_vec() };
            notify(&mut n, Notification { deletes: vec![cut.clone()], ..said(&[], &[]) });
            assert_eq!(picture(&n), empty, "{leaf} after the deletion of {cut}");
        }
    }
}

#[test]
fn a_new_stream_sweeps_everything_that_it_does_not_tell_again() {
    let all = leaves();
    let mut n = network();
    event(&mut n, GnmiEvent::Connected, t(0));
    notify(&mut n, said(&[set_of_attributes()], &[]));
    notify(&mut n, said(&all, &[]));
    event(&mut n, GnmiEvent::Synced, t(0));
    let before = picture(&n);
    event(&mut n, GnmiEvent::Closed { reason: "gone".to_owned() }, t(0));
    assert_eq!(picture(&n), before, "losing sight takes nothing back");
    event(&mut n, GnmiEvent::Connected, t(0));
    let kept: Vec<_> =
        all.iter().filter(|(p, _)| !["eth1", "172.31.1.1", "x2", "PSU1", "198.51"].iter().any(|gone| p.contains(gone))).cloned().collect();
    notify(&mut n, said(&[set_of_attributes()], &[]));
    notify(&mut n, said(&kept, &[]));
    assert_eq!(r1(&n).interfaces.len(), 2, "nothing goes before the dump is complete");
    event(&mut n, GnmiEvent::Synced, t(0));
    let device = r1(&n);
    assert_eq!(device.interfaces.keys().collect::<Vec<_>>(), ["eth0"]);
    assert_eq!(device.sessions.keys().map(ToString::to_string).collect::<Vec<_>>(), ["2001:db8::1"]);
    assert_eq!((n.probes.len(), n.volumes.len(), device.hardware.processors.len(), device.loc_rib.len()), (1, 1, 1, 2));
    event(&mut n, GnmiEvent::Connected, t(0));
    event(&mut n, GnmiEvent::Synced, t(0));
    let device = r1(&n);
    assert!(device.interfaces.is_empty() && device.sessions.is_empty() && n.probes.is_empty() && n.volumes.is_empty());
    assert_eq!((device.cpu, device.memory, &device.gnmi_session.hostname), (None, None, &None));
    let saved = serde_json::to_string(&n).unwrap();
    assert_eq!(serde_json::from_str::<Network>(&saved).unwrap(), n);
}

#[test]
fn a_family_that_is_not_read_takes_no_other_with_it() {
    let mut n = network();
    notify(&mut n, said(&[set_of_attributes()], &[]));
    notify(&mut n, said(&leaves(), &[]));
    for other in [
        format!("{BGP}/rib/afi-safis/afi-safi[afi-safi-name=L3VPN_IPV4_UNICAST]"),
        format!("{BGP}/rib/afi-safis/afi-safi[afi-safi-name=*]/ipv4-unicast/neighbors"),
        BGP.replace("name=default", "name=mgmt"),
    ] {
        notify(&mut n, said(&[], &[&other]));
        assert_eq!(r1(&n).loc_rib.len(), 3, "{other}");
        assert_eq!(r1(&n).sessions.len(), 2, "{other}");
    }
    notify(&mut n, said(&[], &[&format!("{BGP}/rib/afi-safis/afi-safi[afi-safi-name=*]/ipv4-unicast/loc-rib/routes/route[prefix=*]")]));
    let left: Vec<Prefix> = r1(&n).loc_rib.keys().copied().collect();
    assert_eq!(left.iter().map(ToString::to_string).collect::<Vec<_>>(), ["2001:db8:200::/48"]);
}

fn row(set: &str, expected_ms: Option<u64>, state: SubscriptionState) -> SubscriptionHealth {
    SubscriptionHealth {
        set: set.to_owned(),
        path: "/x".to_owned(),
        expected_ms,
        last: None,
        state,
        instead: None,
        synced: true,
        coalesced: 0,
        empty: 0,
    }
}

#[test]
fn a_feed_is_as_patient_as_its_own_subscriptions_are_slow() {
    let silent = || SubscriptionState::Silent { since: t(0), reason: "no sample".to_owned() };
    let stale_after = |rows: Vec<SubscriptionHealth>| {
        let mut n = network();
        event(&mut n, GnmiEvent::Connected, t(0));
        event(&mut n, GnmiEvent::Synced, t(0));
        event(&mut n, GnmiEvent::Health { subscriptions: rows }, t(0));
        (0..300).find(|s| r1(&n).gnmi_is_stale(t(*s)))
    };
    let alive = || SubscriptionState::Alive;
    assert_eq!(stale_after(vec![]), Some(16), "nothing known: as before");
    assert_eq!(stale_after(vec![row("counters", Some(2000), alive())]), Some(16), "a fast feed is no less patient than that");
    assert_eq!(stale_after(vec![row("counters", Some(30_000), alive()), row("system", Some(60_000), alive())]), Some(61));
    assert_eq!(stale_after(vec![row("bgp", None, SubscriptionState::Quiet)]), None, "changes come when they come");
    assert_eq!(stale_after(vec![row("bgp", None, SubscriptionState::Absent)]), None, "a note blocks nothing");
    assert_eq!(stale_after(vec![row("bgp", None, silent())]), Some(0));
}

#[test]
fn a_path_that_never_told_anything_is_named_with_its_reason() {
    let absent = SubscriptionState::Absent;
    assert_eq!(serde_json::to_value(&absent).unwrap(), json!({"is": "absent"}));
    assert_eq!((absent.name(), absent.is_silent()), ("absent", false));
    assert!(absent.reason().is_some_and(|r| r.starts_with("it never told anything") && r.ends_with("does not fit the device")));
}

#[test]
fn a_rate_ends_with_the_counters_that_it_was_made_of() {
    let mut n = network();
    let base = "/interfaces/interface[name=eth0]/state/counters";
    for second in [0, 30] {
        let both = [(format!("{base}/in-octets"), json!(1000 * second)), (format!("{base}/out-octets"), json!(1000 * second))];
        event(
            &mut n,
            GnmiEvent::Notification { notification: Notification { timestamp: t(second).nanos(), ..said(&both, &[]) } },
            t(second),
        );
    }
    assert_eq!(r1(&n).interfaces["eth0"].rate_bps, Some((8000.0, 8000.0)));
    let silent = SubscriptionState::Silent { since: t(75), reason: "no sample".to_owned() };
    event(&mut n, GnmiEvent::Health { subscriptions: vec![row("counters", Some(30_000), silent)] }, t(75));
    assert_eq!(r1(&n).interfaces["eth0"].rate_bps, None);
    assert_eq!(r1(&n).interfaces["eth0"].octets.map(|o| o.1), Some(30_000), "what was read stays as it was read");
}

#[test]
fn what_devices_say_of_their_parts_is_kept_with_its_unit() {
    let mut n = network();
    notify(&mut n, said(&leaves(), &[]));
    let hardware = &r1(&n).hardware;
    let one = |gauge: Gauge| hardware.of(gauge).map(|(c, ch, r)| format!("{c} {ch} {} {}", r.value, gauge.unit())).collect::<Vec<_>>();
    assert_eq!(one(Gauge::Temperature), ["Ethernet1  41.5 °C", "PSU1  41.5 °C"]);
    assert_eq!(one(Gauge::OpticalInput), ["Ethernet1 0 -3.2 dBm", "PSU1 0 -3.2 dBm"]);
    assert_eq!(one(Gauge::SupplyOutputPower), ["Ethernet1  220.5 W", "PSU1  220.5 W"]);
    assert_eq!(hardware.boot_time, Some(Timestamp::from_nanos(1_611_283_415_000_000_000)));
    assert_eq!((r1(&n).cpu, r1(&n).memory), (Some(0.37), Some(0.25)));
    assert_eq!(r1(&n).gnmi_session.unread, 0);
    assert_eq!(r1(&n).gnmi_session.wrong_type, 0);
}

/// Platforms tell their results leaf by leaf, round trip; their operator names the probe, the profile who measures.
#[test]
fn results_of_a_routers_own_probes_are_samples_with_their_source() {
    let mut n = network();
    let state = |source: &str| format!("/probes/probe[name=x1:east:ipv4][source={source}]/tests/test[name=x1:east:ipv4]/state");
    let told = |n: &mut Network, second: i64, source: &str, fields: &[(&str, Value)]| {
        let updates = fields.iter().map(|(f, v)| Update { path: path(&format!("{}/{f}", state(source))), value: v.clone() }).collect();
        let notification = Notification { timestamp: t(second).nanos(), updates, ..Notification::default() };
        event(n, GnmiEvent::Notification { notification }, t(second));
    };
    let text = |s: &str| Value::String(s.to_owned());
    let (rtt, code) = ("rtt-ms", "return-code");
    told(&mut n, 1, "ip_sla", &[(rtt, Value::Uint(12)), (code, text("ipsla-ret-code-ok"))]);
    told(&mut n, 61, "ip_sla", &[(rtt, Value::Uint(0)), (code, text("ipsla-ret-code-timeout"))]);
    let key = ProbeKey { device: "r1".into(), exit: Some("x1".into()), group: "east".into(), family: bgp::Family::Ipv4Unicast };
    let samples = |n: &Network| n.probes[&key].samples.iter().map(|s| (s.sent, s.received, s.delay_ms, s.rtt_ms)).collect::<Vec<_>>();
    assert_eq!(samples(&n), [(1, 1, Some(6.0), Some(12.0)), (1, 0, None, None)]);
    assert_eq!((n.probes[&key].source, n.probes[&key].source.is_half_round_trip()), (ProbeSource::IpSla, true));
    told(&mut n, 62, "rpm", &[("rtt-us", Value::Uint(9000)), ("sent", Value::Uint(10)), ("lost", Value::Uint(3))]);
    assert_eq!(samples(&n)[2], (10, 7, Some(4.5), Some(9.0)));
    assert_eq!(n.probes[&key].source.name(), "rpm");
    let unread = r1(&n).gnmi_session.unread;
    told(&mut n, 63, "crystal", &[("sent", Value::Uint(1)), ("received", Value::Uint(1))]);
    assert_eq!((samples(&n).len(), r1(&n).gnmi_session.unread), (3, unread + 1), "a source that nobody knows is no source");
    event(&mut n, GnmiEvent::Repaired { repairs: [("time_missing".to_owned(), 3)].into() }, t(64));
    event(&mut n, GnmiEvent::Repaired { repairs: [("time_missing".to_owned(), 4)].into() }, t(65));
    assert_eq!((r1(&n).repairs["time_missing"].count, r1(&n).repairs["time_missing"].first), (7, t(64)));
}
