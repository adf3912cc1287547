//! What two readers say of one UPDATE, made comparable.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

use bmp::{LabelledNlri, Nlri, Repair, RouteMonitoring};
use serde_json::Value;
use std::collections::BTreeSet;

/// NetGauze's names of the families that we read beside unicast.
const LABELLED: [&str; 6] =
    ["Ipv4MplsVpnUnicast", "Ipv6MplsVpnUnicast", "Ipv4NlriMplsLabels", "Ipv6NlriMplsLabels", "Ipv4Multicast", "Ipv6Multicast"];
pub type Route = (String, Option<u64>);

/// What both readers say of an UPDATE.
#[derive(Debug, Default, PartialEq)]
pub struct Facts {
    pub announce: BTreeSet<Route>,
    pub withdraw: BTreeSet<Route>,
    /// Labelled and VPN prefixes, announced and withdrawn.
    pub labelled: (BTreeSet<Route>, BTreeSet<Route>),
    pub as_path: Vec<u64>,
    pub med: Option<u64>,
    pub local_pref: Option<u64>,
    pub communities: BTreeSet<u64>,
    pub next_hops: BTreeSet<String>,
}

pub fn theirs(update: &Value) -> Facts {
    let mut out = Facts::default();
    let routes = |list: &Value| -> Vec<Route> {
        let prefix = |n: &Value| n.get("network").or_else(|| n.get("prefix")).and_then(Value::as_str).map(str::to_owned);
        let of = |n: &Value| Some((prefix(n)?, n["path_id"].as_u64()));
        list.as_array().map(|a| a.iter().filter_map(of).collect()).unwrap_or_default()
    };
    out.announce.extend(routes(&update["nlri"]));
    out.withdraw.extend(routes(&update["withdrawn_routes"]));
    let plain = !out.announce.is_empty();
    for attribute in update["path_attributes"].as_array().unwrap() {
        let (name, value) = attribute["value"].as_object().unwrap().iter().next().unwrap();
        match name.as_str() {
            "AsPath" => {
                let segments = value.as_object().unwrap().values().next().unwrap().as_array().unwrap();
                out.as_path = segments.iter().flat_map(|s| s["as_numbers"].as_array().unwrap()).filter_map(Value::as_u64).collect();
            }
            "MultiExitDiscriminator" => out.med = value["metric"].as_u64(),
            "LocalPreference" => out.local_pref = value["metric"].as_u64(),
            "Communities" => out.communities.extend(value["communities"].as_array().unwrap().iter().filter_map(Value::as_u64)),
            "NextHop" if plain => out.next_hops.extend(value["next_hop"].as_str().map(str::to_owned)),
            "MpReach" | "MpUnreach" => {
                for family in LABELLED.iter().filter_map(|f| value.get(f)) {
                    let list = if name == "MpUnreach" { &mut out.labelled.1 } else { &mut out.labelled.0 };
                    list.extend(routes(&family["nlri"]));
                }
                for family in ["Ipv4Unicast", "Ipv6Unicast"].iter().filter_map(|f| value.get(f)) {
                    if name == "MpUnreach" {
                        out.withdraw.extend(routes(&family["nlri"]));
                    } else {
                        out.announce.extend(routes(&family["nlri"]));
                        let hop = family.get("next_hop_global").or_else(|| family.get("next_hop"));
                        out.next_hops.extend(hop.and_then(Value::as_str).map(str::to_owned));
                    }
                }
            }
            _ => {}
        }
    }
    out
}

pub fn ours(m: &RouteMonitoring, own: u64) -> Facts {
    let routes = |list: &[Nlri]| list.iter().map(|n| (n.prefix.to_string(), n.path_id.map(u64::from))).collect();
    let mut out = Facts { announce: routes(&m.announce), withdraw: routes(&m.withdraw), ..Facts::default() };
    let labelled = |list: &[LabelledNlri]| list.iter().map(|l| (l.nlri.prefix.to_string(), l.nlri.path_id.map(u64::from))).collect();
    out.labelled = (labelled(&m.labelled.announce), labelled(&m.labelled.withdraw));
    out.next_hops = m.announce.iter().filter_map(|n| Some(n.next_hop?.to_string())).collect();
    if let Some(a) = &m.attributes {
        let segments = a.as_path.to_string();
        out.as_path = segments.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect();
        if m.repairs.contains(&Repair::FrrOwnAsInFront) {
            out.as_path.insert(0, own);
        }
        (out.med, out.local_pref) = (a.med.map(u64::from), a.local_pref.map(u64::from));
        out.communities = a.communities.iter().map(|c| u64::from(c.0)).collect();
    }
    out
}
