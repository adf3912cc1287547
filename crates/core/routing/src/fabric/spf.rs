//! Shortest paths after some wires changed: only what hangs on those is worked out anew (after Ramalingam and Reps 1996).

use super::{CONNECTED, UNREACHABLE};
use core::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

/// Who reaches each router directly, at which cost.
type Wires = [Vec<(u32, u32)>];

/// Wires that differ between two topologies of the same routers.
pub(super) struct Moves {
    /// (who, whom, cost before): no longer there, or dearer.
    worse: Vec<(u32, u32, u32)>,
    /// (who, whom, cost now): new, or cheaper.
    better: Vec<(u32, u32, u32)>,
    /// For each router whom it reaches directly now.
    forward: Vec<Vec<(u32, u32)>>,
    /// Wires without a cost may lie in a circle that holds itself up.
    free: bool,
}

/// The cheapest wire of each pair counts.
fn cheapest(wires: &[(u32, u32)]) -> BTreeMap<u32, u32> {
    let mut out = BTreeMap::new();
    for (who, cost) in wires {
        let known = out.entry(*who).or_insert(*cost);
        *known = (*known).min(*cost);
    }
    out
}

impl Moves {
    pub fn between(before: &Wires, after: &Wires) -> Self {
        let mut out = Self { worse: Vec::new(), better: Vec::new(), forward: vec![Vec::new(); after.len()], free: false };
        for (whom, (old, new)) in (0..).zip(before.iter().zip(after)) {
            for (who, cost) in new {
                out.forward[*who as usize].push((whom, *cost));
                out.free |= *cost == 0;
            }
            if old == new {
                continue;
            }
            let (old, new) = (cheapest(old), cheapest(new));
            out.worse.extend(old.iter().filter(|(who, cost)| new.get(who).is_none_or(|c| c > cost)).map(|(who, cost)| (*who, whom, *cost)));
            out.better
                .extend(new.iter().filter(|(who, cost)| old.get(who).is_none_or(|c| c > cost)).map(|(who, cost)| (*who, whom, *cost)));
        }
        out
    }

    /// Returns the costs to where `roots` (who announces, at which cost) are, given those before.
    pub fn repair(&self, before: &Arc<Vec<u32>>, roots: &[(u32, u32)], reverse: &Wires) -> Arc<Vec<u32>> {
        let over = |cost: u32, wire: u32| if cost == UNREACHABLE { cost } else { cost.saturating_add(wire).min(CONNECTED - 1) };
        let tight = |(who, whom, cost): &&(u32, u32, u32)| {
            before[*who as usize] != UNREACHABLE && before[*who as usize] == over(before[*whom as usize], *cost)
        };
        let shorter = |(who, whom, cost): &&(u32, u32, u32)| over(before[*whom as usize], *cost) < before[*who as usize];
        let worse: Vec<_> = self.worse.iter().filter(tight).collect();
        if worse.is_empty() && !self.better.iter().any(|w| shorter(&w)) {
            return Arc::clone(before);
        }
        if self.free {
            return Arc::new(grown(vec![UNREACHABLE; before.len()], roots.iter().map(|(r, c)| (*c, *r)), reverse));
        }
        // who has no other wire that is as good hangs on those; nearer ones are looked at first
        let mut costs = before.to_vec();
        let mut lost = vec![false; costs.len()];
        let mut waiting: BinaryHeap<Reverse<(u32, u32)>> = worse.iter().map(|(who, ..)| Reverse((before[*who as usize], *who))).collect();
        let root = |router: u32| roots.iter().filter(|(r, _)| *r == router).map(|(_, c)| *c).min();
        let mut gone = Vec::new();
        while let Some(Reverse((cost, router))) = waiting.pop() {
            let at = router as usize;
            let held = root(router) == Some(cost)
                || self.forward[at].iter().any(|(whom, wire)| !lost[*whom as usize] && over(before[*whom as usize], *wire) == cost);
            if lost[at] || held {
                continue;
            }
            lost[at] = true;
            gone.push(router);
            for (who, wire) in &reverse[at] {
                if before[*who as usize] != UNREACHABLE && before[*who as usize] == over(cost, *wire) {
                    waiting.push(Reverse((before[*who as usize], *who)));
                }
            }
        }
        let mut edge: Vec<(u32, u32)> = Vec::new();
        for router in &gone {
            costs[*router as usize] = UNREACHABLE;
        }
        for router in gone {
            let ways = self.forward[router as usize].iter().map(|(whom, wire)| over(costs[*whom as usize], *wire));
            let best = ways.chain(root(router)).min().unwrap_or(UNREACHABLE);
            edge.extend((best != UNREACHABLE).then_some((best, router)));
        }
        for (who, whom, cost) in &self.better {
            let way = over(costs[*whom as usize], *cost);
            edge.extend((way < costs[*who as usize]).then_some((way, *who)));
        }
        Arc::new(grown(costs, edge.into_iter(), reverse))
    }
}

/// Dijkstra's algorithm from some routers outward, against the direction of traffic, over costs that hold as long as none is lower.
pub(super) fn grown(mut costs: Vec<u32>, from: impl Iterator<Item = (u32, u32)>, reverse: &Wires) -> Vec<u32> {
    let mut heap: BinaryHeap<Reverse<(u32, u32)>> = from.map(Reverse).collect();
    while let Some(Reverse((cost, router))) = heap.pop() {
        if cost >= costs[router as usize] {
            continue;
        }
        costs[router as usize] = cost;
        for (from, more) in &reverse[router as usize] {
            let cost = cost.saturating_add(*more).min(CONNECTED - 1);
            if cost < costs[*from as usize] {
                heap.push(Reverse((cost, *from)));
            }
        }
    }
    costs
}
