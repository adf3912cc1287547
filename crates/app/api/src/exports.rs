//! How the ways out to programs of others stand.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// One export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct ExportView {
    /// `prometheus`, `influx` or `kafka`.
    pub name: String,
    /// Where it goes, without any secret.
    pub to: String,
    /// The last attempt succeeded.
    pub connected: bool,
    /// Points or messages sent.
    #[ts(type = "number")]
    pub sent: u64,
    /// Those that wait.
    #[ts(type = "number")]
    pub queued: u64,
    /// Those lost because the receiver took nothing for too long, or would never take them.
    #[ts(type = "number")]
    pub dropped: u64,
    /// Why the last attempt that failed did.
    pub last_error: Option<String>,
}
