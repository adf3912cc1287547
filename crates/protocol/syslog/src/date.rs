//! Dates as syslog writes them.

use units::calendar;

const NANOS: i64 = 1_000_000_000;
const DAY_S: i64 = 86_400;
const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
/// Years that a date may have: those that nanoseconds in 64 bits hold.
const YEARS: core::ops::RangeInclusive<i64> = 1970..=2261;

/// A point of the calendar without a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Civil {
    pub(crate) year: i64,
    pub(crate) month: i64,
    pub(crate) day: i64,
    /// Nanoseconds since midnight.
    pub(crate) nanos: i64,
}

impl Civil {
    /// Returns the moment, nanoseconds since the Unix epoch; `None` when there is no such day or time.
    pub(crate) fn utc(self, offset_s: i64) -> Option<i64> {
        let valid = YEARS.contains(&self.year) && (0..(DAY_S + 1) * NANOS).contains(&self.nanos);
        if !valid {
            return None;
        }
        let seconds = calendar::days(self.year, self.month, self.day)? * DAY_S - offset_s;
        seconds.checked_mul(NANOS)?.checked_add(self.nanos)
    }

    /// Returns the moment in the year that puts it nearest to `received`.
    pub(crate) fn nearest(self, offset_s: i64, received: i64) -> Option<i64> {
        let year = year_of(received);
        let candidates = (year - 1..=year + 1).filter_map(|year| Self { year, ..self }.utc(offset_s));
        candidates.min_by_key(|t| t.abs_diff(received))
    }
}

fn year_of(t: i64) -> i64 {
    calendar::civil(t.div_euclid(DAY_S * NANOS)).0
}

/// Reads numbers and names off the front of a text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scan<'a> {
    pub(crate) rest: &'a [u8],
}

impl<'a> Scan<'a> {
    pub(crate) fn eat(&mut self, byte: u8) -> bool {
        let found = self.rest.first() == Some(&byte);
        if found {
            self.skip(1);
        }
        found
    }

    pub(crate) fn skip(&mut self, n: usize) {
        self.rest = self.rest.get(n..).unwrap_or_default();
    }

    /// Reads `least` to `most` digits.
    pub(crate) fn number(&mut self, least: usize, most: usize) -> Option<i64> {
        let n = self.rest.iter().take(most).take_while(|b| b.is_ascii_digit()).count();
        let digits = self.rest.get(..n).filter(|_| n >= least)?;
        self.skip(n);
        Some(digits.iter().fold(0, |sum, b| sum * 10 + i64::from(b - b'0')))
    }

    /// Reads up to the next space or the end.
    pub(crate) fn word(&mut self) -> &'a [u8] {
        let n = self.rest.iter().position(|b| *b == b' ').unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(n);
        self.rest = rest;
        word
    }

    pub(crate) fn spaces(&mut self) -> usize {
        let n = self.rest.iter().take_while(|b| **b == b' ').count();
        self.skip(n);
        n
    }

    /// `hh:mm:ss` with a fraction of any length; nanoseconds since midnight. Second 60 is a leap second.
    fn clock(&mut self) -> Option<i64> {
        let hour = self.number(2, 2).filter(|h| *h < 24)?;
        let minute = self.eat(b':').then(|| self.number(2, 2)).flatten().filter(|m| *m < 60)?;
        let second = self.eat(b':').then(|| self.number(2, 2)).flatten().filter(|s| *s <= 60)?;
        let mut nanos = ((hour * 60 + minute) * 60 + second) * NANOS;
        let dot = matches!(self.rest, [b'.' | b',', digit, ..] if digit.is_ascii_digit());
        if dot {
            self.skip(1);
            let n = self.rest.iter().take_while(|b| b.is_ascii_digit()).count();
            let mut unit = NANOS / 10;
            for b in self.rest.iter().take(n) {
                nanos += i64::from(b - b'0') * unit;
                unit /= 10;
            }
            self.skip(n);
        }
        Some(nanos)
    }

    fn month(&mut self) -> Option<i64> {
        let name = self.rest.get(..3)?.to_ascii_lowercase();
        let month = MONTHS.iter().position(|m| m.as_bytes() == name)?;
        self.skip(3);
        i64::try_from(month + 1).ok()
    }
}

/// Reads an RFC 3339 time (RFC 5424 §6.2.3); returns it with what was read off.
pub(crate) fn rfc3339(text: &[u8]) -> Option<(i64, usize)> {
    let mut s = Scan { rest: text };
    let year = s.number(4, 4)?;
    let month = s.eat(b'-').then(|| s.number(2, 2)).flatten()?;
    let day = s.eat(b'-').then(|| s.number(2, 2)).flatten()?;
    if !(s.eat(b'T') || s.eat(b't')) {
        return None;
    }
    let nanos = s.clock()?;
    let offset = if s.eat(b'Z') || s.eat(b'z') {
        0
    } else {
        let sign = if s.eat(b'+') { 1 } else { s.eat(b'-').then_some(-1)? };
        let (hours, minutes) = (s.number(2, 2)?, s.eat(b':').then(|| s.number(2, 2)).flatten()?);
        sign * (hours * 60 + minutes) * 60
    };
    let time = Civil { year, month, day, nanos }.utc(offset)?;
    Some((time, text.len() - s.rest.len()))
}

/// A date as RFC 3164 and its relatives write it.
pub(crate) struct Legacy {
    pub(crate) time: i64,
    /// Bytes read.
    pub(crate) length: usize,
    pub(crate) year_given: bool,
    pub(crate) zone_given: bool,
}

/// Reads `Mmm dd hh:mm:ss` (RFC 3164 §4.1.2), with a year before or behind and a fraction, and with `UTC`, `GMT` or `Z` behind it. Other
/// names of zones are read off, and the time is taken for UTC: nobody knows which zone a `CST` is.
pub(crate) fn legacy(text: &[u8], received: i64) -> Option<Legacy> {
    let mut s = Scan { rest: text };
    let mut year = None;
    if matches!(text, [a, b, c, d, b' ', ..] if [a, b, c, d].iter().all(|x| x.is_ascii_digit())) {
        year = s.number(4, 4);
        s.spaces();
    }
    let month = s.month()?;
    let day = (s.spaces() > 0).then(|| s.number(1, 2)).flatten()?;
    if s.spaces() == 0 {
        return None;
    }
    let mut ahead = s;
    if year.is_none()
        && let Some(found) = ahead.number(4, 4)
        && ahead.spaces() > 0
    {
        year = Some(found);
        s = ahead;
    }
    let nanos = s.clock()?;
    let zone_given = zone(&mut s);
    let civil = Civil { year: year.unwrap_or(0), month, day, nanos };
    let time = if year.is_some() { civil.utc(0) } else { civil.nearest(0, received) }?;
    Some(Legacy { time, length: text.len() - s.rest.len(), year_given: year.is_some(), zone_given })
}

/// Reads ` UTC` and the like off. Other names count only where a colon and a mnemonic (`%SYS-…`) follow: a host or a tag may stand there.
fn zone(s: &mut Scan<'_>) -> bool {
    let mut ahead = *s;
    if ahead.spaces() != 1 {
        return false;
    }
    let word = ahead.rest.iter().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-')).count();
    let name = ahead.rest.get(..word).unwrap_or_default();
    ahead.skip(word);
    let colon = ahead.rest.first() == Some(&b':') || ahead.rest.starts_with(b" :");
    let utc = [&b"UTC"[..], b"GMT", b"Z"].contains(&name);
    let short = word <= 6 && matches!(name, [b'A'..=b'Z' | b'+' | b'-', ..]) && !name.iter().any(u8::is_ascii_lowercase);
    let mnemonic = ahead.rest.windows(2).any(|w| matches!(w, [b'%', b'A'..=b'Z']));
    if colon && (utc || (short && mnemonic)) {
        *s = ahead;
        return utc;
    }
    false
}
