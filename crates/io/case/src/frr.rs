//! Tables as FRR shows them: `show bgp ipv4 unicast detail json`.

use core::net::IpAddr;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `show bgp … detail json` of one router, under the keys of `frr-8.4.4-tables.json`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Shown {
    /// Prefix to paths, IPv4.
    pub detail: BTreeMap<String, ShownPrefix>,
    /// The same for IPv6.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub detail_v6: BTreeMap<String, ShownPrefix>,
}

/// One prefix.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ShownPrefix {
    /// Paths, in the router's list order.
    #[serde(default)]
    pub paths: Vec<ShownPath>,
}

/// One path.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ShownPath {
    /// AS_PATH.
    pub aspath: ShownAsPath,
    /// MED.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metric: Option<u32>,
    /// LOCAL_PREF.
    #[serde(rename = "locPrf", skip_serializing_if = "Option::is_none")]
    pub local_pref: Option<u32>,
    /// Weight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<u32>,
    /// ORIGIN.
    #[serde(default)]
    pub origin: String,
    /// Communities.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub community: Option<ShownCommunity>,
    /// Large communities.
    #[serde(rename = "largeCommunity", skip_serializing_if = "Option::is_none")]
    pub large_community: Option<ShownCommunity>,
    /// Extended communities.
    #[serde(rename = "extendedCommunity", skip_serializing_if = "Option::is_none")]
    pub extended_community: Option<ShownCommunity>,
    /// Next hops.
    #[serde(default)]
    pub nexthops: Vec<ShownNextHop>,
    /// Where from.
    pub peer: ShownPeer,
    /// Usable.
    #[serde(default)]
    pub valid: bool,
    /// On the best path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bestpath: Option<ShownBest>,
    /// Used beside the best.
    #[serde(default)]
    pub multipath: bool,
    /// ORIGINATOR_ID.
    #[serde(rename = "originatorId", skip_serializing_if = "Option::is_none")]
    pub originator_id: Option<core::net::Ipv4Addr>,
}

/// AS_PATH.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ShownAsPath {
    /// As text; `Local` when empty.
    pub string: String,
}

/// Communities.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ShownCommunity {
    /// As text.
    pub string: String,
}

/// Next hop.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ShownNextHop {
    /// Address.
    pub ip: IpAddr,
}

/// Where a path is from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ShownPeer {
    /// Address, `0.0.0.0` when made here.
    #[serde(rename = "peerId")]
    pub peer_id: String,
    /// Interface, of a neighbour that is known by it.
    pub interface: Option<String>,
}

/// What is said of the best path.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ShownBest {
    /// Chosen.
    #[serde(default)]
    pub overall: bool,
    /// FRR's word for the last comparison.
    #[serde(rename = "selectionReason", skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Shown {
    /// Reads `show bgp … unicast json detail` of FRR 8.4, IPv4 and then IPv6: under `routes` a list for each prefix, of which the first element
    /// is its heading.
    ///
    /// # Errors
    /// Where it is no such JSON.
    pub fn read(text: &str) -> Result<Self, serde_json::Error> {
        let mut shown = Self::default();
        let values = serde_json::Deserializer::from_str(text).into_iter::<serde_json::Value>();
        for (value, detail) in values.zip([&mut shown.detail, &mut shown.detail_v6]) {
            let value = value?;
            for (prefix, list) in value.get("routes").and_then(|r| r.as_object()).into_iter().flatten() {
                let paths = list.as_array().into_iter().flatten().filter(|p| p.get("aspath").is_some());
                let paths = paths.map(|p| serde_json::from_value(p.clone())).collect::<Result<_, _>>()?;
                detail.insert(prefix.clone(), ShownPrefix { paths });
            }
        }
        Ok(shown)
    }
}

impl ShownPath {
    /// Returns the neighbour; `None` for what the router made itself.
    #[must_use]
    pub fn from(&self) -> Option<IpAddr> {
        if let Some(interface) = self.peer.interface.as_ref().filter(|_| self.peer.peer_id.contains(':')) {
            return Some(config::Neighbor::on_interface(interface));
        }
        self.peer.peer_id.parse().ok().filter(|a: &IpAddr| !a.is_unspecified())
    }

    /// Returns the AS path as we write it.
    #[must_use]
    pub fn as_path(&self) -> String {
        if self.aspath.string == "Local" { String::new() } else { self.aspath.string.clone() }
    }

    /// Says whether it was chosen.
    #[must_use]
    pub fn is_best(&self) -> bool {
        self.bestpath.as_ref().is_some_and(|b| b.overall)
    }
}
