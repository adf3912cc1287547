//! Rows that depend on the order of arrival, shown on real FRR: the same network comes up in several orders, and its tables are compared.

use crate::answer::{self, Answer};
use crate::frr::{Shown, ShownPrefix};
use crate::live::{Arrival, Live, LiveError};
use crate::{Case, compare};
use bgp::{Family, Prefix};
use core::fmt;
use core::net::IpAddr;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use routing::{Plane, Schedule};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

/// Networks at once.
const AT_ONCE: usize = 3;

/// An order of arrival: in words, as it is computed, and as it is brought about.
struct Order {
    name: String,
    live: Arrival,
    /// Sides of sessions that are up after each stage.
    sides: Vec<usize>,
    /// Our tables in this order.
    answer: Answer,
}

/// What one router showed for a prefix in one order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Showed {
    /// Neighbour of the best path (`local`: made here; `none`).
    pub best: String,
    /// FRR's word for the last comparison.
    pub reason: String,
    /// Who it has paths from, and which.
    pub paths: BTreeSet<(String, String)>,
}

/// One row over all orders.
#[derive(Clone, Debug)]
pub struct Row {
    /// Router.
    pub router: String,
    /// Prefix.
    pub prefix: Prefix,
    /// What was told of it; `None`: that it depends on nothing.
    pub told: Option<routing::OrderDependent>,
    /// What FRR showed: and in which orders.
    pub showed: BTreeMap<Showed, Vec<String>>,
}

impl Row {
    /// Says whether FRR's tables differed.
    #[must_use]
    pub fn differed(&self) -> bool {
        self.showed.len() > 1
    }

    /// Says whether every choice that FRR made is one that was told.
    #[must_use]
    pub fn as_told(&self) -> bool {
        self.told.as_ref().is_some_and(|t| self.showed.keys().all(|s| t.candidates.contains(&s.best)))
    }
}

/// What the orders showed of a case.
#[derive(Clone, Debug, Default)]
pub struct Proof {
    /// Orders that came to rest.
    pub orders: Vec<String>,
    /// Orders that did not, and why.
    pub failed: Vec<String>,
    /// Rows of the network.
    pub rows: usize,
    /// Rows compared with ours over all orders, each with ours in the same order.
    pub compared: usize,
    /// Those of them that were not equal.
    pub other: Vec<String>,
    /// Rows that were told, and rows that differed.
    pub notable: Vec<Row>,
}

impl Proof {
    /// Rows that were told and differed as told.
    #[must_use]
    pub fn proven(&self) -> usize {
        self.notable.iter().filter(|r| r.differed() && r.as_told()).count()
    }

    /// Rows that were told and that no order showed.
    #[must_use]
    pub fn unproven(&self) -> usize {
        self.notable.iter().filter(|r| r.told.is_some() && !(r.differed() && r.as_told())).count()
    }

    /// Rows that differed and were not told.
    #[must_use]
    pub fn missed(&self) -> usize {
        self.notable.iter().filter(|r| r.told.is_none()).count()
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in &self.notable {
            let told = row.told.as_ref().map_or_else(
                || "not told".to_owned(),
                |t| {
                    let list = |set: &mut dyn Iterator<Item = &str>| set.collect::<Vec<_>>().join(" or ");
                    let (best, by) = (list(&mut t.candidates.iter().map(String::as_str)), list(&mut t.reasons.iter().copied()));
                    format!("told: {} by {best}, chosen by {by}", t.what)
                },
            );
            let verdict = match (row.differed(), row.told.is_some() && row.as_told()) {
                (true, true) => "proven",
                (true, false) => "NOT AS TOLD",
                (false, _) => "NOT SEEN",
            };
            writeln!(f, "{verdict} {} {} ({told})", row.router, row.prefix)?;
            for (showed, orders) in &row.showed {
                let paths = showed.paths.iter().map(|(from, path)| format!("{from} [{path}]")).collect::<Vec<_>>().join(", ");
                writeln!(f, "  FRR, {}: best {} by {}; paths {paths}", orders.join(", "), showed.best, showed.reason)?;
            }
        }
        for other in &self.other {
            writeln!(f, "other than predicted, {other}")?;
        }
        for failed in &self.failed {
            writeln!(f, "order not seen: {failed}")?;
        }
        write!(
            f,
            "{} rows in {} orders, {} of {} as predicted for their order: {} told and proven, {} told and not seen, {} not told",
            self.rows,
            self.orders.len(),
            self.compared - self.other.len(),
            self.compared,
            self.proven(),
            self.unproven(),
            self.missed()
        )
    }
}

/// Returns the orders that may matter for a network, with our tables in each; the first is as it comes.
fn orders(case: &Case) -> Vec<Order> {
    let blueprint = case.blueprint();
    let planes = [Family::Ipv4Unicast, Family::Ipv6Unicast].map(|f| Plane::new(&blueprint, f));
    let mut all = vec![routing::Arrival::default()];
    for plane in &planes {
        let more = plane.arrivals(&plane.solve_all(Schedule::First));
        all.extend(more.into_iter().filter(|a| !all.contains(a)).collect::<Vec<_>>());
    }
    let name = |r: &usize| blueprint.routers[*r].name.clone();
    let order = |arrival: routing::Arrival| {
        // a neighbour of a listen range is held at its own end
        let end = |(r, n): &(usize, IpAddr)| {
            let own = blueprint.routers[*r].config.bgp.as_ref().is_some_and(|b| b.neighbors.contains_key(n));
            let other = || planes.iter().find_map(|p| p.other_end(*r, *n));
            let (r, n) = if own { (*r, *n) } else { other().unwrap_or((*r, *n)) };
            (name(&r), n)
        };
        let stages = arrival.stages.iter().map(|s| s.iter().map(end).collect()).collect();
        let in_order = [0, 1].map(|n: usize| planes[n].in_order(&arrival));
        let solutions = in_order.each_ref().map(|p| p.solve_all(Schedule::First));
        let up = |s: u16| in_order.iter().zip(&solutions).map(|(p, solution)| p.sides_up(solution, s)).sum();
        let sides = (0..=arrival.stages.len() as u16).map(up).collect();
        let live = Arrival { stages, patient: arrival.patient.iter().map(name).collect() };
        Order { name: planes[0].words(&arrival), live, sides, answer: answer::solve_in(case, &arrival) }
    };
    all.into_iter().map(order).collect()
}

/// Takes the first order, and the fewest others, roughly, in which every row that depends on order has two outcomes: as it comes is no order
/// that can be counted on. That a router hears everything before it chooses cannot be counted on either (`update-delay` may end with the
/// first neighbour): such an order is taken last.
fn cover(mut rest: Vec<Order>) -> Vec<Order> {
    if rest.len() < 2 {
        return rest;
    }
    let first = rest.remove(0);
    rest.sort_by_key(|o| !o.live.patient.is_empty());
    let mut open: BTreeSet<(String, Prefix)> = rest.iter().skip(1).flat_map(|o| different(&rest[0].answer, &o.answer)).collect();
    let mut chosen = vec![rest.remove(0)];
    for patient in [false, true] {
        loop {
            let gain = |o: &Order| {
                let all = chosen.iter().flat_map(|c| different(&c.answer, &o.answer));
                all.filter(|r| o.live.patient.is_empty() != patient && open.contains(r)).collect::<BTreeSet<_>>()
            };
            let best = rest.iter().map(gain).enumerate().max_by_key(|(at, g)| (g.len(), core::cmp::Reverse(*at)));
            let Some((at, closed)) = best.filter(|(_, closed)| !closed.is_empty()) else { break };
            open.retain(|r| !closed.contains(r));
            chosen.push(rest.remove(at));
        }
    }
    chosen.insert(0, first);
    chosen
}

/// The rows in which two answers differ.
fn different(a: &Answer, b: &Answer) -> BTreeSet<(String, Prefix)> {
    let mut out = BTreeSet::new();
    for (router, families) in &a.routers {
        for (family, rows) in families {
            let others = b.routers.get(router).and_then(|t| t.get(family));
            let prefixes: BTreeSet<&Prefix> = rows.keys().chain(others.into_iter().flat_map(|t| t.keys())).collect();
            let shape = |row: Option<&answer::Row>| {
                let paths = row.map(|r| r.paths.as_slice()).unwrap_or_default();
                let all: BTreeSet<(Option<IpAddr>, String)> = paths.iter().map(|p| (p.from, p.as_path.clone())).collect();
                (all, paths.iter().find(|p| p.best).map(|p| (p.from, p.native_reason)))
            };
            let differs = |p: &&&Prefix| shape(rows.get(**p)) != shape(others.and_then(|t| t.get(**p)));
            out.extend(prefixes.iter().filter(differs).map(|p| (router.clone(), **p)));
        }
    }
    out
}

fn showed(shown: Option<&ShownPrefix>) -> Showed {
    let name = |p: &crate::frr::ShownPath| p.from().map_or_else(|| "local".to_owned(), |f| f.to_string());
    let paths = shown.map(|s| s.paths.as_slice()).unwrap_or_default();
    let best = paths.iter().find(|p| p.is_best());
    Showed {
        best: best.map_or_else(|| "none".to_owned(), name),
        reason: best.and_then(|p| p.bestpath.as_ref()?.reason.clone()).unwrap_or_default(),
        paths: paths.iter().map(|p| (name(p), p.as_path())).collect(),
    }
}

type Tables = BTreeMap<String, Shown>;

fn seen(case: &Case, order: &Order, name: &str, stop: &AtomicBool) -> Result<Tables, LiveError> {
    let live = Live::start(case, name, &order.live, stop)?;
    for (stage, sides) in order.live.stages.iter().zip(&order.sides) {
        if let Some(why) = live.rest(*sides)? {
            return Err(LiveError(format!("before {} sessions more: {why}", stage.len())));
        }
        live.release(case, stage)?;
    }
    let (tables, unfinished) = live.tables(order.sides.last().copied().unwrap_or(0))?;
    unfinished.map_or(Ok(tables), |why| Err(LiveError(why)))
}

/// Runs a case in the orders that matter; `name` tells it from others of this process.
pub fn prove(case: &Case, name: &str, stop: &AtomicBool, say: impl Fn(&str) + Sync) -> Proof {
    let answer = answer::solve(case);
    let orders = cover(orders(case));
    let next = AtomicUsize::new(0);
    let runs: Mutex<Vec<(usize, Result<Tables, LiveError>)>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some((n, order)) = Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|n| Some((n, orders.get(n)?))) {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let run = seen(case, order, &format!("{name}-o{n}"), stop);
                    let done = run.as_ref().map_or_else(ToString::to_string, |_| "at rest".to_owned());
                    say(&format!("{}: {done}", order.name));
                    runs.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((n, run));
                }
            });
        }
    });
    let mut runs = runs.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    runs.sort_by_key(|(n, _)| *n);
    let mut proof = Proof::default();
    let mut tables = Vec::new();
    for (n, run) in runs {
        match run {
            Ok(run) => {
                let (rows, other) = compare::tables(&orders[n].answer, &run);
                proof.compared += rows;
                proof
                    .other
                    .extend(other.into_iter().map(|d| format!("{}: {} {}: {}", orders[n].name, d.router, d.prefix, d.what.join("; "))));
                proof.orders.push(orders[n].name.clone());
                tables.push((orders[n].name.clone(), run));
            }
            Err(error) => proof.failed.push(format!("{}: {error}", orders[n].name)),
        }
    }
    gather(&answer, &tables, &mut proof);
    proof
}

fn gather(answer: &Answer, runs: &[(String, Tables)], proof: &mut Proof) {
    for (router, families) in &answer.routers {
        let mut prefixes: BTreeSet<Prefix> = families.values().flat_map(|t| t.keys()).copied().collect();
        let shown = runs.iter().filter_map(|(_, t)| t.get(router)).flat_map(|s| s.detail.keys().chain(s.detail_v6.keys()));
        prefixes.extend(shown.filter_map(|p| p.parse::<Prefix>().ok()));
        for prefix in prefixes {
            proof.rows += 1;
            let mut all: BTreeMap<Showed, Vec<String>> = BTreeMap::new();
            for (order, tables) in runs {
                let row = tables.get(router).and_then(|s| compare::row_of(s, &prefix));
                all.entry(showed(row)).or_default().push(order.clone());
            }
            let told = answer.order_dependent.iter().find(|o| &o.router == router && o.prefix == prefix).cloned();
            if told.is_some() || all.len() > 1 {
                proof.notable.push(Row { router: router.clone(), prefix, told, showed: all });
            }
        }
    }
}
