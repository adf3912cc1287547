//! What reached us from a device, as it is logged: one value per message, before anything is judged.

use crate::{CertificateEnd, SubscriptionHealth};
use action::DeviceId;
use flow::FlowRecord;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One thing that a device told us.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "source")]
pub enum Observation {
    /// From a BMP session.
    Bmp {
        /// The router.
        device: DeviceId,
        /// What happened.
        event: BmpEvent,
    },
    /// From a gNMI subscription.
    Gnmi {
        /// The target.
        device: DeviceId,
        /// What happened.
        event: GnmiEvent,
    },
    /// A configuration read by NETCONF.
    Config {
        /// The device.
        device: DeviceId,
        /// What happened.
        event: ConfigEvent,
    },
    /// Flow records of one datagram.
    Flow {
        /// Who exported them.
        device: DeviceId,
        /// In the order of the datagram.
        records: Vec<FlowRecord>,
    },
    /// One syslog message.
    Syslog {
        /// Who sent it.
        device: DeviceId,
        /// Its bytes, as hex in the log; at most [`syslog::FRAME_BYTES_MAX`].
        #[serde(with = "hex_bytes")]
        bytes: Vec<u8>,
    },
}

/// An event of a BMP session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum BmpEvent {
    /// The router connected.
    Connected,
    /// One whole BMP message, common header included, as hex in the log.
    Message {
        /// The raw bytes.
        #[serde(with = "hex_bytes")]
        bytes: Vec<u8>,
    },
    /// The transport ended; data becomes stale, nothing is withdrawn.
    Closed {
        /// Why, for the operator.
        reason: String,
    },
}

/// An event of a gNMI subscription.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum GnmiEvent {
    /// The stream is open.
    Connected,
    /// One notification.
    Notification {
        /// Its content.
        notification: gnmi::Notification,
    },
    /// Whether the subscriptions deliver: told when that changes, all of them, in the order asked for.
    Health {
        /// One a subscription.
        subscriptions: Vec<SubscriptionHealth>,
    },
    /// Known sender faults were corrected in what followed the last such event: name (`gnmi::Repair::name`) and how often.
    Repaired {
        /// By name.
        repairs: BTreeMap<String, u64>,
    },
    /// The certificates of the connection, before the stream is open.
    Certificates {
        /// Those that could be read.
        certificates: Vec<CertificateEnd>,
    },
    /// The stream is open, but not as it was wished for.
    Warning {
        /// With its code, for the operator.
        text: String,
    },
    /// `sync_response`: the initial state is complete.
    Synced,
    /// The stream ended; data becomes stale.
    Closed {
        /// Why, for the operator.
        reason: String,
    },
}

/// An event of reading a configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum ConfigEvent {
    /// The running configuration, native text.
    Read {
        /// The text.
        text: String,
        /// Digest of the running configuration as the executor computes it, hex SHA-256.
        digest: String,
    },
    /// It could not be read.
    Failed {
        /// Why, for the operator.
        reason: String,
    },
}

mod hex_bytes {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(bytes: &[u8], s: S) -> Result<S::Ok, S::Error> {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = String::with_capacity(bytes.len() * 2);
        for b in bytes {
            text.push(char::from(DIGITS[usize::from(b >> 4)]));
            text.push(char::from(DIGITS[usize::from(b & 15)]));
        }
        s.serialize_str(&text)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(d)?;
        if text.len() % 2 != 0 {
            return Err(D::Error::custom("odd number of hex digits"));
        }
        text.as_bytes()
            .chunks_exact(2)
            .map(|c| {
                let digit = |b: u8| char::from(b).to_digit(16).ok_or_else(|| D::Error::custom("not a hex digit"));
                u8::try_from(digit(c[0])? * 16 + digit(c[1])?).map_err(D::Error::custom)
            })
            .collect()
    }
}
