//! Messages as the JSON objects that `pilotctl decode bmp` prints, one a message. Absent is null.

use crate::error::DecodeError;
use crate::evpn::EvpnNlri;
use crate::family::AfiSafi;
use crate::message::{
    Counter, DownReason, LabelledNlri, Message, MonitoredExtra, Nlri, Notification, PeerDown, PeerUp, RouteMonitoring, Statistics, Tlv,
};
use crate::open::{Capability, Open};
use crate::peer::{Peer, PeerKind};
use crate::repair::Repair;
use crate::tlv::{RouteTlv, RouteTlvValue};
use bgp::PathAttributes;
use serde_json::{Map, Value, json};

/// Returns the object of a decoded message that started at `offset` of its stream or file.
#[must_use]
pub fn message(message: &Message, offset: u64) -> Value {
    let mut out = match message {
        Message::RouteMonitoring(m) => route_monitoring(m),
        Message::Statistics(m) => statistics(m),
        Message::PeerDown(m) => peer_down(m),
        Message::PeerUp(m) => peer_up(m),
        Message::Initiation(m) => json!({"type": "initiation", "tlvs": tlvs(&m.tlvs)}),
        Message::Termination(m) => json!({"type": "termination", "tlvs": tlvs(&m.tlvs)}),
        Message::RouteMirroring(m) => {
            let tlvs: Vec<Value> = m.tlvs.iter().map(|(kind, value)| json!({"type": kind, "value": hex(value)})).collect();
            json!({"type": "route_mirroring", "tlvs": tlvs})
        }
    };
    if let Some(fields) = out.as_object_mut() {
        fields.insert("offset".to_owned(), offset.into());
        if let Some(p) = message.peer() {
            fields.insert("time".to_owned(), p.time.map(rfc3339).into());
            fields.insert("peer".to_owned(), peer(p));
        }
    }
    out
}

/// Returns the object of a message that could not be decoded. `offset` is that of the faulty field in the stream or file.
#[must_use]
pub fn malformed(error: &DecodeError, raw: &[u8], offset: u64) -> Value {
    let at = offset.saturating_add(u64::try_from(error.offset).unwrap_or(u64::MAX));
    let mut out = json!({
        "type": "malformed", "offset": offset, "length": raw.len(), "error": error.what, "field_offset": at,
        "action": error.action.name(), "raw": hex(raw),
    });
    if let (Some(fields), Some(m)) = (out.as_object_mut(), &error.salvage) {
        fields.insert("time".to_owned(), m.peer.time.map(rfc3339).into());
        fields.insert("peer".to_owned(), peer(&m.peer));
        fields.insert("withdraw".to_owned(), routes(&m.withdraw, &m.labelled.withdraw, &m.evpn.withdraw, false));
    }
    out
}

fn route_monitoring(m: &RouteMonitoring) -> Value {
    let mut out = json!({
        "type": "route_monitoring", "announce": routes(&m.announce, &m.labelled.announce, &m.evpn.announce, true),
        "withdraw": routes(&m.withdraw, &m.labelled.withdraw, &m.evpn.withdraw, false),
        "attributes": m.attributes.as_ref().map(|a| attributes(a, &m.extra)), "repairs": repairs(&m.repairs),
    });
    if let Some(fields) = out.as_object_mut() {
        optional(fields, "end_of_rib", m.end_of_rib.map(|f| f.to_string().into()));
        let unread: Vec<String> = m.unread.iter().map(ToString::to_string).collect();
        optional(fields, "unread", (!unread.is_empty()).then(|| unread.into()));
        let faults: Vec<Value> =
            m.faults.iter().map(|f| json!({"offset": f.offset, "error": f.error, "action": f.action.name()})).collect();
        optional(fields, "faults", (!faults.is_empty()).then(|| faults.into()));
        optional(fields, "tlvs", (!m.tlvs.is_empty()).then(|| m.tlvs.iter().map(route_tlv).collect()));
    }
    out
}

fn optional(fields: &mut Map<String, Value>, name: &str, value: Option<Value>) {
    if let Some(value) = value {
        fields.insert(name.to_owned(), value);
    }
}

fn peer(p: &Peer) -> Value {
    let kind = match p.kind {
        PeerKind::Global => "global".to_owned(),
        PeerKind::Rd => "rd".to_owned(),
        PeerKind::Local => "local".to_owned(),
        PeerKind::LocRib => "loc_rib".to_owned(),
        PeerKind::Other(n) => format!("unknown_{n}"),
    };
    // RFC 9069 §4.1 fills the fields that a Loc-RIB has no use for with zeros
    let address = (p.kind != PeerKind::LocRib).then(|| p.address.to_string());
    json!({
        "type": kind, "distinguisher": p.distinguisher.to_string(), "address": address, "asn": p.asn.0,
        "bgp_id": p.bgp_id.to_string(), "view": p.view, "as_width": p.as_width,
    })
}

fn routes(plain: &[Nlri], labelled: &[LabelledNlri], evpn: &[EvpnNlri], announced: bool) -> Value {
    let plain = plain.iter().map(|n| nlri(n, n.prefix.family().into(), announced));
    let labelled = labelled.iter().map(|l| {
        let mut out = nlri(&l.nlri, l.afi_safi, announced);
        if let Some(fields) = out.as_object_mut() {
            optional(fields, "rd", l.distinguisher.map(|d| d.to_string().into()));
            optional(fields, "labels", (l.afi_safi.safi != 2).then(|| l.labels.clone().into()));
        }
        out
    });
    plain.chain(labelled).chain(evpn.iter().map(|e| evpn_route(e, announced))).collect()
}

fn evpn_route(e: &EvpnNlri, announced: bool) -> Value {
    let mut out = json!({"afi_safi": AfiSafi::EVPN.to_string(), "path_id": e.path_id, "route_type": e.kind});
    let Some(fields) = out.as_object_mut() else { return out };
    let r = &e.route;
    optional(fields, "rd", r.distinguisher.map(|d| d.to_string().into()));
    optional(fields, "esi", r.esi.clone().map(Value::from));
    optional(fields, "ethernet_tag", r.ethernet_tag.map(Value::from));
    optional(fields, "mac", r.mac.clone().map(Value::from));
    match (r.address, r.length) {
        (Some(address), Some(length)) => optional(fields, "prefix", Some(format!("{address}/{length}").into())),
        (address, _) => optional(fields, "address", address.map(|a| a.to_string().into())),
    }
    optional(fields, "gateway", r.gateway.map(|g| g.to_string().into()));
    optional(fields, "labels", (!r.labels.is_empty()).then(|| r.labels.clone().into()));
    optional(fields, "raw", (!r.raw.is_empty()).then(|| hex(&r.raw).into()));
    if announced {
        fields.insert("next_hop".to_owned(), e.next_hop.map(|h| h.to_string()).into());
    }
    out
}

fn route_tlv(t: &RouteTlv) -> Value {
    match &t.value {
        RouteTlvValue::StatelessParsing(c) => json!({"index": t.index, "type": "stateless_parsing", "capability": capability(c)}),
        RouteTlvValue::Group(members) => json!({"index": t.index, "type": "group", "members": members}),
        RouteTlvValue::VrfTableName(name) => json!({"index": t.index, "type": "vrf_table_name", "value": name}),
        RouteTlvValue::PathMarking { status, reason } => {
            let names: Vec<&str> = RouteTlvValue::status_names(*status).collect();
            json!({"index": t.index, "type": "path_marking", "status": names, "status_bits": status, "reason": reason})
        }
        RouteTlvValue::Other(kind, value) => json!({"index": t.index, "type": format!("unknown_{kind}"), "value": hex(value)}),
    }
}

fn nlri(n: &Nlri, afi_safi: AfiSafi, announced: bool) -> Value {
    let mut out = json!({"afi_safi": afi_safi.to_string(), "prefix": n.prefix.to_string(), "path_id": n.path_id});
    if let Some(fields) = out.as_object_mut().filter(|_| announced) {
        fields.insert("next_hop".to_owned(), n.next_hop.map(|h| h.to_string()).into());
    }
    out
}

/// Returns the object of an attribute set; its next hop stands with the routes.
#[must_use]
pub fn attributes(a: &PathAttributes, extra: &MonitoredExtra) -> Value {
    json!({
        "origin": a.origin, "as_path": a.as_path.to_string(), "med": a.med, "local_pref": a.local_pref,
        "communities": a.communities.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "large_communities": a.large_communities.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "ext_communities": extra.ext_communities,
        "originator_id": a.originator_id.map(|i| i.to_string()),
        "cluster_list": a.cluster_list.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "aggregator": a.aggregator.map(|g| json!({"asn": g.asn.0, "id": g.id.to_string()})),
        "atomic_aggregate": a.atomic_aggregate, "otc": extra.otc, "aigp": extra.aigp,
    })
}

fn statistics(m: &Statistics) -> Value {
    let counters: Vec<Value> = m.counters.iter().map(counter).collect();
    let mut out = json!({"type": "statistics", "counters": counters, "repairs": repairs(&m.repairs)});
    if let Some(fields) = out.as_object_mut() {
        let unread: Vec<Value> = m.unread.iter().map(|u| json!({"type": u.kind, "name": u.name, "raw": hex(&u.raw)})).collect();
        optional(fields, "unread", (!unread.is_empty()).then(|| unread.into()));
    }
    out
}

fn counter(c: &Counter) -> Value {
    let mut out = json!({"type": c.kind, "name": c.name, "value": c.value});
    if let Some(fields) = out.as_object_mut() {
        optional(fields, "afi_safi", c.family.map(|f| f.to_string().into()));
    }
    out
}

fn peer_down(m: &PeerDown) -> Value {
    let mut out = json!({
        "type": "peer_down", "reason": reason(&m.reason), "notification": notification_of(&m.reason), "repairs": repairs(&m.repairs),
    });
    if let Some(fields) = out.as_object_mut() {
        match &m.reason {
            DownReason::LocalFsmEvent(event) => optional(fields, "fsm_event", Some((*event).into())),
            DownReason::LocalTlv(list) => optional(fields, "tlvs", Some(tlvs(list))),
            _ => {}
        }
    }
    out
}

/// Returns the stable name of a reason (`remote_notification`).
fn reason(reason: &DownReason) -> String {
    match reason {
        DownReason::LocalNotification(_) => "local_notification".to_owned(),
        DownReason::LocalFsmEvent(_) => "local_fsm_event".to_owned(),
        DownReason::RemoteNotification(_) => "remote_notification".to_owned(),
        DownReason::RemoteNoNotification => "remote_no_notification".to_owned(),
        DownReason::Deconfigured => "deconfigured".to_owned(),
        DownReason::LocalTlv(_) => "local_tlv".to_owned(),
        DownReason::Unknown(n) => format!("unknown_{n}"),
    }
}

fn notification_of(reason: &DownReason) -> Option<Value> {
    match reason {
        DownReason::LocalNotification(Notification { code, subcode, data })
        | DownReason::RemoteNotification(Notification { code, subcode, data }) => {
            Some(json!({"code": code, "subcode": subcode, "data": hex(data)}))
        }
        _ => None,
    }
}

fn peer_up(m: &PeerUp) -> Value {
    let told = m.peer.kind != PeerKind::LocRib;
    let port = |p: u16| Some(p).filter(|p| told || *p != 0);
    let address = Some(m.local_address).filter(|a| told || !a.is_unspecified()).map(|a| a.to_string());
    json!({
        "type": "peer_up", "local_address": address, "local_port": port(m.local_port), "remote_port": port(m.remote_port),
        "sent_open": m.sent_open.as_ref().map(open), "received_open": m.received_open.as_ref().map(open), "tlvs": tlvs(&m.tlvs), "repairs": repairs(&m.repairs),
    })
}

fn open(o: &Open) -> Value {
    let capabilities: Vec<Value> = o.capabilities.iter().map(capability).collect();
    json!({"version": o.version, "asn": o.asn.0, "hold_time": o.hold_time_s, "bgp_id": o.bgp_id.to_string(), "capabilities": capabilities})
}

fn capability(c: &Capability) -> Value {
    match c {
        Capability::MultiProtocol(family) => json!({"code": 1, "name": "multi_protocol", "afi_safi": family.to_string()}),
        Capability::RouteRefresh => json!({"code": 2, "name": "route_refresh"}),
        Capability::FourOctetAs(asn) => json!({"code": 65, "name": "four_octet_as", "asn": asn.0}),
        Capability::AddPath(offers) => {
            let offers: Vec<Value> =
                offers.iter().map(|o| json!({"afi_safi": o.family.to_string(), "receive": o.receive, "send": o.send})).collect();
            json!({"code": 69, "name": "add_path", "families": offers})
        }
        Capability::Other(code, value) => json!({"code": code, "name": "other", "value": hex(value)}),
    }
}

fn tlvs(list: &[Tlv]) -> Value {
    list.iter().map(|t| json!({"type": t.name, "value": t.value})).collect()
}

fn repairs(list: &[Repair]) -> Value {
    list.iter().map(ToString::to_string).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Spells nanoseconds since the Unix epoch as RFC 3339 in UTC.
#[must_use]
pub fn rfc3339(nanos: i64) -> String {
    units::Timestamp::from_nanos(nanos).to_string()
}
