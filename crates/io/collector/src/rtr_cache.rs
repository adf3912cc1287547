//! VRPs from a cache over RPKI-to-Router (RFC 8210 over TCP, §9.1).

use crate::clock::now_ns;
use core::time::Duration;
use rtr::{Client, ClientError, DecodeError, Step, Vrp};
use std::collections::BTreeSet;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tracing::{debug, info};

/// Longest wait for a connection.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// A cache that was asked and says nothing for so long does not answer.
const ANSWER_MAX: Duration = Duration::from_secs(30);
/// Longest wait for what is written to be taken.
const WRITE_MAX: Duration = Duration::from_secs(5);
/// Bytes read at once.
const READ_BYTES: usize = 64 * 1024;
/// Versions that are tried: 1, then 0.
const TRIES: usize = 2;
const NS_PER_S: i64 = 1_000_000_000;

/// Why a cache gives no data. The text starts with its code.
#[derive(Debug, thiserror::Error)]
pub enum RtrError {
    /// No connection.
    #[error("PH-COLL-050: connecting to the RTR cache {address} failed; is it running, and does it listen there?")]
    Connect {
        /// Where.
        address: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The connection ended.
    #[error("PH-COLL-051: the connection to the RTR cache {address} was lost")]
    Lost {
        /// Where.
        address: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Nothing comes.
    #[error("PH-COLL-052: the RTR cache {address} was asked and said nothing for {waited:?}; does something else listen there?")]
    Silent {
        /// Where.
        address: String,
        /// How long.
        waited: Duration,
    },
    /// The bytes are not RTR.
    #[error("PH-COLL-053: {address} does not speak RTR as RFC 8210 has it")]
    NotRtr {
        /// Where.
        address: String,
        /// The byte.
        #[source]
        source: DecodeError,
    },
    /// The cache and the client do not agree.
    #[error("PH-COLL-054: the session with the RTR cache {address} ended")]
    Session {
        /// Where.
        address: String,
        /// Why.
        #[source]
        source: ClientError,
    },
}

/// A cache that is followed. Dropping it closes the connection.
#[derive(Debug)]
pub struct RtrCache {
    address: String,
    client: Client,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
}

fn now_s() -> i64 {
    now_ns() / NS_PER_S
}

impl RtrCache {
    /// A cache at `host:port`; the port is 323 where nothing else is agreed on (RFC 8210 §14).
    #[must_use]
    pub fn new(address: impl Into<String>) -> Self {
        Self { address: address.into(), client: Client::default(), stream: None, buffer: Vec::new() }
    }

    /// Returns the VRPs while they hold; `None`: none came yet, or they have expired. That is "unavailable", never "not found".
    #[must_use]
    pub fn vrps(&self) -> Option<&BTreeSet<Vrp>> {
        self.client.data(now_s())
    }

    /// Returns the machine behind it: version, serial number, timers.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// Waits for the next complete set: the first at once, others when the cache tells of them or the refresh time is over.
    ///
    /// # Errors
    /// [`RtrError`]; the connection is closed then, what is held stays until it expires, and the next call connects again. When to call again
    /// after an error is told by the retry timer.
    pub async fn next(&mut self) -> Result<(), RtrError> {
        let out = self.follow().await;
        if out.is_err() {
            self.stream = None;
        }
        out
    }

    async fn follow(&mut self) -> Result<(), RtrError> {
        let mut tries = 0;
        loop {
            if self.stream.is_none() {
                tries += 1;
                self.connect().await?;
            }
            while let Some((message, used)) = self.decoded().await? {
                // kept for the report of an error
                let about: Vec<u8> = self.buffer.drain(..used).collect();
                match self.client.handle(message, now_s()) {
                    Ok(Step::Wait) => {}
                    Ok(Step::Send(bytes)) => self.write(&bytes).await?,
                    Ok(Step::Complete) => {
                        let (serial, timers) = (self.client.serial(), self.client.timers());
                        debug!(cache = self.address, serial, ?timers, vrps = self.vrps().map_or(0, BTreeSet::len), "RTR data complete");
                        return Ok(());
                    }
                    Ok(Step::Downgraded) if tries < TRIES => {
                        info!(cache = self.address, version = ?self.client.version(), "RTR cache is older");
                        self.stream = None;
                        break;
                    }
                    Ok(Step::Downgraded) => {
                        let source = ClientError::Reported { code: 4, text: String::new() };
                        return Err(RtrError::Session { address: self.address.clone(), source });
                    }
                    Err(source) => {
                        if let Some(code) = source.code() {
                            let report = self.client.report(code, &about, &source.to_string());
                            // the session is over either way
                            let _ = self.write(&report).await;
                        }
                        return Err(RtrError::Session { address: self.address.clone(), source });
                    }
                }
            }
            if self.stream.is_some() {
                self.read().await?;
            }
        }
    }

    /// Takes a PDU off what was read; one that cannot be read is reported to the cache.
    async fn decoded(&mut self) -> Result<Option<(rtr::Message, usize)>, RtrError> {
        match rtr::decode(&self.buffer) {
            Ok(message) => Ok(message),
            Err(source) => {
                let about: Vec<u8> = self.buffer.iter().copied().take(rtr::HEADER_BYTES).collect();
                let report = self.client.report(source.code(), &about, &source.to_string());
                let _ = self.write(&report).await;
                Err(RtrError::NotRtr { address: self.address.clone(), source })
            }
        }
    }

    async fn connect(&mut self) -> Result<(), RtrError> {
        let failed = |source| RtrError::Connect { address: self.address.clone(), source };
        let connecting = tokio::time::timeout(CONNECT_MAX, TcpStream::connect(&self.address)).await;
        let stream = connecting.unwrap_or_else(|late| Err(late.into())).map_err(failed)?;
        self.buffer.clear();
        self.stream = Some(stream);
        let query = self.client.connected();
        self.write(&query).await
    }

    fn lost(&self, source: std::io::Error) -> RtrError {
        RtrError::Lost { address: self.address.clone(), source }
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), RtrError> {
        let Some(stream) = &mut self.stream else { return Err(self.lost(std::io::ErrorKind::NotConnected.into())) };
        let written = tokio::time::timeout(WRITE_MAX, stream.write_all(bytes)).await;
        written.unwrap_or_else(|late| Err(late.into())).map_err(|e| self.lost(e))
    }

    /// Reads what is there; asks again when the refresh time is over.
    async fn read(&mut self) -> Result<(), RtrError> {
        let asked = self.client.is_asked();
        let wait = if asked { ANSWER_MAX } else { Duration::from_secs(u64::from(self.client.timers().refresh_s)) };
        let Some(stream) = &mut self.stream else { return Err(self.lost(std::io::ErrorKind::NotConnected.into())) };
        self.buffer.reserve(READ_BYTES);
        match tokio::time::timeout(wait, stream.read_buf(&mut self.buffer)).await {
            Ok(Ok(0)) => Err(self.lost(std::io::ErrorKind::UnexpectedEof.into())),
            Ok(Ok(_)) => Ok(()),
            Ok(Err(source)) => Err(self.lost(source)),
            Err(_) if asked => Err(RtrError::Silent { address: self.address.clone(), waited: wait }),
            Err(_) => match self.client.refresh() {
                Some(query) => self.write(&query).await,
                None => Ok(()),
            },
        }
    }
}
