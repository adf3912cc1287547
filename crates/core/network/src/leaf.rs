//! Which leaf means what (OpenConfig): one table of meanings, read when a leaf is told and when it is taken back.

use crate::gnmi_session::LEAVES_MAX;
use crate::hardware::{Gauge, GaugeKey, Memory, Reading};
use crate::peers::PEERS_MAX;
use crate::{Device, Session, session};
use bgp::{Asn, Family};
use core::net::IpAddr;
use gnmi::{Path, PathElem, Value};
use std::collections::BTreeSet;
use units::Timestamp;

/// What became of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It is part of the picture.
    Yes,
    /// Nobody reads this path.
    Unread,
    /// Its value is not what the path says.
    WrongType,
}

impl From<bool> for Taken {
    fn from(fits: bool) -> Self {
        if fits { Self::Yes } else { Self::WrongType }
    }
}

/// What a leaf tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning<'a> {
    Hostname,
    BootTime,
    /// Of the system's processor with this index.
    Cpu(&'a str),
    /// Of a component's processor.
    Processor(&'a str),
    /// Of a component, or of the system (no name).
    Memory(&'a str, Bank),
    Gauge(Gauge, &'a str, &'a str),
    Interface(&'a str, Port),
    Session(Whose<'a>, Neighbor),
    Prefixes(Whose<'a>, Family, Count),
    /// Known, and of no use: a key told again as a leaf, a counter that nobody reads.
    Nothing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bank {
    Total,
    Used,
    Free,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Port {
    OperStatus,
    AdminStatus,
    LastChange,
    Ifindex,
    InOctets,
    OutOctets,
    InErrors,
    OutErrors,
}

/// A neighbour in a network instance; the default one has no name here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Whose<'a> {
    instance: &'a str,
    address: IpAddr,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Neighbor {
    State,
    PeerAs,
    Enabled,
    LastDown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Count {
    Received,
    Sent,
}

/// Elements of a leaf's path, those of a container before those below it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At<'a>(pub &'a [PathElem]);

impl<'a> At<'a> {
    fn key(self, name: &str, key: &str) -> Option<&'a str> {
        self.0.iter().find(|e| e.name == name)?.keys.get(key).map(String::as_str)
    }

    fn neighbor(self) -> Option<Whose<'a>> {
        let address = self.key("neighbor", "neighbor-address")?.parse().ok()?;
        let instance = self.key("network-instance", "name").filter(|name| !is_default(name)).unwrap_or("");
        Some(Whose { instance, address })
    }

    fn family(self) -> Option<Family> {
        family(self.key("afi-safi", "afi-safi-name")?)
    }
}

/// Says whether a network instance is the default one: `default` in OpenConfig and most systems, `master` in Junos, `Base` in SR OS.
fn is_default(instance: &str) -> bool {
    matches!(instance, "" | "default" | "DEFAULT" | "master" | "Base")
}

pub(crate) fn family(name: &str) -> Option<Family> {
    match name.rsplit(':').next()? {
        "IPV4_UNICAST" => Some(Family::Ipv4Unicast),
        "IPV6_UNICAST" => Some(Family::Ipv6Unicast),
        _ => None,
    }
}

/// Returns what the leaf means; `Err` where its keys are not what they must be.
fn meaning<'a>(at: At<'a>) -> Result<Meaning<'a>, Taken> {
    let mut names = [""; 16];
    if at.0.len() > names.len() {
        return Err(Taken::Unread);
    }
    for (name, elem) in names.iter_mut().zip(at.0) {
        *name = &elem.name;
    }
    let names = names.get(..at.0.len()).unwrap_or_default();
    let named = |list: &str, key: &str| at.key(list, key).ok_or(Taken::WrongType);
    Ok(match names {
        ["system", "state", "hostname"] => Meaning::Hostname,
        ["system", "state", "boot-time"] => Meaning::BootTime,
        ["system", "cpus", "cpu", "state", "total", "instant"] => Meaning::Cpu(at.key("cpu", "index").unwrap_or("ALL")),
        ["system", "memory", "state", leaf] => match *leaf {
            "physical" => Meaning::Memory("", Bank::Total),
            "used" => Meaning::Memory("", Bank::Used),
            "free" => Meaning::Memory("", Bank::Free),
            _ => Meaning::Nothing,
        },
        ["components", "component", below @ ..] => component(at, named("component", "name")?, below)?,
        ["interfaces", "interface", "state", leaf] => match port(leaf) {
            Some(port) => Meaning::Interface(named("interface", "name")?, port),
            None => return Err(Taken::Unread),
        },
        ["interfaces", "interface", "state", "counters", leaf] => match counter(leaf) {
            Some(port) => Meaning::Interface(named("interface", "name")?, port),
            None => Meaning::Nothing,
        },
        [.., "neighbors", "neighbor", "state", leaf] => {
            let what = match *leaf {
                "session-state" => Neighbor::State,
                "peer-as" => Neighbor::PeerAs,
                "enabled" => Neighbor::Enabled,
                "last-down-reason" => Neighbor::LastDown,
                "neighbor-address" | "description" | "established-transitions" => return Ok(Meaning::Nothing),
                _ => return Err(Taken::Unread),
            };
            Meaning::Session(at.neighbor().ok_or(Taken::WrongType)?, what)
        }
        [.., "neighbors", "neighbor", "afi-safis", "afi-safi", "state", "prefixes", leaf] => {
            let what = match *leaf {
                "received" => Count::Received,
                "sent" => Count::Sent,
                "installed" => return Ok(Meaning::Nothing),
                _ => return Err(Taken::Unread),
            };
            Meaning::Prefixes(at.neighbor().ok_or(Taken::Unread)?, at.family().ok_or(Taken::Unread)?, what)
        }
        _ => return Err(Taken::Unread),
    })
}

fn port(leaf: &str) -> Option<Port> {
    Some(match leaf {
        "oper-status" => Port::OperStatus,
        "admin-status" => Port::AdminStatus,
        "last-change" => Port::LastChange,
        "ifindex" => Port::Ifindex,
        _ => return None,
    })
}

fn counter(leaf: &str) -> Option<Port> {
    Some(match leaf {
        "in-octets" => Port::InOctets,
        "out-octets" => Port::OutOctets,
        "in-errors" => Port::InErrors,
        "out-errors" => Port::OutErrors,
        _ => return None,
    })
}

fn component<'a>(at: At<'a>, name: &'a str, below: &[&str]) -> Result<Meaning<'a>, Taken> {
    let channel = || at.key("channel", "index").unwrap_or("");
    Ok(match below {
        ["cpu", "utilization", "state", "instant"] => Meaning::Processor(name),
        ["state", "memory", "available"] => Meaning::Memory(name, Bank::Total),
        ["state", "memory", "utilized"] => Meaning::Memory(name, Bank::Used),
        // no leaf of OpenConfig's: profiles map a native one to it
        ["state", "memory", "free"] => Meaning::Memory(name, Bank::Free),
        ["state", "temperature", "instant"] => Meaning::Gauge(Gauge::Temperature, name, ""),
        ["state", "used-power"] => Meaning::Gauge(Gauge::UsedPower, name, ""),
        ["power-supply", "state", leaf] => match supply(leaf) {
            Some(gauge) => Meaning::Gauge(gauge, name, ""),
            None => Meaning::Nothing,
        },
        ["transceiver", "physical-channels", "channel", "state", leaf, "instant"] | ["optical-channel", "state", leaf, "instant"] => {
            Meaning::Gauge(optic(leaf).ok_or(Taken::Unread)?, name, channel())
        }
        _ => return Err(Taken::Unread),
    })
}

fn supply(leaf: &str) -> Option<Gauge> {
    Some(match leaf {
        "capacity" => Gauge::SupplyCapacity,
        "input-voltage" => Gauge::SupplyInputVoltage,
        "input-current" => Gauge::SupplyInputCurrent,
        "output-voltage" => Gauge::SupplyOutputVoltage,
        "output-current" => Gauge::SupplyOutputCurrent,
        "output-power" => Gauge::SupplyOutputPower,
        _ => return None,
    })
}

fn optic(leaf: &str) -> Option<Gauge> {
    Some(match leaf {
        "input-power" => Gauge::OpticalInput,
        "output-power" => Gauge::OpticalOutput,
        "laser-bias-current" => Gauge::LaserBias,
        _ => return None,
    })
}

fn set<T>(slot: &mut Option<T>, value: Option<T>) -> Taken {
    let fits = value.is_some();
    if fits {
        *slot = value;
    }
    fits.into()
}

/// A percentage as a share.
fn share(value: &Value) -> Option<f64> {
    value.as_f64().map(|percent| (percent / 100.0).clamp(0.0, 1.0))
}

/// timeticks64: nanoseconds since 1970 (openconfig-types).
fn moment(value: &Value) -> Option<Timestamp> {
    value.as_u64().and_then(|ns| i64::try_from(ns).ok()).map(Timestamp::from_nanos)
}

impl Device {
    /// Takes a leaf that was true at `at` and came at `now`; notes interfaces whose octets were `counted`.
    pub(crate) fn leaf(
        &mut self,
        elems: &[PathElem],
        value: &Value,
        (at, now): (Timestamp, Timestamp),
        counted: &mut BTreeSet<String>,
    ) -> Taken {
        let meaning = match meaning(At(elems)) {
            Ok(Meaning::Nothing) => return Taken::Yes,
            Ok(meaning) => meaning,
            Err(taken) => return taken,
        };
        let taken = match meaning {
            Meaning::Hostname => set(&mut self.gnmi_session.hostname, value.as_str().map(str::to_owned)),
            Meaning::BootTime => set(&mut self.hardware.boot_time, moment(value)),
            Meaning::Cpu(_) | Meaning::Processor(_) | Meaning::Memory(..) | Meaning::Gauge(..) => self.part(meaning, value, at),
            Meaning::Interface(name, port) => self.port(name, port, value, at, counted),
            Meaning::Session(whose, what) => self.neighbor(whose, what, value, now),
            Meaning::Prefixes(whose, family, what) => match value.as_u64() {
                Some(count) => {
                    let Some(session) = self.session_of(whose) else { return Taken::Unread };
                    (if what == Count::Received { &mut session.received } else { &mut session.sent }).insert(family, count);
                    Taken::Yes
                }
                None => Taken::WrongType,
            },
            Meaning::Nothing => Taken::Yes,
        };
        if taken == Taken::Yes && !self.gnmi_session.told.mark(elems, LEAVES_MAX) {
            self.gnmi_session.unmarked += 1;
        }
        taken
    }

    fn part(&mut self, meaning: Meaning<'_>, value: &Value, at: Timestamp) -> Taken {
        let hardware = &mut self.hardware;
        let has_room = hardware.has_room();
        let known = match meaning {
            Meaning::Cpu(index) => hardware.cpus.contains_key(index),
            Meaning::Processor(name) => hardware.processors.contains_key(name),
            Meaning::Memory(name, _) => hardware.memories.contains_key(name),
            _ => false,
        };
        if !known && !has_room {
            return Taken::Unread;
        }
        match meaning {
            Meaning::Cpu(name) | Meaning::Processor(name) => {
                let Some(value) = share(value) else { return Taken::WrongType };
                let all = if matches!(meaning, Meaning::Cpu(_)) { &mut hardware.cpus } else { &mut hardware.processors };
                all.insert(name.to_owned(), Reading { at, value });
            }
            Meaning::Memory(name, bank) => {
                let Some(bytes) = value.as_u64() else { return Taken::WrongType };
                let memory = hardware.memories.entry(name.to_owned()).or_default();
                *slot(memory, bank) = Some(bytes);
                memory.at = at;
            }
            Meaning::Gauge(gauge, component, channel) => {
                let Some(value) = value.as_f64() else { return Taken::WrongType };
                let key = GaugeKey { gauge, component: component.to_owned(), channel: channel.to_owned() };
                hardware.gauges.insert(key, Reading { at, value });
            }
            _ => return Taken::Unread,
        }
        self.sum_up();
        Taken::Yes
    }

    /// The load of the device as one figure each, from its parts.
    fn sum_up(&mut self) {
        let (cpu, memory) = (self.hardware.cpu(), self.hardware.memory_share());
        (self.cpu, self.system_at.cpu) = (cpu.map(|r| r.value), cpu.map(|r| r.at));
        (self.memory, self.system_at.memory) = (memory, self.hardware.memories.values().map(|m| m.at).max());
    }

    fn port(&mut self, name: &str, port: Port, value: &Value, at: Timestamp, counted: &mut BTreeSet<String>) -> Taken {
        let number = value.as_u64();
        let up = value.as_str().map(|s| s.rsplit(':').next() == Some("UP"));
        let fits = match port {
            Port::OperStatus | Port::AdminStatus => up.is_some(),
            Port::Ifindex => number.is_some_and(|n| u32::try_from(n).is_ok()),
            Port::LastChange => moment(value).is_some(),
            _ => number.is_some(),
        };
        if !fits {
            return Taken::WrongType;
        }
        if let (Port::InOctets | Port::OutOctets, Some(octets)) = (port, number) {
            let counters = match self.gnmi_session.counters.get_mut(name) {
                Some(counters) => counters,
                None => self.gnmi_session.counters.entry(name.to_owned()).or_default(),
            };
            if port == Port::InOctets {
                counters.set_input(at, octets)
            } else {
                counters.set_output(at, octets)
            }
            if !counted.contains(name) {
                counted.insert(name.to_owned());
            }
            return Taken::Yes;
        }
        let interface = match self.interfaces.get_mut(name) {
            Some(interface) => interface,
            None => self.interfaces.entry(name.to_owned()).or_default(),
        };
        match port {
            Port::OperStatus => interface.oper_up = up,
            Port::AdminStatus => interface.admin_up = up,
            Port::LastChange => interface.last_change = moment(value),
            Port::Ifindex => interface.ifindex = number.and_then(|n| u32::try_from(n).ok()),
            Port::InErrors => interface.errors.input = number.map(|n| (at, n)),
            Port::OutErrors => interface.errors.output = number.map(|n| (at, n)),
            Port::InOctets | Port::OutOctets => {}
        }
        Taken::Yes
    }

    /// Returns the session of a neighbour, made where it is new; `None` when there are too many.
    fn session_of(&mut self, Whose { instance, address }: Whose<'_>) -> Option<&mut Session> {
        if instance.is_empty() {
            return Some(self.sessions.entry(address).or_default());
        }
        let key = (instance.to_owned(), address);
        let room = self.instance_sessions.len() < PEERS_MAX || self.instance_sessions.contains_key(&key);
        room.then(|| self.instance_sessions.entry(key).or_default())
    }

    fn known_session(&mut self, Whose { instance, address }: Whose<'_>) -> Option<&mut Session> {
        if instance.is_empty() { self.sessions.get_mut(&address) } else { self.instance_sessions.get_mut(&(instance.to_owned(), address)) }
    }

    fn neighbor(&mut self, whose: Whose<'_>, what: Neighbor, value: &Value, now: Timestamp) -> Taken {
        let state = value.as_str().and_then(session::state);
        if (what == Neighbor::State && state.is_none()) || (what == Neighbor::Enabled && value.as_bool().is_none()) {
            return Taken::WrongType;
        }
        let overtaken = whose.instance.is_empty() && state.is_some_and(|s| self.bmp_session.overtakes(whose.address, s, now));
        if what == Neighbor::State && whose.instance.is_empty() {
            self.gnmi_session.neighbors.insert(whose.address);
        }
        let Some(session) = self.session_of(whose) else { return Taken::Unread };
        match what {
            Neighbor::State => {
                let Some(state) = state else { return Taken::WrongType };
                if !overtaken {
                    session.enter(state, now);
                }
                Taken::Yes
            }
            Neighbor::PeerAs => {
                let asn = value.as_u64().and_then(|n| u32::try_from(n).ok()).map(Asn);
                set(&mut session.remote_as, asn)
            }
            Neighbor::Enabled => match value.as_bool() {
                Some(enabled) => {
                    session.admin_down = !enabled;
                    Taken::Yes
                }
                None => Taken::WrongType,
            },
            Neighbor::LastDown => set(&mut session.last_down, value.as_str().map(str::to_owned)),
        }
    }

    /// Takes leaves back that the device deleted, or did not tell again.
    pub(crate) fn untell(&mut self, gone: &[Path]) {
        for path in gone {
            if let Ok(meaning) = meaning(At(&path.elems)) {
                self.unset(meaning, path);
            }
        }
        self.sum_up();
    }

    fn unset(&mut self, meaning: Meaning<'_>, path: &Path) {
        let hardware = &mut self.hardware;
        match meaning {
            Meaning::Hostname => self.gnmi_session.hostname = None,
            Meaning::BootTime => hardware.boot_time = None,
            Meaning::Cpu(index) => drop(hardware.cpus.remove(index)),
            Meaning::Processor(name) => drop(hardware.processors.remove(name)),
            Meaning::Memory(name, bank) => {
                if let Some(memory) = hardware.memories.get_mut(name) {
                    *slot(memory, bank) = None;
                    if (memory.total, memory.used, memory.free) == (None, None, None) {
                        hardware.memories.remove(name);
                    }
                }
            }
            Meaning::Gauge(gauge, component, channel) => {
                let key = GaugeKey { gauge, component: component.to_owned(), channel: channel.to_owned() };
                hardware.gauges.remove(&key);
            }
            Meaning::Interface(name, port) => self.unset_port(name, port, path),
            Meaning::Session(whose, what) => {
                let monitored = self.monitors(whose);
                if what == Neighbor::State && whose.instance.is_empty() {
                    self.gnmi_session.neighbors.remove(&whose.address);
                }
                if let Some(session) = self.known_session(whose) {
                    match what {
                        // what BMP said of it stands; a session that nobody reports has no state
                        Neighbor::State | Neighbor::PeerAs if monitored => {}
                        Neighbor::State => session.state = crate::SessionState::Idle,
                        Neighbor::PeerAs => session.remote_as = None,
                        Neighbor::Enabled => session.admin_down = false,
                        Neighbor::LastDown if monitored => {}
                        Neighbor::LastDown => session.last_down = None,
                    }
                }
                self.drop_session(whose, path);
            }
            Meaning::Prefixes(whose, family, what) => {
                if let Some(session) = self.known_session(whose) {
                    (if what == Count::Received { &mut session.received } else { &mut session.sent }).remove(&family);
                }
                self.drop_session(whose, path);
            }
            Meaning::Nothing => {}
        }
    }

    /// A session of which nothing is told any more, by neither feed, is none.
    fn drop_session(&mut self, whose: Whose<'_>, path: &Path) {
        if self.monitors(whose) || self.still_tells(path, "neighbor") {
            return;
        }
        let Whose { instance, address } = whose;
        if instance.is_empty() {
            self.sessions.remove(&address);
        } else {
            self.instance_sessions.remove(&(instance.to_owned(), address));
        }
    }

    /// Says whether BMP holds the session to be up; what it tells of other instances is not mixed with this.
    fn monitors(&self, whose: Whose<'_>) -> bool {
        whose.instance.is_empty() && self.bmp_session.knows(whose.address)
    }

    fn unset_port(&mut self, name: &str, port: Port, path: &Path) {
        if !self.still_tells(path, "interface") {
            self.interfaces.remove(name);
            self.gnmi_session.counters.remove(name);
            return;
        }
        if let Some(counters) = self.gnmi_session.counters.get_mut(name) {
            match port {
                Port::InOctets => counters.forget_input(),
                Port::OutOctets => counters.forget_output(),
                _ => {}
            }
        }
        let Some(interface) = self.interfaces.get_mut(name) else { return };
        match port {
            Port::OperStatus => interface.oper_up = None,
            Port::AdminStatus => interface.admin_up = None,
            Port::LastChange => interface.last_change = None,
            Port::Ifindex => interface.ifindex = None,
            Port::InOctets | Port::OutOctets => (interface.octets, interface.rate_bps) = (None, None),
            Port::InErrors => interface.errors.input = None,
            Port::OutErrors => interface.errors.output = None,
        }
    }

    /// Says whether anything is still told at or below the list entry of this name that the path leads through.
    fn still_tells(&self, path: &Path, list: &str) -> bool {
        let Some(end) = path.elems.iter().position(|e| e.name == list) else { return false };
        // whatever protocol of the instance tells it
        let named = |i: usize, e: &PathElem| i == end || e.name == "network-instance";
        let bare =
            |(i, e): (usize, &PathElem)| if named(i, e) { e.clone() } else { PathElem { name: e.name.clone(), ..PathElem::default() } };
        let entry: Vec<PathElem> = path.elems.iter().take(end + 1).enumerate().map(bare).collect();
        self.gnmi_session.told.holds(&entry)
    }
}

const fn slot(memory: &mut Memory, bank: Bank) -> &mut Option<u64> {
    match bank {
        Bank::Total => &mut memory.total,
        Bank::Used => &mut memory.used,
        Bank::Free => &mut memory.free,
    }
}
