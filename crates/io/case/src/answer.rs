//! What the routers make of a case, as `pilotctl twin solve` prints it.

use crate::Case;
use crate::beside::Beside;
use bgp::{Family, Prefix};
use routing::{Anomaly, Arrival, OrderDependent, PathRow, Plane, Schedule, Tables};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

/// Prefixes that are named in place of one that is not there.
const NEAR: usize = 4;

/// A prefix with its paths.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Paths, newest first.
    pub paths: Vec<PathRow>,
}

/// Tables by family and prefix.
pub type RouterTables = BTreeMap<String, BTreeMap<Prefix, Row>>;

/// No stable state, or none found.
#[derive(Clone, Debug, Serialize)]
pub struct Oscillation {
    /// Prefix.
    pub prefix: Prefix,
    /// Routers whose choice goes round: the dispute wheel's members are among them.
    pub routers: Vec<String>,
}

/// A session that is configured and does not come up.
#[derive(Clone, Debug, Serialize)]
pub struct AbsentSession {
    /// Router.
    pub router: String,
    /// Neighbour.
    pub neighbor: core::net::IpAddr,
    /// Why.
    pub why: String,
}

/// The answer.
#[derive(Clone, Debug, Serialize)]
pub struct Answer {
    /// Tables of each router.
    pub routers: BTreeMap<String, RouterTables>,
    /// Every destination came to rest.
    pub converged: bool,
    /// Destinations that depend on each other did not come to rest: aggregates, default routes, conditions, next hops that BGP reaches.
    pub restless: bool,
    /// Choices that another order of arrival makes otherwise.
    pub order_dependent: Vec<OrderDependent>,
    /// Destinations without rest.
    pub oscillation: Option<Vec<Oscillation>>,
    /// Destinations without one state of rest, or whose route cannot come into force: which kind, and the dispute wheel.
    pub anomalies: Vec<Anomaly>,
    /// Destinations that were not searched for anomalies: the search is bounded.
    pub unsearched: usize,
    /// What is not modelled, with its place.
    pub unmodelled: Vec<String>,
    /// Sessions that do not come up.
    pub absent_sessions: Vec<AbsentSession>,
    /// Rounds of what depends on other destinations.
    pub rounds: usize,
    /// Messages between routers.
    pub messages: usize,
    /// Sides of sessions that come up, in each family that they carry.
    pub session_sides: usize,
}

/// Solves a case.
#[must_use]
pub fn solve(case: &Case) -> Answer {
    solve_with(case, &Beside::default())
}

/// Solves a case with what is told beside it.
#[must_use]
pub fn solve_with(case: &Case, beside: &Beside) -> Answer {
    solved(case, beside, None)
}

/// Solves a case whose sessions come up in an order; what depends on it is not looked for.
#[must_use]
pub fn solve_in(case: &Case, arrival: &Arrival) -> Answer {
    solved(case, &Beside::default(), Some(arrival))
}

/// Returns the tables of a case for every other order of arrival that may matter, each family for itself.
#[must_use]
pub fn in_other_orders(case: &Case) -> Vec<(Family, Tables)> {
    let blueprint = case.blueprint();
    let mut out = Vec::new();
    for family in [Family::Ipv4Unicast, Family::Ipv6Unicast] {
        let plane = Plane::new(&blueprint, family);
        let solution = plane.solve_all(Schedule::First);
        for other in plane.in_other_orders(&solution) {
            // what comes at once stands in the list in one order or the other
            out.extend(Schedule::ALL.map(|s| (family, other.tables(&mut other.solve_all(s)))));
        }
    }
    out
}

fn solved(case: &Case, beside: &Beside, arrival: Option<&Arrival>) -> Answer {
    let blueprint = case.blueprint_with(beside);
    let mut out = Answer {
        routers: BTreeMap::new(),
        converged: true,
        restless: false,
        order_dependent: Vec::new(),
        oscillation: None,
        anomalies: Vec::new(),
        unsearched: 0,
        unmodelled: case.unmodelled(&blueprint),
        absent_sessions: Vec::new(),
        rounds: 0,
        messages: 0,
        session_sides: 0,
    };
    for family in [Family::Ipv4Unicast, Family::Ipv6Unicast] {
        let mut plane = Plane::new(&blueprint, family);
        if let Some(arrival) = arrival {
            plane.arrive(arrival);
        }
        let mut solution = plane.solve_all(Schedule::First);
        if arrival.is_none() {
            out.order_dependent.extend(plane.order_dependent(&solution));
            let told = plane.anomalies(&mut solution);
            out.unsearched += told.of - told.searched;
            out.anomalies.extend(told.anomalies);
        }
        let circles = plane.circles(&solution).into_iter().map(|(prefix, routers)| Oscillation { prefix, routers });
        let circles: Vec<Oscillation> = circles.collect();
        if !circles.is_empty() {
            out.oscillation.get_or_insert_default().extend(circles);
        }
        out.restless |= solution.restless;
        out.converged &= out.oscillation.is_none() && !solution.restless;
        out.rounds = out.rounds.max(solution.rounds);
        out.messages += plane.messages(&solution);
        out.session_sides += plane.sides_up(&solution, u16::MAX);
        for router in plane.unknown_flaps() {
            let name = &blueprint.routers[router].name;
            out.unmodelled
                .push(format!("{name}: bgp dampening ({family}): what its routes did before is not known; none is taken for suppressed"));
        }
        for absent in &plane.absent {
            let (router, neighbor, why) = (blueprint.routers[absent.router].name.clone(), absent.neighbor, absent.why.clone());
            out.absent_sessions.push(AbsentSession { router, neighbor, why });
        }
        for (router, table) in plane.tables(&mut solution) {
            let rows = table.into_iter().map(|(prefix, paths)| (prefix, Row { paths })).collect();
            out.routers.entry(router).or_default().insert(family.to_string(), rows);
        }
    }
    out
}

impl Answer {
    /// Keeps what concerns one prefix, or one router, in the tables and in what is said beside them; what is not modelled stays, wherever it
    /// stands: it may matter everywhere.
    pub fn keep(&mut self, prefix: Option<Prefix>, router: Option<&str>) {
        let here = |name: &str| router.is_none_or(|r| r == name);
        let this = |p: &Prefix| prefix.is_none_or(|wanted| wanted == *p);
        self.routers.retain(|name, _| here(name));
        self.routers.values_mut().flat_map(BTreeMap::values_mut).for_each(|rows| rows.retain(|p, _| this(p)));
        self.order_dependent.retain(|o| here(&o.router) && this(&o.prefix));
        let around = |routers: &[String]| router.is_none() || routers.iter().any(|r| here(r));
        if let Some(circles) = &mut self.oscillation {
            circles.retain(|o| this(&o.prefix) && around(&o.routers));
        }
        self.oscillation = self.oscillation.take().filter(|circles| !circles.is_empty());
        self.anomalies.retain(|a| around(&a.routers) && a.prefixes.iter().any(this));
        self.absent_sessions.retain(|a| here(&a.router));
    }

    /// Returns the routers that have a prefix.
    #[must_use]
    pub fn holders(&self, prefix: &Prefix) -> Vec<&str> {
        let has = |tables: &RouterTables| tables.values().any(|rows| rows.contains_key(prefix));
        self.routers.iter().filter(|(_, tables)| has(tables)).map(|(name, _)| name.as_str()).collect()
    }

    /// Returns prefixes of the tables that are near one: what covers it and what it covers, else its neighbours in order.
    #[must_use]
    pub fn near(&self, prefix: &Prefix) -> Vec<Prefix> {
        let all: BTreeSet<Prefix> = self.routers.values().flat_map(BTreeMap::values).flat_map(BTreeMap::keys).copied().collect();
        let family = || all.iter().filter(|p| p.family() == prefix.family());
        let mut near: Vec<Prefix> = family().filter(|p| p.covers(prefix) || prefix.covers(p)).copied().collect();
        // the closest of them in length
        near.sort_by_key(|p| (p.length().abs_diff(prefix.length()), *p));
        if near.is_empty() {
            near.extend(family().rfind(|p| *p < prefix));
            near.extend(family().find(|p| *p > prefix));
        }
        near.truncate(NEAR);
        near
    }

    /// Writes the tables as text, `>` before the best path, `=` before others that are used.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&self, out: &mut impl Write) -> std::io::Result<()> {
        for (router, tables) in &self.routers {
            for (family, rows) in tables.iter().filter(|(_, rows)| !rows.is_empty()) {
                writeln!(out, "{router} {family}")?;
                for (prefix, row) in rows {
                    for path in &row.paths {
                        let mark = match (path.best, path.multipath, path.valid) {
                            (true, ..) => '>',
                            (_, true, _) => '=',
                            (.., false) => '!',
                            _ => ' ',
                        };
                        let from = path.from.map_or_else(|| "local".to_owned(), |f| f.to_string());
                        write!(
                            out,
                            "  {mark} {prefix} from {from} via {}",
                            path.next_hops.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
                        )?;
                        write!(out, " path [{}] {:?}", path.as_path, path.origin)?;
                        for (name, value) in [("lp", path.local_pref), ("med", path.med)] {
                            if let Some(value) = value {
                                write!(out, " {name} {value}")?;
                            }
                        }
                        if path.weight > 0 {
                            write!(out, " weight {}", path.weight)?;
                        }
                        if let Some(reason) = path.reason {
                            write!(out, " by {reason}")?;
                        }
                        writeln!(out)?;
                    }
                }
            }
        }
        for absent in &self.absent_sessions {
            writeln!(out, "{}: session with {} does not come up: {}", absent.router, absent.neighbor, absent.why)?;
        }
        for o in &self.order_dependent {
            let list = |set: &mut dyn Iterator<Item = &str>| set.collect::<Vec<_>>().join(" or ");
            let (choice, by) = (list(&mut o.candidates.iter().map(String::as_str)), list(&mut o.reasons.iter().copied()));
            writeln!(out, "{} {}: depends on the order of arrival ({}): best by {choice}, chosen by {by}", o.router, o.prefix, o.what)?;
        }
        for o in self.oscillation.iter().flatten() {
            writeln!(out, "{}: no stable state: the choices of {} go round in a circle", o.prefix, o.routers.join(", "))?;
        }
        if self.restless {
            writeln!(
                out,
                "no stable state: aggregates, default routes, conditions or next hops that BGP itself reaches keep changing each other"
            )?;
        }
        for anomaly in &self.anomalies {
            writeln!(out, "{anomaly}")?;
        }
        if self.unsearched > 0 {
            writeln!(out, "{} destinations were not searched for anomalies", self.unsearched)?;
        }
        for line in &self.unmodelled {
            writeln!(out, "not modelled: {line}")?;
        }
        Ok(())
    }
}
