//! The default network instance: static routes, IGP costs, BGP.

use super::chain::{Policies, protocol};
use super::router::Lines;
use super::tree::Element;
use crate::notes::{Notes, Object};
use crate::{
    BgpConfig, Confederation, IgpInterface, Neighbor, NeighborFamily, NeighborWider, Redistribution, RemovePrivate, RouterConfig,
    StaticRoute,
};
use bgp::{Asn, Family};
use core::net::{IpAddr, Ipv4Addr};
use std::collections::BTreeMap;

/// Reads the instances; others than the default one are noted.
pub(super) fn read<'e>(root: &'e Element, lines: &'e Lines, config: &mut RouterConfig, policies: &mut Policies<'e>, notes: &mut Notes) {
    for instance in root.many("network-instance") {
        let name = instance.leaf("name").unwrap_or("default");
        let default = instance.identity("type").map_or(matches!(name, "default" | "DEFAULT" | "master"), |t| t == "DEFAULT_INSTANCE");
        if !default {
            notes.unmodelled(lines.of(instance), name, "network-instances", "ignored: routes of other instances are not computed");
            continue;
        }
        for one in instance.list("protocols", "protocol") {
            match one.identity("identifier") {
                Some("STATIC") => statics(one, lines, config, notes),
                Some("OSPF") => ospf(one, lines, config, notes),
                Some("ISIS") => isis(one, config),
                Some("BGP") => {
                    if let Some(bgp) = one.one("bgp") {
                        Reader { lines, config, policies, notes, groups: BTreeMap::new() }.bgp(bgp);
                    }
                }
                Some("DIRECTLY_CONNECTED" | "LOCAL_AGGREGATE") | None => {}
                Some(other) => notes.unmodelled(lines.of(one), other, "protocols", "ignored: no route comes from it"),
            }
        }
        for table in instance.dig(&["tables"]).into_iter().chain([instance]).flat_map(|t| t.list("table-connections", "table-connection")) {
            connection(table, lines, config, policies, notes);
        }
    }
}

fn statics(one: &Element, lines: &Lines, config: &mut RouterConfig, notes: &mut Notes) {
    for route in one.list("static-routes", "static") {
        let Some(prefix) = route.leaf("prefix").and_then(|p| p.parse().ok()) else {
            notes.unmodelled(
                lines.of(route),
                route.leaf("prefix").unwrap_or_default(),
                "static-routes",
                "ignored: this static route is not there",
            );
            continue;
        };
        for hop in route.list("next-hops", "next-hop") {
            let distance =
                hop.number::<u32>("preference").or_else(|| hop.number("metric")).map_or(1, |d| u8::try_from(d).unwrap_or(u8::MAX));
            match hop.identity("next-hop") {
                Some("DROP") => config.static_routes.push(StaticRoute { prefix, next_hop: None, distance, tag: 0 }),
                _ => match hop.leaf("next-hop").and_then(|a| a.parse().ok()) {
                    Some(address) => config.static_routes.push(StaticRoute { prefix, next_hop: Some(address), distance, tag: 0 }),
                    None => {
                        let effect = "ignored: a static route without the address of a next hop is not computed";
                        notes.unmodelled(lines.of(hop), "next-hop", &format!("static {prefix}"), effect);
                    }
                },
            }
        }
    }
}

/// An interface as an IGP names it: with or without the number of its part.
fn interface_name(config: &RouterConfig, element: &Element, key: &str) -> Option<String> {
    let by_reference = element.one("interface-ref").and_then(|r| {
        let name = r.leaf("interface")?;
        Some(match r.leaf("subinterface") {
            None | Some("0") => name.to_owned(),
            Some(index) => format!("{name}.{index}"),
        })
    });
    let own = element.leaf(key)?;
    let known = |n: &String| config.interfaces.contains_key(n);
    by_reference
        .filter(known)
        .or_else(|| Some(own.to_owned()).filter(known))
        .or_else(|| own.strip_suffix(".0").map(str::to_owned).filter(known))
}

fn ospf(one: &Element, lines: &Lines, config: &mut RouterConfig, notes: &mut Notes) {
    let Some(ospf) = one.one("ospfv2") else { return };
    config.igp.ospf_router_id = ospf.one("global").and_then(|g| g.number("router-id")).or(config.igp.ospf_router_id);
    for area in ospf.list("areas", "area") {
        let id = area.leaf("identifier").unwrap_or_default();
        for port in area.list("interfaces", "interface") {
            let name = interface_name(config, port, "id");
            match name.and_then(|n| config.interfaces.get_mut(&n)) {
                Some(known) => {
                    known.igp_v4 = Some(IgpInterface { area: id.to_owned(), cost: port.number("metric"), passive: port.says("passive") });
                }
                None => {
                    let effect = "there is no such interface: nothing takes part in OSPF here";
                    notes.problem(lines.of(port), port.leaf("id").unwrap_or_default(), "ospfv2", effect);
                }
            }
        }
    }
}

fn isis(one: &Element, config: &mut RouterConfig) {
    for port in one.one("isis").into_iter().flat_map(|i| i.list("interfaces", "interface")) {
        let metrics = port.list("levels", "level").flat_map(|l| l.list("afi-safi", "af")).filter_map(|a| a.number("metric"));
        let igp = IgpInterface { area: "isis".to_owned(), cost: metrics.last(), passive: port.says("passive") };
        let name = interface_name(config, port, "interface-id");
        if let Some(known) = name.and_then(|n| config.interfaces.get_mut(&n)) {
            known.isis = Some(igp);
        }
    }
}

/// Routes of one protocol into BGP.
fn connection<'e>(table: &'e Element, lines: &'e Lines, config: &mut RouterConfig, policies: &mut Policies<'e>, notes: &mut Notes) {
    let line = lines.of(table);
    let (from, to) = (table.identity("src-protocol"), table.identity("dst-protocol"));
    let family = match table.identity("address-family") {
        Some("IPV6") => Family::Ipv6Unicast,
        _ => Family::Ipv4Unicast,
    };
    match (from.and_then(protocol), to) {
        (Some(protocol), Some("BGP")) => {
            let chain: Vec<&str> = table.values("import-policy").collect();
            let accept = table.identity("default-import-policy") == Some("ACCEPT_ROUTE");
            let policy = policies.chain(&chain, accept, line, config, notes);
            if let Some(bgp) = config.bgp.as_mut() {
                bgp.wider.redistribute.entry(family).or_default().push(Redistribution { protocol, policy: Some(policy), metric: None });
            }
        }
        _ => {
            let text = format!("{} → {}", from.unwrap_or_default(), to.unwrap_or_default());
            notes.unmodelled(line, &text, "table-connections", "ignored: these routes are not announced");
        }
    }
}

struct Reader<'r, 'e> {
    lines: &'e Lines,
    config: &'r mut RouterConfig,
    policies: &'r mut Policies<'e>,
    notes: &'r mut Notes,
    groups: BTreeMap<&'e str, &'e Element>,
}

/// The family that an `afi-safi-name` names.
fn family(name: Option<&str>) -> Option<Family> {
    match name {
        Some("IPV4_UNICAST") => Some(Family::Ipv4Unicast),
        Some("IPV6_UNICAST") => Some(Family::Ipv6Unicast),
        _ => None,
    }
}

impl<'e> Reader<'_, 'e> {
    fn bgp(&mut self, root: &'e Element) {
        let global = root.one("global");
        let Some(own) = global.and_then(|g| g.number("as")).map(Asn) else {
            self.notes.problem(
                self.lines.of(root),
                "bgp",
                "protocols",
                "global/config/as is not there: BGP does not run, and nothing of it is kept",
            );
            return;
        };
        let mut bgp = BgpConfig::new(own);
        bgp.wider.allow_outbound_policy = true;
        if let Some(global) = global {
            self.global(global, &mut bgp);
        }
        for group in root.list("peer-groups", "peer-group") {
            if let Some(name) = group.leaf("peer-group-name") {
                self.notes.defines(Object::Group, name);
                self.groups.insert(name, group);
            }
        }
        for one in root.list("neighbors", "neighbor") {
            let text = one.leaf("neighbor-address").unwrap_or_default();
            let Ok(address) = text.parse::<IpAddr>() else {
                self.notes.problem(self.lines.of(one), &format!("neighbor {text}"), "bgp", "not an address: no session is kept");
                continue;
            };
            if bgp.neighbors.contains_key(&address) {
                self.notes.problem(self.lines.of(one), &format!("neighbor {text}"), "bgp", "said twice; the later is kept");
            }
            match self.neighbor(one, address, &mut bgp) {
                Some(neighbor) => drop(bgp.neighbors.insert(address, neighbor)),
                None => {
                    let effect = "no peer-as, its own or its group's: the session never comes up, and is not kept";
                    self.notes.problem(self.lines.of(one), &format!("neighbor {text}"), "bgp", effect);
                }
            }
        }
        self.config.bgp = Some(bgp);
    }

    fn global(&mut self, global: &'e Element, bgp: &mut BgpConfig) {
        bgp.router_id = global.number("router-id");
        if let Some(c) = global.one("confederation").filter(|c| c.leaf("identifier").is_some()) {
            let peers = c.values("member-as").filter_map(|a| a.parse().ok().map(Asn)).filter(|a| *a != bgp.asn).collect();
            let identifier = c.number("identifier").map_or(Asn(0), Asn);
            bgp.wider.confederation = Some(Confederation { identifier, peers });
        }
        if let Some(options) = global.one("route-selection-options") {
            bgp.best_path.always_compare_med = options.says("always-compare-med");
            bgp.best_path.as_path_ignore = options.says("ignore-as-path-length");
            bgp.best_path.compare_router_id = options.says("external-compare-router-id");
        }
        let multipath = |bgp: &mut BgpConfig, at: Option<&Element>, families: &[Family]| {
            let Some(at) = at else { return };
            for (kind, internal) in [("ebgp", false), ("ibgp", true)] {
                let Some(n) = at.one(kind).and_then(|k| k.number("maximum-paths")) else { continue };
                for family in families {
                    let paths = if internal { &mut bgp.wider.maximum_paths_ibgp } else { &mut bgp.wider.maximum_paths };
                    paths.insert(*family, n);
                }
            }
            bgp.best_path.multipath_relax |= at.one("ebgp").is_some_and(|e| e.says("allow-multiple-as"));
        };
        multipath(bgp, global.one("use-multiple-paths"), &[Family::Ipv4Unicast, Family::Ipv6Unicast]);
        for one in global.list("afi-safis", "afi-safi") {
            match family(one.identity("afi-safi-name")) {
                Some(family) => multipath(bgp, one.one("use-multiple-paths"), &[family]),
                None => {
                    let text = one.identity("afi-safi-name").unwrap_or_default();
                    self.notes.unmodelled(self.lines.of(one), text, "bgp global", "ignored: routes of this family are not computed");
                }
            }
        }
    }

    fn neighbor(&mut self, one: &'e Element, address: IpAddr, bgp: &mut BgpConfig) -> Option<Neighbor> {
        let group_name = one.leaf("peer-group");
        let group = group_name.and_then(|g| self.groups.get(g).copied());
        if let Some(name) = group_name {
            self.notes.uses(Object::Group, name, self.lines.of(one));
        }
        // what stands at the neighbour holds, else at its group
        let places: Vec<&'e Element> = core::iter::once(one).chain(group).collect();
        let config = |name: &str| places.iter().find_map(|p| p.leaf(name));
        let below = |container: &str, name: &str| places.iter().find_map(|p| p.one(container)?.leaf(name));
        let internal_said = config("peer-type").map(|t| t.ends_with("INTERNAL"));
        let remote_as = match config("peer-as").and_then(|a| a.parse().ok()) {
            Some(asn) => Asn(asn),
            None if internal_said == Some(true) => bgp.asn,
            None => return None,
        };
        if let Some(id) = below("route-reflector", "route-reflector-cluster-id") {
            let id = id.parse().ok().or_else(|| id.parse::<u32>().ok().map(Ipv4Addr::from));
            if bgp.cluster_id.is_some() && bgp.cluster_id != id {
                self.notes.problem(
                    self.lines.of(one),
                    "route-reflector-cluster-id",
                    "bgp",
                    "a second cluster id; the first is kept for all neighbours",
                );
            } else {
                bgp.cluster_id = id;
            }
        }
        let allow = below("as-path-options", "allow-own-as").and_then(|n| n.parse().ok()).filter(|n| *n > 0);
        let communities: Vec<&str> = places
            .iter()
            .map(|p| p.values("send-community-type").chain(p.values("send-community")).collect::<Vec<_>>())
            .find(|l| !l.is_empty())
            .unwrap_or_default();
        let sends = |kinds: &[&str]| communities.iter().any(|c| kinds.contains(&c.rsplit(':').next().unwrap_or(c)));
        let remove_private = config("remove-private-as").map(|r| RemovePrivate { all: true, replace: r.ends_with("REPLACE_ALL") });
        let base = NeighborFamily {
            route_reflector_client: below("route-reflector", "route-reflector-client") == Some("true"),
            send_community: sends(&["STANDARD", "BOTH", "ALL"]),
            soft_reconfiguration: true,
            wider: crate::FamilyWider {
                allowas_in: allow,
                as_override: below("as-path-options", "replace-peer-as") == Some("true"),
                remove_private,
                no_send_large: !sends(&["LARGE", "ALL"]),
                ..crate::FamilyWider::default()
            },
            ..NeighborFamily::default()
        };
        let families = self.families(one, &places, address, &base);
        let multihop = (below("ebgp-multihop", "enabled") == Some("true"))
            .then(|| below("ebgp-multihop", "multihop-ttl").and_then(|n| n.parse().ok()).unwrap_or(255));
        let seconds = |name: &str| below("timers", name).and_then(|t| t.parse::<f64>().ok()).map(|s| s as u16);
        Some(Neighbor {
            remote_as,
            description: config("description").map(str::to_owned),
            peer_group: group_name.map(str::to_owned),
            update_source: below("transport", "local-address").map(str::to_owned),
            shutdown: config("enabled") == Some("false"),
            families,
            wider: NeighborWider {
                local_as: config("local-as").and_then(|a| a.parse().ok()).map(Asn).filter(|a| *a != bgp.asn).map(|asn| crate::LocalAs {
                    asn,
                    no_prepend: false,
                    replace_as: false,
                }),
                ebgp_multihop: multihop,
                passive: below("transport", "passive-mode") == Some("true"),
                timers_s: seconds("keepalive-interval").zip(seconds("hold-time")),
                advertisement_interval_s: seconds("minimum-advertisement-interval"),
                ..NeighborWider::default()
            },
        })
    }

    fn families(
        &mut self,
        one: &'e Element,
        places: &[&'e Element],
        address: IpAddr,
        base: &NeighborFamily,
    ) -> BTreeMap<Family, NeighborFamily> {
        let mut named: Vec<Family> = Vec::new();
        for entry in places.iter().flat_map(|p| p.list("afi-safis", "afi-safi")) {
            match family(entry.identity("afi-safi-name")) {
                Some(family) => named.push(family),
                None => {
                    let text = entry.identity("afi-safi-name").unwrap_or_default();
                    let context = format!("neighbor {address}");
                    self.notes.unmodelled(self.lines.of(entry), text, &context, "ignored: routes of this family are not computed");
                }
            }
        }
        // no family said: that of the address, as the instance has it
        if named.is_empty() {
            named.push(Family::of(address));
        }
        named.sort_unstable();
        named.dedup();
        let mut out = BTreeMap::new();
        for family in named {
            let entries: Vec<&'e Element> = places
                .iter()
                .filter_map(|p| p.list("afi-safis", "afi-safi").find(|a| self::family(a.identity("afi-safi-name")) == Some(family)))
                .collect();
            if entries.iter().find_map(|e| e.leaf("enabled")) == Some("false") {
                continue;
            }
            let mut settings = base.clone();
            // a family's own policy, else the neighbour's; each, else its group's
            let holders: Vec<&'e Element> = entries.iter().chain(places).filter_map(|p| p.one("apply-policy")).collect();
            let line = self.lines.of(one);
            for (list, default, slot) in [
                ("import-policy", "default-import-policy", &mut settings.import),
                ("export-policy", "default-export-policy", &mut settings.export),
            ] {
                let chain: Vec<&str> =
                    holders.iter().map(|h| h.values(list).collect::<Vec<_>>()).find(|c| !c.is_empty()).unwrap_or_default();
                let said = holders.iter().find_map(|h| h.identity(default));
                if !chain.is_empty() || said.is_some() {
                    *slot = Some(self.policies.chain(&chain, said == Some("ACCEPT_ROUTE"), line, self.config, self.notes));
                }
            }
            for entry in &entries {
                let container = if family == Family::Ipv4Unicast { "ipv4-unicast" } else { "ipv6-unicast" };
                let limit = entry.dig(&[container, "prefix-limit"]).or_else(|| entry.one("prefix-limit"));
                if let Some(max) = limit.and_then(|l| l.number("max-prefixes")).filter(|_| settings.max_prefix.is_none()) {
                    settings.max_prefix = Some(max);
                    settings.wider.max_prefix_warning_only = limit.is_some_and(|l| l.says("prevent-teardown") || l.says("warning-only"));
                }
                if let Some(paths) = entry.one("add-paths").filter(|a| a.says("send")) {
                    self.notes.unmodelled(
                        self.lines.of(paths),
                        "add-paths",
                        &format!("neighbor {address}"),
                        "ignored: one path per prefix is sent",
                    );
                }
            }
            out.insert(family, settings);
        }
        out
    }
}
