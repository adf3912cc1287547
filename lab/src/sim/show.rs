//! What a simulated router answers to `show` commands: the JSON of FRR 8.4, as far as anybody asks for it.

use super::router::Router;
use super::select::{Path, Source};
use super::session::{Peer, State};
use bgp::{Family, PathAttributes, Segment};
use serde_json::{Map, Value, json};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Returns the answer; `None` for a command that is not known.
#[must_use]
pub fn answer(router: &Router, command: &str) -> Option<String> {
    let words: Vec<&str> = command.split_whitespace().collect();
    let value = match words[..] {
        ["show", "running-config"] => {
            return Some(format!("Building configuration...\n\nCurrent configuration:\n{}", router.settings.text()));
        }
        ["show", "bgp", "summary", "json"] => {
            json!({"ipv4Unicast": summary(router, Family::Ipv4Unicast), "ipv6Unicast": summary(router, Family::Ipv6Unicast)})
        }
        ["show", "bgp", family @ ("ipv4" | "ipv6"), "unicast", "summary", "json"] => summary(router, read(family)),
        ["show", "bgp", family @ ("ipv4" | "ipv6"), "unicast", "json"] => json!({"routes": table(router, read(family), false)}),
        ["show", "bgp", family @ ("ipv4" | "ipv6"), "unicast", "json", "detail"] => {
            json!({"routes": table(router, read(family), true)})
        }
        ["show", "bgp", "neighbors", "json"] => {
            Value::Object(router.peers.iter().map(|(a, p)| (a.to_string(), neighbor(router, *a, p))).collect())
        }
        _ => return None,
    };
    Some(value.to_string())
}

fn read(word: &str) -> Family {
    if word == "ipv4" { Family::Ipv4Unicast } else { Family::Ipv6Unicast }
}

fn summary(router: &Router, family: Family) -> Value {
    let of = router.peers.iter().filter(|(a, _)| Family::of(**a) == family);
    let peer = |(a, p): (&IpAddr, &Peer)| {
        (a.to_string(), json!({"remoteAs": p.remote_as.0, "state": state(router, *a, p), "pfxRcd": p.received.len()}))
    };
    json!({
        "routerId": router.router_id,
        "as": router.asn.0,
        "tableVersion": router.versions.get(&family).copied().unwrap_or(0),
        "peers": of.map(peer).collect::<Map<String, Value>>(),
    })
}

fn state(router: &Router, address: IpAddr, peer: &Peer) -> &'static str {
    if router.refuses(address) { State::Idle.name() } else { peer.state.name() }
}

fn neighbor(router: &Router, address: IpAddr, peer: &Peer) -> Value {
    let family = if address.is_ipv4() { "ipv4Unicast" } else { "ipv6Unicast" };
    let mut out = json!({
        "remoteAs": peer.remote_as.0,
        "localAs": peer.local_as.0,
        "nbrDesc": peer.description,
        "bgpState": state(router, address, peer),
        "connectionsEstablished": peer.established,
        "addressFamilyInfo": {family: {"acceptedPrefixCounter": peer.accepted.len(), "sentPrefixCounter": peer.announced.len()}},
    });
    if router.refuses(address) {
        out["adminShutDown"] = json!(true);
    }
    if let Some(why) = peer.ended {
        out["lastResetDueTo"] = json!(why.words());
    }
    out
}

/// The prefixes with the path in use. Of FRR's two forms the detailed one nests more.
fn table(router: &Router, family: Family, detail: bool) -> Map<String, Value> {
    let rows = router.table.iter().filter(|(p, _)| p.family() == family);
    let row = |(prefix, path): (&bgp::Prefix, &Path)| {
        let value = if detail { json!({"paths": [detailed(path, family)]}) } else { json!([brief(path, family)]) };
        (prefix.to_string(), value)
    };
    rows.map(row).collect()
}

/// What a route of its own has for a next hop.
const fn unspecified(family: Family) -> IpAddr {
    match family {
        Family::Ipv4Unicast => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        Family::Ipv6Unicast => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    }
}

fn hops(attributes: &PathAttributes, family: Family) -> Value {
    json!([{"ip": attributes.next_hop.unwrap_or_else(|| unspecified(family)), "used": true}])
}

fn brief(path: &Path, family: Family) -> Value {
    let a = &path.attributes;
    let mut out =
        json!({"valid": true, "bestpath": true, "weight": path.weight, "path": a.as_path.to_string(), "nexthops": hops(a, family)});
    common(a, &mut out);
    out
}

fn detailed(path: &Path, family: Family) -> Value {
    let a = &path.attributes;
    let segment = |s: &Segment| {
        let (kind, list) = match s {
            Segment::Sequence(l) => ("as-sequence", l),
            Segment::Set(l) => ("as-set", l),
            Segment::ConfedSequence(l) => ("as-confed-sequence", l),
            Segment::ConfedSet(l) => ("as-confed-set", l),
        };
        json!({"type": kind, "list": list})
    };
    let segments: Vec<Value> = a.as_path.segments().iter().map(segment).collect();
    let peer = path.source.neighbor().unwrap_or_else(|| unspecified(family));
    let mut out = json!({
        "valid": true,
        "bestpath": {"overall": true},
        "weight": path.weight,
        "sourced": path.source == Source::Local,
        "aspath": {"string": a.as_path.to_string(), "segments": segments},
        "nexthops": hops(a, family),
        "peer": {"peerId": peer, "routerId": path.router_id},
    });
    common(a, &mut out);
    if !a.communities.is_empty() {
        let list: Vec<String> = a.communities.iter().map(ToString::to_string).collect();
        out["community"] = json!({"string": list.join(" "), "list": list});
    }
    out
}

fn common(a: &PathAttributes, out: &mut Value) {
    out["origin"] = json!(format!("{:?}", a.origin).to_uppercase());
    if let Some(v) = a.local_pref {
        out["locPrf"] = json!(v);
    }
    if let Some(v) = a.med {
        out["metric"] = json!(v);
    }
}
