//! Prometheus' text exposition, version 0.0.4, at an address of its own.

use crate::ExportError;
use crate::report::Report;
use axum::Router;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use bus::TopicStats;
use runtime::{DoorCounts, Handle};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use store::Point;
use tokio::task::JoinHandle;

/// Series in one answer; what lies beyond is counted in `pilothouse_series_left_out`.
pub const SERIES_MAX: usize = 20_000;

/// Takes the port and answers `GET /metrics`.
pub(crate) async fn serve(handle: Handle, address: SocketAddr) -> Result<(Arc<Report>, JoinHandle<()>), ExportError> {
    if !address.ip().is_loopback() {
        return Err(ExportError::Open { address });
    }
    let bound = tokio::net::TcpListener::bind(address).await;
    let listener = bound.map_err(|source| ExportError::Bind { address, source })?;
    // port 0 is any that is free
    let address = listener.local_addr().unwrap_or(address);
    let report = Arc::new(Report::new("prometheus", format!("http://{address}/metrics")));
    let shown = Arc::clone(&report);
    tracing::info!(%address, "Prometheus may ask");
    let answer = move || {
        let (handle, report) = (handle.clone(), Arc::clone(&report));
        async move {
            let Ok(look) = handle.read(runtime::points).await else { return Err(StatusCode::SERVICE_UNAVAILABLE) };
            let topics = handle.topics().map(runtime::Topics::stats).unwrap_or_default();
            let doors = handle.doors().map(runtime::OpenDoors::counts).unwrap_or_default();
            report.sent(look.points.len());
            Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], exposition(&look.points, look.left_out, &topics, &doors)))
        }
    };
    let pages = Router::new().route("/metrics", get(answer));
    let task = tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, pages).await {
            tracing::error!(%error, "the page for Prometheus ended");
        }
    });
    Ok((shown, task))
}

/// Writes everything as Prometheus reads it; `left_out` series are beyond the bounds already.
#[must_use]
pub fn exposition(points: &[Point], left_out: u64, topics: &[TopicStats], doors: &[DoorCounts]) -> String {
    let mut out = String::new();
    let mut by_name: BTreeMap<&str, Vec<(String, f64)>> = BTreeMap::new();
    for point in points.iter().take(SERIES_MAX) {
        by_name.entry(&point.measurement).or_default().push((labels(&point.tags), point.value));
    }
    for (name, rows) in by_name {
        let known = runtime::measurement(name);
        let (kind, help) = known.map_or(("gauge", "A measurement of Pilothouse."), |m| (m.kind.name(), m.help));
        family(&mut out, name, kind, help, rows.into_iter());
    }
    let topic = |f: fn(&TopicStats) -> u64| topics.iter().map(move |t| (format!("topic=\"{}\"", escaped(&t.topic)), as_value(f(t))));
    family(&mut out, "pilothouse_topic_published_total", "counter", "Messages published by topic.", topic(|t| t.published));
    family(&mut out, "pilothouse_topic_dropped_total", "counter", "Messages that a full topic lost.", topic(|t| t.dropped));
    family(&mut out, "pilothouse_topic_missed_total", "counter", "Messages that came too fast to be taken up.", topic(|t| t.missed));
    let door = |f: fn(&DoorCounts) -> u64| doors.iter().map(move |d| (format!("door=\"{}\"", d.name), as_value(f(d))));
    family(&mut out, "pilothouse_door_taken_total", "counter", "Flow records or syslog messages taken.", door(|d| d.taken));
    family(&mut out, "pilothouse_door_dropped_total", "counter", "Those dropped for want of room.", door(|d| d.dropped));
    let left_out = left_out.saturating_add(points.len().saturating_sub(SERIES_MAX) as u64);
    let left_out = [(String::new(), as_value(left_out))];
    family(&mut out, "pilothouse_series_left_out", "gauge", "Series beyond the bound of one answer.", left_out.into_iter());
    out
}

fn family(out: &mut String, name: &str, kind: &str, help: &str, rows: impl Iterator<Item = (String, f64)>) {
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        return;
    }
    // writing to a text does not fail
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
    for (labels, value) in rows {
        let _ = if labels.is_empty() { writeln!(out, "{name} {value}") } else { writeln!(out, "{name}{{{labels}}} {value}") };
    }
}

/// `a=b,c=d` to `a="b",c="d"`; labels without a value are left out, which Prometheus takes for the same.
fn labels(tags: &str) -> String {
    let pairs = tags.split(',').filter_map(|t| t.split_once('=')).filter(|(_, v)| !v.is_empty());
    pairs.map(|(k, v)| format!("{}=\"{}\"", label_name(k), escaped(v))).collect::<Vec<_>>().join(",")
}

fn label_name(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect()
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[allow(clippy::cast_precision_loss, reason = "Prometheus knows no other numbers")]
const fn as_value(n: u64) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use units::Timestamp;

    fn point(measurement: &str, tags: &str, value: f64) -> Point {
        Point { measurement: measurement.to_owned(), tags: tags.to_owned(), at: Timestamp::from_millis(5), value }
    }

    #[test]
    fn the_text_is_what_prometheus_reads() {
        let points = [
            point("bgp_latency_ms", "exit=r1-ispa,family=ipv4,isp=isp-a,router=r1", 4.25),
            point("bgp_peer_health", "field=down,router=r1", 1.0),
            point("bgp_latency_ms", "exit=,family=ipv6,router=r\"1\\", 3.0),
        ];
        let expected = "# HELP bgp_latency_ms One-way delay of a measured path, milliseconds, mean of the last five seconds.\n\
            # TYPE bgp_latency_ms gauge\n\
            bgp_latency_ms{exit=\"r1-ispa\",family=\"ipv4\",isp=\"isp-a\",router=\"r1\"} 4.25\n\
            bgp_latency_ms{family=\"ipv6\",router=\"r\\\"1\\\\\"} 3\n\
            # HELP bgp_peer_health BGP sessions of a router: all of them, and those that are not Established.\n\
            # TYPE bgp_peer_health gauge\n\
            bgp_peer_health{field=\"down\",router=\"r1\"} 1\n\
            # HELP pilothouse_series_left_out Series beyond the bound of one answer.\n\
            # TYPE pilothouse_series_left_out gauge\n\
            pilothouse_series_left_out 0\n";
        assert_eq!(exposition(&points, 0, &[], &[]), expected);
    }

    #[test]
    fn beyond_the_bound_series_are_counted() {
        let points: Vec<Point> = (0..SERIES_MAX + 3).map(|n| point("device_health", &format!("router=r{n}"), 1.0)).collect();
        let text = exposition(&points, 2, &[], &[]);
        assert_eq!(text.lines().filter(|l| l.starts_with("device_health{")).count(), SERIES_MAX);
        assert!(text.ends_with("pilothouse_series_left_out 5\n"));
    }
}
