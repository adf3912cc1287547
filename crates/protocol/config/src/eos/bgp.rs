//! `router bgp`: read line by line, resolved at the end, because peer groups may come after the neighbours that use them.

use super::{family, policy};
use crate::notes::{Notes, Object};
use crate::outline::{self, Node};
use crate::{
    Aggregate, BgpConfig, BgpNetwork, Confederation, LocalAs, Neighbor, NeighborFamily, NeighborWider, Redistribution, RemovePrivate,
    RouterConfig,
};
use bgp::{Asn, Family, Prefix};
use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet};

/// Routes that a neighbour may announce where `maximum-routes` says nothing (EOS manual, `neighbor maximum-routes`).
const MAXIMUM_ROUTES: u32 = 12_000;

/// `router bgp` under construction.
pub(super) struct Draft {
    bgp: BgpConfig,
    /// Families that every neighbour speaks unless told otherwise.
    default_families: BTreeSet<Family>,
    /// `neighbor default send-community`.
    send_community: bool,
    /// Reflected routes keep their attributes.
    preserve: bool,
    peers: BTreeMap<String, Peer>,
}

/// Lines of a neighbour or group.
#[derive(Default)]
struct Peer {
    line: u32,
    group: Option<(String, u32)>,
    is_group: bool,
    lines: Vec<Said>,
    families: BTreeMap<Family, Vec<Said>>,
}

/// A line, behind `no` or not.
#[derive(Clone)]
struct Said {
    on: bool,
    words: Vec<String>,
}

/// Settings while they are put together.
#[derive(Clone)]
struct Session {
    remote_as: Option<Asn>,
    description: Option<String>,
    update_source: Option<String>,
    shutdown: bool,
    wider: NeighborWider,
    /// Settings given at the neighbour hold for every family.
    family: NeighborFamily,
}

enum Read {
    Taken,
    /// Known to change no route.
    Quiet,
    Unmodelled(&'static str),
}

impl Draft {
    pub fn new(asn: Asn) -> Self {
        let mut bgp = BgpConfig::new(asn);
        // EOS exchanges routes without policy (`bgp missing-policy` permits by default)
        bgp.ebgp_requires_policy = false;
        // `bgp enforce-first-as` is on by default
        bgp.wider.enforce_first_as = true;
        // outbound policy may change reflected routes (`bgp route-reflector preserve-attributes` is off)
        bgp.wider.allow_outbound_policy = true;
        Self {
            bgp,
            default_families: BTreeSet::from([Family::Ipv4Unicast]),
            send_community: false,
            preserve: false,
            peers: BTreeMap::new(),
        }
    }

    pub const fn asn(&self) -> Asn {
        self.bgp.asn
    }

    pub fn block(&mut self, node: &Node<'_>, notes: &mut Notes) {
        let context = node.text();
        for child in &node.children {
            match child.words[..] {
                ["address-family", ref name @ ..] => match family(name) {
                    Some(family) => {
                        let context = format!("{context} / {}", child.text());
                        for line in &child.children {
                            self.family_line(family, line, &context, notes);
                        }
                    }
                    None => notes.unmodelled(child.line, &child.text(), &context, "ignored: routes of this family are not computed"),
                },
                ["vrf", ..] => notes.unmodelled(child.line, &child.text(), &context, "ignored: routes of other VRFs are not computed"),
                _ => self.main_line(child, &context, notes),
            }
        }
    }

    fn note(read: Read, node: &Node<'_>, context: &str, notes: &mut Notes) {
        if let Read::Unmodelled(effect) = read {
            notes.unmodelled(node.line, &node.text(), context, effect);
        }
    }

    fn main_line(&mut self, node: &Node<'_>, context: &str, notes: &mut Notes) {
        let bgp = &mut self.bgp;
        let unread = Read::Unmodelled("ignored: taken as without it");
        let read = match node.words[..] {
            ["router-id", id] | ["bgp", "router-id", id] => match id.parse() {
                Ok(id) => {
                    if let Some(old) = bgp.router_id.filter(|old| *old != id) {
                        let effect = format!("router id {old} was said before; {id}, the later, is kept");
                        notes.problem(node.line, &node.text(), context, &effect);
                    }
                    bgp.router_id = Some(id);
                    Read::Taken
                }
                Err(_) => unread,
            },
            ["bgp", "cluster-id", id] => {
                bgp.cluster_id = id.parse().ok();
                if bgp.cluster_id.is_some() { Read::Taken } else { unread }
            }
            [ref no @ .., "bgp", "default", family] if matches!(family, "ipv4-unicast" | "ipv6-unicast") && no.len() < 2 => {
                let family = if family == "ipv4-unicast" { Family::Ipv4Unicast } else { Family::Ipv6Unicast };
                if no.is_empty() {
                    self.default_families.insert(family);
                } else {
                    self.default_families.remove(&family);
                }
                Read::Taken
            }
            ["bgp", "default", "local-preference", v] | ["bgp", "local-preference", v] => match v.parse() {
                Ok(v) => {
                    bgp.default_local_pref = v;
                    Read::Taken
                }
                Err(_) => unread,
            },
            ["bgp", "always-compare-med"] | ["bgp", "bestpath", "med", "always-compare"] => {
                bgp.best_path.always_compare_med = true;
                Read::Taken
            }
            ["bgp", "bestpath", "med", "missing-as-worst"] => {
                bgp.best_path.med_missing_as_worst = true;
                Read::Taken
            }
            ["bgp", "bestpath", "med", "confed"] => {
                bgp.best_path.med_confed = true;
                Read::Taken
            }
            ["bgp", "bestpath", "as-path", "ignore"] => {
                bgp.best_path.as_path_ignore = true;
                Read::Taken
            }
            ["bgp", "bestpath", "as-path", "multipath-relax"] => {
                bgp.best_path.multipath_relax = true;
                Read::Taken
            }
            ["no", "bgp", "bestpath", "as-path", "multipath-relax"] => {
                bgp.best_path.multipath_relax = false;
                Read::Taken
            }
            ["bgp", "bestpath", "tie-break", "router-id"] => {
                bgp.best_path.compare_router_id = true;
                Read::Taken
            }
            ["bgp", "bestpath", ..] => Read::Unmodelled("ignored: best paths are chosen as without it"),
            ["maximum-paths", n, ..] => match n.parse() {
                Ok(n) => {
                    // one number for eBGP and iBGP (EOS manual, `maximum-paths`)
                    for family in [Family::Ipv4Unicast, Family::Ipv6Unicast] {
                        bgp.wider.maximum_paths.insert(family, n);
                        bgp.wider.maximum_paths_ibgp.insert(family, n);
                    }
                    Read::Taken
                }
                Err(_) => unread,
            },
            ["distance", "bgp", e, i, l] => match (e.parse(), i.parse(), l.parse()) {
                (Ok(e), Ok(i), Ok(l)) => {
                    for family in [Family::Ipv4Unicast, Family::Ipv6Unicast] {
                        bgp.wider.distance.insert(family, (e, i, l));
                    }
                    Read::Taken
                }
                _ => unread,
            },
            ["distance", "bgp", d] => {
                if let Ok(d) = d.parse() {
                    bgp.wider.distance.insert(Family::Ipv4Unicast, (d, d, d));
                    bgp.wider.distance.insert(Family::Ipv6Unicast, (d, d, d));
                }
                Read::Taken
            }
            ["bgp", "confederation", "identifier", id] => match outline::asn(id) {
                Some(id) => {
                    confederation(bgp).identifier = id;
                    Read::Taken
                }
                None => unread,
            },
            ["bgp", "confederation", "peers", ref list @ ..] => match list.iter().map(|a| outline::asn(a)).collect::<Option<Vec<_>>>() {
                Some(list) => {
                    confederation(bgp).peers.extend(list);
                    Read::Taken
                }
                None => unread,
            },
            ["no", "bgp", "enforce-first-as"] => {
                bgp.wider.enforce_first_as = false;
                Read::Taken
            }
            ["no", "bgp", "client-to-client", "reflection"] | ["no", "bgp", "client-to-client"] => {
                bgp.wider.no_client_to_client = true;
                Read::Taken
            }
            ["bgp", "route-reflector", "preserve-attributes", ..] => {
                self.preserve = true;
                bgp.wider.allow_outbound_policy = false;
                Read::Taken
            }
            ["bgp", "missing-policy", ..] => self.missing_policy(&node.words),
            ["bgp", "advertise-inactive"] => Read::Quiet,
            ["bgp", "listen", "range", range, "peer-group" | "peer", ref rest @ ..] => {
                let group = if let ["group", name, ..] = rest { *name } else { rest.first().copied().unwrap_or_default() };
                let remote = rest.iter().position(|w| *w == "remote-as").and_then(|at| rest.get(at + 1));
                match range.parse::<Prefix>() {
                    Ok(range) if !group.is_empty() => {
                        bgp.wider.listen_ranges.push((range, group.to_owned()));
                        notes.uses(Object::Group, group, node.line);
                        if let Some(asn) = remote {
                            let said = Said { on: true, words: vec!["remote-as".to_owned(), (*asn).to_owned()] };
                            self.peers.entry(group.to_owned()).or_default().lines.push(said);
                        }
                        Read::Taken
                    }
                    _ => unread,
                }
            }
            ["neighbor", "default", "send-community", ..] => {
                self.send_community = true;
                Read::Taken
            }
            ["neighbor" | "no", ..] if matches!(node.words[..], ["neighbor", ..] | ["no", "neighbor", ..]) => {
                self.neighbor_line(None, node, notes)
            }
            ["network" | "redistribute" | "aggregate-address", ..] => {
                let both = [Family::Ipv4Unicast, Family::Ipv6Unicast];
                let of = node.words.get(1).and_then(|p| p.parse::<Prefix>().ok()).map(|p| p.family());
                let families: Vec<Family> = both.into_iter().filter(|f| of.is_none_or(|o| o == *f)).collect();
                families.into_iter().fold(unread, |_, family| self.origin_line(family, &node.words, node.line, notes))
            }
            ["graceful-restart" | "graceful-restart-helper" | "timers" | "shutdown" | "monitoring" | "update" | "dynamic", ..]
            | ["bgp", "log-neighbor-changes" | "convergence" | "transport" | "asn" | "trace" | "auto-local-addr" | "host-routes", ..]
            | ["no", "bgp", "log-neighbor-changes" | "host-routes", ..] => {
                if node.words == ["shutdown"] {
                    Read::Unmodelled("ignored: the instance is taken as running")
                } else {
                    Read::Quiet
                }
            }
            _ => unread,
        };
        Self::note(read, node, context, notes);
    }

    /// `bgp missing-policy [address-family all] [include …] direction in|out action deny|permit|deny-in-out`.
    fn missing_policy(&mut self, words: &[&str]) -> Read {
        match words.last() {
            Some(&"permit") => Read::Quiet,
            Some(&"deny" | &"deny-in-out") => {
                self.bgp.ebgp_requires_policy = true;
                Read::Unmodelled("taken for both directions: an eBGP session without policy exchanges nothing")
            }
            _ => Read::Unmodelled("ignored: sessions without policy exchange routes"),
        }
    }

    fn origin_line(&mut self, family: Family, words: &[&str], line: u32, notes: &mut Notes) -> Read {
        let bgp = &mut self.bgp;
        match words {
            ["network", prefix, rest @ ..] => {
                let Some(prefix) = outline::prefix(prefix).filter(|p| p.family() == family) else {
                    return Read::Unmodelled("ignored: the prefix is not originated");
                };
                let policy = if let ["route-map", name] = rest { Some((*name).to_owned()) } else { None };
                policy.iter().for_each(|p| notes.uses(Object::Policy, p, line));
                if !bgp.networks.iter().any(|n| n.prefix == prefix && n.policy == policy) {
                    bgp.networks.push(BgpNetwork { prefix, policy });
                }
                Read::Taken
            }
            ["redistribute", rest @ ..] => match redistribution(rest) {
                Some(one) => {
                    one.policy.iter().for_each(|p| notes.uses(Object::Policy, p, line));
                    bgp.wider.redistribute.entry(family).or_default().push(one);
                    Read::Taken
                }
                None => Read::Unmodelled("ignored: these routes are not originated"),
            },
            ["aggregate-address", prefix, rest @ ..] => {
                let Some(prefix) = outline::prefix(prefix) else { return Read::Unmodelled("ignored: the prefix is not originated") };
                let mut aggregate = Aggregate {
                    prefix,
                    summary_only: false,
                    as_set: false,
                    matching_med_only: false,
                    origin: None,
                    policy: None,
                    suppress_map: None,
                };
                let mut rest = rest.iter();
                while let Some(word) = rest.next() {
                    match (*word, rest.clone().next()) {
                        ("summary-only", _) => aggregate.summary_only = true,
                        ("as-set", _) => aggregate.as_set = true,
                        ("attribute-map", Some(name)) => {
                            aggregate.policy = Some((*name).to_owned());
                            rest.next();
                        }
                        _ => return Read::Unmodelled("ignored: the aggregate is not originated"),
                    }
                }
                bgp.wider.aggregates.push(aggregate);
                Read::Taken
            }
            _ => Read::Unmodelled("ignored: taken as without it"),
        }
    }

    fn family_line(&mut self, family: Family, node: &Node<'_>, context: &str, notes: &mut Notes) {
        let read = match node.words[..] {
            ["neighbor", ..] | ["no", "neighbor", ..] => self.neighbor_line(Some(family), node, notes),
            ["network" | "redistribute" | "aggregate-address", ..] => self.origin_line(family, &node.words, node.line, notes),
            ["bgp", "missing-policy", ..] => self.missing_policy(&node.words),
            ["bgp", "additional-paths", ..] => Read::Unmodelled("ignored: one path per prefix is sent"),
            ["graceful-restart" | "next-hop", ..] => Read::Quiet,
            _ => Read::Unmodelled("ignored: taken as without it"),
        };
        Self::note(read, node, context, notes);
    }

    fn neighbor_line(&mut self, family: Option<Family>, node: &Node<'_>, notes: &mut Notes) -> Read {
        let (on, skipped) = if node.words.first().is_some_and(|w| *w == "no") { (false, 2) } else { (true, 1) };
        let words = node.words.get(skipped..).unwrap_or_default();
        let [name, rest @ ..] = words else { return Read::Unmodelled("ignored: it names no neighbour") };
        let peer = self.peers.entry((*name).to_owned()).or_default();
        if peer.line == 0 {
            peer.line = node.line;
        }
        match rest {
            ["peer", "group"] | ["peer-group"] => {
                peer.is_group = on;
                notes.defines(Object::Group, name);
                return Read::Taken;
            }
            ["peer", "group", group] | ["peer-group", group] => {
                peer.group = on.then(|| ((*group).to_owned(), node.line));
                if on {
                    notes.uses(Object::Group, group, node.line);
                }
                return Read::Taken;
            }
            ["route-map", map, _] if on => notes.uses(Object::Policy, map, node.line),
            ["default-originate", "route-map", map, ..] if on => notes.uses(Object::Policy, map, node.line),
            ["prefix-list", list, _] if on => notes.uses(Object::Prefixes, list, node.line),
            _ => {}
        }
        let mut probe = Session::new();
        let was = peer
            .lines
            .iter()
            .rev()
            .find(|s| s.on && s.words.first().is_some_and(|w| w == "remote-as"))
            .filter(|_| on && rest.first() == Some(&"remote-as"));
        if let Some(was) = was.filter(|w| rest.get(1).is_some_and(|r| w.words.get(1).is_some_and(|w| w != r))) {
            let effect = format!("remote-as {} was said before; the later is kept", was.words[1..].join(" "));
            notes.problem(node.line, &node.text(), "router bgp", &effect);
        }
        let read = match (rest, family) {
            (["activate"], Some(_)) => Read::Taken,
            _ => probe.line(rest, on),
        };
        if !matches!(read, Read::Unmodelled(_)) {
            let said = Said { on, words: rest.iter().map(|w| (*w).to_owned()).collect() };
            match family {
                Some(family) => peer.families.entry(family).or_default().push(said),
                None => peer.lines.push(said),
            }
        }
        read
    }

    /// Merges groups into neighbours and puts the result into the configuration.
    pub fn finish(mut self, config: &mut RouterConfig, notes: &mut Notes) {
        for (name, peer) in &self.peers {
            let address = name.parse::<IpAddr>().ok();
            if address.is_none() && !peer.is_group && peer.line > 0 && !self.bgp.wider.listen_ranges.iter().any(|(_, g)| g == name) {
                notes.problem(peer.line, &format!("neighbor {name}"), "router bgp", "neither an address nor a peer group; nothing is kept");
                continue;
            }
            match (self.neighbor(name, peer, config), address) {
                (Some(neighbor), Some(address)) => drop(self.bgp.neighbors.insert(address, neighbor)),
                (Some(neighbor), None) => drop(self.bgp.wider.groups.insert(name.clone(), neighbor)),
                (None, Some(_)) => {
                    let effect = "no remote-as, its own or its group's: the session never comes up, and is not kept";
                    notes.problem(peer.line, &format!("neighbor {name}"), &format!("router bgp {}", self.bgp.asn), effect);
                }
                (None, None) => {}
            }
        }
        policy::lengths(config);
        config.bgp = Some(self.bgp);
    }

    fn neighbor(&self, name: &str, peer: &Peer, config: &RouterConfig) -> Option<Neighbor> {
        let group = peer.group.as_ref().and_then(|(g, _)| self.peers.get(g));
        let mut session = Session::new();
        session.family.send_community = self.send_community;
        session.family.wider.no_send_large = !self.send_community;
        for said in group.into_iter().flat_map(|g| &g.lines).chain(&peer.lines) {
            said.apply(&mut session);
        }
        let remote_as = session.remote_as?;
        let mut families = BTreeMap::new();
        for family in [Family::Ipv4Unicast, Family::Ipv6Unicast] {
            let mut settings = session.clone();
            let mut active = self.default_families.contains(&family);
            let said = |p: &'_ Peer| p.families.get(&family).cloned().unwrap_or_default();
            for said in group.map(said).unwrap_or_default().iter().chain(&said(peer)) {
                match said.words[..] {
                    [ref word] if word == "activate" => active = said.on,
                    _ => said.apply(&mut settings),
                }
            }
            // an IPv4 neighbour of the default family carries no IPv6 unless activated, and the other way round
            if name.parse::<IpAddr>().is_ok_and(|a| Family::of(a) != family) && !peer.said_activate(group, family) {
                active = false;
            }
            if !active {
                continue;
            }
            let mut out = settings.family;
            // a route-map that does not exist permits (`bgp missing-policy`)
            for map in [&mut out.import, &mut out.export] {
                if map.as_ref().is_some_and(|m| !config.policy.definitions.contains_key(m)) && !self.bgp.ebgp_requires_policy {
                    *map = None;
                }
            }
            // reflected routes get our next hop too, unless their attributes are preserved
            out.next_hop_self_force = out.next_hop_self && !self.preserve;
            out.max_prefix = out.max_prefix.or(Some(MAXIMUM_ROUTES)).filter(|n| *n > 0);
            families.insert(family, out);
        }
        let Session { description, update_source, shutdown, wider, .. } = session;
        Some(Neighbor {
            remote_as,
            description,
            peer_group: peer.group.as_ref().map(|(g, _)| g.clone()),
            update_source,
            shutdown,
            families,
            wider,
        })
    }
}

impl Peer {
    fn said_activate(&self, group: Option<&Self>, family: Family) -> bool {
        let says = |p: &Self| p.families.get(&family).is_some_and(|l| l.iter().any(|s| s.on && s.words == ["activate"]));
        says(self) || group.is_some_and(says)
    }
}

impl Said {
    fn apply(&self, session: &mut Session) {
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        session.line(&words, self.on);
    }
}

impl Session {
    fn new() -> Self {
        Self {
            remote_as: None,
            description: None,
            update_source: None,
            shutdown: false,
            wider: NeighborWider::default(),
            family: NeighborFamily::default(),
        }
    }

    fn line(&mut self, words: &[&str], on: bool) -> Read {
        let (wider, family) = (&mut self.wider, &mut self.family);
        let unread = Read::Unmodelled("ignored: the session is taken as without it");
        let owned = |n: &str| on.then(|| n.to_owned());
        match words {
            ["remote-as", asn] => match outline::asn(asn) {
                Some(asn) => self.remote_as = on.then_some(asn),
                None => return unread,
            },
            ["description", text @ ..] => self.description = on.then(|| text.join(" ")),
            ["update-source", source] => self.update_source = owned(source),
            ["shutdown", ..] => self.shutdown = on,
            ["next-hop-self"] => family.next_hop_self = on,
            ["next-hop-unchanged"] => family.wider.unchanged.next_hop = on,
            ["route-reflector-client"] => family.route_reflector_client = on,
            ["route-map", name, "in"] => family.import = owned(name),
            ["route-map", name, "out"] => family.export = owned(name),
            ["prefix-list", name, "in"] => family.wider.prefix_list_in = owned(name),
            ["prefix-list", name, "out"] => family.wider.prefix_list_out = owned(name),
            ["send-community"] | ["send-community", "all"] => (family.send_community, family.wider.no_send_large) = (on, !on),
            ["send-community", kinds @ ..] => {
                if kinds.contains(&"standard") {
                    family.send_community = on;
                }
                if kinds.contains(&"large") {
                    family.wider.no_send_large = !on;
                }
            }
            ["maximum-routes", n, rest @ ..] => {
                family.max_prefix = n.parse().ok().filter(|_| on);
                family.wider.max_prefix_warning_only = on && rest.contains(&"warning-only");
            }
            ["weight", w] => family.wider.weight = w.parse().ok().filter(|_| on),
            ["allowas-in"] => family.wider.allowas_in = on.then_some(3),
            ["allowas-in", n] => family.wider.allowas_in = n.parse().ok().filter(|_| on),
            ["remove-private-as", rest @ ..] => {
                let remove = RemovePrivate { all: rest.contains(&"all"), replace: rest.contains(&"replace-as") };
                family.wider.remove_private = on.then_some(remove);
            }
            ["as-path", "remote-as", "replace", "out"] => family.wider.as_override = on,
            ["default-originate", rest @ ..] => {
                let map = if let ["route-map", name, ..] = rest { Some((*name).to_owned()) } else { None };
                family.wider.default_originate = on.then_some(map);
            }
            ["ebgp-multihop", rest @ ..] => {
                wider.ebgp_multihop = on.then(|| rest.first().and_then(|n| n.parse().ok()).unwrap_or(255));
                return Read::Quiet;
            }
            ["ttl", "maximum-hops", n] => {
                wider.ebgp_multihop = n.parse().ok().filter(|n| on && *n > 1);
                return Read::Quiet;
            }
            ["local-as", asn, rest @ ..] => match outline::asn(asn) {
                Some(asn) => {
                    let (no_prepend, replace_as) = (rest.contains(&"no-prepend"), rest.contains(&"replace-as"));
                    wider.local_as = on.then_some(LocalAs { asn, no_prepend, replace_as });
                }
                None => return unread,
            },
            ["enforce-first-as"] => wider.enforce_first_as = on,
            ["passive"] => wider.passive = on,
            ["rib-in", "pre-policy", "retain", ..] | ["soft-reconfiguration", "inbound", ..] => {
                family.soft_reconfiguration = on;
                return Read::Quiet;
            }
            ["timers", keepalive, hold, ..] => {
                wider.timers_s = keepalive.parse().ok().zip(hold.parse().ok()).filter(|_| on);
                return Read::Quiet;
            }
            ["out-delay", s] => {
                wider.advertisement_interval_s = s.parse().ok().filter(|_| on);
                return Read::Quiet;
            }
            ["password" | "bfd" | "graceful-restart" | "graceful-restart-helper" | "idle-restart-timer" | "transport", ..]
            | ["auto-local-addr" | "fall-over" | "metric-out" | "route-to-peer" | "peer-tag" | "missing-policy", ..] => {
                if words[0] == "metric-out" {
                    return Read::Unmodelled("ignored: announced routes keep the MED that policy gives them");
                }
                return Read::Quiet;
            }
            _ => return unread,
        }
        Read::Taken
    }
}

/// `PROTOCOL [route-map NAME]`.
pub(super) fn redistribution(words: &[&str]) -> Option<Redistribution> {
    let [protocol, rest @ ..] = words else { return None };
    let protocol = policy::protocol(protocol)?;
    let policy = match rest {
        [] | ["include", "leaked"] => None,
        [.., "route-map", name] => Some((*name).to_owned()),
        ["match" | "level-1" | "level-2" | "level-1-2", ..] => return None,
        _ => return None,
    };
    Some(Redistribution { protocol, policy, metric: None })
}

fn confederation(bgp: &mut BgpConfig) -> &mut Confederation {
    bgp.wider.confederation.get_or_insert_with(|| Confederation { identifier: Asn(0), peers: BTreeSet::new() })
}
