//! What routers call themselves, and what stands for it in a copy that leaves the house.
//!
//! A router's name may be the id by which everything of a capture speaks of it: one that was imported has no other. Such a name is replaced
//! wherever it stands, by the same pseudonym, so that the copy still is a log that plays. Pseudonyms are numbered in the order of the ids, so
//! that what is sorted by them stays in order. Addresses stay: they are in every message.

use crate::redact::{INITIATION, INSTEAD, tlv};
use core::net::IpAddr;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Information TLV with a router's name (RFC 7854 §4.4).
const SYS_NAME: u16 = 2;
/// The id that an import gives to a router of which neither name nor address is known: nobody's name.
const NOBODY: &str = "router";

/// The names that routers go by, as inputs tell them.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// By id.
    routers: BTreeMap<String, BTreeSet<String>>,
}

/// What stands for which name.
#[derive(Clone, Debug, Default)]
pub struct Pseudonyms {
    by_name: BTreeMap<String, String>,
}

impl Names {
    /// Takes up what one input tells.
    pub fn note(&mut self, input: &Value) {
        match input {
            Value::Object(map) => {
                let device = map.get("device").and_then(Value::as_str);
                if let Some(device) = device {
                    self.routers.entry(device.to_owned()).or_default();
                    map.get("event").into_iter().for_each(|event| self.said(device, event));
                }
                for (key, value) in map {
                    match (key.as_str(), value) {
                        // of the inventory, a list; of the picture, a map
                        ("devices", Value::Array(specs)) => specs.iter().for_each(|s| self.spec(s)),
                        ("devices", Value::Object(devices)) => devices.iter().for_each(|(id, d)| self.device(id, d)),
                        _ => {}
                    }
                    self.note(value);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.note(item)),
            _ => {}
        }
    }

    fn called(&mut self, id: &str, name: Option<&str>) {
        let names = self.routers.entry(id.to_owned()).or_default();
        if let Some(name) = name.filter(|n| is_name(n)) {
            names.insert(name.to_owned());
        }
    }

    fn spec(&mut self, spec: &Value) {
        if let Some(id) = spec.get("id").and_then(Value::as_str) {
            self.called(id, spec.get("hostname").and_then(Value::as_str));
        }
    }

    fn device(&mut self, id: &str, device: &Value) {
        for (session, name) in [("bmp_session", "sys_name"), ("gnmi_session", "hostname")] {
            self.called(id, device.get(session).and_then(|s| s.get(name)).and_then(Value::as_str));
        }
    }

    /// What a device said itself, by BMP or gNMI.
    fn said(&mut self, id: &str, event: &Value) {
        match event {
            Value::Object(map) => {
                let leaf = map.get("path").and_then(Value::as_str).is_some_and(|p| p.ends_with("/hostname"));
                if leaf && let Some(name) = map.get("value").and_then(only_text) {
                    self.called(id, Some(name));
                }
                if let Some(bytes) = map.get("bytes").and_then(Value::as_str).and_then(|hex| hex::decode(hex).ok())
                    && bytes.get(5) == Some(&INITIATION)
                {
                    let name = tlv(&bytes, 6, SYS_NAME).map(|name| String::from_utf8_lossy(name).into_owned());
                    self.called(id, name.as_deref());
                }
                map.values().for_each(|value| self.said(id, value));
            }
            Value::Array(items) => items.iter().for_each(|item| self.said(id, item)),
            _ => {}
        }
    }

    /// Returns what stands for each name. An id is replaced where it is what the router, or whoever wrote the inventory, calls it.
    #[must_use]
    pub fn pseudonyms(&self) -> Pseudonyms {
        let mut stem = "router-".to_owned();
        while self.routers.keys().any(|id| id.starts_with(&stem)) {
            stem.push('x');
        }
        let width = self.routers.len().to_string().len();
        let mut by_name = BTreeMap::new();
        for (number, (id, names)) in (1..).zip(&self.routers) {
            let pseudonym = format!("{stem}{number:0width$}");
            // a name that is the id of another router means that one
            let own = names.iter().filter(|n| *n == id || !self.routers.contains_key(*n));
            for name in own {
                by_name.entry(name.clone()).or_insert_with(|| pseudonym.clone());
            }
        }
        Pseudonyms { by_name }
    }
}

/// The text that a value holds, however it is wrapped.
fn only_text(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text),
        Value::Object(map) if map.len() == 1 => map.values().next().and_then(only_text),
        _ => None,
    }
}

/// Says whether a text can be a name: no address, no number, and nothing that stands for one already.
fn is_name(text: &str) -> bool {
    let only = |fits: fn(char) -> bool| text.chars().all(fits);
    let nothing = only(|c| c.is_ascii_digit()) || only(|c| c == 'x') || text == INSTEAD || text == NOBODY;
    !nothing && text.parse::<IpAddr>().is_err()
}

const fn in_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

impl Pseudonyms {
    /// Returns how many names are replaced.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Says whether no name is replaced.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// Returns the names that could be words of the log itself: fields and kinds are written in letters and underscores.
    pub(crate) fn doubtful(&self) -> Vec<&str> {
        let plain = |name: &&String| name.chars().all(|c| c.is_ascii_alphabetic() || c == '_');
        self.by_name.keys().filter(plain).map(String::as_str).collect()
    }

    /// Puts pseudonyms where names stand: as a key, as a text, or as a word of one.
    pub fn put(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Some(new) = self.text(text) {
                    *text = new;
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.put(item)),
            Value::Object(map) => {
                let renamed: Vec<(String, String)> = map.keys().filter_map(|k| Some((k.clone(), self.text(k)?))).collect();
                let moved: Vec<(String, Value)> = renamed.into_iter().filter_map(|(old, new)| Some((new, map.remove(&old)?))).collect();
                map.extend(moved);
                map.values_mut().for_each(|v| self.put(v));
            }
            _ => {}
        }
    }

    /// The text with pseudonyms, if a name is in it.
    fn text(&self, text: &str) -> Option<String> {
        if let Some(whole) = self.by_name.get(text) {
            return Some(whole.clone());
        }
        let (mut out, mut changed) = (String::new(), false);
        let mut rest = text;
        while !rest.is_empty() {
            let word = rest.find(|c| !in_word(c)).unwrap_or(rest.len());
            let (found, behind) = rest.split_at(word);
            // a sentence ends with a point that is no part of its last word
            let name = found.trim_end_matches(['.', '-']);
            match self.by_name.get(name).filter(|_| name.len() > 1) {
                Some(new) => {
                    out.push_str(new);
                    out.push_str(found.get(name.len()..).unwrap_or_default());
                    changed = true;
                }
                None => out.push_str(found),
            }
            let between = behind.find(in_word).unwrap_or(behind.len());
            let (other, next) = behind.split_at(between);
            out.push_str(other);
            rest = next;
        }
        changed.then_some(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn initiation(name: &str) -> String {
        let tlv = [&[0, 2][..], &u16::try_from(name.len()).unwrap().to_be_bytes(), name.as_bytes()].concat();
        hex::encode([&[3, 0, 0, 0, 6 + u8::try_from(tlv.len()).unwrap(), 4][..], &tlv].concat())
    }

    fn observed(device: &str, name: &str) -> Value {
        json!({"observation": {"source": "bmp", "device": device, "event": {"event": "message", "bytes": initiation(name)}}})
    }

    #[test]
    fn an_id_that_is_the_routers_name_is_replaced_wherever_it_stands_and_in_order() {
        let mut names = Names::default();
        let mut state = json!({"input": "state", "state": {"network": {
            "inventory": {"devices": [{"id": "edge.foo", "hostname": "edge.foo"}, {"id": "192.0.2.1", "hostname": "192.0.2.1"},
                                      {"id": "r9", "hostname": "core-of-foo"}]},
            "devices": {"edge.foo": {"bmp_session": {"sys_name": "edge.foo"}}, "r9": {"gnmi_session": {"hostname": "CORE"}}}}}});
        names.note(&state);
        names.note(&observed("border", "border"));
        let put = names.pseudonyms();
        put.put(&mut state);
        let text = state.to_string();
        for name in ["foo", "CORE"] {
            assert!(!text.contains(name), "{text}");
        }
        let network = &state["state"]["network"];
        assert_eq!(
            network["inventory"]["devices"][0],
            json!({"id": "router-3", "hostname": "router-3"}),
            "192.0.2.1 and border stand before"
        );
        assert!(network["devices"].get("router-3").is_some() && network["devices"].get("r9").is_some(), "{text}");
        assert_eq!(network["inventory"]["devices"][2], json!({"id": "r9", "hostname": "router-4"}), "an id that says nothing stays");
        assert!(text.contains("192.0.2.1"), "addresses stay: {text}");
        let mut words = json!(["BMP of border is up.", "border/isp-a", "border-x", "re border: down", "hostname border\n", "10.0.0.1"]);
        put.put(&mut words);
        assert_eq!(
            words,
            json!(["BMP of router-2 is up.", "router-2/isp-a", "border-x", "re router-2: down", "hostname router-2\n", "10.0.0.1"])
        );
    }

    #[test]
    fn names_never_fall_together() {
        let mut names = Names::default();
        // one is called what the other is, and somebody numbered routers as pseudonyms are
        names.note(
            &json!({"devices": [{"id": "a1", "hostname": "b1"}, {"id": "b1", "hostname": "b1"}, {"id": "router-1", "hostname": "x1"}]}),
        );
        let put = names.pseudonyms();
        let mut ids = json!(["a1", "b1", "router-1", "x1"]);
        put.put(&mut ids);
        assert_eq!(ids, json!(["a1", "router-x2", "router-1", "router-x3"]));
        assert!(put.doubtful().is_empty());
        names.note(&observed("state", "state"));
        assert_eq!(names.pseudonyms().doubtful(), ["state"]);
    }
}
