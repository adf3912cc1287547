//! Why a router chose what it chose: the deciding step with both values, what every other path lost by, and the way it came.

use crate::compare::Step;
use crate::plane::{NONE, Plane};
use crate::route::Route;
use crate::session::OUTSIDE;
use crate::solution::{Solution, Solved};
use crate::transfer::Stop;
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

/// One hop of the way of the best path, the origin first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hop {
    /// Who sent it.
    pub from: String,
    /// Who took it.
    pub to: String,
    /// Export policy at the sender, with the terms that matched.
    pub export: Option<String>,
    /// Import policy at the receiver, with the terms that matched.
    pub import: Option<String>,
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
    /// Step that chose.
    pub step: &'static str,
    /// The other paths.
    pub losers: Vec<Loser>,
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
        let state = &solved.state;
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
                |slot: u32, metric: u32| self.value(shared.routes.get(state.slots[slot as usize].route), slot, step, metric, router);
            Loser { from: self.name_of(slot), step: step.name(), best_has: value(best, mine), this_has: value(slot, theirs) }
        });
        let losers: Vec<Loser> = losers.collect();
        let way = if best == NONE { Vec::new() } else { self.way(solved, best, shared) };
        Some(Explanation {
            router: self.network.routers[router].name.clone(),
            prefix: *prefix,
            best: (best != NONE).then(|| self.name_of(best)),
            step: state.said[router].0.name(),
            losers,
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
            Step::ClusterLength => a.cluster_list.len().to_string(),
            Step::LocalOrigin | Step::LocalConfigured => if route.kind.is_local() { route.kind.name() } else { "learned" }.to_owned(),
            Step::NextHop => a.next_hop.map_or_else(String::new, |h| h.to_string()),
            Step::NeighbourAddress | Step::Nothing => half.map_or_else(String::new, |h| h.from_address.to_string()),
            Step::OnlyPath | Step::Oldest => String::new(),
        }
    }

    /// Follows a path back to where it was made.
    fn way(&self, solved: &Solved, slot: u32, shared: &crate::Shared) -> Vec<Hop> {
        let mut out = Vec::new();
        let mut at = slot;
        while out.len() < HOPS_MAX {
            let h = self.slot_half[at as usize];
            if h == NONE {
                break;
            }
            let half = &self.halves[h as usize];
            let name = |router: u32, address: core::net::IpAddr| match self.network.routers.get(router as usize) {
                Some(r) => r.name.clone(),
                None => address.to_string(),
            };
            let (first, count) = self.half_slots[h as usize];
            let sender = if half.from == OUTSIDE {
                NONE
            } else if count == 1 {
                solved.state.best[half.from as usize]
            } else {
                self.nodes[half.from as usize].slots.start + (at - first)
            };
            let sent = (sender != NONE).then(|| shared.routes.get(solved.state.slots[sender as usize].route));
            let terms = |side| sent.and_then(|route| self.terms(&solved.class, h, side, route));
            out.push(Hop {
                from: name(half.from, half.from_address),
                to: name(half.to, half.to_address),
                export: terms(crate::Side::Export),
                import: terms(crate::Side::Import),
            });
            if sender == NONE {
                break;
            }
            at = sender;
        }
        out.reverse();
        out
    }

    /// Names the policy of one end of a direction and the terms of it that a route matched.
    fn terms(&self, class: &crate::Class, h: u32, side: crate::Side, route: &Route) -> Option<String> {
        let half = &self.halves[h as usize];
        let (router, address) = match side {
            crate::Side::Export => (half.from, half.to_address),
            crate::Side::Import => (half.to, half.from_address),
        };
        let end = self.end(router as usize)?;
        let settings = crate::session::family_of(end.bgp, address, self.family)?;
        let name = if side == crate::Side::Export { settings.export.as_ref() } else { settings.import.as_ref() }?;
        let outbound = side == crate::Side::Export;
        let question = crate::Question { prefix: &class.prefix, neighbor: Some(address), local: None, outbound, rpki: None };
        match end.policies.run(name, &question, &mut route.clone()) {
            crate::Verdict::Accepted { terms, .. } => {
                Some(format!("{name} term {}", terms.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")))
            }
            // the import policy saw the route as it was on the wire, not as the sender holds it
            _ => Some(name.clone()),
        }
    }

    fn stopped(&self, solved: &Solved, router: usize, shared: &crate::Shared) -> Vec<Stopped> {
        let mut out = Vec::new();
        for (h, half) in self.halves.iter().enumerate() {
            let (first, _) = self.half_slots[h];
            if half.to as usize != router || half.from == OUTSIDE || solved.state.slots[first as usize].route != NONE {
                continue;
            }
            let best = solved.state.best[half.from as usize];
            if best == NONE {
                continue;
            }
            if let Err(stop) = self.explain(&solved.class, h as u32, best, &solved.state, shared) {
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

impl core::fmt::Display for Explanation {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Some(best) = &self.best else {
            write!(f, "{} has no usable path to {}", self.router, self.prefix)?;
            for s in &self.stopped {
                write!(f, "\n  nothing from {}: {}", s.from, s.why)?;
            }
            return Ok(());
        };
        write!(f, "{} reaches {} by {best}, chosen by {}", self.router, self.prefix, self.step)?;
        for l in &self.losers {
            write!(f, "\n  better than {} by {}: {} against {}", l.from, l.step, l.best_has, l.this_has)?;
        }
        for hop in &self.way {
            write!(f, "\n  {} to {}", hop.from, hop.to)?;
            for (word, policy) in [("export", &hop.export), ("import", &hop.import)] {
                if let Some(policy) = policy {
                    write!(f, ", {word} {policy}")?;
                }
            }
        }
        for s in &self.stopped {
            write!(f, "\n  nothing from {}: {}", s.from, s.why)?;
        }
        Ok(())
    }
}
