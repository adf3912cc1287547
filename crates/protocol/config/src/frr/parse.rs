//! Reading `show running-config`.

mod bgp_block;
mod defaults;
mod igp;
mod lists;
mod peer;
mod policy;

use super::clause;
use crate::{IgpInterface, InterfaceConfig, RouterConfig, StaticRoute, Unmodelled};
use bgp::Prefix;
use bgp_block::BgpDraft;
use core::net::IpAddr;
use defaults::Defaults;

/// Lines kept in [`RouterConfig::unmodelled`]; the rest is counted by the last entry's text. A configuration of a hundred thousand
/// foreign lines must not fill memory twice.
const UNMODELLED_MAX: usize = 10_000;

/// Reads a running configuration. Never fails: what is not understood is listed in [`RouterConfig::unmodelled`] with its line.
#[must_use]
pub fn parse(text: &str) -> RouterConfig {
    let mut reader = Reader { config: RouterConfig::default(), block: Block::Top, bgp: None, defaults: Defaults::default() };
    for (number, raw) in (1..).zip(text.lines()) {
        let line = raw.trim();
        if line.is_empty() || line.starts_with('!') || line.starts_with('#') {
            continue;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        reader.line(number, raw, &words);
    }
    if let Some(draft) = reader.bgp.take() {
        draft.finish(&mut reader.config);
    }
    policy::distrust(&mut reader.config);
    policy::sort(&mut reader.config.policy);
    reader.config
}

/// Which IGP a block configures.
#[derive(Clone, Copy)]
enum Igp {
    Ospf,
    Ospf6,
    Isis,
}

impl Igp {
    const fn name(self) -> &'static str {
        match self {
            Self::Ospf => "ospf",
            Self::Ospf6 => "ospf6",
            Self::Isis => "isis",
        }
    }
}

/// What a line means to the block it stands in.
enum Read {
    /// Understood.
    Taken,
    /// Understood, and held by the wider part of the model.
    Wider,
    /// Known to have no effect on routing, or on what is modelled.
    Harmless,
    /// Asks for something that is not modelled.
    Unmodelled,
    /// Belongs to an outer block.
    NotMine,
}

impl Read {
    /// What the wider part holds stays so for those who know only the narrow part.
    const fn wider(self) -> Self {
        match self {
            Self::Taken | Self::Harmless => Self::Wider,
            other => other,
        }
    }
}

enum Block {
    Top,
    Interface(String),
    Igp(Igp),
    Bgp,
    RouteMap(String, u32),
    /// Everything in it is without effect on routing (`line vty`, `bmp targets`).
    Quiet,
    /// Everything in it is unmodelled; its heading line.
    Foreign(String),
}

struct Reader {
    config: RouterConfig,
    block: Block,
    bgp: Option<BgpDraft>,
    defaults: Defaults,
}

impl Reader {
    fn line(&mut self, number: u32, raw: &str, words: &[&str]) {
        let outermost = !raw.starts_with(char::is_whitespace);
        if matches!(words, ["exit" | "exit-address-family" | "end" | "exit-vrf" | "exit-route-map"]) {
            self.leave(words[0], outermost);
            return;
        }
        let mut read =
            if outermost && !matches!(self.block, Block::Top) && is_heading(words) { Read::NotMine } else { self.in_block(words) };
        if matches!(read, Read::NotMine) {
            self.block = Block::Top;
            read = self.at_top(words);
        }
        if matches!(read, Read::Unmodelled | Read::NotMine | Read::Wider) {
            self.note(number, words, matches!(read, Read::Wider));
        }
    }

    fn leave(&mut self, word: &str, outermost: bool) {
        if let (Block::Bgp, Some(bgp)) = (&self.block, self.bgp.as_mut())
            && (word == "exit-address-family" || bgp.in_nested())
            && !(outermost && word == "exit")
        {
            bgp.leave_nested();
            return;
        }
        self.block = Block::Top;
    }

    fn in_block(&mut self, words: &[&str]) -> Read {
        match &self.block {
            Block::Top => Read::NotMine,
            Block::Interface(name) => interface_line(self.config.interfaces.entry(name.clone()).or_default(), words),
            Block::Igp(which) => igp::line(&mut self.config.igp, *which, words),
            Block::Bgp => self.bgp.as_mut().map_or(Read::NotMine, |b| b.line(words)),
            Block::RouteMap(name, sequence) => policy::term_line(&mut self.config.policy, name, *sequence, words),
            Block::Quiet => Read::Harmless,
            Block::Foreign(_) => Read::Unmodelled,
        }
    }

    fn at_top(&mut self, words: &[&str]) -> Read {
        match words {
            // vtysh adds the name of the host it runs on below the router's own
            ["hostname", name] if self.config.hostname.is_empty() => self.config.hostname = (*name).to_owned(),
            ["hostname", _] => return Read::Harmless,
            ["frr", "version", version, ..] => return self.defaults.version(version),
            ["frr", "defaults", profile] => return self.defaults.profile(profile),
            ["interface" | "int", name, ..] => {
                self.config.interfaces.entry((*name).to_owned()).or_default();
                self.block = Block::Interface((*name).to_owned());
            }
            ["router", "ospf"] => self.block = Block::Igp(Igp::Ospf),
            ["router", "ospf6"] => self.block = Block::Igp(Igp::Ospf6),
            ["router", "isis", _] => {
                self.block = Block::Igp(Igp::Isis);
                return Read::Wider;
            }
            ["router", "bgp", asn] => {
                let Ok(asn) = asn.parse() else { return Read::Unmodelled };
                let defaults = &self.defaults;
                self.bgp.get_or_insert_with(|| BgpDraft::new(asn, defaults)).leave_nested();
                self.block = Block::Bgp;
            }
            ["route-map", name, result @ ("permit" | "deny"), sequence] => {
                let Ok(sequence) = sequence.parse() else { return Read::Unmodelled };
                policy::open_term(&mut self.config.policy, name, *result == "permit", sequence);
                self.block = Block::RouteMap((*name).to_owned(), sequence);
            }
            [version @ ("ip" | "ipv6"), "prefix-list", rest @ ..] => {
                return policy::prefix_list(&mut self.config.policy, *version == "ipv6", rest);
            }
            ["bgp" | "ip", "community-list", rest @ ..] => return policy::community_list(&mut self.config.policy, rest),
            ["bgp" | "ip", "as-path", "access-list", rest @ ..] => {
                return lists::expressions(&mut self.config.policy.wider.as_path_sets, rest);
            }
            ["bgp" | "ip", "large-community-list", rest @ ..] => return lists::large(&mut self.config.policy.wider, rest),
            ["bgp" | "ip", "extcommunity-list", rest @ ..] => return lists::extended(&mut self.config.policy.wider, rest),
            ["access-list", rest @ ..] | ["ip" | "ipv6", "access-list", rest @ ..] => {
                return lists::access(&mut self.config.policy.wider, words[0] == "ipv6", rest);
            }
            ["ip" | "ipv6", "route", rest @ ..] => return self.static_route(rest),
            // where a router has its VRPs from is not in the model; what they say is given beside it
            ["line" | "vrf" | "bfd" | "rpki" | "segment-routing", ..] => {
                let quiet = matches!(words, ["line" | "bfd" | "rpki", ..]);
                self.block = if quiet { Block::Quiet } else { Block::Foreign(words.join(" ")) };
                return if quiet { Read::Harmless } else { Read::Unmodelled };
            }
            ["router" | "key" | "mpls" | "pw", ..] => {
                self.block = Block::Foreign(words.join(" "));
                return Read::Unmodelled;
            }
            _ if harmless_at_top(words) => return Read::Harmless,
            _ => return Read::Unmodelled,
        }
        Read::Taken
    }

    fn static_route(&mut self, words: &[&str]) -> Read {
        let [prefix, via, rest @ ..] = words else { return Read::Unmodelled };
        let Ok(prefix) = prefix.parse::<Prefix>() else { return Read::Unmodelled };
        let next_hop = match *via {
            "blackhole" | "Null0" | "null0" | "reject" => None,
            address => match address.parse::<IpAddr>() {
                Ok(a) => Some(a),
                Err(_) => return Read::Unmodelled,
            },
        };
        let (tag, rest) = match rest {
            ["tag", tag, rest @ ..] => match tag.parse() {
                Ok(tag) => (tag, rest),
                Err(_) => return Read::Unmodelled,
            },
            rest => (0, rest),
        };
        let distance = match rest {
            [] => 1,
            [d] => match d.parse() {
                Ok(d) => d,
                Err(_) => return Read::Unmodelled,
            },
            _ => return Read::Unmodelled,
        };
        self.config.static_routes.push(StaticRoute { prefix, next_hop, distance, tag });
        Read::Taken
    }

    fn note(&mut self, line: u32, words: &[&str], wider: bool) {
        let context = match &self.block {
            Block::Top | Block::Quiet => String::new(),
            Block::Interface(name) => format!("interface {name}"),
            Block::Igp(which) => format!("router {}", which.name()),
            Block::Bgp => self.bgp.as_ref().map(BgpDraft::context).unwrap_or_default(),
            Block::RouteMap(name, sequence) => format!("route-map {name} {sequence}"),
            Block::Foreign(heading) => heading.clone(),
        };
        let text = words.join(" ").chars().take(400).collect();
        let list = if wider { &mut self.config.wider } else { &mut self.config.unmodelled };
        if list.len() < UNMODELLED_MAX {
            list.push(Unmodelled { line, text, context, effect: defaults::effect(words).to_owned() });
        }
    }
}

/// Lines that open a block of their own, wherever they stand.
fn is_heading(words: &[&str]) -> bool {
    matches!(words, ["interface" | "int" | "router" | "route-map" | "line" | "vrf" | "hostname" | "frr", ..])
        || matches!(words, ["ip" | "ipv6", "prefix-list" | "route" | "forwarding" | "access-list" | "community-list" | "as-path", ..])
        || matches!(words, ["bgp", "community-list" | "as-path" | "large-community-list" | "extcommunity-list", ..])
        || matches!(words, ["access-list" | "log" | "debug" | "password" | "enable" | "service", ..])
}

fn harmless_at_top(words: &[&str]) -> bool {
    matches!(
        words,
        ["frr" | "log" | "service" | "password" | "enable" | "banner" | "agentx" | "domainname" | "debug" | "username", ..]
            | ["Building", ..]
            | ["Current", "configuration:"]
            | ["no", "ip" | "ipv6", "forwarding"]
            | ["ip" | "ipv6", "forwarding"]
            | ["ip" | "ipv6", "nht", "resolve-via-default"]
            | ["bgp", "route-map", "delay-timer", ..]
            | ["ip" | "ipv6", "prefix-list", _, "description", ..]
            | ["no", "service", ..]
    )
}

fn interface_line(interface: &mut InterfaceConfig, words: &[&str]) -> Read {
    match words {
        ["ip" | "ipv6", "address" | "addr", address] => {
            let Some((ip, length)) = address.split_once('/') else { return Read::Unmodelled };
            let (Ok(ip), Ok(length)) = (ip.parse(), length.parse()) else { return Read::Unmodelled };
            interface.addresses.push((ip, length));
        }
        ["shutdown"] => interface.shutdown = true,
        ["ip", "ospf", "area", area] => v4(interface).area = (*area).to_owned(),
        ["ip", "ospf", "cost", cost] => match cost.parse() {
            Ok(cost) => v4(interface).cost = Some(cost),
            Err(_) => return Read::Unmodelled,
        },
        ["ip", "ospf", "passive"] => v4(interface).passive = true,
        ["ip", "router", "isis", tag] => {
            interface.isis.get_or_insert_with(IgpInterface::default).area = (*tag).to_owned();
            return Read::Wider;
        }
        ["isis", "metric", rest @ ..] => match rest.last().and_then(|m| m.parse().ok()) {
            Some(metric) => {
                interface.isis.get_or_insert_with(IgpInterface::default).cost = Some(metric);
                return Read::Wider;
            }
            None => return Read::Unmodelled,
        },
        ["isis", "passive"] => {
            interface.isis.get_or_insert_with(IgpInterface::default).passive = true;
            return Read::Wider;
        }
        ["isis", "circuit-type" | "network" | "hello-interval" | "hello-multiplier" | "hello", ..] => return Read::Harmless,
        ["ipv6", "ospf6", "area", area] => v6(interface).area = (*area).to_owned(),
        ["ipv6", "ospf6", "cost", cost] => match cost.parse() {
            Ok(cost) => v6(interface).cost = Some(cost),
            Err(_) => return Read::Unmodelled,
        },
        ["ipv6", "ospf6", "passive"] => v6(interface).passive = true,
        ["ip", "ospf", "network" | "hello-interval" | "dead-interval" | "retransmit-interval" | "bfd", ..]
        | ["ipv6", "ospf6", "network" | "hello-interval" | "dead-interval" | "retransmit-interval" | "bfd", ..]
        | ["description" | "bandwidth", ..]
        | ["ipv6", "nd", ..]
        | ["no", "ipv6", "nd", ..]
        | ["no", "link-detect"]
        | ["link-detect"] => return Read::Harmless,
        _ => return Read::Unmodelled,
    }
    Read::Taken
}

fn v4(interface: &mut InterfaceConfig) -> &mut IgpInterface {
    interface.igp_v4.get_or_insert_with(IgpInterface::default)
}

fn v6(interface: &mut InterfaceConfig) -> &mut IgpInterface {
    interface.igp_v6.get_or_insert_with(IgpInterface::default)
}
