//! One message: common header, per-peer header, body (RFC 7854 §4).

use crate::codec::Codec;
use crate::error::{Action, DecodeError};
use crate::message::{Message, RouteMonitoring};
use crate::peer::Peer;
use crate::reader::Reader;
use crate::repair::Repair;
use crate::update::Shown;
use crate::{report, tlv, update};

/// Decodes one whole message (a [`crate::Frame`]'s bytes) and lets `codec` learn from it.
///
/// # Errors
/// [`DecodeError`] with offset and cost. It costs this message only; the routes that a bad UPDATE withdraws are in `salvage`.
pub fn decode(bytes: &[u8], codec: &mut Codec) -> Result<Message, DecodeError> {
    let mut r = Reader::new(bytes);
    let version = r.u8("the version")?;
    let length = r.u32("the length")?;
    if usize::try_from(length).ok() != Some(bytes.len()) {
        let what = format!("the message says it is {length} bytes long and is {}", bytes.len());
        return Err(DecodeError::new(1, Action::MessageDiscard, what));
    }
    match r.u8("the type")? {
        4 => report::initiation(&mut r).map(Message::Initiation),
        5 => report::termination(&mut r).map(Message::Termination),
        kind if kind > 6 => Err(DecodeError::new(5, Action::MessageDiscard, format!("message type {kind} is unknown (RFC 7854 §4.1)"))),
        kind => {
            let peer = Peer::read(&mut r)?;
            match kind {
                0 => route_monitoring(&mut r, version, peer, codec).map(|m| Message::RouteMonitoring(Box::new(m))),
                1 => report::statistics(&mut r, peer).map(Message::Statistics),
                2 => report::peer_down(&mut r, peer, codec).map(Message::PeerDown),
                3 => report::peer_up(&mut r, peer, codec).map(|m| Message::PeerUp(Box::new(m))),
                _ => report::mirroring(&mut r, peer).map(Message::RouteMirroring),
            }
        }
    }
}

fn route_monitoring(r: &mut Reader<'_>, version: u8, peer: Peer, codec: &mut Codec) -> Result<RouteMonitoring, DecodeError> {
    let mut repairs: Vec<Repair> = peer.repair.into_iter().collect();
    if !codec.is_up(&peer) {
        repairs.push(Repair::RoutesWithoutPeerUp);
    }
    let mut shown = Vec::new();
    let read = if version == 4 { v4_update(r, peer, codec, &mut shown) } else { update::read(r, peer, codec, &[], &mut shown) };
    let mut found = read?;
    for (family, numbered) in shown {
        codec.shown(&found.peer, family, numbered);
    }
    found.repairs.splice(0..0, repairs);
    Ok(found)
}

fn v4_update(r: &mut Reader<'_>, peer: Peer, codec: &Codec, shown: &mut Shown) -> Result<RouteMonitoring, DecodeError> {
    let at = r.offset();
    let (tlvs, update) = tlv::read(r)?;
    let Some(mut update) = update else {
        return Err(DecodeError::new(
            at,
            Action::MessageDiscard,
            "a version 4 Route Monitoring message without BGP message TLV".to_owned(),
        ));
    };
    let mut found = update::read(&mut update, peer, codec, &tlvs, shown)?;
    found.tlvs = tlvs;
    Ok(found)
}
