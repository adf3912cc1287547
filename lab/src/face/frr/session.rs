//! BGP sessions as openconfig-network-instance tells them, from `show bgp neighbors json`.

use super::{FAMILIES, bgp_path, elem};
use gnmi::{Path, PathElem, Value};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};

/// The object also holds router-wide members; a neighbour is what has a state.
fn neighbors(json: &Json) -> impl Iterator<Item = (&String, &Json, &str)> {
    json.as_object().into_iter().flatten().filter_map(|(address, n)| Some((address, n, n.get("bgpState")?.as_str()?)))
}

/// Returns the addresses of all neighbours.
pub fn addresses(json: &Json) -> BTreeSet<String> {
    neighbors(json).map(|(address, _, _)| address.clone()).collect()
}

/// Returns the path of a neighbour, or of something below it.
pub fn path(address: &str, rest: Vec<PathElem>) -> Path {
    let mut elems = vec![elem("neighbors", &[]), elem("neighbor", &[("neighbor-address", address)])];
    elems.extend(rest);
    bgp_path(elems)
}

/// Returns all leaves of all neighbours; `installed` counts best routes per family and neighbour.
pub fn leaves(json: &Json, installed: &BTreeMap<&'static str, BTreeMap<String, u64>>) -> Vec<(Path, Value)> {
    let mut out = Vec::new();
    for (address, n, state) in neighbors(json) {
        let mut leaf = |name: &str, value: Option<Value>| {
            out.extend(value.map(|v| (path(address, vec![elem("state", &[]), elem(name, &[])]), v)));
        };
        let number = |key: &str| n.get(key).and_then(Json::as_u64).map(Value::Uint);
        let text = |key: &str| n.get(key).and_then(Json::as_str).map(|t| Value::String(t.to_owned()));
        leaf("last-down-reason", text("lastResetDueTo"));
        leaf("session-state", Some(Value::String(openconfig_state(state).to_owned())));
        leaf("enabled", Some(Value::Bool(n.get("adminShutDown").and_then(Json::as_bool) != Some(true))));
        leaf("peer-as", number("remoteAs"));
        leaf("description", text("nbrDesc"));
        leaf("established-transitions", number("connectionsEstablished"));
        for (frr, openconfig, _) in FAMILIES {
            let Some(info) = n.get("addressFamilyInfo").and_then(|i| i.get(frr)) else { continue };
            let count = |key: &str| info.get(key).and_then(Json::as_u64);
            let best = installed.get(frr).map(|by| by.get(address).copied().unwrap_or(0));
            for (name, count) in [("received", count("acceptedPrefixCounter")), ("sent", count("sentPrefixCounter")), ("installed", best)] {
                let names = [elem("afi-safis", &[]), elem("afi-safi", &[("afi-safi-name", openconfig)]), elem("state", &[])];
                let below = names.into_iter().chain([elem("prefixes", &[]), elem(name, &[])]).collect();
                out.extend(count.map(|c| (path(address, below), Value::Uint(c))));
            }
        }
    }
    out
}

/// FRR has two more states than RFC 4271 (Clearing, Deleted); in both no session is being made.
fn openconfig_state(frr: &str) -> &'static str {
    match frr {
        "Connect" => "CONNECT",
        "Active" => "ACTIVE",
        "OpenSent" => "OPENSENT",
        "OpenConfirm" => "OPENCONFIRM",
        "Established" => "ESTABLISHED",
        _ => "IDLE",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_neighbour_is_told_by_its_leaves_and_router_wide_members_are_none() {
        let family = json!({"ipv4Unicast": {"acceptedPrefixCounter": 7, "sentPrefixCounter": 2}});
        let json = json!({"vrfId": 0, "10.0.0.1": {"bgpState": "Clearing", "remoteAs": 65002, "adminShutDown": true, "addressFamilyInfo": family}});
        let installed = BTreeMap::from([("ipv4Unicast", BTreeMap::from([("10.0.0.1".to_owned(), 3)]))]);
        let told: Vec<(String, Value)> = leaves(&json, &installed)
            .into_iter()
            .map(|(p, v)| (p.elems.iter().skip(7).map(|e| e.name.as_str()).collect::<Vec<_>>().join("/"), v))
            .collect();
        let expected = [
            ("state/session-state", Value::String("IDLE".into())),
            ("state/enabled", Value::Bool(false)),
            ("state/peer-as", Value::Uint(65002)),
            ("afi-safis/afi-safi/state/prefixes/received", Value::Uint(7)),
            ("afi-safis/afi-safi/state/prefixes/sent", Value::Uint(2)),
            ("afi-safis/afi-safi/state/prefixes/installed", Value::Uint(3)),
        ];
        assert_eq!(told, expected.map(|(p, v)| (p.to_owned(), v)));
        assert_eq!(addresses(&json), BTreeSet::from(["10.0.0.1".to_owned()]));
    }
}
