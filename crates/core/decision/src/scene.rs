//! A small network for tests: three providers, four exits, three groups, two families, and a twin that knows LOCAL_PREF only.

use crate::{Decision, Effect, ExitRoute, Move, Settings, View, WhatIf, WhatIfError, decide};
use action::{Action, DeviceId, ExitId};
use bgp::{Asn, Family, PathAttributes, Prefix};
use bmp::View as RibView;
use config::{BgpConfig, Neighbor, NeighborFamily, PolicyDefinition, PolicyEdit, PolicyResult, RouteAction, RouterConfig, Statement};
use core::net::IpAddr;
use network::{
    DeviceRole, DeviceSpec, ExitSpec, Freshness, Interface, Inventory, Network, Probe, ProbeKey, ProbeSample, Provider, SlaLimits,
    TargetGroup, Volume,
};
use perception::{Event, Finding, HealthRules, Perception, Request, Thresholds};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use units::{Ratio, Timestamp};

pub const EXITS: [(&str, &str, &str, f64); 4] =
    [("r1-ispa", "r1", "isp-a", 4.0), ("r1-ispb", "r1", "isp-b", 6.0), ("r2-ispb", "r2", "isp-b", 6.0), ("r2-ispc", "r2", "isp-c", 3.0)];
pub const GROUPS: [(&str, &str, &str); 3] = [("east", "198.18.", "200"), ("west", "198.18.7", "210"), ("south", "198.18.14", "220")];
pub const DEVICES: [&str; 3] = ["r1", "r2", "r4"];

pub fn t(second: i64) -> Timestamp {
    Timestamp::from_millis((1_000 + second) * 1000)
}

pub fn on(key: &ProbeKey, exit: &str) -> bool {
    key.exit.as_ref().is_some_and(|e| e.as_str() == exit)
}

pub fn of_provider(key: &ProbeKey, provider: &str) -> bool {
    EXITS.iter().any(|e| e.2 == provider && on(key, e.0))
}

#[derive(Clone)]
pub struct Scene {
    pub network: Network,
    pub perception: Perception,
    pub second: i64,
    pub twin: FakeTwin,
    pub settings: Settings,
    sent: BTreeMap<ProbeKey, u64>,
    fast: bool,
}

#[derive(Clone)]
pub struct FakeTwin {
    /// LOCAL_PREF after import per exit and prefix.
    pub routes: BTreeMap<(ExitId, Prefix), u32>,
    pub configs: BTreeMap<DeviceId, RouterConfig>,
    /// Import policy name → exit.
    pub policies: BTreeMap<String, ExitId>,
    pub failed: Vec<String>,
    pub reversed: bool,
}

impl FakeTwin {
    fn best(routes: &BTreeMap<(ExitId, Prefix), u32>, device: &str, prefix: Prefix) -> Option<ExitId> {
        let own = |e: &ExitId| EXITS.iter().any(|x| x.0 == e.as_str() && x.1 == device);
        let all = routes.iter().filter(|((_, p), _)| *p == prefix);
        all.max_by_key(|((e, _), lp)| (**lp, own(e), std::cmp::Reverse(e.clone()))).map(|((e, _), _)| e.clone())
    }

    fn prefixes(&self) -> BTreeSet<Prefix> {
        self.routes.keys().map(|(_, p)| *p).collect()
    }

    fn ordered<T>(&self, mut list: Vec<T>) -> Vec<T> {
        if self.reversed {
            list.reverse();
        }
        list
    }
}

impl WhatIf for FakeTwin {
    fn prefixes_via(&self, exit: &ExitId) -> Vec<Prefix> {
        let via = |p: &Prefix| DEVICES.iter().any(|d| Self::best(&self.routes, d, *p).as_ref() == Some(exit));
        self.ordered(self.prefixes().into_iter().filter(via).collect())
    }

    fn alternatives(&self, prefix: &Prefix) -> Vec<ExitRoute> {
        let all = self.routes.iter().filter(|((_, p), _)| p == prefix);
        self.ordered(all.map(|((e, _), lp)| ExitRoute { exit: e.clone(), local_pref: *lp }).collect())
    }

    fn config(&self, device: &DeviceId) -> Option<&RouterConfig> {
        self.configs.get(device)
    }

    fn what_if(&self, action: &Action) -> Result<Effect, WhatIfError> {
        let mut routes = self.routes.clone();
        let mut sets = BTreeMap::new();
        for edit in action.edits.iter().flat_map(|d| &d.edits) {
            let (policy, statement) = match edit {
                PolicyEdit::PutPrefixSet { name, set } => {
                    sets.insert(name.clone(), set.entries.iter().map(|e| e.prefix).collect::<BTreeSet<_>>());
                    continue;
                }
                PolicyEdit::InsertStatement { policy, statement, .. } | PolicyEdit::ReplaceStatement { policy, statement } => {
                    (policy, statement)
                }
                other => return Err(WhatIfError { why: format!("{other:?}") }),
            };
            let Some(exit) = self.policies.get(policy) else { continue };
            let value = statement.actions.iter().find_map(|a| if let RouteAction::SetLocalPref(v) = a { Some(*v) } else { None });
            let named = statement.conditions.iter().find_map(|c| if let config::Condition::PrefixSet(s) = c { sets.get(s) } else { None });
            for ((_, prefix), lp) in routes.iter_mut().filter(|((e, _), _)| e == exit) {
                let same_family = policy.ends_with('6') == (prefix.family() == Family::Ipv6Unicast);
                if same_family && named.is_none_or(|s| s.contains(prefix)) {
                    *lp = value.unwrap_or(*lp);
                }
            }
        }
        let mut moves = Vec::new();
        for prefix in self.prefixes() {
            for device in DEVICES {
                let (from, to) = (Self::best(&self.routes, device, prefix), Self::best(&routes, device, prefix));
                if from != to {
                    moves.push(Move { prefix, device: device.into(), from, to });
                }
            }
        }
        let changed = moves.iter().map(|m| m.prefix).collect::<BTreeSet<_>>().len();
        let blast = Ratio::of(changed as u64, self.prefixes().len() as u64);
        Ok(Effect { moves: self.ordered(moves), failed_checks: self.failed.clone(), blast, unknown: vec![] })
    }
}

pub fn neighbors(exit: &str) -> [IpAddr; 2] {
    let n = EXITS.iter().position(|e| e.0 == exit).unwrap();
    [format!("172.31.{n}.1").parse().unwrap(), format!("2001:db8:f1:{n}::1").parse().unwrap()]
}

pub fn group_prefixes(group: (&str, &str, &str)) -> Vec<Prefix> {
    let mut list: Vec<Prefix> = (0..4).map(|i| format!("{}{i}.0/24", group.1).parse().unwrap()).collect();
    list.push(format!("2001:db8:{}::/48", group.2).parse().unwrap());
    list
}

fn inventory() -> Inventory {
    let device = |id: &str| DeviceSpec {
        id: id.into(),
        hostname: id.to_owned(),
        role: if id == "r4" { DeviceRole::Spine } else { DeviceRole::Edge },
        router_id: core::net::Ipv4Addr::LOCALHOST,
        bmp: None,
        gnmi: None,
        netconf: None,
    };
    let provider = |id: &str, cost| Provider {
        id: id.into(),
        name: id.to_uppercase(),
        asns: vec![Asn(64_496)],
        cost_per_gb: Some(cost),
        sla: SlaLimits { delay_ms_max: 100.0, loss_max: 0.005 },
    };
    let exit = |(id, device, provider, _): (&str, &str, &str, f64)| ExitSpec {
        id: id.into(),
        device: device.into(),
        provider: provider.into(),
        interface: format!("eth-{id}"),
        remote_as: Asn(64_496),
        neighbors: neighbors(id).to_vec(),
        capacity_bps: 100_000_000,
        role: None,
    };
    let group = |g: (&str, &str, &str)| TargetGroup {
        id: g.0.into(),
        members: group_prefixes(g),
        targets: vec![format!("{}0.1", g.1).parse().unwrap(), format!("2001:db8:{}::1", g.2).parse().unwrap()],
    };
    Inventory {
        name: "scene".into(),
        lab: None,
        own_asn: Asn(65_001),
        own_prefixes: vec![],
        public_space: vec![],
        devices: DEVICES.map(device).to_vec(),
        providers: vec![provider("isp-a", 0.02), provider("isp-b", 0.015), provider("isp-c", 0.025)],
        exits: EXITS.map(exit).to_vec(),
        groups: GROUPS.map(group).to_vec(),
        ..Inventory::empty("")
    }
}

fn policy() -> PolicyDefinition {
    let term = Statement { sequence: 100, result: PolicyResult::Accept, conditions: vec![], actions: vec![] };
    PolicyDefinition { statements: vec![term] }
}

fn twin() -> FakeTwin {
    let mut twin =
        FakeTwin { routes: BTreeMap::new(), configs: BTreeMap::new(), policies: BTreeMap::new(), failed: vec![], reversed: false };
    for (exit, device, provider, _) in EXITS {
        let config = twin
            .configs
            .entry(device.into())
            .or_insert_with(|| RouterConfig { bgp: Some(BgpConfig::new(Asn(65_001))), ..RouterConfig::default() });
        for (neighbor, six) in neighbors(exit).into_iter().zip(["", "6"]) {
            let name = exit.to_uppercase();
            let (import, export) = (format!("{name}-IN{six}"), format!("{name}-OUT{six}"));
            twin.policies.insert(import.clone(), exit.into());
            config.policy.definitions.insert(import.clone(), policy());
            config.policy.definitions.insert(export.clone(), policy());
            let session = NeighborFamily { import: Some(import), export: Some(export), ..NeighborFamily::default() };
            let families = BTreeMap::from([(Family::of(neighbor), session)]);
            let peer = Neighbor { families, ..Neighbor::new(Asn(64_496)) };
            config.bgp.as_mut().unwrap().neighbors.insert(neighbor, peer);
        }
        for (group, home) in GROUPS.into_iter().zip(["isp-a", "isp-b", "isp-c"]) {
            let lp = if home == provider { 200 } else { BTreeMap::from([("isp-a", 150), ("isp-b", 140), ("isp-c", 130)])[provider] };
            for prefix in group_prefixes(group) {
                twin.routes.insert((exit.into(), prefix), lp);
            }
        }
    }
    twin
}

impl Scene {
    pub fn new() -> Self {
        let mut network = Network::new(inventory());
        for device in network.devices.values_mut() {
            device.gnmi = Freshness::Synced { last: t(0) };
        }
        for (exit, device, _, _) in EXITS {
            let d = network.devices.get_mut(&DeviceId::from(device)).unwrap();
            d.interfaces.insert(format!("eth-{exit}"), Interface { rate_bps: Some((1e6, 1e6)), ..Interface::default() });
            for neighbor in neighbors(exit) {
                let announced = GROUPS.into_iter().flat_map(group_prefixes).filter(|p| p.family() == Family::of(neighbor));
                let rib = announced.map(|p| (p, Arc::new(PathAttributes::default()))).collect();
                network.set_adj_rib(&device.into(), neighbor, RibView::AdjRibInPre, rib);
            }
            for (group, _, _) in GROUPS {
                for family in [Family::Ipv4Unicast, Family::Ipv6Unicast] {
                    let pinned = ProbeKey { device: device.into(), exit: Some(exit.into()), group: group.into(), family };
                    network.probes.insert(pinned, Probe::default());
                    let routed = ProbeKey { device: "r4".into(), exit: None, group: group.into(), family };
                    network.probes.insert(routed, Probe::default());
                }
            }
        }
        let perception = Perception::new(Thresholds::default(), HealthRules::default());
        Self { network, perception, second: 0, twin: twin(), settings: Settings::default(), sent: BTreeMap::new(), fast: false }
    }

    fn exit_of(&self, key: &ProbeKey) -> ExitId {
        let group = GROUPS.into_iter().find(|g| g.0 == key.group.as_str()).unwrap();
        let prefix = group_prefixes(group).into_iter().find(|p| p.family() == key.family).unwrap();
        key.exit.clone().unwrap_or_else(|| FakeTwin::best(&self.twin.routes, key.device.as_str(), prefix).unwrap())
    }

    /// Lets seconds pass; probes meet (packets lost of a hundred, added delay in ms), or `None`: no sample. Probes that follow the routing feel what their exit feels. Returns the findings opened.
    pub fn pass(&mut self, seconds: i64, weather: impl Fn(&ProbeKey) -> Option<(u32, f64)>) -> Vec<Finding> {
        let mut opened = Vec::new();
        for _ in 0..seconds {
            self.second += 1;
            let keys: Vec<ProbeKey> = self.network.probes.keys().cloned().collect();
            for key in keys {
                let exit = self.exit_of(&key);
                let pinned = ProbeKey { exit: Some(exit.clone()), ..key.clone() };
                let Some((percent, added)) = weather(&pinned) else { continue };
                let sent: u32 = if self.fast { 10 } else { 1 };
                let so_far = self.sent.entry(key.clone()).or_default();
                let lost = (*so_far + u64::from(sent)) * u64::from(percent) / 100 - *so_far * u64::from(percent) / 100;
                *so_far += u64::from(sent);
                let received = sent - u32::try_from(lost).unwrap();
                let base = EXITS.iter().find(|e| e.0 == exit.as_str()).unwrap().3;
                let wiggle = if self.second % 2 == 0 { 0.1 } else { -0.1 };
                let delay_ms = (received > 0).then_some(base + added + wiggle);
                let sample = ProbeSample { at: t(self.second), sent, received, delay_ms, delay_ms_min_max: None, rtt_ms: None };
                self.network.probes.get_mut(&key).unwrap().samples.push_back(sample);
            }
            for event in self.perception.observe(&self.network, t(self.second)) {
                match event {
                    Event::EvidenceNeeded { requests } => {
                        self.fast |= requests.iter().any(|r| matches!(r, Request::ProbeRate { hz: 10, .. }))
                    }
                    Event::FindingOpened { finding } => opened.push(finding),
                    Event::FindingUpdated { .. } | Event::FindingCleared { .. } => {}
                }
            }
        }
        opened
    }

    /// Thirty calm seconds, then `seconds` of `weather`: the newest state of the finding that it opens.
    pub fn trouble(&mut self, seconds: i64, weather: impl Fn(&ProbeKey) -> Option<(u32, f64)>) -> Finding {
        self.pass(30, |_| Some((0, 0.0)));
        self.pass(seconds, weather);
        self.perception.findings().next().cloned().expect("a finding")
    }

    pub fn volume(&mut self, exit: &str, group: usize, bps: f64) {
        for prefix in group_prefixes(GROUPS[group]) {
            self.network.volumes.insert((exit.into(), prefix), Volume { bps, at: t(self.second), source: network::VolumeSource::Node });
        }
    }

    pub fn decide(&self, finding: &Finding) -> Decision {
        let view = View { network: &self.network, perception: &self.perception, now: t(self.second) };
        decide(finding, &view, &self.twin, &self.settings)
    }
}
