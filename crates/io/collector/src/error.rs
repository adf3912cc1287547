//! What can go wrong between a socket and an observation, each with a stable code and the next step.

use action::DeviceId;
use bmp::FrameError;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

/// A failure of the collector. The text starts with its code.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// The BMP port cannot be taken.
    #[error("PH-COLL-001: listening for BMP on {address} failed; is another collector running, or is the address not ours?")]
    Bind {
        /// Where.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A sender that no device of the inventory has.
    #[error("PH-COLL-002: BMP connection from {address} refused: no device of the inventory sends from there; add it, or stop the sender")]
    UnknownSender {
        /// Who.
        address: IpAddr,
    },
    /// The stream is not BMP.
    #[error("PH-COLL-003: {device}: the BMP stream cannot be followed; the session was closed and the listener goes on")]
    NotBmp {
        /// The router.
        device: DeviceId,
        /// Where.
        #[source]
        source: FrameError,
    },
    /// The stream ended inside a message.
    #[error("PH-COLL-004: {device}: the BMP stream ended {pending} bytes into a message; the router will connect again")]
    CutShort {
        /// The router.
        device: DeviceId,
        /// Bytes of the unfinished message.
        pending: usize,
    },
    /// Reading failed.
    #[error("PH-COLL-005: {device}: reading the BMP stream failed; the router will connect again")]
    Read {
        /// The router.
        device: DeviceId,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A message was begun and not finished, or none came at all.
    #[error("PH-COLL-006: {device}: no whole BMP message within {waited:?}; the session was closed so that the router starts over")]
    Stalled {
        /// The router.
        device: DeviceId,
        /// How long.
        waited: Duration,
    },
    /// The inventory has no gNMI target for the device.
    #[error("PH-COLL-010: {device} has no gNMI target; add `gnmi` to it in the inventory")]
    NoTarget {
        /// The device.
        device: DeviceId,
    },
    /// The target's address is none.
    #[error("PH-COLL-011: {device}: {address:?} is no gNMI address; write host:port, or the host alone to have the usual ports tried")]
    Address {
        /// The device.
        device: DeviceId,
        /// As written.
        address: String,
    },
    /// Plaintext outside loopback and labs.
    #[error("PH-COLL-012: {device}: gNMI without TLS to {address} is refused outside loopback and labs; give the CA of the target")]
    Plaintext {
        /// The device.
        device: DeviceId,
        /// Where.
        address: String,
    },
    /// A certificate or key file cannot be read.
    #[error("PH-COLL-013: {device}: {file} cannot be read; check the path and its rights")]
    TlsFile {
        /// The device.
        device: DeviceId,
        /// Which file.
        file: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A certificate file without what is needed.
    #[error("PH-COLL-023: {device}: {file} cannot be used: {what}")]
    TlsText {
        /// The device.
        device: DeviceId,
        /// Which file.
        file: String,
        /// What is wrong with it.
        what: String,
    },
    /// None of the usual ports answers.
    #[error("PH-COLL-024: {device}: no port is given for {host}, and none of the usual ones answers gNMI: {tried}; write host:port")]
    NoPort {
        /// The device.
        device: DeviceId,
        /// Where.
        host: String,
        /// Each port with what it said.
        tried: String,
    },
    /// A file of profiles that cannot be used.
    #[error("PH-COLL-026: {}: {what}", path.display())]
    ProfileFile {
        /// File or directory.
        path: std::path::PathBuf,
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// A profile of the operator's that is wrong.
    #[error("PH-COLL-027: a gNMI profile cannot be used; correct the file")]
    OwnProfile(#[source] gnmi::ProfileError),
    /// The target cannot be reached, or its certificate does not fit.
    #[error("PH-COLL-014: {device}: gNMI connection to {address} failed ({why}); is the target up, and does its certificate fit?")]
    Connect {
        /// The device.
        device: DeviceId,
        /// Where.
        address: String,
        /// The whole chain of causes.
        why: String,
    },
    /// The target answered with a status.
    #[error("PH-COLL-015: {device}: {operation} ended with {code:?}: {message:?}")]
    Refused {
        /// The device.
        device: DeviceId,
        /// Which call.
        operation: &'static str,
        /// gRPC code.
        code: tonic::Code,
        /// The server's words (tainted).
        message: String,
    },
    /// The target ended the stream without a status.
    #[error("PH-COLL-016: {device}: the target ended the subscription without a word")]
    Ended {
        /// The device.
        device: DeviceId,
    },
    /// The target offers no encoding that we read.
    #[error("PH-COLL-017: {device}: the target offers no encoding that we read (JSON_IETF, JSON, PROTO, ASCII)")]
    Encoding {
        /// The device.
        device: DeviceId,
    },
    /// A password that cannot be sent as metadata.
    #[error("PH-COLL-018: {device}: user name or password holds characters that gRPC metadata cannot carry")]
    Credential {
        /// The device.
        device: DeviceId,
    },
    /// No answer in time.
    #[error("PH-COLL-019: {device}: {operation} got no answer within {waited:?}")]
    Unanswered {
        /// The device.
        device: DeviceId,
        /// Which call.
        operation: &'static str,
        /// How long.
        waited: Duration,
    },
    /// The flow port cannot be taken.
    #[error("PH-COLL-021: listening for flow export on {address} failed; is another collector running, or is the address not ours?")]
    FlowBind {
        /// Where.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A flow exporter that no device of the inventory is.
    #[error("PH-COLL-022: flow export from {address} refused: no device of the inventory sends from there; add it, or stop the sender")]
    UnknownExporter {
        /// Who.
        address: IpAddr,
    },
    /// No profile for the target.
    #[error("PH-COLL-025: {device}: what to subscribe to is not known; correct `profile` of its gNMI target in the inventory")]
    Profile {
        /// The router.
        device: DeviceId,
        /// Why.
        #[source]
        source: gnmi::ProfileError,
    },
    /// A confirmed commit was asked of a target that does not announce it.
    #[error("PH-COLL-045: {device} does not announce the gNMI commit-confirmed extension; nothing was sent, use NETCONF for this change")]
    NoConfirmedCommit {
        /// The target.
        device: DeviceId,
    },
    /// A confirmed commit outside the bounds.
    #[error(
        "PH-COLL-046: confirmed commit {id:?} with {rollback:?} until rollback: 1–64 bytes and 10–3600 s are allowed; nothing was sent"
    )]
    ConfirmedCommit {
        /// Its name, cut.
        id: String,
        /// Asked.
        rollback: Duration,
    },
    /// A probe rate outside the bounds.
    #[error("PH-COLL-020: probe rate {hz}/s for {seconds} s is outside 1–20/s and 1–600 s")]
    ProbeRate {
        /// Asked.
        hz: u32,
        /// Asked.
        seconds: u32,
    },
}

impl CollectError {
    /// Returns the error with all its causes, as one line for the operator.
    #[must_use]
    pub fn chain(&self) -> String {
        chain(self)
    }
}

/// Joins an error and its sources, leaving out those whose text the one above already ends with.
pub(crate) fn chain(error: &dyn core::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !text.ends_with(&words) {
            text = format!("{text}: {words}");
        }
        next = cause.source();
    }
    text
}
