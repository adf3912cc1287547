//! A small network for tests: three providers, four exits, three groups, two families; samples come second by second.

use crate::{Event, HealthRules, Perception, Request, Thresholds};
use action::ExitId;
use bgp::{Asn, Family};
use network::{DeviceRole, DeviceSpec, ExitSpec, Freshness, Inventory, Network, ProbeKey, ProbeSample, Provider, SlaLimits, TargetGroup};
use std::collections::BTreeMap;
use units::Timestamp;

pub const START: i64 = 1_000;

pub fn t(second: i64) -> Timestamp {
    Timestamp::from_millis((START + second) * 1000)
}

/// What one probe meets in one second: packets lost of those sent, and delay.
#[derive(Clone, Copy)]
pub struct Weather {
    pub lost: u32,
    pub delay_ms: f64,
}

pub struct Scene {
    pub network: Network,
    pub perception: Perception,
    pub second: i64,
    pub rates: BTreeMap<ProbeKey, (u32, i64)>,
    pub sent: BTreeMap<ProbeKey, u64>,
    pub log: Vec<(i64, Event)>,
}

pub const EXITS: [(&str, &str, &str, f64); 4] =
    [("r1-ispa", "r1", "isp-a", 4.0), ("r1-ispb", "r1", "isp-b", 6.0), ("r2-ispb", "r2", "isp-b", 6.0), ("r2-ispc", "r2", "isp-c", 3.0)];
pub const GROUPS: [&str; 3] = ["east", "west", "south"];

pub fn inventory() -> Inventory {
    let device = |id: &str, role| DeviceSpec {
        id: id.into(),
        hostname: id.to_owned(),
        role,
        router_id: core::net::Ipv4Addr::LOCALHOST,
        bmp: None,
        gnmi: None,
        netconf: None,
    };
    let provider = |id: &str| Provider {
        id: id.into(),
        name: id.to_uppercase(),
        asns: vec![Asn(64_496)],
        cost_per_gb: Some(0.02),
        sla: SlaLimits { delay_ms_max: 60.0, loss_max: 0.005 },
    };
    let exit = |(id, device, provider, _): (&str, &str, &str, f64)| ExitSpec {
        id: id.into(),
        device: device.into(),
        provider: provider.into(),
        interface: format!("eth-{id}"),
        remote_as: Asn(64_496),
        neighbors: vec![format!("172.31.{}.1", id.len() + usize::from(id.as_bytes()[6])).parse().unwrap()],
        capacity_bps: 100_000_000,
        role: None,
    };
    Inventory {
        name: "scene".into(),
        lab: None,
        own_asn: Asn(65_001),
        own_prefixes: vec![],
        public_space: vec![],
        devices: vec![device("r1", DeviceRole::Edge), device("r2", DeviceRole::Edge), device("r4", DeviceRole::Spine)],
        providers: ["isp-a", "isp-b", "isp-c"].map(provider).to_vec(),
        exits: EXITS.map(exit).to_vec(),
        groups: GROUPS.map(|g| TargetGroup { id: g.into(), members: vec![], targets: vec![] }).to_vec(),
        ..Inventory::empty("")
    }
}

pub fn key(exit: &str, group: &str, family: Family) -> ProbeKey {
    let device = EXITS.iter().find(|e| e.0 == exit).unwrap().1;
    ProbeKey { device: device.into(), exit: Some(exit.into()), group: group.into(), family }
}

pub fn routed(group: &str, family: Family) -> ProbeKey {
    ProbeKey { device: "r4".into(), exit: None, group: group.into(), family }
}

impl Scene {
    pub fn new() -> Self {
        let mut network = Network::new(inventory());
        for device in network.devices.values_mut() {
            device.gnmi = Freshness::Synced { last: t(0) };
        }
        for (exit, _, _, _) in EXITS {
            for group in GROUPS {
                for family in [Family::Ipv4Unicast, Family::Ipv6Unicast] {
                    network.probes.insert(key(exit, group, family), network::Probe::default());
                    network.probes.insert(routed(group, family), network::Probe::default());
                }
            }
        }
        let perception = Perception::new(Thresholds::default(), HealthRules::default());
        Self { network, perception, second: 0, rates: BTreeMap::new(), sent: BTreeMap::new(), log: vec![] }
    }

    pub fn base(key: &ProbeKey) -> f64 {
        key.exit.as_ref().map_or(4.0, |e| EXITS.iter().find(|x| x.0 == e.as_str()).unwrap().3)
    }

    /// Lets one second pass. `weather(key, packet number before, sent)`.
    pub fn second(&mut self, weather: &mut dyn FnMut(&ProbeKey, u64, u32) -> Option<Weather>) {
        self.second += 1;
        let now = t(self.second);
        let keys: Vec<ProbeKey> = self.network.probes.keys().cloned().collect();
        for key in keys {
            let sent = self.rates.get(&key).filter(|(_, until)| *until >= self.second).map_or(1, |(hz, _)| *hz);
            let so_far = self.sent.entry(key.clone()).or_default();
            let Some(w) = weather(&key, *so_far, sent) else { continue };
            *so_far += u64::from(sent);
            let received = sent - w.lost.min(sent);
            let wiggle = if self.second % 2 == 0 { 0.1 } else { -0.1 };
            let sample = ProbeSample {
                at: now,
                sent,
                received,
                delay_ms: (received > 0).then_some(w.delay_ms + wiggle),
                delay_ms_min_max: None,
                rtt_ms: None,
            };
            self.network.probes.get_mut(&key).unwrap().samples.push_back(sample);
        }
        for event in self.perception.observe(&self.network, now) {
            if let Event::EvidenceNeeded { requests } = &event {
                for Request::ProbeRate { probe, hz, seconds } in requests {
                    self.rates.insert(probe.clone(), (*hz, self.second + i64::from(*seconds)));
                }
            }
            self.log.push((self.second, event));
        }
    }

    pub fn seconds(&mut self, count: i64, mut weather: impl FnMut(&ProbeKey, u64, u32) -> Option<Weather>) {
        for _ in 0..count {
            self.second(&mut weather);
        }
    }

    pub fn calm(&mut self, count: i64) {
        self.seconds(count, |k, _, _| Some(Weather { lost: 0, delay_ms: Self::base(k) }));
    }

    pub fn opened(&self) -> Vec<(i64, &crate::Finding)> {
        self.log.iter().filter_map(|(s, e)| if let Event::FindingOpened { finding } = e { Some((*s, finding)) } else { None }).collect()
    }

    pub fn cleared(&self) -> Vec<i64> {
        self.log.iter().filter(|(_, e)| matches!(e, Event::FindingCleared { .. })).map(|(s, _)| *s).collect()
    }
}

pub fn on(key: &ProbeKey, exit: &str) -> bool {
    key.exit == Some(ExitId::from(exit))
}
