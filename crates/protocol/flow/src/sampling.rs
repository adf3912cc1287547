//! Sampling rates from options records, per observation domain.

use crate::record::{Sampling, SamplingSource};
use crate::values::Values;
use std::collections::BTreeMap;

/// Samplers and selectors kept per exporter: one per interface and direction of a large router.
pub const SAMPLERS_MAX: usize = 1024;

/// (protocol and domain key, id) → (sampled, population).
type Rates = BTreeMap<(u8, u32, u64), (u64, u64)>;

/// What options told about sampling.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samplers {
    samplers: Rates,
    selectors: Rates,
    domains: Rates,
    /// Entries that found no room.
    pub refused: u64,
}

impl Samplers {
    /// Takes an options record; `false` when it says nothing about sampling.
    pub fn learn(&mut self, protocol: u8, domain: u32, values: &Values) -> bool {
        let Some(rate) = values.rate() else { return false };
        let (table, id) = match (values.sampler_id, values.selector_id) {
            (Some(id), _) => (&mut self.samplers, u64::from(id)),
            (None, Some(id)) => (&mut self.selectors, id),
            (None, None) => (&mut self.domains, 0),
        };
        let key = (protocol, domain, id);
        if table.len() >= SAMPLERS_MAX && !table.contains_key(&key) {
            self.refused += 1;
        } else {
            table.insert(key, rate);
        }
        true
    }

    /// Returns what applies to a flow record: what it says itself, else its sampler, its selector, its domain.
    pub fn of(&self, protocol: u8, domain: u32, values: &Values) -> Sampling {
        let told = |(sampled, population), source| Sampling { sampled, population, source };
        if let Some(rate) = values.rate() {
            return told(rate, SamplingSource::Record);
        }
        let sampler = values.sampler_id.map(|id| (self.samplers.get(&(protocol, domain, u64::from(id))), SamplingSource::Sampler));
        let selector = values.selector_id.map(|id| (self.selectors.get(&(protocol, domain, id)), SamplingSource::Selector));
        let whole = self.domains.get(&(protocol, domain, 0)).map(|rate| told(*rate, SamplingSource::Domain));
        match sampler.or(selector) {
            Some((Some(rate), source)) => told(*rate, source),
            // id 0: no sampler at all (Cisco)
            Some((None, _)) if values.sampler_id == Some(0) || values.selector_id == Some(0) => whole.unwrap_or(Sampling::NOT_TOLD),
            Some((None, _)) => whole.unwrap_or(Sampling { source: SamplingSource::Unknown, ..Sampling::NOT_TOLD }),
            None => whole.unwrap_or(Sampling::NOT_TOLD),
        }
    }
}
