//! The calendar: days and dates, and times as RFC 3339 writes them. The only such arithmetic in the program.

/// Seconds of a day.
const DAY_S: i64 = 86_400;

/// Returns the days from 1970-01-01 to a date of the proleptic Gregorian calendar; `None` when there is no such day (Howard Hinnant's
/// `days_from_civil`). Years from −9999 to 9999.
#[must_use]
pub fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(-9999..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // years counted from March, so that the leap day is the last
    let y = if month <= 2 { year - 1 } else { year };
    let (era, yoe) = (y.div_euclid(400), y.rem_euclid(400));
    let doy = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468;
    (civil(days) == (year, month, day)).then_some(days)
}

/// Returns year, month and day of so many days after 1970-01-01 (Howard Hinnant's `civil_from_days`).
#[must_use]
pub fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + i64::from(month <= 2), month, doy - (153 * mp + 2) / 5 + 1)
}

/// Reads RFC 3339 (`2026-08-12T10:15:00.5Z`, `2026-08-12 12:15:00+02:00`) as seconds since 1970 and nanoseconds, 0…999 999 999; digits of a
/// fraction behind the ninth are dropped. `None` for anything else, and for days and times that do not exist; second 60 is a leap second.
#[must_use]
pub fn rfc3339(text: &str) -> Option<(i64, u32)> {
    let number = |from: usize, to: usize| text.get(from..to).filter(|t| t.bytes().all(|b| b.is_ascii_digit()))?.parse::<i64>().ok();
    let mark = |at: usize, any: &[u8]| text.as_bytes().get(at).filter(|b| any.contains(b)).map(|_| ());
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    mark(4, b"-")?;
    mark(7, b"-")?;
    mark(10, b"Tt ")?;
    mark(13, b":")?;
    mark(16, b":")?;
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let rest = text.get(19..)?;
    let digits = rest.strip_prefix('.').map_or(0, |r| r.bytes().take_while(u8::is_ascii_digit).count());
    let (fraction, zone) = if digits > 0 { (rest.get(1..=digits)?, rest.get(1 + digits..)?) } else { ("", rest) };
    let nanos = format!("{fraction:0<9.9}").parse().ok()?;
    let seconds = days(year, month, day)? * DAY_S + hour * 3600 + minute * 60 + second;
    Some((seconds - offset_s(zone)?, nanos))
}

/// Reads `Z` or `+02:00` as seconds ahead of UTC.
fn offset_s(zone: &str) -> Option<i64> {
    if matches!(zone, "Z" | "z") {
        return Some(0);
    }
    let &[sign @ (b'+' | b'-'), h, i, b':', m, n] = zone.as_bytes() else { return None };
    let two = |a: u8, b: u8| (a.is_ascii_digit() && b.is_ascii_digit()).then(|| i64::from(a - b'0') * 10 + i64::from(b - b'0'));
    let (hours, minutes) = (two(h, i).filter(|h| *h < 24)?, two(m, n).filter(|m| *m < 60)?);
    let offset = hours * 3600 + minutes * 60;
    Some(if sign == b'+' { offset } else { -offset })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Days of the months, counted one by one over the four centuries after which the calendar repeats, and a little further.
    #[test]
    fn every_day_has_its_date_and_no_other_date_has_a_day() {
        let mut expected = -719_528; // 0000-01-01
        for year in 0..=2400 {
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            for (month, length) in (1..).zip([31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]) {
                for day in 1..=31 {
                    let found = days(year, month, day);
                    assert_eq!(found, (day <= length).then_some(expected), "{year}-{month}-{day}");
                    if found.is_some() {
                        assert_eq!(civil(expected), (year, month, day));
                        expected += 1;
                    }
                }
            }
        }
        assert_eq!(days(1970, 1, 1), Some(0));
        assert_eq!((days(2026, 0, 1), days(2026, 13, 1), days(2026, 1, 0), days(10_000, 1, 1)), (None, None, None, None));
        assert_eq!(days(9999, 12, 31).map(civil), Some((9999, 12, 31)));
    }

    #[test]
    fn times_of_any_offset_become_utc_and_what_does_not_exist_is_none() {
        let read = |text| rfc3339(text).map(|(s, n)| i128::from(s) * 1_000_000_000 + i128::from(n));
        assert_eq!(read("1969-12-31T19:00:00-05:00"), Some(0));
        assert_eq!(read("2021-03-18T21:10:01.161694227-04:00"), Some(1_616_116_201_161_694_227));
        assert_eq!(read("2021-03-18T21:10:01.5z"), Some(1_616_101_801_500_000_000));
        assert_eq!(read("2021-03-18 21:10:01.1234567899Z"), Some(1_616_101_801_123_456_789));
        assert_eq!(read("2024-02-29T00:00:00Z"), Some(1_709_164_800_000_000_000));
        assert_eq!(rfc3339("9999-12-31T23:59:60Z"), Some((253_402_300_800, 0)), "further than nanoseconds in 64 bits go");
        let none = [
            "",
            "2021",
            "2021-02-31T00:00:00Z",
            "2023-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "2021-04-31T00:00:00Z",
            "2021-13-01T00:00:00Z",
            "2021-00-01T00:00:00Z",
            "2021-01-00T00:00:00Z",
            "2021-03-18T24:00:00Z",
            "2021-03-18T21:60:00Z",
            "2021-03-18T21:10:61Z",
            "2021-03-18T21:10:01",
            "2021-03-18T21:10:01.Z",
            "2021-03-18T21:10:01+0",
            "2021-03-18T21:10:01+24:00",
            "2021-03-18T21:10:01+02:60",
            "2021-03-18T21:10:01+-1:00",
            "2021-03-18T21:10:01Zx",
            "2021-3-18T21:10:01Z",
            "+021-03-18T21:10:01Z",
            "é021-03-18T21:10:01Z",
        ];
        for odd in none {
            assert_eq!(rfc3339(odd), None, "{odd}");
        }
    }
}
