//! BMP (RFC 7854): framing with bounds, decoding with visible repairs of known sender faults.
//!
//! Bytes of one TCP stream go into a [`Framer`], whole messages come out, [`decode`] makes a [`Message`] of each with the [`Codec`] of
//! the session (what Peer Up taught about add-path and 4-octet AS numbers). Views of RFC 8671 and RFC 9069 are told apart. A bad
//! attribute costs what RFC 7606 says and no more; a sender's known fault is corrected and named in `repairs`, never in silence.
//! Nothing here panics or allocates more than the message that is decoded justifies. It never touches a socket or a clock.
//!
//! ```text
//! common header (6)                  per-peer header (42)
//! +---------+------------+--------+  +------+-------+---------------+---------+----+--------+-----+------+
//! | version | length (4) |  type  |  | type | flags | distinguisher | address | AS | BGP id | sec | usec |
//! +---------+------------+--------+  +------+-------+---------------+---------+----+--------+-----+------+
//! ```

mod attribute;
mod codec;
mod decode;
mod distinguisher;
mod error;
mod evpn;
mod family;
mod frame;
pub mod json;
mod message;
mod nlri;
mod open;
mod outline;
mod peer;
mod reader;
mod repair;
mod report;
mod tlv;
mod update;

pub use codec::{Codec, PeerContext};
pub use decode::decode;
pub use distinguisher::{Distinguisher, NoDistinguisher};
pub use error::{Action, DecodeError, Fault};
pub use evpn::{EvpnNlri, EvpnRoute};
pub use family::AfiSafi;
pub use frame::{Frame, FrameError, FrameRef, Framer, MAX_MESSAGE_BYTES, MIN_MESSAGE_BYTES};
pub use message::{
    Counter, DownReason, Evpn, Initiation, Labelled, LabelledNlri, Message, Mirroring, MonitoredExtra, Nlri, Notification, PeerDown,
    PeerUp, RouteMonitoring, Statistics, Termination, Tlv, UnreadStatistic,
};
pub use open::{AddPath, Capability, Open};
pub use outline::{Bits, BitsOf, Outline, sent_at};
pub use peer::{Peer, PeerKind, View};
pub use repair::{NoRepair, Repair, Switched};
pub use tlv::{RouteTlv, RouteTlvValue};
