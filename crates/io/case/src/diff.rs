//! Seeds of random networks, each on real FRR and by computation.

use crate::compare::Different;
use crate::generate::{Feature, network};
use crate::live::{Arrival, Live, LiveError};
use crate::{Case, answer, compare};
use core::fmt;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Networks at once: they mostly wait.
const AT_ONCE: usize = 3;

/// The agreement over all seeds.
#[derive(Clone, Debug, Default)]
pub struct Agreement {
    /// Networks compared.
    pub networks: usize,
    /// Networks that did not run or did not come to rest.
    pub failed: usize,
    /// Rows (router and prefix).
    pub rows: usize,
    /// Rows that differ and were told as dependent on the order of arrival.
    pub told: usize,
    /// Rows in which the same path is best and only the last comparison of the router was another; it depends on what arrived together.
    pub reasons: usize,
    /// Rows that differ and were not told.
    pub untold: usize,
}

impl fmt::Display for Agreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let equal = self.rows - self.told - self.reasons - self.untold;
        write!(
            f,
            "{} networks, {} rows: {equal} equal to FRR ({:.3} %), {} told as dependent on the order of arrival, {} equal but for the step \
             named, {} different; {} networks did not run or did not come to rest",
            self.networks,
            self.rows,
            100.0 * equal as f64 / self.rows.max(1) as f64,
            self.told,
            self.reasons,
            self.untold,
            self.failed
        )
    }
}

/// Runs seeds; `say` gets a line for each network and each difference. A network with a difference is made smaller and kept under `keep`.
/// `stop` ends it early.
pub fn seeds(list: &[u64], keep: Option<&Path>, stop: &AtomicBool, say: impl Fn(&str) + Sync) -> Agreement {
    let next = AtomicUsize::new(0);
    let total = Mutex::new(Agreement::default());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let seed = list.get(next.fetch_add(1, Ordering::Relaxed)).copied();
                    let Some(seed) = seed.filter(|_| !stop.load(Ordering::Relaxed)) else { return };
                    one(seed, keep, &total, stop, &say);
                }
            });
        }
    });
    total.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn one(seed: u64, keep: Option<&Path>, total: &Mutex<Agreement>, stop: &AtomicBool, say: &(impl Fn(&str) + Sync)) {
    let mut result = compared(&network(seed, &[]), seed, stop);
    // what a second run does not show was a matter of time
    let doubtful = |(_, different, unfinished): &Compared| unfinished.is_some() || different.iter().any(Different::is_untold);
    if result.as_ref().map_or(true, doubtful) {
        result = compared(&network(seed, &[]), seed, stop);
    }
    if stop.load(Ordering::Relaxed) {
        return;
    }
    let mut total = total.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    total.networks += 1;
    let (rows, different, unfinished) = match result {
        Ok(told) => told,
        Err(error) => {
            total.failed += 1;
            say(&format!("seed {seed}: {error}"));
            return;
        }
    };
    if let Some(why) = unfinished {
        total.failed += 1;
        say(&format!("seed {seed}: FRR did not come to rest: {why}"));
        return;
    }
    let untold = different.iter().filter(|d| d.is_untold()).count();
    let told = different.iter().filter(|d| d.told).count();
    total.rows += rows;
    total.told += told;
    total.reasons += different.len() - untold - told;
    total.untold += untold;
    drop(total);
    let reasons = different.len() - untold - told;
    say(&format!("seed {seed}: {rows} rows, {told} dependent on order, {reasons} by another step, {untold} different"));
    for d in different.iter().filter(|d| !d.told) {
        say(&format!("  seed {seed} {} {}: {}", d.router, d.prefix, d.what.join("; ")));
    }
    if let Some(dir) = keep.filter(|_| untold > 0) {
        let without = smaller(seed, stop);
        say(&format!("  seed {seed}: still different without {without:?}"));
        if let Err(error) = store(&network(seed, &without), &dir.join(format!("seed-{seed}"))) {
            say(&format!("  seed {seed}: not kept: {error}"));
        }
    }
}

type Compared = (usize, Vec<Different>, Option<String>);

fn compared(case: &Case, seed: u64, stop: &AtomicBool) -> Result<Compared, LiveError> {
    let answer = answer::solve(case);
    let live = Live::start(case, &seed.to_string(), &Arrival::default(), stop)?;
    let (shown, unfinished) = live.tables(answer.session_sides)?;
    drop(live);
    let (rows, different) = compare::tables(&answer, &shown);
    Ok((rows, different, unfinished))
}

/// Leaves out features as long as a difference stays.
fn smaller(seed: u64, stop: &AtomicBool) -> Vec<Feature> {
    let mut without = Vec::new();
    for feature in Feature::ALL {
        let mut tried = without.clone();
        tried.push(feature);
        if compared(&network(seed, &tried), seed, stop).is_ok_and(|(_, different, _)| different.iter().any(Different::is_untold)) {
            without = tried;
        }
    }
    without
}

/// Writes a case as a directory.
///
/// # Errors
/// Those of the file system.
pub fn store(case: &Case, dir: &Path) -> std::io::Result<()> {
    let routers: Vec<&String> = case.routers.iter().map(|(name, _)| name).collect();
    let description = serde_json::json!({"routers": routers, "links": case.links, "config_files": {}, "steps": []});
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
