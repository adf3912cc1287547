//! What can be wrong with a message, where, and what it costs (RFC 7606).

use crate::message::RouteMonitoring;
use serde::{Deserialize, Serialize};

/// What a fault costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// The attribute is ignored, the routes stay (RFC 7606 §2, "attribute discard").
    AttributeDiscard,
    /// The announced routes count as withdrawn (RFC 7606 §2, "treat-as-withdraw").
    TreatAsWithdraw,
    /// A router would have to reset the BGP session (RFC 7606 §2); here the message is dropped and counted.
    SessionReset,
    /// The BMP message is dropped and counted; the session goes on.
    MessageDiscard,
}

impl Action {
    /// Returns the stable name (`treat_as_withdraw`).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AttributeDiscard => "attribute_discard",
            Self::TreatAsWithdraw => "treat_as_withdraw",
            Self::SessionReset => "session_reset",
            Self::MessageDiscard => "message_discard",
        }
    }
}

/// A fault in one attribute that cost no route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Offset of the attribute's first byte in the BMP message.
    pub offset: usize,
    /// What is wrong, with the section that says so.
    pub error: String,
    /// What it cost.
    pub action: Action,
}

/// A message that could not be taken as it is. It costs this message, never the session.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("at byte {offset} of the BMP message: {what}; {}", .action.name())]
pub struct DecodeError {
    /// Offset of the faulty field's first byte in the BMP message.
    pub offset: usize,
    /// What it costs.
    pub action: Action,
    /// What is wrong, with the section that says so.
    pub what: String,
    /// Of an UPDATE: the peer and the routes to withdraw, nothing announced. With [`Action::SessionReset`] those that could be read.
    pub salvage: Option<Box<RouteMonitoring>>,
}

impl DecodeError {
    pub(crate) const fn new(offset: usize, action: Action, what: String) -> Self {
        Self { offset, action, what, salvage: None }
    }

    pub(crate) const fn with_action(mut self, action: Action) -> Self {
        self.action = action;
        self
    }
}
