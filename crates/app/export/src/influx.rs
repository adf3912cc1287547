//! InfluxDB's line protocol, written over HTTP.

use crate::ExportError;
use crate::report::Report;
use reqwest::Url;
use runtime::Handle;
use std::collections::VecDeque;
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use store::Point;
use tokio::time::{Instant, MissedTickBehavior};

/// Time between two looks at the measurements.
const EVERY: Duration = Duration::from_secs(5);
/// Points that wait for a receiver that does not take them: about an hour of a mid-sized site.
const POINTS_MAX: usize = 500_000;
/// Points of one request.
const BATCH: usize = 5000;
/// Longest wait for an answer.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// Pause after a failure: doubled up to the longest.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// Bytes of a token file.
const TOKEN_BYTES_MAX: u64 = 4096;

/// Where to write, and as whom. Its `Debug` shows no secret.
#[derive(Clone)]
pub struct Influx {
    url: Url,
    token: Option<String>,
}

impl std::fmt::Debug for Influx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Influx({})", self.shown())
    }
}

impl Influx {
    /// Takes the whole URL to write to (`…/api/v2/write?org=…&bucket=…`, or `…/write?db=…` before version 2) and a file with the token.
    ///
    /// # Errors
    /// [`ExportError::Url`], [`ExportError::Token`].
    pub fn new(url: &str, token: Option<&Path>) -> Result<Self, ExportError> {
        let parsed = Url::parse(url).ok().filter(|u| matches!(u.scheme(), "http" | "https"));
        let Some(mut url) = parsed.filter(|u| u.host_str().is_some()) else {
            let shown = url.rsplit('@').next().unwrap_or_default().split(['?', '#']).next().unwrap_or_default();
            return Err(ExportError::Url { url: shown.to_owned() });
        };
        // our times are nanoseconds
        if !url.query_pairs().any(|(k, _)| k == "precision") {
            url.query_pairs_mut().append_pair("precision", "ns");
        }
        let token = token.map(read_token).transpose()?;
        Ok(Self { url, token })
    }

    /// Returns the URL as it may be shown.
    #[must_use]
    pub fn shown(&self) -> String {
        let mut url = self.url.clone();
        // neither fails on a URL that has a host
        let _ = (url.set_password(None), url.set_username(""));
        let secret = |k: &str| matches!(k, "p" | "password" | "token");
        let kept: Vec<(String, String)> =
            url.query_pairs().filter(|(k, _)| !secret(k)).map(|(k, v)| (k.into_owned(), v.into_owned())).collect();
        url.query_pairs_mut().clear().extend_pairs(kept);
        url.to_string()
    }
}

fn read_token(path: &Path) -> Result<String, ExportError> {
    let bad = |why: String| ExportError::Token { path: path.to_owned(), why };
    let meta = std::fs::metadata(path).map_err(|e| bad(e.to_string()))?;
    #[cfg(unix)]
    if std::os::unix::fs::MetadataExt::mode(&meta) & 0o077 != 0 {
        return Err(bad("others may read it; chmod 600".to_owned()));
    }
    if meta.len() > TOKEN_BYTES_MAX {
        return Err(bad("it is too long for a token".to_owned()));
    }
    let text = std::fs::read_to_string(path).map_err(|e| bad(e.to_string()))?;
    Ok(text.trim().to_owned())
}

/// Writes measurements until it is ended.
pub(crate) async fn run(handle: Handle, influx: Influx, report: Arc<Report>) {
    // a redirect would turn the writing into a reading, and a proxy of the environment would see the token
    let client = reqwest::Client::builder().timeout(ANSWER_MAX).redirect(reqwest::redirect::Policy::none()).no_proxy().build();
    let client = match client {
        Ok(client) => client,
        Err(error) => return report.failed(&runtime::chain(&error)),
    };
    let mut waiting: VecDeque<String> = VecDeque::new();
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut pause, mut not_before) = (PAUSE, Instant::now());
    let mut looked = None;
    loop {
        ticks.tick().await;
        let Ok(look) = handle.read(move |s| runtime::points_since(s, looked)).await else { return };
        looked = Some(look.at);
        waiting.extend(look.points.iter().filter(|p| p.value.is_finite()).map(line));
        let over = waiting.len().saturating_sub(POINTS_MAX);
        waiting.drain(..over);
        report.dropped(look.left_out.saturating_add(over as u64));
        while !waiting.is_empty() && Instant::now() >= not_before {
            let count = waiting.len().min(BATCH);
            let body: String = waiting.iter().take(count).map(String::as_str).collect();
            match write(&client, &influx, body).await {
                Ok(()) => {
                    waiting.drain(..count);
                    report.sent(count);
                    pause = PAUSE;
                }
                Err(Refusal::Never(why)) => {
                    // the same again would be refused again
                    waiting.drain(..count);
                    report.dropped(count as u64);
                    report.failed(&why);
                }
                Err(Refusal::NotNow(why)) => {
                    report.failed(&why);
                    not_before = Instant::now() + pause;
                    pause = (pause * 2).min(PAUSE_MAX);
                }
            }
        }
        report.queued.store(waiting.len() as u64, Ordering::Relaxed);
    }
}

enum Refusal {
    NotNow(String),
    Never(String),
}

async fn write(client: &reqwest::Client, influx: &Influx, body: String) -> Result<(), Refusal> {
    let mut request = client.post(influx.url.clone()).body(body);
    if let Some(token) = &influx.token {
        request = request.header("Authorization", format!("Token {token}"));
    }
    // its text may hold the URL, with what is in it
    let answer = request.send().await.map_err(|e| Refusal::NotNow(runtime::chain(&e.without_url())))?;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    let mut answer = answer;
    let words = answer.chunk().await.ok().flatten().unwrap_or_default();
    let words = String::from_utf8_lossy(words.get(..words.len().min(200)).unwrap_or_default()).into_owned();
    let why = format!("{status}: {words}");
    // 400, 413, 422: these lines; all else (401, 404, 429, 5xx) may be mended at the receiver
    Err(if matches!(status.as_u16(), 400 | 413 | 422) { Refusal::Never(why) } else { Refusal::NotNow(why) })
}

/// Writes a point as one line, with its end. The tag `field` names the field; without it that is `value`.
#[must_use]
pub fn line(point: &Point) -> String {
    let escaped = |text: &str, special: &[char]| {
        let mut out = String::new();
        // a backslash at the end would take the mark behind it
        for c in text.trim_end_matches('\\').chars() {
            if special.contains(&c) {
                out.push('\\');
            }
            out.push(if c.is_control() { ' ' } else { c });
        }
        out
    };
    let mut out = escaped(&point.measurement, &[',', ' ']);
    let mut field = "value".to_owned();
    for (key, value) in point.tags.split(',').filter_map(|t| t.split_once('=')).filter(|(_, v)| !v.is_empty()) {
        if key == "field" {
            field = escaped(value, &[',', '=', ' ']);
        } else {
            // writing to a text does not fail
            let _ = write!(out, ",{}={}", escaped(key, &[',', '=', ' ']), escaped(value, &[',', '=', ' ']));
        }
    }
    let _ = writeln!(out, " {field}={} {}", point.value, point.at.nanos());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use units::Timestamp;

    #[test]
    fn a_point_is_one_line_of_the_protocol() {
        let point = |measurement: &str, tags: &str, value| Point {
            measurement: measurement.to_owned(),
            tags: tags.to_owned(),
            at: Timestamp::from_nanos(1_800_000_000_000_000_001),
            value,
        };
        let latency = point("bgp_latency_ms", "exit=,family=ipv4,isp=ISP A,router=r1", 4.5);
        assert_eq!(line(&latency), "bgp_latency_ms,family=ipv4,isp=ISP\\ A,router=r1 value=4.5 1800000000000000001\n");
        let health = point("bgp_peer_health", "field=down,router=r1", 2.0);
        assert_eq!(line(&health), "bgp_peer_health,router=r1 down=2 1800000000000000001\n");
    }

    #[test]
    fn no_secret_is_shown_and_a_token_that_others_may_read_is_refused() {
        let influx = Influx::new("http://ops:secret@127.0.0.1:8086/write?db=noc&p=secret", None).unwrap();
        assert!(!influx.shown().contains("secret") && !format!("{influx:?}").contains("secret"), "{}", influx.shown());
        assert!(influx.shown().contains("db=noc") && influx.shown().contains("precision=ns"));
        for url in ["ftp://h/x?p=secret", "127.0.0.1:8086", "file:///x", "http://", "ftp://ops:secret@h/x"] {
            let error = Influx::new(url, None).unwrap_err().to_string();
            assert!(error.starts_with("PH-EXP-002") && !error.contains("secret"), "{error}");
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, "abc\n").unwrap();
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
        assert!(Influx::new("http://h/x", Some(&file)).unwrap_err().to_string().contains("chmod 600"));
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        assert_eq!(Influx::new("http://h/x", Some(&file)).unwrap().token.as_deref(), Some("abc"));
    }
}
