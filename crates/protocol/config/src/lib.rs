//! Router configuration in both directions.
//!
//! One model ([`RouterConfig`], [`RoutingPolicy`]), shaped like openconfig-routing-policy, that every dialect maps to. `frr` reads what the
//! router runs (file and line of everything that is not modelled are kept in [`RouterConfig::unmodelled`]), `eos`, `junos` and `iosxr` what
//! others' routers run, as their documentation says; [`read`] tells them apart by content; `openconfig` renders edits
//! as the XML of a NETCONF `edit-config` and reads them back; `edit` applies edits to the model and computes the inverse.
//! Pure: text in, values out.

pub mod edit;
pub mod eos;
mod evaluate;
mod expression;
pub mod frr;
pub mod iosxr;
pub mod junos;
mod model;
mod notes;
pub mod openconfig;
mod outline;
mod program;
pub mod secret;
mod vendor;

pub use bgp::RpkiState;
pub use edit::PolicyEdit;
pub use evaluate::PolicyOutcome;
pub use model::{
    AddPathSend, Aggregate, BestPath, BgpConfig, BgpNetwork, BgpWider, CommunitySet, Condition, ConditionalAdvertisement, Confederation,
    Dampening, FamilyWider, Flow, IgpInterface, IgpSettings, InterfaceConfig, ListEntry, LocalAs, Neighbor, NeighborFamily, NeighborWider,
    PolicyDefinition, PolicyResult, PolicyWider, PrefixEntry, PrefixSet, Protocol, Redistribution, RemovePrivate, Role, RouteAction,
    RouterConfig, RoutingPolicy, Statement, StaticRoute, Unchanged, Unmodelled, WiderAction, WiderCondition,
};
pub use vendor::{ReadError, Vendor, read, recognise};

#[cfg(test)]
mod generate;
