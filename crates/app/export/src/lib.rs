//! Ways out of a running engine to programs of others: [`prometheus`] is asked, [`influx`] and [`kafka`] are sent to.
//!
//! Each is off unless asked for. They read what the engine keeps beside its loop (topics, measurements) and hold nobody up: what a slow or
//! dead receiver does not take waits within a bound, and what finds no room is dropped and counted. Nothing that comes back is believed to
//! be more than an answer; no secret is in a status, a log or an error.

mod influx;
mod kafka;
mod prometheus;
mod report;

pub use influx::{Influx, line};
pub use kafka::{Imported, Kafka, import, import_raw, topics_at};
pub use prometheus::exposition;
pub use report::Exports;

use report::Report;
use runtime::Handle;
use std::net::SocketAddr;
use std::sync::Arc;

/// What is switched on.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Where Prometheus may ask, at `/metrics`.
    pub prometheus: Option<SocketAddr>,
    /// Where measurements are written.
    pub influx: Option<Influx>,
    /// Where the topics are sent.
    pub kafka: Option<Kafka>,
}

/// Why an export cannot start. The text starts with its code.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The address for Prometheus cannot be taken.
    #[error("PH-EXP-001: listening for Prometheus on {address} failed; is the port taken, or the address not ours?")]
    Bind {
        /// Where.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// An address that others reach: the page asks for no password.
    #[error("PH-EXP-006: {address} is no loopback address; let a proxy that asks for a password stand before the page for Prometheus")]
    Open {
        /// Where.
        address: SocketAddr,
    },
    /// The URL of InfluxDB is none.
    #[error("PH-EXP-002: {url:?} is no URL to write to; give the whole of it, as http://HOST:8086/api/v2/write?org=ORG&bucket=BUCKET")]
    Url {
        /// As given, without user and password.
        url: String,
    },
    /// The file with the token cannot be read.
    #[error("PH-EXP-003: the token file {path} cannot be used: {why}")]
    Token {
        /// Which.
        path: std::path::PathBuf,
        /// Why.
        why: String,
    },
    /// The broker did not answer.
    #[error("PH-EXP-004: the broker at {broker} cannot be used: {why}")]
    Broker {
        /// Which.
        broker: String,
        /// Its words, or ours.
        why: String,
    },
    /// What a topic holds cannot be kept.
    #[error("PH-EXP-007: what the broker gives cannot be written")]
    Unwritten {
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// There is no such topic at the broker.
    #[error("PH-EXP-005: the broker at {broker} has no topic {topic:?}")]
    NoTopic {
        /// Which broker.
        broker: String,
        /// Which topic.
        topic: String,
    },
}

/// Starts what is switched on.
///
/// # Errors
/// [`ExportError`] for what can be seen at once; a receiver that does not answer is tried again for ever.
pub async fn start(handle: &Handle, options: Options) -> Result<Exports, ExportError> {
    let mut exports = Exports::default();
    if let Some(address) = options.prometheus {
        let (report, task) = prometheus::serve(handle.clone(), address).await?;
        exports.add(report, task);
    }
    if let Some(influx) = options.influx {
        let report = Arc::new(Report::new("influx", influx.shown()));
        exports.add(Arc::clone(&report), tokio::spawn(influx::run(handle.clone(), influx, report)));
    }
    if let (Some(kafka), Some(topics)) = (options.kafka, handle.topics()) {
        let report = Arc::new(Report::new("kafka", kafka.broker.clone()));
        exports.add(Arc::clone(&report), tokio::spawn(kafka::run(topics.clone(), kafka, report)));
    }
    Ok(exports)
}
