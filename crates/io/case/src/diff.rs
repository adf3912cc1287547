//! Seeds of random networks, each on real FRR and by computation.

mod smaller;

use crate::answer::Answer;
use crate::compare::Different;
use crate::frr::Shown;
use crate::generate::network;
use crate::live::{Arrival, Live, LiveError};
use crate::{Case, answer, compare};
use core::fmt;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Networks at once, unless it is said: they mostly wait.
pub const AT_ONCE: usize = 3;
/// The file of a case that holds what real routers showed.
pub const TABLES: &str = "frr-8.4.4-tables.json";

/// The agreement over all seeds.
#[derive(Clone, Debug, Default)]
pub struct Agreement {
    /// Networks compared.
    pub networks: usize,
    /// Networks that did not run, or did not come to rest although we say that they do.
    pub failed: usize,
    /// Networks that did not come to rest, as we say of them. Their rows are not compared.
    pub restless: usize,
    /// Rows (router and prefix).
    pub rows: usize,
    /// Rows that differ and were told as dependent on the order of arrival.
    pub told: usize,
    /// Those of them that equal our row in another order of arrival.
    pub met: usize,
    /// Rows that are equal and were told as dependent on the order of arrival.
    pub told_equal: usize,
    /// Rows in which the same path is best and only the last comparison of the router was another; it depends on what arrived together.
    pub reasons: usize,
    /// Rows that differ and were not told.
    pub untold: usize,
    /// Each difference that was not told, in words, with the place of the case that was made smaller.
    pub differences: Vec<String>,
}

impl fmt::Display for Agreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let equal = self.rows - self.told - self.reasons - self.untold;
        let share = |n: usize| 100.0 * n as f64 / self.rows.max(1) as f64;
        writeln!(f, "networks run              {}", self.networks)?;
        writeln!(f, "  at rest on neither side {} (as told; rows not compared)", self.restless)?;
        writeln!(f, "  did not run, or rest    {}", self.failed)?;
        writeln!(f, "router-prefix rows        {}", self.rows)?;
        writeln!(f, "  equal to FRR            {equal} ({:.3} %)", share(equal))?;
        writeln!(
            f,
            "  dependent on order      {} ({:.3} %), told; {} of them are ours in another order; {} more told and equal",
            self.told,
            share(self.told),
            self.met,
            self.told_equal
        )?;
        writeln!(f, "  equal but for the step  {} ({:.3} %)", self.reasons, share(self.reasons))?;
        writeln!(f, "  different               {} ({:.3} %)", self.untold, share(self.untold))?;
        if self.differences.is_empty() {
            return write!(f, "no differences");
        }
        write!(f, "differences:")?;
        self.differences.iter().try_for_each(|d| write!(f, "\n  {d}"))
    }
}

/// How seeds are run.
#[derive(Clone, Debug)]
pub struct How<'h> {
    /// Networks with a difference are made smaller and kept under it.
    pub keep: Option<&'h Path>,
    /// Networks at once.
    pub at_once: usize,
}

impl Default for How<'_> {
    fn default() -> Self {
        Self { keep: None, at_once: AT_ONCE }
    }
}

/// Runs seeds; `say` gets a line for each network and each difference. `stop` ends it early.
pub fn seeds(list: &[u64], how: &How<'_>, stop: &AtomicBool, say: impl Fn(&str) + Sync) -> Agreement {
    let next = AtomicUsize::new(0);
    let total = Mutex::new(Agreement::default());
    std::thread::scope(|scope| {
        for _ in 0..how.at_once {
            scope.spawn(|| {
                loop {
                    let seed = list.get(next.fetch_add(1, Ordering::Relaxed)).copied();
                    let Some(seed) = seed.filter(|_| !stop.load(Ordering::Relaxed)) else { return };
                    one(seed, how.keep, &total, stop, &say);
                }
            });
        }
    });
    let mut total = total.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    total.differences.sort();
    total
}

fn one(seed: u64, keep: Option<&Path>, total: &Mutex<Agreement>, stop: &AtomicBool, say: &(impl Fn(&str) + Sync)) {
    let case = network(seed, &[]);
    let mut result = compared(&case, &seed.to_string(), stop);
    // what a second run does not show was a matter of time
    if result.as_ref().map_or(true, Compared::is_doubtful) {
        result = compared(&case, &seed.to_string(), stop);
    }
    if stop.load(Ordering::Relaxed) {
        return;
    }
    let differs = result.as_ref().is_ok_and(|r| r.unfinished.is_none() && r.untold() > 0);
    let rows = result.as_ref().map(smaller::rows).unwrap_or_default();
    let kept = keep.filter(|_| differs).map(|dir| kept(seed, &rows, &dir.join(format!("seed-{seed}")), stop));
    let mut lines = Vec::new();
    let mut total = total.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    total.networks += 1;
    match &result {
        Err(error) => {
            total.failed += 1;
            total.differences.push(format!("seed {seed}: did not run: {error}"));
            lines.push(format!("seed {seed}: {error}"));
        }
        Ok(Compared { unfinished: Some(why), rests: false, .. }) => {
            total.restless += 1;
            lines.push(format!("seed {seed}: at rest on neither side, as told: {why}"));
        }
        Ok(Compared { unfinished: Some(why), .. }) => {
            total.failed += 1;
            total.differences.push(format!("seed {seed}: FRR did not come to rest: {why}"));
            lines.push(format!("seed {seed}: FRR did not come to rest: {why}"));
        }
        Ok(compared) => {
            let (untold, told) = (compared.untold(), compared.different.iter().filter(|d| d.told).count());
            let reasons = compared.different.len() - untold - told;
            let met = compared.different.iter().filter(|d| d.met).count();
            total.rows += compared.rows;
            total.told += told;
            total.met += met;
            total.told_equal += compared.told_equal;
            total.reasons += reasons;
            total.untold += untold;
            lines.push(format!(
                "seed {seed}: {} rows, {told} dependent on order ({met} ours in another), {reasons} by another step, {untold} different",
                compared.rows
            ));
            for d in compared.different.iter().filter(|d| !d.met) {
                let told = if d.told { " (told, in no order that was tried)" } else { "" };
                let line = format!("seed {seed} {} {}: {}{told}", d.router, d.prefix, d.what.join("; "));
                if d.is_untold() {
                    let at = kept.as_ref().map_or_else(String::new, |k| format!(" [{k}]"));
                    total.differences.push(format!("{line}{at}"));
                }
                lines.push(format!("  {line}"));
            }
        }
    }
    drop(total);
    lines.iter().for_each(|l| say(l));
}

/// Makes a network that differs smaller and keeps it; says where, or why not.
fn kept(seed: u64, rows: &smaller::Rows, dir: &Path, stop: &AtomicBool) -> String {
    let case = smaller::smaller(seed, rows, stop);
    let again = compared(&case, &format!("{seed}-kept"), stop);
    let stored = store(&case, dir).and_then(|()| again.map_or(Ok(()), |c| record(&c.shown, dir)));
    stored.map_or_else(|error| format!("not kept: {error}"), |()| dir.display().to_string())
}

/// A network on both sides.
pub struct Compared {
    /// Rows.
    pub rows: usize,
    /// Those that differ.
    pub different: Vec<Different>,
    /// Rows that were told as dependent on order and do not differ.
    pub told_equal: usize,
    /// What FRR did not finish.
    pub unfinished: Option<String>,
    /// We say that it comes to rest.
    pub rests: bool,
    /// What FRR showed.
    pub shown: BTreeMap<String, Shown>,
}

impl Compared {
    /// How many rows differ that were not told.
    #[must_use]
    pub fn untold(&self) -> usize {
        self.different.iter().filter(|d| d.is_untold()).count()
    }

    fn is_doubtful(&self) -> bool {
        if self.unfinished.is_some() { self.rests } else { self.untold() > 0 }
    }
}

/// Runs a case on FRR and compares its tables with ours.
///
/// # Errors
/// When it does not run.
pub fn compared(case: &Case, name: &str, stop: &AtomicBool) -> Result<Compared, LiveError> {
    let answer = answer::solve(case);
    let live = Live::start(case, name, &Arrival::default(), stop)?;
    let (shown, unfinished) = live.tables(answer.session_sides)?;
    drop(live);
    let (rows, mut different) = compare::tables(&answer, &shown);
    compare::meet(case, &shown, &mut different);
    let told_equal = told_equal(&answer, &different);
    Ok(Compared { rows, different, told_equal, unfinished, rests: answer.converged, shown })
}

fn told_equal(answer: &Answer, different: &[Different]) -> usize {
    let differs = |o: &&routing::OrderDependent| different.iter().any(|d| d.router == o.router && d.prefix == o.prefix);
    answer.order_dependent.iter().filter(|o| !differs(o)).count()
}

/// Writes a case as a directory.
///
/// # Errors
/// Those of the file system.
pub fn store(case: &Case, dir: &Path) -> std::io::Result<()> {
    let routers: Vec<&String> = case.routers.iter().map(|(name, _)| name).collect();
    let description =
        serde_json::json!({"routers": routers, "links": case.links, "config_files": {}, "steps": [], "profiles": case.profiles});
    std::fs::create_dir_all(dir)?;
    std::fs::write(dir.join("case.json"), serde_json::to_string_pretty(&description)?)?;
    for (name, text) in &case.routers {
        let folder = dir.join("configs").join(name);
        std::fs::create_dir_all(&folder)?;
        for (file, content) in &text.files {
            std::fs::write(folder.join(file), content)?;
        }
    }
    Ok(())
}

/// Writes what real routers showed of a case beside it.
///
/// # Errors
/// Those of the file system.
pub fn record(shown: &BTreeMap<String, Shown>, dir: &Path) -> std::io::Result<()> {
    std::fs::write(dir.join(TABLES), serde_json::to_string_pretty(shown)?)
}

/// Cases in a directory, in order.
///
/// # Errors
/// Those of the file system.
pub fn cases(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut out: Vec<PathBuf> =
        std::fs::read_dir(dir)?.filter_map(|e| Some(e.ok()?.path())).filter(|p| p.join("case.json").is_file()).collect();
    out.sort();
    Ok(out)
}
