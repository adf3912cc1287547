//! Space that no outside neighbour may announce.

use crate::{Network, SessionKey};
use bgp::Prefix;
use bmp::View;
use core::net::IpAddr;
use rib::TableId;
use std::collections::{BTreeMap, BTreeSet};

/// Special-purpose space that is not globally reachable (IANA registries of RFC 6890, multicast, and reserved).
const BOGONS: [(&str, &str); 26] = [
    ("0.0.0.0/8", "this network"),
    ("10.0.0.0/8", "private use"),
    ("100.64.0.0/10", "shared address space"),
    ("127.0.0.0/8", "loopback"),
    ("169.254.0.0/16", "link local"),
    ("172.16.0.0/12", "private use"),
    ("192.0.0.0/24", "IETF protocol assignments"),
    ("192.0.2.0/24", "documentation"),
    ("192.88.99.0/24", "deprecated 6to4 relay"),
    ("192.168.0.0/16", "private use"),
    ("198.18.0.0/15", "benchmarking"),
    ("198.51.100.0/24", "documentation"),
    ("203.0.113.0/24", "documentation"),
    ("224.0.0.0/4", "multicast"),
    ("240.0.0.0/4", "reserved"),
    ("::/8", "unspecified, loopback, mapped"),
    ("64:ff9b:1::/48", "local translation"),
    ("100::/64", "discard only"),
    ("2001::/23", "IETF protocol assignments"),
    ("2001:db8::/32", "documentation"),
    ("3fff::/20", "documentation"),
    ("5f00::/16", "segment routing"),
    ("fc00::/7", "unique local"),
    ("fe80::/10", "link local"),
    ("fec0::/10", "deprecated site local"),
    ("ff00::/8", "multicast"),
];

impl Network {
    /// Returns what eBGP neighbours announce although nobody may: bogons outside the inventory's public space, in the order of devices,
    /// neighbours and prefixes. The default route is no bogon.
    #[must_use]
    pub fn bogons(&self) -> Vec<(SessionKey, Prefix)> {
        let bogons: Vec<Prefix> = BOGONS.iter().filter_map(|(text, _)| text.parse().ok()).collect();
        let ours = |p: &Prefix| self.inventory.public_space.iter().any(|space| space.covers(p));
        let mut found: BTreeMap<TableId, BTreeSet<Prefix>> = BTreeMap::new();
        for route in bogons.into_iter().flat_map(|b| self.tables.covered(b)).filter(|r| !ours(&r.prefix())) {
            found.entry(route.table()).or_default().insert(route.prefix());
        }
        let mut out = Vec::new();
        for (id, device) in &self.devices {
            let neighbors: BTreeSet<IpAddr> = self.adj_ribs(id).map(|(a, _, _)| a).collect();
            for neighbor in neighbors {
                let own = device.sessions.get(&neighbor).and_then(|s| s.remote_as).is_none_or(|asn| asn == self.inventory.own_asn);
                if own && self.inventory.exit_of(id, neighbor).is_none() {
                    continue;
                }
                let pre = self.adj_rib_in(id, neighbor);
                let seen = if pre.is_empty() { self.adj_rib(id, neighbor, View::AdjRibInPost) } else { pre };
                let key = SessionKey { device: id.clone(), neighbor };
                out.extend(seen.table().and_then(|t| found.get(&t)).into_iter().flatten().map(|p| (key.clone(), *p)));
            }
        }
        out
    }
}
