use super::*;
use bgp::{AsPath, Origin, PathAttributes};
use std::sync::Arc;

fn base() -> PathAttributes {
    PathAttributes { as_path: AsPath::sequence([65002, 64500]), ..PathAttributes::default() }
}

fn path(source: Source, attributes: PathAttributes) -> Path {
    Path {
        source,
        attributes: Arc::new(attributes),
        weight: 0,
        remote_id: Some("9.9.9.9".parse().unwrap()),
        igp_metric: 0,
        term: None,
        rejected: None,
        multipath: false,
    }
}

fn external(n: u8, attributes: PathAttributes) -> Path {
    path(Source::External { neighbor: [10, 0, n, 2].into(), exit: None }, attributes)
}

fn internal(n: u8, attributes: PathAttributes) -> Path {
    path(Source::Internal { neighbor: [10, 255, 0, n].into(), device: action::DeviceId::new(format!("r{n}")) }, attributes)
}

/// Compares with nothing selected before.
fn step(knobs: &BestPath, a: &Path, b: &Path) -> (Ordering, Reason) {
    let rules = Rules { knobs, default_local_pref: 100 };
    let history = History::Selected(None);
    let (there, back) = (rules.compare(a, b, &history), rules.compare(b, a, &history));
    assert_eq!(there.order, back.order.reverse(), "comparison is not antisymmetric");
    (there.order, there.reason)
}

fn wins(a: &Path, b: &Path, reason: Reason) {
    assert_eq!(step(&BestPath::default(), a, b), (Ordering::Less, reason));
}

#[test]
fn each_step_decides_before_the_next() {
    // every pair is better in one step and worse in the one that follows, so a wrong order fails
    let heavy = Path { weight: 1, ..external(1, PathAttributes { local_pref: Some(50), ..base() }) };
    wins(&heavy, &external(2, base()), Reason::Weight);
    let preferred = external(1, PathAttributes { local_pref: Some(101), ..base() });
    wins(&preferred, &path(Source::Local, PathAttributes { local_pref: Some(100), ..base() }), Reason::LocalPref);
    let local = path(Source::Local, PathAttributes { as_path: AsPath::sequence([1, 2, 3]), ..base() });
    wins(&local, &external(1, base()), Reason::LocalOrigin);
    let short = external(1, PathAttributes { as_path: AsPath::sequence([1]), origin: Origin::Incomplete, ..base() });
    wins(&short, &external(2, base()), Reason::AsPathLength);
    let igp = external(1, PathAttributes { med: Some(9), ..base() });
    wins(&igp, &external(2, PathAttributes { origin: Origin::Egp, med: Some(1), ..base() }), Reason::Origin);
    let low_med = internal(1, PathAttributes { med: Some(1), ..base() });
    wins(&low_med, &external(2, PathAttributes { med: Some(2), ..base() }), Reason::Med);
    let ebgp = Path { igp_metric: 50, ..external(1, base()) };
    wins(&ebgp, &internal(1, base()), Reason::EbgpOverIbgp);
    let near = Path { igp_metric: 10, remote_id: Some("9.9.9.9".parse().unwrap()), ..internal(1, base()) };
    let far = Path { igp_metric: 20, remote_id: Some("1.1.1.1".parse().unwrap()), ..internal(2, base()) };
    wins(&near, &far, Reason::IgpMetric);
    let low_id = Path {
        remote_id: Some("1.1.1.1".parse().unwrap()),
        ..internal(2, PathAttributes { cluster_list: vec!["1.1.1.1".parse().unwrap()], ..base() })
    };
    wins(&low_id, &internal(1, base()), Reason::RouterId);
    let clusters = internal(1, PathAttributes { cluster_list: vec!["1.1.1.1".parse().unwrap()], ..base() });
    wins(&internal(2, base()), &clusters, Reason::ClusterLength);
    wins(&internal(1, base()), &internal(2, base()), Reason::NeighbourAddress);
}

#[test]
fn originator_id_stands_in_for_the_router_id() {
    let reflected = internal(2, PathAttributes { originator_id: Some("1.0.0.1".parse().unwrap()), ..base() });
    wins(&reflected, &internal(1, base()), Reason::RouterId);
}

#[test]
fn med_counts_only_within_one_neighbour_as() {
    let a = external(1, PathAttributes { med: Some(50), ..base() });
    let b = external(2, PathAttributes { med: Some(1), as_path: AsPath::sequence([65004, 64500]), ..base() });
    assert_eq!(step(&BestPath::default(), &a, &b).1, Reason::NeighbourAddress);
    let always = BestPath { always_compare_med: true, ..BestPath::default() };
    assert_eq!(step(&always, &a, &b), (Ordering::Greater, Reason::Med));
    let own = |med| internal(1, PathAttributes { med, as_path: AsPath::default(), ..base() });
    wins(&own(Some(0)), &own(Some(1)), Reason::Med);
}

#[test]
fn a_missing_med_is_the_best_unless_it_is_the_worst() {
    let (none, some) = (external(1, base()), external(2, PathAttributes { med: Some(5), ..base() }));
    wins(&none, &some, Reason::Med);
    let worst = BestPath { med_missing_as_worst: true, ..BestPath::default() };
    assert_eq!(step(&worst, &none, &some), (Ordering::Greater, Reason::Med));
}

#[test]
fn as_path_length_can_be_ignored() {
    let ignore = BestPath { as_path_ignore: true, ..BestPath::default() };
    let (long, short) = (external(1, base()), external(2, PathAttributes { as_path: AsPath::sequence([65002]), ..base() }));
    assert_eq!(step(&ignore, &long, &short).1, Reason::NeighbourAddress);
}

#[test]
fn the_selected_external_path_stays_unless_router_ids_are_compared() {
    let (a, b) = (external(1, base()), Path { remote_id: Some("1.1.1.1".parse().unwrap()), ..external(2, base()) });
    let selected = History::Selected(Some(a.source.clone()));
    let knobs = BestPath::default();
    let rules = Rules { knobs: &knobs, default_local_pref: 100 };
    let kept = rules.compare(&a, &b, &selected);
    assert_eq!((kept.order, kept.reason, kept.certain), (Ordering::Less, Reason::Oldest, true));
    let unknown = rules.compare(&a, &b, &History::Unknown);
    assert_eq!((unknown.order, unknown.reason, unknown.certain), (Ordering::Greater, Reason::RouterId, false));
    let compare = BestPath { compare_router_id: true, ..BestPath::default() };
    let rules = Rules { knobs: &compare, default_local_pref: 100 };
    assert_eq!(rules.compare(&a, &b, &selected).reason, Reason::RouterId);
}

#[test]
fn an_unknown_router_id_is_not_guessed_to_be_certain() {
    let (a, b) = (Path { remote_id: None, ..external(1, base()) }, external(2, base()));
    let knobs = BestPath { compare_router_id: true, ..BestPath::default() };
    let rules = Rules { knobs: &knobs, default_local_pref: 100 };
    assert!(!rules.compare(&a, &b, &History::Unknown).certain);
}

/// Three paths whose MEDs make a circle: without deterministic MED the order of arrival decides.
fn med_circle() -> Vec<Path> {
    let as2 = |n, med, id: &str| Path { remote_id: Some(id.parse().unwrap()), ..external(n, PathAttributes { med: Some(med), ..base() }) };
    let other = external(3, PathAttributes { as_path: AsPath::sequence([65004, 64500]), med: Some(7), ..base() });
    vec![as2(1, 10, "3.3.3.3"), as2(2, 5, "7.7.7.7"), Path { remote_id: Some("5.5.5.5".parse().unwrap()), ..other }]
}

#[test]
fn a_med_circle_is_named_and_deterministic_med_resolves_it() {
    let plain = BestPath::default();
    let rules = Rules { knobs: &plain, default_local_pref: 100 };
    let none = History::Selected(None);
    assert!(!rules.select(&med_circle(), &none).unwrap().certain);
    let deterministic = BestPath { deterministic_med: true, ..BestPath::default() };
    let rules = Rules { knobs: &deterministic, default_local_pref: 100 };
    let mut order = med_circle();
    let mut winners = Vec::new();
    for _ in 0..3 {
        order.rotate_left(1);
        let selection = rules.select(&order, &none).unwrap();
        assert!(selection.certain);
        winners.push(order[selection.best].source.clone());
    }
    assert!(winners.iter().all(|w| *w == med_circle()[2].source), "{winners:?}");
}

#[test]
fn rejected_paths_take_no_part() {
    let knobs = BestPath::default();
    let rules = Rules { knobs: &knobs, default_local_pref: 100 };
    let best = Path { rejected: Some(crate::Rejection::OwnAs), ..external(1, PathAttributes { local_pref: Some(900), ..base() }) };
    let selection = rules.select(&[best.clone(), external(2, base())], &History::Unknown).unwrap();
    assert_eq!((selection.best, selection.reason), (1, Reason::OnlyPath));
    assert_eq!(rules.select(&[best], &History::Unknown), None);
}

#[test]
fn multipath_needs_one_neighbour_as_unless_relaxed() {
    let paths = [external(1, base()), external(2, PathAttributes { as_path: AsPath::sequence([65004, 64500]), ..base() })];
    let select = |relax| {
        let knobs = BestPath { multipath_relax: relax, ..BestPath::default() };
        Rules { knobs: &knobs, default_local_pref: 100 }.select(&paths, &History::Selected(None)).unwrap().multipath
    };
    assert_eq!((select(false), select(true)), (vec![], vec![1]));
}
