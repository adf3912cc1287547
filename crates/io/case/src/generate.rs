//! Random small networks for FRR: a core with OSPF, its own reflectors or confederation, neighbours outside, policies and knobs.
//!
//! Everything follows from the seed; a feature that is left out ([`Feature`]) takes nothing else with it, so that a difference can be made
//! smaller by leaving features out one by one.

mod dice;
mod policy;

use crate::{Case, Text};
pub(crate) use dice::Dice;
use policy::Use;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What a network may have; each is there by chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// IPv6 beside IPv4, on sessions of its own.
    Ipv6,
    /// Knobs of the decision process.
    Knobs,
    /// Import policies with conditions and actions.
    ImportPolicy,
    /// Export policies.
    ExportPolicy,
    /// `on-match`, `continue`, `call`.
    Flow,
    /// Reflectors in place of a full mesh.
    Reflection,
    /// A confederation.
    Confederation,
    /// Well-known and other communities.
    Communities,
    /// Large communities.
    LargeCommunities,
    /// AS-path lists.
    AsPathLists,
    /// Aggregates.
    Aggregates,
    /// `default-originate`.
    DefaultOriginate,
    /// Conditional advertisement.
    Conditional,
    /// `remove-private-AS`, `as-override`, `allowas-in`, `sender-as-path-loop-detection`.
    AsNumbers,
    /// `local-as`.
    LocalAs,
    /// Next hops, AS paths and MEDs left as they are; a third party on a shared segment.
    NextHops,
    /// Redistribution.
    Redistribution,
    /// Filters of sessions, weight.
    Filters,
    /// `maximum-prefix`.
    MaxPrefix,
    /// Routers that exchange nothing without a policy (RFC 8212).
    RequiresPolicy,
    /// Roles (RFC 9234).
    Roles,
    /// More paths than the best to a neighbour.
    AddPath,
    /// `bgp graceful-shutdown`.
    GracefulShutdown,
    /// `maximum-paths`.
    Multipath,
}

impl Feature {
    /// All of them.
    pub const ALL: [Self; 24] = [
        Self::Ipv6,
        Self::Knobs,
        Self::ImportPolicy,
        Self::ExportPolicy,
        Self::Flow,
        Self::Reflection,
        Self::Confederation,
        Self::Communities,
        Self::LargeCommunities,
        Self::AsPathLists,
        Self::Aggregates,
        Self::DefaultOriginate,
        Self::Conditional,
        Self::AsNumbers,
        Self::LocalAs,
        Self::NextHops,
        Self::Redistribution,
        Self::Filters,
        Self::MaxPrefix,
        Self::RequiresPolicy,
        Self::Roles,
        Self::AddPath,
        Self::GracefulShutdown,
        Self::Multipath,
    ];
}

const OWN: u32 = 65_000;
/// AS by which a neighbour knows a router with `local-as`.
const LOCAL: u32 = 64_777;
const PREFIXES: [&str; 6] = ["198.51.100.0/24", "198.51.101.0/24", "203.0.113.0/24", "203.0.112.0/23", "192.0.2.0/24", "100.64.0.0/16"];
const PREFIXES_V6: [&str; 4] = ["2001:db8:a00::/48", "2001:db8:a01::/48", "2001:db8:b00::/40", "2001:db8:c00::/48"];

/// A session between a border and a neighbour outside, as its ends name it.
#[derive(Clone)]
struct Edge {
    border: String,
    outside: String,
    /// Address of the border.
    ours: String,
    /// Address of the neighbour.
    theirs: String,
    six: bool,
}

struct Network {
    dice: Dice,
    without: Vec<Feature>,
    six: bool,
    links: BTreeMap<String, Vec<String>>,
    /// Interfaces and their lines by router.
    ports: BTreeMap<String, Vec<(String, String)>>,
    bgp: BTreeMap<String, String>,
    /// Lines of the IPv4 and of the IPv6 family.
    families: [BTreeMap<String, String>; 2],
    /// Lists.
    top: BTreeMap<String, String>,
    policies: BTreeMap<String, String>,
    statics: BTreeMap<String, String>,
}

impl Network {
    /// Throws for a feature; what it does is decided by dice of its own, so that without it everything else stays the same.
    fn chance(&mut self, feature: Feature, one_in: usize) -> Option<Dice> {
        let there = self.dice.one_in(one_in);
        let more = self.dice.more();
        (there && !self.without.contains(&feature)).then_some(more)
    }

    /// Connects routers; returns their addresses, IPv4 and IPv6.
    fn link(&mut self, routers: &[&str], cost: Option<usize>) -> Vec<[String; 2]> {
        let n = self.links.len();
        self.links.insert(format!("s{n:03}"), routers.iter().map(|r| (*r).to_owned()).collect());
        let mut out = Vec::new();
        for (i, router) in (1..).zip(routers) {
            let addresses = [format!("172.16.{n}.{i}"), format!("2001:db8:{n:x}::{i}")];
            let mut lines = format!(" ip address {}/24\n", addresses[0]);
            if let Some(c) = cost {
                let timers = "hello-interval 1\n {} dead-interval 4";
                let _ = writeln!(lines, " ip ospf area 0\n ip ospf cost {c}\n ip ospf network point-to-point");
                let _ = writeln!(lines, " ip ospf {}", timers.replace("{}", "ip ospf"));
            }
            if self.six {
                let _ = writeln!(lines, " ipv6 address {}/64", addresses[1]);
                if let Some(c) = cost {
                    let _ = writeln!(lines, " ipv6 ospf6 area 0\n ipv6 ospf6 cost {c}\n ipv6 ospf6 network point-to-point");
                    let _ = writeln!(lines, " ipv6 ospf6 hello-interval 1\n ipv6 ospf6 dead-interval 4");
                }
            }
            let ports = self.ports.entry((*router).to_owned()).or_default();
            ports.push((format!("{router}-eth{}", ports.len()), lines));
            out.push(addresses);
        }
        out
    }

    fn line(&mut self, router: &str, line: &str) {
        let _ = writeln!(self.bgp.entry(router.to_owned()).or_default(), " {line}");
    }

    fn family(&mut self, router: &str, six: bool, line: &str) {
        let _ = writeln!(self.families[usize::from(six)].entry(router.to_owned()).or_default(), "  {line}");
    }

    fn above(&mut self, router: &str, line: &str) {
        let text = self.top.entry(router.to_owned()).or_default();
        if !text.lines().any(|l| l == line) {
            let _ = writeln!(text, "{line}");
        }
    }

    fn session(&mut self, a: (&str, &str, u32), b: (&str, &str, u32)) {
        for ((router, _, _), (_, address, asn)) in [(a, b), (b, a)] {
            self.line(router, &format!("neighbor {address} remote-as {asn}"));
            self.line(router, &format!("neighbor {address} timers 3 9"));
            self.line(router, &format!("neighbor {address} timers connect 1"));
            if address.contains(':') {
                self.line(router, &format!("no neighbor {address} activate"));
                self.family(router, true, &format!("neighbor {address} activate"));
            }
        }
    }

    /// The families that sessions are made for.
    fn families(&self) -> core::ops::RangeInclusive<usize> {
        0..=usize::from(self.six)
    }
}

/// Addresses of a router's loopback.
fn loopback(i: usize) -> [String; 2] {
    [format!("10.0.0.{}", i + 1), format!("2001:db8:ffff::{}", i + 1)]
}

/// Makes the network of a seed, without some features.
#[must_use]
pub fn network(seed: u64, without: &[Feature]) -> Case {
    let mut n = Network {
        dice: Dice(seed.wrapping_mul(0xD134_2543_DE82_EF95).wrapping_add(1)),
        without: without.to_vec(),
        six: false,
        links: BTreeMap::new(),
        ports: BTreeMap::new(),
        bgp: BTreeMap::new(),
        families: Default::default(),
        top: BTreeMap::new(),
        policies: BTreeMap::new(),
        statics: BTreeMap::new(),
    };
    n.six = n.chance(Feature::Ipv6, 3).is_some();
    let core: Vec<String> = (1..=2 + n.dice.below(5)).map(|i| format!("r{i}")).collect();
    let outside: Vec<String> = (1..=1 + n.dice.below(4)).map(|i| format!("x{i}")).collect();
    // a tree, and some more links
    for i in 1..core.len() {
        let (j, cost) = (n.dice.below(i), 1 + n.dice.below(20));
        n.link(&[&core[i], &core[j]], Some(cost));
    }
    for _ in 0..n.dice.below(core.len()) {
        let (i, j, cost) = (n.dice.below(core.len()), n.dice.below(core.len()), 1 + n.dice.below(20));
        if i != j {
            n.link(&[&core[i], &core[j]], Some(cost));
        }
    }
    let confederation = n.chance(Feature::Confederation, 4).is_some();
    let member = |i: usize| if confederation { 65_100 + (i as u32) % 2 } else { OWN };
    inside(&mut n, &core, &member, confederation);
    let mut edges = Vec::new();
    for (k, name) in outside.iter().enumerate() {
        let asn = if n.dice.one_in(4) && k > 0 { 64_501 } else { 64_501 + k as u32 };
        n.bgp.insert(name.clone(), format!("router bgp {asn}\n"));
        for _ in 0..=n.dice.below(2) {
            let i = n.dice.below(core.len());
            let shared = n.chance(Feature::NextHops, 6);
            // a third party: a second neighbour on the same segment
            let third = shared.and_then(|_| outside.get(k.checked_sub(1)?)).cloned();
            let mut at: Vec<&str> = vec![&core[i], name];
            at.extend(third.as_deref());
            let addresses = n.link(&at, None);
            let mut join = |n: &mut Network, end: usize, asn: u32| {
                for f in n.families() {
                    let (ours, theirs) = (addresses[0][f].clone(), addresses[end][f].clone());
                    let edge = Edge { border: core[i].clone(), outside: at[end].to_owned(), ours, theirs, six: f == 1 };
                    edges.push(edge.clone());
                    // members of a confederation show its identifier
                    n.session((&edge.border, &edge.ours, OWN), (&edge.outside, &edge.theirs, asn));
                    border(n, &edge);
                }
            };
            join(&mut n, 1, asn);
            if let Some(third) = &third {
                let asn = asn_of(&n.bgp[third]);
                join(&mut n, 2, asn);
            }
        }
        originate(&mut n, name, &edges);
    }
    // neighbours outside know each other sometimes
    if outside.len() > 1 && n.dice.one_in(3) {
        let (a, b) = (outside[0].clone(), outside[1].clone());
        let asns = (asn_of(&n.bgp[&a]), asn_of(&n.bgp[&b]));
        let addresses = n.link(&[&a, &b], None);
        for f in n.families() {
            n.session((&a, &addresses[0][f], asns.0), (&b, &addresses[1][f], asns.1));
        }
    }
    for (i, router) in core.iter().enumerate() {
        let head = format!("router bgp {}\n", member(i));
        let rest = n.bgp.remove(router).unwrap_or_default();
        n.bgp.insert(router.clone(), head + &rest);
        if confederation {
            n.line(router, &format!("bgp confederation identifier {OWN}"));
            n.line(router, &format!("bgp confederation peers {}", 65_100 + (i as u32 + 1) % 2));
        }
        knobs(&mut n, router);
    }
    write(n, &core, &outside)
}

fn asn_of(text: &str) -> u32 {
    text.lines().next().and_then(|l| l.rsplit(' ').next()).and_then(|a| a.parse().ok()).unwrap_or(0)
}

/// Sessions of the core: a mesh, reflectors, or members of a confederation.
fn inside(n: &mut Network, core: &[String], member: &dyn Fn(usize) -> u32, confederation: bool) {
    let reflection = n.chance(Feature::Reflection, 2);
    let reflectors = 1 + n.dice.below(2);
    let add_path = n.chance(Feature::AddPath, 6);
    let next_hop_self = n.chance(Feature::NextHops, 3).is_none();
    for i in 0..core.len() {
        for j in i + 1..core.len() {
            let same = member(i) == member(j);
            // inside an AS a mesh, or clients of the first ones; between members of a confederation the first two
            let wanted = if same { reflection.is_none() || i < reflectors || (confederation && i < 2) } else { i == 0 && j == 1 };
            if !wanted {
                continue;
            }
            for f in n.families() {
                let (a, b) = (&loopback(i)[f], &loopback(j)[f]);
                n.session((&core[i], a, member(i)), (&core[j], b, member(j)));
                for (me, other) in [(i, b), (j, a)] {
                    n.line(&core[me], &format!("neighbor {other} update-source lo"));
                    if !same {
                        n.line(&core[me], &format!("neighbor {other} ebgp-multihop"));
                    }
                    if next_hop_self {
                        n.family(&core[me], f == 1, &format!("neighbor {other} next-hop-self"));
                    }
                    if n.dice.one_in(6) && n.chance(Feature::Communities, 2).is_some() {
                        n.family(&core[me], f == 1, &format!("no neighbor {other} send-community"));
                    }
                }
                if reflection.is_some() && same {
                    n.family(&core[i], f == 1, &format!("neighbor {b} route-reflector-client"));
                    if n.chance(Feature::NextHops, 8).is_some() {
                        n.family(&core[i], f == 1, &format!("neighbor {b} next-hop-self force"));
                    }
                }
                if add_path.is_some() && same {
                    n.family(&core[i], f == 1, &format!("neighbor {b} addpath-tx-all-paths"));
                }
            }
        }
    }
    if let Some(mut dice) = n.chance(Feature::Reflection, 8).filter(|_| reflection.is_some()) {
        let line =
            *dice.pick(&["no bgp client-to-client reflection", "bgp cluster-id 10.8.8.8", "bgp route-reflector allow-outbound-policy"]);
        n.line(&core[0], line);
    }
}

/// What a neighbour outside announces.
fn originate(n: &mut Network, name: &str, edges: &[Edge]) {
    // not inside: what FRR makes of a loopback whose next hop is itself depends on when it hears of it
    if let Some(mut dice) = n.chance(Feature::Redistribution, 6) {
        let metric = if dice.one_in(3) { " metric 77" } else { "" };
        n.family(name, false, &format!("redistribute connected{metric}"));
        if dice.one_in(2) {
            n.statics.insert(name.to_owned(), "ip route 198.18.0.0/24 blackhole\nip route 198.18.1.0/24 blackhole\n".to_owned());
            n.family(name, false, "redistribute static");
        }
    }
    for prefix in PREFIXES {
        if n.dice.one_in(2) {
            n.family(name, false, &format!("network {prefix}"));
        }
    }
    for prefix in PREFIXES_V6 {
        if n.dice.one_in(2) && n.six {
            n.family(name, true, &format!("network {prefix}"));
        }
    }
    let default = n.chance(Feature::DefaultOriginate, 5);
    if let Some((mut dice, edge)) = default.zip(edges.iter().find(|e| e.outside == name)) {
        let policy = if dice.one_in(3) && !edge.six {
            n.above(name, "ip prefix-list DP seq 5 permit 203.0.113.0/24");
            n.policies
                .entry(name.to_owned())
                .or_default()
                .push_str("route-map DR permit 10\n match ip address prefix-list DP\n set metric 5\n");
            " route-map DR"
        } else {
            ""
        };
        n.family(name, edge.six, &format!("neighbor {} default-originate{policy}", edge.ours));
    }
}

/// What a border does with a neighbour outside, and he with it.
fn border(n: &mut Network, e: &Edge) {
    let (router, outside, six) = (e.border.as_str(), e.outside.as_str(), e.six);
    let suffix = if six { "-6" } else { "" };
    if n.chance(Feature::ImportPolicy, 2).is_some() {
        let name = format!("IN-{outside}{suffix}");
        n.policy(router, &name, Use::Import, six);
        n.family(router, six, &format!("neighbor {} route-map {name} in", e.theirs));
    }
    if n.chance(Feature::ExportPolicy, 3).is_some() {
        let name = format!("OUT-{outside}{suffix}");
        n.policy(router, &name, Use::Export, six);
        n.family(router, six, &format!("neighbor {} route-map {name} out", e.theirs));
    }
    if n.chance(Feature::ExportPolicy, 2).is_some() {
        let name = format!("X-{router}{suffix}");
        n.policy(outside, &name, Use::Export, six);
        n.family(outside, six, &format!("neighbor {} route-map {name} out", e.ours));
    }
    filters(n, e);
    if let Some(mut dice) = n.chance(Feature::AsNumbers, 4) {
        let line = *dice.pick(&[
            "remove-private-AS",
            "remove-private-AS all",
            "remove-private-AS replace-AS",
            "remove-private-AS all replace-AS",
            "as-override",
            "allowas-in 1",
            "allowas-in origin",
        ]);
        n.family(router, six, &format!("neighbor {} {line}", e.theirs));
    }
    if n.chance(Feature::AsNumbers, 8).is_some() {
        n.line(router, &format!("neighbor {} sender-as-path-loop-detection", e.theirs));
    }
    if let Some(mut dice) = n.chance(Feature::LocalAs, 8) {
        let how = *dice.pick(&["", " no-prepend", " no-prepend replace-as"]);
        n.line(router, &format!("neighbor {} local-as {LOCAL}{how}", e.theirs));
        let theirs = n.bgp.entry(outside.to_owned()).or_default();
        *theirs = theirs.replace(&format!("neighbor {} remote-as {OWN}\n", e.ours), &format!("neighbor {} remote-as {LOCAL}\n", e.ours));
    }
    if let Some(mut dice) = n.chance(Feature::Roles, 5) {
        let all =
            [("customer", "provider"), ("provider", "customer"), ("peer", "peer"), ("rs-server", "rs-client"), ("rs-client", "rs-server")];
        let (mine, his) = *dice.pick(&all);
        let strict = if dice.one_in(4) { " strict-mode" } else { "" };
        n.line(router, &format!("neighbor {} local-role {mine}{strict}", e.theirs));
        n.line(outside, &format!("neighbor {} local-role {his}", e.ours));
    }
    if let Some(mut dice) = n.chance(Feature::NextHops, 8) {
        let line = *dice.pick(&["attribute-unchanged med", "attribute-unchanged as-path", "next-hop-self"]);
        n.family(router, six, &format!("neighbor {} {line}", e.theirs));
    }
    if let Some(mut dice) = n.chance(Feature::MaxPrefix, 8) {
        let line = *dice.pick(&["maximum-prefix 2", "maximum-prefix 50", "maximum-prefix 1 warning-only"]);
        n.family(router, six, &format!("neighbor {} {line}", e.theirs));
    }
    if let Some(mut dice) = n.chance(Feature::Conditional, 8).filter(|_| !six) {
        let kind = *dice.pick(&["exist-map", "non-exist-map"]);
        let (sent, asked) = (*dice.pick(&PREFIXES), *dice.pick(&PREFIXES));
        n.above(router, &format!("ip prefix-list ADV seq 5 permit {sent}"));
        n.above(router, &format!("ip prefix-list COND seq 5 permit {asked}"));
        let text =
            "route-map ADV permit 10\n match ip address prefix-list ADV\nroute-map COND permit 10\n match ip address prefix-list COND\n";
        let policies = n.policies.entry(router.to_owned()).or_default();
        if !policies.contains("route-map ADV ") {
            policies.push_str(text);
            n.line(router, "bgp conditional-advertisement timer 5");
        }
        n.family(router, false, &format!("neighbor {} advertise-map ADV {kind} COND", e.theirs));
    }
}

fn filters(n: &mut Network, e: &Edge) {
    let (router, six) = (e.border.as_str(), e.six);
    let (word, suffix) = if six { ("ipv6", "6") } else { ("ip", "") };
    if let Some(mut dice) = n.chance(Feature::Filters, 5) {
        let way = *dice.pick(&["in", "out"]);
        let gone = if six { PREFIXES_V6[1] } else { PREFIXES[1] };
        n.above(router, &format!("{word} prefix-list F{suffix} seq 5 deny {gone}"));
        n.above(router, &format!("{word} prefix-list F{suffix} seq 10 permit any"));
        n.family(router, six, &format!("neighbor {} prefix-list F{suffix} {way}", e.theirs));
    }
    if let Some(mut dice) = n.chance(Feature::AsPathLists, 6) {
        let way = *dice.pick(&["in", "out"]);
        n.above(router, "bgp as-path access-list L seq 5 deny _64503_");
        n.above(router, "bgp as-path access-list L seq 10 permit .*");
        n.family(router, six, &format!("neighbor {} filter-list L {way}", e.theirs));
    }
    // not beside a prefix list: bgpd refuses both
    let listed = format!("neighbor {} prefix-list ", e.theirs);
    let free = !n.families[0].get(router).is_some_and(|t| t.contains(&listed));
    if n.chance(Feature::Filters, 8).is_some() && !six && free {
        n.above(router, "access-list DL seq 5 deny 192.0.2.0/24");
        n.above(router, "access-list DL seq 10 permit any");
        n.family(router, six, &format!("neighbor {} distribute-list DL in", e.theirs));
    }
    if n.chance(Feature::Filters, 6).is_some() {
        n.family(router, six, &format!("neighbor {} weight 7", e.theirs));
    }
    if n.chance(Feature::Filters, 6).is_some() {
        n.family(router, six, &format!("neighbor {} soft-reconfiguration inbound", e.theirs));
    }
}

fn knobs(n: &mut Network, router: &str) {
    for line in [
        "bgp always-compare-med",
        "bgp deterministic-med",
        "bgp bestpath compare-routerid",
        "bgp bestpath as-path ignore",
        "bgp bestpath as-path multipath-relax",
        "bgp bestpath med missing-as-worst",
        "bgp bestpath med confed",
        "bgp bestpath as-path confed",
        "bgp bestpath peer-type multipath-relax",
        "bgp default local-preference 120",
        "bgp max-med administrative 4000",
    ] {
        let one_in = match line {
            "bgp bestpath compare-routerid" => 2,
            "bgp max-med administrative 4000" => 12,
            _ => 5,
        };
        if n.chance(Feature::Knobs, one_in).is_some() {
            n.line(router, line);
        }
    }
    if n.chance(Feature::GracefulShutdown, 12).is_some() {
        n.line(router, "bgp graceful-shutdown");
    }
    if n.chance(Feature::RequiresPolicy, 8).is_some() {
        n.line(router, "bgp ebgp-requires-policy");
    }
    for f in n.families() {
        if let Some(mut dice) = n.chance(Feature::Multipath, 4) {
            let paths = 1 + dice.below(3);
            n.family(router, f == 1, &format!("maximum-paths {paths}"));
            let equal = if dice.one_in(3) { " equal-cluster-length" } else { "" };
            n.family(router, f == 1, &format!("maximum-paths ibgp {paths}{equal}"));
        }
        if let Some(mut dice) = n.chance(Feature::Aggregates, 5) {
            let how = *dice.pick(&[
                "",
                " summary-only",
                " as-set",
                " as-set summary-only",
                " matching-MED-only",
                " origin egp",
                " suppress-map SUP",
            ]);
            if how.ends_with("SUP") {
                let (word, part) = if f == 1 { ("ipv6", PREFIXES_V6[0]) } else { ("ip", PREFIXES[0]) };
                n.above(router, &format!("{word} prefix-list SUP{f} seq 5 permit {part}"));
                let text = format!("route-map SUP{f} permit 10\n match {word} address prefix-list SUP{f}\n");
                n.policies.entry(router.to_owned()).or_default().push_str(&text);
            }
            let prefix = if f == 1 { "2001:db8:a00::/44" } else { "198.51.100.0/23" };
            n.family(router, f == 1, &format!("aggregate-address {prefix}{}", how.replace("SUP", &format!("SUP{f}"))));
        }
    }
}

fn write(mut n: Network, core: &[String], outside: &[String]) -> Case {
    let mut routers = Vec::new();
    for (i, name) in core.iter().chain(outside).enumerate() {
        let inside = i < core.len();
        let id = if inside { loopback(i)[0].clone() } else { format!("10.9.0.{}", 50 - i) };
        let mut text = String::new();
        if inside && n.six {
            // ospf6d takes interfaces only after this
            let _ = writeln!(text, "router ospf6\n ospf6 router-id {id}\nexit");
        }
        for (interface, lines) in n.ports.get(name).into_iter().flatten() {
            let _ = write!(text, "interface {interface}\n{lines}exit\n!\n");
        }
        if inside {
            let six = format!(" ipv6 address {}/128\n ipv6 ospf6 area 0\n", loopback(i)[1]);
            let _ = writeln!(text, "interface lo\n ip address {id}/32\n ip ospf area 0\n{}exit", if n.six { &six } else { "" });
            let _ = writeln!(text, "router ospf\n ospf router-id {id}\nexit");
        }
        text.push_str(n.statics.get(name).map_or("", String::as_str));
        // lists before the policies that use them: a policy is evaluated as it is typed
        text.push_str(&n.top.remove(name).unwrap_or_default());
        text.push_str(&n.policies.remove(name).unwrap_or_default());
        let bgp = n.bgp.get(name).cloned().unwrap_or_default();
        let mut lines = bgp.lines();
        let _ = writeln!(text, "!\n{}", lines.next().unwrap_or_default());
        let _ = writeln!(text, " bgp router-id {id}\n no bgp ebgp-requires-policy\n no bgp network import-check");
        // what is not active stands after the neighbour's AS
        for line in lines {
            let _ = writeln!(text, "{line}");
        }
        for (f, family) in ["ipv4", "ipv6"].iter().enumerate().take(1 + usize::from(n.six)) {
            let lines = n.families[f].get(name).cloned().unwrap_or_default();
            let _ = writeln!(text, " address-family {family} unicast\n{lines} exit-address-family");
        }
        text.push_str("exit\n");
        routers.push((name.clone(), Text { files: vec![("frr.conf".to_owned(), text)] }));
    }
    Case { routers, links: n.links, steps: Vec::new(), profiles: Default::default() }
}
