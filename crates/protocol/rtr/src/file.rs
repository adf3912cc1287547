//! Files of VRPs as relying parties write them.
//!
//! JSON: `{"metadata":{…},"roas":[{"prefix":…,"maxLength":…,"asn":"AS65001"|65001,"expires":…}]}`: Routinator (`json`), rpki-client, StayRTR,
//! OctoRPKI; they differ in the metadata. CSV: a heading that names the columns, in any order: Routinator (`csv`, `csvcompat`, `csvext`),
//! rpki-client.

use crate::date;
use crate::vrp::{Exact, VRPS_MAX};
use crate::{Slurm, Vrp, Vrps};
use bgp::{Asn, Prefix};
use serde::{Deserialize, Serialize};

/// A file that was made longer ago than this is out of date as a whole, seconds (StayRTR's `-checktime`; relying parties run every hour or so).
pub const AGE_S_MAX: i64 = 86_400;
/// Characters of a bad field that an error shows.
const SHOWN: usize = 60;

/// What is wrong with a file. Nothing of such a file counts: half the payloads would make valid routes invalid.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Not the JSON of a relying party.
    #[error("not JSON with `roas` as relying parties write it")]
    Json(#[source] serde_json::Error),
    /// No heading that names the columns.
    #[error("line 1: no heading of VRPs; expected columns `ASN`, `IP Prefix`, `Max Length`")]
    Heading,
    /// A field that is not what it should be.
    #[error("line {line}: {text:?} is {what}")]
    Field {
        /// From 1.
        line: usize,
        /// What it is instead of what was expected.
        what: String,
        /// As written, cut.
        text: String,
    },
    /// A longest length that does not fit its prefix.
    #[error("{place}: the longest length {max_length} does not fit {prefix}")]
    Length {
        /// Where.
        place: String,
        /// Prefix.
        prefix: Prefix,
        /// As written.
        max_length: u8,
    },
    /// More than there can be.
    #[error("more than {VRPS_MAX} VRPs")]
    TooMany,
}

/// A file that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// When it was made, seconds since 1970; `None`: it does not say.
    pub made_s: Option<i64>,
    /// Until when it says that it holds.
    pub until_s: Option<i64>,
    /// Payloads, each with the time at which it expires, where the file tells it.
    pub vrps: Vec<(Vrp, Option<i64>)>,
}

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    metadata: Metadata,
    roas: Vec<Roa>,
}

/// Only what tells the age. Numbers and texts of different programs.
#[derive(Default, Deserialize)]
struct Metadata {
    generated: Option<serde_json::Value>,
    #[serde(rename = "generatedTime")]
    generated_time: Option<serde_json::Value>,
    buildtime: Option<serde_json::Value>,
    valid: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Roa {
    prefix: Exact,
    #[serde(rename = "maxLength")]
    max_length: Option<u8>,
    asn: Number,
    expires: Option<i64>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "an AS number as 65001 or \"AS65001\"")]
enum Number {
    Plain(u32),
    Text(String),
}

impl File {
    /// Reads a file, JSON or CSV by its first character.
    ///
    /// # Errors
    /// [`FileError`], with the place.
    pub fn read(text: &str) -> Result<Self, FileError> {
        let text = text.trim_start_matches('\u{feff}');
        if text.trim_start().starts_with(['{', '[']) { Self::json(text) } else { Self::csv(text) }
    }

    fn json(text: &str) -> Result<Self, FileError> {
        let document: Document = serde_json::from_str(text).map_err(FileError::Json)?;
        if document.roas.len() > VRPS_MAX {
            return Err(FileError::TooMany);
        }
        let time = |value: &Option<serde_json::Value>| match value {
            Some(serde_json::Value::String(text)) => date::seconds(text),
            Some(value) => value.as_i64(),
            None => None,
        };
        let m = &document.metadata;
        let made_s = time(&m.generated).or_else(|| time(&m.generated_time)).or_else(|| time(&m.buildtime));
        let until_s = time(&m.valid);
        let mut vrps = Vec::with_capacity(document.roas.len());
        for (at, roa) in (1..).zip(document.roas) {
            let place = || format!("entry {at} of `roas`");
            let asn = match &roa.asn {
                Number::Plain(n) => Asn(*n),
                Number::Text(text) => asn(text).ok_or_else(|| {
                    FileError::Json(serde::de::Error::custom(format!("{}: {:?} is not an AS number", place(), cut(text))))
                })?,
            };
            let Exact(prefix) = roa.prefix;
            let max_length = roa.max_length.unwrap_or_else(|| prefix.length());
            let vrp = Vrp::new(prefix, max_length, asn).ok_or_else(|| FileError::Length { place: place(), prefix, max_length })?;
            vrps.push((vrp, roa.expires));
        }
        Ok(Self { made_s, until_s, vrps })
    }

    fn csv(text: &str) -> Result<Self, FileError> {
        let mut lines = (1..).zip(text.lines());
        let heading: Vec<String> = lines.next().map(|(_, l)| fields(l).map(str::to_lowercase).collect()).unwrap_or_default();
        let column = |names: &[&str]| heading.iter().position(|h| names.contains(&h.as_str()));
        let (Some(asns), Some(prefixes), Some(lengths)) =
            (column(&["asn"]), column(&["ip prefix", "prefix"]), column(&["max length", "maxlength"]))
        else {
            return Err(FileError::Heading);
        };
        let ends = column(&["expires", "not after"]);
        let mut vrps = Vec::new();
        for (line, text) in lines.filter(|(_, l)| !l.trim().is_empty()) {
            let row: Vec<&str> = fields(text).collect();
            let field = |at: usize| row.get(at).copied().unwrap_or_default();
            let wrong = |what: &str, at| FileError::Field { line, what: format!("not {what}"), text: cut(field(at)) };
            let inexact = |what| FileError::Field { line, what, text: cut(field(prefixes)) };
            let Exact(prefix) = field(prefixes).parse().map_err(inexact)?;
            let asn = asn(field(asns)).ok_or_else(|| wrong("an AS number", asns))?;
            let max_length = match field(lengths) {
                "" => prefix.length(),
                text => text.parse().map_err(|_| wrong("a prefix length", lengths))?,
            };
            let expires = match ends.map(|at| (at, field(at))) {
                None | Some((_, "")) => None,
                Some((at, text)) => Some(date::seconds(text).ok_or_else(|| wrong("a time", at))?),
            };
            let vrp =
                Vrp::new(prefix, max_length, asn).ok_or_else(|| FileError::Length { place: format!("line {line}"), prefix, max_length })?;
            if vrps.len() == VRPS_MAX {
                return Err(FileError::TooMany);
            }
            vrps.push((vrp, expires));
        }
        Ok(Self { made_s: None, until_s: None, vrps })
    }

    /// Takes another time for that at which it was made (the file's own) where it says none itself, so that it ages as others do.
    #[must_use]
    pub fn or_made(self, file_time_s: Option<i64>) -> Self {
        Self { made_s: self.made_s.or(file_time_s), ..self }
    }

    /// Returns what of it holds at a time, with local exceptions; or why nothing of it does.
    ///
    /// # Errors
    /// A sentence: the file is out of date as a whole, or holds nothing that is in force.
    pub fn at(&self, now_s: i64, slurm: &Slurm) -> Result<Vrps, String> {
        self.is_young(now_s)?;
        let kept = || self.vrps.iter().filter(|(v, _)| slurm.keeps(v));
        let in_force = |expires: &Option<i64>| expires.is_none_or(|e| e > now_s);
        let live = kept().filter(|(_, e)| in_force(e)).map(|(v, _)| *v);
        let out = Vrps::with_expired(live.chain(slurm.added().iter().copied()), kept().filter(|(_, e)| !in_force(e)).map(|(v, _)| *v));
        if self.vrps.is_empty() && slurm.added().is_empty() {
            // a relying party that failed writes such a file; read as data it would make every route "not found"
            return Err(NONE_IN_IT.to_owned());
        }
        if out.is_empty() && out.expired() > 0 {
            return Err(all_expired(out.expired()));
        }
        Ok(out)
    }

    fn is_young(&self, now_s: i64) -> Result<(), String> {
        if let Some(made) = self.made_s.filter(|made| now_s.saturating_sub(*made) > AGE_S_MAX) {
            let hours = now_s.saturating_sub(made) / 3600;
            return Err(format!("the VRPs were made {hours} hours ago; after {} they count for nothing", AGE_S_MAX / 3600));
        }
        if self.until_s.is_some_and(|until| until <= now_s) {
            return Err("the VRPs held until a time that has passed".to_owned());
        }
        Ok(())
    }

    /// Counts what holds at a time and what has expired, without making a table of it; or says why nothing holds, as [`File::at`] does.
    ///
    /// # Errors
    /// A sentence.
    pub fn counts(&self, now_s: i64) -> Result<(usize, usize), String> {
        self.is_young(now_s)?;
        let live = self.vrps.iter().filter(|(_, e)| e.is_none_or(|e| e > now_s)).count();
        match (live, self.vrps.len() - live) {
            (0, 0) => Err(NONE_IN_IT.to_owned()),
            (0, expired) => Err(all_expired(expired)),
            counts => Ok(counts),
        }
    }

    /// Returns the next time at which [`File::at`] has another answer than at `now_s`, because something expires; `None`: never.
    #[must_use]
    pub fn turns_after(&self, now_s: i64) -> Option<i64> {
        let too_old = self.made_s.map(|made| made.saturating_add(AGE_S_MAX + 1));
        let ends = self.vrps.iter().filter_map(|(_, expires)| *expires);
        ends.chain(too_old).chain(self.until_s).filter(|at| *at > now_s).min()
    }
}

const NONE_IN_IT: &str = "there are no VRPs in it";

fn all_expired(count: usize) -> String {
    format!("all {count} VRPs have expired")
}

fn asn(text: &str) -> Option<Asn> {
    let digits = text.strip_prefix("AS").or_else(|| text.strip_prefix("as")).unwrap_or(text);
    digits.parse().ok().map(Asn)
}

fn fields(line: &str) -> impl Iterator<Item = &str> {
    line.split(',').map(|f| f.trim().trim_matches('"'))
}

fn cut(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bgp::RpkiState;

    const NOW: i64 = 1_800_000_000;

    fn vrp(prefix: &str, max_length: u8, asn: u32) -> Vrp {
        Vrp::new(prefix.parse().unwrap(), max_length, Asn(asn)).unwrap()
    }

    /// What is counted, when it turns, and what the table says are one answer.
    #[test]
    fn counts_and_turns_are_those_of_the_table() {
        let vrps = [(1, Some(NOW + 10)), (2, Some(NOW + 20)), (3, None)].map(|(n, e)| (vrp(&format!("10.{n}.0.0/16"), 16, n), e));
        let file = File { made_s: Some(NOW), until_s: Some(NOW + 30), vrps: vrps.to_vec() };
        let (mut at, mut told) = (NOW, Vec::new());
        loop {
            let table = file.at(at, &Slurm::default()).map(|t| (t.len(), t.expired()));
            assert_eq!(file.counts(at), table, "at {at}");
            told.push(table.ok());
            let Some(next) = file.turns_after(at) else { break };
            assert_eq!(file.counts(next - 1), file.counts(at), "it turned before {next}");
            at = next;
        }
        // the last turn is that of its age, and nothing is left to turn then
        assert_eq!(told, [Some((3, 0)), Some((2, 1)), Some((1, 2)), None, None]);
        assert_eq!(File::default().counts(NOW), Err("there are no VRPs in it".to_owned()));
        let old = File { vrps: vec![(vrp("10.0.0.0/8", 8, 1), Some(NOW))], ..File::default() };
        assert_eq!(old.counts(NOW), Err("all 1 VRPs have expired".to_owned()));
    }

    #[test]
    fn files_of_four_programs_say_the_same() {
        let wanted = [vrp("93.175.147.0/24", 24, 196_615), vrp("2001:7fb:fd03::/48", 48, 196_615)];
        let routinator = r#"{"metadata":{"generated":1626853335,"generatedTime":"2021-07-21T07:42:15Z"},"roas":[
            {"asn":"AS196615","prefix":"93.175.147.0/24","maxLength":24,"ta":"ripe"},
            {"asn":"AS196615","prefix":"2001:7fb:fd03::/48","maxLength":48,"ta":"ripe"}]}"#;
        let rpki_client = r#"{"metadata":{"buildmachine":"x","buildtime":"2021-07-21T07:42:15Z","roas":2},"roas":[
            {"asn":196615,"prefix":"93.175.147.0/24","maxLength":24,"ta":"ripe","expires":1626900000},
            {"asn":196615,"prefix":"2001:7fb:fd03::/48","maxLength":48,"ta":"ripe","expires":1626900000}],"bgpsec_keys":[]}"#;
        for text in [routinator, rpki_client] {
            let file = File::read(text).unwrap();
            assert_eq!(file.made_s, Some(1_626_853_335));
            assert_eq!(file.vrps.iter().map(|(v, _)| *v).collect::<Vec<_>>(), wanted);
        }
        let csv = "ASN,IP Prefix,Max Length,Trust Anchor\nAS196615,93.175.147.0/24,24,ripe\nAS196615,2001:7fb:fd03::/48,48,ripe\n";
        let compat = "\"ASN\",\"IP Prefix\",\"Max Length\",\"Trust Anchor\"\n\"196615\",\"93.175.147.0/24\",\"24\",\"ripe\"\n\n\"196615\",\"2001:7fb:fd03::/48\",\"48\",\"ripe\"\n";
        let more = "URI,ASN,IP Prefix,Max Length,Not Before,Not After\nrsync://x,AS196615,93.175.147.0/24,24,2021-01-01 00:00:00,2021-07-22 00:00:00\nrsync://x,AS196615,2001:7fb:fd03::/48,,2021-01-01 00:00:00,2021-07-22 00:00:00\n";
        for text in [csv, compat, more] {
            assert_eq!(File::read(text).unwrap().vrps.iter().map(|(v, _)| *v).collect::<Vec<_>>(), wanted, "{text}");
        }
        assert_eq!(File::read(more).unwrap().vrps[0].1, Some(1_626_912_000));
    }

    #[test]
    fn what_is_out_of_date_counts_for_nothing() {
        let of = |made: i64, expires: i64| {
            let text = format!(
                r#"{{"metadata":{{"generated":{made}}},"roas":[{{"asn":1,"prefix":"192.0.2.0/24","maxLength":24,"expires":{expires}}}]}}"#
            );
            File::read(&text).unwrap().at(NOW, &Slurm::default())
        };
        let prefix = "192.0.2.0/24".parse().unwrap();
        assert_eq!(of(NOW - 60, NOW + 60).unwrap().state(&prefix, Some(Asn(1))), Some(RpkiState::Valid));
        assert!(of(NOW - AGE_S_MAX - 1, NOW + 60).unwrap_err().contains("24 hours ago"));
        assert!(of(NOW - 60, NOW).unwrap_err().contains("all 1 VRPs have expired"));
        let none = File::read(r#"{"roas":[]}"#).unwrap().at(NOW, &Slurm::default());
        assert!(none.unwrap_err().contains("no VRPs"), "an empty file is no data");
        let until = File::read(&format!(r#"{{"metadata":{{"valid":{}}},"roas":[{{"asn":1,"prefix":"192.0.2.0/24"}}]}}"#, NOW - 1)).unwrap();
        assert!(until.at(NOW, &Slurm::default()).unwrap_err().contains("has passed"));
    }

    #[test]
    fn a_file_that_does_not_say_when_it_was_made_ages_by_its_own_time() {
        let csv = "ASN,IP Prefix,Max Length\nAS1,192.0.2.0/24,24\n";
        let at = |text: &str, file_time_s| File::read(text).unwrap().or_made(Some(file_time_s)).at(NOW, &Slurm::default()).map(|v| v.len());
        assert_eq!(at(csv, NOW - AGE_S_MAX), Ok(1));
        assert!(at(csv, NOW - AGE_S_MAX - 1).unwrap_err().contains("24 hours ago"));
        let said = format!(r#"{{"metadata":{{"generated":{}}},"roas":[{{"asn":1,"prefix":"192.0.2.0/24"}}]}}"#, NOW - 60);
        assert_eq!(at(&said, 0), Ok(1), "what it says itself counts");
        assert_eq!(File::read(csv).unwrap().at(NOW, &Slurm::default()).map(|v| v.len()), Ok(1), "without any time it has no age");
    }

    #[test]
    fn local_exceptions_go_over_the_file() {
        let file = File::read(r#"{"roas":[{"asn":1,"prefix":"192.0.2.0/24"},{"asn":1,"prefix":"198.51.100.0/24"}]}"#).unwrap();
        let slurm = r#"{"slurmVersion":1,"validationOutputFilters":{"prefixFilters":[{"prefix":"192.0.2.0/24"}],"bgpsecFilters":[]},
            "locallyAddedAssertions":{"prefixAssertions":[{"asn":2,"prefix":"203.0.113.0/24"}],"bgpsecAssertions":[]}}"#;
        let vrps = file.at(NOW, &Slurm::read(slurm).unwrap()).unwrap();
        let of = |p: &str, asn| vrps.state(&p.parse().unwrap(), Some(Asn(asn)));
        assert_eq!(of("192.0.2.0/24", 1), Some(RpkiState::NotFound));
        assert_eq!(of("198.51.100.0/24", 1), Some(RpkiState::Valid));
        assert_eq!(of("203.0.113.0/24", 2), Some(RpkiState::Valid));
    }

    #[test]
    fn a_bad_file_is_refused_whole_and_names_the_place() {
        let why = |text: &str| {
            let error = File::read(text).unwrap_err();
            let source = std::error::Error::source(&error).map(|s| format!(": {s}")).unwrap_or_default();
            format!("{error}{source}")
        };
        assert!(why(r#"{"roas":[{"asn":1,"prefix":"192.0.2.0/24","maxLength":23}]}"#).contains("entry 1 of `roas`: the longest length 23"));
        assert!(why(r#"{"roas":[{"asn":"ASX","prefix":"192.0.2.0/24"}]}"#).contains("entry 1 of `roas`: \"ASX\" is not an AS number"));
        assert!(why(r#"{"roas":[{"asn":1,"prefix":"192.0.2.0/24"}"#).contains("line 1 column"));
        assert!(why(r#"{"vrps":[]}"#).contains("roas"));
        assert!(why("").contains("no heading"));
        assert!(why("a,b\n").contains("no heading"));
        assert!(
            why("ASN,IP Prefix,Max Length\nAS1,192.0.2.0/24,24\nAS1,192.0.2.0/99,24\n")
                .contains("line 3: \"192.0.2.0/99\" is not a prefix")
        );
        let bits = "ASN,IP Prefix,Max Length\nAS1,192.0.2.0/24,24\nAS1,192.0.2.77/24,24\n";
        assert!(
            why(bits).contains("line 3: \"192.0.2.77/24\" is not a prefix: it has bits beyond its length, 192.0.2.0/24 has none"),
            "{}",
            why(bits)
        );
        let bits = "{\"roas\":[\n{\"asn\":1,\"prefix\":\"192.0.2.0/24\"},\n{\"asn\":1,\"prefix\":\"2001:db8::1/32\"}]}";
        assert!(
            why(bits).contains("\"2001:db8::1/32\" is not a prefix: it has bits beyond") && why(bits).contains("at line 3"),
            "{}",
            why(bits)
        );
        assert!(File::read("ASN,IP Prefix,Max Length\nAS1,2001:DB8:0::/32,48\n").is_ok(), "another spelling of the same address");
        assert!(why("ASN,IP Prefix,Max Length\nAS1,192.0.2.0/24,x\n").contains("line 2: \"x\" is not a prefix length"));
        assert!(why("ASN,IP Prefix,Max Length\nAS1\n").contains("line 2: \"\" is not a prefix"));
        assert!(why("ASN,IP Prefix,Max Length,Expires\nAS1,192.0.2.0/24,24,soon\n").contains("line 2: \"soon\" is not a time"));
    }
}
