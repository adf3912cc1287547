//! Speaking to a running impairment process.

use super::{Direction, Impairment, LinkState, MAX_DATAGRAM, Reply, Request};
use std::collections::BTreeMap;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long an answer may take; the control thread does nothing else.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// Why a link could not be impaired.
#[derive(Debug, thiserror::Error)]
pub enum ImpairError {
    /// Nobody answers.
    #[error("the impairment process does not answer on {}; is the lab up (`pilotctl lab status`)?", control.display())]
    Unanswered {
        /// The control socket.
        control: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It answered no.
    #[error("the impairment process refused: {reason}")]
    Refused {
        /// Why.
        reason: String,
    },
    /// It answered something else.
    #[error("the impairment process answered what this version does not understand; restart the lab")]
    Strange {
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

/// A client of one impairment process.
#[derive(Clone, Debug)]
pub struct Client {
    control: PathBuf,
}

/// The client's own address, removed when the exchange is over.
struct Mailbox(PathBuf);

impl Drop for Mailbox {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Client {
    /// Makes a client of the process with this control socket.
    #[must_use]
    pub fn new(control: &Path) -> Self {
        Self { control: control.to_owned() }
    }

    /// Replaces what a direction of a link does.
    ///
    /// # Errors
    /// When nobody answers or there is no such link.
    pub fn set(&self, link: &str, direction: Direction, impairment: Impairment) -> Result<(), ImpairError> {
        self.ask(&Request::Set { link: link.to_owned(), direction, impairment }).map(|_| ())
    }

    /// Reads settings and counters of every link.
    ///
    /// # Errors
    /// When nobody answers.
    pub fn state(&self) -> Result<BTreeMap<String, LinkState>, ImpairError> {
        match self.ask(&Request::State)? {
            Reply::State { links } => Ok(links),
            Reply::Done | Reply::Refused { .. } => Err(ImpairError::Refused { reason: "it gave no state".to_owned() }),
        }
    }

    fn ask(&self, request: &Request) -> Result<Reply, ImpairError> {
        let strange = |source| ImpairError::Strange { source };
        let bytes = self.exchange(&serde_json::to_vec(request).map_err(strange)?);
        let bytes = bytes.map_err(|source| ImpairError::Unanswered { control: self.control.clone(), source })?;
        match serde_json::from_slice(&bytes).map_err(strange)? {
            Reply::Refused { reason } => Err(ImpairError::Refused { reason }),
            reply => Ok(reply),
        }
    }

    fn exchange(&self, request: &[u8]) -> std::io::Result<Vec<u8>> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("{}.{}.{}", self.control.display(), std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let mailbox = Mailbox(PathBuf::from(name));
        let socket = UnixDatagram::bind(&mailbox.0)?;
        socket.set_read_timeout(Some(ANSWER_WITHIN))?;
        socket.send_to(request, &self.control)?;
        let mut buffer = vec![0u8; MAX_DATAGRAM];
        let length = socket.recv(&mut buffer)?;
        buffer.truncate(length);
        Ok(buffer)
    }
}
