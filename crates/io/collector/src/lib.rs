//! BMP listener and gNMI dialler: sockets in, [`network::Observation`] values out, in the order of arrival.
//!
//! It judges nothing and decodes BMP no further than its framing. Every queue is bounded: when the engine is slow, reading stops and TCP
//! holds the sender back; nothing is dropped. Flow export and syslog come over UDP, which cannot be held back: there, what finds no room is
//! dropped and counted. VRPs come from a cache that is asked ([`RtrCache`]). Losing a transport is one `Closed` with the reason, never an invented withdrawal.
//! By itself it writes nothing but the rate of a probe ([`set_probe_rate`]); [`set`] is the gNMI call that a caller with a permit makes.

mod address;
mod backoff;
mod bmp_listener;
mod bmp_session;
mod capabilities;
mod certificate;
mod clock;
mod dial;
mod encoding;
mod error;
mod fit;
mod flow_listener;
mod get;
mod health_watch;
mod probe_rate;
mod profiles;
mod repair_news;
mod rows;
mod rtr_cache;
mod set;
mod subscription;
mod syslog_listener;
mod target;

pub use backoff::Backoff;
pub use bmp_listener::{BmpCounters, BmpListener, DEFAULT_PORT, default_address};
pub use dial::dial;
pub use error::CollectError;
pub use flow_listener::{FLOW_DEFAULT_PORT, FlowBatch, FlowCounters, FlowListener, flow_default_address, flow_exporters};
pub use get::{DataType, get};
pub use probe_rate::{RATE_HZ_MAX, RATE_SECONDS_MAX, set_probe_rate};
pub use profiles::profiles;
pub use rtr_cache::{RtrCache, RtrError};
pub use set::{COMMIT_ID_MAX, ConfirmedCommit, Edit, ROLLBACK_S, announces_confirmed_commit, cancel, confirm, set};
pub use syslog_listener::{Heard, SyslogCounters, SyslogError, SyslogListener, SyslogTls, Transport, syslog_senders};
pub use target::Target;
