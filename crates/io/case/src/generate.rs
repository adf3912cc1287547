//! Random small networks for FRR: a core with OSPF, its own reflectors or confederation, neighbours outside, policies and knobs.
//!
//! Everything follows from the seed; a feature that is left out ([`Feature`]) takes nothing else with it, so that a difference can be made
//! smaller by leaving features out one by one.

use crate::{Case, Text};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What a network may have; each is there by chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
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
    /// AS-path lists.
    AsPathLists,
    /// Aggregates.
    Aggregates,
    /// `default-originate`.
    DefaultOriginate,
    /// `remove-private-AS`, `as-override`, `allowas-in`, `local-as`.
    AsNumbers,
    /// Next hops left as they are.
    NextHops,
    /// Redistribution.
    Redistribution,
    /// Filters of sessions.
    Filters,
    /// Roles (RFC 9234).
    Roles,
    /// `maximum-paths`.
    Multipath,
}

impl Feature {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::Knobs,
        Self::ImportPolicy,
        Self::ExportPolicy,
        Self::Flow,
        Self::Reflection,
        Self::Confederation,
        Self::Communities,
        Self::AsPathLists,
        Self::Aggregates,
        Self::DefaultOriginate,
        Self::AsNumbers,
        Self::NextHops,
        Self::Redistribution,
        Self::Filters,
        Self::Roles,
        Self::Multipath,
    ];
}

/// SplitMix64 (Steele, Lea, Flood 2014).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<'p, T>(&mut self, from: &'p [T]) -> &'p T {
        &from[self.below(from.len())]
    }
}

const OWN: u32 = 65_000;
const PREFIXES: [&str; 6] = ["198.51.100.0/24", "198.51.101.0/24", "203.0.113.0/24", "203.0.112.0/23", "192.0.2.0/24", "100.64.0.0/16"];

struct Network {
    dice: Dice,
    without: Vec<Feature>,
    links: BTreeMap<String, Vec<String>>,
    /// Interfaces and addresses by router.
    ports: BTreeMap<String, Vec<(String, String)>>,
    bgp: BTreeMap<String, String>,
    families: BTreeMap<String, String>,
    top: BTreeMap<String, String>,
}

impl Network {
    fn has(&mut self, feature: Feature, one_in: usize) -> bool {
        // the die is thrown in any case, so that what follows stays the same
        let there = self.dice.one_in(one_in);
        there && !self.without.contains(&feature)
    }

    fn link(&mut self, a: &str, b: &str, cost: Option<usize>) -> (String, String) {
        let n = self.links.len();
        self.links.insert(format!("s{n:03}"), vec![a.to_owned(), b.to_owned()]);
        let addresses = (format!("172.16.{n}.1"), format!("172.16.{n}.2"));
        for (router, address) in [(a, &addresses.0), (b, &addresses.1)] {
            let ports = self.ports.entry(router.to_owned()).or_default();
            let ospf = cost.map(|c| format!("\n ip ospf area 0\n ip ospf cost {c}\n ip ospf network point-to-point\n ip ospf hello-interval 1\n ip ospf dead-interval 4")).unwrap_or_default();
            ports.push((format!("{router}-eth{}", ports.len()), format!(" ip address {address}/24{ospf}")));
        }
        addresses
    }

    fn line(&mut self, router: &str, line: &str) {
        let _ = writeln!(self.bgp.entry(router.to_owned()).or_default(), " {line}");
    }

    fn family(&mut self, router: &str, line: &str) {
        let _ = writeln!(self.families.entry(router.to_owned()).or_default(), "  {line}");
    }

    fn above(&mut self, router: &str, line: &str) {
        let text = self.top.entry(router.to_owned()).or_default();
        if !text.lines().any(|l| l == line) || line.starts_with(' ') {
            let _ = writeln!(text, "{line}");
        }
    }

    fn session(&mut self, a: &str, at_a: &str, b: &str, at_b: &str, asns: (u32, u32)) {
        for (router, address, asn) in [(a, at_b, asns.1), (b, at_a, asns.0)] {
            self.line(router, &format!("neighbor {address} remote-as {asn}"));
            self.line(router, &format!("neighbor {address} timers 3 9"));
            self.line(router, &format!("neighbor {address} timers connect 1"));
        }
    }

    /// A policy with a few terms; the last accepts everything, mostly.
    fn policy(&mut self, router: &str, name: &str, outbound: bool) {
        // two sessions with one neighbour share it
        if self.top.get(router).is_some_and(|t| t.contains(&format!("route-map {name} "))) {
            return;
        }
        let terms = 1 + self.dice.below(3);
        for term in 1..=terms {
            let permit = if self.dice.one_in(6) { "deny" } else { "permit" };
            self.above(router, &format!("route-map {name} {permit} {}", term * 10));
            match self.dice.below(5) {
                0 | 1 => {
                    let prefix = *self.dice.pick(&PREFIXES);
                    let list = format!("P{term}-{name}");
                    self.above(router, &format!(" match ip address prefix-list {list}"));
                    let bounds = if self.dice.one_in(3) { " le 24" } else { "" };
                    self.above(router, &format!("ip prefix-list {list} seq 5 permit {prefix}{bounds}"));
                    self.above(router, &format!("route-map {name} {permit} {}", term * 10));
                }
                2 if !self.without.contains(&Feature::Communities) => {
                    self.above(router, " match community C1");
                    self.above(router, &format!("bgp community-list standard C1 seq 5 permit {OWN}:1"));
                    self.above(router, &format!("route-map {name} {permit} {}", term * 10));
                }
                3 if !self.without.contains(&Feature::AsPathLists) => {
                    let regex = *self.dice.pick(&["_64502_", "^64501_", "_64510$", "^$"]);
                    let list = format!("A{term}-{name}");
                    self.above(router, &format!(" match as-path {list}"));
                    self.above(router, &format!("bgp as-path access-list {list} seq 5 permit {regex}"));
                    self.above(router, &format!("route-map {name} {permit} {}", term * 10));
                }
                _ => {}
            }
            // FRR refuses a second `set` of a kind in another form
            let mut kinds = std::collections::BTreeSet::new();
            for _ in 0..self.dice.below(3) {
                let n = self.dice.below(4);
                let line = match self.dice.below(if outbound { 5 } else { 7 }) {
                    0 => format!(" set metric {}", n * 10),
                    1 => format!(" set as-path prepend {}", *self.dice.pick(&["64501", "64999", "64510 64510"])),
                    2 if !self.without.contains(&Feature::Communities) => {
                        let community = *self.dice.pick(&["65000:1", "65000:2", "no-export", "no-advertise", "graceful-shutdown"]);
                        format!(" set community {community}{}", if n > 1 { " additive" } else { "" })
                    }
                    3 => format!(" set origin {}", *self.dice.pick(&["igp", "egp", "incomplete"])),
                    4 => format!(" set metric +{}", n + 1),
                    5 => format!(" set weight {}", n * 5),
                    _ => format!(" set local-preference {}", 90 + n * 10),
                };
                if kinds.insert(line.split_whitespace().nth(1).map(str::to_owned)) {
                    self.above(router, &line);
                }
            }
            // and flow control in a term that denies
            if self.has(Feature::Flow, 4) && permit == "permit" {
                let line = if self.dice.one_in(2) { " on-match next".to_owned() } else { format!(" on-match goto {}", (term + 1) * 10) };
                self.above(router, &line);
            }
        }
        if !self.dice.one_in(5) {
            self.above(router, &format!("route-map {name} permit 100"));
        }
    }
}

/// Makes the network of a seed, without some features.
#[must_use]
pub fn network(seed: u64, without: &[Feature]) -> Case {
    let mut n = Network {
        dice: Dice(seed.wrapping_mul(0xD134_2543_DE82_EF95).wrapping_add(1)),
        without: without.to_vec(),
        links: BTreeMap::new(),
        ports: BTreeMap::new(),
        bgp: BTreeMap::new(),
        families: BTreeMap::new(),
        top: BTreeMap::new(),
    };
    let core: Vec<String> = (1..=2 + n.dice.below(5)).map(|i| format!("r{i}")).collect();
    let outside: Vec<String> = (1..=1 + n.dice.below(4)).map(|i| format!("x{i}")).collect();
    let loopback = |i: usize| format!("10.0.0.{}", i + 1);
    // a tree, and some more links
    for i in 1..core.len() {
        let j = n.dice.below(i);
        let cost = 1 + n.dice.below(20);
        n.link(&core[i], &core[j], Some(cost));
    }
    for _ in 0..n.dice.below(core.len()) {
        let (i, j) = (n.dice.below(core.len()), n.dice.below(core.len()));
        let cost = 1 + n.dice.below(20);
        if i != j {
            n.link(&core[i], &core[j], Some(cost));
        }
    }
    let confederation = n.has(Feature::Confederation, 4);
    let member = |i: usize| if confederation { 65_100 + (i as u32) % 2 } else { OWN };
    let reflection = n.has(Feature::Reflection, 2);
    let reflectors = 1 + n.dice.below(2);
    for i in 0..core.len() {
        for j in i + 1..core.len() {
            let same = member(i) == member(j);
            // inside an AS a mesh, or clients of the first ones; between members of a confederation the first two
            let wanted = if same { !reflection || i < reflectors || (confederation && i < 2) } else { i == 0 && j == 1 };
            if !wanted {
                continue;
            }
            n.session(&core[i], &loopback(i), &core[j], &loopback(j), (member(i), member(j)));
            for (me, other) in [(i, j), (j, i)] {
                n.line(&core[me], &format!("neighbor {} update-source lo", loopback(other)));
                if !same {
                    n.line(&core[me], &format!("neighbor {} ebgp-multihop", loopback(other)));
                }
            }
            if reflection && same {
                n.family(&core[i], &format!("neighbor {} route-reflector-client", loopback(j)));
            }
        }
    }
    let next_hop_self = !n.has(Feature::NextHops, 3);
    for (i, router) in core.iter().enumerate() {
        for j in (0..core.len()).filter(|j| *j != i) {
            let known = n.bgp.get(router).is_some_and(|t| t.contains(&format!("neighbor {} remote-as", loopback(j))));
            if known && next_hop_self {
                n.family(router, &format!("neighbor {} next-hop-self", loopback(j)));
            }
            if known && n.dice.one_in(6) && n.has(Feature::Communities, 2) {
                n.family(router, &format!("no neighbor {} send-community", loopback(j)));
            }
        }
    }
    for (k, name) in outside.iter().enumerate() {
        let asn = if n.dice.one_in(4) && k > 0 { 64_501 } else { 64_501 + k as u32 };
        n.line(name, "PLACE");
        n.bgp.insert(name.clone(), format!("router bgp {asn}\n"));
        for _ in 0..=n.dice.below(2) {
            let i = n.dice.below(core.len());
            let (ours, theirs) = n.link(&core[i], name, None);
            let identifier = if confederation { OWN } else { member(i) };
            n.session(&core[i], &ours, name, &theirs, (identifier, asn));
            border(&mut n, &core[i], name, &theirs, &ours);
        }
        // not inside: what FRR makes of a loopback whose next hop is itself depends on when it hears of it
        if n.has(Feature::Redistribution, 6) {
            n.family(name, "redistribute connected");
        }
        for prefix in PREFIXES {
            if n.dice.one_in(2) {
                n.family(name, &format!("network {prefix}"));
            }
        }
        if n.has(Feature::DefaultOriginate, 5) {
            let neighbor = n.bgp[name].lines().find_map(|l| l.strip_suffix(&format!(" remote-as {OWN}")).map(|l| l.trim().to_owned()));
            if let Some(neighbor) = neighbor {
                n.family(name, &format!("{neighbor} default-originate"));
            }
        }
    }
    // neighbours outside know each other sometimes
    if outside.len() > 1 && n.dice.one_in(3) {
        let (a, b) = (outside[0].clone(), outside[1].clone());
        let asn = |t: &str| t.lines().next().and_then(|l| l.rsplit(' ').next()).and_then(|a| a.parse().ok()).unwrap_or(0);
        let asns = (asn(&n.bgp[&a]), asn(&n.bgp[&b]));
        let (at_a, at_b) = n.link(&a, &b, None);
        n.session(&a, &at_a, &b, &at_b, asns);
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

/// What a border does with a neighbour outside.
fn border(n: &mut Network, router: &str, outside: &str, theirs: &str, ours: &str) {
    if n.has(Feature::ImportPolicy, 2) {
        let name = format!("IN-{outside}");
        n.policy(router, &name, false);
        n.family(router, &format!("neighbor {theirs} route-map {name} in"));
    }
    if n.has(Feature::ExportPolicy, 3) {
        let name = format!("OUT-{outside}");
        n.policy(router, &name, true);
        n.family(router, &format!("neighbor {theirs} route-map {name} out"));
    }
    if n.has(Feature::ExportPolicy, 2) {
        let name = format!("X-{router}");
        n.policy(outside, &name, true);
        n.family(outside, &format!("neighbor {ours} route-map {name} out"));
    }
    if n.has(Feature::Filters, 5) {
        n.above(router, "ip prefix-list F seq 5 deny 198.51.101.0/24");
        n.above(router, "ip prefix-list F seq 10 permit any");
        n.family(router, &format!("neighbor {theirs} prefix-list F in"));
    }
    if n.has(Feature::AsPathLists, 6) {
        n.above(router, "bgp as-path access-list L seq 5 deny _64503_");
        n.above(router, "bgp as-path access-list L seq 10 permit .*");
        n.family(router, &format!("neighbor {theirs} filter-list L in"));
    }
    if n.has(Feature::AsNumbers, 5) {
        let line = *n.dice.pick(&[
            "remove-private-AS",
            "remove-private-AS all",
            "remove-private-AS all replace-AS",
            "as-override",
            "allowas-in 1",
        ]);
        n.family(router, &format!("neighbor {theirs} {line}"));
    }
    if n.has(Feature::Filters, 6) {
        n.family(router, &format!("neighbor {theirs} weight 7"));
    }
    if n.has(Feature::Roles, 5) {
        let (mine, his) = *n.dice.pick(&[("customer", "provider"), ("provider", "customer"), ("peer", "peer")]);
        n.line(router, &format!("neighbor {theirs} local-role {mine}"));
        n.line(outside, &format!("neighbor {ours} local-role {his}"));
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
        "bgp bestpath as-path confed",
        "bgp default local-preference 120",
    ] {
        let one_in = if line.ends_with("compare-routerid") { 2 } else { 5 };
        if n.has(Feature::Knobs, one_in) {
            n.line(router, line);
        }
    }
    if n.has(Feature::Multipath, 4) {
        let paths = 1 + n.dice.below(3);
        n.family(router, &format!("maximum-paths {paths}"));
        n.family(router, &format!("maximum-paths ibgp {paths}"));
    }
    if n.has(Feature::Aggregates, 6) {
        let how = *n.dice.pick(&["", " summary-only", " as-set"]);
        n.family(router, &format!("aggregate-address 198.51.100.0/23{how}"));
    }
}

fn write(n: Network, core: &[String], outside: &[String]) -> Case {
    let mut routers = Vec::new();
    for (i, name) in core.iter().chain(outside).enumerate() {
        let inside = i < core.len();
        let mut text = String::new();
        for (interface, lines) in n.ports.get(name).into_iter().flatten() {
            let _ = write!(text, "interface {interface}\n{lines}\nexit\n!\n");
        }
        let id = if inside { format!("10.0.0.{}", i + 1) } else { format!("10.9.0.{}", 50 - i) };
        if inside {
            let _ =
                write!(text, "interface lo\n ip address {id}/32\n ip ospf area 0\nexit\n!\nrouter ospf\n ospf router-id {id}\nexit\n!\n");
        }
        // lists before the policies that use them: a policy is evaluated as it is typed
        let top = n.top.get(name).cloned().unwrap_or_default();
        let lists = top.lines().filter(|l| l.starts_with("ip prefix-list") || l.starts_with("bgp "));
        for line in lists {
            let _ = writeln!(text, "{line}");
        }
        for line in top.lines().filter(|l| l.starts_with("route-map") || l.starts_with(' ')) {
            let _ = writeln!(text, "{line}");
        }
        let bgp = n.bgp.get(name).cloned().unwrap_or_default();
        let mut lines = bgp.lines().filter(|l| !l.contains("PLACE"));
        let _ = writeln!(text, "!\n{}", lines.next().unwrap_or_default());
        let _ = writeln!(text, " bgp router-id {id}\n no bgp ebgp-requires-policy\n no bgp network import-check");
        for line in lines {
            let _ = writeln!(text, "{line}");
        }
        let _ =
            writeln!(text, " address-family ipv4 unicast\n{} exit-address-family\nexit", n.families.get(name).cloned().unwrap_or_default());
        routers.push((name.clone(), Text { files: vec![("frr.conf".to_owned(), text)] }));
    }
    Case { routers, links: n.links, steps: Vec::new() }
}
