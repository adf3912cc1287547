//! What `case.json` tells beside the network itself: facts for the checks, origin validation data, tables of a size.

use crate::saved::Outside;
use crate::{Case, CaseError};
use bgp::{Asn, Prefix};
use config::BgpNetwork;
use core::net::IpAddr;
use preflight::{Facts, Structure};
use routing::Blueprint;
use rtr::{Vrp, Vrps};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

/// Prefixes that one entry of `generated` may make.
const GENERATED_MAX: usize = 2_000_000;

/// An entry of `vrps` (RFC 6811 §2).
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    prefix: Prefix,
    asn: Asn,
    /// Longest length; absent: the prefix's own.
    max_length: Option<u8>,
}

/// Reads `vrps`; absent is unknown, never empty.
fn payloads<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Arc<Vrps>>, D::Error> {
    let Some(all) = Option::<Vec<Payload>>::deserialize(from)? else { return Ok(None) };
    let read = |p: Payload| {
        let max_length = p.max_length.unwrap_or_else(|| p.prefix.length());
        let wrong = || D::Error::custom(format!("vrps: the longest length {max_length} does not fit {}", p.prefix));
        Vrp::new(p.prefix, max_length, p.asn).ok_or_else(wrong)
    };
    Ok(Some(Arc::new(Vrps::new(all.into_iter().map(read).collect::<Result<Vec<_>, _>>()?))))
}

/// Prefixes that a router announces besides its configuration: the first `count` of `length` inside `within`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "GeneratedFile")]
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GeneratedFile {
    router: String,
    within: Prefix,
    length: u8,
    count: usize,
}

impl TryFrom<GeneratedFile> for Generated {
    type Error = String;

    /// Refuses what would make fewer prefixes than it says.
    fn try_from(file: GeneratedFile) -> Result<Self, String> {
        let GeneratedFile { router, within, length, count } = file;
        let bits = if within.address().is_ipv4() { 32 } else { 128 };
        let Some(below) = length.checked_sub(within.length()).filter(|_| length <= bits) else {
            return Err(format!("no prefix of length {length} lies within \"{within}\"; lengths are {} to {bits}", within.length()));
        };
        let fit = 1_usize.checked_shl(u32::from(below)).unwrap_or(usize::MAX);
        if count > fit {
            return Err(format!("count {count}: only {fit} prefixes of length {length} lie within \"{within}\""));
        }
        if count > GENERATED_MAX {
            return Err(format!("count {count} within \"{within}\": at most {GENERATED_MAX} are made"));
        }
        Ok(Self { router, within, length, count })
    }
}

/// What `case.json` tells beside the network.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Beside {
    /// `context`.
    pub context: Facts,
    /// `vrps`: absent is unknown, never empty.
    #[serde(deserialize_with = "payloads")]
    pub vrps: Option<Arc<Vrps>>,
    /// `vrps_before`: the data before it changed last.
    #[serde(deserialize_with = "payloads")]
    pub vrps_before: Option<Arc<Vrps>>,
    /// `generated`.
    pub generated: Vec<Generated>,
    /// What neighbours outside announce, from the file beside `case.json`.
    #[serde(skip)]
    pub outside: Outside,
}

impl Beside {
    /// Reads the optional fields of a case's `case.json`.
    ///
    /// # Errors
    /// [`CaseError`], with the file.
    pub fn load(dir: &Path) -> Result<Self, CaseError> {
        let (told, _) = crate::told(dir, crate::BASES_MAX)?;
        let beside: Self = serde_json::from_value(told).map_err(|source| CaseError::Json { path: dir.join("case.json"), source })?;
        Ok(Self { outside: Outside::load(dir)?, ..beside })
    }

    /// Puts the generated prefixes and what origin validation goes by into a network.
    pub fn fill(&self, network: &mut Blueprint) {
        Self::announce(&self.generated, network);
        self.outside.fill(network);
        network.vrps.clone_from(&self.vrps);
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
        // there is one prefix of length 0: no step leads to a second
        let step = 1_u128.checked_shl(bits - u32::from(self.length).min(bits));
        let first = match self.within.address() {
            IpAddr::V4(a) => u128::from(u32::from(a)),
            IpAddr::V6(a) => u128::from(a),
        };
        let (within, length) = (self.within, self.length);
        (0..self.count.min(GENERATED_MAX)).map_while(move |n| {
            let number = if n == 0 { first } else { first.checked_add(step?.checked_mul(n as u128)?)? };
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

    /// Returns the graph of the case's sessions that are up; nothing is solved for it.
    #[must_use]
    pub fn structure(&self, beside: &Beside) -> Structure {
        Structure::of_network(&self.blueprint_with(beside))
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
        assert_eq!((made("::/0", 0, 2), made("0.0.0.0/0", 0, 2)), (vec!["::/0".to_owned()], vec!["0.0.0.0/0".to_owned()]));
    }

    #[test]
    fn what_would_make_fewer_prefixes_than_it_says_is_refused() {
        let of = |within: &str, length: u8, count: usize| {
            let text = format!(r#"{{"router":"r1","within":"{within}","length":{length},"count":{count}}}"#);
            serde_json::from_str::<Generated>(&text).map_err(|e| e.to_string())
        };
        assert!(of("198.18.0.0/15", 24, 512).is_ok() && of("::/0", 128, GENERATED_MAX).is_ok());
        assert!(of("198.18.0.0/15", 14, 1).unwrap_err().contains("no prefix of length 14 lies within \"198.18.0.0/15\""));
        assert!(of("198.18.0.0/15", 33, 1).unwrap_err().contains("lengths are 15 to 32"));
        assert!(of("198.18.0.0/15", 24, 513).unwrap_err().contains("count 513: only 512 prefixes of length 24"));
        assert!(of("2001:db8::/32", 64, GENERATED_MAX + 1).unwrap_err().contains("at most"));
    }

    #[test]
    fn payloads_are_read_and_bad_ones_named() {
        let of = |vrps: &str| serde_json::from_str::<Beside>(&format!("{{{vrps}}}"));
        assert!(of("").unwrap().vrps.is_none(), "absent is unknown");
        assert_eq!(of("\"vrps\":[]").unwrap().vrps.unwrap().len(), 0, "a list that is empty is known to be");
        let one = of(r#""vrps":[{"prefix":"192.0.2.0/24","asn":65001}]"#).unwrap().vrps.unwrap();
        assert_eq!(one.state(&"192.0.2.0/24".parse().unwrap(), Some(Asn(65001))), Some(bgp::RpkiState::Valid));
        let error = of(r#""vrps":[{"prefix":"192.0.2.0/24","asn":65001,"max_length":23}]"#).unwrap_err().to_string();
        assert!(error.contains("the longest length 23 does not fit 192.0.2.0/24"), "{error}");
    }
}
