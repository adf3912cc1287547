//! What two readers say of one UPDATE, made comparable.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

use bgp::Segment;
use bmp::{LabelledNlri, Nlri, Repair, RouteMonitoring};
use serde_json::Value;
use std::collections::BTreeSet;

/// NetGauze's names of the families that we read beside unicast.
const LABELLED: [&str; 6] =
    ["Ipv4MplsVpnUnicast", "Ipv6MplsVpnUnicast", "Ipv4NlriMplsLabels", "Ipv6NlriMplsLabels", "Ipv4Multicast", "Ipv6Multicast"];
pub type Route = (String, Option<u64>);
/// Distinguisher, prefix, path identifier, labels.
pub type LabelledRoute = (Option<String>, String, Option<u64>, Vec<u64>);

/// What both readers say of an UPDATE.
#[derive(Debug, Default, PartialEq)]
pub struct Facts {
    pub announce: BTreeSet<Route>,
    pub withdraw: BTreeSet<Route>,
    /// Labelled and VPN prefixes, announced and withdrawn.
    pub labelled: (BTreeSet<LabelledRoute>, BTreeSet<LabelledRoute>),
    pub labelled_hops: BTreeSet<String>,
    pub as_path: Vec<u64>,
    /// Segment kinds with their lengths; neighbouring sequences are one.
    pub segments: Vec<(String, usize)>,
    pub origin: Option<String>,
    pub ext_communities: Vec<String>,
    pub large_communities: BTreeSet<String>,
    pub originator: Option<String>,
    pub cluster_list: Vec<String>,
    pub aggregator: Option<String>,
    pub atomic: bool,
    pub aigp: Option<u64>,
    pub med: Option<u64>,
    pub local_pref: Option<u64>,
    pub communities: BTreeSet<u64>,
    pub next_hops: BTreeSet<String>,
}

/// Spells a route distinguisher of theirs as RFC 4364 does.
pub fn distinguisher(rd: &Value) -> Option<String> {
    let (_, fields) = rd.as_object()?.iter().next()?;
    let admin = ["asn2", "asn4", "ip"].iter().find_map(|k| fields.get(*k))?;
    let admin = admin.as_str().map_or_else(|| admin.to_string(), str::to_owned);
    Some(format!("{admin}:{}", fields["number"]))
}

/// Three bytes of theirs to the 20 bits of a label.
fn label(bytes: &Value) -> Option<u64> {
    let [a, b, c] = bytes.as_array()?.as_slice() else { return None };
    Some(a.as_u64()? << 12 | b.as_u64()? << 4 | c.as_u64()? >> 4)
}

fn labelled_routes(list: &Value) -> Vec<LabelledRoute> {
    let one = |n: &Value| {
        let prefix = n.get("network").or_else(|| n.get("prefix"))?.as_str()?.to_owned();
        let labels = n.get("label_stack").or_else(|| n.get("labels")).and_then(Value::as_array);
        let labels = labels.into_iter().flatten().filter_map(label).collect();
        Some((n.get("rd").and_then(distinguisher), prefix, n["path_id"].as_u64(), labels))
    };
    list.as_array().map(|a| a.iter().filter_map(one).collect()).unwrap_or_default()
}

/// Spells what ours spells (two-octet, four-octet and address specific route targets and origins); the rest is told by a mark on both sides.
fn ext_community(c: &Value) -> String {
    let spelled = || {
        let (_, inner) = c.as_object()?.iter().next()?;
        let (name, fields) = inner.as_object()?.iter().next()?;
        let word = match name.as_str() {
            "RouteTarget" => "rt",
            "RouteOrigin" => "soo",
            _ => return None,
        };
        let admin = &fields["global_admin"];
        let admin = admin.as_str().map_or_else(|| admin.to_string(), str::to_owned);
        Some(format!("{word}:{admin}:{}", fields["local_admin"]))
    };
    spelled().unwrap_or_else(|| "other".to_owned())
}

fn joined(segments: impl Iterator<Item = (String, usize)>) -> Vec<(String, usize)> {
    let mut out: Vec<(String, usize)> = Vec::new();
    for (kind, n) in segments {
        match out.last_mut() {
            Some(last) if last.0 == kind && kind == "AsSequence" => last.1 += n,
            _ => out.push((kind, n)),
        }
    }
    out
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
                let kinds =
                    segments.iter().map(|s| (s["segment_type"].as_str().unwrap().to_owned(), s["as_numbers"].as_array().unwrap().len()));
                out.segments = joined(kinds);
                out.as_path = segments.iter().flat_map(|s| s["as_numbers"].as_array().unwrap()).filter_map(Value::as_u64).collect();
            }
            "MultiExitDiscriminator" => out.med = value["metric"].as_u64(),
            "Origin" => out.origin = value.as_str().map(str::to_lowercase),
            "ExtendedCommunities" => out.ext_communities = value["communities"].as_array().unwrap().iter().map(ext_community).collect(),
            "LargeCommunities" => {
                let spelled = |c: &Value| format!("{}:{}:{}", c["global_admin"], c["local_data1"], c["local_data2"]);
                out.large_communities = value["communities"].as_array().unwrap().iter().map(spelled).collect();
            }
            "Originator" => out.originator = value.as_str().or(value["originator"].as_str()).map(str::to_owned),
            "ClusterList" => {
                let list = value.as_array().or(value["cluster_list"].as_array());
                out.cluster_list = list.into_iter().flatten().map(|c| c.as_str().or(c["id"].as_str()).unwrap().to_owned()).collect();
            }
            "Aggregator" => {
                let fields = value.as_object().unwrap().values().next().unwrap();
                out.aggregator = Some(format!("{} {}", fields["asn"], fields["origin"].as_str().unwrap()));
            }
            "AtomicAggregate" => out.atomic = true,
            "Aigp" => out.aigp = value["AccumulatedIgpMetric"].as_u64(),
            "LocalPreference" => out.local_pref = value["metric"].as_u64(),
            "Communities" => out.communities.extend(value["communities"].as_array().unwrap().iter().filter_map(Value::as_u64)),
            "NextHop" if plain => out.next_hops.extend(value["next_hop"].as_str().map(str::to_owned)),
            "MpReach" | "MpUnreach" => {
                for family in LABELLED.iter().filter_map(|f| value.get(f)) {
                    let list = if name == "MpUnreach" { &mut out.labelled.1 } else { &mut out.labelled.0 };
                    list.extend(labelled_routes(&family["nlri"]));
                    let hop = &family["next_hop"];
                    let inside = hop.as_object().and_then(|o| o.values().next()).and_then(|o| o["next_hop"].as_str());
                    out.labelled_hops.extend(hop.as_str().or(inside).map(str::to_owned));
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
    let labelled = |list: &[LabelledNlri]| -> BTreeSet<LabelledRoute> {
        let one = |l: &LabelledNlri| {
            let labels = l.labels.iter().map(|n| u64::from(*n)).collect();
            (l.distinguisher.map(|d| d.to_string()), l.nlri.prefix.to_string(), l.nlri.path_id.map(u64::from), labels)
        };
        list.iter().map(one).collect()
    };
    out.labelled_hops = m.labelled.announce.iter().filter_map(|l| Some(l.nlri.next_hop?.to_string())).collect();
    out.labelled = (labelled(&m.labelled.announce), labelled(&m.labelled.withdraw));
    out.next_hops = m.announce.iter().filter_map(|n| Some(n.next_hop?.to_string())).collect();
    if let Some(a) = &m.attributes {
        let segments = a.as_path.to_string();
        out.as_path = segments.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect();
        if m.repairs.contains(&Repair::FrrOwnAsInFront) {
            out.as_path.insert(0, own);
        }
        let kinds = a.as_path.segments().iter().map(|s| match s {
            Segment::Sequence(asns) => ("AsSequence".to_owned(), asns.len()),
            Segment::Set(asns) => ("AsSet".to_owned(), asns.len()),
            Segment::ConfedSequence(asns) => ("AsConfedSequence".to_owned(), asns.len()),
            Segment::ConfedSet(asns) => ("AsConfedSet".to_owned(), asns.len()),
        });
        out.segments = joined(kinds);
        if m.repairs.contains(&Repair::FrrOwnAsInFront) {
            match out.segments.first_mut() {
                Some(first) if first.0 == "AsSequence" => first.1 += 1,
                _ => out.segments.insert(0, ("AsSequence".to_owned(), 1)),
            }
        }
        out.origin = Some(serde_json::to_value(a.origin).unwrap().as_str().unwrap().to_owned());
        let spelled = |e: &String| if e.contains(':') { e.clone() } else { "other".to_owned() };
        out.ext_communities = m.extra.ext_communities.iter().map(spelled).collect();
        out.large_communities = a.large_communities.iter().map(ToString::to_string).collect();
        out.originator = a.originator_id.map(|i| i.to_string());
        out.cluster_list = a.cluster_list.iter().map(ToString::to_string).collect();
        out.aggregator = a.aggregator.map(|g| format!("{} {}", g.asn.0, g.id));
        out.atomic = a.atomic_aggregate;
        out.aigp = m.extra.aigp;
        (out.med, out.local_pref) = (a.med.map(u64::from), a.local_pref.map(u64::from));
        out.communities = a.communities.iter().map(|c| u64::from(c.0)).collect();
    }
    out
}
