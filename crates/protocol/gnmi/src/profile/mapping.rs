//! Native paths, words and units to OpenConfig's.

use super::{Mapped, Subscription, Unit};
use crate::{Notification, Path, PathElem, Update, Value, leaves};

/// Opens containers and maps what a native subscription covers.
pub fn canonical(subscriptions: &[Subscription], mut notification: Notification) -> Notification {
    let native: Vec<&Subscription> = subscriptions.iter().filter(|s| s.canonical.is_some() || !s.mapped.is_empty()).collect();
    let mut updates = Vec::with_capacity(notification.updates.len());
    for update in notification.updates {
        match update.value {
            Value::Json(json @ (serde_json::Value::Object(_) | serde_json::Value::Array(_))) => {
                updates.extend(leaves(&update.path, &json).updates)
            }
            value => updates.push(Update { path: update.path, value }),
        }
    }
    for update in &mut updates {
        if let Some(mapped) = native.iter().find_map(|s| s.update(update)) {
            *update = mapped;
        }
    }
    notification.updates = updates;
    for path in notification.deletes.iter_mut().chain([&mut notification.prefix]) {
        if let Some(mapped) = native.iter().find_map(|s| s.map(path)) {
            *path = mapped;
        }
    }
    notification
}

/// Returns a canonical path as a pattern: keys of which a part is a wildcard fit any.
pub fn pattern(canonical: &Path) -> Path {
    let mut out = canonical.clone();
    wild_keys(&mut out).for_each(|value| "*".clone_into(value));
    out
}

/// Returns the number of keys that are wildcards, or have one in them.
pub fn wildcards(path: &Path) -> usize {
    path.elems.iter().flat_map(|e| e.keys.values()).filter(|v| v.contains('*')).count()
}

fn wild_keys(path: &mut Path) -> impl Iterator<Item = &mut String> {
    path.elems.iter_mut().flat_map(|e| e.keys.values_mut()).filter(|v| v.contains('*'))
}

/// Fills the wildcards of `canonical` with the keys that those of `own` stand for in `path`, in order; returns it and what stands below.
fn fill<'a>(own: &Path, canonical: &Path, path: &'a Path, word: impl Fn(&str) -> String) -> Option<(Path, &'a [PathElem])> {
    if !own.covers(path) {
        return None;
    }
    let (head, below) = path.elems.split_at_checked(own.elems.len())?;
    let wild = own.elems.iter().zip(head).flat_map(|(pattern, elem)| pattern.keys.iter().map(move |(k, v)| (v, elem.keys.get(k))));
    // a key that is not there would shift all that follow
    let bound: Vec<&String> = wild.filter(|(v, _)| *v == "*").map(|(_, key)| key).collect::<Option<_>>()?;
    let mut bound = bound.into_iter();
    let mut out = canonical.clone();
    for value in wild_keys(&mut out) {
        *value = value.replacen('*', &word(bound.next()?), 1);
    }
    Some((out, below))
}

impl Mapped {
    fn map(&self, path: &Path) -> Option<Path> {
        let (mut out, below) = fill(&self.path, &self.canonical, path, str::to_owned)?;
        out.elems.extend(below.iter().cloned());
        Some(out)
    }

    /// Returns the leaf in OpenConfig's words; one whose value is none in the unit stays native, where nobody takes it for something else.
    fn update(&self, update: &Update) -> Option<Update> {
        let path = self.map(&update.path)?;
        let value = match self.unit {
            Some(unit) => unit.canonical(&update.value)?,
            None => update.value.clone(),
        };
        Some(Update { path, value })
    }
}

impl Unit {
    /// Returns the value in OpenConfig's unit; `None` for what is no number of this unit.
    fn canonical(self, value: &Value) -> Option<Value> {
        let bytes = |unit: u64| value.as_u64()?.checked_mul(unit).map(Value::Uint);
        match self {
            Self::Kibibytes => bytes(1 << 10),
            Self::Mebibytes => bytes(1 << 20),
            Self::PercentIdle => {
                let idle = value.as_f64().filter(|idle| (0.0..=100.0).contains(idle))?;
                Some(Value::Double(100.0 - idle))
            }
        }
    }
}

impl Subscription {
    /// Returns OpenConfig's path of a native one that this subscription covers.
    #[must_use]
    pub fn map(&self, path: &Path) -> Option<Path> {
        if let Some(out) = self.mapped.iter().find_map(|m| m.map(path)) {
            return Some(out);
        }
        let (mut out, below) = fill(&self.path, self.canonical.as_ref()?, path, |native| self.word(native).to_owned())?;
        // a leaf of a container inside may be named as a whole (`common-stats/response-time`)
        let joined = below.iter().map(|e| e.name.as_str()).collect::<Vec<_>>().join("/");
        if let Some(name) = self.leaves.get(&joined).filter(|_| below.len() > 1) {
            out.elems.push(PathElem { name: name.clone(), ..PathElem::default() });
            return Some(out);
        }
        let named = |e: &PathElem| PathElem { name: self.leaves.get(&e.name).unwrap_or(&e.name).clone(), keys: e.keys.clone() };
        out.elems.extend(below.iter().map(named));
        Some(out)
    }

    /// Returns a native update that this subscription covers in OpenConfig's words.
    fn update(&self, update: &Update) -> Option<Update> {
        if let Some(own) = self.mapped.iter().find(|m| m.path.covers(&update.path)) {
            return own.update(update);
        }
        let (path, mut value) = (self.map(&update.path)?, update.value.clone());
        self.translate(&mut value);
        Some(Update { path, value })
    }

    fn word<'a>(&'a self, native: &'a str) -> &'a str {
        self.values.get(native).map_or(native, String::as_str)
    }

    fn translate(&self, value: &mut Value) {
        if let Some(word) = value.as_str().and_then(|v| self.values.get(v)) {
            *value = Value::String(word.clone());
        }
    }
}
