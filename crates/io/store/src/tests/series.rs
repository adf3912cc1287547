//! Series: what is written comes back, and what is thinned keeps its minima, maxima, means and counts.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

const S: i64 = 1_000_000_000;
/// 2023-11-14 22:15:00 UTC, where a quarter of an hour begins.
const T0: i64 = 1_700_000_100 * S;
const PLENTY: u64 = u64::MAX;

fn at(nanos: i64) -> Timestamp {
    Timestamp::from_nanos(nanos)
}

fn point(series: &str, at_ns: i64, value: f64) -> Point {
    Point { measurement: "bgp_latency_ms".into(), tags: format!("exit={series}"), at: at(at_ns), value }
}

struct Folder(tempfile::TempDir, Telemetry);

impl Folder {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let telemetry = Store::open(dir.path()).unwrap().telemetry().unwrap();
        Self(dir, telemetry)
    }

    fn reader(&self) -> SeriesReader {
        SeriesReader::open(self.0.path()).unwrap()
    }

    fn buckets(&self, series: &str, level: Level) -> Vec<Bucket> {
        self.reader().buckets("bgp_latency_ms", &format!("exit={series}"), at(0)..at(i64::MAX), level, 100_000).unwrap()
    }

    fn values(&self, series: &str) -> Vec<f64> {
        self.buckets(series, Level::Raw).iter().map(|b| b.min).collect()
    }
}

fn hours(n: u64) -> Duration {
    Duration::from_secs(n * 3600)
}

/// What the buckets of a level must be, from the points alone.
fn expected(points: &BTreeMap<i64, f64>, level: Level) -> Vec<Bucket> {
    let mut groups: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
    let nanos = level.seconds() * S;
    points.iter().for_each(|(t, v)| groups.entry(t / nanos * nanos).or_default().push(*v));
    let bucket = |(start, values): (i64, Vec<f64>)| Bucket {
        at: at(start),
        min: values.iter().copied().fold(f64::INFINITY, f64::min),
        max: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        mean: values.iter().sum::<f64>() / values.len() as f64,
        count: values.len() as u64,
    };
    groups.into_iter().map(bucket).collect()
}

fn same(found: &[Bucket], expected: &[Bucket]) -> Result<(), String> {
    let near = |a: f64, b: f64| (a - b).abs() <= 1e-9 * (1.0 + a.abs() + b.abs());
    let equal = found.len() == expected.len()
        && found.iter().zip(expected).all(|(f, e)| {
            // minima, maxima and counts exactly; sums may be added in another order
            (f.at, f.min.to_bits(), f.max.to_bits(), f.count) == (e.at, e.min.to_bits(), e.max.to_bits(), e.count) && near(f.mean, e.mean)
        });
    if equal { Ok(()) } else { Err(format!("{found:?}\n{expected:?}")) }
}

#[test]
fn points_come_back_in_order_within_the_time_asked_for() {
    let mut f = Folder::new();
    let points = [point("a", 3, 3.0), point("a", 1, 1.0), point("b", 2, 2.0), point("a", 2, 2.0), point("a", 9, 9.0)];
    assert_eq!(f.1.write_points(&points).unwrap(), Written { points: 5, ..Written::default() });
    let refused = [point("a", 2, f64::NAN), point("a", 2, f64::INFINITY), point("a", -1, 1.0)];
    assert_eq!(f.1.write_points(&refused).unwrap(), Written { refused: 3, ..Written::default() });
    let read = |limit| f.reader().points("bgp_latency_ms", "exit=a", at(1)..at(9), limit).unwrap();
    assert_eq!(read(10), [point("a", 1, 1.0), point("a", 2, 2.0), point("a", 3, 3.0)]);
    assert_eq!(read(1), [point("a", 1, 1.0)]);
    assert_eq!(f.reader().last("bgp_latency_ms", "exit=a", 2).unwrap(), [point("a", 3, 3.0), point("a", 9, 9.0)]);
    assert!(f.reader().last("bgp_latency_ms", "exit=c", 2).unwrap().is_empty());
    let names: Vec<String> = f.reader().series().unwrap().into_iter().map(|(_, tags)| tags).collect();
    assert_eq!(names, ["exit=a", "exit=b"]);
}

#[test]
fn a_point_is_what_was_measured_not_what_is_shown() {
    let mut f = Folder::new();
    f.1.write_points(&[point("a", T0, 12.345_678_901_234)]).unwrap();
    assert_eq!(f.values("a"), [12.345_678_901_234]);
}

#[test]
fn a_point_written_again_replaces_the_first_also_in_the_buckets() {
    let mut f = Folder::new();
    f.1.write_points(&[point("a", T0, 100.0), point("a", T0 + S, 2.0)]).unwrap();
    f.1.keep(at(T0 + 120 * S), &Retention::default(), PLENTY).unwrap();
    f.1.write_points(&[point("a", T0, 1.0)]).unwrap();
    let now = at(T0 + 49 * 3600 * S);
    let kept = f.1.keep(now, &Retention::default(), PLENTY).unwrap();
    assert_eq!((kept.aged[0], f.values("a").len()), (2, 0));
    assert_eq!(f.buckets("a", Level::Minute), [Bucket { at: at(T0), min: 1.0, max: 2.0, mean: 1.5, count: 2 }]);
}

#[test]
fn gaps_stay_gaps_at_every_level() {
    let mut f = Folder::new();
    let points = [point("a", T0, 1.0), point("a", T0 + 3 * 900 * S, 2.0)];
    f.1.write_points(&points).unwrap();
    let starts = |f: &Folder, level| f.buckets("a", level).iter().map(|b| (b.at.nanos() - T0) / S).collect::<Vec<_>>();
    for age in [1, 49, 24 * 31] {
        f.1.keep(at(T0 + age * 3600 * S), &Retention::default(), PLENTY).unwrap();
        assert_eq!(starts(&f, Level::Quarter), [0, 2700], "after {age} h");
    }
    assert_eq!((starts(&f, Level::Minute).len(), f.values("a").len()), (0, 0), "minutes go after a month");
    f.1.keep(at(T0 + 401 * 24 * 3600 * S), &Retention::default(), PLENTY).unwrap();
    assert!(f.buckets("a", Level::Quarter).is_empty());
}

#[test]
fn points_older_than_what_is_held_are_refused_and_change_no_bucket() {
    let mut f = Folder::new();
    f.1.write_points(&[point("a", T0, 5.0)]).unwrap();
    f.1.keep(at(T0 + 50 * 3600 * S), &Retention::default(), PLENTY).unwrap();
    assert_eq!(f.1.write_points(&[point("a", T0 + S, 900.0)]).unwrap(), Written { refused: 1, ..Written::default() });
    f.1.keep(at(T0 + 51 * 3600 * S), &Retention::default(), PLENTY).unwrap();
    assert_eq!(f.buckets("a", Level::Minute)[0].max, 5.0);
}

/// Ten hours of four series, a point a second.
fn filled() -> (Folder, i64, BTreeMap<i64, f64>) {
    let mut f = Folder::new();
    let mut of_a = BTreeMap::new();
    let end = T0 + 10 * 3600 * S;
    for hour in 0..10 {
        let times = (0..3600).map(|s| T0 + (hour * 3600 + s) * S);
        let points: Vec<Point> =
            times.flat_map(|t| ["a", "b", "c", "d"].map(|name| point(name, t, ((t / S * 7919) % 1009) as f64))).collect();
        of_a.extend(points.iter().filter(|p| p.tags == "exit=a").map(|p| (p.at.nanos(), p.value)));
        f.1.write_points(&points).unwrap();
    }
    (f, end, of_a)
}

#[test]
fn the_quota_thins_the_oldest_points_first_and_loses_no_minimum_or_maximum() {
    let (mut f, end, of_a) = filled();
    let before = f.1.used_bytes().unwrap();
    let retention = Retention { bytes_max: before / 2, ..Retention::default() };
    let kept = f.1.keep(at(end), &retention, PLENTY).unwrap();
    assert!(kept.used_bytes <= before / 2 && f.1.used_bytes().unwrap() == kept.used_bytes, "{kept:?}");
    assert!(kept.thinned[0] > 50_000 && (kept.aged, kept.thinned[1], kept.thinned[2]) == ([0; 3], 0, 0), "{kept:?}");
    same(&f.buckets("a", Level::Minute), &expected(&of_a, Level::Minute)).unwrap();
    same(&f.buckets("a", Level::Quarter), &expected(&of_a, Level::Quarter)).unwrap();
    // the newest hour is held point by point
    assert!(f.values("a").len() >= 3600);
    // and the file became smaller, too
    let size = std::fs::metadata(f.0.path().join("telemetry.db")).unwrap().len();
    assert!(size < before * 3 / 4, "{size} of {before}");
}

#[test]
fn a_disk_that_fills_takes_from_the_series_what_the_ledger_may_need() {
    let (mut f, end, _) = filled();
    let retention = Retention { disk_reserve: 3 << 20, ..Retention::default() };
    let kept = f.1.keep(at(end), &retention, 3 << 20).unwrap();
    assert_eq!(kept.thinned, [0; 3], "enough is free");
    let before = kept.used_bytes;
    let kept = f.1.keep(at(end), &retention, 1 << 20).unwrap();
    assert!(kept.used_bytes <= before - (2 << 20) && kept.thinned[0] > 0, "{kept:?} of {before}");
}

#[test]
fn when_nothing_can_be_spared_everything_goes_and_writing_goes_on() {
    let (mut f, end, _) = filled();
    for _ in 0..20 {
        f.1.keep(at(end), &Retention { bytes_max: 1, ..Retention::default() }, PLENTY).unwrap();
    }
    assert!(f.values("a").len() < 900 && f.buckets("a", Level::Quarter).len() <= 1);
    assert_eq!(f.1.write_points(&[point("a", end, 1.0)]).unwrap().points, 1);
}

#[test]
fn a_full_database_refuses_points_is_thinned_and_takes_them_again_while_the_ledger_goes_on() {
    let (mut f, end, of_a) = filled();
    f.1.keep(at(end), &Retention::default(), PLENTY).unwrap();
    let pages: i64 = f.1.db.pragma_query_value(None, "page_count", |r| r.get(0)).unwrap();
    f.1.db.pragma_update(None, "max_page_count", pages).unwrap();
    let more = |hour: i64| (0..3600).map(|s| point("e", end + (hour * 3600 + s) * S, 1.0)).collect::<Vec<_>>();
    let full = (0..100).find_map(|hour| f.1.write_points(&more(hour)).err()).expect("the database never became full");
    assert!(chain(&full).contains("full"), "{full:?}");
    // nothing of it is lost above: the thinner gives room, and the ledger was never concerned
    let used = f.1.used_bytes().unwrap();
    f.1.keep(at(end), &Retention { bytes_max: used / 2, ..Retention::default() }, PLENTY).unwrap();
    f.1.write_points(&more(0)).unwrap();
    same(&f.buckets("a", Level::Minute), &expected(&of_a, Level::Minute)).unwrap();
    let folder = f.0.path().to_owned();
    drop(f.1);
    let store = Store::open(&folder).unwrap();
    store.append_audit(&Chain::default().append(entry(1))).unwrap();
}

fn chain(error: &dyn std::error::Error) -> String {
    format!("{error}: {}", error.source().map(ToString::to_string).unwrap_or_default())
}

#[test]
fn a_folder_of_the_first_version_is_taken_over_with_its_points() {
    let dir = tempfile::tempdir().unwrap();
    let old = migrate::open(dir.path(), "telemetry.db", "NORMAL", &migrate::TELEMETRY[..1]).unwrap();
    old.execute_batch("INSERT INTO series VALUES (1, 'bgp_latency_ms', 'exit=a'); INSERT INTO point VALUES (1, 1700000100000000000, 4.0)")
        .unwrap();
    drop(old);
    assert!(matches!(SeriesReader::open(dir.path()), Err(StoreError::Newer { found: 1, .. })));
    let mut telemetry = Store::open(dir.path()).unwrap().telemetry().unwrap();
    telemetry.keep(at(T0 + 72 * 3600 * S), &Retention::default(), PLENTY).unwrap();
    let f = Folder(dir, telemetry);
    assert_eq!(f.buckets("a", Level::Minute), [Bucket { at: at(T0), min: 4.0, max: 4.0, mean: 4.0, count: 1 }]);
}

#[test]
fn a_span_is_shown_at_the_level_that_fits() {
    assert_eq!([1, 10, 24 * 30].map(|h| Level::for_span(hours(h), 900)), [Level::Minute, Level::Minute, Level::Quarter]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    /// Whatever comes in whatever order, and however often it is thinned in between: the coarser levels say what the points said.
    #[test]
    fn thinned_series_have_the_minima_maxima_means_and_counts_of_their_points(
        rounds in prop::collection::vec((prop::collection::vec((0_i64..4 * 3600, -1e6_f64..1e6), 0..60), 0_u64..4), 1..6),
    ) {
        let mut f = Folder::new();
        let (mut all, mut held_from) = (BTreeMap::new(), 0);
        for (points, spare) in rounds {
            let points: Vec<Point> = points.into_iter().map(|(s, v)| point("a", T0 + s * S, v)).collect();
            f.1.write_points(&points).unwrap();
            all.extend(points.iter().filter(|p| p.at.nanos() >= held_from).map(|p| (p.at.nanos(), p.value)));
            let now = T0 + 4 * 3600 * S;
            let keep_raw = hours(spare + 1);
            f.1.keep(at(now), &Retention { keep_raw, ..Retention::default() }, PLENTY).unwrap();
            held_from = held_from.max((now - i64::try_from(keep_raw.as_nanos()).unwrap()) / (900 * S) * 900 * S);
            for level in [Level::Minute, Level::Quarter] {
                let checked = same(&f.buckets("a", level), &expected(&all, level));
                prop_assert!(checked.is_ok(), "{level:?} {}", checked.unwrap_err());
            }
        }
        // a bucket held point by point and the one made of it are the same
        f.1.keep(at(T0 + 60 * 3600 * S), &Retention::default(), PLENTY).unwrap();
        prop_assert!(f.values("a").is_empty());
        for level in [Level::Minute, Level::Quarter] {
            let checked = same(&f.buckets("a", level), &expected(&all, level));
            prop_assert!(checked.is_ok(), "{level:?} {}", checked.unwrap_err());
        }
    }
}
