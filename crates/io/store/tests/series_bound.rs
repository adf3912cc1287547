//! As many series as are held, and what becomes of more.

#![allow(clippy::unwrap_used, reason = "a test says no by panicking")]

use store::{Level, Point, Retention, SERIES_MAX, SeriesReader, Store, Written};
use units::Timestamp;

/// Midnight, where a quarter of an hour begins.
const T0: i64 = 1_799_971_200;
const DAY: i64 = 86_400;

fn point(series: u32, at_s: i64) -> Point {
    Point { measurement: "m".to_owned(), tags: format!("n={series}"), at: Timestamp::from_nanos(at_s * 1_000_000_000), value: 1.0 }
}

#[test]
fn beyond_the_bound_new_series_are_counted_until_old_ones_are_forgotten_whole() {
    let folder = tempfile::tempdir().unwrap();
    let mut telemetry = Store::open(folder.path()).unwrap().telemetry().unwrap();
    let names = || SeriesReader::open(folder.path()).unwrap().series().unwrap().len();
    let all: Vec<Point> = (0..SERIES_MAX + 2).map(|n| point(n, T0)).collect();
    let written = telemetry.write_points(&all).unwrap();
    assert_eq!(written, Written { points: u64::from(SERIES_MAX), refused: 0, crowded: 2 });
    // a series that is held goes on; new ones have no room as long as a quarter of an hour of the old ones is held
    let (new, later) = (SERIES_MAX + 7, T0 + 300 * DAY);
    let keep = |telemetry: &mut store::Telemetry, at_s: i64| {
        telemetry.keep(Timestamp::from_nanos(at_s * 1_000_000_000), &Retention::default(), u64::MAX).unwrap()
    };
    assert_eq!(telemetry.write_points(&[point(3, later)]).unwrap().points, 1);
    while keep(&mut telemetry, later).settled > 0 {}
    assert_eq!((telemetry.write_points(&[point(new, later)]).unwrap().crowded, names()), (1, SERIES_MAX as usize));
    keep(&mut telemetry, T0 + 401 * DAY);
    assert_eq!(names(), 1);
    assert_eq!(telemetry.write_points(&[point(new, T0 + 401 * DAY)]).unwrap(), Written { points: 1, ..Written::default() });
    let reader = SeriesReader::open(folder.path()).unwrap();
    let time = Timestamp::EPOCH..Timestamp::from_nanos(i64::MAX);
    assert_eq!(reader.buckets("m", "n=3", time, Level::Quarter, 10).unwrap().len(), 1, "what is held of the other is still there");
}
