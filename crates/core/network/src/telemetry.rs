//! Notifications: which path means what (OpenConfig, and the node's own `/probes` and `/volumes`).

use crate::gnmi_session::GnmiSession;
use crate::{Device, Inventory, Network, probes, session};
use action::{DeviceId, ExitId};
use bgp::{Asn, Family, Prefix};
use core::net::IpAddr;
use core::time::Duration;
use gnmi::{Notification, Path, Update, Value};
use std::collections::BTreeSet;
use units::Timestamp;

/// A device clock further off than this is not believed; the time of arrival counts instead.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(2);
/// Leaves taken from one update: the largest container the node sends has a few dozen.
const LEAVES_MAX: usize = 10_000;
/// Depth to which a JSON container is opened.
const DEPTH_MAX: usize = 16;

/// What became of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    Yes,
    Unread,
    WrongType,
}

impl From<bool> for Taken {
    fn from(fits: bool) -> Self {
        if fits { Self::Yes } else { Self::WrongType }
    }
}

impl Network {
    pub(crate) fn notified(&mut self, id: &DeviceId, notification: &Notification, now: Timestamp) {
        let inventory = std::sync::Arc::clone(&self.inventory);
        let sent = Timestamp::from_nanos(notification.timestamp);
        let at = if sent.since(now).max(now.since(sent)) <= CLOCK_TOLERANCE { sent } else { now };
        if let Some(device) = self.devices.get_mut(id) {
            device.gnmi.heard(device.gnmi_session.connected, now);
            device.gnmi_session.connected = true;
            device.gnmi_session.notifications += 1;
            // an atomic one replaces what stands at its prefix (gNMI specification §2.1.1); at the root it would be everything: not believed
            if notification.atomic && !notification.prefix.elems.is_empty() {
                device.deleted(&notification.prefix);
            }
            for path in &notification.deletes {
                device.deleted(path);
            }
        }
        let mut counted = BTreeSet::new();
        for update in &notification.updates {
            let taken = self.updated(id, &inventory, update, at, now, &mut counted);
            if let Some(device) = self.devices.get_mut(id) {
                device.gnmi_session.note(taken);
            }
        }
        if let Some(device) = self.devices.get_mut(id) {
            device.count(&counted);
        }
    }

    fn updated(
        &mut self,
        id: &DeviceId,
        inventory: &Inventory,
        update: &Update,
        at: Timestamp,
        now: Timestamp,
        counted: &mut BTreeSet<String>,
    ) -> Taken {
        let names: Vec<&str> = update.path.names().collect();
        match (names.as_slice(), &update.value) {
            (["probes", "probe", "tests", "test", "state"], Value::Json(json)) => {
                let Some(key) = update.path.key("probe", "name").and_then(|n| probes::key(id, n)) else { return Taken::Unread };
                self.probed(key, json, at).into()
            }
            (["volumes", "exit", "state"], Value::Json(json)) => {
                let exit = update.path.key("exit", "name").map(ExitId::new);
                match exit.filter(|e| inventory.exit(e).is_some_and(|spec| &spec.device == id)) {
                    Some(exit) => self.measured_volumes(&exit, json, at).into(),
                    None => Taken::Unread,
                }
            }
            _ => match self.devices.get_mut(id) {
                Some(device) => device.updated(&update.path, &names, &update.value, (at, now), counted),
                None => Taken::Unread,
            },
        }
    }
}

impl GnmiSession {
    const fn note(&mut self, taken: Taken) {
        match taken {
            Taken::Yes => {}
            Taken::Unread => self.unread += 1,
            Taken::WrongType => self.wrong_type += 1,
        }
    }
}

impl Device {
    fn updated(
        &mut self,
        path: &Path,
        names: &[&str],
        value: &Value,
        times: (Timestamp, Timestamp),
        counted: &mut BTreeSet<String>,
    ) -> Taken {
        if let ([.., "rib", _, _] | [.., "loc-rib", "routes", "route"], Value::Json(json)) = (names, value)
            && let Some(taken) = self.rib_entry(path, names, json)
        {
            return taken;
        }
        if let Value::Json(json @ serde_json::Value::Object(_)) = value {
            let mut taken = Taken::Unread;
            let mut leaves = Vec::new();
            flatten(json, &mut Vec::new(), &mut leaves);
            for (below, leaf) in leaves {
                let all: Vec<&str> = names.iter().copied().chain(below.iter().map(String::as_str)).collect();
                match self.leaf(path, &all, &Value::Json(leaf), times, counted) {
                    Taken::WrongType => return Taken::WrongType,
                    Taken::Yes => taken = Taken::Yes,
                    Taken::Unread => {}
                }
            }
            return taken;
        }
        self.leaf(path, names, value, times, counted)
    }

    /// Entries of openconfig-rib-bgp that mean something only as a whole.
    fn rib_entry(&mut self, path: &Path, names: &[&str], json: &serde_json::Value) -> Option<Taken> {
        let index = |list: &str| path.key(list, "index").and_then(|i| i.parse::<u64>().ok());
        Some(match *names.last()? {
            "attr-set" => self.attr_set(index("attr-set")?, json).into(),
            "community" => self.community_set(index("community")?, json).into(),
            "route" => self.loc_route(path.key("route", "prefix")?.parse::<Prefix>().ok()?, json).into(),
            _ => return None,
        })
    }

    fn leaf(
        &mut self,
        path: &Path,
        names: &[&str],
        value: &Value,
        (at, now): (Timestamp, Timestamp),
        counted: &mut BTreeSet<String>,
    ) -> Taken {
        match names {
            ["system", "state", "hostname"] => set(&mut self.gnmi_session.hostname, value.as_str().map(str::to_owned)),
            ["system", "cpus", "cpu", "state", "total", "instant"] => {
                self.system_at.cpu = Some(at);
                set(&mut self.cpu, value.as_f64().map(|percent| (percent / 100.0).clamp(0.0, 1.0)))
            }
            ["system", "memory", "state", leaf @ ("physical" | "used")] => {
                self.system_at.memory = Some(at);
                self.memory_leaf(leaf, value)
            }
            ["interfaces", "interface", "state", leaf] => self.interface_leaf(path, leaf, value),
            ["interfaces", "interface", "state", "counters", leaf @ ("in-octets" | "out-octets")] => {
                let (Some(name), Some(octets)) = (path.key("interface", "name"), value.as_u64()) else { return Taken::WrongType };
                let counters = self.gnmi_session.counters.entry(name.to_owned()).or_default();
                if *leaf == "in-octets" {
                    counters.set_input(at, octets)
                } else {
                    counters.set_output(at, octets)
                }
                counted.insert(name.to_owned());
                Taken::Yes
            }
            ["interfaces", "interface", "state", "counters", leaf @ ("in-errors" | "out-errors")] => {
                let (Some(name), Some(count)) = (path.key("interface", "name"), value.as_u64()) else { return Taken::WrongType };
                let errors = &mut self.interfaces.entry(name.to_owned()).or_default().errors;
                *(if *leaf == "in-errors" { &mut errors.input } else { &mut errors.output }) = Some((at, count));
                Taken::Yes
            }
            ["interfaces", "interface", "state", "counters", _] => Taken::Yes,
            [.., "neighbors", "neighbor", "state", leaf] => self.neighbor_leaf(path, leaf, value, now),
            [.., "neighbors", "neighbor", "afi-safis", "afi-safi", "state", "prefixes", leaf] => self.prefixes_leaf(path, leaf, value),
            _ => Taken::Unread,
        }
    }

    /// Makes rates of the counters that this notification completed.
    fn count(&mut self, names: &BTreeSet<String>) {
        for name in names {
            if let Some(counters) = self.gnmi_session.counters.get(name) {
                self.interfaces.entry(name.clone()).or_default().count(counters);
            }
        }
    }

    #[allow(clippy::cast_precision_loss, reason = "a share of bytes for display and health")]
    fn memory_leaf(&mut self, leaf: &str, value: &Value) -> Taken {
        let Some(bytes) = value.as_u64() else { return Taken::WrongType };
        let memory = &mut self.gnmi_session.memory;
        *(if leaf == "physical" { &mut memory.0 } else { &mut memory.1 }) = Some(bytes);
        if let (Some(physical), Some(used)) = *memory
            && physical > 0
        {
            self.memory = Some((used as f64 / physical as f64).clamp(0.0, 1.0));
        }
        Taken::Yes
    }

    fn interface_leaf(&mut self, path: &Path, leaf: &str, value: &Value) -> Taken {
        let Some(name) = path.key("interface", "name") else { return Taken::WrongType };
        let up = value.as_str().map(|s| s.rsplit(':').next() == Some("UP"));
        match leaf {
            "oper-status" => set(&mut self.interfaces.entry(name.to_owned()).or_default().oper_up, up),
            "admin-status" => set(&mut self.interfaces.entry(name.to_owned()).or_default().admin_up, up),
            "ifindex" => match value.as_u64().and_then(|n| u32::try_from(n).ok()) {
                Some(index) => {
                    self.interfaces.entry(name.to_owned()).or_default().ifindex = Some(index);
                    Taken::Yes
                }
                None => Taken::WrongType,
            },
            _ => Taken::Unread,
        }
    }

    fn neighbor_leaf(&mut self, path: &Path, leaf: &str, value: &Value, now: Timestamp) -> Taken {
        let Some(address) = neighbor(path) else { return Taken::WrongType };
        let session = self.sessions.entry(address).or_default();
        match leaf {
            "session-state" => {
                let Some(state) = value.as_str().and_then(session::state) else { return Taken::WrongType };
                if !self.bmp_session.overtakes(address, state, now) {
                    session.enter(state, now);
                }
                Taken::Yes
            }
            "peer-as" => set(&mut session.remote_as, value.as_u64().and_then(|n| u32::try_from(n).ok()).map(Asn)),
            "enabled" => match value.as_bool() {
                Some(enabled) => {
                    session.admin_down = !enabled;
                    Taken::Yes
                }
                None => Taken::WrongType,
            },
            "last-down-reason" => set(&mut session.last_down, value.as_str().map(str::to_owned)),
            "neighbor-address" | "description" | "established-transitions" => Taken::Yes,
            _ => Taken::Unread,
        }
    }

    fn prefixes_leaf(&mut self, path: &Path, leaf: &str, value: &Value) -> Taken {
        let (Some(address), Some(family)) = (neighbor(path), family(path)) else { return Taken::Unread };
        match (leaf, value.as_u64()) {
            ("received", Some(count)) => {
                self.sessions.entry(address).or_default().received.insert(family, count);
                Taken::Yes
            }
            ("sent", Some(count)) => {
                self.sessions.entry(address).or_default().sent.insert(family, count);
                Taken::Yes
            }
            ("installed", Some(_)) => Taken::Yes,
            (_, None) => Taken::WrongType,
            _ => Taken::Unread,
        }
    }

    fn deleted(&mut self, path: &Path) {
        let names: Vec<&str> = path.names().collect();
        match names.as_slice() {
            [.., "loc-rib", "routes", "route"] => match path.key("route", "prefix").and_then(|p| p.parse::<Prefix>().ok()) {
                Some(prefix) => self.loc_withdraw(&prefix),
                None => self.loc_withdraw_all(family(path)),
            },
            [.., "rib", "attr-sets", "attr-set"] => {
                if let Some(index) = path.key("attr-set", "index").and_then(|i| i.parse().ok()) {
                    self.forget_attr_set(index);
                }
            }
            [.., "rib", "communities", "community"] => {
                if let Some(index) = path.key("community", "index").and_then(|i| i.parse().ok()) {
                    self.forget_communities(index);
                }
            }
            [.., "rib"] | [.., "rib", "afi-safis"] => self.loc_withdraw_all(None),
            [.., "rib", "afi-safis", "afi-safi"]
            | [.., "rib", "afi-safis", "afi-safi", _]
            | [.., "rib", "afi-safis", "afi-safi", _, "loc-rib"]
            | [.., "rib", "afi-safis", "afi-safi", _, "loc-rib", "routes"] => self.loc_withdraw_all(family(path)),
            [.., "neighbors", "neighbor"] => {
                if let Some(address) = neighbor(path) {
                    self.sessions.remove(&address);
                }
            }
            ["interfaces", "interface"] => {
                if let Some(name) = path.key("interface", "name") {
                    self.interfaces.remove(name);
                    self.gnmi_session.counters.remove(name);
                }
            }
            _ => {}
        }
    }
}

fn set<T>(slot: &mut Option<T>, value: Option<T>) -> Taken {
    let fits = value.is_some();
    if fits {
        *slot = value;
    }
    fits.into()
}

fn neighbor(path: &Path) -> Option<IpAddr> {
    path.key("neighbor", "neighbor-address")?.parse().ok()
}

fn family(path: &Path) -> Option<Family> {
    match path.key("afi-safi", "afi-safi-name")?.rsplit(':').next()? {
        "IPV4_UNICAST" => Some(Family::Ipv4Unicast),
        "IPV6_UNICAST" => Some(Family::Ipv6Unicast),
        _ => None,
    }
}

/// Opens JSON containers to their leaves, module prefixes off; lists are left alone, their keys stand in no path.
fn flatten(json: &serde_json::Value, below: &mut Vec<String>, out: &mut Vec<(Vec<String>, serde_json::Value)>) {
    match json {
        serde_json::Value::Object(fields) if below.len() < DEPTH_MAX => {
            for (name, value) in fields {
                below.push(name.rsplit(':').next().unwrap_or(name).to_owned());
                flatten(value, below, out);
                below.pop();
            }
        }
        serde_json::Value::Object(_) | serde_json::Value::Array(_) => {}
        leaf if out.len() < LEAVES_MAX => out.push((below.clone(), leaf.clone())),
        _ => {}
    }
}
