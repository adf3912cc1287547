//! How each subscription of a profile is asked for: as the profile says, or as the target takes it.
//!
//! ```text
//! as asked ─► without heartbeat and suppression ─► SAMPLE ─► TARGET_DEFINED ─► all of them for `or_path`, where there is one ─► left out
//! ```
//! A row goes down by a step when the target refuses it alone; steps that would change nothing are skipped. The others stay as they are.

use crate::encoding::Encodings;
use gnmi::Profile;
use gnmi::profile::{Mode, Subscription};
use gnmi_wire::wire;

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

/// How one row is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Asked {
    way: Way,
    /// For the part of its path that the profile names (`or_path`).
    in_part: bool,
    /// The target's words that led to it.
    words: String,
}

/// How the rows of one profile are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rows {
    profile: Profile,
    /// One a subscription.
    asked: Vec<Asked>,
    /// Each origin has a stream of its own, and the words in which the target refused their mixture.
    apart: Option<String>,
}

impl Rows {
    pub(crate) fn new(profile: Profile) -> Self {
        let asked = vec![Asked { way: Way::AsAsked, in_part: false, words: String::new() }; profile.subscriptions.len()];
        Self { profile, asked, apart: None }
    }

    pub(crate) const fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Returns the rows that are asked for, by number.
    pub(crate) fn taken(&self) -> Vec<usize> {
        (0..).zip(&self.asked).filter(|(_, a)| a.way != Way::LeftOut).map(|(i, _)| i).collect()
    }

    /// Returns the rows that the target takes in no mode, with its words.
    pub(crate) fn left_out(&self) -> impl Iterator<Item = (usize, &str)> {
        (0..).zip(&self.asked).filter(|(_, a)| a.way == Way::LeftOut).map(|(i, a)| (i, a.words.as_str()))
    }

    /// Returns the rows that are asked for by the streams that they come in.
    pub(crate) fn groups(&self, encodings: &Encodings) -> Vec<(wire::Encoding, Vec<usize>)> {
        encodings.groups(&self.profile, &self.taken(), self.apart.is_some())
    }

    /// Gives each origin a stream of its own, after the target took each row alone and refused them together with these words; `false` when
    /// that would change nothing.
    pub(crate) fn set_apart(&mut self, words: &str) -> bool {
        let mut origins = self.taken().into_iter().filter_map(|row| self.profile.subscriptions.get(row)).map(|s| &s.origin);
        let first = origins.next();
        let changed = self.apart.is_none() && origins.any(|origin| Some(origin) != first);
        if changed {
            self.apart = Some(words.to_owned());
        }
        changed
    }

    /// Returns these rows as they are asked for.
    pub(crate) fn asked(&self, rows: &[usize]) -> Vec<Subscription> {
        rows.iter().filter_map(|row| Some(self.row(self.profile.subscriptions.get(*row)?, self.asked.get(*row)?))).collect()
    }

    /// Returns the profile with all its rows as they are asked for; those left out stay as they were.
    pub(crate) fn effective(&self) -> Profile {
        let rows: Vec<usize> = (0..self.asked.len()).collect();
        Profile { subscriptions: self.asked(&rows), ..self.profile.clone() }
    }

    fn row(&self, row: &Subscription, Asked { way, in_part, .. }: &Asked) -> Subscription {
        let part = row.or_path.as_ref().filter(|_| *in_part && *way != Way::LeftOut);
        let row = &Subscription { path: part.unwrap_or(&row.path).clone(), ..row.clone() };
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
        let (Some(row), Some(asked)) = (self.profile.subscriptions.get(row), self.asked.get_mut(row)) else { return false };
        let has_options = row.heartbeat_interval_ms > 0 || row.suppress_redundant;
        asked.way = match asked.way {
            Way::AsAsked if has_options => Way::Plain,
            Way::AsAsked | Way::Plain if row.mode == Mode::OnChange => Way::Sampled,
            Way::AsAsked | Way::Plain | Way::Sampled if row.mode != Mode::TargetDefined => Way::TargetDefined,
            // nothing takes it as a whole
            Way::AsAsked | Way::Plain | Way::Sampled | Way::TargetDefined if row.or_path.is_some() && !asked.in_part => {
                asked.in_part = true;
                Way::AsAsked
            }
            _ => Way::LeftOut,
        };
        words.clone_into(&mut asked.words);
        asked.way != Way::LeftOut
    }

    /// Lets the target choose for all rows that are still as asked: it takes each of them alone and refuses them together.
    pub(crate) fn target_defined(&mut self, words: &str) -> bool {
        let mut changed = false;
        for (asked, row) in self.asked.iter_mut().zip(&self.profile.subscriptions) {
            if asked.way < Way::TargetDefined && row.mode != Mode::TargetDefined {
                asked.way = Way::TargetDefined;
                words.clone_into(&mut asked.words);
                changed = true;
            }
        }
        changed
    }

    /// Returns how a row is asked for, where that is not what the profile says.
    pub(crate) fn instead(&self, row: usize) -> Option<String> {
        let (subscription, asked) = (self.profile.subscriptions.get(row)?, self.asked.get(row)?);
        let row = self.row(subscription, asked);
        let way = match asked.way {
            Way::AsAsked if !asked.in_part => return None,
            Way::AsAsked => row.mode.name().to_owned(),
            Way::Plain => format!("{} without heartbeat and suppression", row.mode.name()),
            Way::Sampled => format!("SAMPLE every {} ms", row.interval_ms),
            Way::TargetDefined => "TARGET_DEFINED".to_owned(),
            Way::LeftOut => return Some(NOTHING.to_owned()),
        };
        Some(if asked.in_part { format!("{way} of {}", row.path) } else { way })
    }

    /// Says what the target refused: a line for all rows that have the same fate for the same words.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let mut fates: Vec<Fate<'_>> = Vec::new();
        for (i, (row, Asked { words, .. })) in self.profile.subscriptions.iter().zip(&self.asked).enumerate() {
            let Some(instead) = self.instead(i) else { continue };
            let path = row.path.to_string();
            match fates.iter_mut().find(|f| f.mode == row.mode && f.instead == instead && f.words == words) {
                Some(fate) => fate.paths.push(path),
                None => fates.push(Fate { mode: row.mode, instead, words, paths: vec![path] }),
            }
        }
        let apart = self.apart.iter().map(|words| {
            format!(
                "PH-COLL-056: the target refuses paths of several origins in one request ({words:?}); each origin has a stream of its own"
            )
        });
        apart.chain(fates.iter().map(Fate::told)).collect()
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
    fn origins_are_set_apart_once_and_only_where_there_are_several() {
        assert!(!rows().set_apart("no"), "one origin");
        let mut two = Rows::new(Profile::parse("x", &TEXT.replace("path = \"/b\"", "path = \"/b\"\norigin = \"native\"")).unwrap());
        assert!(two.set_apart("no mixture") && !two.set_apart("still"));
        let words = "PH-COLL-056: the target refuses paths of several origins in one request (\"no mixture\"); \
            each origin has a stream of its own";
        assert_eq!(two.warnings(), [words]);
    }

    /// What nobody takes as a whole is asked for in part, in every way again, before it is given up.
    #[test]
    fn a_row_with_a_part_is_asked_for_in_part_last() {
        let text = "title = \"x\"\nis_default = true\nencodings = [\"json\"]\nports = [1]\nfallback_interval_ms = 7000\n\
            [[subscription]]\nset = \"a\"\npath = \"/a[k=*]\"\nor_path = \"/a[k=b]\"\nmode = \"on_change\"\n";
        let mut rows = Rows::new(Profile::parse("x", text).unwrap());
        let mut seen = vec![];
        while rows.step_down(0, "no") {
            let [a] = rows.asked(&[0]).try_into().unwrap();
            seen.push((a.path.to_string(), a.mode, rows.instead(0).unwrap()));
        }
        let step = |path: &str, mode, instead: &str| (path.to_owned(), mode, instead.to_owned());
        assert_eq!(
            seen,
            [
                step("/a[k=*]", Mode::Sample, "SAMPLE every 7000 ms"),
                step("/a[k=*]", Mode::TargetDefined, "TARGET_DEFINED"),
                step("/a[k=b]", Mode::OnChange, "ON_CHANGE of /a[k=b]"),
                step("/a[k=b]", Mode::Sample, "SAMPLE every 7000 ms of /a[k=b]"),
                step("/a[k=b]", Mode::TargetDefined, "TARGET_DEFINED of /a[k=b]"),
            ]
        );
        assert_eq!(rows.warnings(), ["PH-COLL-043: the target takes /a[k=*] in no mode (\"no\"); it is not watched there"]);
    }

    #[test]
    fn what_is_refused_together_is_left_to_the_target() {
        let mut rows = rows();
        assert!(rows.target_defined("too mixed") && !rows.target_defined("still"));
        assert!(rows.effective().subscriptions.iter().all(|s| s.mode == Mode::TargetDefined && s.interval_ms == 0));
        assert_eq!(rows.warnings().len(), 2, "by mode: {:?}", rows.warnings());
    }
}
