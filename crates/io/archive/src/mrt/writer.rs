//! BMP messages of one router as MRT (RFC 6396 §4.4, RFC 8050): what its peers sent it, for programs that read collectors' files.
//!
//! ```text
//! seconds (4) | 17 | subtype (2) | length (4) | microseconds (4) | peer AS | local AS | interface (2) | family (2) | peer | local | BGP message
//! ```
//! The BGP messages are the router's own bytes, faults of senders included. MRT knows neither views nor instances nor statistics: one view
//! of the global instance is written, the rest is counted.

use bmp::{Codec, Distinguisher, DownReason, Message, Peer, PeerKind, View};
use core::net::IpAddr;
use std::collections::BTreeMap;

/// BGP4MP_ET (RFC 6396 §3): the kinds of BGP4MP with microseconds.
const BGP4MP_ET: u16 = 17;
/// States of RFC 4271 §8.2.2 by RFC 6396 §4.4.1.
const IDLE: u16 = 1;
const OPEN_CONFIRM: u16 = 5;
const ESTABLISHED: u16 = 6;
/// What a record of a session with AS numbers of two octets names where one does not fit (RFC 6793 §9).
const AS_TRANS: u16 = 23456;
/// Common and per-peer header of BMP, and the header of BGP.
const HEADERS: usize = 6 + 42;
const BGP_HEADER: usize = 19;
/// Addresses and ports before the OPENs of a Peer Up.
const PEER_UP_FIXED: usize = 16 + 2 + 2;
/// Type of the TLV that holds the UPDATE in a message of version 4 (draft-ietf-grow-bmp-tlv §4.2.1).
const V4_UPDATE: u16 = 4;

/// The router's end of a session.
#[derive(Clone, Copy)]
struct Own {
    asn: u32,
    address: IpAddr,
    up: bool,
}

/// Turns the BMP messages of one router into MRT records.
pub struct Writer {
    view: View,
    codec: Codec,
    own: BTreeMap<(Distinguisher, IpAddr), Own>,
    left_out: BTreeMap<&'static str, u64>,
    records: u64,
}

/// What a record is about.
struct Subject<'a> {
    peer: &'a Peer,
    own: Own,
    /// Nanoseconds since the Unix epoch.
    time: i64,
    /// The router is who speaks.
    local: bool,
}

impl Writer {
    /// Makes the writer of one view.
    #[must_use]
    pub fn new(view: View) -> Self {
        Self { view, codec: Codec::default(), own: BTreeMap::new(), left_out: BTreeMap::new(), records: 0 }
    }

    /// The BMP session ended: the next one tells its peers anew.
    pub fn session_ended(&mut self) {
        self.codec = Codec::default();
    }

    /// Returns how many records were made.
    #[must_use]
    pub const fn records(&self) -> u64 {
        self.records
    }

    /// Returns what has no place in the file, with how many messages of it there were.
    #[must_use]
    pub const fn left_out(&self) -> &BTreeMap<&'static str, u64> {
        &self.left_out
    }

    /// Returns the records of one whole BMP message, one after the other; `received` (nanoseconds since the Unix epoch) counts where the
    /// router wrote no time. Empty where the message has none.
    #[must_use]
    pub fn records_of(&mut self, bytes: &[u8], received: i64) -> Vec<u8> {
        let made = match bmp::decode(bytes, &mut self.codec) {
            Ok(message) => self.made(&message, bytes, received),
            Err(_) => Err("cannot be read"),
        };
        made.unwrap_or_else(|why| {
            *self.left_out.entry(why).or_default() += 1;
            Vec::new()
        })
    }

    fn made(&mut self, message: &Message, bytes: &[u8], received: i64) -> Result<Vec<u8>, &'static str> {
        let peer = match message {
            Message::Initiation(_) | Message::Termination(_) => return Err("are about the BMP session"),
            Message::Statistics(_) => return Err("are statistics"),
            Message::RouteMirroring(_) => return Err("are mirrored copies"),
            Message::RouteMonitoring(m) => &m.peer,
            Message::PeerUp(m) => &m.peer,
            Message::PeerDown(m) => &m.peer,
        };
        if peer.distinguisher != Distinguisher::GLOBAL {
            return Err("are of another instance than the global one");
        }
        // Peer Up and Peer Down are of the session, whichever of its views their flags name
        let session = (self.view == View::LocRib) == (peer.kind == PeerKind::LocRib);
        let routes = matches!(message, Message::RouteMonitoring(_));
        if !(if routes { peer.view == self.view } else { session }) {
            return Err("are of another view");
        }
        let key = (peer.distinguisher, peer.address);
        let unspecified = if peer.address.is_ipv6() { IpAddr::V6([0; 16].into()) } else { IpAddr::V4([0; 4].into()) };
        let known = self.own.get(&key).copied().unwrap_or(Own { asn: 0, address: unspecified, up: false });
        let subject = |own, local| Subject { peer, own, time: peer.time.unwrap_or(received), local };
        let mut out = Vec::new();
        match message {
            Message::RouteMonitoring(m) => {
                let numbered = m.announce.iter().chain(&m.withdraw).any(|n| n.path_id.is_some());
                let local = !peer.view.is_adj_rib_in() && peer.view != View::LocRib;
                let update = update_in(bytes).ok_or("hold no BGP message")?;
                self.put(&mut out, &subject(known, local), numbered, update);
            }
            Message::PeerUp(m) => {
                let own = Own { asn: m.sent_open.as_ref().map_or(0, |open| open.asn.0), address: m.local_address, up: true };
                self.own.insert(key, own);
                if known.up {
                    return Err("repeat a Peer Up");
                }
                let opens = bytes.get(HEADERS + PEER_UP_FIXED..).and_then(bgp_message);
                if let Some((sent, rest)) = opens {
                    // where the router did not keep an OPEN there is none to write
                    if m.sent_open.is_some() {
                        self.put(&mut out, &subject(own, true), false, sent);
                    }
                    if let Some((received, _)) = bgp_message(rest).filter(|_| m.received_open.is_some()) {
                        self.put(&mut out, &subject(own, false), false, received);
                    }
                }
                self.state(&mut out, &subject(own, false), OPEN_CONFIRM, ESTABLISHED);
            }
            Message::PeerDown(m) => {
                if let Some(own) = self.own.get_mut(&key) {
                    own.up = false;
                }
                let told = bytes.get(HEADERS + 1..).and_then(bgp_message);
                if let (DownReason::LocalNotification(_) | DownReason::RemoteNotification(_), Some((notification, _))) = (&m.reason, told) {
                    let local = matches!(m.reason, DownReason::LocalNotification(_));
                    self.put(&mut out, &subject(known, local), false, notification);
                }
                self.state(&mut out, &subject(known, false), ESTABLISHED, IDLE);
            }
            _ => {}
        }
        Ok(out)
    }

    /// Writes a BGP message as BGP4MP_MESSAGE, or one of its seven relatives.
    fn put(&mut self, out: &mut Vec<u8>, of: &Subject<'_>, numbered: bool, message: &[u8]) {
        let wide = of.peer.as_width != 2;
        let subtype = match (numbered, of.local, wide) {
            (false, false, false) => 1,
            (false, false, true) => 4,
            (false, true, false) => 6,
            (false, true, true) => 7,
            (true, false, false) => 8,
            (true, false, true) => 9,
            (true, true, false) => 10,
            (true, true, true) => 11,
        };
        self.record(out, of, subtype, wide, message);
    }

    /// Writes a BGP4MP_STATE_CHANGE_AS4.
    fn state(&mut self, out: &mut Vec<u8>, of: &Subject<'_>, old: u16, new: u16) {
        self.record(out, of, 5, true, &[old.to_be_bytes(), new.to_be_bytes()].concat());
    }

    fn record(&mut self, out: &mut Vec<u8>, of: &Subject<'_>, subtype: u16, wide: bool, end: &[u8]) {
        let micros = of.time.max(0) / 1000;
        let mut body = ((micros % 1_000_000) as u32).to_be_bytes().to_vec();
        for asn in [of.peer.asn.0, of.own.asn] {
            if wide {
                body.extend(asn.to_be_bytes());
            } else {
                body.extend(u16::try_from(asn).unwrap_or(AS_TRANS).to_be_bytes());
            }
        }
        // interface: not known
        body.extend([0, 0]);
        match (of.peer.address, of.own.address) {
            (IpAddr::V4(peer), own) => {
                let own = if let IpAddr::V4(own) = own { own.octets() } else { [0; 4] };
                body.extend([&[0, 1][..], &peer.octets(), &own].concat());
            }
            (IpAddr::V6(peer), own) => {
                let own = if let IpAddr::V6(own) = own { own.octets() } else { [0; 16] };
                body.extend([&[0, 2][..], &peer.octets(), &own].concat());
            }
        }
        body.extend(end);
        out.extend(u32::try_from(micros / 1_000_000).unwrap_or(u32::MAX).to_be_bytes());
        out.extend([BGP4MP_ET.to_be_bytes(), subtype.to_be_bytes()].concat());
        // a BMP message is below 2^32 bytes
        out.extend((body.len() as u32).to_be_bytes());
        out.extend(body);
        self.records += 1;
    }
}

/// Takes one BGP message (RFC 4271 §4.1) off the front.
fn bgp_message(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = usize::from(u16::from_be_bytes(*bytes.get(16..)?.first_chunk()?));
    (length >= BGP_HEADER).then(|| bytes.split_at_checked(length)).flatten()
}

/// Finds the UPDATE in a Route Monitoring message of either version.
fn update_in(bytes: &[u8]) -> Option<&[u8]> {
    let mut rest = bytes.get(HEADERS..)?;
    if bytes.first() != Some(&4) {
        return bgp_message(rest).map(|(update, _)| update);
    }
    loop {
        let ([k0, k1, l0, l1, _, _], value) = rest.split_first_chunk::<6>()?;
        let (value, behind) = value.split_at_checked(usize::from(u16::from_be_bytes([*l0, *l1])))?;
        if u16::from_be_bytes([*k0, *k1]) == V4_UPDATE {
            return bgp_message(value).map(|(update, _)| update);
        }
        rest = behind;
    }
}
