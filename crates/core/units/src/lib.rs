//! Quantities that carry their own unit.
//!
//! One unit per quantity in the whole program: time is [`Timestamp`] (nanoseconds, UTC) and [`core::time::Duration`], a share is a
//! [`Ratio`] between 0 and 1 (percent exists only in display). Nothing here reads a clock; time is an argument.

pub mod calendar;
mod numbered;

pub use numbered::numbered;

use core::fmt;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// Nanoseconds since 1970-01-01T00:00:00Z.
///
/// Shown as RFC 3339 in UTC with nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The Unix epoch.
    pub const EPOCH: Self = Self(0);

    /// Makes a timestamp from nanoseconds since the Unix epoch.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// Makes a timestamp from whole milliseconds since the Unix epoch; saturates.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// Reads RFC 3339 (`2026-08-12T10:15:00.5Z`, `2026-08-12 12:15:00+02:00`); `None` for anything else and for days that do not exist.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (seconds, nanos) = calendar::rfc3339(text)?;
        seconds.checked_mul(1_000_000_000)?.checked_add(i64::from(nanos)).map(Self)
    }

    /// Returns nanoseconds since the Unix epoch.
    #[must_use]
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// Returns the time that is `by` later; saturates at the end of time.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(by.as_nanos()).unwrap_or(i64::MAX)))
    }

    /// Returns the time that is `by` earlier; saturates.
    #[must_use]
    pub fn minus(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(by.as_nanos()).unwrap_or(i64::MAX)))
    }

    /// Returns how long after `earlier` this is; zero when it is not after.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (secs, nanos) = (self.0.div_euclid(1_000_000_000), self.0.rem_euclid(1_000_000_000));
        let (days, sod) = (secs.div_euclid(86_400), secs.rem_euclid(86_400));
        let (y, m, d) = calendar::civil(days);
        write!(f, "{y:04}-{m:02}-{d:02}T{:02}:{:02}:{:02}.{nanos:09}Z", sod / 3600, sod / 60 % 60, sod % 60)
    }
}

/// A share between 0 and 1. Percent exists only in display.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Ratio(f64);

/// A number that is no share: not finite, or outside 0…1.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("{0} is not a ratio between 0 and 1")]
pub struct NotARatio(pub f64);

impl Ratio {
    /// Nothing.
    pub const ZERO: Self = Self(0.0);
    /// All.
    pub const ONE: Self = Self(1.0);

    /// Makes a ratio.
    ///
    /// # Errors
    /// [`NotARatio`] when `value` is not finite or outside 0…1.
    pub fn new(value: f64) -> Result<Self, NotARatio> {
        if value.is_finite() && (0.0..=1.0).contains(&value) { Ok(Self(value)) } else { Err(NotARatio(value)) }
    }

    /// Returns `part / whole`, clamped to 0…1; 0 when `whole` is 0.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "counts here are far below 2^52")]
    pub fn of(part: u64, whole: u64) -> Self {
        if whole == 0 { Self::ZERO } else { Self((part as f64 / whole as f64).min(1.0)) }
    }

    /// Returns the value, 0…1.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Ratio {
    type Error = NotARatio;
    fn try_from(value: f64) -> Result<Self, NotARatio> {
        Self::new(value)
    }
}

impl From<Ratio> for f64 {
    fn from(r: Ratio) -> Self {
        r.0
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} %", self.0 * 100.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_print_as_rfc3339() {
        assert_eq!(Timestamp::EPOCH.to_string(), "1970-01-01T00:00:00.000000000Z");
        assert_eq!(Timestamp::from_nanos(1_785_579_300_123_456_789).to_string(), "2026-08-01T10:15:00.123456789Z");
        assert_eq!(Timestamp::from_nanos(-1).to_string(), "1969-12-31T23:59:59.999999999Z");
        assert_eq!(Timestamp::from_millis(951_782_400_000).to_string(), "2000-02-29T00:00:00.000000000Z");
    }

    #[test]
    fn times_are_read_as_they_are_printed_and_nothing_else_is() {
        for nanos in [0, -1, 1_785_579_300_123_456_789, 951_782_400_000_000_000, -7_000_000_000_000_000_000] {
            let at = Timestamp::from_nanos(nanos);
            assert_eq!(Timestamp::parse(&at.to_string()), Some(at));
        }
        let noon = Timestamp::parse("2026-08-12T10:15:00Z");
        for same in ["2026-08-12 10:15:00.000z", "2026-08-12T12:15:00+02:00", "2026-08-12T05:45:00.0-04:30"] {
            assert_eq!(Timestamp::parse(same), noon, "{same}");
        }
        for bad in [
            "",
            "now",
            "2026-02-30T00:00:00Z",
            "2026-08-12T10:15:00",
            "2026-08-12T24:15:00Z",
            "2026-8-12T10:15:00Z",
            "+026-08-12T10:15:00Z",
        ] {
            assert_eq!(Timestamp::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn since_never_goes_negative() {
        let (a, b) = (Timestamp::from_millis(1), Timestamp::from_millis(3));
        assert_eq!(b.since(a), Duration::from_millis(2));
        assert_eq!(a.since(b), Duration::ZERO);
    }

    #[test]
    fn ratios_refuse_percent() {
        assert!(Ratio::new(1.5).is_err());
        assert!(Ratio::new(f64::NAN).is_err());
        assert_eq!(Ratio::of(1, 0), Ratio::ZERO);
        assert_eq!(Ratio::of(1, 4).to_string(), "25.0 %");
    }
}
