//! Active probes: STAMP-like UDP (RFC 8762 §4.2.1 and §4.3.1 layouts, unauthenticated), forward delay by synchronised clocks.
//!
//! A packet's fate is known when its answer came or [`FATE_AFTER`] passed; only such packets are counted. Forward delay is T2 − T1: the nodes of
//! one lab share a clock. Between machines that do not, only the round trip means something, and the forward delay must not be used.

mod packet;
mod session;

pub use packet::Stamp;
pub use session::Tally;

use super::ProbeConfig;
use super::frr::elem;
use super::tree::Tree;
use gnmi::{Path, Value};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tonic::Status;

/// A packet without an answer for this long is lost.
pub const FATE_AFTER: Duration = Duration::from_secs(1);
/// Results are told this often.
pub const INTERVAL: Duration = Duration::from_secs(1);
/// Fastest rate that can be asked for, packets per second.
pub const RATE_MAX: u64 = 20;
/// Packets per second that all probes of one source address (one link) may send together. Twelve probes at 20/s of 100 bytes are 0.2 Mbit/s.
pub const LINK_RATE_MAX: u64 = 240;
/// Longest time a raised rate holds, seconds.
pub const SECONDS_MAX: u64 = 600;

/// A rate that holds until a time.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// Packets per second.
    pub hz: u64,
    /// Falls back to one a second then.
    pub until: tokio::time::Instant,
}

/// The handles to change rates, by probe name.
#[derive(Clone, Debug, Default)]
pub struct Rates(Arc<BTreeMap<String, watch::Sender<Rate>>>);

/// How fast one probe sends now.
#[derive(Clone, Debug)]
pub struct Pace {
    rate: watch::Receiver<Rate>,
    /// Highest rate that its link leaves it.
    share: u64,
}

impl Pace {
    /// Returns packets per second.
    #[must_use]
    pub fn hz(&self) -> u64 {
        session::current(*self.rate.borrow(), self.share)
    }
}

/// Starts every probe.
pub fn start(tree: &Tree, probes: &[ProbeConfig]) -> Rates {
    let (rates, paces) = prepare(probes);
    for (probe, pace) in probes.iter().zip(paces) {
        tokio::spawn(session::run(tree.clone(), probe.clone(), pace.rate, pace.share));
    }
    rates
}

/// Returns the handles to the rates, and per probe what reads them.
pub fn prepare(probes: &[ProbeConfig]) -> (Rates, Vec<Pace>) {
    let (mut rates, mut paces) = (BTreeMap::new(), Vec::new());
    let mut per_source: BTreeMap<std::net::IpAddr, u64> = BTreeMap::new();
    for probe in probes {
        *per_source.entry(probe.source).or_default() += 1;
    }
    for probe in probes {
        let (set, rate) = watch::channel(Rate { hz: 1, until: tokio::time::Instant::now() });
        let share = (LINK_RATE_MAX / per_source.get(&probe.source).copied().unwrap_or(1)).clamp(1, RATE_MAX);
        paces.push(Pace { rate, share });
        rates.insert(probe.name.clone(), set);
    }
    (Rates(Arc::new(rates)), paces)
}

/// Returns the result of one interval as gNMI serves it.
pub fn result(name: &str, tally: &Tally, hz: u64, interval: Duration) -> (Path, Value) {
    (result_path(name), session::report(tally, hz, interval))
}

impl Rates {
    /// Carries out a Set: `/probes/probe[name]/tests/test[name]/config/{rate-hz,rate-seconds}`, all or nothing.
    pub fn set(&self, leaves: &[(Path, Value)]) -> Result<Vec<Path>, Status> {
        let mut wanted: BTreeMap<&str, (Option<u64>, Option<u64>)> = BTreeMap::new();
        for (path, value) in leaves {
            let names: Vec<&str> = path.names().collect();
            let (["probes", "probe", "tests", "test", "config", leaf], Some(name)) = (&names[..], path.key("probe", "name")) else {
                return Err(Status::permission_denied(format!(
                    "{path} cannot be set here; only /probes/probe/tests/test/config/rate-hz and rate-seconds"
                )));
            };
            let number = value.as_u64().ok_or_else(|| Status::invalid_argument(format!("{path} wants a whole number")))?;
            let slot = wanted.entry(name).or_default();
            match *leaf {
                "rate-hz" if (1..=RATE_MAX).contains(&number) => slot.0 = Some(number),
                "rate-seconds" if (1..=SECONDS_MAX).contains(&number) => slot.1 = Some(number),
                "rate-hz" => return Err(Status::invalid_argument(format!("rate-hz is 1 to {RATE_MAX}, not {number}"))),
                "rate-seconds" => return Err(Status::invalid_argument(format!("rate-seconds is 1 to {SECONDS_MAX}, not {number}"))),
                _ => return Err(Status::permission_denied(format!("{path} cannot be set here"))),
            }
        }
        if let Some(unknown) = wanted.keys().find(|n| !self.0.contains_key(**n)) {
            return Err(Status::not_found(format!("no probe {unknown:?} runs here")));
        }
        for (name, (hz, seconds)) in &wanted {
            if let Some(sender) = self.0.get(*name) {
                let until = tokio::time::Instant::now() + Duration::from_secs(seconds.unwrap_or(30));
                sender.send_replace(Rate { hz: hz.unwrap_or(1), until });
            }
        }
        Ok(leaves.iter().map(|(p, _)| p.clone()).collect())
    }
}

/// `/probes/probe[name=N]/tests/test[name=N]/state`.
fn result_path(name: &str) -> Path {
    Path {
        elems: vec![
            elem("probes", &[]),
            elem("probe", &[("name", name)]),
            elem("tests", &[]),
            elem("test", &[("name", name)]),
            elem("state", &[]),
        ],
    }
}
