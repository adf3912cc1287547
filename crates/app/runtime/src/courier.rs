//! Telemetry to topics: decoding and wording away from the loop.

use crate::tap::{GnmiSeen, Seen, Tapped};
use crate::topics::Topics;
use action::DeviceId;
use bgp::{Asn, PathAttributes};
use bmp::{Codec, Message, Peer, PeerKind, RouteMonitoring};
use bus::{EVENTS_PREFIX, TELEMETRY_BMP, TELEMETRY_GNMI};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tokio::sync::mpsc;
use units::Timestamp;

/// Observations that may wait for the courier; those beyond it are counted as missed, the loop does not wait.
pub const COURIER_QUEUE: usize = 8192;
/// Communities that one message names; the capture holds them all.
const COMMUNITIES_MAX: usize = 64;

/// Carries until the tap is gone.
pub async fn run(topics: Topics, own_asn: Asn, mut tapped: mpsc::Receiver<Tapped>) {
    let mut codecs: BTreeMap<DeviceId, Codec> = BTreeMap::new();
    while let Some(seen) = tapped.recv().await {
        carry(&topics, own_asn, &mut codecs, &seen);
    }
}

fn carry(topics: &Topics, own_asn: Asn, codecs: &mut BTreeMap<DeviceId, Codec>, tapped: &Tapped) {
    match &tapped.what {
        Seen::BmpConnected => drop(codecs.insert(tapped.device.clone(), Codec::new(Some(own_asn)))),
        Seen::Gnmi(seen) => topics.publish(TELEMETRY_GNMI, tapped.at, gnmi(tapped, seen)),
        Seen::Bmp(bytes) => {
            let codec = codecs.entry(tapped.device.clone()).or_insert_with(|| Codec::new(Some(own_asn)));
            match bmp::decode(bytes, codec) {
                Ok(message) => {
                    topics.publish(TELEMETRY_BMP, tapped.at, record(tapped, &message));
                    if let Message::RouteMonitoring(m) = &message {
                        prefixes(topics, tapped, m);
                    }
                }
                Err(error) => {
                    let salvage = error.salvage.as_deref();
                    let mut value = head(tapped, "malformed", salvage.map(|m| &m.peer));
                    value["error"] = error.to_string().into();
                    topics.publish(TELEMETRY_BMP, tapped.at, value);
                    // the tables take these for withdrawn too (RFC 7606 §2)
                    salvage.into_iter().for_each(|m| prefixes(topics, tapped, m));
                }
            }
        }
    }
}

fn gnmi(tapped: &Tapped, seen: &GnmiSeen) -> Value {
    json!({
        "router_id": tapped.device, "hostname": seen.hostname, "peer_count": seen.peers, "rib_count": seen.routes, "seq": tapped.seq,
        "timestamp": (seen.timestamp > 0).then(|| Timestamp::from_nanos(seen.timestamp).to_string()),
    })
}

/// What every message of BMP begins with.
fn head(tapped: &Tapped, kind: &str, peer: Option<&Peer>) -> Value {
    json!({
        "type": kind, "router": tapped.device, "peer": peer.map(|p| p.address), "peer_asn": peer.map(|p| p.asn.0),
        "view": peer.map(|p| p.view), "timestamp": peer.and_then(|p| p.time).map(|t| Timestamp::from_nanos(t).to_string()),
        "seq": tapped.seq, "prefix": null,
    })
}

/// One BMP message as it is shown. Of an UPDATE the first prefix and how many there are; each of them is a message of its own in
/// [`EVENTS_PREFIX`]. Absent stays null: a LOCAL_PREF that was not sent is none.
fn record(tapped: &Tapped, message: &Message) -> Value {
    let kind = match message {
        Message::RouteMonitoring(_) => "route_monitoring",
        Message::Statistics(_) => "statistics",
        Message::PeerDown(_) => "peer_down",
        Message::PeerUp(_) => "peer_up",
        Message::Initiation(_) => "initiation",
        Message::Termination(_) => "termination",
        Message::RouteMirroring(_) => "route_mirroring",
    };
    let mut value = head(tapped, kind, message.peer());
    if let Message::RouteMonitoring(m) = message {
        let first = m.announce.first().or_else(|| m.withdraw.first());
        value["prefix"] = first.map(|n| n.prefix.to_string()).into();
        value["announced"] = m.announce.len().into();
        value["withdrawn"] = m.withdraw.len().into();
        value["end_of_rib"] = m.end_of_rib.map(|f| f.to_string()).into();
        path(&mut value, m.attributes.as_ref());
    }
    value
}

fn path(value: &mut Value, attributes: Option<&PathAttributes>) {
    value["as_path"] = attributes.map(|a| a.as_path.to_string()).into();
    value["local_pref"] = json!(attributes.and_then(|a| a.local_pref));
    let communities = |a: &PathAttributes| a.communities.iter().take(COMMUNITIES_MAX).map(ToString::to_string).collect::<Vec<_>>();
    value["communities"] = attributes.map(communities).into();
}

fn prefixes(topics: &Topics, tapped: &Tapped, m: &RouteMonitoring) {
    // routes of other tables than the global one are in the telemetry only, as the tables of the engine have it
    if !matches!(m.peer.kind, PeerKind::Global | PeerKind::LocRib) || m.peer.distinguisher != "0:0" {
        return;
    }
    for nlri in &m.withdraw {
        let mut value = head(tapped, "withdrawn", Some(&m.peer));
        value["prefix"] = nlri.prefix.to_string().into();
        value["path_id"] = json!(nlri.path_id);
        topics.publish(EVENTS_PREFIX, tapped.at, value);
    }
    for nlri in m.announce.iter().filter(|_| m.attributes.is_some()) {
        let mut value = head(tapped, "announced", Some(&m.peer));
        value["prefix"] = nlri.prefix.to_string().into();
        value["path_id"] = json!(nlri.path_id);
        value["next_hop"] = json!(nlri.next_hop);
        path(&mut value, m.attributes.as_ref());
        topics.publish(EVENTS_PREFIX, tapped.at, value);
    }
}
