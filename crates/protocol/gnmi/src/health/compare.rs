//! Compares what a path holds with what its subscription told.

use super::Answer;
use crate::{Notification, Path, Tree, Value};

/// Leaves of one stream that are remembered to compare with; what is beyond is not blamed on anybody.
pub const TOLD_LEAVES_MAX: usize = 1 << 16;

/// How much of a path was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All of it.
    Whole,
    /// Its beginning: what was not read proves nothing.
    Beginning,
}

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

    /// Compares what was told at these paths with what reading them gave, all of it (`Extent::Whole`) or its beginning. Numbers that differ
    /// are no change: counters move between a message and the reading, and few targets tell each of their steps.
    #[must_use]
    pub fn compare(&self, paths: &[Path], read: &[Notification], extent: Extent) -> Answer {
        let covers = |leaf: &Path| paths.iter().any(|path| path.covers(leaf));
        let mut holds = Tree::new(TOLD_LEAVES_MAX);
        for notification in read {
            holds.apply(&without_origin(notification));
        }
        if holds.is_empty() {
            let mut told = false;
            self.0.for_each(|_, leaf, _| told |= covers(leaf));
            // what it told and took back again is not missed
            return if told { Answer::Nothing } else { Answer::Empty };
        }
        let whole = self.0.refused == 0 && holds.refused == 0;
        let mut same = true;
        holds.for_each(|origin, leaf, held| {
            same &= match self.0.get(origin, leaf) {
                Some(told) => equal(&told.value, &held.value),
                None => !whole || !covers(leaf),
            };
        });
        let whole = whole && extent == Extent::Whole;
        self.0.for_each(|origin, leaf, _| same &= !whole || !covers(leaf) || holds.get(origin, leaf).is_some());
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
        assert_eq!(told.compare(core::slice::from_ref(&path), &[notification(leaf, text("m:UP"))], Extent::Whole), Answer::Same);
        assert_eq!(told.compare(core::slice::from_ref(&path), &[notification(leaf, text("DOWN"))], Extent::Whole), Answer::Changed);
        assert_eq!(told.compare(core::slice::from_ref(&path), &[], Extent::Whole), Answer::Nothing);
        assert_eq!(told.compare(&["/elsewhere".parse().unwrap()], &[], Extent::Whole), Answer::Empty, "nothing was told there");
        let other = "/interfaces/interface[name=eth1]/state/oper-status";
        let both = [notification(leaf, text("UP")), notification(other, text("UP"))];
        assert_eq!(told.compare(core::slice::from_ref(&path), &both, Extent::Whole), Answer::Changed, "one that was never told");
        assert_eq!(
            told.compare(core::slice::from_ref(&path), &[notification(other, text("UP"))], Extent::Whole),
            Answer::Changed,
            "one that is gone and was not deleted"
        );
    }

    /// A table is read from its beginning only: what differs there counts, what was not reached does not.
    #[test]
    fn a_beginning_proves_what_it_holds_and_nothing_about_the_rest() {
        let table: Path = "/bgp/rib".parse().unwrap();
        let route = |n: u8| format!("/bgp/rib/route[prefix=192.0.2.{n}/32]/state/next-hop");
        let mut told = Told::default();
        for n in 1..=3 {
            told.apply(&notification(&route(n), text("10.0.0.1")));
        }
        let held = |n, hop: &str| [notification(&route(n), text(hop))];
        assert_eq!(told.compare(core::slice::from_ref(&table), &held(1, "10.0.0.1"), Extent::Beginning), Answer::Same);
        assert_eq!(told.compare(core::slice::from_ref(&table), &held(1, "10.0.0.1"), Extent::Whole), Answer::Changed);
        assert_eq!(told.compare(core::slice::from_ref(&table), &held(1, "10.0.0.2"), Extent::Beginning), Answer::Changed);
        assert_eq!(
            told.compare(core::slice::from_ref(&table), &held(9, "10.0.0.1"), Extent::Beginning),
            Answer::Changed,
            "a route that was never told"
        );
    }

    #[test]
    fn a_counter_that_moved_is_no_change() {
        let leaf = "/interfaces/interface[name=eth0]/state/counters/in-octets";
        let mut told = Told::default();
        told.apply(&notification(leaf, Value::Uint(7)));
        assert_eq!(told.compare(&[leaf.parse().unwrap()], &[notification(leaf, text("9"))], Extent::Whole), Answer::Same);
    }
}
