//! Clauses of a route-map term, one line each (FRR 8.4, doc/user/routemap.rst; bgpd/bgp_routemap.c).

use crate::{Condition, Flow, Protocol, RouteAction, RpkiState, WiderAction, WiderCondition};
use bgp::{AsPath, Asn, Community, ExtendedCommunity, LargeCommunity, Origin, ParseError};
use core::str::FromStr;

impl Condition {
    /// Reads a `match` line as FRR writes it; what is not known stays, as [`Condition::Unmodelled`].
    #[must_use]
    pub fn native(line: &str) -> Self {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["match", "ip" | "ipv6", "address", "prefix-list", list] => return Self::PrefixSet(list.to_owned()),
            ["match", "community", list] => return Self::CommunitySet(list.to_owned()),
            _ => {}
        }
        let line = words.join(" ");
        match wider_condition(&words) {
            Some(what) => Self::Wider { what, line },
            None => Self::Unmodelled(line),
        }
    }
}

fn wider_condition(words: &[&str]) -> Option<WiderCondition> {
    let name = |n: &str| n.to_owned();
    Some(match words {
        ["match", "community", list, "exact-match"] => WiderCondition::CommunitySetExact(name(list)),
        ["match", "as-path", list] => WiderCondition::AsPathSet(name(list)),
        ["match", "large-community", list, "exact-match"] => WiderCondition::LargeCommunitySetExact(name(list)),
        ["match", "extcommunity", list] => WiderCondition::ExtendedCommunitySet(name(list)),
        ["match", "ip", "route-source", "prefix-list", list] => WiderCondition::SourcePrefixSet(name(list)),
        ["match", "ip", "route-source", list] => WiderCondition::SourceAccessList(name(list)),
        ["match", "large-community", list] => WiderCondition::LargeCommunitySet(name(list)),
        ["match", "ip" | "ipv6", "address", "prefix-len", n] => WiderCondition::PrefixLength(n.parse().ok()?),
        ["match", "ip" | "ipv6", "address", list] => WiderCondition::AccessList(name(list)),
        ["match", "ip" | "ipv6", "next-hop", "prefix-list", list] => WiderCondition::NextHopPrefixSet(name(list)),
        ["match", "ip" | "ipv6", "next-hop", "address", address] => WiderCondition::NextHop(address.parse().ok()?),
        ["match", "ipv6", "next-hop", list] if list.parse::<core::net::Ipv6Addr>().is_ok() => WiderCondition::NextHop(list.parse().ok()?),
        ["match", "ip" | "ipv6", "next-hop", list] => WiderCondition::NextHopAccessList(name(list)),
        ["match", "metric", v] => WiderCondition::Med(v.parse().ok()?),
        ["match", "local-preference", v] => WiderCondition::LocalPref(v.parse().ok()?),
        ["match", "origin", o] => WiderCondition::Origin(origin(o)?),
        ["match", "peer", "local"] => WiderCondition::PeerLocal,
        ["match", "peer", address] => WiderCondition::Peer(address.parse().ok()?),
        ["match", "tag", v] => WiderCondition::Tag(v.parse().ok()?),
        ["match", "source-protocol", p] => WiderCondition::SourceProtocol(protocol(p)?),
        ["match", "rpki", "valid"] => WiderCondition::Rpki(RpkiState::Valid),
        ["match", "rpki", "invalid"] => WiderCondition::Rpki(RpkiState::Invalid),
        ["match", "rpki", "notfound"] => WiderCondition::Rpki(RpkiState::NotFound),
        _ => return None,
    })
}

impl RouteAction {
    /// Reads a `set`, `on-match`, `continue` or `call` line as FRR writes it; what is not known stays, as [`RouteAction::Unmodelled`].
    #[must_use]
    pub fn native(line: &str) -> Self {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let Some(action) = action(&words) {
            return action;
        }
        let line = words.join(" ");
        match wider_action(&words) {
            Some(what) => Self::Wider { what, line },
            None => Self::Unmodelled(line),
        }
    }
}

fn action(words: &[&str]) -> Option<RouteAction> {
    let ["set", words @ ..] = words else { return None };
    Some(match words {
        ["local-preference", v] => RouteAction::SetLocalPref(plain(v)?),
        ["metric", v] => RouteAction::SetMed(plain(v)?),
        ["weight", v] => RouteAction::SetWeight(v.parse().ok()?),
        ["origin", o] => RouteAction::SetOrigin(origin(o)?),
        ["community", "none"] => RouteAction::SetCommunities(Vec::new()),
        ["community", list @ .., "additive"] => RouteAction::AddCommunities(all::<Community>(list)?),
        ["community", list @ ..] if !list.is_empty() => RouteAction::SetCommunities(all(list)?),
        ["comm-list", name, "delete"] => RouteAction::DeleteCommunities((*name).to_owned()),
        ["as-path", "prepend", "last-as", ..] => return None,
        ["as-path", "prepend", path @ ..] => RouteAction::Prepend(path.join(" ").parse::<AsPath>().ok()?),
        ["ip", "next-hop", address] => RouteAction::SetNextHop(address.parse().ok()?),
        ["ipv6", "next-hop", "global", address] => RouteAction::SetNextHop(address.parse().ok()?),
        _ => return None,
    })
}

fn wider_action(words: &[&str]) -> Option<WiderAction> {
    Some(match words {
        ["on-match", "next"] | ["continue"] => WiderAction::Flow(Flow::Next),
        ["on-match", "goto", n] | ["continue", n] => WiderAction::Flow(Flow::Goto(n.parse().ok()?)),
        ["call", name] => WiderAction::Call((*name).to_owned()),
        ["set", "metric", v] => WiderAction::AddMed(signed(v)?),
        ["set", "local-preference", v] => WiderAction::AddLocalPref(signed(v)?),
        ["set", "as-path", "prepend", "last-as", n] => WiderAction::PrependLastAs(n.parse().ok()?),
        ["set", "as-path", "exclude", list @ ..] if !list.is_empty() && *list != ["all"] => {
            WiderAction::ExcludeAs(list.iter().map(|a| a.parse().ok().map(Asn)).collect::<Option<_>>()?)
        }
        ["set", "large-community", "none"] => WiderAction::SetLargeCommunities(Vec::new()),
        ["set", "large-community", list @ .., "additive"] => WiderAction::AddLargeCommunities(all::<LargeCommunity>(list)?),
        ["set", "large-community", list @ ..] if !list.is_empty() => WiderAction::SetLargeCommunities(all(list)?),
        ["set", "large-comm-list", name, "delete"] => WiderAction::DeleteLargeCommunities((*name).to_owned()),
        ["set", "ip" | "ipv6", "next-hop", "peer-address"] => WiderAction::SetNextHopSelf,
        ["set", "ip" | "ipv6", "next-hop", "unchanged"] => WiderAction::SetNextHopUnchanged,
        ["set", "originator-id", id] => WiderAction::SetOriginator(id.parse().ok()?),
        ["set", "atomic-aggregate"] => WiderAction::SetAtomicAggregate,
        ["set", "aggregator", "as", asn, id] => WiderAction::SetAggregator(Asn(asn.parse().ok()?), id.parse().ok()?),
        ["set", "tag", v] => WiderAction::SetTag(v.parse().ok()?),
        ["set", "as-path", "replace", "any"] => WiderAction::ReplaceAs(None),
        ["set", "as-path", "replace", asn] => WiderAction::ReplaceAs(Some(Asn(asn.parse().ok()?))),
        ["set", "extcommunity", "none"] => WiderAction::ClearExtended,
        ["set", "extcommunity", "rt", list @ ..] => WiderAction::AddExtended(extended(list, ExtendedCommunity::route_target)?),
        ["set", "extcommunity", "soo", list @ ..] => WiderAction::AddExtended(extended(list, ExtendedCommunity::site_of_origin)?),
        // what these say depends on the links or on how many paths are used; no choice depends on it
        ["set", "extcommunity", "bandwidth", "cumulative" | "num-multipaths", ..]
        | ["set", "distance" | "table" | "label-index", _]
        | ["set", "ipv6", "next-hop", "prefer-global"] => WiderAction::OutsideBgp,
        ["set", "extcommunity", "bandwidth", mbit_s, rest @ ..] => {
            WiderAction::SetBandwidth { mbit_s: plain(mbit_s)?, transitive: *rest != ["non-transitive"] }
        }
        ["set", "aigp-metric", "igp-metric"] => WiderAction::SetAigp(None),
        ["set", "aigp-metric", v] => WiderAction::SetAigp(Some(plain(v)?)),
        _ => return None,
    })
}

/// A number without a sign; `u32::from_str` would take `+5`.
fn plain(text: &str) -> Option<u32> {
    if text.starts_with('+') { None } else { text.parse().ok() }
}

fn signed(text: &str) -> Option<i64> {
    let value: i64 = text.parse().ok()?;
    (text.starts_with(['+', '-']) && value.unsigned_abs() <= u64::from(u32::MAX)).then_some(value)
}

fn all<T: FromStr>(words: &[&str]) -> Option<Vec<T>> {
    words.iter().map(|w| w.parse().ok()).collect()
}

fn extended(words: &[&str], read: fn(&str) -> Result<ExtendedCommunity, ParseError>) -> Option<Vec<ExtendedCommunity>> {
    if words.is_empty() { None } else { words.iter().map(|w| read(w).ok()).collect() }
}

fn origin(word: &str) -> Option<Origin> {
    match word {
        "igp" => Some(Origin::Igp),
        "egp" => Some(Origin::Egp),
        "incomplete" => Some(Origin::Incomplete),
        _ => None,
    }
}

/// Reads a protocol as `redistribute` and `match source-protocol` name it.
pub(super) fn protocol(word: &str) -> Option<Protocol> {
    Some(match word {
        "connected" => Protocol::Connected,
        "static" => Protocol::Static,
        "kernel" => Protocol::Kernel,
        "ospf" | "ospf6" => Protocol::Ospf,
        "isis" => Protocol::Isis,
        "bgp" => Protocol::Bgp,
        _ => return None,
    })
}
