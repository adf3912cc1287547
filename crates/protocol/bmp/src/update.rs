//! One UPDATE inside Route Monitoring (RFC 4271 §4.3, RFC 4760).

use crate::attribute::{Attributes, Manner, code, name};
use crate::codec::Codec;
use crate::error::{Action, DecodeError};
use crate::evpn;
use crate::family::AfiSafi;
use crate::message::{Evpn, Labelled, MonitoredExtra, Nlri, RouteMonitoring};
use crate::nlri::{self, Layout, Reading, Writing};
use crate::open::{Capability, bgp_message};
use crate::peer::{Peer, View};
use crate::reader::Reader;
use crate::repair::Repair;
use crate::tlv::{RouteTlv, RouteTlvValue};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What NLRI of a family showed that can be read in one way only: with path identifiers, or without.
pub(crate) type Shown = Vec<(AfiSafi, bool)>;

/// Reads the UPDATE of `peer`; `tlvs` stood beside it.
pub(crate) fn read(
    r: &mut Reader<'_>,
    peer: Peer,
    codec: &Codec,
    tlvs: &[RouteTlv],
    shown: &mut Shown,
) -> Result<RouteMonitoring, DecodeError> {
    let mut body = bgp_message(r, 2, "UPDATE")?;
    let length = usize::from(body.u16("the length of the withdrawn routes").map_err(reset)?);
    let withdrawn = body.sub(length, "the withdrawn routes").map_err(reset)?;
    let manner = Manner { width: peer.as_width, external: codec.is_external(&peer), repairs: codec.repairs() };
    let mut out = empty(peer);
    let mut fields = Fields { codec, tlvs, shown, broken: None };
    fields.collect(&mut out, Ok(Some((AfiSafi::IPV4_UNICAST, None, withdrawn))), false);
    let length = body.u16("the length of the attributes");
    let attributes = match length.and_then(|length| body.sub(usize::from(length), "the attributes")) {
        Ok(attributes) => attributes,
        // where the attributes end is not known, what was withdrawn before them is
        Err(error) => return Err(salvaged(out, error.offset, Action::SessionReset, error.what)),
    };
    let plain = body;

    let mut found = Attributes::read(attributes, manner);
    fields.collect(&mut out, found.unreach.map(unreach).transpose(), false);
    fields.collect(&mut out, Ok(Some((AfiSafi::IPV4_UNICAST, found.path.next_hop, plain))), true);
    let reach = found.reach.map(reach).transpose();
    let announced = !plain.is_empty() || reach.as_ref().is_ok_and(|routes| routes.as_ref().is_some_and(|(.., nlri)| !nlri.is_empty()));
    fields.collect(&mut out, reach, true);
    if let Some(error) = fields.broken {
        // an attribute that was cut off is why its last prefix is
        let cut = found.costly().filter(|f| f.action == Action::SessionReset && f.offset < error.offset);
        let (offset, what) = cut.map_or((error.offset, error.what), |f| (f.offset, f.error.clone()));
        return Err(salvaged(out, offset, Action::SessionReset, what));
    }
    mandatory(&mut found, &mut out, !plain.is_empty(), attributes.offset(), codec);
    out.end_of_rib = end_of_rib(&out, attributes.is_empty(), &found);
    if let Some(fault) = found.costly() {
        // attributes of routes that are nowhere: theirs may be what was read wrongly, and nothing would be withdrawn (RFC 7606 §5.2)
        let lost = !announced && found.seen.without(code::MP_UNREACH).len() > 0;
        let action = if lost { Action::SessionReset } else { fault.action };
        return Err(salvaged(out, fault.offset, action, fault.error.clone()));
    }
    out.repairs.append(&mut found.repairs);
    take_own_as_off(&mut found, &mut out, codec);
    out.faults = found.faults;
    out.extra = found.extra;
    let announces = !out.announce.is_empty() || found.reach.is_some();
    if announces {
        found.path.next_hop = out.announce.first().and_then(|n| n.next_hop).or(found.path.next_hop);
        out.attributes = Some(found.path);
    }
    Ok(out)
}

const fn empty(peer: Peer) -> RouteMonitoring {
    RouteMonitoring {
        peer,
        announce: Vec::new(),
        withdraw: Vec::new(),
        labelled: Labelled { announce: Vec::new(), withdraw: Vec::new() },
        evpn: Evpn { announce: Vec::new(), withdraw: Vec::new() },
        attributes: None,
        extra: MonitoredExtra { ext_communities: Vec::new(), otc: None, aigp: None, unknown: Vec::new() },
        end_of_rib: None,
        unread: Vec::new(),
        repairs: Vec::new(),
        faults: Vec::new(),
        tlvs: Vec::new(),
    }
}

/// An UPDATE whose parts cannot be told apart resets a BGP session (RFC 7606 §3 b, §5.3).
fn reset(error: DecodeError) -> DecodeError {
    error.with_action(Action::SessionReset)
}

type Routes<'a> = (AfiSafi, Option<IpAddr>, Reader<'a>);

/// The fields with NLRI, one after the other. A fault in one does not keep the others from being read.
struct Fields<'c> {
    codec: &'c Codec,
    tlvs: &'c [RouteTlv],
    shown: &'c mut Shown,
    broken: Option<DecodeError>,
}

impl Fields<'_> {
    fn collect(&mut self, out: &mut RouteMonitoring, routes: Result<Option<Routes<'_>>, DecodeError>, announced: bool) {
        let read = routes.and_then(|routes| routes.map_or(Ok(()), |routes| self.read(out, routes, announced)));
        if let Err(error) = read {
            // the first is the one that is told
            self.broken.get_or_insert(reset(error));
        }
    }

    fn read(&mut self, out: &mut RouteMonitoring, (afi_safi, next_hop, reader): Routes<'_>, announced: bool) -> Result<(), DecodeError> {
        let writing = self.writing(out, afi_safi);
        let reading = if let Some(family) = afi_safi.family() {
            let list = if announced { &mut out.announce } else { &mut out.withdraw };
            nlri::read(reader, family, writing, next_hop, list)?
        } else if afi_safi == AfiSafi::EVPN {
            let list = if announced { &mut out.evpn.announce } else { &mut out.evpn.withdraw };
            evpn::read(reader, matches!(writing, Writing::AddPath | Writing::Agreed), next_hop, list)?;
            Reading::AsSaid
        } else if let Some(layout) = Layout::of(afi_safi) {
            let list = if announced { &mut out.labelled.announce } else { &mut out.labelled.withdraw };
            nlri::read_labelled(reader, afi_safi, layout, writing, next_hop, list)?
        } else {
            if !out.unread.contains(&afi_safi) {
                out.unread.push(afi_safi);
            }
            Reading::AsSaid
        };
        if let Reading::Numbered | Reading::LeftOut(true) = reading {
            self.shown.push((afi_safi, reading == Reading::Numbered));
        }
        let repair = match reading {
            Reading::Guessed => Some(guess(out, self.codec)),
            Reading::LeftOut(_) => Some(Repair::AddPathMissing),
            Reading::AsSaid | Reading::Numbered => None,
        };
        if let Some(repair) = repair.filter(|r| !out.repairs.contains(r)) {
            out.repairs.push(repair);
        }
        Ok(())
    }

    /// What the session agreed on, or what the message itself says (version 4).
    fn writing(&self, out: &RouteMonitoring, afi_safi: AfiSafi) -> Writing {
        let said = |t: &RouteTlv| match &t.value {
            RouteTlvValue::StatelessParsing(Capability::AddPath(offers)) => offers.iter().any(|o| o.family == afi_safi && o.send),
            _ => false,
        };
        if self.tlvs.iter().any(said) {
            return Writing::AddPath;
        }
        match self.codec.writing(&out.peer, afi_safi) {
            Writing::Unknown if !self.codec.repairs().makes(guess(out, self.codec)) => Writing::Plain,
            other => other,
        }
    }
}

/// The name of a guess at path identifiers.
fn guess(out: &RouteMonitoring, codec: &Codec) -> Repair {
    if out.peer.view == View::LocRib && codec.is_up(&out.peer) { Repair::LocRibAddPath } else { Repair::AddPathGuessed }
}

/// MP_UNREACH_NLRI (RFC 4760 §4).
fn unreach(mut value: Reader<'_>) -> Result<Routes<'_>, DecodeError> {
    Ok((afi_safi(&mut value)?, None, value))
}

/// MP_REACH_NLRI (RFC 4760 §3); of two IPv6 next hops the first is the global one (RFC 2545 §3).
fn reach(mut value: Reader<'_>) -> Result<Routes<'_>, DecodeError> {
    let afi_safi = afi_safi(&mut value)?;
    let at = value.offset();
    let length = usize::from(value.u8("the next hop length").map_err(reset)?);
    let next_hop = match *value.take(length, "the next hop").map_err(reset)? {
        [a, b, c, d] => Some(IpAddr::V4(Ipv4Addr::new(a, b, c, d))),
        ref bytes if matches!(bytes.len(), 16 | 32) => bytes.first_chunk::<16>().map(|six| IpAddr::V6(Ipv6Addr::from(*six))),
        // VPN next hops stand behind a distinguisher (RFC 4364 §4.3.2, RFC 4659 §3.2.1)
        [_, _, _, _, _, _, _, _, a, b, c, d] => Some(IpAddr::V4(Ipv4Addr::new(a, b, c, d))),
        ref bytes if matches!(bytes.len(), 24 | 48) => {
            bytes.get(8..).and_then(|b| b.first_chunk::<16>()).map(|six| IpAddr::V6(Ipv6Addr::from(*six)))
        }
        // other families have next hops of their own kind
        _ if afi_safi.family().is_none() => None,
        _ => {
            let what = format!("the next hop in MP_REACH_NLRI is {length} bytes long (RFC 7606 §7.11)");
            return Err(DecodeError::new(at, Action::SessionReset, what));
        }
    };
    value.u8("the reserved byte of MP_REACH_NLRI").map_err(reset)?;
    Ok((afi_safi, next_hop, value))
}

fn afi_safi(value: &mut Reader<'_>) -> Result<AfiSafi, DecodeError> {
    let afi = value.u16("the AFI").map_err(reset)?;
    Ok(AfiSafi { afi, safi: value.u8("the SAFI").map_err(reset)? })
}

/// Notes a missing well-known attribute (RFC 7606 §3 d). Only before policy is the UPDATE the peer's own; in the other views the router
/// made it, and some (seen with unnumbered and leaked routes) leave the next hop out although the route stands.
fn mandatory(found: &mut Attributes<'_>, out: &mut RouteMonitoring, plain: bool, offset: usize, codec: &Codec) {
    if !plain && found.reach.is_none() {
        return;
    }
    for (kind, wanted) in [(code::ORIGIN, true), (code::AS_PATH, true), (code::NEXT_HOP, plain)] {
        if !wanted || found.seen.contains(kind) {
            continue;
        }
        if kind == code::NEXT_HOP && out.peer.view != View::AdjRibInPre && codec.repairs().makes(Repair::NextHopMissing) {
            out.repairs.push(Repair::NextHopMissing);
        } else {
            found.fault_at(offset, Action::TreatAsWithdraw, format!("{} is missing (RFC 7606 §3 d)", name(kind)));
        }
    }
}

/// An UPDATE that withdraws and announces nothing (RFC 4724 §2).
fn end_of_rib(out: &RouteMonitoring, no_attributes: bool, found: &Attributes<'_>) -> Option<AfiSafi> {
    if !out.announce.is_empty() || !out.withdraw.is_empty() || !out.labelled.is_empty() || !out.evpn.is_empty() {
        return None;
    }
    if no_attributes {
        return Some(AfiSafi::IPV4_UNICAST);
    }
    let mut value = found.unreach.filter(|_| found.seen.len() == 1)?;
    let family = afi_safi(&mut value).ok()?;
    value.is_empty().then_some(family)
}

/// What can be kept of a bad UPDATE: what it withdraws, and what it announces as withdrawn.
fn salvaged(mut out: RouteMonitoring, offset: usize, action: Action, what: String) -> DecodeError {
    let lost = out.announce.drain(..).map(|n| Nlri { next_hop: None, ..n });
    out.withdraw.extend(lost);
    out.labelled.withdraw.append(&mut out.labelled.announce);
    out.evpn.withdraw.append(&mut out.evpn.announce);
    out.end_of_rib = None;
    DecodeError { offset, action, what, salvage: Some(Box::new(out)) }
}

/// Takes the router's own AS off the front of an eBGP peer's path.
fn take_own_as_off(found: &mut Attributes<'_>, out: &mut RouteMonitoring, codec: &Codec) {
    let front = found.path.as_path.front();
    let Some([own, second]) = front else { return };
    let announces = !(out.announce.is_empty() && out.labelled.announce.is_empty() && out.evpn.announce.is_empty());
    if second != out.peer.asn || !announces || !codec.context(&out.peer).own_as_in_front(&out.peer, front) {
        return;
    }
    if let Some(path) = found.path.as_path.without_first(own) {
        found.path.as_path = path;
        out.repairs.push(Repair::FrrOwnAsInFront);
    }
}
