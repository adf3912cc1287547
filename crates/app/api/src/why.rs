//! Why a router chose the path that it has: the words of `pilotctl twin solve --explain`, of the chat and of the approval card.

use crate::view::ApiError;
use action::DeviceId;
use bgp::Prefix;
use network::Network;
use serde::{Deserialize, Serialize};
use ts_rs::TS;
use twin::{Picture, Twin};

/// Whose choice is to be explained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct ExplainArguments {
    /// The router.
    pub device: String,
    /// The prefix, exactly as a table has it.
    pub prefix: String,
}

/// A choice, explained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct ExplainView {
    /// The router.
    pub device: String,
    /// The prefix.
    pub prefix: String,
    /// Deciding step with both values, what every other path lost by, the policies on the way, where packets go.
    pub lines: Vec<String>,
    /// Another order of arrival could choose otherwise.
    pub order_dependent: bool,
}

/// Explains a choice as the twin computes it from what the routers told.
///
/// # Errors
/// PH-API-400 for what is no prefix, PH-API-404 without such a router or path, PH-API-409 when the twin cannot be drawn.
pub(crate) fn explain(network: &Network, wanted: &ExplainArguments) -> Result<ExplainView, ApiError> {
    let id = DeviceId::new(&wanted.device);
    let prefix: Prefix = wanted.prefix.parse().map_err(|e| ApiError::new("PH-API-400", format!("{e}")))?;
    if !network.devices.contains_key(&id) {
        return Err(ApiError::new("PH-API-404", format!("there is no device {:?}; `pilotctl status` lists them", wanted.device)));
    }
    let picture = Picture::of(network).map_err(|e| ApiError::new("PH-API-409", format!("the twin cannot be drawn: {e}")))?;
    let none = || ApiError::new("PH-API-404", format!("{id} has no path to {prefix} on the twin"));
    let why = Twin::new(&picture).explain(&id, &prefix).ok_or_else(none)?;
    Ok(ExplainView { device: id.to_string(), prefix: prefix.to_string(), lines: why.lines(), order_dependent: why.order_dependent })
}
