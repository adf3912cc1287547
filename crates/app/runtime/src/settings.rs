//! What can be set, in which bounds, and what holds when nobody set it. An engine reads its settings when it starts.

use core::time::Duration;
use store::{Retention, Store, StoreError};

/// What a value counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Seconds; typed with `s`, `min`, `h` or `d`, too.
    Seconds,
    /// Bytes; typed with `KiB`, `MiB` or `GiB`, too.
    Bytes,
    /// A number of things.
    Count,
}

impl Unit {
    /// The words after a number, and what each of them counts.
    const fn words(self) -> &'static [(&'static str, u64)] {
        match self {
            Self::Seconds => &[("s", 1), ("min", 60), ("h", 3600), ("d", 86_400)],
            Self::Bytes => &[("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)],
            Self::Count => &[],
        }
    }
}

/// One setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Name.
    pub name: &'static str,
    /// What it counts.
    pub unit: Unit,
    /// Smallest and largest value.
    pub bounds: (u64, u64),
    /// What holds when nobody set it.
    pub usual: u64,
    /// It decides what may be done to the network: a change of it is in the audit chain.
    pub safety: bool,
    /// What it does.
    pub about: &'static str,
}

const DAY: u64 = 86_400;
const MIB: u64 = 1 << 20;

/// How long a proposal waits.
pub const APPROVAL_TTL: Setting = Setting {
    name: "approval.ttl_s",
    unit: Unit::Seconds,
    bounds: (10, 3600),
    usual: 300,
    safety: true,
    about: "how long a proposal waits for an answer",
};
/// Changes in a minute.
pub const CHANGES_MAX: Setting = Setting {
    name: "guard.changes_per_minute",
    unit: Unit::Count,
    bounds: (1, 10),
    usual: 10,
    safety: true,
    about: "changes that may begin within a minute, all tiers together; the guardrails' own limit can only be made tighter",
};
const KEEP_RAW: Setting = Setting {
    name: "telemetry.keep_raw_s",
    unit: Unit::Seconds,
    bounds: (3600, 30 * DAY),
    usual: store::KEEP_RAW.as_secs(),
    safety: false,
    about: "how long points of the series are held",
};
const KEEP_MINUTE: Setting = Setting {
    name: "telemetry.keep_minute_s",
    unit: Unit::Seconds,
    bounds: (DAY, 400 * DAY),
    usual: store::KEEP_MINUTE.as_secs(),
    safety: false,
    about: "how long their minutes are held",
};
const KEEP_QUARTER: Setting = Setting {
    name: "telemetry.keep_quarter_s",
    unit: Unit::Seconds,
    bounds: (DAY, 3650 * DAY),
    usual: store::KEEP_QUARTER.as_secs(),
    safety: false,
    about: "how long their quarters of an hour are held",
};
const BYTES_MAX: Setting = Setting {
    name: "telemetry.bytes_max",
    unit: Unit::Bytes,
    bounds: (16 * MIB, MIB << 20),
    usual: store::BYTES_MAX,
    safety: false,
    about: "room that the series may take",
};
const DISK_RESERVE: Setting = Setting {
    name: "telemetry.disk_reserve_bytes",
    unit: Unit::Bytes,
    bounds: (0, u64::MAX >> 2),
    usual: store::DISK_RESERVE,
    safety: false,
    about: "room of the disk that is left to the ledger: below it the series give back what they can",
};

/// Every setting, by name.
pub const SETTINGS: [Setting; 7] = [APPROVAL_TTL, CHANGES_MAX, BYTES_MAX, DISK_RESERVE, KEEP_MINUTE, KEEP_QUARTER, KEEP_RAW];

impl Setting {
    /// Finds a setting by its name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|s| s.name == name)
    }

    /// Reads a value as operators type it.
    ///
    /// # Errors
    /// In words: what is wrong, and what it could be.
    pub fn parse(&self, text: &str) -> Result<u64, String> {
        let text = text.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, word) = text.split_at(digits);
        let word = word.trim();
        let factor = self.unit.words().iter().find(|(w, _)| *w == word).map(|(_, factor)| *factor).or(word.is_empty().then_some(1));
        let (least, most) = self.bounds;
        let out = || format!("{text:.40} is out of bounds: {} to {}", self.words(least), self.words(most));
        // digits without end are a number, too
        let value = factor.filter(|_| digits > 0).map(|factor| number.parse::<u64>().ok().and_then(|n| n.checked_mul(factor)));
        match value.map(|v| v.ok_or_else(out)).transpose()? {
            Some(value) if (least..=most).contains(&value) => Ok(value),
            Some(value) => Err(format!("{value} is out of bounds: {} to {}", self.words(least), self.words(most))),
            None => {
                let words: Vec<&str> = self.unit.words().iter().map(|(w, _)| *w).collect();
                let units =
                    if words.is_empty() { String::new() } else { format!(", with {} if it is not one of these alone", words.join(", ")) };
                Err(format!("{text:?} is no whole number{units}"))
            }
        }
    }

    /// Writes a value with the largest word that says it exactly.
    #[must_use]
    pub fn words(&self, value: u64) -> String {
        let fits = self.unit.words().iter().rev().find(|(_, factor)| value > 0 && value.is_multiple_of(*factor));
        match (fits, self.unit) {
            (Some((word, factor)), _) => format!("{} {word}", value / factor),
            (None, Unit::Bytes) => format!("{value} bytes"),
            (None, Unit::Seconds) => format!("{value} s"),
            (None, Unit::Count) => value.to_string(),
        }
    }

    /// Returns the value that holds. One that does not fit, of another version or another hand, is told to the log and does not count.
    pub(crate) fn of(&self, store: &Store) -> Result<u64, StoreError> {
        Ok(match store.setting(self.name)?.map(|text| (self.parse(&text), text)) {
            None => self.usual,
            Some((Ok(value), _)) => value,
            Some((Err(why), text)) => {
                tracing::warn!(name = self.name, text, why, "setting does not fit; the usual value holds");
                self.usual
            }
        })
    }
}

/// Returns how long the series are held, as set.
pub(crate) fn retention(store: &Store) -> Result<Retention, StoreError> {
    let seconds = |s: Setting| s.of(store).map(Duration::from_secs);
    Ok(Retention {
        keep_raw: seconds(KEEP_RAW)?,
        keep_minute: seconds(KEEP_MINUTE)?,
        keep_quarter: seconds(KEEP_QUARTER)?,
        bytes_max: BYTES_MAX.of(store)?,
        disk_reserve: DISK_RESERVE.of(store)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_read_as_typed_within_its_bounds_and_written_the_same() {
        for setting in SETTINGS {
            assert_eq!(setting.parse(&setting.usual.to_string()), Ok(setting.usual), "{}", setting.name);
            assert_eq!(setting.parse(&setting.words(setting.usual).replace(" bytes", "")), Ok(setting.usual), "{}", setting.name);
        }
        assert!(SETTINGS.is_sorted_by(|a, b| a.name < b.name));
        assert_eq!((KEEP_RAW.parse("48h"), KEEP_RAW.parse("2 d"), KEEP_RAW.words(172_800)), (Ok(172_800), Ok(172_800), "2 d".to_owned()));
        assert_eq!((BYTES_MAX.parse("64MiB"), BYTES_MAX.words(64 << 20)), (Ok(64 << 20), "64 MiB".to_owned()));
        for (text, says) in [
            ("9", "10 s to 1 h"),
            ("2h", "out of bounds"),
            ("much", "no whole number"),
            ("-5", "no whole number"),
            ("5 weeks", "no whole number"),
            ("99999999999999999999", "99999999999999999999 is out of bounds: 10 s to 1 h"),
            ("18446744073709551615 d", "out of bounds"),
            ("", "no whole number"),
            ("min", "no whole number"),
        ] {
            let why = APPROVAL_TTL.parse(text).unwrap_err();
            assert!(why.contains(says), "{text}: {why}");
        }
    }

    #[test]
    fn the_usual_values_are_those_of_the_policy() {
        let policy = guardrail::GuardPolicy::default();
        assert_eq!(APPROVAL_TTL.usual, policy.approval_ttl.as_secs());
        assert_eq!(policy.rate.window, Duration::from_secs(60));
        assert_eq!((CHANGES_MAX.usual, CHANGES_MAX.bounds.1), (u64::from(policy.rate.overall), u64::from(policy.rate.overall)));
    }
}
