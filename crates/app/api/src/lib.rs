//! Use cases and their shapes: what the CLI, the server and the window can ask of a running engine.
//!
//! One list of commands ([`Api::call`]); shapes are exported to TypeScript by the tests of this crate. It translates, and holds no rule.

mod call;
mod sentence;
mod token;
mod view;

pub use call::Api;
pub use sentence::sentence;
pub use token::fresh_token;
pub use view::{
    AgreementView, ApiError, ApproveArguments, ChangeView, CheckView, DeviceView, FindingView, PayloadView, ProbeView, ProposalView,
    RejectArguments, StatusView,
};
