//! Local exceptions to RPKI data (RFC 8416, SLURM): payloads that are taken out, and others that are added.

use crate::Vrp;
use crate::vrp::Exact;
use bgp::{Asn, Prefix};
use serde::Deserialize;

/// Bytes of a file; real ones have some hundred lines.
const BYTES_MAX: usize = 16 << 20;

/// Why a file is not taken. A deviation from RFC 8416 is an error (§3), and the file counts for nothing then.
#[derive(Debug, thiserror::Error)]
pub enum SlurmError {
    /// Not the JSON that the standard asks for.
    #[error("not a SLURM file (RFC 8416 §3)")]
    Json(#[source] serde_json::Error),
    /// Another version.
    #[error("SLURM version {0}; version 1 is read (RFC 8416 §3.2)")]
    Version(u64),
    /// A filter that filters by nothing.
    #[error("prefix filter {0} names neither a prefix nor an AS (RFC 8416 §3.3.1)")]
    EmptyFilter(usize),
    /// An assertion whose longest length does not fit its prefix.
    #[error("prefix assertion {at}: the longest length {max_length} does not fit {prefix} (RFC 8416 §3.4.1)")]
    Length {
        /// Place in the list, from 1.
        at: usize,
        /// Its prefix.
        prefix: Prefix,
        /// What it asks for.
        max_length: u8,
    },
    /// Larger than any real file.
    #[error("{0} bytes; at most {BYTES_MAX} are read")]
    TooLarge(usize),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Document {
    slurm_version: u64,
    validation_output_filters: Filters,
    locally_added_assertions: Assertions,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Filters {
    prefix_filters: Vec<Filter>,
    // router keys have no part in origin validation
    #[serde(rename = "bgpsecFilters")]
    _bgpsec: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Assertions {
    prefix_assertions: Vec<Assertion>,
    #[serde(rename = "bgpsecAssertions")]
    _bgpsec: Vec<serde_json::Value>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    prefix: Option<Exact>,
    asn: Option<Asn>,
    #[serde(rename = "comment")]
    _comment: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Assertion {
    prefix: Exact,
    asn: Asn,
    max_prefix_length: Option<u8>,
    #[serde(rename = "comment")]
    _comment: Option<String>,
}

/// Local exceptions.
#[derive(Clone, Debug, Default)]
pub struct Slurm {
    filters: Vec<Filter>,
    added: Vec<Vrp>,
}

impl Slurm {
    /// Reads a file.
    ///
    /// # Errors
    /// [`SlurmError`]; nothing of a file with an error counts.
    pub fn read(text: &str) -> Result<Self, SlurmError> {
        if text.len() > BYTES_MAX {
            return Err(SlurmError::TooLarge(text.len()));
        }
        // another version has other members; its number is the better answer
        let value: serde_json::Value = serde_json::from_str(text).map_err(SlurmError::Json)?;
        if let Some(version) = value.get("slurmVersion").and_then(serde_json::Value::as_u64).filter(|v| *v != 1) {
            return Err(SlurmError::Version(version));
        }
        let document: Document = serde_json::from_str(text).map_err(SlurmError::Json)?;
        if document.slurm_version != 1 {
            return Err(SlurmError::Version(document.slurm_version));
        }
        let filters = document.validation_output_filters.prefix_filters;
        if let Some(at) = filters.iter().position(|f| f.prefix.is_none() && f.asn.is_none()) {
            return Err(SlurmError::EmptyFilter(at + 1));
        }
        let mut added = Vec::new();
        for (at, a) in (1..).zip(document.locally_added_assertions.prefix_assertions) {
            let Exact(prefix) = a.prefix;
            let max_length = a.max_prefix_length.unwrap_or_else(|| prefix.length());
            added.push(Vrp::new(prefix, max_length, a.asn).ok_or(SlurmError::Length { at, prefix, max_length })?);
        }
        Ok(Self { filters, added })
    }

    /// Says whether a payload stays: a filter takes out what lies in its prefix and has its AS, as far as it names them (RFC 8416 §3.3.1).
    #[must_use]
    pub fn keeps(&self, vrp: &Vrp) -> bool {
        let hits = |f: &Filter| f.prefix.is_none_or(|Exact(p)| p.covers(&vrp.prefix())) && f.asn.is_none_or(|a| a == vrp.asn());
        !self.filters.iter().any(hits)
    }

    /// Returns how many filters it has.
    #[must_use]
    pub const fn filters(&self) -> usize {
        self.filters.len()
    }

    /// Returns the payloads that it adds; filters do not touch them (RFC 8416 §4.1), and they never expire.
    #[must_use]
    pub fn added(&self) -> &[Vrp] {
        &self.added
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vrp(prefix: &str, max_length: u8, asn: u32) -> Vrp {
        Vrp::new(prefix.parse().unwrap(), max_length, Asn(asn)).unwrap()
    }

    /// The example of RFC 8416 §3.5, without its router keys.
    const EXAMPLE: &str = r#"{"slurmVersion": 1,
        "validationOutputFilters": {"prefixFilters": [
            {"prefix": "192.0.2.0/24", "comment": "All VRPs encompassed by prefix"},
            {"asn": 64496, "comment": "All VRPs matching ASN"},
            {"prefix": "198.51.100.0/24", "asn": 64497, "comment": "All VRPs encompassed by prefix, matching ASN"}],
          "bgpsecFilters": [{"asn": 64496}]},
        "locallyAddedAssertions": {"prefixAssertions": [
            {"asn": 64496, "prefix": "198.51.100.0/24", "comment": "My other important route"},
            {"asn": 64496, "prefix": "2001:DB8::/32", "maxPrefixLength": 48, "comment": "My other important de-aggregated routes"}],
          "bgpsecAssertions": []}}"#;

    #[test]
    fn filters_and_assertions_are_those_of_the_standard() {
        let slurm = Slurm::read(EXAMPLE).unwrap();
        assert!(!slurm.keeps(&vrp("192.0.2.0/24", 24, 1)));
        assert!(!slurm.keeps(&vrp("192.0.2.128/25", 25, 1)), "it lies in the filter's prefix");
        assert!(slurm.keeps(&vrp("192.0.0.0/16", 24, 1)), "it lies around the filter's prefix");
        assert!(!slurm.keeps(&vrp("10.0.0.0/8", 8, 64496)));
        assert!(!slurm.keeps(&vrp("198.51.100.0/24", 24, 64497)));
        assert!(slurm.keeps(&vrp("198.51.100.0/24", 24, 64498)), "the filter names another AS");
        assert_eq!(slurm.added(), [vrp("198.51.100.0/24", 24, 64496), vrp("2001:db8::/32", 48, 64496)]);
    }

    #[test]
    fn every_deviation_is_an_error() {
        let with = |filters: &str, assertions: &str| {
            let text = format!(
                r#"{{"slurmVersion":1,"validationOutputFilters":{{"prefixFilters":[{filters}],"bgpsecFilters":[]}},
                "locallyAddedAssertions":{{"prefixAssertions":[{assertions}],"bgpsecAssertions":[]}}}}"#
            );
            Slurm::read(&text)
        };
        assert!(with("", "").is_ok());
        assert!(matches!(with("{\"comment\":\"x\"}", ""), Err(SlurmError::EmptyFilter(1))));
        assert!(matches!(with("{\"prefix\":\"192.0.2.0/33\"}", ""), Err(SlurmError::Json(_))));
        assert!(matches!(with("{\"prefix\":\"192.0.2.1/24\"}", ""), Err(SlurmError::Json(_))), "bits beyond its length");
        assert!(matches!(with("{\"prefix\":\"192.0.2.0/24\",\"ski\":\"x\"}", ""), Err(SlurmError::Json(_))));
        let long = with("", "{\"asn\":1,\"prefix\":\"192.0.2.0/24\",\"maxPrefixLength\":33}");
        assert!(matches!(long, Err(SlurmError::Length { at: 1, max_length: 33, .. })));
        assert!(matches!(with("", "{\"prefix\":\"192.0.2.0/24\"}"), Err(SlurmError::Json(_))));
        assert!(matches!(Slurm::read("{\"slurmVersion\":2}"), Err(SlurmError::Version(2))));
        assert!(matches!(Slurm::read("{\"slurmVersion\":1}"), Err(SlurmError::Json(_))), "all four members are required");
        assert!(matches!(Slurm::read("slurm"), Err(SlurmError::Json(_))));
    }
}
