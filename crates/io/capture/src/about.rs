//! What a capture says of itself.

use serde::{Deserialize, Serialize};
use units::Timestamp;

/// Who made a capture, of what. Nothing in it is needed to read the frames.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// `pilothouse`, or another program that writes captures.
    pub program: String,
    /// Its version.
    pub version: String,
    /// Shape of the inputs ([`pilot::INPUT_SCHEMA`]).
    pub schema: u32,
    /// Site or lab.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// When it was begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun: Option<Timestamp>,
    /// Texts that people wrote were taken out.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub redacted: bool,
    /// How to read it, for whoever finds the file.
    pub read_with: String,
}

impl Default for About {
    fn default() -> Self {
        Self {
            program: "pilothouse".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            schema: pilot::INPUT_SCHEMA,
            site: None,
            begun: None,
            redacted: false,
            read_with: "pilotctl capture info".to_owned(),
        }
    }
}

impl About {
    /// What is known of a file of format 1.
    pub(crate) fn of_format_1() -> Self {
        Self { version: "before 0.1".to_owned(), schema: 1, ..Self::default() }
    }
}
