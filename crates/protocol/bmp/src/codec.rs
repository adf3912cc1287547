//! What a BMP session has taught so far: who is up, and how each peer's NLRI and AS numbers are written.

use crate::distinguisher::Distinguisher;
use crate::family::AfiSafi;
use crate::message::PeerUp;
use crate::nlri::Writing;
use crate::open::Open;
use crate::peer::{Peer, PeerKind, View};
use crate::repair::{Repair, Switched};
use bgp::{Asn, Family};
use core::net::{IpAddr, Ipv4Addr};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Peers remembered in one session: more than any router has; a sender that invents more is decoded without their capabilities.
const MAX_PEERS: usize = 16_384;

/// State of one BMP session, needed to decode its next message. A new session starts with a new one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Codec {
    own_asn: Option<Asn>,
    #[serde(with = "pairs")]
    peers: BTreeMap<PeerKey, PeerState>,
    #[serde(default, skip_serializing_if = "Switched::is_all")]
    repairs: Switched,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct PeerKey {
    kind: PeerKind,
    distinguisher: Distinguisher,
    address: IpAddr,
    /// BGP identifier of a Loc-RIB. Its address is always 0, and two instances of a router may have no distinguisher: the identifier alone
    /// tells them apart (RFC 9069 §4.1). A neighbour is known by its address, and FRR 8.4.4 sends 0.0.0.0 with its Peer Down (seen).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    loc_rib: Option<Ipv4Addr>,
}

impl PeerKey {
    fn of(peer: &Peer) -> Self {
        let loc_rib = (peer.view == View::LocRib).then_some(peer.bgp_id);
        Self { kind: peer.kind, distinguisher: peer.distinguisher, address: peer.address, loc_rib }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct PeerState {
    up: bool,
    own_asn: Option<Asn>,
    /// Families whose NLRI carry path identifiers: from the peer, and to it.
    add_path_in: BTreeSet<AfiSafi>,
    add_path_out: BTreeSet<AfiSafi>,
    /// Views in which NLRI were seen that can be read in one way only: with identifiers, or without although they were agreed on.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    numbered: BTreeSet<(View, AfiSafi)>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    left_out: BTreeSet<(View, AfiSafi)>,
}

/// What a session taught about one peer: as much as is needed to read its NLRI without [`crate::decode`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerContext {
    /// A Peer Up was seen and no Peer Down after it.
    pub up: bool,
    /// AS of the router that sends.
    pub own_asn: Option<Asn>,
    /// The view holds what a neighbour of another AS sent, before policy: some attributes are discarded there (RFC 7606 §7.5, §7.9, §7.10).
    pub external: bool,
    /// IPv4 and IPv6 unicast NLRI carry path identifiers.
    add_path: [bool; 2],
    /// An OPEN says so, or that they do not.
    sure: [bool; 2],
    /// Some senders do not do what their OPEN says, and this one was not seen to.
    doubtful: [bool; 2],
}

impl PeerContext {
    /// Says whether NLRI carry path identifiers; where no OPEN was seen they are tried without first.
    #[must_use]
    pub const fn add_path(&self, family: Family) -> bool {
        let [four, six] = self.add_path;
        match family {
            Family::Ipv4Unicast => four,
            Family::Ipv6Unicast => six,
        }
    }

    /// Says whether an OPEN told how NLRI are written. Where none did, only NLRI that make sense may be read without [`crate::decode`].
    #[must_use]
    pub const fn sure(&self, family: Family) -> bool {
        let [four, six] = self.sure;
        match family {
            Family::Ipv4Unicast => four,
            Family::Ipv6Unicast => six,
        }
    }

    /// Says whether NLRI must be read by [`crate::decode`]: path identifiers were agreed on, and whether they are there is not sure.
    #[must_use]
    pub const fn doubtful(&self, family: Family) -> bool {
        let [four, six] = self.doubtful;
        match family {
            Family::Ipv4Unicast => four,
            Family::Ipv6Unicast => six,
        }
    }

    /// Says whether a path that begins with the sequence `front` has the router's own AS in front of what `peer` sent.
    ///
    /// FRR 8.4.4 writes paths of eBGP peers so. Taken literally every such route would be a loop.
    #[must_use]
    pub fn own_as_in_front(&self, peer: &Peer, front: Option<[Asn; 2]>) -> bool {
        let Some(own) = self.own_asn else { return false };
        peer.view.is_adj_rib_in() && own != peer.asn && front == Some([own, peer.asn])
    }
}

impl Codec {
    /// Returns what is known of a peer.
    #[must_use]
    pub fn context(&self, peer: &Peer) -> PeerContext {
        let both = [AfiSafi::IPV4_UNICAST, AfiSafi::IPV6_UNICAST].map(|family| self.writing(peer, family));
        let own_asn = self.own_asn(peer).filter(|_| self.repairs.makes(Repair::FrrOwnAsInFront));
        PeerContext {
            up: self.is_up(peer),
            own_asn,
            external: self.is_external(peer),
            add_path: both.map(|w| matches!(w, Writing::AddPath | Writing::Agreed)),
            sure: both.map(|w| w != Writing::Unknown),
            doubtful: both.map(|w| matches!(w, Writing::Agreed | Writing::LeftOut)),
        }
    }

    /// Makes the state at the start of a session. `own_asn` is the AS of the router that sends, where known before its first Peer Up.
    #[must_use]
    pub fn new(own_asn: Option<Asn>) -> Self {
        Self { own_asn, ..Self::default() }
    }

    /// Makes only some corrections.
    #[must_use]
    pub fn with_repairs(self, repairs: Switched) -> Self {
        Self { repairs, ..self }
    }

    pub(crate) const fn repairs(&self) -> &Switched {
        &self.repairs
    }

    /// Says whether a peer's table holds what an external neighbour sent, before any policy of ours (RFC 7606 §7.5, §7.9, §7.10).
    pub(crate) fn is_external(&self, peer: &Peer) -> bool {
        peer.view == View::AdjRibInPre && self.own_asn(peer).is_some_and(|own| own != peer.asn)
    }

    pub(crate) fn peer_up(&mut self, up: &PeerUp) {
        let key = PeerKey::of(&up.peer);
        if !self.peers.contains_key(&key) && self.peers.len() >= MAX_PEERS {
            return;
        }
        let state = self.peers.entry(key).or_default();
        if !state.up || up.peer.view != View::LocRib {
            *state = PeerState::default();
        }
        state.up = true;
        state.own_asn = up.sent_open.as_ref().map(|open| open.asn);
        // RFC 7911 §4: identifiers are sent only where the sender offered "send" and the receiver "receive".
        let offers = |open: &Option<Open>| open.iter().flat_map(Open::add_path).copied().collect::<Vec<_>>();
        let (sent, received) = (offers(&up.sent_open), offers(&up.received_open));
        for sent in &sent {
            for received in received.iter().filter(|r| r.family == sent.family) {
                if sent.receive && received.send {
                    state.add_path_in.insert(sent.family);
                }
                if sent.send && received.receive {
                    state.add_path_out.insert(sent.family);
                }
            }
        }
    }

    /// Returns the key under which a peer is known. A state saved before identifiers were part of it has a Loc-RIB without.
    fn key(&self, peer: &Peer) -> PeerKey {
        let key = PeerKey::of(peer);
        let before = PeerKey { loc_rib: None, ..key };
        if !self.peers.contains_key(&key) && self.peers.contains_key(&before) { before } else { key }
    }

    fn state(&self, peer: &Peer) -> Option<&PeerState> {
        self.peers.get(&self.key(peer))
    }

    /// Notes a Peer Down and returns what was odd about it.
    pub(crate) fn peer_down(&mut self, peer: &Peer) -> Option<Repair> {
        let key = self.key(peer);
        match self.peers.get_mut(&key) {
            Some(state) if state.up => {
                state.up = false;
                None
            }
            Some(_) => Some(Repair::PeerDownRepeated),
            None => {
                if self.peers.len() < MAX_PEERS {
                    self.peers.insert(key, PeerState::default());
                }
                // not corrected, it is a Peer Down like any other
                Some(Repair::PeerDownBeforePeerUp).filter(|r| self.repairs.makes(*r))
            }
        }
    }

    pub(crate) fn is_up(&self, peer: &Peer) -> bool {
        self.state(peer).is_some_and(|s| s.up)
    }

    pub(crate) fn writing(&self, peer: &Peer, family: AfiSafi) -> Writing {
        let Some(state) = self.state(peer).filter(|s| s.up) else { return Writing::Unknown };
        let agreed = match peer.view {
            View::AdjRibInPre | View::AdjRibInPost => &state.add_path_in,
            // a Loc-RIB peer has the same OPEN twice (RFC 9069 §4.2)
            View::AdjRibOutPre | View::AdjRibOutPost | View::LocRib => &state.add_path_out,
        };
        let seen = (peer.view, family);
        if agreed.contains(&family) {
            match (state.numbered.contains(&seen), state.left_out.contains(&seen)) {
                _ if !self.repairs.makes(Repair::AddPathMissing) => Writing::AddPath,
                (true, _) => Writing::AddPath,
                (false, true) => Writing::LeftOut,
                (false, false) => Writing::Agreed,
            }
        } else if peer.view == View::LocRib {
            // its OPENs are made up by the router, and some forget the capability
            Writing::Unknown
        } else {
            Writing::Plain
        }
    }

    /// Notes what NLRI showed that can be read in one way only.
    pub(crate) fn shown(&mut self, peer: &Peer, family: AfiSafi, numbered: bool) {
        let key = self.key(peer);
        let Some(state) = self.peers.get_mut(&key) else { return };
        let (is, is_not) = if numbered { (&mut state.numbered, &mut state.left_out) } else { (&mut state.left_out, &mut state.numbered) };
        is_not.remove(&(peer.view, family));
        is.insert((peer.view, family));
    }

    pub(crate) fn own_asn(&self, peer: &Peer) -> Option<Asn> {
        self.state(peer).and_then(|s| s.own_asn).or(self.own_asn)
    }
}

mod pairs {
    use super::{BTreeMap, PeerKey, PeerState};
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(map: &BTreeMap<PeerKey, PeerState>, s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(map)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<BTreeMap<PeerKey, PeerState>, D::Error> {
        Ok(Vec::<(PeerKey, PeerState)>::deserialize(d)?.into_iter().collect())
    }
}
