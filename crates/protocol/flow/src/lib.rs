//! Flow export datagrams to flow records: NetFlow v5, NetFlow v9 (RFC 3954), IPFIX (RFC 7011) and sFlow v5.
//!
//! One [`Exporter`] per sender takes its datagrams in the order of arrival and remembers what the format makes it remember: templates,
//! sampling tables, sequence numbers. A faulty set costs that set and is counted, never the exporter. Everything an exporter may make us
//! keep is bounded by a named constant. It knows no clock: the time of arrival is an argument, in nanoseconds since the Unix epoch.
//! It attributes nothing to prefixes or exits; that is done where the tables are.

mod error;
mod exporter;
mod message;
mod packet;
mod reader;
mod record;
mod sampling;
mod sequence;
mod sflow;
mod template;
mod v5;
mod values;

pub use error::FlowError;
pub use exporter::{Counters, Decoded, Exporter, HELD_BYTES_MAX, HELD_FOR_NS, HELD_SETS_MAX};
pub use record::{Direction, FlowRecord, Protocol, Sampling, SamplingSource};
pub use sampling::SAMPLERS_MAX;
pub use sequence::DOMAINS_MAX;
pub use template::{FIELDS_MAX, RECORD_BYTES_MAX, TEMPLATE_LIFE_NS, TEMPLATES_MAX};
