//! Router configuration in both directions.
//!
//! One model ([`RouterConfig`], [`RoutingPolicy`]), shaped like openconfig-routing-policy, that every dialect maps to. `frr` reads what the
//! router runs (file and line of everything that is not modelled are kept in [`RouterConfig::unmodelled`]); `openconfig` renders edits
//! as the XML of a NETCONF `edit-config` and reads them back; `edit` applies edits to the model and computes the inverse.
//! Pure: text in, values out.

pub mod edit;
mod evaluate;
pub mod frr;
mod model;
pub mod openconfig;
pub mod secret;

pub use edit::PolicyEdit;
pub use evaluate::PolicyOutcome;
pub use model::{
    AddPathSend, Aggregate, BestPath, BgpConfig, BgpNetwork, BgpWider, CommunitySet, Condition, ConditionalAdvertisement, Confederation,
    Dampening, FamilyWider, Flow, IgpInterface, IgpSettings, InterfaceConfig, ListEntry, LocalAs, Neighbor, NeighborFamily, NeighborWider,
    PolicyDefinition, PolicyResult, PolicyWider, PrefixEntry, PrefixSet, Protocol, Redistribution, RemovePrivate, Role, RouteAction,
    RouterConfig, RoutingPolicy, RpkiState, Statement, StaticRoute, Unchanged, Unmodelled, WiderAction, WiderCondition,
};

#[cfg(test)]
mod generate;
