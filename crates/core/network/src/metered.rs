//! Flow export into the picture: records to accounts, and complete minutes to the volumes that decisions weigh with.

use crate::{Network, Toward, Volume, VolumeSource};
use action::{DeviceId, ExitId};
use core::time::Duration;
use flow::FlowRecord;
use std::collections::BTreeSet;
use std::sync::Arc;
use units::Timestamp;

/// Time between two looks at the accounts: a minute is the finest that they tell.
const FILL_EVERY: Duration = Duration::from_secs(5);
/// A router that accounts its prefixes itself reports every few seconds; while it does, flow export adds nothing.
const NODE_FRESH: Duration = Duration::from_secs(30);

impl Network {
    /// Takes the records of one datagram.
    pub(crate) fn metered(&mut self, device: &DeviceId, records: &[FlowRecord], now: Timestamp) {
        let mut flows = core::mem::take(&mut self.flows);
        let accounts = Arc::make_mut(&mut flows);
        for record in records {
            accounts.take(self, device, record, now);
        }
        self.flows = flows;
    }

    /// Makes volumes of the newest complete minute. When flow export ends they go: unknown is not what it was once.
    pub(crate) fn fill_volumes(&mut self, now: Timestamp) {
        if !self.flows.is_told() || self.volumes_filled.is_some_and(|at| now.since(at) < FILL_EVERY) {
            return;
        }
        self.volumes_filled = Some(now);
        let by_node: BTreeSet<ExitId> = self
            .volumes
            .iter()
            .filter(|(_, v)| v.source == VolumeSource::Node && now.since(v.at) <= NODE_FRESH)
            .map(|((exit, _), _)| exit.clone())
            .collect();
        let rates = self.flows.rates(now);
        let told: BTreeSet<&ExitId> = rates.keys().map(|(exit, _, _)| exit).collect();
        self.volumes.retain(|(exit, _), v| v.source == VolumeSource::Node && (by_node.contains(exit) || !told.contains(exit)));
        for ((exit, toward, prefix), bps) in &rates {
            if *toward == Toward::Outside && !by_node.contains(exit) {
                #[allow(clippy::cast_precision_loss, reason = "a rate, far below 2^52 bit/s")]
                let volume = Volume { bps: *bps as f64, at: now, source: VolumeSource::Flow };
                self.volumes.insert((exit.clone(), *prefix), volume);
            }
        }
    }
}
