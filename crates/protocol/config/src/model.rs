//! The vendor-neutral model of what a router's configuration says about BGP, policy and the IGP.

mod bgp_settings;
mod policy;
mod wider;

use crate::Vendor;
use bgp::Prefix;
pub use bgp_settings::*;
use core::net::{IpAddr, Ipv4Addr};
pub use policy::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
pub use wider::*;

/// What one router is configured to do, as far as it is modelled.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouterConfig {
    /// Host name.
    pub hostname: String,
    /// Interfaces with addresses and IGP costs, by name.
    pub interfaces: BTreeMap<String, InterfaceConfig>,
    /// The BGP instance of the default network instance, when there is one.
    pub bgp: Option<BgpConfig>,
    /// Static routes.
    pub static_routes: Vec<StaticRoute>,
    /// Prefix sets, community sets and policy definitions.
    pub policy: RoutingPolicy,
    /// Every line that asks for something this model does not hold.
    pub unmodelled: Vec<Unmodelled>,
    /// What contradicts itself or leads nowhere, with what was kept of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Unmodelled>,
    /// Lines that only the wider part of the model holds: who knows only the narrow part takes them for unmodelled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wider: Vec<Unmodelled>,
    /// Settings of the IGP instances.
    #[serde(default)]
    pub igp: IgpSettings,
    /// Whose software reads this configuration.
    #[serde(default)]
    pub vendor: Vendor,
}

/// Settings of the IGP instances.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IgpSettings {
    /// Router id of OSPF, when given.
    pub ospf_router_id: Option<Ipv4Addr>,
    /// `network PREFIX area A` of OSPFv2: interfaces with an address inside take part.
    pub ospf_networks: Vec<(Prefix, String)>,
    /// Routes of other protocols that OSPFv2 announces.
    pub ospf_redistribute: Vec<Redistribution>,
    /// Routes of other protocols that IS-IS announces (IPv4).
    pub isis_redistribute: Vec<Redistribution>,
}

impl RouterConfig {
    /// Says whether an address is one of the router's own.
    #[must_use]
    pub fn owns(&self, address: IpAddr) -> bool {
        self.interfaces.values().any(|i| i.addresses.iter().any(|(a, _)| *a == address))
    }
}

/// A configuration line that is not modelled; shown, never ignored in silence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unmodelled {
    /// Line number, from 1.
    pub line: u32,
    /// The line as written, trimmed.
    pub text: String,
    /// The block it stands in (`router bgp 65001 / address-family ipv4 unicast`), empty at top level.
    pub context: String,
    /// What the model does instead, in words (`ignored: routes of this term keep their MED`); empty where the reader of the dialect gives none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub effect: String,
}

/// One interface.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceConfig {
    /// Addresses with prefix length.
    pub addresses: Vec<(IpAddr, u8)>,
    /// Administrative shutdown.
    pub shutdown: bool,
    /// OSPFv2 on this interface.
    pub igp_v4: Option<IgpInterface>,
    /// OSPFv3 on this interface.
    pub igp_v6: Option<IgpInterface>,
    /// IS-IS on this interface; the area is the instance's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isis: Option<IgpInterface>,
}

/// IGP settings of an interface.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IgpInterface {
    /// Area as written.
    pub area: String,
    /// Cost; `None` leaves the router's default (FRR: reference bandwidth 100 Gbit/s over interface speed, 10 where speed is unknown).
    pub cost: Option<u32>,
    /// Announced but without adjacencies.
    pub passive: bool,
}

/// A static route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaticRoute {
    /// Destination.
    pub prefix: Prefix,
    /// Next hop; `None` is a null route.
    pub next_hop: Option<IpAddr>,
    /// Administrative distance; 1 unless set.
    pub distance: u8,
    /// `tag`; 0 unless set.
    #[serde(default)]
    pub tag: u32,
}

impl Unmodelled {
    /// Says what a computation without this line leaves out, or does instead.
    #[must_use]
    pub fn effect(&self) -> &str {
        if !self.effect.is_empty() {
            return &self.effect;
        }
        let words: Vec<&str> = self.text.split_whitespace().collect();
        match words[..] {
            ["set", "metric", "rtt" | "+rtt" | "-rtt"] => {
                "the MED follows measured round-trip times: what this term makes of a route is not known"
            }
            ["match", "probability", _] => "matches by chance: which routes pass is not known",
            ["set", "distance", _] | ["distance", ..] => "only the router's choice between protocols, no BGP table",
            ["set", "table" | "label-index", _] | ["set", "ipv6", "next-hop", "prefer-global"] => "only forwarding, no BGP table",
            ["set", "extcommunity", "bandwidth", ..] => "only shares of load, no choice of a path",
            ["set" | "match" | "on-match" | "continue" | "call", ..] => {
                "what this term makes of a route is not known; the route is shown as not arriving"
            }
            ["neighbor" | "no", ..] if self.context.starts_with("router bgp") => "the session or what crosses it may differ",
            ["address-family", ..] => "routes of this family are not computed",
            ["ip" | "ipv6", "route", ..] => "next hops and redistribution may differ",
            ["ip" | "ipv6" | "bgp" | "access-list", ..] if self.context.is_empty() => "policies that use this list are not known",
            _ if self.context.starts_with("interface")
                || self.context.starts_with("router ospf")
                || self.context.starts_with("router isis") =>
            {
                "sessions and IGP metrics may differ"
            }
            ["vrf" | "router", ..] => "nothing in this block is computed",
            _ if self.context.starts_with("router bgp") => "choices of this router may differ",
            _ => "not known",
        }
    }
}
