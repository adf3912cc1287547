//! Native paths and words to OpenConfig's.

use super::Subscription;
use crate::{Notification, Path, PathElem, Update, Value, leaves};

/// Opens containers and maps what a native subscription covers.
pub fn canonical(subscriptions: &[Subscription], mut notification: Notification) -> Notification {
    let native: Vec<&Subscription> = subscriptions.iter().filter(|s| s.canonical.is_some()).collect();
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
        if let Some((path, by)) = native.iter().find_map(|s| Some((s.map(&update.path)?, s))) {
            update.path = path;
            by.translate(&mut update.value);
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

impl Subscription {
    /// Returns OpenConfig's path of a native one that this subscription covers.
    #[must_use]
    pub fn map(&self, path: &Path) -> Option<Path> {
        let canonical = self.canonical.as_ref().filter(|_| self.path.covers(path))?;
        let (own, below) = path.elems.split_at_checked(self.path.elems.len())?;
        let mut bound = self.path.elems.iter().zip(own).flat_map(|(pattern, elem)| {
            let wild = pattern.keys.iter().filter(|(_, v)| *v == "*");
            wild.filter_map(|(k, _)| elem.keys.get(k))
        });
        let mut out = canonical.clone();
        for value in out.elems.iter_mut().flat_map(|e| e.keys.values_mut()).filter(|v| *v == "*") {
            *value = self.word(bound.next()?).to_owned();
        }
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

    fn word<'a>(&'a self, native: &'a str) -> &'a str {
        self.values.get(native).map_or(native, String::as_str)
    }

    fn translate(&self, value: &mut Value) {
        if let Some(word) = value.as_str().and_then(|v| self.values.get(v)) {
            *value = Value::String(word.clone());
        }
    }
}
