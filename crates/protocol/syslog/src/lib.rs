//! Syslog messages (RFC 5424, RFC 3164) and what they say about a network.
//!
//! [`parse`] takes whatever a datagram or frame holds and never refuses it: what does not read is text, with the offset where reading
//! stopped. [`Framer`] cuts a TCP stream into frames (RFC 6587). [`classify`] names what changed: a configuration, a BGP session, a link,
//! an optic. Time is an argument; a date without a year means the one nearest to the time of receipt. All text is from devices, tainted:
//! control characters are made visible here, before anybody shows it.

mod classify;
mod date;
mod frame;
mod message;
mod patterns;
mod text;

pub use classify::{Event, Kind, classify};
pub use frame::{FRAME_BYTES_MAX, Frame, FrameError, Framer, Framing};
pub use message::{Element, Fault, Format, Message, STRUCTURED_MAX, parse};
pub use patterns::{PATTERNS, Pattern};
pub use text::visible;
