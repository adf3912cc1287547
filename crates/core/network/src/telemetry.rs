//! Notifications: what replaces, what deletes, what tells (gNMI specification §2.1, §3.5.2.3); leaves go to [`crate::leaf`].

use crate::gnmi_session::{GnmiSession, LEAVES_MAX};
use crate::leaf::Taken;
use crate::{Device, Inventory, Network, ProbeSource, probes};
use action::{DeviceId, ExitId};
use bgp::Prefix;
use core::time::Duration;
use gnmi::{Notification, Path, PathElem, Update, Value};
use std::collections::{BTreeMap, BTreeSet};
use units::Timestamp;

/// A device clock further off than this is not believed; the time of arrival counts instead.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(2);

/// What one notification tells in pieces, until its end: octets whose other half may follow, probe results told leaf by leaf.
#[derive(Default)]
struct Pieces {
    counted: BTreeSet<String>,
    probes: BTreeMap<Vec<PathElem>, serde_json::Map<String, serde_json::Value>>,
}

impl Network {
    pub(crate) fn notified(&mut self, id: &DeviceId, notification: &Notification, now: Timestamp) {
        let inventory = std::sync::Arc::clone(&self.inventory);
        let sent = Timestamp::from_nanos(notification.timestamp);
        let at = if sent.since(now).max(now.since(sent)) <= CLOCK_TOLERANCE { sent } else { now };
        let Some(device) = self.devices.get_mut(id) else { return };
        device.gnmi.heard(device.gnmi_session.connected, now);
        device.gnmi_session.heard(notification);
        // an atomic one replaces what stands at its prefix (gNMI specification §2.1.1); at the root it would be everything: not believed
        if notification.atomic && !notification.prefix.elems.is_empty() {
            self.deleted(id, &notification.prefix);
        }
        for path in &notification.deletes {
            self.deleted(id, path);
        }
        let mut pieces = Pieces::default();
        for update in &notification.updates {
            let taken = self.updated(id, &inventory, update, (at, now), &mut pieces);
            if let Some(device) = self.devices.get_mut(id) {
                device.gnmi_session.note(taken);
            }
        }
        for (elems, fields) in pieces.probes {
            let taken = self.probe_told(id, &elems, &serde_json::Value::Object(fields), at);
            if let Some(device) = self.devices.get_mut(id) {
                device.gnmi_session.note(taken);
            }
        }
        if let Some(device) = self.devices.get_mut(id) {
            device.count(&pieces.counted);
        }
    }

    fn updated(
        &mut self,
        id: &DeviceId,
        inventory: &Inventory,
        update: &Update,
        times: (Timestamp, Timestamp),
        pieces: &mut Pieces,
    ) -> Taken {
        let elems = &update.path.elems;
        match (elems.first().map(|e| e.name.as_str()), elems.len(), &update.value) {
            (Some("probes"), 5, Value::Json(json @ serde_json::Value::Object(_))) => self.probe_told(id, elems, json, times.0),
            // a platform's own results come as leaves; together they are one interval
            (Some("probes"), 6, value) => match (elems.get(..5), elems.get(5), plain(value)) {
                (Some(state), Some(leaf), Some(json)) => {
                    pieces.probes.entry(state.to_vec()).or_default().insert(leaf.name.clone(), json);
                    Taken::Yes
                }
                _ => Taken::WrongType,
            },
            (Some("volumes"), 3, Value::Json(json)) => {
                let exit = update.path.key("exit", "name").map(ExitId::new);
                match exit.filter(|e| inventory.exit(e).is_some_and(|spec| &spec.device == id)) {
                    Some(exit) => {
                        let taken = self.measured_volumes(&exit, json, times.0).into();
                        self.mark(id, elems, taken)
                    }
                    None => Taken::Unread,
                }
            }
            _ => match self.devices.get_mut(id) {
                Some(device) => device.updated(&update.path, &update.value, times, &mut pieces.counted),
                None => Taken::Unread,
            },
        }
    }

    /// Takes one interval of a probe; its list entry names who measured, where it is not the node's own.
    fn probe_told(&mut self, id: &DeviceId, elems: &[PathElem], json: &serde_json::Value, at: Timestamp) -> Taken {
        let key = |name: &str| elems.iter().find(|e| e.name == "probe")?.keys.get(name).map(String::as_str);
        let Some(probe) = key("name").and_then(|n| probes::key(id, n)) else { return Taken::Unread };
        let Some(source) = key("source").map_or(Some(ProbeSource::Stamp), ProbeSource::named) else { return Taken::Unread };
        let taken = self.probed(probe, source, json, at).into();
        self.mark(id, elems, taken)
    }

    fn mark(&mut self, id: &DeviceId, elems: &[PathElem], taken: Taken) -> Taken {
        if let Some(device) = self.devices.get_mut(id).filter(|_| taken == Taken::Yes)
            && !device.gnmi_session.told.mark(elems, LEAVES_MAX)
        {
            device.gnmi_session.unmarked += 1;
        }
        taken
    }

    /// Takes back what stands at and below a path; `*` as a name or as a key's value fits any, an absent key too.
    fn deleted(&mut self, id: &DeviceId, path: &Path) {
        let Some(device) = self.devices.get_mut(id) else { return };
        device.rib_deleted(path);
        // what is told as one value goes as one
        let whole = match path.elems.first().map(|e| e.name.as_str()) {
            Some("probes") => path.elems.get(..5),
            Some("volumes") => path.elems.get(..3),
            _ => None,
        };
        let gone = match whole {
            Some(elems) => device.gnmi_session.told.remove(&Path { elems: elems.to_vec() }),
            None => device.gnmi_session.told.remove(path),
        };
        self.untold(id, &gone);
    }

    /// Ends a stream's first dump: what stood before it and was not told again is gone.
    pub(crate) fn gnmi_swept(&mut self, id: &DeviceId, now: Timestamp) {
        let Some(device) = self.devices.get_mut(id) else { return };
        let gone = device.gnmi_synced(now);
        self.untold(id, &gone);
    }

    pub(crate) fn untold(&mut self, id: &DeviceId, gone: &[Path]) {
        for path in gone {
            match path.elems.first().map(|e| e.name.as_str()) {
                Some("probes") => {
                    if let Some(key) = path.key("probe", "name").and_then(|n| probes::key(id, n)) {
                        self.probes.remove(&key);
                    }
                }
                Some("volumes") => {
                    if let Some(exit) = path.key("exit", "name") {
                        self.volumes.retain(|(e, _), v| e.as_str() != exit || v.source != crate::VolumeSource::Node);
                    }
                }
                _ => {}
            }
        }
        if let Some(device) = self.devices.get_mut(id).filter(|_| !gone.is_empty()) {
            device.untell(gone);
        }
    }
}

/// A scalar as JSON.
fn plain(value: &Value) -> Option<serde_json::Value> {
    Some(match value {
        Value::String(s) => s.clone().into(),
        Value::Int(n) => (*n).into(),
        Value::Uint(n) => (*n).into(),
        Value::Bool(b) => (*b).into(),
        Value::Double(d) => serde_json::Number::from_f64(*d)?.into(),
        Value::Json(json) if !json.is_object() && !json.is_array() => json.clone(),
        Value::Json(_) | Value::Bytes(_) | Value::LeafList(_) => return None,
    })
}

impl GnmiSession {
    fn heard(&mut self, notification: &Notification) {
        self.connected = true;
        self.notifications += 1;
        self.coalesced = self.coalesced.saturating_add(notification.duplicates);
        if notification.updates.is_empty() && notification.deletes.is_empty() && !notification.atomic {
            self.empty += 1;
        }
    }

    const fn note(&mut self, taken: Taken) {
        match taken {
            Taken::Yes => {}
            Taken::Unread => self.unread += 1,
            Taken::WrongType => self.wrong_type += 1,
        }
    }
}

impl Device {
    fn updated(&mut self, path: &Path, value: &Value, times: (Timestamp, Timestamp), counted: &mut BTreeSet<String>) -> Taken {
        if let Value::Json(json @ (serde_json::Value::Object(_) | serde_json::Value::Array(_))) = value {
            if let Some(taken) = self.rib_entry(path, json) {
                return taken;
            }
            let mut taken = Taken::Unread;
            for leaf in gnmi::leaves(path, json).updates {
                match self.leaf(&leaf.path.elems, &leaf.value, times, counted) {
                    Taken::WrongType => return Taken::WrongType,
                    Taken::Yes => taken = Taken::Yes,
                    Taken::Unread => {}
                }
            }
            return taken;
        }
        self.leaf(&path.elems, value, times, counted)
    }

    /// Makes rates of the counters that a notification completed.
    fn count(&mut self, names: &BTreeSet<String>) {
        for name in names {
            if let Some(counters) = self.gnmi_session.counters.get(name) {
                self.interfaces.entry(name.clone()).or_default().count(counters);
            }
        }
    }

    /// Entries of openconfig-rib-bgp that mean something only as a whole; their number forbids a mark for each.
    fn rib_entry(&mut self, path: &Path, json: &serde_json::Value) -> Option<Taken> {
        let rib = path.elems.iter().position(|e| e.name == "rib")?;
        let index = |list: &str| path.key(list, "index").and_then(|i| i.parse::<u64>().ok());
        let taken = match path.elems.last()?.name.as_str() {
            "attr-set" => self.attr_set(index("attr-set")?, json).into(),
            "community" => self.community_set(index("community")?, json).into(),
            "route" if path.names().any(|n| n == "loc-rib") => {
                self.loc_route(path.key("route", "prefix")?.parse::<Prefix>().ok()?, json).into()
            }
            _ => return None,
        };
        let (at, known) = (path.elems.get(..=rib)?, &mut self.gnmi_session.rib_at);
        if known.as_ref().is_none_or(|k| k.elems != at) {
            *known = Some(Path { elems: at.to_vec() });
        }
        Some(taken)
    }

    fn rib_deleted(&mut self, pattern: &Path) {
        let Some(rib) = self.gnmi_session.rib_at.take() else { return };
        let depth = rib.elems.len();
        if pattern.covers(&rib) {
            self.loc_withdraw_all(None);
            self.forget_sets(None, None);
        } else if let Some((head, below)) = pattern.elems.split_at_checked(depth)
            && (Path { elems: head.to_vec() }).covers(&rib)
        {
            self.below_rib_deleted(below);
        }
        self.gnmi_session.rib_at = Some(rib);
    }

    /// `below` begins under `rib`.
    fn below_rib_deleted(&mut self, below: &[PathElem]) {
        let named = |at: usize, name: &str| below.get(at).is_none_or(|e| e.name == name || e.name == "*");
        let key = |at: usize, name: &str| below.get(at).and_then(|e| e.keys.get(name)).filter(|v| *v != "*");
        if named(0, "attr-sets") && named(1, "attr-set") {
            self.set_deleted(key(1, "index"), below, crate::loc_rib::SetKind::Attributes);
        }
        if named(0, "communities") && named(1, "community") {
            self.set_deleted(key(1, "index"), below, crate::loc_rib::SetKind::Communities);
        }
        if !(named(0, "afi-safis") && named(1, "afi-safi") && named(3, "loc-rib") && named(4, "routes") && named(5, "route")) {
            return;
        }
        // a part of a route that it can be without; its state, or where its attributes are, it cannot
        if below.len() > 6 && !(named(6, "state") && (named(7, "attr-index") || named(7, "best-path"))) {
            return;
        }
        let families = [bgp::Family::Ipv4Unicast, bgp::Family::Ipv6Unicast].into_iter().filter(|family| {
            let container = if *family == bgp::Family::Ipv4Unicast { "ipv4-unicast" } else { "ipv6-unicast" };
            key(1, "afi-safi-name").is_none_or(|name| crate::leaf::family(name) == Some(*family)) && named(2, container)
        });
        for family in families {
            match key(5, "prefix") {
                None => self.loc_withdraw_all(Some(family)),
                Some(text) => {
                    if let Some(prefix) = text.parse::<Prefix>().ok().filter(|p| p.family() == family) {
                        self.loc_withdraw(&prefix);
                    }
                }
            }
        }
    }

    fn set_deleted(&mut self, index: Option<&String>, below: &[PathElem], kind: crate::loc_rib::SetKind) {
        match (index, below) {
            (Some(index), [_, _, state, leaf]) if state.name == "state" && kind == crate::loc_rib::SetKind::Attributes => {
                if let Ok(index) = index.parse() {
                    self.attribute_lost(index, &leaf.name);
                }
            }
            (Some(index), _) => {
                if let Ok(index) = index.parse() {
                    self.forget_sets(Some(kind), Some(index));
                }
            }
            (None, _) => self.forget_sets(Some(kind), None),
        }
    }
}
