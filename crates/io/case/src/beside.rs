//! What `case.json` tells beside the network itself: facts for the checks, origin validation data, tables of a size.

use crate::{Case, CaseError};
use bgp::{Asn, Prefix};
use config::{BgpNetwork, RpkiState};
use core::net::IpAddr;
use preflight::Facts;
use routing::Blueprint;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

/// Prefixes that one entry of `generated` may make.
const GENERATED_MAX: usize = 2_000_000;

/// A validated ROA payload (RFC 6811 §2).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vrp {
    /// Prefix.
    pub prefix: Prefix,
    /// Origin AS.
    pub asn: Asn,
    /// Longest length; absent: the prefix's own.
    pub max_length: Option<u8>,
}

/// Prefixes that a router announces besides its configuration: the first `count` of `length` inside `within`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Generated {
    /// Router.
    pub router: String,
    /// Block that they lie in.
    pub within: Prefix,
    /// Their length.
    pub length: u8,
    /// How many.
    pub count: usize,
}

/// What `case.json` tells beside the network.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Beside {
    /// `context`.
    pub context: Facts,
    /// `vrps`: absent is unknown, never empty.
    pub vrps: Option<Vec<Vrp>>,
    /// `vrps_before`: the data before it changed last.
    pub vrps_before: Option<Vec<Vrp>>,
    /// `generated`.
    pub generated: Vec<Generated>,
}

/// Answers what origin validation says by a list of payloads (RFC 6811 §2).
#[must_use]
pub fn validity(vrps: &[Vrp], prefix: &Prefix, asn: Asn) -> RpkiState {
    let mut covering = vrps.iter().filter(|v| v.prefix.covers(prefix)).peekable();
    if covering.peek().is_none() {
        return RpkiState::NotFound;
    }
    let fits = |v: &Vrp| v.asn == asn && asn.0 != 0 && prefix.length() <= v.max_length.unwrap_or_else(|| v.prefix.length());
    if covering.any(fits) { RpkiState::Valid } else { RpkiState::Invalid }
}

impl Beside {
    /// Reads the optional fields of a case's `case.json`.
    ///
    /// # Errors
    /// [`CaseError`], with the file.
    pub fn load(dir: &Path) -> Result<Self, CaseError> {
        let (told, _) = crate::told(dir, crate::BASES_MAX)?;
        serde_json::from_value(told).map_err(|source| CaseError::Json { path: dir.join("case.json"), source })
    }

    /// Puts the generated prefixes into a network.
    pub fn fill(&self, network: &mut Blueprint) {
        Self::announce(&self.generated, network);
    }

    /// Lets routers announce generated prefixes.
    pub fn announce(generated: &[Generated], network: &mut Blueprint) {
        for made in generated {
            let Some(router) = network.routers.iter_mut().find(|r| r.name == made.router) else { continue };
            let mut config = (*router.config).clone();
            if let Some(bgp) = &mut config.bgp {
                bgp.wider.no_import_check = true;
                bgp.networks.extend(made.prefixes().map(|prefix| BgpNetwork { prefix, policy: None }));
            }
            router.config = Arc::new(config);
        }
    }

    /// Returns the facts, with own ASes where none is told: those of the named routers, else the AS that most routers are in.
    #[must_use]
    pub fn facts(&self, network: &Blueprint, named: &BTreeSet<String>) -> Facts {
        let mut facts = self.context.clone();
        if !facts.own_as.is_empty() {
            return facts;
        }
        let asn = |r: &routing::Router| {
            let bgp = r.config.bgp.as_ref()?;
            Some(bgp.wider.confederation.as_ref().map_or(bgp.asn, |c| c.identifier))
        };
        facts.own_as = network.routers.iter().filter(|r| named.contains(&r.name)).filter_map(asn).collect();
        if facts.own_as.is_empty() {
            let mut counts: BTreeMap<Asn, usize> = BTreeMap::new();
            network.routers.iter().filter_map(asn).for_each(|a| *counts.entry(a).or_default() += 1);
            // of equal ones the first router's
            let most = counts.values().copied().max().unwrap_or(0);
            facts.own_as = network.routers.iter().filter_map(asn).find(|a| counts[a] == most).into_iter().collect();
        }
        facts
    }
}

impl Generated {
    fn prefixes(&self) -> impl Iterator<Item = Prefix> {
        let bits = if self.within.address().is_ipv4() { 32 } else { 128 };
        let step = 1_u128 << (bits - u32::from(self.length).min(bits));
        let first = match self.within.address() {
            IpAddr::V4(a) => u128::from(u32::from(a)),
            IpAddr::V6(a) => u128::from(a),
        };
        let (within, length) = (self.within, self.length);
        (0..self.count.min(GENERATED_MAX)).map_while(move |n| {
            let number = first.checked_add(step.checked_mul(n as u128)?)?;
            let address = if bits == 32 { IpAddr::V4(u32::try_from(number).ok()?.into()) } else { IpAddr::V6(number.into()) };
            Prefix::new(address, length).filter(|p| within.covers(p))
        })
    }
}

impl Case {
    /// Makes a network of the case and what is told beside it.
    #[must_use]
    pub fn blueprint_with(&self, beside: &Beside) -> Blueprint {
        let mut out = self.blueprint();
        beside.fill(&mut out);
        out
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test says no by panicking")]
    use super::*;

    #[test]
    fn prefixes_are_generated_inside_their_block_and_no_further() {
        let made = |within: &str, length, count| {
            let g = Generated { router: String::new(), within: within.parse().unwrap(), length, count };
            g.prefixes().map(|p| p.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(made("198.18.0.0/15", 24, 2), ["198.18.0.0/24", "198.18.1.0/24"]);
        assert_eq!(made("198.18.0.0/15", 16, 9), ["198.18.0.0/16", "198.19.0.0/16"]);
        assert_eq!(made("2001:db8::/32", 48, 2), ["2001:db8::/48", "2001:db8:1::/48"]);
    }

    #[test]
    fn origins_are_judged_as_rfc_6811_says() {
        let vrp = |p: &str, asn, max_length| Vrp { prefix: p.parse().unwrap(), asn: Asn(asn), max_length };
        let vrps = [vrp("192.0.2.0/24", 65001, None), vrp("198.51.100.0/22", 65001, Some(24)), vrp("203.0.113.0/24", 0, None)];
        let of = |p: &str, asn| validity(&vrps, &p.parse().unwrap(), Asn(asn));
        assert_eq!(of("192.0.2.0/24", 65001), RpkiState::Valid);
        assert_eq!(of("192.0.2.0/25", 65001), RpkiState::Invalid);
        assert_eq!(of("192.0.2.0/24", 65002), RpkiState::Invalid);
        assert_eq!(of("198.51.101.0/24", 65001), RpkiState::Valid);
        assert_eq!(of("203.0.113.0/24", 0), RpkiState::Invalid, "AS 0 makes nothing valid");
        assert_eq!(of("10.0.0.0/8", 65001), RpkiState::NotFound);
    }
}
