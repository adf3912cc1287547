//! The health score of a device (S2 §6): 1.0 minus penalties, a pure function of the device's state.

use bgp::Prefix;
use core::net::IpAddr;
use network::{Device, Interface, Session, SessionState};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use units::Ratio;

/// CPU steps: use above (share), penalty in hundredths. Strictly greater; the first that holds counts.
const CPU_STEPS: [(f64, u32); 3] = [(0.90, 30), (0.80, 15), (0.70, 5)];
/// Memory steps, likewise.
const MEMORY_STEPS: [(f64, u32); 3] = [(0.95, 30), (0.90, 15), (0.85, 5)];
/// Penalty of an interface that is down and not shut, hundredths.
const INTERFACE_DOWN: u32 = 10;
/// Penalty of a BGP peer that is not Established, hundredths.
const PEER_DOWN: u32 = 15;
/// From here on a device is healthy, hundredths.
const HEALTHY: u32 = 80;

/// The score and where it comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HealthScore {
    /// 1 is best.
    pub score: Ratio,
    /// What was subtracted, in the order system, interfaces, peers.
    pub parts: Vec<Penalty>,
    /// What was not reported and therefore subtracted nothing.
    pub unknown: Vec<String>,
}

impl HealthScore {
    /// Says whether the device is healthy (at least 0.8).
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.parts.iter().map(|p| p.hundredths).sum::<u32>() <= 100 - HEALTHY
    }
}

/// One subtraction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Penalty {
    /// Why.
    pub cause: PenaltyCause,
    /// How much, hundredths of the score.
    pub hundredths: u32,
}

/// Why the score falls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "cause")]
pub enum PenaltyCause {
    /// CPU use.
    Cpu {
        /// Percent, rounded down.
        percent: u32,
    },
    /// Memory use.
    Memory {
        /// Percent, rounded down.
        percent: u32,
    },
    /// An interface is down.
    InterfaceDown {
        /// Its name.
        name: String,
    },
    /// A BGP peer is not Established.
    PeerDown {
        /// Its address.
        neighbor: IpAddr,
    },
}

/// Which ports and peers do not count. The default excludes none: the plain formula.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HealthRules {
    /// Ports that do not count when any rule matches.
    pub excluded_ports: Vec<PortRule>,
    /// Passive dynamic neighbours: peers inside these prefixes do not count.
    pub excluded_peers: Vec<Prefix>,
}

/// A rule that excludes ports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PortRule {
    /// This port.
    Name(String),
    /// Ports whose name starts so.
    NamePrefix(String),
    /// Ports that were never seen up.
    NeverUp,
}

impl PortRule {
    fn matches(&self, name: &str, seen_up: &BTreeSet<String>) -> bool {
        match self {
            Self::Name(n) => n == name,
            Self::NamePrefix(p) => name.starts_with(p.as_str()),
            Self::NeverUp => !seen_up.contains(name),
        }
    }
}

/// Returns the health score of `device`. `seen_up` names the ports that were up at some time (for [`PortRule::NeverUp`]).
#[must_use]
pub fn health(device: &Device, rules: &HealthRules, seen_up: &BTreeSet<String>) -> HealthScore {
    let mut parts = Vec::new();
    let mut unknown = Vec::new();
    let system = [
        ("cpu", device.cpu, &CPU_STEPS, (|percent| PenaltyCause::Cpu { percent }) as fn(u32) -> PenaltyCause),
        ("memory", device.memory, &MEMORY_STEPS, |percent| PenaltyCause::Memory { percent }),
    ];
    for (name, used, steps, cause) in system {
        match used {
            Some(used) => parts.extend(step(used, steps).map(|hundredths| Penalty { cause: cause(percent(used)), hundredths })),
            None => unknown.push(name.to_owned()),
        }
    }
    for (name, interface) in &device.interfaces {
        if interface.oper_up.is_none() {
            unknown.push(format!("interface {name}"));
        }
        if is_down(interface) && !rules.excluded_ports.iter().any(|r| r.matches(name, seen_up)) {
            parts.push(Penalty { cause: PenaltyCause::InterfaceDown { name: name.clone() }, hundredths: INTERFACE_DOWN });
        }
    }
    for (neighbor, session) in &device.sessions {
        if is_missing(session) && !rules.excluded_peers.iter().any(|p| p.contains(*neighbor)) {
            parts.push(Penalty { cause: PenaltyCause::PeerDown { neighbor: *neighbor }, hundredths: PEER_DOWN });
        }
    }
    let lost: u32 = parts.iter().map(|p| p.hundredths).sum();
    HealthScore { score: Ratio::of(u64::from(100_u32.saturating_sub(lost)), 100), parts, unknown }
}

fn step(used: f64, steps: &[(f64, u32); 3]) -> Option<u32> {
    steps.iter().find(|(above, _)| used > *above).map(|(_, hundredths)| *hundredths)
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0…100")]
fn percent(used: f64) -> u32 {
    libm::floor((used * 100.0).clamp(0.0, 100.0)) as u32
}

fn is_down(interface: &Interface) -> bool {
    interface.oper_up == Some(false) && interface.admin_up != Some(false)
}

fn is_missing(session: &Session) -> bool {
    session.state != SessionState::Established && !session.admin_down
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(cpu: f64, memory: f64, down: usize, peers_down: usize) -> Device {
        let mut device = Device { cpu: Some(cpu), memory: Some(memory), ..Device::default() };
        for i in 0..down {
            let port = Interface { oper_up: Some(false), admin_up: Some(true), ..Interface::default() };
            device.interfaces.insert(format!("eth{i}"), port);
        }
        for i in 0..peers_down {
            device.sessions.insert(format!("10.0.0.{}", i + 1).parse().unwrap(), Session::default());
        }
        device
    }

    fn score(device: &Device) -> f64 {
        health(device, &HealthRules::default(), &BTreeSet::new()).score.get()
    }

    #[test]
    fn cpu_84_and_one_interface_down_is_0_75() {
        let h = health(&device(0.84, 0.5, 1, 0), &HealthRules::default(), &BTreeSet::new());
        assert_eq!(h.score.get(), 0.75);
        assert_eq!(h.parts.iter().map(|p| p.hundredths).collect::<Vec<_>>(), [15, 10]);
        assert_eq!(h.parts[0].cause, PenaltyCause::Cpu { percent: 84 });
        assert!(!h.is_healthy());
    }

    #[test]
    fn thresholds_are_strict() {
        let cpu = [(0.70, 1.0), (0.700_001, 0.95), (0.80, 0.95), (0.800_001, 0.85), (0.90, 0.85), (0.900_001, 0.70), (1.0, 0.70)];
        for (used, expected) in cpu {
            assert_eq!(score(&device(used, 0.0, 0, 0)), expected, "cpu {used}");
        }
        let memory = [(0.85, 1.0), (0.850_001, 0.95), (0.90, 0.95), (0.900_001, 0.85), (0.95, 0.85), (0.950_001, 0.70)];
        for (used, expected) in memory {
            assert_eq!(score(&device(0.0, used, 0, 0)), expected, "memory {used}");
        }
        // The collector divides percent by 100; that must land on the threshold, not above it.
        assert_eq!(score(&device(90.0 / 100.0, 95.0 / 100.0, 0, 0)), 0.70);
    }

    #[test]
    fn the_score_never_falls_below_zero_and_0_8_is_healthy() {
        assert_eq!(score(&device(0.99, 0.99, 10, 0)), 0.0);
        assert!(health(&device(0.5, 0.5, 2, 0), &HealthRules::default(), &BTreeSet::new()).is_healthy());
        assert!(!health(&device(0.75, 0.5, 2, 0), &HealthRules::default(), &BTreeSet::new()).is_healthy());
    }

    #[test]
    fn shut_ports_and_shut_peers_cost_nothing() {
        let mut d = device(0.1, 0.1, 1, 2);
        d.interfaces.get_mut("eth0").unwrap().admin_up = Some(false);
        d.sessions.values_mut().next().unwrap().admin_down = true;
        assert_eq!(score(&d), 0.85);
    }

    #[test]
    fn rules_exclude_idle_ports_and_dynamic_peers() {
        let mut d = device(0.1, 0.1, 3, 1);
        d.sessions.insert("10.9.0.1".parse().unwrap(), Session::default());
        let rules = HealthRules {
            excluded_ports: vec![PortRule::NeverUp, PortRule::Name("eth1".into())],
            excluded_peers: vec!["10.9.0.0/16".parse().unwrap()],
        };
        let seen_up = BTreeSet::from(["eth0".to_owned(), "eth1".to_owned()]);
        let h = health(&d, &rules, &seen_up);
        assert_eq!(h.parts.iter().map(|p| p.hundredths).collect::<Vec<_>>(), [10, 15]);
        assert_eq!(score(&d), 0.4);
    }

    #[test]
    fn unknown_use_is_named_and_costs_nothing() {
        let h = health(&Device::default(), &HealthRules::default(), &BTreeSet::new());
        assert_eq!((h.score, h.unknown), (Ratio::ONE, vec!["cpu".to_owned(), "memory".to_owned()]));
    }
}
