use super::*;
use crate::sim::world::{Telemetry, World};
use crate::topology::Topology;
use ::bmp::{Codec, Framer, Message, View, decode};
use bgp::{PathAttributes, Prefix};
use std::collections::BTreeMap;

fn settled() -> World {
    let mut world = World::new(&Topology::seed().unwrap(), 7, &Telemetry::default());
    assert!(world.settle());
    world
}

type Table = BTreeMap<(IpAddr, View), BTreeMap<Prefix, PathAttributes>>;

/// Decodes messages as the product does and returns the tables that they build.
fn read(messages: &[Vec<u8>], own: u32) -> (Table, Vec<Message>) {
    let (mut framer, mut codec) = (Framer::new(), Codec::new(Some(bgp::Asn(own))));
    messages.iter().for_each(|m| framer.push(m));
    let (mut tables, mut all) = (Table::new(), Vec::new());
    while let Some(frame) = framer.next() {
        let message = decode(&frame.unwrap().bytes, &mut codec).unwrap();
        assert!(message.repairs().is_empty(), "{message:?}");
        if let Message::RouteMonitoring(m) = &message {
            assert!(m.faults.is_empty(), "{m:?}");
            let table = tables.entry((m.peer.address, m.peer.view)).or_default();
            m.withdraw.iter().for_each(|n| drop(table.remove(&n.prefix)));
            for n in &m.announce {
                let attributes = m.attributes.clone().unwrap();
                table.insert(n.prefix, PathAttributes { next_hop: n.next_hop, ..attributes });
            }
        }
        all.push(message);
    }
    (tables, all)
}

#[test]
fn a_session_opens_with_the_tables_of_every_neighbour_byte_for_byte_as_they_are() {
    let world = settled();
    for id in ["r1", "r2", "r3"] {
        let router = world.router(id).unwrap();
        let (tables, all) = read(&opening(router), 65001);
        assert!(matches!(&all[0], Message::Initiation(i) if i.tlvs.iter().any(|t| t.name == "sys_name" && t.value == router.hostname)));
        let mut routes = 0;
        for (address, peer) in &router.peers {
            let empty = BTreeMap::new();
            let pre = tables.get(&(*address, View::AdjRibInPre)).unwrap_or(&empty);
            let had: BTreeMap<Prefix, PathAttributes> = peer.received.iter().map(|(p, a)| (*p, PathAttributes::clone(a))).collect();
            assert_eq!(*pre, had, "{id} from {address}");
            let post = tables.get(&(*address, View::AdjRibInPost)).unwrap_or(&empty);
            let had: BTreeMap<Prefix, PathAttributes> =
                peer.accepted.iter().map(|(p, a)| (*p, PathAttributes::clone(&a.attributes))).collect();
            assert_eq!(*post, had, "{id} from {address}");
            routes += pre.len();
        }
        assert!(routes > 250, "{id}: {routes}");
        let ends = all.iter().filter(|m| matches!(m, Message::RouteMonitoring(m) if m.end_of_rib.is_some())).count();
        assert_eq!(ends, 2 * router.peers.len());
    }
}

#[test]
fn opens_carry_four_octet_as_numbers_and_the_family() {
    let world = settled();
    let router = world.router("r1").unwrap();
    let (_, all) = read(&opening(router), 65001);
    let ups: Vec<_> = all.iter().filter_map(|m| if let Message::PeerUp(u) = m { Some(u) } else { None }).collect();
    assert_eq!(ups.len(), router.peers.len());
    for up in ups {
        let peer = &router.peers[&up.peer.address];
        let (sent, received) = (up.sent_open.as_ref().unwrap(), up.received_open.as_ref().unwrap());
        assert_eq!((sent.asn, received.asn, up.peer.asn), (peer.local_as, peer.remote_as, peer.remote_as));
        assert!(sent.four_octet_as() && received.four_octet_as());
        assert_eq!((up.local_address, received.bgp_id), (peer.local, peer.remote_id));
        assert_eq!(u64::from(sent.hold_time_s), peer.timers.1);
    }
}

#[test]
fn an_ending_is_a_peer_down_with_its_notification() {
    let world = settled();
    let router = world.router("r1").unwrap();
    let address = *router.peers.keys().next().unwrap();
    for (why, expected) in [(Ending::HoldTimer, (4, 0)), (Ending::Interface, (6, 6)), (Ending::Told, (6, 4))] {
        let messages: Vec<_> = opening(router).into_iter().chain(told(router, &Told::Down(address, why))).collect();
        let (_, all) = read(&messages, 65001);
        let Some(Message::PeerDown(down)) = all.last() else { panic!("{all:?}") };
        let (::bmp::DownReason::LocalNotification(n) | ::bmp::DownReason::RemoteNotification(n)) = &down.reason else { panic!("{down:?}") };
        assert_eq!((n.code, n.subcode), expected);
    }
    let (_, all) = read(&[opening(router), statistics(router)].concat(), 65001);
    let reports = all.iter().filter(|m| matches!(m, Message::Statistics(_))).count();
    assert_eq!(reports, router.peers.len());
}
