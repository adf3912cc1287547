//! `neighbor …` lines, of a neighbour or a peer group.

use super::Read;
use crate::{AddPathSend, ConditionalAdvertisement, LocalAs, Neighbor, NeighborFamily, NeighborWider, RemovePrivate, Role, Unchanged};
use bgp::{Asn, Family};
use std::collections::BTreeMap;

/// The lines of one neighbour or group, in order; settings come of them once all groups are known.
#[derive(Clone, Default)]
pub(super) struct PeerDraft {
    pub group: Option<String>,
    /// `neighbor IFACE interface`.
    pub on_interface: bool,
    /// `… v6only`: also where the interface has an IPv4 /30 or /31.
    pub v6_only: bool,
    lines: Vec<(bool, Vec<String>)>,
    families: BTreeMap<Family, Vec<(bool, Vec<String>)>>,
}

/// Settings of a session while they are put together.
struct Session {
    own: Asn,
    remote_as: Option<Asn>,
    description: Option<String>,
    update_source: Option<String>,
    shutdown: bool,
    wider: NeighborWider,
}

/// Settings of a family while they are put together.
struct FamilySession {
    activate: Option<bool>,
    settings: NeighborFamily,
}

impl FamilySession {
    fn new() -> Self {
        Self { activate: None, settings: NeighborFamily { send_community: true, ..NeighborFamily::default() } }
    }
}

fn owned(on: bool, words: &[&str]) -> (bool, Vec<String>) {
    (on, words.iter().map(|w| (*w).to_owned()).collect())
}

impl PeerDraft {
    /// Takes a line of the session; `on` is false behind `no`.
    pub fn line(&mut self, own: Asn, words: &[&str], on: bool) -> Read {
        match words {
            ["interface", rest @ ..] if !matches!(rest, [name] if !matches!(*name, "v6only")) => {
                self.on_interface = on;
                let rest = if let ["v6only", rest @ ..] = rest {
                    self.v6_only = on;
                    rest
                } else {
                    rest
                };
                return if rest.is_empty() { Read::Wider } else { self.line(own, rest, on).wider() };
            }
            // the interface of an address that is known
            ["interface", _] => return Read::Harmless,
            ["peer-group"] => return Read::Taken,
            ["peer-group", group] => {
                self.group = on.then(|| (*group).to_owned());
                return Read::Taken;
            }
            _ => {}
        }
        let read = Session::new(own).line(words, on);
        // what changes no route (timers, hops) is held too
        if matches!(read, Read::Taken | Read::Wider | Read::Harmless) {
            self.lines.push(owned(on, words));
        }
        read
    }

    /// Takes a line of a family.
    pub fn family_line(&mut self, family: Family, words: &[&str], on: bool) -> Read {
        if let ["peer-group", group] = words {
            self.group = on.then(|| (*group).to_owned());
            return Read::Taken;
        }
        let read = FamilySession::new().line(words, on);
        if matches!(read, Read::Taken | Read::Wider | Read::Harmless) {
            self.families.entry(family).or_default().push(owned(on, words));
        }
        read
    }

    /// Returns the settings, the group's first; `None` without a remote AS: such a session never comes up.
    pub fn finish(&self, own: Asn, group: Option<&Self>, default_v4: bool) -> Option<Neighbor> {
        let mut session = Session::new(own);
        for (on, words) in group.into_iter().flat_map(|g| &g.lines).chain(&self.lines) {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            session.line(&words, *on);
        }
        let families = [Family::Ipv4Unicast, Family::Ipv6Unicast];
        let families = families.into_iter().filter_map(|f| self.family(group, f, default_v4).map(|s| (f, s))).collect();
        Some(Neighbor {
            remote_as: session.remote_as?,
            description: session.description,
            peer_group: self.group.clone(),
            update_source: session.update_source,
            shutdown: session.shutdown,
            families,
            wider: session.wider,
        })
    }

    fn family(&self, group: Option<&Self>, family: Family, default_v4: bool) -> Option<NeighborFamily> {
        let mut out = FamilySession::new();
        let of = |d: &'_ Self| d.families.get(&family).cloned().unwrap_or_default();
        for (on, words) in group.map(of).unwrap_or_default().iter().chain(&of(self)) {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            out.line(&words, *on);
        }
        out.activate.unwrap_or(family == Family::Ipv4Unicast && default_v4).then_some(out.settings)
    }
}

impl Session {
    fn new(own: Asn) -> Self {
        Self { own, remote_as: None, description: None, update_source: None, shutdown: false, wider: NeighborWider::default() }
    }

    fn line(&mut self, words: &[&str], on: bool) -> Read {
        let wider = &mut self.wider;
        match words {
            ["remote-as", "internal"] => self.remote_as = Some(self.own),
            ["remote-as", "external"] => self.remote_as = Some(Neighbor::ANY_EXTERNAL),
            ["remote-as", asn] => match asn.parse() {
                Ok(asn) => self.remote_as = Some(Asn(asn)),
                Err(_) => return Read::Unmodelled,
            },
            ["description", text @ ..] => self.description = on.then(|| text.join(" ")),
            ["update-source", source] => self.update_source = on.then(|| (*source).to_owned()),
            ["shutdown", ..] => self.shutdown = on,
            // the number of hops decides whether the session comes up, which is seen, and what its next hops may be
            ["ebgp-multihop", rest @ ..] => {
                wider.ebgp_multihop = on.then(|| rest.first().and_then(|n| n.parse().ok()).unwrap_or(255));
                return Read::Harmless;
            }
            ["ttl-security", ..] => {
                wider.ebgp_multihop = on.then_some(255);
                return Read::Harmless;
            }
            ["disable-connected-check"] => {
                wider.no_connected_check = on;
                return Read::Harmless;
            }
            ["passive"] => {
                wider.passive = on;
                return Read::Harmless;
            }
            ["timers", keepalive, hold] if *keepalive != "connect" => {
                wider.timers_s = keepalive.parse().ok().zip(hold.parse().ok()).filter(|_| on);
                return Read::Harmless;
            }
            ["advertisement-interval", s] => {
                wider.advertisement_interval_s = s.parse().ok().filter(|_| on);
                return Read::Harmless;
            }
            ["capability", "extended-nexthop"] => {
                wider.extended_next_hop = on;
                return Read::Wider;
            }
            ["aigp"] => {
                wider.aigp = on;
                return Read::Wider;
            }
            [
                "graceful-restart" | "graceful-restart-helper" | "graceful-restart-disable" | "tcp-mss" | "disable-link-bw-encoding-ieee",
                ..,
            ] => {
                return Read::Harmless;
            }
            ["timers" | "password" | "bfd" | "capability" | "port" | "dont-capability-negotiate" | "override-capability", ..]
            | ["strict-capability-match" | "solo" | "extended-optional-parameters", ..] => return Read::Harmless,
            ["local-as", asn, rest @ ..] => {
                let Ok(asn) = asn.parse() else { return Read::Unmodelled };
                let (no_prepend, replace_as) = (rest.contains(&"no-prepend"), rest.contains(&"replace-as"));
                wider.local_as = on.then_some(LocalAs { asn: Asn(asn), no_prepend, replace_as });
                return Read::Wider;
            }
            ["local-role", role, rest @ ..] => {
                wider.role = match *role {
                    _ if !on => None,
                    "provider" => Some(Role::Provider),
                    "customer" => Some(Role::Customer),
                    "peer" => Some(Role::Peer),
                    "rs-server" => Some(Role::RouteServer),
                    "rs-client" => Some(Role::RouteServerClient),
                    _ => return Read::Unmodelled,
                };
                wider.strict_role = on && rest == ["strict-mode"];
                return Read::Wider;
            }
            ["sender-as-path-loop-detection"] => {
                wider.sender_loop_detection = on;
                return Read::Wider;
            }
            ["enforce-first-as"] => {
                wider.enforce_first_as = on;
                return Read::Wider;
            }
            _ => return Read::Unmodelled,
        }
        Read::Taken
    }
}

impl FamilySession {
    fn line(&mut self, words: &[&str], on: bool) -> Read {
        let family = &mut self.settings;
        match words {
            ["activate"] => self.activate = Some(on),
            ["route-map", name, "in"] => family.import = on.then(|| (*name).to_owned()),
            ["route-map", name, "out"] => family.export = on.then(|| (*name).to_owned()),
            ["next-hop-self"] => family.next_hop_self = on,
            ["next-hop-self", "force" | "all"] => (family.next_hop_self, family.next_hop_self_force) = (on, on),
            ["route-reflector-client"] => family.route_reflector_client = on,
            ["soft-reconfiguration", "inbound"] => family.soft_reconfiguration = on,
            ["maximum-prefix", max, rest @ ..] => {
                family.max_prefix = max.parse().ok().filter(|_| on);
                family.wider.max_prefix_warning_only = on && rest.contains(&"warning-only");
            }
            ["send-community"] | ["send-community", "both" | "all" | "standard"] => {
                family.send_community = on;
                if words == ["send-community", "all"] {
                    family.wider.no_send_large = !on;
                }
                if matches!(words, [_, "both" | "all"]) {
                    family.wider.no_send_extended = !on;
                }
            }
            ["send-community", "extended"] => {
                family.wider.no_send_extended = !on;
                return Read::Harmless;
            }
            ["send-community", "large"] => {
                family.wider.no_send_large = !on;
                return Read::Harmless;
            }
            ["advertisement-interval" | "nexthop-local", ..] => return Read::Harmless,
            _ => return self.wider_line(words, on),
        }
        Read::Taken
    }

    fn wider_line(&mut self, words: &[&str], on: bool) -> Read {
        let family = &mut self.settings.wider;
        let name = |n: &str| on.then(|| n.to_owned());
        match words {
            ["allowas-in"] => family.allowas_in = on.then_some(3),
            ["allowas-in", "origin"] => (family.allowas_in, family.allowas_in_origin) = (on.then_some(3), on),
            ["allowas-in", n] => match n.parse() {
                Ok(n) => family.allowas_in = on.then_some(n),
                Err(_) => return Read::Unmodelled,
            },
            ["as-override"] => family.as_override = on,
            ["remove-private-AS", rest @ ..] => {
                let remove = RemovePrivate { all: rest.contains(&"all"), replace: rest.contains(&"replace-AS") };
                family.remove_private = on.then_some(remove);
            }
            ["default-originate"] => family.default_originate = on.then_some(None),
            ["default-originate", "route-map", map] => family.default_originate = on.then(|| Some((*map).to_owned())),
            ["advertise-map", map, kind @ ("exist-map" | "non-exist-map"), condition] => {
                family.conditional = on.then(|| ConditionalAdvertisement {
                    advertise_map: (*map).to_owned(),
                    condition_map: (*condition).to_owned(),
                    exist: *kind == "exist-map",
                });
            }
            ["attribute-unchanged", rest @ ..] => {
                let all = rest.is_empty();
                let has = |word: &str| on && (all || rest.contains(&word));
                family.unchanged = Unchanged { as_path: has("as-path"), next_hop: has("next-hop"), med: has("med") };
            }
            ["prefix-list", list, "in"] => family.prefix_list_in = name(list),
            ["prefix-list", list, "out"] => family.prefix_list_out = name(list),
            ["filter-list", list, "in"] => family.filter_list_in = name(list),
            ["filter-list", list, "out"] => family.filter_list_out = name(list),
            ["distribute-list", list, "in"] => family.distribute_list_in = name(list),
            ["distribute-list", list, "out"] => family.distribute_list_out = name(list),
            ["unsuppress-map", map] => family.unsuppress_map = name(map),
            ["maximum-prefix-out", n] => family.max_prefix_out = n.parse().ok().filter(|_| on),
            ["addpath-tx-all-paths"] => family.add_path_send = if on { AddPathSend::All } else { AddPathSend::No },
            ["addpath-tx-bestpath-per-AS"] => family.add_path_send = if on { AddPathSend::BestPerAs } else { AddPathSend::No },
            ["weight", w] => family.weight = w.parse().ok().filter(|_| on),
            ["route-server-client"] => family.route_server_client = on,
            ["soo", soo] => match bgp::ExtendedCommunity::site_of_origin(soo) {
                Ok(soo) => family.soo = on.then_some(soo),
                Err(_) => return Read::Unmodelled,
            },
            ["soo"] if !on => family.soo = None,
            ["disable-addpath-rx"] => family.no_add_path_receive = on,
            _ => return Read::Unmodelled,
        }
        Read::Wider
    }
}
