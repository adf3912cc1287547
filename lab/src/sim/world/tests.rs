use super::*;
use crate::impair::{Direction, Impairment};
use crate::sim::session::{Ending, State};
use crate::topology::Exit;
use bgp::{Family, Prefix};
use network::DeviceRole;
use std::collections::BTreeMap;

fn seed() -> Topology {
    Topology::seed().unwrap()
}

fn settled(random: u64) -> World {
    let mut world = World::new(&seed(), random, &Telemetry { traffic: true, ..Telemetry::default() });
    assert!(world.settle(), "seed {random}: the network did not settle");
    world
}

fn p(text: &str) -> Prefix {
    text.parse().unwrap()
}

/// Provider's node by which traffic from `node` to an address leaves our AS.
fn leaves_by(world: &World, node: &str, to: &str) -> Option<String> {
    let track = world.track(world.index(node)?, to.parse().ok()?, None, 0);
    let entered = |(link, wire): &(usize, usize)| {
        let l = &world.links[*link];
        let to = if *wire == 0 { l.b } else { l.a };
        (l.cost.is_none()).then(|| world.topology.nodes[to].id.clone())
    };
    track.wires.iter().find_map(entered)
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

/// Tables without what depends on identifiers of the run: prefix to neighbour, attributes.
fn tables(world: &World) -> BTreeMap<String, BTreeMap<Prefix, (String, String)>> {
    let row = |(p, path): (&Prefix, &crate::sim::select::Path)| (*p, (format!("{:?}", path.source), format!("{:?}", path.attributes)));
    world.routers.iter().map(|r| (r.id.clone(), r.table.iter().map(row).collect())).collect()
}

fn exit(id: &str) -> Exit {
    seed().exit(id).unwrap().clone()
}

#[test]
fn every_router_of_ours_holds_every_prefix_and_every_group_leaves_by_its_preferred_provider() {
    let world = settled(1);
    let t = seed();
    for node in t.own_nodes() {
        let table = &world.router(&node.id).unwrap().table;
        for prefix in t.expected_prefixes() {
            assert!(table.contains_key(&prefix), "{} has no {prefix}", node.id);
        }
    }
    for spine in t.ours(DeviceRole::Spine) {
        for group in &t.groups {
            let provider = &t.provider(&group.preferred).unwrap().node;
            for target in &group.targets {
                assert_eq!(leaves_by(&world, &spine.id, &target.to_string()).as_ref(), Some(provider), "{} to {target}", spine.id);
            }
        }
    }
}

#[test]
fn the_order_in_which_sessions_come_up_and_messages_arrive_does_not_matter() {
    let first = tables(&settled(1));
    for random in 2..12 {
        assert_eq!(tables(&settled(random)), first, "seed {random}");
    }
}

#[test]
fn the_same_seed_lives_through_the_same_life() {
    let life = || {
        let mut world = settled(5);
        world.carrier(0, false);
        world.advance(world.now() + 20 * SECOND);
        (world.serial, world.connections, tables(&world))
    };
    assert_eq!(life(), life());
}

#[test]
fn the_reflector_passes_routes_on_with_originator_and_cluster_and_next_hop_unchanged() {
    let world = settled(1);
    let r4 = world.router("r4").unwrap();
    let path = &r4.table[&p("198.18.140.0/24")];
    assert_eq!(path.attributes.next_hop, Some("10.0.0.2".parse().unwrap()));
    assert_eq!(path.attributes.originator_id, Some("10.0.0.2".parse().unwrap()));
    assert_eq!(path.attributes.cluster_list, ["10.0.0.3".parse::<std::net::Ipv4Addr>().unwrap()]);
    assert_eq!(path.attributes.local_pref, Some(200));
    assert!(path.attributes.communities.contains(&bgp::Community::new(65001, 300)));
    // r1 hears of it only because r3 reflects between clients
    assert_eq!(world.router("r1").unwrap().table[&p("198.18.140.0/24")].source.neighbor(), Some("10.0.0.3".parse().unwrap()));
}

#[test]
fn a_changed_local_pref_moves_routes_after_the_delay_of_the_route_map_and_back() {
    let mut world = settled(1);
    let before = tables(&world);
    let r2 = world.index("r2").unwrap();
    let change = "ip prefix-list T seq 5 permit 198.18.7.0/24\nroute-map ISPC-IN permit 50\n match ip address prefix-list T\n set local-preference 250\nexit";
    world.configure(r2, &lines(change)).unwrap();
    world.advance(world.now() + 4900 * MS);
    assert_eq!(leaves_by(&world, "r4", "198.18.7.1").as_deref(), Some("ispa"), "FRR waits five seconds");
    world.advance(world.now() + 1000 * MS);
    assert_eq!(leaves_by(&world, "r4", "198.18.7.1").as_deref(), Some("ispc"));
    assert_eq!(leaves_by(&world, "r4", "198.18.8.1").as_deref(), Some("ispa"));
    world.configure(r2, &lines("no route-map ISPC-IN permit 50\nno ip prefix-list T")).unwrap();
    world.advance(world.now() + 6 * SECOND);
    assert_eq!(tables(&world), before);
}

#[test]
fn a_lost_carrier_withdraws_at_once_and_comes_back_as_it_was() {
    let mut world = settled(1);
    let before = tables(&world);
    let link = world.links.iter().position(|l| l.id == "r1-ispa").unwrap();
    world.carrier(link, false);
    world.advance(world.now() + SECOND);
    assert_eq!(leaves_by(&world, "r4", "198.18.7.1").as_deref(), Some("ispb"));
    let peer = &world.router("r1").unwrap().peers[&"172.31.1.1".parse().unwrap()];
    assert_eq!((peer.state == State::Established, peer.ended, peer.received.len()), (false, Some(Ending::Interface), 0));
    world.carrier(link, true);
    assert!(world.settle());
    assert_eq!(tables(&world), before);
}

#[test]
fn a_silent_cut_is_seen_by_the_hold_timer_only() {
    let mut world = settled(1);
    let link = world.links.iter().position(|l| l.id == "r1-ispa").unwrap();
    let dead = Impairment { blackhole: true, ..world.links[link].wires[0].impairment };
    world.impair(link, Direction::Both, dead);
    world.advance(world.now() + 55 * SECOND);
    assert_eq!(leaves_by(&world, "r4", "198.18.7.1").as_deref(), Some("ispa"), "hold time is 90 s");
    world.advance(world.now() + 40 * SECOND);
    assert_eq!(leaves_by(&world, "r4", "198.18.7.1").as_deref(), Some("ispb"));
    assert_eq!(world.router("r1").unwrap().peers[&"172.31.1.1".parse().unwrap()].ended, Some(Ending::HoldTimer));
}

#[test]
fn an_inner_link_that_dies_is_routed_around() {
    let mut world = settled(1);
    let link = world.links.iter().position(|l| l.id == "r1-r4").unwrap();
    world.carrier(link, false);
    world.advance(world.now() + SECOND);
    let track = world.track(world.index("r4").unwrap(), "198.18.7.1".parse().unwrap(), None, 0);
    assert!(track.wires.iter().all(|(l, _)| *l != link) && matches!(track.arrival, forward::Arrival::There(_)), "{track:?}");
    assert_eq!(leaves_by(&world, "r4", "198.18.7.1").as_deref(), Some("ispa"));
}

#[test]
fn a_reset_session_and_a_shutdown_take_their_routes_and_give_them_back() {
    let mut world = settled(1);
    let before = tables(&world);
    let (r1, ispa) = (world.index("r1").unwrap(), world.index("ispa").unwrap());
    for ours in ["172.31.1.0", "2001:db8:f1:1::"] {
        world.reset((ispa, ours.parse().unwrap()));
    }
    world.advance(world.now() + 500 * MS);
    assert_eq!(leaves_by(&world, "r4", "198.18.7.1").as_deref(), Some("ispb"));
    assert!(world.settle());
    assert_eq!(tables(&world), before);
    world.configure(r1, &lines("router bgp 65001\n neighbor 172.31.1.1 shutdown\nexit")).unwrap();
    world.advance(world.now() + 10 * SECOND);
    assert_eq!(leaves_by(&world, "r4", "198.18.7.1").as_deref(), Some("ispb"));
    assert_eq!(world.router("r1").unwrap().peers[&"172.31.1.1".parse().unwrap()].state, State::Idle);
    world.configure(r1, &lines("router bgp 65001\n no neighbor 172.31.1.1 shutdown\nexit")).unwrap();
    assert!(world.settle());
    assert_eq!(tables(&world), before);
}

#[test]
fn filling_an_exit_loads_its_link_until_it_loses() {
    let mut world = settled(1);
    let link = world.links.iter().position(|l| l.id == "r1-ispa").unwrap();
    let usual = world.links[link].wires[0].load_bps;
    assert!((500_000..20_000_000).contains(&usual), "{usual}");
    world.fill(&exit("r1-ispa"), 120_000_000);
    world.advance(world.now() + 2 * SECOND);
    assert!(world.links[link].wires[0].passing() < 0.95);
    world.stop_filling(&exit("r1-ispa"));
    world.advance(world.now() + 2 * SECOND);
    assert_eq!(world.links[link].wires[0].load_bps, usual);
    assert!(world.links[link].wires[0].passing() > 0.999);
}

#[test]
fn both_families_are_carried_everywhere() {
    let world = settled(1);
    for (family, prefixes) in [(Family::Ipv4Unicast, 200), (Family::Ipv6Unicast, 45)] {
        let r1 = world.router("r1").unwrap();
        assert!(r1.table.keys().filter(|p| p.family() == family).count() >= prefixes);
    }
}
