//! How each subscription of a profile is asked for: as the profile says, or as the target takes it.
//!
//! ```text
//! as asked ─► without heartbeat and suppression ─► SAMPLE ─► TARGET_DEFINED ─► left out
//! ```
//! A row goes down by a step when the target refuses it alone; steps that would change nothing are skipped. The others stay as they are.

use gnmi::Profile;
use gnmi::profile::{Mode, Subscription};

/// Paths that a warning names; the others are counted.
const PATHS_NAMED: usize = 3;

/// How a row is asked for that the target takes in no mode.
const NOTHING: &str = "nothing";

/// How a row is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    AsAsked,
    Plain,
    Sampled,
    TargetDefined,
    LeftOut,
}

/// How the rows of one profile are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rows {
    profile: Profile,
    /// One a subscription: its way, and the target's words that led to it.
    ways: Vec<(Way, String)>,
}

impl Rows {
    pub(crate) fn new(profile: Profile) -> Self {
        let ways = vec![(Way::AsAsked, String::new()); profile.subscriptions.len()];
        Self { profile, ways }
    }

    pub(crate) const fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Returns the rows that are asked for, by number.
    pub(crate) fn taken(&self) -> Vec<usize> {
        (0..).zip(&self.ways).filter(|(_, (way, _))| *way != Way::LeftOut).map(|(i, _)| i).collect()
    }

    /// Returns the rows that the target takes in no mode, with its words.
    pub(crate) fn left_out(&self) -> impl Iterator<Item = (usize, &str)> {
        (0..).zip(&self.ways).filter(|(_, (way, _))| *way == Way::LeftOut).map(|(i, (_, words))| (i, words.as_str()))
    }

    /// Returns these rows as they are asked for.
    pub(crate) fn asked(&self, rows: &[usize]) -> Vec<Subscription> {
        rows.iter().filter_map(|row| Some(self.row(self.profile.subscriptions.get(*row)?, self.ways.get(*row)?.0))).collect()
    }

    /// Returns the profile with all its rows as they are asked for; those left out stay as they were.
    pub(crate) fn effective(&self) -> Profile {
        let rows: Vec<usize> = (0..self.ways.len()).collect();
        Profile { subscriptions: self.asked(&rows), ..self.profile.clone() }
    }

    fn row(&self, row: &Subscription, way: Way) -> Subscription {
        let plain = Subscription { heartbeat_interval_ms: 0, suppress_redundant: false, ..row.clone() };
        match way {
            Way::AsAsked | Way::LeftOut => row.clone(),
            Way::Plain => plain,
            Way::Sampled => {
                let interval_ms = if row.interval_ms > 0 { row.interval_ms } else { self.profile.fallback_interval_ms };
                Subscription { mode: Mode::Sample, interval_ms, ..plain }
            }
            Way::TargetDefined => Subscription { mode: Mode::TargetDefined, interval_ms: 0, ..plain },
        }
    }

    /// Asks for a row in the next way after the target refused it with these words; `false` when none is left.
    pub(crate) fn step_down(&mut self, row: usize, words: &str) -> bool {
        let (Some(asked), Some((way, why))) = (self.profile.subscriptions.get(row), self.ways.get_mut(row)) else { return false };
        let has_options = asked.heartbeat_interval_ms > 0 || asked.suppress_redundant;
        *way = match way {
            Way::AsAsked if has_options => Way::Plain,
            Way::AsAsked | Way::Plain if asked.mode == Mode::OnChange => Way::Sampled,
            Way::AsAsked | Way::Plain | Way::Sampled if asked.mode != Mode::TargetDefined => Way::TargetDefined,
            _ => Way::LeftOut,
        };
        words.clone_into(why);
        *way != Way::LeftOut
    }

    /// Lets the target choose for all rows that are still as asked: it takes each of them alone and refuses them together.
    pub(crate) fn target_defined(&mut self, words: &str) -> bool {
        let mut changed = false;
        for ((way, why), asked) in self.ways.iter_mut().zip(&self.profile.subscriptions) {
            if *way < Way::TargetDefined && asked.mode != Mode::TargetDefined {
                *way = Way::TargetDefined;
                words.clone_into(why);
                changed = true;
            }
        }
        changed
    }

    /// Returns how a row is asked for, where that is not what the profile says.
    pub(crate) fn instead(&self, row: usize) -> Option<String> {
        let way = self.ways.get(row)?.0;
        let asked = self.row(self.profile.subscriptions.get(row)?, way);
        match way {
            Way::AsAsked => None,
            Way::Plain => Some(format!("{} without heartbeat and suppression", asked.mode.name())),
            Way::Sampled => Some(format!("SAMPLE every {} ms", asked.interval_ms)),
            Way::TargetDefined => Some("TARGET_DEFINED".to_owned()),
            Way::LeftOut => Some(NOTHING.to_owned()),
        }
    }

    /// Says what the target refused: a line for all rows that have the same fate for the same words.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let mut fates: Vec<Fate<'_>> = Vec::new();
        for (i, (asked, (_, words))) in self.profile.subscriptions.iter().zip(&self.ways).enumerate() {
            let Some(instead) = self.instead(i) else { continue };
            let path = asked.path.to_string();
            match fates.iter_mut().find(|f| f.mode == asked.mode && f.instead == instead && f.words == words) {
                Some(fate) => fate.paths.push(path),
                None => fates.push(Fate { mode: asked.mode, instead, words, paths: vec![path] }),
            }
        }
        fates.iter().map(Fate::told).collect()
    }
}

/// Rows that were refused in the same words and are asked for in the same other way.
struct Fate<'a> {
    mode: Mode,
    instead: String,
    words: &'a str,
    paths: Vec<String>,
}

impl Fate<'_> {
    fn told(&self) -> String {
        let Self { mode, instead, words, paths } = self;
        let mut named = paths.iter().take(PATHS_NAMED).cloned().collect::<Vec<_>>().join(", ");
        if let Some(more) = paths.len().checked_sub(PATHS_NAMED).filter(|n| *n > 0) {
            named = format!("{named} and {more} more");
        }
        if instead == NOTHING {
            format!("PH-COLL-043: the target takes {named} in no mode ({words:?}); it is not watched there")
        } else {
            format!("PH-COLL-042: the target refuses {} of {named} ({words:?}); {instead} instead", mode.name())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "title = \"x\"\nis_default = true\nencodings = [\"json\"]\nports = [1]\nfallback_interval_ms = 7000\n\
        [[subscription]]\nset = \"a\"\npath = \"/a\"\nmode = \"on_change\"\nheartbeat_interval_ms = 60000\n\
        [[subscription]]\nset = \"b\"\npath = \"/b\"\nmode = \"sample\"\ninterval_ms = 2000\n\
        [[subscription]]\nset = \"c\"\npath = \"/c\"\nmode = \"target_defined\"\n";

    fn rows() -> Rows {
        Rows::new(Profile::parse("x", TEXT).unwrap())
    }

    #[test]
    fn a_refused_row_goes_down_step_by_step_and_the_others_stay() {
        let mut rows = rows();
        let mut seen = Vec::new();
        while rows.step_down(0, "no") {
            let [a] = rows.asked(&[0]).try_into().unwrap();
            seen.push((a.mode, a.interval_ms, a.heartbeat_interval_ms, rows.instead(0).unwrap()));
        }
        assert_eq!(
            seen,
            [
                (Mode::OnChange, 0, 0, "ON_CHANGE without heartbeat and suppression".to_owned()),
                (Mode::Sample, 7000, 0, "SAMPLE every 7000 ms".to_owned()),
                (Mode::TargetDefined, 0, 0, "TARGET_DEFINED".to_owned()),
            ]
        );
        assert_eq!((rows.taken(), rows.left_out().collect::<Vec<_>>()), (vec![1, 2], vec![(0, "no")]));
        assert_eq!(rows.asked(&[1, 2]), rows.profile().subscriptions[1..]);
        assert_eq!(rows.warnings(), ["PH-COLL-043: the target takes /a in no mode (\"no\"); it is not watched there"]);
        assert!(rows.step_down(1, "x") && !rows.step_down(1, "x") && !rows.step_down(2, "x"), "SAMPLE, then TARGET_DEFINED, then nothing");
        assert!(!rows.step_down(9, "x"));
    }

    #[test]
    fn what_is_refused_together_is_left_to_the_target() {
        let mut rows = rows();
        assert!(rows.target_defined("too mixed") && !rows.target_defined("still"));
        assert!(rows.effective().subscriptions.iter().all(|s| s.mode == Mode::TargetDefined && s.interval_ms == 0));
        assert_eq!(rows.warnings().len(), 2, "by mode: {:?}", rows.warnings());
    }
}
