//! gNMI on the wire: generated messages and their conversion to and from [`gnmi`] values.
//!
//! Paths become absolute (prefix joined), module prefixes are stripped, the deprecated `element` form is read; JSON is parsed here and
//! nowhere else. Input comes from `proto/`, which is written by us and proven against foreign peers.

/// Generated from `proto/gnmi.proto`.
#[allow(missing_docs, clippy::all, clippy::pedantic, unused_qualifications, reason = "generated")]
pub mod proto {
    /// Generated from `proto/gnmi_ext.proto`.
    pub mod gnmi_ext {
        tonic::include_proto!("gnmi_ext");
    }
    /// Generated from `proto/gnmi.proto`.
    pub mod gnmi {
        tonic::include_proto!("gnmi");
    }
}

mod convert;
pub mod dump;
pub mod entries;
pub mod protojson;

pub use convert::{ConvertError, json_ietf, notification_from_wire, path_from_wire, path_to_wire, value_from_wire, value_to_wire};
pub use proto::gnmi as wire;
