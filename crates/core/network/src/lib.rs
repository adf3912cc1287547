//! What is: devices, sessions, the tables of all peers, interfaces, probe results, volumes, and how old each of them is.
//!
//! [`Network::observe`] takes one [`Observation`] at a time, in the order of the log, and is the only way in for what devices tell;
//! [`Origins::take`] is it for what origin validation goes by. Neither judges anything.
//! Losing a transport marks data stale and withdraws nothing; a reported Peer Down withdraws that peer's routes (RFC 7854 §4.9),
//! except those that graceful restart keeps, and they are marked.

mod bmp_session;
mod bogon;
mod counters;
mod exit_in_use;
mod flow_volumes;
mod freshness;
mod gnmi_session;
mod hardware;
mod inventory;
mod leaf;
mod loc_rib;
mod metered;
mod observation;
mod observe;
mod origins;
mod peer_counts;
mod peers;
mod picture;
mod probes;
mod reports;
mod secrets;
mod session;
mod subscription_health;
mod tables;
mod telemetry;
mod window;

pub use bmp_session::{BmpCounts, BmpSession};
pub use counters::CountedMinutes;
pub use flow_volumes::{EDGES_PERMILLE, FlowVolumes, Rates, Reconciled, SETTLE, SLOT, Toward, Unplaced, longest_match};
pub use freshness::{INITIAL_MAX, INITIAL_QUIET, SILENCE_MAX};
pub use gnmi_session::{CertificateEnd, GnmiSession};
pub use hardware::{Gauge, GaugeKey, Hardware, Memory, Reading};
pub use inventory::{
    BmpSource, CommunityEffect, CommunityMeaning, Credential, DeviceRole, DeviceSpec, ExitSpec, GnmiEndpoint, Inventory, NeighborRole,
    NetconfEndpoint, Provider, SlaLimits, TargetGroup, TlsPolicy, VitalPrefix,
};
pub use observation::{BmpEvent, ConfigEvent, GnmiEvent, Observation};
pub use origins::{BeforeChange, OriginEvent, OriginStanding, Origins};
pub use peer_counts::{CountSource, PathChanges, PrefixCount};
pub use peers::{BmpPeer, Statistic};
pub use picture::{
    Device, DeviceConfig, ErrorCounters, Freshness, Interface, LocRoute, Network, Opened, Probe, ProbeKey, ProbeSample, ProbeSource,
    RouteRepair, Session, SessionKey, SessionState, SystemTimes, Volume, VolumeSource,
};
pub use reports::{REPORT_WINDOW, REPORTS_MAX, REPORTS_PER_WINDOW, Report, ReportCounts, Reports};
pub use subscription_health::{SubscriptionHealth, SubscriptionState};
pub use tables::{AdjRib, PeerTable};
pub use window::ProbeWindow;
