//! What a check says, and what it rests on.

use bgp::Prefix;
use core::fmt;
use serde::Serialize;

/// Rows that a check keeps; the count goes on.
const ROWS_MAX: usize = 500;
/// Rows that a sentence names.
const NAMED: usize = 4;

/// Which check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[allow(missing_docs, reason = "see `subject`")]
pub enum CheckId {
    K01,
    K02,
    K03,
    K04,
    K05,
    K06,
    K07,
    K08,
    K09,
    K10,
    K14,
    K15,
    K16,
    K17,
    K22,
    K23,
    K24,
    /// States between the steps of a change.
    ORDER,
    /// Service levels by class and path.
    SLA,
    /// Share of the network that a change moves.
    BLAST,
    /// Preference by relationship: customers over peers over providers.
    BANDS,
}

impl CheckId {
    /// Returns what the check is about.
    #[must_use]
    pub const fn subject(self) -> &'static str {
        match self {
            Self::K01 => "scope",
            Self::K02 => "reachability",
            Self::K03 => "loops and convergence",
            Self::K04 => "leaks",
            Self::K05 => "announcements",
            Self::K06 => "headroom",
            Self::K07 => "capacity",
            Self::K08 => "traffic magnet",
            Self::K09 => "policy shape",
            Self::K10 => "vital prefixes",
            Self::K14 => "dormant objects",
            Self::K15 => "inverse",
            Self::K16 => "filter scope",
            Self::K17 => "origin validation",
            Self::K22 => "community meaning",
            Self::K23 => "prepending",
            Self::K24 => "failure domain",
            Self::ORDER => "safe order",
            Self::SLA => "service level",
            Self::BLAST => "blast radius",
            Self::BANDS => "preference bands",
        }
    }
}

impl fmt::Display for CheckId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// How it came out; the last is the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// What it rests on is not known: it says neither yes nor no.
    NotJudged,
    /// Nothing found.
    Pass,
    /// Somebody should know.
    Warn,
    /// The change may not be made as it is.
    Block,
}

impl Verdict {
    /// Returns the word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::NotJudged => "not judged",
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Block => "block",
        }
    }
}

/// One thing that a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Row {
    /// Router.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub router: String,
    /// Prefix.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<Prefix>,
    /// What was found.
    pub what: String,
}

impl Row {
    /// A row about a router.
    #[must_use]
    pub fn of(router: &str, what: String) -> Self {
        Self { router: router.to_owned(), prefix: None, what }
    }

    /// A row about a prefix at a router.
    #[must_use]
    pub fn at(router: &str, prefix: Prefix, what: String) -> Self {
        Self { router: router.to_owned(), prefix: Some(prefix), what }
    }

    /// A row about the change as a whole.
    #[must_use]
    pub const fn all(what: String) -> Self {
        Self { router: String::new(), prefix: None, what }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.router.is_empty() {
            write!(f, "{}: ", self.router)?;
        }
        if let Some(prefix) = &self.prefix {
            write!(f, "{prefix}: ")?;
        }
        f.write_str(&self.what)
    }
}

/// One check with its evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Which.
    pub id: CheckId,
    /// What it is about.
    pub name: &'static str,
    /// How it came out.
    pub verdict: Verdict,
    /// Lowest autonomy tier that may decide, where the check has a say in it (3: a human types the target).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tier: Option<u8>,
    /// For the card.
    pub sentence: String,
    /// Rows found in all.
    pub found: usize,
    /// The first of them.
    pub rows: Vec<Row>,
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:5} {} {}: {}", self.verdict.word(), self.id, self.name, self.sentence)
    }
}

/// What a check collects.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    warn: Vec<Row>,
    block: Vec<Row>,
    tier: Option<u8>,
}

impl Found {
    pub fn warn(&mut self, row: Row) {
        self.warn.push(row);
    }

    pub fn block(&mut self, row: Row) {
        self.block.push(row);
    }

    pub fn tier(&mut self, tier: u8) {
        self.tier = self.tier.max(Some(tier));
    }

    /// Makes a check that could not look at everything: what was found counts, and without it the check is not judged, for the reason `why`.
    pub fn unjudged(self, id: CheckId, why: impl Into<String>) -> Check {
        let check = self.check(id, why, "");
        let verdict = if check.verdict == Verdict::Pass { Verdict::NotJudged } else { check.verdict };
        Check { verdict, ..check }
    }

    /// Makes the check: `fine` is its sentence when nothing was found, `what` opens it otherwise.
    pub fn check(self, id: CheckId, fine: impl Into<String>, what: &str) -> Check {
        let Self { mut warn, mut block, tier } = self;
        for rows in [&mut warn, &mut block] {
            rows.sort();
            rows.dedup();
        }
        let verdict = match (block.is_empty(), warn.is_empty()) {
            (false, _) => Verdict::Block,
            (true, false) => Verdict::Warn,
            (true, true) => Verdict::Pass,
        };
        let worst = if block.is_empty() { &warn } else { &block };
        let sentence = if worst.is_empty() { fine.into() } else { told(what, worst) };
        let found = block.len() + warn.len();
        block.append(&mut warn);
        block.truncate(ROWS_MAX);
        Check { id, name: id.subject(), verdict, tier, sentence, found, rows: block }
    }
}

fn told(what: &str, rows: &[Row]) -> String {
    let named = rows.iter().take(NAMED).map(ToString::to_string).collect::<Vec<_>>().join("; ");
    let lead = if what.is_empty() { String::new() } else { format!("{what}: ") };
    if rows.len() > NAMED { format!("{lead}{named}; and {} more", rows.len() - NAMED) } else { format!("{lead}{named}") }
}
