//! bgpsim, measured on a scenario that `pilotctl bench twin` gives it: `twin-reference PREFIXES [distinct] < SCENARIO`.
//!
//! Its tables go out with its times, so that equal work is compared. A what-if is a copy of the network and the change in it; what moved is
//! not worked out, which favours it.

use anyhow::{Context, Result};
use bgpsim::event::BasicEventQueue;
use bgpsim::ospf::GlobalOspf;
use bgpsim::prelude::Network;
use bgpsim::route_map::{RouteMapBuilder, RouteMapDirection};
use bgpsim::types::{RouterId, SimplePrefix};
use serde::Deserialize;
use serde_json::json;
use std::time::Instant;

type Net = Network<SimplePrefix, BasicEventQueue<SimplePrefix>, GlobalOspf>;

/// Runs of each measurement; the best counts. What takes longer than this is run once.
const ROUNDS: usize = 3;
const LONG_MS: f64 = 2000.0;

#[derive(Deserialize)]
struct Announcement {
    from: usize,
    as_path: Vec<u32>,
    med: u32,
}

#[derive(Deserialize)]
struct Scenario {
    asn: u32,
    routers: Vec<u32>,
    links: Vec<(usize, usize, u32)>,
    ibgp: Vec<(usize, usize, bool)>,
    ebgp: Vec<(usize, usize)>,
    classes: Vec<Vec<Announcement>>,
}

fn ms(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let count: u32 = arguments.first().and_then(|n| n.parse().ok()).context("usage: twin-reference PREFIXES [distinct] < SCENARIO")?;
    let distinct = arguments.get(1).is_some_and(|w| w == "distinct");
    let scenario: Scenario = serde_json::from_reader(std::io::stdin()).context("the scenario")?;
    let (bare, ids) = bare(&scenario)?;
    let mut converge_ms = f64::INFINITY;
    let mut net = bare.clone();
    for _ in 0..ROUNDS {
        net = bare.clone();
        let begun = Instant::now();
        announce(&mut net, &scenario, &ids, count, distinct)?;
        converge_ms = converge_ms.min(ms(begun));
        if converge_ms > LONG_MS {
            break;
        }
    }
    let (external, border) = *scenario.ebgp.first().context("no session to the outside")?;
    let session = (ids[border], ids[external]);
    let inner = scenario.links.iter().find(|(a, b, _)| [a, b].iter().all(|r| scenario.routers[**r] == scenario.asn));
    let (a, b, _) = *inner.context("no link inside")?;
    let map = RouteMapBuilder::new().order(10).allow().set_local_pref(200).build();
    let what_ifs = [
        timed("lp200_all_prefixes_one_session", &net, |n| {
            n.set_bgp_route_map(session.0, session.1, RouteMapDirection::Incoming, map.clone()).map(drop)
        })?,
        timed("ebgp_session_down", &net, |n| n.set_bgp_session(session.0, session.1, None))?,
        timed("first_link_down", &net, |n| n.remove_link(ids[a], ids[b]))?,
    ];
    let inside = (0..scenario.routers.len()).filter(|r| scenario.routers[*r] == scenario.asn);
    let exits: Vec<Vec<u32>> = inside.map(|r| (0..count).map(|n| exit(&net, ids[r], n)).collect()).collect();
    let out = json!({"program": "bgpsim 0.20.4", "converge_ms": converge_ms, "what_ifs": what_ifs, "exits": exits});
    println!("{out}");
    Ok(())
}

/// The network before anything is announced.
fn bare(s: &Scenario) -> Result<(Net, Vec<RouterId>)> {
    let mut net = Net::default();
    let ids: Vec<RouterId> = s.routers.iter().enumerate().map(|(n, asn)| net.add_router(format!("r{n}"), *asn)).collect();
    net.add_links_from(s.links.iter().map(|(a, b, _)| (ids[*a], ids[*b])))?;
    let inside = |r: usize| s.routers[r] == s.asn;
    let weights = s.links.iter().filter(|(a, b, _)| inside(*a) && inside(*b));
    net.set_link_weights_from(weights.flat_map(|(a, b, w)| [(ids[*a], ids[*b], f64::from(*w)), (ids[*b], ids[*a], f64::from(*w))]))?;
    let inner = s.ibgp.iter().map(|(a, b, client)| (ids[*a], ids[*b], Some(*client)));
    net.set_bgp_session_from(inner.chain(s.ebgp.iter().map(|(external, border)| (ids[*border], ids[*external], Some(false)))))?;
    Ok((net, ids))
}

fn announce(net: &mut Net, s: &Scenario, ids: &[RouterId], count: u32, distinct: bool) -> Result<()> {
    for n in 0..count {
        for a in &s.classes[n as usize % s.classes.len()] {
            let last = a.as_path.len().saturating_sub(1);
            let own = |(i, asn): (usize, &u32)| if distinct && i == last { 4_200_000_000 + n } else { *asn };
            let path: Vec<u32> = a.as_path.iter().enumerate().map(own).collect();
            net.advertise_route(ids[a.from], n, path, Some(a.med), None)?;
        }
    }
    Ok(())
}

/// AS of the neighbour outside by which a router reaches a prefix; 0: not at all.
fn exit(net: &Net, router: RouterId, prefix: u32) -> u32 {
    let route = net.get_router(router).ok().and_then(|r| r.bgp.get_route(prefix.into()));
    route.and_then(|e| e.route.as_path.first()).map_or(0, |asn| asn.0)
}

fn timed(name: &str, net: &Net, change: impl Fn(&mut Net) -> Result<(), bgpsim::types::NetworkError>) -> Result<serde_json::Value> {
    let (mut best, mut fork) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let mut copy = net.clone();
        fork = fork.min(ms(begun));
        change(&mut copy).map_err(|e| anyhow::anyhow!("{name}: {e}"))?;
        best = best.min(ms(begun));
        if best > LONG_MS {
            break;
        }
    }
    Ok(json!({"name": name, "ms": best, "fork_ms": fork, "changed": 0}))
}
