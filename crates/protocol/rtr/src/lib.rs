//! RPKI data and the protocol that brings it to routers.
//!
//! [`Vrps`] holds validated ROA payloads and says what origin validation (RFC 6811) makes of a route. They come from a file that a relying
//! party wrote ([`File`]: JSON of Routinator, rpki-client and StayRTR, CSV) or from a cache by RPKI-to-Router ([`Client`], RFC 8210 version 1,
//! RFC 6810 version 0); local exceptions (RFC 8416) are applied by [`Slurm`]. Nothing is validated cryptographically here: that is the relying
//! party's work. No socket, no file, no clock: bytes and the time are arguments. What has expired never counts as data: where it would make a
//! difference, the answer is "not known".

mod client;
mod date;
mod file;
mod pdu;
mod slurm;
mod vrp;

pub use client::{Client, ClientError, Step};
pub use file::{AGE_S_MAX, File, FileError};
pub use pdu::{DecodeError, HEADER_BYTES, Message, PDU_BYTES_MAX, Pdu, Timers, Version, decode};
pub use slurm::{Slurm, SlurmError};
pub use vrp::{BadVrp, VRPS_MAX, Vrp, Vrps, origin};
