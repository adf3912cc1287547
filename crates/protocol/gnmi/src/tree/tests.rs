//! The tree against a list of leaves that is searched from end to end.

use super::*;
use crate::PathElem;
use crate::Update;
use crate::trie::fits;
use proptest::prelude::*;

fn path(text: &str) -> Path {
    text.parse().unwrap()
}

fn said(updates: &[(&str, u64)], deletes: &[&str]) -> Notification {
    let update = |(p, v): &(&str, u64)| Update { path: path(p), value: Value::Uint(*v) };
    Notification {
        timestamp: 1,
        updates: updates.iter().map(update).collect(),
        deletes: deletes.iter().map(|d| path(d)).collect(),
        ..Notification::default()
    }
}

fn texts(tree: &Tree) -> Vec<String> {
    let mut out = Vec::new();
    tree.for_each(|origin, path, leaf| out.push(format!("{origin}{path}={}", leaf.value.as_u64().unwrap())));
    out
}

#[test]
fn deletes_take_subtrees_with_and_without_wildcards() {
    let mut tree = Tree::default();
    tree.apply(&said(&[("/i/i[n=a]/s/x", 1), ("/i/i[n=a]/c", 2), ("/i/i[n=b]/s/x", 3), ("/i/i[n=b][m=c]/s/y", 4), ("/j", 5)], &[]));
    assert_eq!(tree.apply(&said(&[], &["/i/i[n=a]/s"])).removed, 1);
    assert_eq!(texts(&tree), ["/i/i[m=c][n=b]/s/y=4", "/i/i[n=a]/c=2", "/i/i[n=b]/s/x=3", "/j=5"]);
    assert_eq!(tree.apply(&said(&[], &["/i/i[n=*]/s/x"])).removed, 1);
    assert_eq!(tree.apply(&said(&[], &["/*/i/s"])).removed, 1);
    assert_eq!(tree.apply(&said(&[("/i/i[n=a]/c", 9)], &["/i"])), Applied { set: 1, removed: 1, refused: 0 });
    assert_eq!((texts(&tree), tree.len()), (vec!["/i/i[n=a]/c=9".to_owned(), "/j=5".to_owned()], 2));
    assert_eq!(tree.remove("", &Path::default()), 2);
    assert!(tree.is_empty() && tree == Tree::default());
}

#[test]
fn an_atomic_notification_replaces_what_is_under_its_prefix() {
    let mut tree = Tree::default();
    tree.apply(&said(&[("/a/p/old", 1), ("/a/q", 2), ("/b", 3)], &[]));
    let mut atomic = Notification { atomic: true, prefix: path("/a/p"), ..said(&[("/a/p/new", 4)], &[]) };
    assert_eq!(tree.apply(&atomic), Applied { set: 1, removed: 1, refused: 0 });
    assert_eq!(texts(&tree), ["/a/p/new=4", "/a/q=2", "/b=3"]);
    atomic.updates.clear();
    tree.apply(&atomic);
    assert_eq!(texts(&tree), ["/a/q=2", "/b=3"]);
    // nobody means to delete a whole device by a notification without prefix
    tree.apply(&Notification { prefix: Path::default(), ..atomic });
    assert_eq!((tree.len(), tree.atomic_at_root, tree.keep_alives), (2, 1, 0));
}

#[test]
fn origins_do_not_meet() {
    let mut tree = Tree::default();
    tree.apply(&said(&[("/a", 1)], &[]));
    tree.apply(&Notification { origin: "eos_native".into(), ..said(&[("/a", 2)], &["/a"]) });
    assert_eq!(texts(&tree), ["/a=1", "eos_native/a=2"]);
    assert_eq!(tree.get("eos_native", &path("/a")).unwrap().value, Value::Uint(2));
}

#[test]
fn what_is_not_told_again_goes_at_the_sync() {
    let mut tree = Tree::default();
    tree.connected();
    tree.apply(&said(&[("/a", 1), ("/b/c", 2)], &[]));
    assert_eq!(tree.synced(), 0);
    tree.connected();
    tree.apply(&said(&[("/a", 3), ("/d", 4)], &[]));
    assert_eq!(tree.len(), 3, "stale leaves stay until the sync");
    assert_eq!(tree.synced(), 1);
    assert_eq!(texts(&tree), ["/a=3", "/d=4"]);
}

#[test]
fn json_is_opened_duplicates_and_keep_alives_are_counted_and_the_size_is_bounded() {
    let mut tree = Tree::new(2);
    let json = serde_json::json!({"x": 1, "y": {"z": 2}, "zz": 3});
    let update = Update { path: path("/a"), value: Value::Json(json) };
    let n = Notification { updates: vec![update], duplicates: 7, ..Notification::default() };
    assert_eq!(tree.apply(&n), Applied { set: 2, removed: 0, refused: 1 });
    assert_eq!(texts(&tree), ["/a/x=1", "/a/y/z=2"]);
    tree.apply(&Notification::default());
    assert_eq!((tree.coalesced, tree.keep_alives, tree.refused), (7, 1, 1));
    assert_eq!(tree.apply(&said(&[("/a/x", 5)], &[])).set, 1, "a full tree still takes new values");
}

/// The same by a list.
#[derive(Default)]
struct Naive(Vec<(String, Path, Value, bool)>);

impl Naive {
    fn remove(&mut self, origin: &str, pattern: &Path) {
        self.0.retain(|(o, p, ..)| {
            let covered = pattern.elems.len() <= p.elems.len() && pattern.elems.iter().zip(&p.elems).all(|(a, b)| fits(a, b));
            o != origin || !covered
        });
    }

    fn apply(&mut self, n: &Notification) {
        if n.atomic && !n.prefix.elems.is_empty() {
            self.remove(&n.origin, &n.prefix);
        }
        n.deletes.iter().for_each(|d| self.remove(&n.origin, d));
        for u in &n.updates {
            self.0.retain(|(o, p, ..)| (o, p) != (&n.origin, &u.path));
            self.0.push((n.origin.clone(), u.path.clone(), u.value.clone(), true));
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Said(Notification),
    Connected,
    Synced,
}

fn elem(wild: bool) -> impl Strategy<Value = PathElem> {
    let name = if wild { prop::sample::select(vec!["a", "b", "*"]) } else { prop::sample::select(vec!["a", "b", "c"]) };
    let value = if wild { prop::sample::select(vec!["1", "2", "*"]) } else { prop::sample::select(vec!["1", "2", "3"]) };
    let keys = prop::collection::btree_map(prop::sample::select(vec!["k", "l"]), value, 0..3);
    (name, keys).prop_map(|(name, keys)| PathElem {
        name: name.to_owned(),
        keys: keys.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
    })
}

fn paths(wild: bool) -> impl Strategy<Value = Path> {
    prop::collection::vec(elem(wild), usize::from(!wild)..4).prop_map(|elems| Path { elems })
}

fn step() -> impl Strategy<Value = Step> {
    let update = (paths(false), 0_u64..9).prop_map(|(path, v)| Update { path, value: Value::Uint(v) });
    let said = (
        prop::sample::select(vec!["", "openconfig"]),
        prop::collection::vec(update, 0..6),
        prop::collection::vec(paths(true), 0..2),
        any::<bool>(),
        paths(false),
    )
        .prop_map(|(origin, updates, deletes, atomic, prefix)| {
            let prefix = if atomic { prefix } else { Path::default() };
            Step::Said(Notification { timestamp: 1, origin: origin.into(), updates, deletes, atomic, prefix, duplicates: 0 })
        });
    prop_oneof![6 => said, 1 => Just(Step::Connected), 1 => Just(Step::Synced)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn the_tree_holds_what_a_searched_list_holds(steps in prop::collection::vec(step(), 0..30)) {
        let (mut tree, mut naive) = (Tree::default(), Naive::default());
        for step in steps {
            match step {
                Step::Said(n) => { tree.apply(&n); naive.apply(&n) }
                Step::Connected => { tree.connected(); naive.0.iter_mut().for_each(|l| l.3 = false) }
                Step::Synced => { tree.synced(); naive.0.retain(|l| l.3) }
            }
            let mut expected: Vec<_> = naive.0.iter().map(|(o, p, v, _)| (o.clone(), p.clone(), v.clone())).collect();
            expected.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
            let mut found = Vec::new();
            tree.for_each(|o, p, l| found.push((o.to_owned(), p.clone(), l.value.clone())));
            prop_assert_eq!(tree.len(), found.len());
            prop_assert_eq!(found, expected);
        }
    }
}
