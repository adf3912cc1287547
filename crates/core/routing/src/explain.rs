//! Why a router chose what it chose: the deciding step with both values, what every other path lost by, and the way it came.

use crate::compare::Step;
use crate::plane::{NONE, Plane};
use crate::policy::{Passed, Question};
use crate::route::Route;
use crate::session::OUTSIDE;
use crate::solution::{Solution, Solved};
use crate::transfer::{End, Stop, Transfer};
use bgp::Prefix;
use serde::Serialize;

/// Hops of a way followed; longer is a loop.
const HOPS_MAX: usize = 64;

/// A path that was not chosen, or not sent on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Loser {
    /// Neighbour it came from, or `local`.
    pub from: String,
    /// Step by which the best path is better.
    pub step: &'static str,
    /// Value of the best path at that step.
    pub best_has: String,
    /// Value of this one.
    pub this_has: String,
}

/// A policy that a route passed, and its terms that matched, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Passage {
    /// The policy.
    pub policy: String,
    /// Terms.
    pub terms: Vec<Passed>,
}

/// How the route was made where it begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Made {
    /// Router, or the address of a neighbour outside.
    pub at: String,
    /// `network`, `aggregate`, `redistributed`, or `outside`.
    pub by: &'static str,
    /// Policy of the origination.
    pub policy: Option<Passage>,
}

/// One hop of the way of the best path, the origin first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hop {
    /// Who sent it.
    pub from: String,
    /// Who took it.
    pub to: String,
    /// Export policy at the sender, with the terms that matched and what they set.
    pub export: Option<Passage>,
    /// Import policy at the receiver.
    pub import: Option<Passage>,
    /// What the receiver holds then.
    pub then: String,
}

/// A neighbour from which nothing came, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stopped {
    /// Neighbour.
    pub from: String,
    /// Why nothing came.
    pub why: String,
}

/// The explanation of one choice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Router.
    pub router: String,
    /// Prefix.
    pub prefix: Prefix,
    /// Neighbour of the best path, or `local`; absent: there is none.
    pub best: Option<String>,
    /// Step that chose: the last comparison that the router made.
    pub step: &'static str,
    /// That comparison, with both values; absent where there was nothing to compare.
    pub decided: Option<Loser>,
    /// The other paths.
    pub losers: Vec<Loser>,
    /// Where the best path begins.
    pub made: Option<Made>,
    /// The way of the best path.
    pub way: Vec<Hop>,
    /// Neighbours that have a path and sent none.
    pub stopped: Vec<Stopped>,
}

impl Plane<'_> {
    /// Explains the choice of a router for a prefix; `None` when the prefix is not known at all.
    pub fn explain_choice(&self, solution: &mut Solution, router: usize, prefix: &Prefix) -> Option<Explanation> {
        let number = solution.number_of(prefix)? as usize;
        let solved: &Solved = &solution.classes[number];
        let state = &*solved.state;
        let best = state.best[router];
        let shared = &mut solution.shared;
        let mut losers = self.with_candidates(router, state, shared, |rules, list| {
            let Some(chosen) = list.iter().find(|c| c.slot == best) else { return Vec::new() };
            let others = list.iter().filter(|c| c.slot != best);
            others.map(|other| (other.slot, rules.compare(chosen, other).step, chosen.metric, other.metric)).collect()
        });
        losers.sort_unstable_by_key(|(slot, step, ..)| (*step, *slot));
        let losers = losers.into_iter().map(|(slot, step, mine, theirs)| {
            let value =
                |slot: u32, metric: u32| self.value(solved.route(state.slots[slot as usize].route, shared), slot, step, metric, router);
            Loser { from: self.name_of(slot), step: step.name(), best_has: value(best, mine), this_has: value(slot, theirs) }
        });
        let losers: Vec<Loser> = losers.collect();
        let (step, against) = state.said[router];
        let decided = (best != NONE && against != NONE && step != Step::OnlyPath).then(|| {
            let metric = |slot: u32| {
                let next_hop = shared.routes.key(state.slots[slot as usize].route).next_hop;
                self.metric(slot, shared.known_cost(router, next_hop))
            };
            let value = |slot: u32| {
                let route = state.slots[slot as usize].route;
                if route == NONE { String::new() } else { self.value(solved.route(route, shared), slot, step, metric(slot), router) }
            };
            Loser { from: self.name_of(against), step: step.name(), best_has: value(best), this_has: value(against) }
        });
        let (made, way) = if best == NONE { (None, Vec::new()) } else { self.way(solved, best, shared) };
        Some(Explanation {
            router: self.network.routers[router].name.clone(),
            prefix: *prefix,
            best: (best != NONE).then(|| self.name_of(best)),
            step: step.name(),
            decided,
            losers,
            made,
            way,
            stopped: self.stopped(solved, router, shared),
        })
    }

    fn value(&self, route: &Route, slot: u32, step: Step, metric: u32, router: usize) -> String {
        let a = &route.attributes;
        let rules = &self.nodes[router].rules;
        let half = (self.slot_half[slot as usize] != NONE).then(|| &self.halves[self.slot_half[slot as usize] as usize]);
        match step {
            Step::Weight => route.weight.to_string(),
            Step::LocalPref => a.local_pref.unwrap_or(rules.default_local_pref).to_string(),
            Step::Aigp => route.aigp.map_or_else(String::new, |a| a.saturating_add(u64::from(metric)).to_string()),
            Step::AsPathLength | Step::ConfedAsPath => format!("{} ({})", a.as_path.length(), a.as_path),
            Step::Origin => format!("{:?}", a.origin).to_lowercase(),
            Step::Med => a.med.map_or_else(|| "none".to_owned(), |m| m.to_string()),
            Step::EbgpOverIbgp | Step::ConfedOverIbgp => {
                half.map_or_else(|| "local".to_owned(), |h| format!("{:?}", h.to_sort).to_lowercase())
            }
            Step::IgpMetric => metric.to_string(),
            Step::RouterId => a.originator_id.or(half.map(|h| h.from_id)).map_or_else(String::new, |i| i.to_string()),
            Step::ClusterLength | Step::ClusterLengthAsMetric => a.cluster_list.len().to_string(),
            Step::LocalOrigin | Step::LocalConfigured => if route.kind.is_local() { route.kind.name() } else { "learned" }.to_owned(),
            Step::NextHop => a.next_hop.map_or_else(String::new, |h| h.to_string()),
            Step::NeighbourAddress | Step::Nothing => half.map_or_else(String::new, |h| h.from_address.to_string()),
            Step::OnlyPath | Step::Oldest => String::new(),
        }
    }

    /// Follows a path back to where it was made.
    fn way(&self, solved: &Solved, slot: u32, shared: &crate::Shared) -> (Option<Made>, Vec<Hop>) {
        let mut out = Vec::new();
        let mut at = slot;
        let made = loop {
            let h = self.slot_half[at as usize];
            if h == NONE {
                break Some(self.made(solved, at, shared));
            }
            if out.len() >= HOPS_MAX {
                break None;
            }
            let half = &self.halves[h as usize];
            let name = |router: u32, address: core::net::IpAddr| match self.network.routers.get(router as usize) {
                Some(r) => r.name.clone(),
                None => address.to_string(),
            };
            let (first, _) = self.half_slots[h as usize];
            let sender = if half.from == OUTSIDE { NONE } else { self.place_behind(h, at - first, &solved.state) };
            let (exported, imported) = Default::default();
            let sent = if sender == NONE { NONE } else { solved.state.slots[sender as usize].route };
            let arrived = if sent != NONE {
                self.both_ends(&solved.class, h, sender, solved.route(sent, shared), Some([&exported, &imported])).ok()
            } else {
                self.outside_route(solved, at, shared, &imported)
            };
            let held = arrived.or_else(|| {
                let there = solved.state.slots[at as usize].route;
                (there != NONE).then(|| solved.route(there, shared).clone())
            });
            let (from, to) = (name(half.from, half.from_address), name(half.to, half.to_address));
            out.push(Hop {
                from: from.clone(),
                to,
                export: self.passage(half.from, half.to_address, true, exported.into_inner()),
                import: self.passage(half.to, half.from_address, false, imported.into_inner()),
                then: held.map(|r| self.held_as(&r, half.to as usize, &solved.class.prefix)).unwrap_or_default(),
            });
            if sender == NONE {
                let by = if half.from == OUTSIDE { "outside" } else { "default-originate" };
                break Some(Made { at: from, by, policy: None });
            }
            at = sender;
        };
        out.reverse();
        (made, out)
    }

    /// Takes a route from outside again, to see the terms that it passes.
    fn outside_route(&self, solved: &Solved, slot: u32, shared: &crate::Shared, trace: &crate::policy::Trace) -> Option<Route> {
        let (_, wire) = solved.class.origins.iter().find(|(s, _)| *s == slot)?;
        let half = &self.halves[self.slot_half[slot as usize] as usize];
        let transfer = Transfer { half, fabric: &self.fabric, family: self.family, starting: self.network.starting };
        let end = self.end(half.to as usize)?;
        transfer.import(&End { trace: Some(trace), ..end }, &solved.class.prefix, shared.routes.get(*wire)).ok()
    }

    /// How a route was made, with the policy of its origination.
    fn made(&self, solved: &Solved, slot: u32, shared: &crate::Shared) -> Made {
        let router = self.router_of(slot);
        let node = &self.network.routers[router];
        let route = solved.route(solved.state.slots[slot as usize].route, shared);
        let prefix = &solved.class.prefix;
        let policy = node.config.bgp.as_ref().and_then(|b| match route.kind {
            crate::Kind::Network => b.networks.iter().find(|n| n.prefix == *prefix)?.policy.clone(),
            crate::Kind::Aggregate => b.wider.aggregates.iter().find(|a| a.prefix == *prefix)?.policy.clone(),
            crate::Kind::Redistributed(p) => b.wider.redistribute.get(&self.family)?.iter().find(|r| r.protocol == p)?.policy.clone(),
            crate::Kind::Learned => None,
        });
        let policy = policy.map(|policy| {
            let trace = crate::policy::Trace::default();
            let rpki = self.validity(router, prefix, &route.attributes.as_path);
            let question = Question { prefix, neighbor: None, local: None, outbound: false, rpki };
            // the route has already been changed by it; conditions on what it set may come out otherwise
            self.nodes[router].policies.run_traced(&policy, &question, &mut route.clone(), Some(&trace));
            Passage { policy, terms: trace.into_inner() }
        });
        Made { at: node.name.clone(), by: route.kind.name(), policy }
    }

    /// The policy of one end of a session with the terms that a route passed there.
    fn passage(&self, router: u32, address: core::net::IpAddr, out: bool, terms: Vec<Passed>) -> Option<Passage> {
        let bgp = self.network.routers.get(router as usize)?.config.bgp.as_ref()?;
        let settings = crate::session::family_of(bgp, address, self.family)?;
        let name = if out { settings.export.as_ref() } else { settings.import.as_ref() };
        let policy = terms.first().map(|t| t.policy.clone()).or_else(|| name.cloned())?;
        Some(Passage { policy, terms })
    }

    /// What of a route decides at a router, in words.
    fn held_as(&self, route: &Route, router: usize, prefix: &Prefix) -> String {
        let a = &route.attributes;
        let mut out = format!("path [{}]", a.as_path);
        let mut say = |word: &str, value: Option<String>| {
            if let Some(value) = value {
                out += &format!(" {word} {value}");
            }
        };
        say("LOCAL_PREF", a.local_pref.map(|v| v.to_string()));
        say("MED", a.med.map(|v| v.to_string()));
        say("weight", (route.weight > 0).then(|| route.weight.to_string()));
        say("next hop", a.next_hop.map(|v| v.to_string()));
        say("RPKI", self.validity(router, prefix, &a.as_path).map(|v| v.to_string()));
        out
    }

    fn stopped(&self, solved: &Solved, router: usize, shared: &crate::Shared) -> Vec<Stopped> {
        let mut out = Vec::new();
        for slot in self.nodes[router].slots.clone() {
            let held = solved.state.slots[slot as usize].route;
            if held != NONE && !self.is_usable(router, slot, &solved.state, shared) {
                let hop = shared.routes.get(held).attributes.next_hop.map_or_else(String::new, |h| h.to_string());
                out.push(Stopped { from: self.name_of(slot), why: format!("its next hop {hop} is not reached") });
            }
        }
        for (h, half) in self.halves.iter().enumerate() {
            let (first, _) = self.half_slots[h];
            if half.to as usize != router || solved.state.slots[first as usize].route != NONE {
                continue;
            }
            if half.from == OUTSIDE {
                let wire = solved.class.origins.iter().find(|(s, _)| *s == first);
                let transfer = Transfer { half, fabric: &self.fabric, family: self.family, starting: self.network.starting };
                if let (Some((_, wire)), Some(end)) = (wire, self.end(router))
                    && let Err(stop) = transfer.import(&end, &solved.class.prefix, shared.routes.get(*wire))
                {
                    out.push(Stopped { from: half.from_address.to_string(), why: stop.to_string() });
                }
                continue;
            }
            let best = solved.state.best[half.from as usize];
            if best == NONE {
                continue;
            }
            if let Err(stop) = self.explain(solved, h as u32, best, shared) {
                out.push(Stopped { from: self.network.routers[half.from as usize].name.clone(), why: stop.to_string() });
            }
        }
        out
    }
}

impl core::fmt::Display for Stop {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let at = |side: &crate::Side| if *side == crate::Side::Export { "export" } else { "import" };
        match self {
            Self::Reflection => f.write_str("learned inside the AS, and no reflector stands between (RFC 4456)"),
            Self::WellKnown(c) => write!(f, "community {c} keeps it back"),
            Self::OwnOrigin => f.write_str("it came from there"),
            Self::NoPolicy(side) => write!(f, "no {} policy on a session with another AS (RFC 8212)", at(side)),
            Self::Filter(side, name) => write!(f, "{} filter {name}", at(side)),
            Self::Policy(side, name, Some(term)) => write!(f, "{} policy {name} term {term} rejects it", at(side)),
            Self::Policy(side, name, None) => write!(f, "{} policy {name} has no term that accepts it", at(side)),
            Self::Unknown(side, what) => write!(f, "{} policy: not modelled: {what}", at(side)),
            Self::Loop(asn) => write!(f, "AS {asn} is in its path already"),
            Self::OnlyToCustomer => f.write_str("only to customers (RFC 9234)"),
            Self::OwnNextHop => f.write_str("its next hop is the receiver itself"),
            Self::Suppressed => f.write_str("an aggregate is announced instead"),
            Self::Condition => f.write_str("a condition of the session keeps it back"),
            Self::SiteOfOrigin(soo) => write!(f, "it comes from the receiver's site {soo}"),
            Self::Dampened(penalty, reuse_in_s) => {
                write!(f, "it flapped: penalty {penalty}, used again in {reuse_in_s} s if it stays (RFC 2439)")
            }
            Self::MaxPrefix => f.write_str("more prefixes than the neighbour may announce"),
        }
    }
}

impl core::fmt::Display for Passage {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&self.policy)?;
        if self.terms.is_empty() {
            return f.write_str(" (no term matched)");
        }
        for (i, term) in self.terms.iter().enumerate() {
            f.write_str(if i > 0 { "; " } else { " " })?;
            if term.policy != self.policy {
                write!(f, "calls {} ", term.policy)?;
            }
            write!(f, "{} {}", if term.permits { "permit" } else { "deny" }, term.sequence)?;
            if !term.set.is_empty() {
                write!(f, " ({})", term.set.join(", "))?;
            }
        }
        Ok(())
    }
}

impl Explanation {
    /// Returns the explanation line by line: the same text wherever it is shown.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let stopped = self.stopped.iter().map(|s| format!("  nothing from {}: {}", s.from, s.why));
        let Some(best) = &self.best else {
            let head = format!("{} has no usable path to {}", self.router, self.prefix);
            return core::iter::once(head).chain(stopped).collect();
        };
        let mut out = vec![format!("{} reaches {} by {best}, chosen by {}", self.router, self.prefix, self.step)];
        if let Some(d) = &self.decided {
            out.push(format!("  last compared with {}: {} {} against {}", d.from, d.step, d.best_has, d.this_has));
        }
        for l in &self.losers {
            out.push(format!("  better than {} by {}: {} against {}", l.from, l.step, l.best_has, l.this_has));
        }
        if let Some(made) = &self.made {
            let policy = made.policy.as_ref().map(|p| format!(", policy {p}")).unwrap_or_default();
            out.push(format!("  begins at {} ({}){policy}", made.at, made.by));
        }
        for hop in &self.way {
            let mut line = format!("  {} to {}", hop.from, hop.to);
            for (word, passage) in [("export", &hop.export), ("import", &hop.import)] {
                if let Some(passage) = passage {
                    line += &format!(", {word} {passage}");
                }
            }
            out.push(format!("{line}: {}", hop.then));
        }
        out.extend(stopped);
        out
    }
}

impl core::fmt::Display for Explanation {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&self.lines().join("\n"))
    }
}
