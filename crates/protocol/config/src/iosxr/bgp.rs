//! `router bgp`: neighbours with the groups that they use; a group nearer to the neighbour holds.

use super::rpl::{self, Policies};
use crate::notes::{Notes, Object};
use crate::outline::{self, Node};
use crate::{
    Aggregate, BgpConfig, BgpNetwork, Confederation, LocalAs, Neighbor, NeighborFamily, NeighborWider, Redistribution, RemovePrivate,
    RouterConfig,
};
use bgp::{Asn, Family};
use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet};

/// Groups that use each other deeper than this are a circle.
const DEPTH_MAX: usize = 16;
/// Routes that a neighbour may announce where `maximum-prefix` says nothing (IOS XR, "BGP Maximum Prefix").
const MAXIMUM_PREFIX: (u32, u32) = (1_048_576, 524_288);

/// Settings while they are put together.
#[derive(Clone, Default)]
struct Session {
    remote_as: Option<Asn>,
    description: Option<String>,
    update_source: Option<String>,
    group: Option<String>,
    shutdown: bool,
    wider: NeighborWider,
    families: BTreeMap<Family, FamilySession>,
}

#[derive(Clone, Default)]
struct FamilySession {
    settings: NeighborFamily,
    send_community_ebgp: bool,
}

struct Reader<'r, 't> {
    config: &'r mut RouterConfig,
    policies: &'r mut Policies<'t>,
    notes: &'r mut Notes,
    neighbor_groups: BTreeMap<&'r str, &'r Node<'r>>,
    session_groups: BTreeMap<&'r str, &'r Node<'r>>,
    af_groups: BTreeMap<&'r str, &'r Node<'r>>,
    /// Lines that were noted: a group is read for every neighbour that uses it.
    noted: BTreeSet<u32>,
    bgp: BgpConfig,
}

/// Reads the instance.
pub(super) fn read<'t>(asn: Asn, nodes: &[&Node<'t>], config: &mut RouterConfig, policies: &mut Policies<'t>, notes: &mut Notes) {
    policies.own = asn;
    let mut bgp = BgpConfig::new(asn);
    // IOS XR: an eBGP session without route policy exchanges nothing
    bgp.ebgp_requires_policy = true;
    // `bgp enforce-first-as` is on by default
    bgp.wider.enforce_first_as = true;
    let mut reader = Reader {
        config,
        policies,
        notes,
        neighbor_groups: BTreeMap::new(),
        session_groups: BTreeMap::new(),
        af_groups: BTreeMap::new(),
        noted: BTreeSet::new(),
        bgp,
    };
    let lines: Vec<&Node<'_>> = nodes.iter().flat_map(|n| &n.children).collect();
    for node in &lines {
        let (groups, name) = match node.words[..] {
            ["neighbor-group", name] => (&mut reader.neighbor_groups, name),
            ["session-group", name] => (&mut reader.session_groups, name),
            ["af-group", name, ..] => (&mut reader.af_groups, name),
            _ => continue,
        };
        reader.notes.defines(Object::Group, name);
        groups.insert(name, node);
    }
    let context = format!("router bgp {asn}");
    for node in &lines {
        match node.words[..] {
            ["neighbor-group" | "session-group" | "af-group", ..] => {}
            ["neighbor", address] => reader.neighbor(address, node, &context),
            ["address-family", ref name @ ..] => match family(name) {
                Some(family) => reader.instance_family(family, node, &format!("{context} / {}", node.text())),
                None => reader.note(node, &context, "ignored: routes of this family are not computed"),
            },
            ["vrf", ..] => reader.note(node, &context, "ignored: routes of other VRFs are not computed"),
            _ => reader.instance_line(node, &context),
        }
    }
    let bgp = reader.bgp;
    config.bgp = Some(bgp);
}

fn family(words: &[&str]) -> Option<Family> {
    match words {
        ["ipv4", "unicast"] => Some(Family::Ipv4Unicast),
        ["ipv6", "unicast"] => Some(Family::Ipv6Unicast),
        _ => None,
    }
}

/// `PROTOCOL [INSTANCE] [route-policy NAME] [metric N]`.
pub(super) fn redistribution(words: &[&str]) -> Option<Redistribution> {
    let [protocol, rest @ ..] = words else { return None };
    let mut out = Redistribution { protocol: rpl::protocol(protocol)?, policy: None, metric: None };
    let mut rest = rest.iter();
    while let Some(word) = rest.next() {
        match *word {
            "route-policy" => out.policy = Some(rest.next()?.to_string()),
            "metric" => out.metric = Some(rest.next()?.parse().ok()?),
            "match" | "level" | "level-1" | "level-2" => return None,
            // the instance
            _ => {}
        }
    }
    Some(out)
}

impl Reader<'_, '_> {
    fn note(&mut self, node: &Node<'_>, context: &str, effect: &str) {
        if self.noted.insert(node.line) {
            self.notes.unmodelled(node.line, &node.text(), context, effect);
        }
    }

    fn policy(&mut self, written: &str, line: u32) -> String {
        self.policies.attach(written, line, self.config, self.notes)
    }

    fn instance_line(&mut self, node: &Node<'_>, context: &str) {
        let bgp = &mut self.bgp;
        let best = &mut bgp.best_path;
        match node.words[..] {
            ["bgp", "router-id", id] => match id.parse() {
                Ok(id) => {
                    if let Some(old) = bgp.router_id.filter(|old| *old != id) {
                        let effect = format!("router id {old} was said before; {id}, the later, is kept");
                        self.notes.problem(node.line, &node.text(), context, &effect);
                    }
                    self.bgp.router_id = Some(id);
                }
                Err(_) => self.note(node, context, "ignored: taken as without it"),
            },
            ["bgp", "cluster-id", id] => bgp.cluster_id = id.parse().ok().or_else(|| id.parse::<u32>().ok().map(Into::into)),
            ["bgp", "bestpath", "med", "always"] => best.always_compare_med = true,
            ["bgp", "bestpath", "med", "missing-as-worst"] => best.med_missing_as_worst = true,
            ["bgp", "bestpath", "med", "confed"] => best.med_confed = true,
            ["bgp", "bestpath", "as-path", "ignore"] => best.as_path_ignore = true,
            ["bgp", "bestpath", "as-path", "multipath-relax"] => best.multipath_relax = true,
            ["bgp", "bestpath", "compare-routerid"] => best.compare_router_id = true,
            ["bgp", "default", "local-preference", v] => match v.parse() {
                Ok(v) => bgp.default_local_pref = v,
                Err(_) => self.note(node, context, "ignored: taken as without it"),
            },
            ["bgp", "confederation", "identifier", id] => match outline::asn(id) {
                Some(id) => confederation(bgp).identifier = id,
                None => self.note(node, context, "ignored: taken as without it"),
            },
            ["bgp", "confederation", "peers", ref list @ ..] => {
                let below = node.children.iter().flat_map(|c| c.words.iter());
                let peers: Vec<Asn> = list.iter().chain(below).filter_map(|a| outline::asn(a)).collect();
                confederation(bgp).peers.extend(peers);
            }
            ["bgp", "enforce-first-as", "disable"] => bgp.wider.enforce_first_as = false,
            ["bgp", "unsafe-ebgp-policy"] => bgp.ebgp_requires_policy = false,
            ["bgp", "client-to-client", "reflection", "disable"] => bgp.wider.no_client_to_client = true,
            ["ibgp", "policy", "out", "enforce-modifications"] => bgp.wider.allow_outbound_policy = true,
            ["nsr" | "timers" | "nexthop" | "socket", ..]
            | [
                "bgp",
                "graceful-restart"
                | "log"
                | "update-delay"
                | "scan-time"
                | "redistribute-internal"
                | "write-limit"
                | "multipath"
                | "maximum",
                ..,
            ]
            | ["bgp", "auto-policy-soft-reset" | "fast-external-fallover" | "as-path-loopcheck" | "install" | "lpts-secure-binding", ..] => {
            }
            _ => self.note(node, context, "ignored: taken as without it"),
        }
    }

    fn instance_family(&mut self, family: Family, node: &Node<'_>, context: &str) {
        for line in &node.children {
            let bgp = &mut self.bgp;
            match line.words[..] {
                ["network", prefix, ref rest @ ..] => {
                    let policy = if let ["route-policy", name] = rest { Some(self.policy(name, line.line)) } else { None };
                    match outline::prefix(prefix) {
                        Some(prefix) if rest.is_empty() || policy.is_some() => self.bgp.networks.push(BgpNetwork { prefix, policy }),
                        _ => self.note(line, context, "ignored: the prefix is not originated"),
                    }
                }
                ["redistribute", ref rest @ ..] => match redistribution(rest) {
                    Some(mut one) => {
                        one.policy = one.policy.map(|p| self.policy(&p, line.line));
                        self.bgp.wider.redistribute.entry(family).or_default().push(one);
                    }
                    None => self.note(line, context, "ignored: these routes are not originated"),
                },
                ["maximum-paths", kind @ ("ebgp" | "ibgp" | "eibgp"), n, ..] => match n.parse() {
                    Ok(n) => {
                        if kind != "ibgp" {
                            bgp.wider.maximum_paths.insert(family, n);
                        }
                        if kind != "ebgp" {
                            bgp.wider.maximum_paths_ibgp.insert(family, n);
                        }
                    }
                    Err(_) => self.note(line, context, "ignored: one path is used"),
                },
                ["aggregate-address", prefix, ref rest @ ..] => self.aggregate(line, prefix, rest, context),
                ["distance", "bgp", e, i, l] => match (e.parse(), i.parse(), l.parse()) {
                    (Ok(e), Ok(i), Ok(l)) => drop(bgp.wider.distance.insert(family, (e, i, l))),
                    _ => self.note(line, context, "ignored: distances are 20, 200, 200"),
                },
                ["bgp", "dampening", ..] => bgp.wider.dampening = true,
                ["additional-paths", ..] => self.note(line, context, "ignored: one path per prefix is sent"),
                ["nexthop" | "dynamic-med" | "allocate-label" | "table-policy" | "bgp", ..] | ["maximum-paths", ..]
                    if line.words[0] != "table-policy" && line.words[0] != "maximum-paths" => {}
                _ => self.note(line, context, "ignored: the family is taken as without it"),
            }
        }
    }

    fn aggregate(&mut self, line: &Node<'_>, prefix: &str, rest: &[&str], context: &str) {
        let Some(prefix) = outline::prefix(prefix) else {
            self.note(line, context, "ignored: the aggregate is not originated");
            return;
        };
        let policy =
            rest.iter().position(|w| *w == "route-policy").and_then(|at| rest.get(at + 1)).map(|name| self.policy(name, line.line));
        self.bgp.wider.aggregates.push(Aggregate {
            prefix,
            summary_only: rest.contains(&"summary-only"),
            as_set: rest.contains(&"as-set"),
            matching_med_only: false,
            origin: None,
            policy,
            suppress_map: None,
        });
    }

    fn neighbor(&mut self, text: &str, node: &Node<'_>, context: &str) {
        let context = format!("{context} / neighbor {text}");
        let Ok(address) = text.parse::<IpAddr>() else {
            self.notes.problem(node.line, &node.text(), &context, "not an address: no session is kept");
            return;
        };
        let mut session = Session::default();
        self.block(node, &mut session, &context, 0);
        let Some(remote_as) = session.remote_as else {
            let effect = "no remote-as, its own or its groups': the session never comes up, and is not kept";
            self.notes.problem(node.line, &node.text(), &context, effect);
            return;
        };
        if self.bgp.neighbors.contains_key(&address) {
            self.notes.problem(node.line, &node.text(), &context, "said twice; the later is kept");
        }
        let internal = remote_as == self.bgp.asn;
        let families = session.families.into_iter().map(|(family, f)| {
            let mut settings = f.settings;
            // communities go to iBGP always, to eBGP where told
            settings.send_community = internal || f.send_community_ebgp;
            settings.wider.no_send_large = !settings.send_community;
            let usual = if family == Family::Ipv4Unicast { MAXIMUM_PREFIX.0 } else { MAXIMUM_PREFIX.1 };
            settings.max_prefix = settings.max_prefix.or(Some(usual));
            // `next-hop-self` and policies change reflected routes only where modifications are enforced
            settings.next_hop_self_force = settings.next_hop_self && self.bgp.wider.allow_outbound_policy;
            (family, settings)
        });
        let neighbor = Neighbor {
            remote_as,
            description: session.description,
            peer_group: session.group,
            update_source: session.update_source,
            shutdown: session.shutdown,
            families: families.collect(),
            wider: session.wider,
        };
        self.bgp.neighbors.insert(address, neighbor);
    }

    /// Reads a neighbour or group over what is known: used groups first, then its own lines.
    fn block(&mut self, node: &Node<'_>, session: &mut Session, context: &str, depth: usize) {
        if depth > DEPTH_MAX {
            if self.noted.insert(node.line) {
                self.notes.problem(node.line, &node.text(), context, "groups use each other in a circle: nothing more is taken from them");
            }
            return;
        }
        for kind in ["neighbor-group", "session-group"] {
            for line in &node.children {
                let ["use", what, name] = line.words[..] else { continue };
                if what != kind {
                    continue;
                }
                self.notes.uses(Object::Group, name, line.line);
                let groups = if kind == "neighbor-group" { &self.neighbor_groups } else { &self.session_groups };
                if let Some(group) = groups.get(name).copied() {
                    self.block(group, session, &format!("{kind} {name}"), depth + 1);
                }
                if kind == "neighbor-group" && depth == 0 {
                    session.group = Some(name.to_owned());
                }
            }
        }
        for line in &node.children {
            match line.words[..] {
                ["use", ..] => {}
                ["address-family", ref name @ ..] => match family(name) {
                    Some(family) => {
                        let mut settings = session.families.remove(&family).unwrap_or_default();
                        self.family(line, &mut settings, &format!("{context} / {}", line.text()), 0);
                        session.families.insert(family, settings);
                    }
                    None => self.note(line, context, "ignored: routes of this family are not computed"),
                },
                _ => self.session_line(line, session, context),
            }
        }
    }

    fn session_line(&mut self, line: &Node<'_>, session: &mut Session, context: &str) {
        let wider = &mut session.wider;
        let on = !matches!(line.words.last(), Some(&("disable" | "inheritance-disable")));
        match line.words[..] {
            ["remote-as", asn] => match outline::asn(asn) {
                Some(asn) => session.remote_as = Some(asn),
                None => self.note(line, context, "ignored: the session has no remote AS from here"),
            },
            ["local-as", asn, ref rest @ ..] => match outline::asn(asn) {
                Some(asn) => {
                    let (no_prepend, replace_as) = (rest.contains(&"no-prepend"), rest.contains(&"replace-as"));
                    wider.local_as = Some(LocalAs { asn, no_prepend, replace_as });
                }
                None => self.note(line, context, "ignored: the session is taken as without it"),
            },
            ["description", ref text @ ..] => session.description = Some(text.join(" ")),
            ["update-source", source] => session.update_source = Some(source.to_owned()),
            ["shutdown", ..] => session.shutdown = on,
            ["ebgp-multihop", ref rest @ ..] => wider.ebgp_multihop = on.then(|| rest.first().and_then(|n| n.parse().ok()).unwrap_or(255)),
            ["ttl-security", ..] => wider.ebgp_multihop = on.then_some(255),
            ["ignore-connected-check", ..] => wider.no_connected_check = on,
            ["timers", keepalive, hold, ..] => wider.timers_s = keepalive.parse().ok().zip(hold.parse().ok()),
            ["advertisement-interval", s] => wider.advertisement_interval_s = s.parse().ok(),
            ["session-open-mode", "passive-only"] => wider.passive = true,
            ["enforce-first-as", "disable"] => self.note(line, context, "ignored: a path must begin with the neighbour's AS"),
            [
                "password"
                | "keychain"
                | "bfd"
                | "graceful-restart"
                | "graceful-maintenance"
                | "tcp"
                | "log"
                | "receive-buffer-size"
                | "dscp",
                ..,
            ]
            | ["send-buffer-size" | "precedence" | "capability" | "session-open-mode" | "bmp-activate" | "idle-watch-time" | "ao", ..] => {}
            ["cluster-id", _] => self.note(line, context, "ignored: the instance's cluster id holds"),
            _ => self.note(line, context, "ignored: the session is taken as without it"),
        }
    }

    fn family(&mut self, node: &Node<'_>, family: &mut FamilySession, context: &str, depth: usize) {
        if depth > DEPTH_MAX {
            if self.noted.insert(node.line) {
                self.notes.problem(node.line, &node.text(), context, "groups use each other in a circle: nothing more is taken from them");
            }
            return;
        }
        for line in &node.children {
            if let ["use", "af-group", name] = line.words[..] {
                self.notes.uses(Object::Group, name, line.line);
                if let Some(group) = self.af_groups.get(name).copied() {
                    self.family(group, family, &format!("af-group {name}"), depth + 1);
                }
            }
        }
        for line in &node.children {
            self.family_line(line, family, context);
        }
    }

    fn family_line(&mut self, line: &Node<'_>, family: &mut FamilySession, context: &str) {
        let on = !matches!(line.words.last(), Some(&("disable" | "inheritance-disable")));
        let settings = &mut family.settings;
        match line.words[..] {
            ["use", ..] => {}
            ["route-policy", ref written @ .., direction @ ("in" | "out")] => {
                let name = self.policy(&written.join(" "), line.line);
                let slot = if direction == "in" { &mut settings.import } else { &mut settings.export };
                *slot = Some(name);
            }
            ["next-hop-self", ..] => settings.next_hop_self = on,
            ["next-hop-unchanged", ..] => settings.wider.unchanged.next_hop = on,
            ["route-reflector-client", ..] => settings.route_reflector_client = on,
            ["send-community-ebgp", ..] => family.send_community_ebgp = on,
            ["maximum-prefix", n, ref rest @ ..] => {
                settings.max_prefix = n.parse().ok();
                settings.wider.max_prefix_warning_only = rest.contains(&"warning-only");
            }
            ["soft-reconfiguration", "inbound", ..] => settings.soft_reconfiguration = on,
            ["default-originate", "route-policy", name] => {
                let name = self.policy(name, line.line);
                settings.wider.default_originate = Some(Some(name));
            }
            ["default-originate", ..] => settings.wider.default_originate = on.then_some(None),
            ["remove-private-AS", ref rest @ ..] => {
                let inbound = rest.contains(&"inbound");
                if inbound {
                    self.note(line, context, "ignored: private AS numbers stay in what comes in");
                } else {
                    settings.wider.remove_private = on.then(|| RemovePrivate { all: !rest.contains(&"entire-aspath"), replace: false });
                }
            }
            ["as-override", ..] => settings.wider.as_override = on,
            ["allowas-in"] => settings.wider.allowas_in = Some(3),
            ["allowas-in", n] => settings.wider.allowas_in = n.parse().ok(),
            ["weight", w] => settings.wider.weight = w.parse().ok(),
            [
                "send-extended-community-ebgp" | "send-community-gshut-ebgp" | "capability" | "long-lived-graceful-restart" | "update",
                ..,
            ] => {}
            ["advertise" | "additional-paths", ..] => self.note(line, context, "ignored: one path per prefix is sent"),
            _ => self.note(line, context, "ignored: the family is taken as without it"),
        }
    }
}

fn confederation(bgp: &mut BgpConfig) -> &mut Confederation {
    bgp.wider.confederation.get_or_insert_with(|| Confederation { identifier: Asn(0), peers: BTreeSet::new() })
}
