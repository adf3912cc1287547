//! BMP (RFC 7854): framing with bounds, decoding with visible repairs of known sender faults.

use serde::{Deserialize, Serialize};

/// Which table a route was seen in (RFC 7854, RFC 8671, RFC 9069).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum View {
    /// Adj-RIB-In before policy.
    AdjRibInPre,
    /// Adj-RIB-In after policy.
    AdjRibInPost,
    /// Adj-RIB-Out before policy.
    AdjRibOutPre,
    /// Adj-RIB-Out after policy.
    AdjRibOutPost,
    /// Loc-RIB.
    LocRib,
}
