//! Use cases and their shapes: what the CLI, the server and the window can ask of a running engine.
//!
//! One list of commands ([`Api::call`]); shapes are exported to TypeScript by the tests of this crate. It translates, and holds no rule.

mod agents;
mod call;
mod churn;
mod evidence;
mod exports;
mod gnmi_feed;
mod health;
mod import;
mod intake;
mod lab;
mod peers;
#[cfg(test)]
mod recorded;
mod replay;
mod routes;
mod saved;
mod sentence;
mod series;
mod timeline;
mod token;
mod topics;
mod topology;
mod twin;
mod view;
mod volumes;
mod why;

pub use self::twin::{ForecastView, OutcomeView, PathOutcomeView, ShiftView, TwinView, ValidationView};
pub use crate::lab::{LabControl, LabView, Laboratory, StrikeArguments};
pub use agents::{AgentView, AlertView, ChatArguments, ChatView, SampleView};
pub use call::{Api, CommandName};
pub use churn::{ChurnView, ChurnWindowView};
pub use evidence::EvidenceView;
pub use exports::ExportView;
pub use gnmi_feed::{CertificateView, SubscriptionView};
pub use health::{DeviceSeries, ExitSeries, HealthView, PathSeries};
pub use import::{FoundView, ImportArguments, ImportStep, ImportView, ImportedView};
pub use intake::{BmpIntake, IntakeView};
pub use peers::{PeerPrefixes, PeerTableView, PeerView, StatisticView};
pub use replay::{CaptureFile, ReplayArguments, ReplayView, captures};
pub use routes::{ROUTES_MAX, ROUTES_USUAL, RoutesArguments, RoutesView, route_row, table_row};
pub use sentence::sentence;
pub use series::{MeasurementArguments, MeasurementRow, MeasurementView, SeriesView, digits};
pub use timeline::{Timeline, TimelineEntry};
pub use token::fresh_token;
pub use topics::{TopicArguments, TopicMessage, TopicMessages, TopicView};
pub use topology::{LinkView, NodeView, PrefixView, RouteView, TopologyView};
pub use view::{
    AgreementView, ApiError, ApproveArguments, ChangeView, CheckVerdict, CheckView, DeviceView, FindingView, PayloadView, ProbeView,
    ProposalRow, ProposalView, RejectArguments, ReportView, StatusView,
};
pub use volumes::{DoorView, ExitVolume, VolumesView};
pub use why::{ExplainArguments, ExplainView};
