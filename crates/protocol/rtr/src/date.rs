//! Dates as relying parties write them.

use units::calendar;

/// Reads a time in UTC, in seconds since 1970: a number, `2026-11-29T06:00:00Z` (RFC 3339, with or without a fraction) or
/// `2026-11-29 06:00:00`, which means UTC.
pub fn seconds(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    let found = calendar::rfc3339(text).or_else(|| calendar::rfc3339(&format!("{text}Z")));
    found.map(|(seconds, _)| seconds).filter(|seconds| *seconds >= 0)
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
        // certificates that never end (RFC 5280 §4.1.2.5)
        assert_eq!(seconds("9999-12-31 23:59:59"), Some(253_402_300_799));
        let wrong = [
            "",
            "yesterday",
            "2021-13-01T00:00:00Z",
            "2021-02-31T00:00:00Z",
            "2023-02-29 00:00:00",
            "2021-07-21T25:00:00Z",
            "2021-07-21",
            "2021-07-21T07:42:15+2",
            "2021-07-21T07:42Z",
            "1969-12-31T23:59:59Z",
        ];
        for wrong in wrong {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }
}
