//! What two readers say of one UPDATE, made comparable.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

use bgp::Segment;
use bmp::Repair;
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

/// Reads the object that `decode bmp` prints for a Route Monitoring message; `own` is put back where a repair took it off.
pub fn ours(object: &Value, own: u64) -> Facts {
    let all = |field: &str| object[field].as_array().unwrap().clone();
    let plain = |n: &&Value| ["ipv4_unicast", "ipv6_unicast"].contains(&n["afi_safi"].as_str().unwrap());
    let text = |v: &Value| v.as_str().map(str::to_owned);
    let routes = |list: &[Value]| list.iter().filter(plain).map(|n| (text(&n["prefix"]).unwrap(), n["path_id"].as_u64())).collect();
    // an EVPN route has a type and is compared elsewhere
    let labelled = |n: &&Value| !plain(n) && n.get("route_type").is_none();
    let labelled_routes = |list: &[Value]| -> BTreeSet<LabelledRoute> {
        let one = |n: &Value| {
            let labels = n["labels"].as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
            (text(&n["rd"]), text(&n["prefix"]).unwrap(), n["path_id"].as_u64(), labels)
        };
        list.iter().filter(labelled).map(one).collect()
    };
    let (announce, withdraw) = (all("announce"), all("withdraw"));
    let mut out = Facts {
        announce: routes(&announce),
        withdraw: routes(&withdraw),
        labelled: (labelled_routes(&announce), labelled_routes(&withdraw)),
        labelled_hops: announce.iter().filter(labelled).filter_map(|n| text(&n["next_hop"])).collect(),
        next_hops: announce.iter().filter(plain).filter_map(|n| text(&n["next_hop"])).collect(),
        ..Facts::default()
    };
    let a = &object["attributes"];
    if a.is_null() {
        return out;
    }
    let path: bgp::AsPath = a["as_path"].as_str().unwrap().parse().unwrap();
    let named = |s: &Segment| {
        let (name, asns) = match s {
            Segment::Sequence(asns) => ("AsSequence", asns),
            Segment::Set(asns) => ("AsSet", asns),
            Segment::ConfedSequence(asns) => ("AsConfedSequence", asns),
            Segment::ConfedSet(asns) => ("AsConfedSet", asns),
        };
        (name.to_owned(), asns.iter().map(|a| u64::from(a.0)).collect::<Vec<u64>>())
    };
    let segments: Vec<(String, Vec<u64>)> = path.segments().iter().map(named).collect();
    out.as_path = segments.iter().flat_map(|(_, asns)| asns.clone()).collect();
    out.segments = joined(segments.into_iter().map(|(name, asns)| (name, asns.len())));
    if all("repairs").iter().any(|r| *r == Repair::FrrOwnAsInFront.to_string()) {
        out.as_path.insert(0, own);
        match out.segments.first_mut() {
            Some(first) if first.0 == "AsSequence" => first.1 += 1,
            _ => out.segments.insert(0, ("AsSequence".to_owned(), 1)),
        }
    }
    let list = |field: &str| -> Vec<String> { a[field].as_array().unwrap().iter().filter_map(&text).collect() };
    out.origin = text(&a["origin"]);
    out.ext_communities = list("ext_communities").into_iter().map(|e| if e.contains(':') { e } else { "other".to_owned() }).collect();
    out.large_communities = list("large_communities").into_iter().collect();
    out.originator = text(&a["originator_id"]);
    out.cluster_list = list("cluster_list");
    out.aggregator = a["aggregator"].as_object().map(|g| format!("{} {}", g["asn"], g["id"].as_str().unwrap()));
    out.atomic = a["atomic_aggregate"].as_bool().unwrap();
    out.aigp = a["aigp"].as_u64();
    (out.med, out.local_pref) = (a["med"].as_u64(), a["local_pref"].as_u64());
    out.communities = list("communities").iter().map(|c| u64::from(c.parse::<bgp::Community>().unwrap().0)).collect();
    out
}

/// Names of NOTIFICATIONs, by code (position + 1) and subcode (RFC 4271 §4.5, RFC 4486, RFC 6608, RFC 7313 §5, RFC 9234 §6); the empty name is
/// a number that they do not give.
const NOTIFICATIONS: [(&str, &[&str]); 7] = [
    ("MessageHeaderError", &["Unspecific", "ConnectionNotSynchronized", "BadMessageLength", "BadMessageType"]),
    (
        "OpenMessageError",
        &[
            "Unspecific",
            "UnsupportedVersionNumber",
            "BadPeerAs",
            "BadBgpIdentifier",
            "UnsupportedOptionalParameter",
            "",
            "UnacceptableHoldTime",
            "UnsupportedCapability",
            "",
            "",
            "",
            "RoleMismatch",
        ],
    ),
    (
        "UpdateMessageError",
        &[
            "Unspecific",
            "MalformedAttributeList",
            "UnrecognizedWellKnownAttribute",
            "MissingWellKnownAttribute",
            "AttributeFlagsError",
            "AttributeLengthError",
            "InvalidOriginAttribute",
            "",
            "InvalidNextHopAttribute",
            "OptionalAttributeError",
            "InvalidNetworkField",
            "MalformedAsPath",
        ],
    ),
    ("HoldTimerExpiredError", &["Unspecific"]),
    (
        "FiniteStateMachineError",
        &[
            "Unspecific",
            "ReceiveUnexpectedMessageInOpenSentState",
            "ReceiveUnexpectedMessageInOpenConfirmState",
            "ReceiveUnexpectedMessageInEstablishedState",
        ],
    ),
    (
        "CeaseError",
        &[
            "",
            "MaximumNumberOfPrefixesReached",
            "AdministrativeShutdown",
            "PeerDeConfigured",
            "AdministrativeReset",
            "ConnectionRejected",
            "OtherConfigurationChange",
            "ConnectionCollisionResolution",
            "OutOfResources",
            "HardReset",
            "BfdDown",
        ],
    ),
    ("RouteRefreshError", &["", "InvalidMessageLength"]),
];

/// Every code and subcode that they name.
#[allow(dead_code, reason = "each test file uses its part")]
pub fn notifications() -> Vec<(u8, u8)> {
    let of = |(code, (_, names)): (u8, (&str, &'static [&'static str]))| {
        (0..).zip(names).filter(|(_, name)| !name.is_empty()).map(move |(subcode, _)| (code, subcode))
    };
    (1..).zip(NOTIFICATIONS).flat_map(of).collect()
}

/// Says whether a NOTIFICATION of theirs has the code, the subcode and the data of the object that `decode bmp` prints.
#[allow(dead_code, reason = "each test file uses its part")]
pub fn same_notification(theirs: &Value, ours: &Value) -> bool {
    let inner = |v: &Value| v.as_object().and_then(|o| o.iter().next()).map(|(name, value)| (name.clone(), value.clone()));
    let Some((code, rest)) = inner(&theirs["Notification"]) else { return false };
    let Some((subcode, fields)) = inner(&rest) else { return false };
    let Some((number, names)) = (1_u64..).zip(NOTIFICATIONS).find(|(_, (name, _))| *name == code).map(|(n, (_, names))| (n, names)) else {
        return false;
    };
    // a hold timer's subcode has no names, they give the number
    let named = fields["sub_code"].as_u64().or_else(|| (0..).zip(names).find(|(_, n)| **n == subcode).map(|(n, _)| n));
    let hex = |b: &Value| b.as_u64().map(|b| format!("{b:02x}"));
    let data: Option<String> = fields["value"].as_array().and_then(|bytes| bytes.iter().map(hex).collect());
    (Some(number), named) == (ours["code"].as_u64(), ours["subcode"].as_u64()) && data.as_deref() == ours["data"].as_str()
}
