//! `router bgp`: read line by line, resolved at the end, because peer groups may come after the neighbours that use them.

use super::{Read, clause, defaults::Defaults, peer::PeerDraft};
use crate::{Aggregate, BgpConfig, BgpNetwork, Confederation, Dampening, Neighbor, Redistribution, RouterConfig};
use bgp::{Asn, Family, Origin, Prefix};
use core::net::{IpAddr, Ipv4Addr};
use std::collections::BTreeMap;

/// A `router bgp` block under construction.
pub(super) struct BgpDraft {
    bgp: BgpConfig,
    /// `no bgp default ipv4-unicast` was not given: every neighbour speaks IPv4.
    default_v4: bool,
    peers: BTreeMap<String, PeerDraft>,
    nested: Option<Nested>,
    /// `bgp shutdown`: no session comes up.
    shut: bool,
    /// Keepalive and hold time of sessions without their own, where the profile says other ones than FRR's 60 and 180 seconds.
    timers_s: Option<(u16, u16)>,
}

enum Nested {
    Family(Family),
    /// A block inside that does not concern us (`bmp targets`) or is not modelled (`address-family l2vpn evpn`).
    Other {
        harmless: bool,
    },
}

impl BgpDraft {
    /// Starts from the defaults that hold.
    pub(super) fn new(asn: u32, defaults: &Defaults) -> Self {
        let (bgp, timers_s) = (defaults.instance(asn), defaults.timers_s());
        Self { bgp, default_v4: true, peers: BTreeMap::new(), nested: None, shut: false, timers_s }
    }

    pub(super) const fn in_nested(&self) -> bool {
        self.nested.is_some()
    }

    pub(super) fn leave_nested(&mut self) {
        self.nested = None;
    }

    pub(super) fn context(&self) -> String {
        match self.nested {
            Some(Nested::Family(f)) => format!("router bgp {} / address-family {f}", self.bgp.asn),
            _ => format!("router bgp {}", self.bgp.asn),
        }
    }

    pub(super) fn line(&mut self, words: &[&str]) -> Read {
        match words {
            ["address-family", "ipv4", "unicast" | "uni"] | ["address-family", "ipv4"] => {
                self.nested = Some(Nested::Family(Family::Ipv4Unicast));
            }
            ["address-family", "ipv6", "unicast" | "uni"] | ["address-family", "ipv6"] => {
                self.nested = Some(Nested::Family(Family::Ipv6Unicast));
            }
            ["address-family", ..] => {
                self.nested = Some(Nested::Other { harmless: false });
                return Read::Unmodelled;
            }
            ["bmp", "targets", ..] => {
                self.nested = Some(Nested::Other { harmless: true });
                return Read::Harmless;
            }
            _ => {
                return match self.nested {
                    Some(Nested::Family(family)) => self.family_line(family, words),
                    Some(Nested::Other { harmless: true }) => Read::Harmless,
                    Some(Nested::Other { harmless: false }) => Read::Unmodelled,
                    None => self.main_line(words),
                };
            }
        }
        Read::Taken
    }

    fn main_line(&mut self, words: &[&str]) -> Read {
        let bgp = &mut self.bgp;
        match words {
            ["bgp", "router-id", id] => bgp.router_id = id.parse().ok(),
            ["bgp", "cluster-id", id] => match id.parse::<Ipv4Addr>().or_else(|e| id.parse::<u32>().map(Ipv4Addr::from).map_err(|_| e)) {
                Ok(id) => bgp.cluster_id = Some(id),
                Err(_) => return Read::Unmodelled,
            },
            ["no", "bgp", "default", "ipv4-unicast"] => self.default_v4 = false,
            ["no", "bgp", "ebgp-requires-policy"] => bgp.ebgp_requires_policy = false,
            ["bgp", "ebgp-requires-policy"] => bgp.ebgp_requires_policy = true,
            ["bgp", "default", "local-preference", v] => match v.parse() {
                Ok(v) => bgp.default_local_pref = v,
                Err(_) => return Read::Unmodelled,
            },
            ["bgp", "always-compare-med"] => bgp.best_path.always_compare_med = true,
            ["bgp", "deterministic-med"] => bgp.best_path.deterministic_med = true,
            ["no", "bgp", "deterministic-med"] => bgp.best_path.deterministic_med = false,
            ["bgp", "bestpath", "as-path", "ignore"] => bgp.best_path.as_path_ignore = true,
            ["bgp", "bestpath", "as-path", "multipath-relax", ..] => bgp.best_path.multipath_relax = true,
            ["bgp", "bestpath", "compare-routerid"] => bgp.best_path.compare_router_id = true,
            ["bgp", "bestpath", "med", "missing-as-worst"] => bgp.best_path.med_missing_as_worst = true,
            ["timers", "bgp", keepalive, hold, ..] => {
                self.timers_s = self.timers_s.and_then(|profile| keepalive.parse().ok().zip(hold.parse().ok()).or(Some(profile)));
                return Read::Harmless;
            }
            ["bgp", "log-neighbor-changes" | "graceful-restart" | "graceful-restart-disable" | "update-delay", ..]
            | ["bgp", "conditional-advertisement" | "fast-external-failover" | "lu-addr" | "default-originate", ..]
            | ["no", "bgp", "suppress-duplicates" | "hard-administrative-reset" | "graceful-restart" | "fast-external-failover", ..]
            | ["no", "bgp", "log-neighbor-changes"]
            | ["no", "bgp", "default", "show-hostname" | "show-nexthop-hostname"]
            | ["bgp", "suppress-fib-pending" | "fast-convergence" | "minimum-holdtime" | "session-dscp" | "send-extra-data", ..]
            | ["bgp", "long-lived-graceful-restart" | "route-map", ..]
            | ["bgp", "default", "subgroup-pkt-queue-max" | "show-hostname" | "show-nexthop-hostname", ..]
            // shares of load, no choice
            | ["bgp", "bestpath", "bandwidth", ..]
            | ["timers" | "bmp" | "coalesce-time" | "read-quanta" | "write-quanta", ..] => return Read::Harmless,
            ["bgp", "network", "import-check"] => {
                bgp.wider.no_import_check = false;
                return Read::Harmless;
            }
            ["no", "bgp", "network", "import-check"] => bgp.wider.no_import_check = true,
            ["neighbor", peer, rest @ ..] => return self.neighbor_line(peer, rest, true),
            ["no", "neighbor", peer, rest @ ..] => return self.neighbor_line(peer, rest, false),
            _ => return self.wider_main_line(words),
        }
        Read::Taken
    }

    fn wider_main_line(&mut self, words: &[&str]) -> Read {
        let bgp = &mut self.bgp;
        match words {
            ["bgp", "bestpath", "as-path", "confed"] => bgp.best_path.as_path_confed = true,
            ["bgp", "bestpath", "med", list @ ..] if list.contains(&"confed") || list.contains(&"missing-as-worst") => {
                bgp.best_path.med_confed |= list.contains(&"confed");
                bgp.best_path.med_missing_as_worst |= list.contains(&"missing-as-worst");
            }
            ["bgp", "bestpath", "peer-type", "multipath-relax"] => bgp.best_path.peer_type_relax = true,
            ["bgp", "confederation", "identifier", id] => {
                let Ok(id) = id.parse() else { return Read::Unmodelled };
                confederation(bgp).identifier = Asn(id);
            }
            ["bgp", "confederation", "peers", list @ ..] => {
                let Some(list) = list.iter().map(|a| a.parse().ok().map(Asn)).collect::<Option<Vec<_>>>() else { return Read::Unmodelled };
                confederation(bgp).peers.extend(list);
            }
            ["bgp", "max-med", "administrative"] => bgp.wider.max_med = Some(u32::MAX),
            ["bgp", "max-med", "administrative", v] => bgp.wider.max_med = v.parse().ok(),
            ["bgp", "max-med", "on-startup", seconds, rest @ ..] => {
                let Ok(seconds) = seconds.parse() else { return Read::Unmodelled };
                bgp.wider.max_med_on_startup = Some((seconds, rest.first().and_then(|v| v.parse().ok()).unwrap_or(u32::MAX)));
            }
            ["bgp", "graceful-shutdown"] => bgp.wider.graceful_shutdown = true,
            ["bgp", "listen", "range", range, "peer-group", group] => {
                let Ok(range) = range.parse() else { return Read::Unmodelled };
                bgp.wider.listen_ranges.push((range, (*group).to_owned()));
            }
            ["bgp", "listen", "limit", _] => return Read::Harmless,
            ["no", "bgp", "client-to-client", "reflection"] => bgp.wider.no_client_to_client = true,
            ["bgp", "route-reflector", "allow-outbound-policy"] => bgp.wider.allow_outbound_policy = true,
            ["bgp", "reject-as-sets"] => bgp.wider.reject_as_sets = true,
            ["bgp", "disable-ebgp-connected-route-check"] => bgp.wider.no_connected_check = true,
            ["bgp", "enforce-first-as"] => bgp.wider.enforce_first_as = true,
            ["bgp", "bestpath", "aigp"] => bgp.best_path.aigp = true,
            ["bgp", "shutdown", ..] => self.shut = true,
            ["bgp", "dampening", ..] => return self.family_line(Family::Ipv4Unicast, words),
            // lines of the family stand here in the old style
            ["network" | "redistribute" | "aggregate-address" | "maximum-paths" | "distance" | "table-map", ..] => {
                return self.family_line(Family::Ipv4Unicast, words);
            }
            _ => return Read::Unmodelled,
        }
        Read::Wider
    }

    fn peer(&mut self, name: &str) -> &mut PeerDraft {
        self.peers.entry(name.to_owned()).or_default()
    }

    /// A line of the session; in the old style a line of its IPv4 family.
    fn neighbor_line(&mut self, name: &str, words: &[&str], on: bool) -> Read {
        let own = self.bgp.asn;
        let peer = self.peer(name);
        match peer.line(own, words, on) {
            Read::Unmodelled => peer.family_line(Family::Ipv4Unicast, words, on),
            read => read,
        }
    }

    fn family_line(&mut self, family: Family, words: &[&str]) -> Read {
        let bgp = &mut self.bgp;
        match words {
            ["network", prefix, rest @ ..] => {
                let (prefix, rest) = match rest {
                    ["mask", mask, rest @ ..] => (masked(prefix, mask), rest),
                    rest => (prefix.parse::<Prefix>().ok(), rest),
                };
                let Some(prefix) = prefix else { return Read::Unmodelled };
                let policy = match rest {
                    [] => None,
                    ["backdoor"] => {
                        bgp.wider.backdoors.insert(prefix);
                        return Read::Wider;
                    }
                    ["route-map", name] => Some((*name).to_owned()),
                    _ => return Read::Unmodelled,
                };
                bgp.networks.push(BgpNetwork { prefix, policy });
                return Read::Taken;
            }
            ["neighbor", peer, rest @ ..] => return self.peer(peer).family_line(family, rest, true),
            ["no", "neighbor", peer, rest @ ..] => return self.peer(peer).family_line(family, rest, false),
            ["maximum-paths", n] => {
                let Ok(n) = n.parse() else { return Read::Unmodelled };
                bgp.wider.maximum_paths.insert(family, n);
                return if n == 1 { Read::Harmless } else { Read::Wider };
            }
            ["maximum-paths", "ibgp", n, rest @ ..] => {
                let Ok(n) = n.parse() else { return Read::Unmodelled };
                bgp.wider.maximum_paths_ibgp.insert(family, n);
                if rest == ["equal-cluster-length"] {
                    bgp.wider.equal_cluster_length.insert(family);
                }
                return if n == 1 { Read::Harmless } else { Read::Wider };
            }
            ["aggregate-address", address, mask, rest @ ..] if masked(address, mask).is_some() => {
                let prefix = masked(address, mask).map(|p| p.to_string()).unwrap_or_default();
                return self.aggregate(&prefix, rest);
            }
            ["aggregate-address", prefix, rest @ ..] => return self.aggregate(prefix, rest),
            ["redistribute", protocol, rest @ ..] => return self.redistribute(family, protocol, rest),
            ["table-map", map] => drop(bgp.wider.table_map.insert(family, (*map).to_owned())),
            ["distance", "bgp", a, b, c] => {
                let (Ok(a), Ok(b), Ok(c)) = (a.parse(), b.parse(), c.parse()) else { return Read::Unmodelled };
                bgp.wider.distance.insert(family, (a, b, c));
            }
            ["bgp", "dampening", rest @ ..] => {
                let Some(settings) = dampening(rest) else { return Read::Unmodelled };
                bgp.wider.dampening = true;
                bgp.wider.dampening_of.insert(family, settings);
            }
            _ => return Read::Unmodelled,
        }
        Read::Wider
    }

    fn redistribute(&mut self, family: Family, protocol: &str, rest: &[&str]) -> Read {
        let Some(protocol) = clause::protocol(protocol) else { return Read::Unmodelled };
        let mut out = Redistribution { protocol, policy: None, metric: None };
        let mut rest = rest.iter();
        while let Some(word) = rest.next() {
            match (*word, rest.next()) {
                ("route-map", Some(map)) => out.policy = Some((*map).to_owned()),
                ("metric", Some(v)) if v.parse::<u32>().is_ok() => out.metric = v.parse().ok(),
                _ => return Read::Unmodelled,
            }
        }
        self.bgp.wider.redistribute.entry(family).or_default().push(out);
        Read::Wider
    }

    fn aggregate(&mut self, prefix: &str, rest: &[&str]) -> Read {
        let Ok(prefix) = prefix.parse() else { return Read::Unmodelled };
        let (mut policy, mut suppress_map) = (None, None);
        let mut out = (false, false, false, None);
        let mut rest = rest.iter();
        while let Some(word) = rest.next() {
            match *word {
                "summary-only" => out.0 = true,
                "as-set" => out.1 = true,
                "matching-MED-only" => out.2 = true,
                "origin" => match rest.next() {
                    Some(&"igp") => out.3 = Some(Origin::Igp),
                    Some(&"egp") => out.3 = Some(Origin::Egp),
                    Some(&"incomplete") => out.3 = Some(Origin::Incomplete),
                    _ => return Read::Unmodelled,
                },
                "route-map" => policy = rest.next().map(|m| (*m).to_owned()),
                "suppress-map" => suppress_map = rest.next().map(|m| (*m).to_owned()),
                _ => return Read::Unmodelled,
            }
        }
        let (summary_only, as_set, matching_med_only, origin) = out;
        let aggregate = Aggregate { prefix, summary_only, as_set, matching_med_only, origin, policy, suppress_map };
        self.bgp.wider.aggregates.retain(|a| a.prefix != prefix);
        self.bgp.wider.aggregates.push(aggregate);
        Read::Wider
    }

    /// Merges groups into neighbours and puts the result into the configuration.
    pub(super) fn finish(mut self, config: &mut RouterConfig) {
        let own = self.bgp.asn;
        for (name, peer) in &self.peers {
            let group = peer.group.as_ref().and_then(|g| self.peers.get(g));
            let Some(mut neighbor) = peer.finish(own, group, self.default_v4) else { continue };
            neighbor.shutdown |= self.shut;
            neighbor.wider.timers_s = neighbor.wider.timers_s.or(self.timers_s);
            match name.parse::<IpAddr>() {
                Ok(address) => drop(self.bgp.neighbors.insert(address, neighbor)),
                Err(_) if peer.on_interface => {
                    let address = beyond(config, name, peer.v6_only).unwrap_or_else(|| Neighbor::on_interface(name));
                    neighbor.wider.interface = address.is_ipv6().then(|| name.clone());
                    self.bgp.neighbors.insert(address, neighbor);
                }
                Err(_) => drop(self.bgp.wider.groups.insert(name.clone(), neighbor)),
            }
        }
        config.bgp = Some(self.bgp);
    }
}

fn confederation(bgp: &mut BgpConfig) -> &mut Confederation {
    bgp.wider.confederation.get_or_insert_with(|| Confederation { identifier: Asn(0), peers: Default::default() })
}

/// The other address of an interface's /30 or /31: an interface session uses it instead of the link-local one (bgpd,
/// `bgp_peer_conf_if_to_su_update_v4`).
fn beyond(config: &RouterConfig, interface: &str, v6_only: bool) -> Option<IpAddr> {
    let addresses = &config.interfaces.get(interface).filter(|_| !v6_only)?.addresses;
    let of = |(address, length): &(IpAddr, u8)| match (address, length) {
        (IpAddr::V4(a), 30) => Some(u32::from(*a) ^ 3).filter(|_| matches!(u32::from(*a) & 3, 1 | 2)),
        (IpAddr::V4(a), 31) => Some(u32::from(*a) ^ 1),
        _ => None,
    };
    addresses.iter().find_map(of).map(|a| IpAddr::V4(Ipv4Addr::from(a)))
}

/// `A.B.C.D MASK` as a prefix.
fn masked(address: &str, mask: &str) -> Option<Prefix> {
    let (address, mask): (Ipv4Addr, Ipv4Addr) = (address.parse().ok()?, mask.parse().ok()?);
    let (ones, bits) = (u32::from(mask).leading_ones(), u32::from(mask).count_ones());
    (ones == bits).then(|| Prefix::new(IpAddr::V4(address), ones as u8))?
}

/// `bgp dampening [HALF-LIFE [REUSE SUPPRESS MAX]]`; with a half-life alone a route is suppressed for four of them at most (bgpd, `bgp_damp_set`).
fn dampening(words: &[&str]) -> Option<Dampening> {
    let default = Dampening::default();
    Some(match words {
        [] => default,
        [half] => {
            let half_life_min = half.parse().ok()?;
            Dampening { half_life_min, max_suppress_min: 4_u16.checked_mul(half_life_min)?, ..default }
        }
        [half, reuse, suppress, max] => Dampening {
            half_life_min: half.parse().ok()?,
            reuse: reuse.parse().ok()?,
            suppress: suppress.parse().ok()?,
            max_suppress_min: max.parse().ok()?,
        },
        _ => return None,
    })
}
