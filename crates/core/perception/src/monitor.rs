//! The memory of perception: takes the picture after every update and says what changed.

use crate::finding::{Event, Finding, FindingKind, PathEvidence, Request};
use crate::loss::{ExitLoss, Lane};
use crate::{Condition, HealthRules, HealthScore, Measured, Path, PathState, Thresholds, delay_limit, pairs};
use action::{DeviceId, Direction, ExitId, FindingId, GroupId, ProviderId};
use bgp::Family;
use core::net::IpAddr;
use network::{Freshness, Network, ProbeKey, SessionState, SlaLimits};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use units::Timestamp;

/// A request for a probe rate is renewed when less than this is left of it, seconds.
const REQUEST_MARGIN_S: u64 = 5;

/// Perception's whole state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Perception {
    thresholds: Thresholds,
    rules: HealthRules,
    #[serde(with = "pairs")]
    paths: BTreeMap<ProbeKey, Path>,
    exits: BTreeMap<ExitId, ExitLoss>,
    #[serde(with = "pairs")]
    sessions: BTreeMap<(ExitId, IpAddr), SessionWatch>,
    open: BTreeMap<ProviderId, Open>,
    #[serde(with = "pairs")]
    asked: BTreeMap<ProbeKey, Timestamp>,
    seen_up: BTreeMap<DeviceId, BTreeSet<String>>,
    last_id: u64,
}

/// An eBGP session at an exit, once it has been seen Established.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "watch")]
enum SessionWatch {
    Up,
    Down { since: Timestamp },
    Back { down: Timestamp, since: Timestamp },
}

/// An open finding, or one that waits for the provider's other paths to be judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Open {
    /// When the trouble was first proven.
    proven: Timestamp,
    finding: Option<Finding>,
    refreshed: Timestamp,
}

/// What is wrong with a provider at one moment.
#[derive(Default)]
struct Trouble {
    paths: BTreeSet<ProbeKey>,
    exits: BTreeSet<ExitId>,
    kind: Option<FindingKind>,
    since: Option<Timestamp>,
    unsettled: bool,
}

impl Trouble {
    fn add(&mut self, exit: &ExitId, kind: FindingKind, since: Timestamp) {
        self.exits.insert(exit.clone());
        self.kind = self.kind.max(Some(kind));
        self.since = Some(self.since.map_or(since, |s| s.min(since)));
    }
}

impl Perception {
    /// Makes an empty memory.
    #[must_use]
    pub fn new(thresholds: Thresholds, rules: HealthRules) -> Self {
        Self { thresholds, rules, ..Self::default() }
    }

    /// Numbers findings from behind `last` on: what was found before a restart keeps its number.
    #[must_use]
    pub const fn numbered_after(mut self, last: u64) -> Self {
        self.last_id = last;
        self
    }

    /// Returns the thresholds.
    #[must_use]
    pub const fn thresholds(&self) -> &Thresholds {
        &self.thresholds
    }

    /// Takes the picture as it is at `now` and returns what changed. To be called after every update and every tick; looks only at
    /// samples that are new.
    pub fn observe(&mut self, network: &Network, now: Timestamp) -> Vec<Event> {
        self.remember_ports(network);
        let renewed = self.take_samples(network, now);
        self.judge_exits(network, &renewed, now);
        self.watch_sessions(network, now);
        let mut events: Vec<Event> = self.ask(network, now).into_iter().collect();
        for provider in &network.inventory.providers {
            events.extend(self.settle(network, &provider.id, now));
        }
        events
    }

    /// Returns the open findings, by provider.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.open.values().filter_map(|o| o.finding.as_ref())
    }

    /// Returns the state of a path: its own, or its exit's loss, whichever is worse.
    #[must_use]
    pub fn path_state(&self, probe: &ProbeKey) -> PathState {
        let own = self.paths.get(probe).map_or(PathState::Unknown, Path::state);
        if matches!(own, PathState::Down { .. } | PathState::Degraded { .. } | PathState::Unknown) {
            return own;
        }
        match probe.exit.as_ref().and_then(|e| self.exits.get(e)) {
            Some(loss) => match loss.condition() {
                Condition::Degraded { onset, .. } if loss.concerns(&probe.group, probe.family) => PathState::Degraded { since: onset },
                Condition::Recovering { since, .. } if loss.concerns(&probe.group, probe.family) => PathState::Recovering { since },
                Condition::Suspect { onset, .. } => PathState::Suspect { since: onset },
                _ => own,
            },
            None => own,
        }
    }

    /// Returns the memory of a path.
    #[must_use]
    pub fn path(&self, probe: &ProbeKey) -> Option<&Path> {
        self.paths.get(probe)
    }

    /// Returns all paths with their state, in key order.
    pub fn paths(&self) -> impl Iterator<Item = (&ProbeKey, PathState)> {
        self.paths.keys().map(|k| (k, self.path_state(k)))
    }

    /// Says whether samples of this path keep coming.
    #[must_use]
    pub fn is_fresh(&self, network: &Network, probe: &ProbeKey, now: Timestamp) -> bool {
        feed_is_synced(network, &probe.device) && self.paths.get(probe).is_some_and(|p| p.is_fresh(now, &self.thresholds))
    }

    /// Returns the newest window of a path; `None` while it is stale or carried no packet.
    #[must_use]
    pub fn measured_now(&self, network: &Network, probe: &ProbeKey, now: Timestamp) -> Option<Measured> {
        if !self.is_fresh(network, probe, now) {
            return None;
        }
        let newest = self.paths.get(probe)?.newest();
        let samples = &network.probes.get(probe)?.samples;
        Some(Measured::over(samples.iter(), newest.minus(self.thresholds.now_window), newest)).filter(|m| m.sent > 0)
    }

    /// Returns the health of a device (S2 §6); `None` for a device that is not in the picture.
    #[must_use]
    pub fn health(&self, network: &Network, device: &DeviceId) -> Option<HealthScore> {
        let none = BTreeSet::new();
        network.devices.get(device).map(|d| crate::health(d, &self.rules, self.seen_up.get(device).unwrap_or(&none)))
    }

    fn remember_ports(&mut self, network: &Network) {
        for (id, device) in &network.devices {
            for (name, _) in device.interfaces.iter().filter(|(_, i)| i.oper_up == Some(true)) {
                if !self.seen_up.get(id).is_some_and(|s| s.contains(name)) {
                    self.seen_up.entry(id.clone()).or_default().insert(name.clone());
                }
            }
        }
    }

    /// Takes new samples into their paths; returns the exits that have some.
    fn take_samples(&mut self, network: &Network, now: Timestamp) -> BTreeSet<ExitId> {
        let mut renewed = BTreeSet::new();
        for (key, probe) in &network.probes {
            if !feed_is_synced(network, &key.device) {
                continue;
            }
            let quiet = |e: &ExitId| self.exits.get(e).is_none_or(|l| l.condition() == Condition::Normal);
            let steady = key.exit.as_ref().is_none_or(quiet);
            let sla_ms = limits(network, key).delay_ms_max;
            if !self.paths.contains_key(key) {
                self.paths.insert(key.clone(), Path::default());
            }
            let Some(path) = self.paths.get_mut(key) else { continue };
            if path.take(probe, sla_ms, steady, now, &self.thresholds) {
                renewed.extend(key.exit.clone());
            }
        }
        renewed
    }

    fn judge_exits(&mut self, network: &Network, renewed: &BTreeSet<ExitId>, now: Timestamp) {
        for exit in network.inventory.exits.iter().filter(|e| renewed.contains(&e.id)) {
            let lanes: Vec<Lane<'_>> = network
                .probes
                .iter()
                .filter(|(key, _)| key.exit.as_ref() == Some(&exit.id) && self.is_fresh(network, key, now))
                .filter(|(key, _)| self.paths.get(*key).is_some_and(|p| p.down().is_none() && p.state() != PathState::Unknown))
                .map(|(key, probe)| Lane { group: &key.group, family: key.family, samples: &probe.samples })
                .collect();
            let loss_max = network.inventory.provider(&exit.provider).map_or(1.0, |p| p.sla.loss_max);
            self.exits.entry(exit.id.clone()).or_default().judge(&lanes, loss_max, &self.thresholds);
        }
    }

    fn watch_sessions(&mut self, network: &Network, now: Timestamp) {
        for exit in &network.inventory.exits {
            let Some(device) = network.devices.get(&exit.device) else { continue };
            if !is_synced(device.gnmi) && !is_synced(device.bmp) {
                continue;
            }
            for neighbor in &exit.neighbors {
                let Some(session) = device.sessions.get(neighbor) else { continue };
                let key = (exit.id.clone(), *neighbor);
                let up = session.state == SessionState::Established;
                let next = match (self.sessions.get(&key).copied(), up) {
                    (None, false) => continue,
                    (None, true) => SessionWatch::Up,
                    (Some(_), false) if session.admin_down => SessionWatch::Up,
                    (Some(SessionWatch::Up), false) => SessionWatch::Down { since: now },
                    (Some(SessionWatch::Back { down, .. }), false) => SessionWatch::Down { since: down },
                    (Some(SessionWatch::Down { since }), true) => SessionWatch::Back { down: since, since: now },
                    (Some(SessionWatch::Back { since, .. }), true) if now.since(since) >= self.thresholds.recovery_hold => SessionWatch::Up,
                    (Some(unchanged), _) => unchanged,
                };
                self.sessions.insert(key, next);
            }
        }
    }

    /// Asks for more samples on all exits, and on what the routers choose, for the groups that are suspect.
    fn ask(&mut self, network: &Network, now: Timestamp) -> Option<Event> {
        let groups = self.suspect_groups(network, now);
        let renew = now.plus(core::time::Duration::from_secs(REQUEST_MARGIN_S));
        let until = now.plus(core::time::Duration::from_secs(u64::from(self.thresholds.evidence_seconds)));
        let due = network.probes.keys().filter(|k| groups.contains(&k.group) && self.asked.get(*k).is_none_or(|t| *t <= renew));
        let due: Vec<ProbeKey> = due.cloned().collect();
        let (hz, seconds) = (self.thresholds.evidence_hz, self.thresholds.evidence_seconds);
        for probe in &due {
            self.asked.insert(probe.clone(), until);
        }
        let requests: Vec<Request> = due.into_iter().map(|probe| Request::ProbeRate { probe, hz, seconds }).collect();
        (!requests.is_empty()).then_some(Event::EvidenceNeeded { requests })
    }

    fn suspect_groups(&self, network: &Network, now: Timestamp) -> BTreeSet<GroupId> {
        let mut groups = BTreeSet::new();
        for (key, path) in self.paths.iter().filter(|(k, p)| k.exit.is_some() && p.is_unsettled()) {
            if path.is_fresh(now, &self.thresholds) {
                groups.insert(key.group.clone());
            }
        }
        for (exit, _) in self.exits.iter().filter(|(_, l)| l.condition().suspect_since().is_some()) {
            let of_exit = network.probes.keys().filter(|k| k.exit.as_ref() == Some(exit));
            groups.extend(of_exit.filter(|k| self.is_fresh(network, k, now)).map(|k| k.group.clone()));
        }
        groups
    }

    fn trouble(&self, network: &Network, provider: &ProviderId) -> Trouble {
        let mut trouble = Trouble::default();
        let of_provider = |e: &ExitId| network.inventory.exit(e).is_some_and(|s| &s.provider == provider);
        for (key, path) in &self.paths {
            let Some(exit) = key.exit.as_ref().filter(|e| of_provider(e)) else { continue };
            let loss = self.exits.get(exit);
            trouble.unsettled |= path.is_unsettled() || loss.is_some_and(|l| l.condition().suspect_since().is_some());
            let lossy = loss.filter(|l| l.concerns(&key.group, key.family)).and_then(|l| l.condition().trouble_since());
            let own = path.trouble_since();
            let silent = path.down();
            if let Some(since) = silent {
                trouble.add(exit, FindingKind::Silent, since);
            }
            if let Some(since) = lossy {
                trouble.add(exit, FindingKind::Loss, since);
            }
            if let Some(since) = path.delay().trouble_since() {
                trouble.add(exit, FindingKind::DelayRise, since);
            }
            if lossy.is_some() || own.is_some() {
                trouble.paths.insert(key.clone());
            }
        }
        for ((exit, _), watch) in self.sessions.iter().filter(|((e, _), _)| of_provider(e)) {
            if let SessionWatch::Down { since } | SessionWatch::Back { down: since, .. } = watch {
                trouble.add(exit, FindingKind::SessionDown, *since);
            }
        }
        trouble
    }

    /// Opens, renews or clears the provider's finding.
    fn settle(&mut self, network: &Network, provider: &ProviderId, now: Timestamp) -> Option<Event> {
        let trouble = self.trouble(network, provider);
        let (Some(kind), Some(since)) = (trouble.kind, trouble.since) else {
            let finding = self.open.remove(provider)?.finding?;
            return Some(Event::FindingCleared { id: finding.id, provider: provider.clone(), at: now });
        };
        let open = self.open.entry(provider.clone()).or_insert(Open { proven: now, finding: None, refreshed: now });
        let (proven, refreshed, old) = (open.proven, open.refreshed, open.finding.clone());
        let Some(old) = old else {
            if trouble.unsettled && now.since(proven) < self.thresholds.settle_max {
                return None;
            }
            self.last_id += 1;
            let finding = self.describe(network, provider, FindingId(self.last_id), now, kind, since, &trouble);
            self.store(provider, &finding, now);
            return Some(Event::FindingOpened { finding });
        };
        let same = old.kind == kind && old.exits.iter().eq(trouble.exits.iter()) && old.paths.iter().eq(trouble.paths.iter());
        if same && now.since(refreshed) < self.thresholds.refresh_every {
            return None;
        }
        let mut finding = self.describe(network, provider, old.id, old.opened, kind, since.min(old.since), &trouble);
        keep_before(&mut finding, &old);
        self.store(provider, &finding, now);
        Some(Event::FindingUpdated { finding, scope_changed: !same })
    }

    fn store(&mut self, provider: &ProviderId, finding: &Finding, now: Timestamp) {
        if let Some(open) = self.open.get_mut(provider) {
            open.finding = Some(finding.clone());
            open.refreshed = now;
        }
    }

    #[allow(clippy::too_many_arguments, reason = "the fields of one value")]
    fn describe(
        &self,
        network: &Network,
        provider: &ProviderId,
        id: FindingId,
        opened: Timestamp,
        kind: FindingKind,
        since: Timestamp,
        trouble: &Trouble,
    ) -> Finding {
        let groups: BTreeSet<GroupId> = trouble.paths.iter().map(|p| p.group.clone()).collect();
        let families: BTreeSet<Family> = trouble.paths.iter().map(|p| p.family).collect();
        let felt = network.probes.keys().filter(|k| k.exit.is_none() && groups.contains(&k.group) && families.contains(&k.family));
        Finding {
            id,
            provider: provider.clone(),
            kind,
            direction: Direction::Outbound,
            exits: trouble.exits.iter().cloned().collect(),
            evidence: trouble.paths.iter().filter_map(|k| self.evidence(network, k, since)).collect(),
            felt: felt.filter_map(|k| self.evidence(network, k, since)).collect(),
            paths: trouble.paths.iter().cloned().collect(),
            groups: groups.into_iter().collect(),
            families: families.into_iter().collect(),
            since,
            opened,
        }
    }

    fn evidence(&self, network: &Network, key: &ProbeKey, since: Timestamp) -> Option<PathEvidence> {
        let samples = &network.probes.get(key)?.samples;
        let path = self.paths.get(key)?;
        let before_to = Timestamp::from_nanos(since.nanos().saturating_sub(1));
        let newest = path.newest();
        Some(PathEvidence {
            before: Measured::over(samples.iter(), before_to.minus(self.thresholds.before_window), before_to),
            now: Measured::over(samples.iter(), newest.minus(self.thresholds.now_window).max(before_to), newest),
            baseline_ms: path.baseline().map(|b| b.delay_ms),
            limit_ms: delay_limit(path.baseline(), limits(network, key).delay_ms_max, &self.thresholds),
            source: format!("gNMI {} /probes, probe {}", key.device, key.name()),
            probe: key.clone(),
        })
    }
}

/// The window before the trouble slides out of the history while the finding is open: what was written down first stays.
fn keep_before(finding: &mut Finding, old: &Finding) {
    for (new, old) in [(&mut finding.evidence, &old.evidence), (&mut finding.felt, &old.felt)] {
        for line in new.iter_mut() {
            if let Some(kept) = old.iter().find(|o| o.probe == line.probe && o.before.sent > 0) {
                line.before = kept.before;
            }
        }
    }
}

/// Returns the limits that hold for a probe: its provider's; the widest of all providers for a probe that follows the routing.
fn limits(network: &Network, key: &ProbeKey) -> SlaLimits {
    let inventory = &network.inventory;
    let own = key.exit.as_ref().and_then(|e| inventory.exit(e)).and_then(|e| inventory.provider(&e.provider)).map(|p| p.sla);
    own.unwrap_or_else(|| {
        let widest = |pick: fn(&SlaLimits) -> f64| inventory.providers.iter().map(|p| pick(&p.sla)).fold(f64::NAN, f64::max);
        SlaLimits { delay_ms_max: widest(|s| s.delay_ms_max), loss_max: widest(|s| s.loss_max) }
    })
}

fn feed_is_synced(network: &Network, device: &DeviceId) -> bool {
    network.devices.get(device).is_some_and(|d| is_synced(d.gnmi))
}

const fn is_synced(freshness: Freshness) -> bool {
    matches!(freshness, Freshness::Synced { .. })
}

#[cfg(test)]
mod tests;
