//! Bodies of the messages that carry no routes: statistics, peer up and down, initiation, termination, mirroring.

use crate::codec::Codec;
use crate::error::{Action, DecodeError};
use crate::family::AfiSafi;
use crate::message::{
    Counter, DownReason, Initiation, Mirroring, Notification, PeerDown, PeerUp, Statistics, Termination, Tlv, UnreadStatistic,
};
use crate::open::{BGP_HEADER, Open, bgp_message};
use crate::peer::{self, Peer};
use crate::reader::Reader;
use crate::repair::Repair;

/// Counters read from one Statistics Report: ten times the registry; more is a lie of the count field.
const MAX_COUNTERS: usize = 1024;

pub(crate) fn peer_up(r: &mut Reader<'_>, peer: Peer, codec: &mut Codec) -> Result<PeerUp, DecodeError> {
    let (local_address, _) = peer::address(peer.address.is_ipv6(), r.array("the local address")?);
    let local_port = r.u16("the local port")?;
    let remote_port = r.u16("the remote port")?;
    let mut repairs: Vec<Repair> = peer.repair.into_iter().collect();
    let kept = |r: &mut Reader<'_>| {
        let bare = codec.repairs().makes(Repair::OpenMissing) && Open::is_missing(r);
        if bare { r.sub(BGP_HEADER, "the BGP header").map(|_| None) } else { Open::read(r).map(Some) }
    };
    let (sent_open, received_open) = (kept(r)?, kept(r)?);
    if sent_open.is_none() || received_open.is_none() {
        repairs.push(Repair::OpenMissing);
    }
    let tlvs = texts(r, initiation_name)?;
    let up = PeerUp { peer, local_address, local_port, remote_port, sent_open, received_open, tlvs, repairs };
    codec.peer_up(&up);
    Ok(up)
}

pub(crate) fn peer_down(r: &mut Reader<'_>, peer: Peer, codec: &mut Codec) -> Result<PeerDown, DecodeError> {
    let reason = match r.u8("the reason")? {
        1 => DownReason::LocalNotification(notification(r)?),
        2 => DownReason::LocalFsmEvent(r.u16("the FSM event")?),
        3 => DownReason::RemoteNotification(notification(r)?),
        4 => DownReason::RemoteNoNotification,
        5 => DownReason::Deconfigured,
        6 => DownReason::LocalTlv(texts(r, initiation_name)?),
        other => DownReason::Unknown(other),
    };
    let repairs = peer.repair.into_iter().chain(codec.peer_down(&peer)).collect();
    Ok(PeerDown { peer, reason, repairs })
}

fn notification(r: &mut Reader<'_>) -> Result<Notification, DecodeError> {
    let mut body = bgp_message(r, 3, "NOTIFICATION")?;
    let code = body.u8("the error code")?;
    let subcode = body.u8("the error subcode")?;
    Ok(Notification { code, subcode, data: body.rest().to_vec() })
}

pub(crate) fn statistics(r: &mut Reader<'_>, peer: Peer) -> Result<Statistics, DecodeError> {
    let count = r.u32("the number of statistics")?;
    let mut repairs: Vec<Repair> = peer.repair.into_iter().collect();
    let (mut counters, mut unread) = (Vec::new(), Vec::new());
    while !r.is_empty() && counters.len() + unread.len() < MAX_COUNTERS {
        let (kind, mut value) = r.tlv("a statistic")?;
        let name = statistic_name(kind);
        if name == UNKNOWN {
            repairs.push(Repair::UnknownStatistic(kind));
        }
        match counter(kind, name, &mut value)? {
            Some(counter) => counters.push(counter),
            None => {
                repairs.push(Repair::StatisticLength(kind));
                unread.push(UnreadStatistic { kind, name: name.to_owned(), raw: value.rest().to_vec() });
            }
        }
    }
    if counters.is_empty() && unread.is_empty() && count > 0 {
        let what = format!("{count} statistics are announced, none is there (RFC 7854 §4.8)");
        return Err(DecodeError::new(r.offset(), Action::MessageDiscard, what));
    }
    Ok(Statistics { peer, counters, unread, repairs })
}

/// A counter (4 bytes), a gauge (8), or a gauge per family (3 + 8); `None` for other lengths.
fn counter(kind: u16, name: &str, value: &mut Reader<'_>) -> Result<Option<Counter>, DecodeError> {
    let named = |family, value| Some(Counter { kind, name: name.to_owned(), family, value });
    Ok(match value.left() {
        4 => named(None, u64::from(value.u32("a counter")?)),
        8 => named(None, value.u64("a gauge")?),
        11 => {
            let family = AfiSafi { afi: value.u16("the AFI")?, safi: value.u8("the SAFI")? };
            named(Some(family), value.u64("a gauge")?)
        }
        _ => None,
    })
}

const UNKNOWN: &str = "unknown";

/// Names of the statistics (RFC 7854 §4.8, RFC 8671 §6.2, IANA "BMP Statistics Types"; from 18 on draft-ietf-grow-bmp-bgp-rib-stats).
const fn statistic_name(kind: u16) -> &'static str {
    match kind {
        0 => "rejected_by_policy",
        1 => "duplicate_prefix_advertisements",
        2 => "duplicate_withdraws",
        3 => "cluster_list_loop",
        4 => "as_path_loop",
        5 => "originator_id_loop",
        6 => "as_confed_loop",
        7 => "adj_rib_in_routes",
        8 => "loc_rib_routes",
        9 => "adj_rib_in_routes_per_family",
        10 => "loc_rib_routes_per_family",
        11 => "updates_treated_as_withdraw",
        12 => "prefixes_treated_as_withdraw",
        13 => "duplicate_updates",
        14 => "adj_rib_out_pre_policy_routes",
        15 => "adj_rib_out_post_policy_routes",
        16 => "adj_rib_out_pre_policy_routes_per_family",
        17 => "adj_rib_out_post_policy_routes_per_family",
        18 => "adj_rib_in_pre_policy_routes",
        19 => "adj_rib_in_pre_policy_routes_per_family",
        20 => "adj_rib_in_post_policy_routes",
        21 => "adj_rib_in_post_policy_routes_per_family",
        22 => "rejected_by_inbound_policy_per_family",
        23 => "accepted_by_inbound_policy_per_family",
        26 => "suppressed_by_damping_per_family",
        27 => "stale_by_graceful_restart_per_family",
        28 => "stale_by_long_lived_graceful_restart_per_family",
        29 => "left_before_prefix_threshold",
        30 => "left_before_prefix_threshold_per_family",
        31 => "left_before_license_threshold",
        32 => "left_before_license_threshold_per_family",
        33 => "rejected_by_as_path_length",
        34 => "rejected_by_as_path_length_per_family",
        35 => "rpki_invalid_in_adj_rib_in_per_family",
        36 => "rpki_valid_in_adj_rib_in_per_family",
        37 => "rpki_not_found_in_adj_rib_in_per_family",
        38 => "rejected_by_outbound_policy_per_family",
        39 => "filtered_out_by_as_path_length",
        40 => "filtered_out_by_as_path_length_per_family",
        41 => "rpki_invalid_in_adj_rib_out_per_family",
        42 => "rpki_valid_in_adj_rib_out_per_family",
        43 => "rpki_not_found_in_adj_rib_out_per_family",
        _ => UNKNOWN,
    }
}

pub(crate) fn initiation(r: &mut Reader<'_>) -> Result<Initiation, DecodeError> {
    Ok(Initiation { tlvs: texts(r, initiation_name)? })
}

pub(crate) fn termination(r: &mut Reader<'_>) -> Result<Termination, DecodeError> {
    let mut tlvs = Vec::new();
    while !r.is_empty() {
        let (kind, value) = r.tlv("an information TLV")?;
        tlvs.push(match (kind, value.rest()) {
            (0, text) => Tlv { name: "string".to_owned(), value: lossy(text) },
            (1, [high, low]) => Tlv { name: "reason".to_owned(), value: termination_reason(u16::from_be_bytes([*high, *low])) },
            (other, text) => Tlv { name: format!("unknown_{other}"), value: lossy(text) },
        });
    }
    Ok(Termination { tlvs })
}

/// Reasons of RFC 7854 §4.5.
fn termination_reason(code: u16) -> String {
    match code {
        0 => "administratively_closed".to_owned(),
        1 => "unspecified".to_owned(),
        2 => "out_of_resources".to_owned(),
        3 => "redundant_connection".to_owned(),
        4 => "permanently_administratively_closed".to_owned(),
        other => format!("unknown_{other}"),
    }
}

pub(crate) fn mirroring(r: &mut Reader<'_>, peer: Peer) -> Result<Mirroring, DecodeError> {
    let mut tlvs = Vec::new();
    while !r.is_empty() {
        let (kind, value) = r.tlv("a mirroring TLV")?;
        tlvs.push((kind, value.rest().to_vec()));
    }
    Ok(Mirroring { peer, tlvs })
}

/// Names of Initiation and Peer Up TLVs (RFC 7854 §4.4, RFC 9069 §4.4).
fn initiation_name(kind: u16) -> String {
    match kind {
        0 => "string".to_owned(),
        1 => "sys_descr".to_owned(),
        2 => "sys_name".to_owned(),
        3 => "vrf_table_name".to_owned(),
        4 => "admin_label".to_owned(),
        other => format!("unknown_{other}"),
    }
}

fn texts(r: &mut Reader<'_>, name: impl Fn(u16) -> String) -> Result<Vec<Tlv>, DecodeError> {
    let mut out = Vec::new();
    while !r.is_empty() {
        let (kind, value) = r.tlv("an information TLV")?;
        out.push(Tlv { name: name(kind), value: lossy(value.rest()) });
    }
    Ok(out)
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
