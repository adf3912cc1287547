//! The stored series, to look at: what is held, how full it is, and the points or buckets of a measurement.

use crate::view::ApiError;
use runtime::{Handle, chain};
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::time::Duration;
use store::{Bucket, Level, SeriesReader, StoreError};
use ts_rs::TS;
use units::Timestamp;

/// Points returned unless told otherwise (S1-066).
const LAST_DEFAULT: u32 = 10;
/// Rows of one series in one answer.
const ROWS_MAX: u32 = 2000;
/// Series in one answer.
const SERIES_MAX: usize = 500;

/// How the series stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct SeriesView {
    /// Points written since the engine started.
    #[ts(type = "number")]
    pub written: u64,
    /// Points that were no numbers, or older than what is held.
    #[ts(type = "number")]
    pub refused: u64,
    /// Points that could not be written.
    #[ts(type = "number")]
    pub unwritten: u64,
    /// Points of series beyond the bounds: of one look, of one router in it, or of all that are held.
    #[ts(type = "number")]
    pub crowded: u64,
    /// Points, minutes and quarters of an hour forgotten by age since the engine started.
    #[ts(type = "[number, number, number]")]
    pub aged: [u64; 3],
    /// The same, because there was no room.
    #[ts(type = "[number, number, number]")]
    pub thinned: [u64; 3],
    /// Bytes that the series take.
    #[ts(type = "number")]
    pub used_bytes: u64,
    /// Bytes that they may take.
    #[ts(type = "number")]
    pub max_bytes: u64,
    /// Bytes free on the disk.
    #[ts(type = "number")]
    pub free_bytes: u64,
    /// Bytes of the disk that are left to the ledger.
    #[ts(type = "number")]
    pub reserve_bytes: u64,
    /// Why the last write failed, if it did.
    pub fault: Option<String>,
    /// Measurement and tags of each series.
    pub names: Vec<(String, String)>,
}

/// What of a measurement is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct MeasurementArguments {
    /// Measurement.
    pub measurement: String,
    /// Tags of one series, as listed; without them every series of the measurement.
    #[serde(default)]
    pub tags: Option<String>,
    /// The newest points, this many; 10 unless told.
    #[serde(default)]
    pub last: Option<u32>,
    /// Instead: the last so many seconds, in buckets of a minute or a quarter of an hour; the first is the one in which they begin.
    #[serde(default)]
    #[ts(type = "number | null")]
    pub seconds: Option<u64>,
}

/// One series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct MeasurementView {
    /// Tags.
    pub tags: String,
    /// Length of a row, seconds; 0: a point.
    pub bucket_s: u32,
    /// Rows, oldest first. Where nothing was measured, there is none.
    pub rows: Vec<MeasurementRow>,
}

/// One point, or what fell into one bucket; as measured, not rounded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct MeasurementRow {
    /// When it begins, RFC 3339.
    pub time: String,
    /// Smallest value.
    pub min: f64,
    /// Mean.
    pub mean: f64,
    /// Largest value.
    pub max: f64,
    /// Points in it.
    #[ts(type = "number")]
    pub count: u64,
}

/// Returns the digits behind the point with which a measurement is shown (S1-067…069).
#[must_use]
pub fn digits(measurement: &str) -> usize {
    runtime::measurement(measurement).map_or(2, |m| m.digits)
}

fn none() -> ApiError {
    ApiError::new("PH-API-404", "a capture that is played writes no series")
}

async fn read<T: Send + 'static>(
    folder: std::path::PathBuf,
    work: impl FnOnce(SeriesReader) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, ApiError> {
    let done = tokio::task::spawn_blocking(move || SeriesReader::open(&folder).and_then(work)).await;
    done.map_err(|e| ApiError::new("PH-API-500", e.to_string()))?.map_err(|e| ApiError::new("PH-API-500", chain(&e)))
}

/// Returns how the series stand.
pub(crate) async fn series(engine: &Handle) -> Result<SeriesView, ApiError> {
    let (s, folder) = engine.series().ok_or_else(none)?;
    let names = read(folder.to_owned(), |reader| reader.series()).await?;
    Ok(SeriesView {
        written: s.written,
        refused: s.refused,
        unwritten: s.unwritten,
        crowded: s.crowded,
        aged: s.aged,
        thinned: s.thinned,
        used_bytes: s.used_bytes,
        max_bytes: s.bytes_max,
        free_bytes: s.free_bytes,
        reserve_bytes: s.disk_reserve,
        fault: s.fault,
        names,
    })
}

/// Returns the points or buckets of a measurement.
pub(crate) async fn measurement(engine: &Handle, a: MeasurementArguments) -> Result<Vec<MeasurementView>, ApiError> {
    let (_, folder) = engine.series().ok_or_else(none)?;
    let folder = folder.to_owned();
    let now = engine.read(|s| s.now).await?;
    let found = read(folder, move |reader| {
        let names = match chosen(reader.series()?, &a) {
            Ok(names) => names,
            Err(too_many) => return Ok(Err(too_many)),
        };
        names.into_iter().map(|tags| one(&reader, &a, tags, now)).collect::<Result<_, _>>().map(Ok)
    });
    found.await?
}

/// Returns the tags of the series that are wanted.
fn chosen(all: Vec<(String, String)>, a: &MeasurementArguments) -> Result<Vec<String>, ApiError> {
    let wanted = |(m, tags): &(String, String)| *m == a.measurement && a.tags.as_ref().is_none_or(|t| t == tags);
    let names: Vec<String> = all.into_iter().filter(wanted).map(|(_, tags)| tags).collect();
    if names.len() > SERIES_MAX {
        let why = format!(
            "{} has {} series, an answer holds {SERIES_MAX}: name one by its tags, as the list has them",
            a.measurement,
            names.len()
        );
        return Err(ApiError::new("PH-API-413", why));
    }
    Ok(names)
}

/// Returns when the bucket that covers a time begins: what is shown of a span shorter than a bucket is the bucket around it.
fn begin(at: Timestamp, level: Level) -> Timestamp {
    let length = level.seconds().saturating_mul(1_000_000_000).max(1);
    Timestamp::from_nanos(at.nanos().div_euclid(length).saturating_mul(length))
}

fn one(reader: &SeriesReader, a: &MeasurementArguments, tags: String, now: Timestamp) -> Result<MeasurementView, StoreError> {
    let row = |b: Bucket| MeasurementRow { time: b.at.to_string(), min: b.min, mean: b.mean, max: b.max, count: b.count };
    let Some(seconds) = a.seconds else {
        let points = reader.last(&a.measurement, &tags, a.last.unwrap_or(LAST_DEFAULT).min(ROWS_MAX))?;
        let point = |p: store::Point| row(Bucket { at: p.at, min: p.value, max: p.value, mean: p.value, count: 1 });
        return Ok(MeasurementView { tags, bucket_s: 0, rows: points.into_iter().map(point).collect() });
    };
    let span = Duration::from_secs(seconds);
    let level = Level::for_span(span, u64::from(ROWS_MAX));
    let time = Range { start: begin(now.minus(span), level), end: now.plus(Duration::from_nanos(1)) };
    let rows = reader.buckets(&a.measurement, &tags, time, level, ROWS_MAX)?;
    Ok(MeasurementView { tags, bucket_s: u32::try_from(level.seconds()).unwrap_or(0), rows: rows.into_iter().map(row).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_series_than_an_answer_holds_is_said() {
        let wanted = |tags: Option<&str>| MeasurementArguments {
            measurement: "prefixes_received".to_owned(),
            tags: tags.map(str::to_owned),
            last: None,
            seconds: None,
        };
        let all = |n: usize| (0..n).map(|i| ("prefixes_received".to_owned(), format!("peer={i}"))).collect::<Vec<_>>();
        assert_eq!(chosen(all(SERIES_MAX), &wanted(None)).map(|n| n.len()), Ok(SERIES_MAX));
        let error = chosen(all(SERIES_MAX + 1), &wanted(None)).unwrap_err();
        assert_eq!(error.code, "PH-API-413");
        assert!(error.why.contains("has 501 series") && error.why.contains("tags"), "{error}");
        assert_eq!(chosen(all(SERIES_MAX + 1), &wanted(Some("peer=7"))), Ok(vec!["peer=7".to_owned()]));
    }

    #[test]
    fn a_span_shorter_than_a_bucket_shows_the_bucket_around_it() {
        let at = |s: i64| Timestamp::from_nanos(s * 1_000_000_000 + 5);
        let begins = |s, level| begin(at(s), level).nanos() / 1_000_000_000;
        assert_eq!((begins(119, Level::Minute), begins(120, Level::Minute), begins(1799, Level::Quarter)), (60, 120, 900));
        assert_eq!(begin(at(7), Level::Raw), at(7), "points are in no bucket");
        assert_eq!(begins(-1, Level::Minute), -60);
        // read as it is asked for: the bucket of ten seconds that lie in one minute
        let folder = tempfile::tempdir().unwrap();
        let mut telemetry = store::Store::open(folder.path()).unwrap().telemetry().unwrap();
        let point = store::Point { measurement: "m".to_owned(), tags: "t".to_owned(), at: at(615), value: 4.0 };
        telemetry.write_points(&[point]).unwrap();
        let reader = SeriesReader::open(folder.path()).unwrap();
        let wanted = MeasurementArguments { measurement: "m".to_owned(), tags: None, last: None, seconds: Some(10) };
        let view = one(&reader, &wanted, "t".to_owned(), at(620)).unwrap();
        assert_eq!((view.bucket_s, view.rows.len(), view.rows.first().map(|r| (r.max, r.count))), (60, 1, Some((4.0, 1))));
        let later = one(&reader, &wanted, "t".to_owned(), at(680)).unwrap();
        assert_eq!(later.rows.len(), 0, "of the minute after it nothing was measured");
    }
}
