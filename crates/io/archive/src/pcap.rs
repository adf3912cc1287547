//! Packet captures: pcap and pcapng, TCP streams put together again, datagrams kept.
//!
//! ```text
//! file → packets (time, link type, bytes) → IP → TCP flows → Event::Bytes / Event::Lost
//!                                              → UDP       → Event::Datagram
//! ```
//! Packets are taken in the order of the file. Nothing here panics on any bytes; every buffer is bounded.

mod file;
mod layers;
mod tcp;

pub use file::FileError;
pub use tcp::{MAX_FLOWS, MAX_PENDING_BYTES};

use core::net::SocketAddr;
use serde::Serialize;
use std::io::Read;

/// One direction of a TCP connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Flow {
    /// Who sent.
    pub src: SocketAddr,
    /// To whom.
    pub dst: SocketAddr,
}

/// A UDP datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// When it was captured, nanoseconds since the Unix epoch.
    pub time: i64,
    /// Who sent.
    pub src: SocketAddr,
    /// To whom.
    pub dst: SocketAddr,
    /// What it carries.
    pub payload: Vec<u8>,
}

/// What a capture gives, in the order of its packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The next bytes of a flow.
    Bytes {
        /// Which.
        flow: Flow,
        /// A number of its own for each connection; a port used again is another connection.
        connection: u64,
        /// Time of the packet that completed them, nanoseconds since the Unix epoch.
        time: i64,
        /// Offset of the first in the stream.
        offset: u64,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// Bytes that no packet of the capture holds.
    Lost {
        /// Of which flow.
        flow: Flow,
        /// Of which connection.
        connection: u64,
        /// Offset of the first in the stream.
        offset: u64,
        /// How many.
        bytes: u64,
    },
    /// A datagram.
    Datagram(Datagram),
}

/// What was seen on the way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Packets in the file.
    pub packets: u64,
    /// Packets cut by the capture's snap length; what is missing shows as loss.
    pub cut: u64,
    /// IP fragments; they are not put together.
    pub fragments: u64,
    /// Packets that are neither TCP nor UDP, or of a link type that is not read.
    pub other: u64,
    /// TCP segments dropped because more flows are open than [`MAX_FLOWS`].
    pub beyond_flows: u64,
}

/// Reads a capture to its end.
///
/// # Errors
/// [`FileError`] where the file is no capture, or is damaged; what came before was given.
pub fn read(input: impl Read, mut each: impl FnMut(Event)) -> Result<Counts, FileError> {
    let mut file = file::Packets::new(input)?;
    let (mut counts, mut flows) = (Counts::default(), tcp::Flows::default());
    let ended = loop {
        match file.next() {
            Ok(Some(packet)) => {
                counts.packets += 1;
                counts.cut += u64::from(packet.cut);
                match layers::read(packet.link, &packet.bytes) {
                    layers::Found::Tcp(segment) => counts.beyond_flows += u64::from(!flows.take(packet.time, &segment, &mut each)),
                    layers::Found::Udp { src, dst, payload } => {
                        each(Event::Datagram(Datagram { time: packet.time, src, dst, payload: payload.to_vec() }));
                    }
                    layers::Found::Fragment => counts.fragments += 1,
                    layers::Found::Other => counts.other += 1,
                }
            }
            Ok(None) => break Ok(counts),
            Err(error) => break Err(error),
        }
    };
    flows.finish(&mut each);
    ended
}

/// Reads a capture from memory and forgets what it holds: the entry for fuzzing.
///
/// # Errors
/// As [`read`].
pub fn read_bytes(bytes: &[u8]) -> Result<Counts, FileError> {
    read(bytes, |_| {})
}
