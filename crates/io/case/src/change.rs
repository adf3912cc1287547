//! Changes to a case: actions, configuration lines, failures; what they move, and whether they may be made.

use crate::{Case, Text, amend};
use bgp::{Asn, Family, Prefix};
use core::net::IpAddr;
use routing::{Blueprint, Failures, Moved, Plane, Schedule, Solution};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Routers that a packet visits before it is said to go round.
const HOPS_MAX: usize = 64;

/// A change, as its file says it.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Change {
    /// One of the actions.
    Action {
        /// Its name.
        action: String,
        /// Router.
        #[serde(default)]
        router: String,
        /// Neighbour of the session.
        neighbor: Option<IpAddr>,
        /// Prefixes; none: all of the session, where the action allows it.
        #[serde(default)]
        prefixes: Vec<Prefix>,
        /// Values.
        #[serde(default)]
        parameters: Parameters,
    },
    /// Configuration lines of a router.
    Config {
        /// Router.
        router: String,
        /// Lines as they would be typed.
        config: Vec<String>,
    },
    /// Something fails.
    Fail {
        /// What.
        fail: Failure,
    },
    /// Several, in order.
    Several(Vec<Change>),
}

/// Values of an action.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Parameters {
    /// LOCAL_PREF_ADJUST.
    pub local_pref: Option<u32>,
    /// MED_ADJUST.
    pub med: Option<u32>,
    /// AS_PATH_PREPEND: how often.
    pub count: Option<u8>,
    /// COMMUNITY_TAG.
    pub community: Option<String>,
    /// NEXT_HOP_CHANGE.
    pub next_hop: Option<IpAddr>,
}

/// What fails.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// A link, by name.
    Link(String),
    /// A router.
    Router(String),
    /// A session: router and address of the neighbour.
    Session(String, IpAddr),
}

/// Why a change cannot be tried.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The file is not a change.
    #[error("{0}; a change has `action`, `router` and `config`, or `fail`")]
    Json(#[from] serde_json::Error),
    /// It names something that is not there.
    #[error("there is no {what} {name:?} here; there are {known}")]
    Unknown {
        /// Kind.
        what: &'static str,
        /// Name.
        name: String,
        /// What there is.
        known: String,
    },
    /// A value is missing or out of range.
    #[error("{action} needs {needs}")]
    Needs {
        /// Action.
        action: String,
        /// What.
        needs: &'static str,
    },
    /// The action is not computed from configurations alone.
    #[error("{0} is not computed here: say it as configuration lines or as several changes")]
    NotHere(String),
}

/// Outcome of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Name.
    pub name: &'static str,
    /// `pass`, `warn` or `block`.
    pub verdict: &'static str,
    /// Why.
    pub reason: String,
}

/// What a change does.
#[derive(Clone, Debug, Serialize)]
pub struct Effect {
    /// Before and after, by router and prefixes that change alike.
    pub moved: Vec<Moved>,
    /// Checks.
    pub checks: Vec<Check>,
    /// What is not modelled, before or after.
    pub unmodelled: Vec<String>,
}

impl Effect {
    /// Says whether no check blocks.
    #[must_use]
    pub fn passes(&self) -> bool {
        self.checks.iter().all(|c| c.verdict != "block")
    }
}

impl Case {
    fn position(&self, router: &str) -> Result<usize, ChangeError> {
        self.routers.iter().position(|(n, _)| n == router).ok_or_else(|| ChangeError::Unknown {
            what: "router",
            name: router.to_owned(),
            known: self.routers.iter().map(|(n, _)| n.as_str()).collect::<Vec<_>>().join(", "),
        })
    }

    /// Returns the case after a change, and what has failed.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub fn changed(&self, change: &Change) -> Result<(Self, Failures), ChangeError> {
        let (mut case, mut failures) = (self.clone(), Failures::default());
        case.apply(change, &mut failures)?;
        Ok((case, failures))
    }

    fn apply(&mut self, change: &Change, failures: &mut Failures) -> Result<(), ChangeError> {
        match change {
            Change::Several(all) => all.iter().try_for_each(|c| self.apply(c, failures)),
            Change::Config { router, config } => self.types(router, config),
            Change::Fail { fail: Failure::Link(link) } => {
                if !self.links.contains_key(link) {
                    let known = self.links.keys().cloned().collect::<Vec<_>>().join(", ");
                    return Err(ChangeError::Unknown { what: "link", name: link.clone(), known });
                }
                failures.links.insert(link.clone());
                Ok(())
            }
            Change::Fail { fail: Failure::Router(router) } => {
                failures.routers.insert(self.position(router)?);
                Ok(())
            }
            Change::Fail { fail: Failure::Session(router, neighbor) } => {
                failures.sessions.insert((self.position(router)?, *neighbor));
                Ok(())
            }
            Change::Action { action, router, neighbor, prefixes, parameters } => {
                if action == "NO_ACTION" {
                    return Ok(());
                }
                let lines = self.lines(action, router, *neighbor, prefixes, parameters)?;
                self.types(router, &lines)
            }
        }
    }

    fn types(&mut self, router: &str, lines: &[String]) -> Result<(), ChangeError> {
        let at = self.position(router)?;
        let text = amend::amended(&self.routers[at].1.joined(), lines);
        self.routers[at].1 = Text { files: vec![("frr.conf".to_owned(), text)] };
        Ok(())
    }

    /// Says an action in FRR's lines: a policy of our own around the session's, so that nothing of it changes.
    fn lines(
        &self,
        action: &str,
        router: &str,
        neighbor: Option<IpAddr>,
        prefixes: &[Prefix],
        parameters: &Parameters,
    ) -> Result<Vec<String>, ChangeError> {
        let needs = |needs: &'static str| ChangeError::Needs { action: action.to_owned(), needs };
        let config = self.routers[self.position(router)?].1.parse();
        let bgp = config.bgp.ok_or_else(|| needs("a router with BGP"))?;
        let neighbor = neighbor.ok_or_else(|| needs("a neighbor"))?;
        let session = bgp.neighbors.get(&neighbor).ok_or_else(|| ChangeError::Unknown {
            what: "neighbor",
            name: neighbor.to_string(),
            known: bgp.neighbors.keys().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        })?;
        let shutdown = |no: &str| vec![format!("router bgp {}", bgp.asn), format!("{no}neighbor {neighbor} shutdown")];
        let own = vec![bgp.asn.to_string(); usize::from(parameters.count.unwrap_or(0))].join(" ");
        let (direction, clause) = match action {
            "PEER_ACTIVATE" => return Ok(shutdown("no ")),
            "PEER_DEACTIVATE" | "DEPEER" => return Ok(shutdown("")),
            "LOCAL_PREF_ADJUST" => {
                ("in", format!("set local-preference {}", parameters.local_pref.ok_or_else(|| needs("parameters.local_pref"))?))
            }
            "MED_ADJUST" => ("out", format!("set metric {}", parameters.med.ok_or_else(|| needs("parameters.med"))?)),
            "AS_PATH_PREPEND" if own.is_empty() => return Err(needs("parameters.count, one or more")),
            "AS_PATH_PREPEND" => ("out", format!("set as-path prepend {own}")),
            "COMMUNITY_TAG" => {
                let community = parameters.community.as_ref().ok_or_else(|| needs("parameters.community"))?;
                ("out", format!("set community {community} additive"))
            }
            "NEXT_HOP_CHANGE" => ("in", format!("set ip next-hop {}", parameters.next_hop.ok_or_else(|| needs("parameters.next_hop"))?)),
            "PREFIX_FILTER" if prefixes.is_empty() => return Err(needs("prefixes: it is never wider than listed")),
            "PREFIX_FILTER" => ("in", String::new()),
            other => return Err(ChangeError::NotHere(other.to_owned())),
        };
        let mut lines = Vec::new();
        for (family, word, afi) in [(Family::Ipv4Unicast, "ip", "ipv4"), (Family::Ipv6Unicast, "ipv6", "ipv6")] {
            let Some(settings) = session.families.get(&family) else { continue };
            let listed: Vec<&Prefix> = prefixes.iter().filter(|p| p.family() == family).collect();
            if !prefixes.is_empty() && listed.is_empty() {
                continue;
            }
            let name = format!("PH-{afi}-{direction}-{}", neighbor.to_string().replace([':', '.'], "-"));
            for (n, prefix) in listed.iter().enumerate() {
                lines.push(format!("{word} prefix-list {name} seq {} permit {prefix}", (n + 1) * 5));
            }
            let before = if direction == "in" { &settings.import } else { &settings.export };
            if let Some(policy) = before {
                lines.extend([format!("route-map {name} permit 10"), format!("call {policy}"), "on-match next".to_owned()]);
            }
            lines.push(format!("route-map {name} {} 20", if clause.is_empty() { "deny" } else { "permit" }));
            if !listed.is_empty() {
                lines.push(format!("match {word} address prefix-list {name}"));
            }
            lines.extend(Some(clause.clone()).filter(|c| !c.is_empty()));
            lines.push(format!("route-map {name} permit 30"));
            lines.extend([format!("router bgp {}", bgp.asn), format!("address-family {afi} unicast")]);
            lines.extend([
                format!("neighbor {neighbor} route-map {name} {direction}"),
                "exit-address-family".to_owned(),
                "exit".to_owned(),
            ]);
        }
        Ok(lines)
    }

    /// Says what a change would do.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub fn effect(&self, change: &Change) -> Result<Effect, ChangeError> {
        let (case, failures) = self.changed(change)?;
        let before = self.blueprint();
        let mut after = case.blueprint();
        after.failures = failures;
        let mut out = Effect { moved: Vec::new(), checks: Vec::new(), unmodelled: case.unmodelled(&after) };
        let mut seen = Seen::default();
        for family in [Family::Ipv4Unicast, Family::Ipv6Unicast] {
            let (old, new) = (Plane::new(&before, family), Plane::new(&after, family));
            let (was, is) = (old.solve_all(Schedule::First), new.solve_all(Schedule::First));
            let moved = old.moved(&was, &new, &is);
            seen.look(&after, &new, &is, &moved);
            for o in new.order_dependent(&is).into_iter().filter(|o| o.what == "choice") {
                if !old.order_dependent(&was).iter().any(|b| (&b.router, b.prefix) == (&o.router, o.prefix)) {
                    seen.order.push(format!("{} {}", o.router, o.prefix));
                }
            }
            out.moved.extend(moved);
        }
        seen.originates(&before, &after);
        out.checks = seen.checks(out.moved.is_empty());
        Ok(out)
    }
}

/// What was found wrong, by check.
#[derive(Default)]
struct Seen {
    lost: Vec<String>,
    loops: Vec<String>,
    leaks: Vec<String>,
    circles: Vec<String>,
    order: Vec<String>,
    originated: Vec<String>,
}

impl Seen {
    fn look(&mut self, network: &Blueprint, plane: &Plane<'_>, after: &Solution, moved: &[Moved]) {
        for m in moved {
            let position = network.routers.iter().position(|r| r.name == m.router);
            let gone = position.is_some_and(|p| network.failures.routers.contains(&p));
            for prefix in &m.prefixes {
                if m.before.is_some() && m.after.is_none() && !gone {
                    self.lost.push(format!("{} {prefix}", m.router));
                }
                if let Some(at) = position.filter(|_| m.after.is_some())
                    && goes_round(network, plane, after, at, prefix)
                {
                    self.loops.push(format!("{} {prefix}", m.router));
                }
            }
            if let (Some(at), Some(choice)) = (position, &m.after)
                && let Some(through) = leaks(network, at, &choice.as_path)
                && m.before.as_ref().and_then(|b| leaks(network, at, &b.as_path)).is_none()
            {
                self.leaks.push(format!("{} hears {} other networks' prefixes through {through}", m.router, m.prefixes.len()));
            }
        }
        self.circles.extend(plane.circles(after).into_iter().map(|(p, routers)| format!("{p}: {}", routers.join(", "))));
    }

    fn originates(&mut self, before: &Blueprint, after: &Blueprint) {
        for (old, new) in before.routers.iter().zip(&after.routers) {
            let made = |r: &routing::Router| -> BTreeSet<String> {
                let bgp = r.config.bgp.iter();
                bgp.flat_map(|b| {
                    b.networks.iter().map(|n| n.prefix.to_string()).chain(b.wider.aggregates.iter().map(|a| a.prefix.to_string()))
                })
                .collect()
            };
            self.originated.extend(made(new).difference(&made(old)).map(|p| format!("{} {p}", new.name)));
        }
    }

    fn checks(&self, nothing: bool) -> Vec<Check> {
        let check = |name, found: &[String], verdict, good: &str, bad: &str| {
            let some = found.iter().take(5).cloned().collect::<Vec<_>>().join("; ");
            match found.len() {
                0 => Check { name, verdict: "pass", reason: good.to_owned() },
                n => Check { name, verdict, reason: format!("{bad} ({n}): {some}") },
            }
        };
        let effect = if nothing {
            Check { name: "effect", verdict: "warn", reason: "nothing changes".to_owned() }
        } else {
            Check { name: "effect", verdict: "pass", reason: "choices change".to_owned() }
        };
        vec![
            check("black_hole", &self.lost, "block", "every prefix that was reached is reached", "no path is left"),
            check("forwarding_loop", &self.loops, "block", "no traffic goes round", "traffic goes round"),
            check("route_leak", &self.leaks, "block", "no transit that was not there", "transit between other networks (RFC 7908)"),
            check("stable", &self.circles, "block", "every destination comes to rest", "choices go round in a circle"),
            check(
                "order",
                &self.order,
                "warn",
                "no choice depends on the order of arrival that did not before",
                "depends on the order of arrival now",
            ),
            check("origination", &self.originated, "block", "nothing new is originated", "is originated anew"),
            effect,
        ]
    }
}

/// Follows next hops from router to router.
fn goes_round(network: &Blueprint, plane: &Plane<'_>, solution: &Solution, from: usize, prefix: &Prefix) -> bool {
    let mut at = from;
    for _ in 0..HOPS_MAX {
        let Some(hop) = plane.choice(solution, at, prefix).filter(|c| c.from.is_some()).and_then(|c| c.next_hop) else { return false };
        match network.routers.iter().position(|r| r.config.owns(hop)) {
            Some(next) if next != at => at = next,
            _ => return false,
        }
    }
    true
}

/// Returns the AS that gives transit between two others that both have their own, when a path shows that: heard from it, and leading on to a
/// third that is a neighbour of it.
fn leaks(network: &Blueprint, router: usize, as_path: &str) -> Option<Asn> {
    let asns: Vec<u32> = as_path.split([' ', '{', '}', ',']).filter_map(|a| a.parse().ok()).collect();
    let own = network.routers[router].config.bgp.as_ref()?.asn;
    let mut path = asns.clone();
    path.dedup();
    let [first, second, ..] = path[..] else { return None };
    let inside = |asn: u32| network.routers.iter().filter(|r| r.config.bgp.as_ref().is_some_and(|b| b.asn.0 == asn)).count();
    (first != own.0 && second != own.0 && inside(first) > 1 && inside(second) == 1).then_some(Asn(first))
}
