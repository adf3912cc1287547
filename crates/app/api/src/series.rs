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
    /// Instead: the last so many seconds, in buckets of a minute or a quarter of an hour.
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
    match measurement {
        "bgp_latency_ms" => 3,
        "bgp_packet_loss" => 4,
        "bgp_peer_health" => 0,
        _ => 2,
    }
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
    read(folder, move |reader| {
        let wanted = |(m, tags): &(String, String)| *m == a.measurement && a.tags.as_ref().is_none_or(|t| t == tags);
        let names = reader.series()?.into_iter().filter(wanted).take(SERIES_MAX);
        names.map(|(_, tags)| one(&reader, &a, tags, now)).collect()
    })
    .await
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
    let time = Range { start: now.minus(span), end: now.plus(Duration::from_nanos(1)) };
    let rows = reader.buckets(&a.measurement, &tags, time, level, ROWS_MAX)?;
    Ok(MeasurementView { tags, bucket_s: u32::try_from(level.seconds()).unwrap_or(0), rows: rows.into_iter().map(row).collect() })
}
