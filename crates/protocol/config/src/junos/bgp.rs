//! `protocols bgp`: what is said for all neighbours, a group and a neighbour; the nearest holds.

use super::policy::{INTO_BGP, Policies, Way};
use super::tree::{Id, ROOT, Tree};
use crate::notes::Notes;
use crate::outline;
use crate::{
    BgpConfig, Confederation, LocalAs, Neighbor, NeighborFamily, NeighborWider, Protocol, Redistribution, RemovePrivate, RouteAction,
    RouterConfig,
};
use bgp::{Asn, Family};
use core::net::{IpAddr, Ipv4Addr};
use std::collections::BTreeMap;

/// Preference of BGP routes, inside and out (Junos "Route Preferences Overview").
const PREFERENCE: u8 = 170;
/// Paths used side by side where `multipath` stands (Junos: 16 unless `maximum-ecmp` says more).
const MULTIPATH: u16 = 16;

/// Settings of one level, over those of the level above.
#[derive(Clone, Default)]
struct Level {
    internal: Option<bool>,
    peer_as: Option<Asn>,
    local_as: Option<LocalAs>,
    local_address: Option<String>,
    import: Vec<(String, u32)>,
    export: Vec<(String, u32)>,
    families: BTreeMap<Family, FamilyLevel>,
    families_said: bool,
    cluster: Option<Ipv4Addr>,
    multihop: Option<u8>,
    multipath: bool,
    multiple_as: bool,
    remove_private: Option<RemovePrivate>,
    as_override: bool,
    advertise_peer_as: bool,
    passive: bool,
    metric_out: Option<u32>,
    out_delay: Option<u16>,
    hold_time: Option<u16>,
    description: Option<String>,
    shutdown: bool,
    no_client_reflect: bool,
    damping: bool,
}

#[derive(Clone, Default)]
struct FamilyLevel {
    max_prefix: Option<u32>,
    warning_only: bool,
    loops: Option<u8>,
}

/// Reads the instance, when an AS number and neighbours are there.
pub(super) fn read<'t>(tree: &'t Tree, config: &mut RouterConfig, policies: &mut Policies<'t>, notes: &mut Notes) {
    let options = tree.child(ROOT, "routing-options");
    let asn = options.and_then(|o| tree.child(o, "autonomous-system"));
    let protocol = tree.path(ROOT, &["protocols", "bgp"]);
    let number = asn.and_then(|a| tree.children(a).find_map(|(_, t)| outline::asn(t)));
    let Some(own) = number else {
        if let Some(bgp) = protocol {
            let effect = "no routing-options autonomous-system: BGP does not run, and nothing of it is kept";
            notes.problem(tree.line(bgp), "protocols bgp", "", effect);
        }
        return;
    };
    let mut bgp = BgpConfig::new(own);
    // Junos exchanges routes with every neighbour; its default policies say which
    bgp.ebgp_requires_policy = false;
    // what a reflector's export policy sets, it sets
    bgp.wider.allow_outbound_policy = true;
    for family in [Family::Ipv4Unicast, Family::Ipv6Unicast] {
        bgp.wider.distance.insert(family, (PREFERENCE, PREFERENCE, PREFERENCE));
    }
    let loops = asn.and_then(|a| tree.path(a, &[&own.to_string(), "loops"])).and_then(|l| tree.last(l)).and_then(|(n, _)| n.parse().ok());
    if let Some(options) = options {
        router_id(tree, options, &mut bgp, notes);
        if let Some(confederation) = tree.child(options, "confederation") {
            let identifier = tree.children(confederation).find_map(|(_, t)| outline::asn(t));
            let members =
                tree.children(confederation).flat_map(|(i, _)| tree.child(i, "members")).chain(tree.child(confederation, "members"));
            let peers = members.flat_map(|m| tree.children(m)).filter_map(|(_, t)| outline::asn(t)).filter(|a| *a != own).collect();
            if let Some(identifier) = identifier {
                bgp.wider.confederation = Some(Confederation { identifier, peers });
            }
        }
    }
    if let Some(protocol) = protocol {
        Reader { tree, config, policies, notes, own, loops }.all(protocol, &mut bgp);
    }
    config.bgp = Some(bgp);
}

fn router_id(tree: &Tree, options: Id, bgp: &mut BgpConfig, notes: &mut Notes) {
    let Some(at) = tree.child(options, "router-id") else { return };
    let all: Vec<(Id, &str)> = tree.children(at).collect();
    if let Some((last, text)) = all.last() {
        bgp.router_id = text.parse().ok();
        if all.len() > 1 {
            let effect = format!("{} router ids; {text}, the last, is kept", all.len());
            notes.problem(tree.line(*last), &format!("router-id {text}"), "routing-options", &effect);
        }
    }
}

struct Reader<'r, 't> {
    tree: &'t Tree,
    config: &'r mut RouterConfig,
    policies: &'r mut Policies<'t>,
    notes: &'r mut Notes,
    own: Asn,
    loops: Option<u8>,
}

impl Reader<'_, '_> {
    fn all(&mut self, at: Id, bgp: &mut BgpConfig) {
        let tree = self.tree;
        let top = self.level(at, Level::default(), "protocols bgp", Some(bgp));
        for (group, name) in tree.child(at, "group").into_iter().flat_map(|g| tree.children(g)) {
            let context = format!("protocols bgp / group {name}");
            let level = self.level(group, top.clone(), &context, None);
            for (neighbor, text) in tree.child(group, "neighbor").into_iter().flat_map(|n| tree.children(n)) {
                let Ok(address) = text.parse::<IpAddr>() else {
                    self.notes.problem(tree.line(neighbor), text, &context, "not an address: no session is kept");
                    continue;
                };
                let own = self.level(neighbor, level.clone(), &format!("{context} / neighbor {text}"), None);
                self.put(bgp, address, name, &own, tree.line(neighbor));
            }
            for (range, text) in tree.child(group, "allow").into_iter().flat_map(|n| tree.children(n)) {
                let range_of = if text == "all" { "0.0.0.0/0".parse() } else { text.parse() };
                match (range_of, self.neighbor(IpAddr::V4(Ipv4Addr::UNSPECIFIED), name, &level, bgp)) {
                    (Ok(range), Some(neighbor)) => {
                        bgp.wider.listen_ranges.push((range, name.to_owned()));
                        bgp.wider.groups.insert(name.to_owned(), neighbor);
                    }
                    _ => self.notes.unmodelled(tree.line(range), text, &context, "ignored: no session comes up from here"),
                }
            }
        }
        for (neighbor, text) in tree.child(at, "neighbor").into_iter().flat_map(|n| tree.children(n)) {
            self.notes.unmodelled(tree.line(neighbor), text, "protocols bgp", "ignored: a neighbour outside of a group has no session");
        }
        if self.policies.put_into_bgp(self.config, self.notes) {
            let sources = [Protocol::Connected, Protocol::Static, Protocol::Ospf, Protocol::Isis];
            let all = sources.map(|protocol| Redistribution { protocol, policy: Some(INTO_BGP.to_owned()), metric: None });
            for family in [Family::Ipv4Unicast, Family::Ipv6Unicast] {
                bgp.wider.redistribute.insert(family, all.to_vec());
            }
        }
    }

    fn put(&mut self, bgp: &mut BgpConfig, address: IpAddr, group: &str, level: &Level, line: u32) {
        if let Some(known) = bgp.neighbors.get(&address) {
            let effect = format!("a neighbour of group {} too; this, the later, is kept", known.peer_group.clone().unwrap_or_default());
            self.notes.problem(line, &format!("neighbor {address}"), &format!("protocols bgp / group {group}"), &effect);
        }
        match self.neighbor(address, group, level, bgp) {
            Some(neighbor) => drop(bgp.neighbors.insert(address, neighbor)),
            None => {
                let effect = "no peer-as, its own, its group's or of all: Junos would not commit this; the session is not kept";
                self.notes.problem(line, &format!("neighbor {address}"), &format!("protocols bgp / group {group}"), effect);
            }
        }
    }

    fn neighbor(&mut self, address: IpAddr, group: &str, level: &Level, bgp: &mut BgpConfig) -> Option<Neighbor> {
        let internal = level.internal.unwrap_or(level.peer_as.is_none_or(|a| a == self.own));
        let remote_as = match level.peer_as {
            Some(asn) => asn,
            None if internal && level.internal == Some(true) => self.own,
            None => return None,
        };
        let start = level.metric_out.map(RouteAction::SetMed);
        // an import chain that is only the default takes everything: none is needed
        let import = (!level.import.is_empty()).then(|| self.policies.chain(&level.import, Way::Import, None, self.config, self.notes));
        let export = Some(self.policies.chain(&level.export, Way::Export, start, self.config, self.notes));
        let mut families = level.families.clone();
        if !level.families_said {
            families.insert(Family::of(address), FamilyLevel::default());
        }
        let settings = |f: &FamilyLevel| {
            let mut out = NeighborFamily {
                import: import.clone(),
                export: export.clone(),
                route_reflector_client: level.cluster.is_some() && internal,
                max_prefix: f.max_prefix,
                // communities go out unless a policy takes them off, routes that came in stay ("keep")
                send_community: true,
                soft_reconfiguration: true,
                ..NeighborFamily::default()
            };
            out.wider.allowas_in = f.loops.or(self.loops);
            out.wider.max_prefix_warning_only = f.warning_only;
            out.wider.as_override = level.as_override;
            out.wider.remove_private = level.remove_private;
            out
        };
        let families = families.iter().map(|(family, f)| (*family, settings(f))).collect();
        bgp.wider.no_client_to_client |= level.no_client_reflect;
        bgp.wider.dampening |= level.damping;
        if let Some(cluster) = level.cluster {
            match bgp.cluster_id {
                Some(known) if known != cluster => {
                    let effect = format!("a second cluster id; {known} is kept for all groups");
                    self.notes.problem(0, &format!("cluster {cluster}"), &format!("protocols bgp / group {group}"), &effect);
                }
                _ => bgp.cluster_id = Some(cluster),
            }
        }
        if level.multipath {
            for family in [Family::Ipv4Unicast, Family::Ipv6Unicast] {
                let paths = if internal { &mut bgp.wider.maximum_paths_ibgp } else { &mut bgp.wider.maximum_paths };
                paths.insert(family, MULTIPATH);
            }
            bgp.best_path.multipath_relax |= level.multiple_as;
        }
        Some(Neighbor {
            remote_as,
            description: level.description.clone(),
            peer_group: Some(group.to_owned()),
            update_source: level.local_address.clone(),
            shutdown: level.shutdown,
            families,
            wider: NeighborWider {
                local_as: level.local_as,
                ebgp_multihop: level.multihop.filter(|_| !internal),
                // a route is not sent to the AS that it came from, unless `advertise-peer-as`
                sender_loop_detection: !internal && !level.advertise_peer_as && !level.as_override,
                passive: level.passive,
                advertisement_interval_s: level.out_delay,
                timers_s: level.hold_time.map(|h| (h / 3, h)),
                ..NeighborWider::default()
            },
        })
    }

    /// Reads one level; `bgp` at the top, where the instance's own settings stand too.
    fn level(&mut self, at: Id, mut level: Level, context: &str, mut bgp: Option<&mut BgpConfig>) -> Level {
        let tree = self.tree;
        let (mut import, mut export) = (Vec::new(), Vec::new());
        for (child, word) in tree.children(at) {
            let value = tree.last(child).map(|(t, _)| t);
            let chain = || tree.children(child).map(|(i, t)| (t.to_owned(), tree.line(i))).collect::<Vec<_>>();
            let mut effect = None;
            match (word, value) {
                ("group" | "neighbor" | "allow" | "apply-groups" | "apply-groups-except", _) => {}
                ("type", Some(kind)) => level.internal = Some(kind == "internal"),
                ("peer-as", Some(asn)) => {
                    if tree.children(child).count() > 1 {
                        let effect = format!("{} peer-as; {asn}, the last, is kept", tree.children(child).count());
                        self.notes.problem(tree.line(child), &format!("peer-as {asn}"), context, &effect);
                    }
                    level.peer_as = outline::asn(asn);
                }
                ("local-as", _) => level.local_as = self.local_as(child),
                ("local-address", Some(address)) => level.local_address = Some(address.to_owned()),
                ("import", Some(_)) => import = chain(),
                ("export", Some(_)) => export = chain(),
                ("family", _) => self.families(child, &mut level, context),
                ("cluster", Some(id)) => level.cluster = id.parse().ok(),
                ("multihop", _) => level.multihop = Some(tree.value(child, "ttl").and_then(|(n, _)| n.parse().ok()).unwrap_or(64)),
                ("multipath", _) => (level.multipath, level.multiple_as) = (true, tree.child(child, "multiple-as").is_some()),
                ("remove-private", _) => {
                    let has = |w: &str| tree.child(child, w).is_some() || tree.path(child, &["all", w]).is_some();
                    level.remove_private = Some(RemovePrivate { all: has("all"), replace: has("replace") });
                }
                ("as-override", _) => level.as_override = true,
                ("advertise-peer-as", _) => level.advertise_peer_as = true,
                ("passive", _) => level.passive = true,
                ("metric-out", Some(v)) => match v.parse() {
                    Ok(v) => level.metric_out = Some(v),
                    Err(_) => effect = Some("ignored: announced routes keep the MED that policy gives them"),
                },
                ("out-delay", Some(v)) => level.out_delay = v.parse().ok(),
                ("hold-time", Some(v)) => level.hold_time = v.parse().ok(),
                ("description", Some(text)) => level.description = Some(text.to_owned()),
                ("shutdown", _) | ("disable", _) => level.shutdown = true,
                ("no-client-reflect", _) => level.no_client_reflect = true,
                ("damping", _) => level.damping = true,
                ("local-preference", Some(v)) => match (bgp.as_deref_mut(), v.parse()) {
                    (Some(bgp), Ok(v)) => bgp.default_local_pref = v,
                    _ => effect = Some("ignored: routes without a LOCAL_PREF have the instance's default"),
                },
                ("path-selection", _) => self.path_selection(child, bgp.as_deref_mut(), context),
                (
                    "authentication-key"
                    | "authentication-algorithm"
                    | "authentication-key-chain"
                    | "bfd-liveness-detection"
                    | "log-updown"
                    | "mtu-discovery"
                    | "keep"
                    | "traceoptions"
                    | "tcp-mss"
                    | "graceful-restart"
                    | "graceful-shutdown"
                    | "preference"
                    | "vpn-apply-export"
                    | "advertise-inactive"
                    | "no-advertise-peer-as"
                    | "precision-timers"
                    | "bmp"
                    | "ttl"
                    | "tcp-aggressive-transmission"
                    | "rib-sharding"
                    | "update-threading"
                    | "hostname"
                    | "minimum-hold-time"
                    | "no-aggregator-id"
                    | "enforce-first-as",
                    _,
                ) => {
                    if word == "enforce-first-as" {
                        effect = Some("ignored: a path may begin with another AS than the neighbour's");
                    } else if word == "advertise-inactive" {
                        effect = Some("ignored: what is announced is the best path of BGP, also where another protocol's route is in use");
                    }
                }
                _ => effect = Some("ignored: the session is taken as without it"),
            }
            if let Some(effect) = effect {
                self.notes.unmodelled(tree.line(child), &tree.written(child), context, effect);
            }
        }
        // a chain nearer to the neighbour replaces the whole chain above
        if !import.is_empty() {
            level.import = import;
        }
        if !export.is_empty() {
            level.export = export;
        }
        level
    }

    fn local_as(&self, at: Id) -> Option<LocalAs> {
        let tree = self.tree;
        let (id, asn) = tree.children(at).find_map(|(i, t)| Some((i, outline::asn(t)?)))?;
        let says = |word: &str| tree.child(id, word).is_some() || tree.child(at, word).is_some();
        // `private` hides the number in what goes on; `no-prepend-global-as` leaves out our own
        Some(LocalAs { asn, no_prepend: says("private"), replace_as: says("no-prepend-global-as") })
    }

    fn families(&mut self, at: Id, level: &mut Level, context: &str) {
        let tree = self.tree;
        let mut said = BTreeMap::new();
        for (child, name) in tree.children(at) {
            let family = match name {
                "inet" => Family::Ipv4Unicast,
                "inet6" => Family::Ipv6Unicast,
                _ => {
                    self.notes.unmodelled(
                        tree.line(child),
                        &tree.written(child),
                        context,
                        "ignored: routes of this family are not computed",
                    );
                    continue;
                }
            };
            for (sub, kind) in tree.children(child) {
                if !matches!(kind, "unicast" | "any") {
                    self.notes.unmodelled(tree.line(sub), &tree.written(sub), context, "ignored: routes of this family are not computed");
                    continue;
                }
                let mut out = FamilyLevel::default();
                for (knob, word) in tree.children(sub) {
                    match word {
                        "prefix-limit" | "accepted-prefix-limit" => {
                            out.max_prefix = tree.value(knob, "maximum").and_then(|(n, _)| n.parse().ok());
                            out.warning_only = tree.child(knob, "teardown").is_none();
                        }
                        "loops" => out.loops = tree.last(knob).and_then(|(n, _)| n.parse().ok()),
                        "add-path" => {
                            self.notes.unmodelled(tree.line(knob), &tree.written(knob), context, "ignored: one path per prefix is sent");
                        }
                        "graceful-restart" | "damping" | "topology" | "nexthop-resolution" => {}
                        _ => self.notes.unmodelled(
                            tree.line(knob),
                            &tree.written(knob),
                            context,
                            "ignored: the family is taken as without it",
                        ),
                    }
                }
                said.insert(family, out);
            }
        }
        if !said.is_empty() || tree.children(at).next().is_some() {
            (level.families, level.families_said) = (said, true);
        }
    }

    fn path_selection(&mut self, at: Id, bgp: Option<&mut BgpConfig>, context: &str) {
        let tree = self.tree;
        let Some(bgp) = bgp else {
            self.notes.unmodelled(tree.line(at), &tree.written(at), context, "ignored: best paths are chosen as without it");
            return;
        };
        for (child, word) in tree.children(at) {
            match word {
                "always-compare-med" => bgp.best_path.always_compare_med = true,
                "external-router-id" => bgp.best_path.compare_router_id = true,
                "as-path-ignore" => bgp.best_path.as_path_ignore = true,
                _ => {
                    self.notes.unmodelled(tree.line(child), &tree.written(child), context, "ignored: best paths are chosen as without it");
                }
            }
        }
    }
}
