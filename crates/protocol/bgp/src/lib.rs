//! BGP words: autonomous system numbers, prefixes, path attributes and the announcements that carry them.
//!
//! Values only. Bytes become these values in `bmp` (and later MRT); this crate promises canonical forms (a prefix has no host bits)
//! and one spelling of each value, and never touches a socket.

mod attributes;
mod extended;
mod prefix;

pub use attributes::{Aggregator, AsPath, Community, LargeCommunity, Origin, PathAttributes, Segment};
pub use extended::ExtendedCommunity;
pub use prefix::{Family, Prefix};

use core::fmt;
use serde::{Deserialize, Serialize};

/// An autonomous system number, four octets (RFC 6793), shown as asplain (RFC 5396).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Asn(pub u32);

impl fmt::Display for Asn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Outcome of route origin validation (RFC 6811 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RpkiState {
    /// A VRP covers it with this origin and length.
    Valid,
    /// VRPs cover it, none fits.
    Invalid,
    /// No VRP covers it.
    NotFound,
}

impl fmt::Display for RpkiState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Valid => "valid",
            Self::Invalid => "invalid",
            Self::NotFound => "not found",
        })
    }
}

/// A text that is not the value it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {what}")]
pub struct ParseError {
    /// What was expected, with its form.
    pub what: &'static str,
    /// The text as given, cut to 80 characters.
    pub text: String,
}

impl ParseError {
    pub(crate) fn new(what: &'static str, text: &str) -> Self {
        Self { what, text: text.chars().take(80).collect() }
    }
}
