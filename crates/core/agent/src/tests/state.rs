//! The summary, byte for byte.

use super::{Bench, port, r1, t};
use crate::scene::neighbor;
use crate::summary;
use bgp::{Asn, Family};
use gnmi::{Notification, Update, Value};
use network::{Freshness, GnmiEvent, LocRoute, Network, Observation, SessionState};
use std::sync::Arc;

/// Tells the device's memory by the only door.
fn notify(network: &mut Network, leaves: &[(&str, u64)], at: units::Timestamp) {
    let updates = leaves.iter().map(|(p, v)| Update { path: p.parse().unwrap(), value: Value::Uint(*v) }).collect();
    let notification = Notification { timestamp: at.nanos(), updates, ..Notification::default() };
    network.observe(&Observation::Gnmi { device: r1(), event: GnmiEvent::Connected }, at);
    network.observe(&Observation::Gnmi { device: r1(), event: GnmiEvent::Notification { notification } }, at);
}

#[test]
fn the_summary_is_fixed_text() {
    let mut b = Bench::new();
    let gb = 1_073_741_824;
    let leaves = [
        ("/system/cpus/cpu[index=ALL]/state/total/instant", 34),
        ("/system/memory/state/physical", 16 * gb),
        ("/system/memory/state/used", 6 * gb + gb / 10),
    ];
    notify(&mut b.scene.network, &leaves, t(0.0));
    let (a4, b4, b6) =
        (neighbor("r1-ispa", Family::Ipv4Unicast), neighbor("r1-ispb", Family::Ipv4Unicast), neighbor("r1-ispb", Family::Ipv6Unicast));
    b.at(1.0, |d| {
        for i in 0..12 {
            d.interfaces.insert(format!("Ethernet{i:02}"), port(true));
        }
        d.interfaces.insert("Ethernet7\u{1b}[2J".into(), port(false));
        for i in 20..22 {
            let mut shut = port(false);
            shut.admin_up = Some(false);
            d.interfaces.insert(format!("Ethernet{i}"), shut);
        }
        let mut busy = port(true);
        busy.rate_bps = Some((78.4e6, 12e6));
        d.interfaces.insert("to-ispa".into(), busy);
        let mut at_limit = port(true);
        at_limit.rate_bps = Some((70e6, 12e6));
        d.interfaces.insert("to-ispb".into(), at_limit);
        d.sessions.get_mut(&a4).unwrap().state = SessionState::Active;
        d.sessions.get_mut(&a4).unwrap().remote_as = Some(Asn(65010));
        let shut = d.sessions.get_mut(&b4).unwrap();
        (shut.state, shut.admin_down) = (SessionState::Idle, true);
        d.sessions.get_mut(&b6).unwrap().state = SessionState::OpenSent;
        let routes =
            (0..1234_u32).map(|i| (format!("10.{}.{}.0/24", i / 256, i % 256).parse().unwrap(), LocRoute { attributes: Arc::default() }));
        d.loc_rib = Arc::new(routes.collect());
    });
    let expected = "\
Device: r1 (frr, edge)
System: CPU 34% | Memory 38% (6.1/16.0 GB) | Temp unknown

Interfaces (14 up, 1 down, 2 admin-down)
  DOWN: \"Ethernet7\\u{1b}[2J\"
  HIGH-UTIL: to-ispa — 78% in, 12% out

BGP (3/6 peers established)
  DOWN: 172.31.1.0 (AS65010)
  ADMIN-DOWN: 172.31.2.0 (AS unknown)
  DOWN: 2001:db8:f2:: (AS unknown)
  Total prefixes: 1,234
";
    assert_eq!(summary(&b.scene.network, &r1(), t(1.0)).unwrap(), expected);
    let late = summary(&b.scene.network, &r1(), t(100.0)).unwrap();
    assert_eq!(late, format!("{expected}\ngNMI is stale: everything from it is as of 10:00:01Z\n"));
}

#[test]
fn what_is_not_known_says_so() {
    let mut b = Bench::new();
    *b.device() = network::Device { gnmi: Freshness::Unknown, ..network::Device::default() };
    let expected = "\
Device: r1 (os unknown, edge)
System: CPU unknown | Memory unknown | Temp unknown

Interfaces (0 up, 0 down, 0 admin-down)

BGP (0/0 peers established)
  Total prefixes: unknown
";
    assert_eq!(summary(&b.scene.network, &r1(), t(0.0)).unwrap(), expected);
    assert_eq!(summary(&b.scene.network, &"r9".into(), t(0.0)), None);
}
