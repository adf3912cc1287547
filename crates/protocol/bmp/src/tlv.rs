//! What stands beside the UPDATE in a version 4 Route Monitoring message (draft-ietf-grow-bmp-tlv §4.2).
//!
//! ```text
//! type (2) | length (2) | index (2): 0 the whole message, n its n-th NLRI, highest bit: a group of NLRI | value
//! ```

use crate::error::DecodeError;
use crate::open::{Capability, capability};
use crate::reader::Reader;
use serde::{Deserialize, Serialize};

/// Type of the TLV that holds the UPDATE itself.
const BGP_MESSAGE: u16 = 4;
/// TLVs kept of one message: a message that marks each path on its own has as many as NLRI; the frame bounds those.
const MAX_TLVS: usize = 4096;

/// Bits of a path's status and their names (draft-ietf-grow-bmp-path-marking-tlv §2).
const STATUS: [(u32, &str); 12] = [
    (0x001, "invalid"),
    (0x002, "best"),
    (0x004, "non_selected"),
    (0x008, "primary"),
    (0x010, "backup"),
    (0x020, "non_installed"),
    (0x040, "best_external"),
    (0x080, "add_path"),
    (0x100, "filtered_in_inbound_policy"),
    (0x200, "filtered_in_outbound_policy"),
    (0x400, "stale"),
    (0x800, "suppressed"),
];

/// A TLV with what it is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteTlv {
    /// 0: the whole message; n: its n-th NLRI; with the highest bit: a group that a [`RouteTlvValue::Group`] made.
    pub index: u16,
    /// What it says.
    pub value: RouteTlvValue,
}

/// What it says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RouteTlvValue {
    /// 1: a capability without which the UPDATE cannot be read, so that no Peer Up is needed.
    StatelessParsing(Capability),
    /// 2: indexes of the NLRI in a group.
    Group(Vec<u16>),
    /// 3: VRF or table.
    VrfTableName(String),
    /// 5: what became of a path.
    PathMarking {
        /// Status bits as they came.
        status: u32,
        /// Why, as a number, where the sender says.
        reason: Option<u16>,
    },
    /// Any other, and one whose value does not fit its type: type and value.
    Other(u16, Vec<u8>),
}

impl RouteTlvValue {
    /// Returns the names of a path's status bits; bits without a name are left out.
    pub fn status_names(status: u32) -> impl Iterator<Item = &'static str> {
        STATUS.iter().filter(move |(bit, _)| status & bit != 0).map(|(_, name)| *name)
    }
}

/// Reads all TLVs; the second value is the UPDATE, if there is one.
pub(crate) fn read<'a>(r: &mut Reader<'a>) -> Result<(Vec<RouteTlv>, Option<Reader<'a>>), DecodeError> {
    let (mut out, mut update) = (Vec::new(), None);
    while !r.is_empty() {
        let kind = r.u16("a TLV type")?;
        let length = r.u16("a TLV length")?;
        let index = r.u16("a TLV index")?;
        let value = r.sub(usize::from(length), "a TLV")?;
        if kind == BGP_MESSAGE && update.is_none() {
            update = Some(value);
        } else if out.len() < MAX_TLVS {
            out.push(RouteTlv { index, value: known(kind, value).unwrap_or_else(|| RouteTlvValue::Other(kind, value.rest().to_vec())) });
        }
    }
    Ok((out, update))
}

fn known(kind: u16, mut value: Reader<'_>) -> Option<RouteTlvValue> {
    match kind {
        1 => {
            let code = value.u8("").ok()?;
            let length = value.u8("").ok()?;
            Some(RouteTlvValue::StatelessParsing(capability(code, value.sub(usize::from(length), "").ok()?)))
        }
        2 if value.left().is_multiple_of(2) => {
            let (words, _) = value.rest().as_chunks::<2>();
            Some(RouteTlvValue::Group(words.iter().map(|w| u16::from_be_bytes(*w)).collect()))
        }
        3 => Some(RouteTlvValue::VrfTableName(String::from_utf8_lossy(value.rest()).into_owned())),
        5 if matches!(value.left(), 4 | 6) => {
            let status = value.u32("").ok()?;
            Some(RouteTlvValue::PathMarking { status, reason: value.u16("").ok() })
        }
        _ => None,
    }
}
