//! Dates as relying parties write them.

/// Seconds of a day.
const DAY_S: i64 = 86_400;

/// Reads a time in UTC, in seconds since 1970: a number, `2026-11-29T06:00:00Z` (RFC 3339, with or without a fraction or an offset) or
/// `2026-11-29 06:00:00`.
pub fn seconds(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    let (date, time) = text.split_once(['T', 't', ' '])?;
    let mut parts = date.splitn(3, '-').map(|p| p.parse::<i64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let end = time.find(|c: char| !c.is_ascii_digit() && c != ':').unwrap_or(time.len());
    let (clock, rest) = time.split_at_checked(end)?;
    let mut parts = clock.splitn(3, ':').map(|p| p.parse::<i64>().ok());
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    let zone = rest.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
    let in_range = (1970..10_000).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    if !in_range || !(0..24).contains(&hour) || !(0..60).contains(&minute) || !(0..=60).contains(&second) {
        return None;
    }
    Some(days(year, month, day) * DAY_S + hour * 3600 + minute * 60 + second - offset(zone)?)
}

fn offset(zone: &str) -> Option<i64> {
    if matches!(zone, "" | "Z" | "z") {
        return Some(0);
    }
    let (sign, rest) = zone.strip_prefix('+').map(|r| (1, r)).or_else(|| zone.strip_prefix('-').map(|r| (-1, r)))?;
    let (hours, minutes) = rest.split_once(':')?;
    let (hours, minutes) = (hours.parse::<i64>().ok()?, minutes.parse::<i64>().ok()?);
    ((0..24).contains(&hours) && (0..60).contains(&minutes)).then_some(sign * (hours * 3600 + minutes * 60))
}

/// Days since 1970-01-01 of a date of the Gregorian calendar (years counted from March, so that the leap day is the last).
const fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_relying_parties_are_read() {
        assert_eq!(seconds("1626853335"), Some(1_626_853_335));
        assert_eq!(seconds("2021-07-21T07:42:15Z"), Some(1_626_853_335));
        assert_eq!(seconds("2021-07-21T07:42:15.123456Z"), Some(1_626_853_335));
        assert_eq!(seconds("2021-07-21T09:42:15+02:00"), Some(1_626_853_335));
        assert_eq!(seconds("2021-07-21 07:42:15"), Some(1_626_853_335));
        assert_eq!(seconds("2024-02-29T00:00:00Z"), Some(1_709_164_800));
        assert_eq!(seconds("1970-01-01T00:00:00Z"), Some(0));
        for wrong in
            ["", "yesterday", "2021-13-01T00:00:00Z", "2021-07-21T25:00:00Z", "2021-07-21", "2021-07-21T07:42:15+2", "2021-07-21T07:42Z"]
        {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }
}
