//! Compares what a path holds with what its subscription told.

use super::Answer;
use crate::{Notification, Path, Tree, Value};

/// Leaves of one stream that are remembered to compare with; what is beyond is not blamed on anybody.
pub const TOLD_LEAVES_MAX: usize = 1 << 16;

/// What a stream told, kept to be compared with.
#[derive(Clone, Debug, PartialEq)]
pub struct Told(Tree);

impl Default for Told {
    fn default() -> Self {
        Self(Tree::new(TOLD_LEAVES_MAX))
    }
}

/// Origins are left out: some targets name one in the stream and none in the answer to Get.
fn without_origin(notification: &Notification) -> Notification {
    Notification { origin: String::new(), ..notification.clone() }
}

impl Told {
    /// Notes a notification of the stream, deletes and atomic replacement included.
    pub fn apply(&mut self, notification: &Notification) {
        self.0.apply(&without_origin(notification));
    }

    /// Compares with what reading `path` gave. Numbers that differ are no change: counters move between a message and the reading,
    /// and few targets tell each of their steps.
    #[must_use]
    pub fn compare(&self, path: &Path, read: &[Notification]) -> Answer {
        let mut holds = Tree::new(TOLD_LEAVES_MAX);
        for notification in read {
            holds.apply(&without_origin(notification));
        }
        if holds.is_empty() {
            return Answer::Nothing;
        }
        let whole = self.0.refused == 0 && holds.refused == 0;
        let mut same = true;
        holds.for_each(|origin, leaf, held| {
            same &= match self.0.get(origin, leaf) {
                Some(told) => equal(&told.value, &held.value),
                None => !whole || !path.covers(leaf),
            };
        });
        self.0.for_each(|origin, leaf, _| same &= !whole || !path.covers(leaf) || holds.get(origin, leaf).is_some());
        if same { Answer::Same } else { Answer::Changed }
    }
}

fn equal(a: &Value, b: &Value) -> bool {
    match (a.as_bool(), b.as_bool()) {
        (Some(a), Some(b)) => return a == b,
        (None, None) => {}
        _ => return false,
    }
    if a.as_f64().is_some() && b.as_f64().is_some() {
        return true;
    }
    match (a.as_str(), b.as_str()) {
        (Some(a), Some(b)) => a.rsplit(':').next() == b.rsplit(':').next(),
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Update;

    fn notification(path: &str, value: Value) -> Notification {
        Notification { updates: vec![Update { path: path.parse().unwrap(), value }], ..Notification::default() }
    }

    fn text(words: &str) -> Value {
        Value::String(words.to_owned())
    }

    #[test]
    fn a_value_that_changed_and_was_not_told_is_found() {
        let path: Path = "/interfaces/interface[name=*]/state/oper-status".parse().unwrap();
        let leaf = "/interfaces/interface[name=eth0]/state/oper-status";
        let mut told = Told::default();
        told.apply(&notification(leaf, text("UP")));
        assert_eq!(told.compare(&path, &[notification(leaf, text("m:UP"))]), Answer::Same);
        assert_eq!(told.compare(&path, &[notification(leaf, text("DOWN"))]), Answer::Changed);
        assert_eq!(told.compare(&path, &[]), Answer::Nothing);
        let other = "/interfaces/interface[name=eth1]/state/oper-status";
        let both = [notification(leaf, text("UP")), notification(other, text("UP"))];
        assert_eq!(told.compare(&path, &both), Answer::Changed, "one that was never told");
        assert_eq!(told.compare(&path, &[notification(other, text("UP"))]), Answer::Changed, "one that is gone and was not deleted");
    }

    #[test]
    fn a_counter_that_moved_is_no_change() {
        let leaf = "/interfaces/interface[name=eth0]/state/counters/in-octets";
        let mut told = Told::default();
        told.apply(&notification(leaf, Value::Uint(7)));
        assert_eq!(told.compare(&leaf.parse().unwrap(), &[notification(leaf, text("9"))]), Answer::Same);
    }
}
