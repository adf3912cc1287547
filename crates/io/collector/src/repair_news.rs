//! Which sender faults were corrected since that was last said: a new one is told at once, the others as counts every ten seconds.

use core::time::Duration;
use gnmi::profile::Encoding;
use gnmi::{Notification, Repair, Repairs};
use network::GnmiEvent;
use std::collections::BTreeMap;
use std::time::Instant;

/// Counts of faults that are known already are told at most this often.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// The repairs of one stream.
pub(crate) struct RepairNews {
    /// `None`: the profile knows of no fault, and nothing is looked at.
    repairs: Option<Repairs>,
    encoding: Encoding,
    said: BTreeMap<Repair, u64>,
    said_at: Instant,
}

impl RepairNews {
    pub(crate) fn new(on: &[Repair], encoding: Encoding) -> Self {
        let repairs = (!on.is_empty()).then(|| Repairs::only(on.iter().copied()));
        Self { repairs, encoding, said: BTreeMap::new(), said_at: Instant::now() }
    }

    pub(crate) fn repair(&mut self, notification: &mut Notification, received_ns: i64) {
        if let Some(repairs) = &mut self.repairs {
            repairs.notification(notification, received_ns);
        }
    }

    /// Returns what was corrected and not yet said, once it is time.
    pub(crate) fn news(&mut self) -> Option<GnmiEvent> {
        let new = self.repairs.as_ref()?.counts().keys().any(|r| self.is_fault(*r) && !self.said.contains_key(r));
        if new || self.said_at.elapsed() >= TELL_EVERY { self.rest() } else { None }
    }

    /// Returns what was corrected and not yet said.
    pub(crate) fn rest(&mut self) -> Option<GnmiEvent> {
        let counts = self.repairs.as_ref()?.counts();
        let since = |(r, n): (&Repair, &u64)| Some((*r, n.saturating_sub(self.said.get(r).copied().unwrap_or(0)))).filter(|(_, n)| *n > 0);
        let news: BTreeMap<Repair, u64> = counts.iter().filter_map(since).filter(|(r, _)| self.is_fault(*r)).collect();
        if news.is_empty() {
            return None;
        }
        self.said.clone_from(counts);
        self.said_at = Instant::now();
        Some(GnmiEvent::Repaired { repairs: news.into_iter().map(|(r, n)| (r.name().to_owned(), n)).collect() })
    }

    /// 64-bit numbers as strings and modules before identities are how JSON_IETF is written (RFC 7951 §6.1, §6.8): corrected, and no fault.
    /// ASCII has nothing but strings.
    const fn is_fault(&self, repair: Repair) -> bool {
        !matches!(
            (repair, self.encoding),
            (Repair::NumberInString, Encoding::JsonIetf | Encoding::Ascii) | (Repair::ModuleOnIdentity, Encoding::JsonIetf)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gnmi::{Update, Value};

    fn counters(encoding: Encoding, messages: u64) -> Vec<Option<GnmiEvent>> {
        let mut news = RepairNews::new(&Repair::ALL, encoding);
        let path: gnmi::Path = "/interfaces/interface[name=e]/state/counters/in-octets".parse().unwrap();
        let mut told: Vec<_> = (0..messages)
            .map(|n| {
                let updates = vec![Update { path: path.clone(), value: Value::String(n.to_string()) }];
                news.repair(&mut Notification { timestamp: 0, updates, ..Notification::default() }, 1_800_000_000_000_000_000);
                news.news()
            })
            .collect();
        told.push(news.rest());
        told
    }

    #[test]
    fn a_fault_is_told_when_it_is_new_and_then_counted() {
        let repaired =
            |of: &[(&str, u64)]| Some(GnmiEvent::Repaired { repairs: of.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect() });
        let both = |n| repaired(&[("number_in_string", n), ("time_missing", n)]);
        assert_eq!(counters(Encoding::Proto, 3), [both(1), None, None, both(2)]);
        assert_eq!(counters(Encoding::JsonIetf, 2), [repaired(&[("time_missing", 1)]), None, repaired(&[("time_missing", 1)])]);
    }
}
