//! Bytes of whole messages into the tables, the short way where the same attributes were seen before.
//!
//! The short way does what [`bmp::decode`] and [`Rib::apply`] do, and gives up before it has changed anything when a message is not plain,
//! its NLRI do not fit, or its attributes are new. Property tests hold both ways against each other.

use crate::attributes;
use crate::blocks::{Known, Manner};
use crate::rib::{Rib, seconds};
use crate::routes::Withdrawal;
use crate::source::Source;
use crate::table::{RouterId, TableId};
use bgp::Family;
use bmp::{BitsOf, DecodeError, Message, Outline, Repair, RouteMonitoring, View};
use units::Timestamp;

/// What a message was.
#[derive(Clone, Debug, PartialEq)]
pub enum Taken {
    /// Routes that came the short way: nothing but announcements with known attributes, and withdrawals.
    Plain {
        /// Whose.
        table: TableId,
        /// Corrections.
        repairs: [Option<Repair>; 2],
    },
    /// Any other, decoded.
    Message(Box<Message>),
    /// Of a router that this RIB does not have.
    Nothing,
}

impl Rib {
    /// Takes one whole message (a [`bmp::Frame`]'s bytes) of a router, received at `now`.
    ///
    /// # Errors
    /// What [`bmp::decode`] says of a bad message. Routes that it costs are withdrawn here (RFC 7606), everything else stands.
    pub fn ingest(&mut self, router: RouterId, bytes: &[u8], now: Timestamp) -> Result<(), DecodeError> {
        self.take(router, bytes, now).map(drop)
    }

    /// The same, and says what it was: for those who also keep sessions and statistics.
    ///
    /// # Errors
    /// As [`Rib::ingest`].
    pub fn take(&mut self, router: RouterId, bytes: &[u8], now: Timestamp) -> Result<Taken, DecodeError> {
        let Some(state) = self.routers.get_mut(router.0 as usize) else { return Ok(Taken::Nothing) };
        state.counts.messages += 1;
        let outline = Outline::of(bytes);
        if let Some(outline) = &outline
            && let Some(plain) = self.shortcut(router, outline, now)
        {
            return Ok(plain);
        }
        let Some(state) = self.routers.get_mut(router.0 as usize) else { return Ok(Taken::Nothing) };
        match bmp::decode(bytes, &mut state.codec) {
            Ok(message) => {
                self.apply(router, &message, now);
                if let (Some(outline), Message::RouteMonitoring(m)) = (&outline, &message) {
                    self.learn(router, outline, m);
                }
                Ok(Taken::Message(Box::new(message)))
            }
            Err(mut error) => {
                state.counts.malformed += 1;
                if let Some(salvage) = error.salvage.take() {
                    let message = Message::RouteMonitoring(salvage);
                    self.apply(router, &message, now);
                    if let Message::RouteMonitoring(salvage) = message {
                        error.salvage = Some(salvage);
                    }
                }
                Err(error)
            }
        }
    }

    /// Takes a plain message whose attributes are known; `None` when it is not, and then nothing was changed.
    fn shortcut(&mut self, router: RouterId, outline: &Outline<'_>, now: Timestamp) -> Option<Taken> {
        let state = self.routers.get_mut(router.0 as usize)?;
        let source = state.sources.get(outline.peer)?;
        let readers = Readers::of(outline, source)?;
        let set = match outline.announced {
            Some(_) => {
                let known = self.blocks.get(manner(outline, source), &outline.attributes)?;
                if source.context.own_as_in_front(&source.peer, known.front) {
                    return None;
                }
                Some(known.set)
            }
            None => None,
        };
        let (number, up, repair) = (source.table, source.context.up, source.peer.repair);
        let repairs = [(!up).then_some(Repair::RoutesWithoutPeerUp), repair];
        for repair in repairs.into_iter().flatten() {
            *state.counts.repairs.entry(repair).or_default() += 1;
        }
        state.counts.route_monitoring += 1;
        for (family, routes) in readers.withdrawn.into_iter().flatten() {
            self.heard(number, family, now);
            let table = self.tables.get_mut(number as usize)?;
            for bits in routes {
                self.store.withdraw(table, family, Withdrawal { table: number, bits, now_s: seconds(now) });
            }
        }
        if let (Some((family, routes)), Some(set)) = (readers.announced, set) {
            self.heard(number, family, now);
            for bits in routes {
                self.place(number, family, bits, set, now);
            }
        }
        Some(Taken::Plain { table: TableId(number), repairs })
    }

    /// Remembers the sender and the attributes of a message that was decoded.
    fn learn(&mut self, router: RouterId, outline: &Outline<'_>, m: &RouteMonitoring) {
        let Some(number) = self.table_of(router, &m.peer) else { return };
        let Some(state) = self.routers.get_mut(router.0 as usize) else { return };
        // a message that came the long way may have told how NLRI are written
        let context = state.codec.context(&m.peer);
        if state.sources.get(outline.peer).is_none_or(|s| s.context != context) {
            state.sources.insert(outline.peer, number, m.peer.clone(), context);
        }
        let Some(source) = state.sources.get(outline.peer) else { return };
        // any other repair depends on more than the bytes of the attributes
        let plain = m.repairs.iter().all(|r| matches!(r, Repair::RoutesWithoutPeerUp | Repair::Ipv6FlagMissing));
        let (Some(path), Some(first), true) = (&m.attributes, m.announce.first(), plain && m.faults.is_empty()) else { return };
        if outline.announced.is_none() || m.announce.iter().any(|n| n.next_hop != first.next_hop) {
            return;
        }
        let mut spelling = Vec::new();
        attributes::write(&mut spelling, path, &m.extra, first.next_hop);
        let place = self.store.sets.intern(&spelling);
        let known = Known { set: place, front: path.as_path.front() };
        self.blocks.insert(manner(outline, source), &outline.attributes, known, &mut self.store.sets);
        self.store.sets.release(place);
    }
}

fn manner(outline: &Outline<'_>, source: &Source) -> Manner {
    Manner {
        two_octet: source.peer.as_width == 2,
        pre_policy: source.peer.view == View::AdjRibInPre,
        external: source.context.external,
        plain: outline.attributes[1].is_empty(),
    }
}

type Routes<'a> = (Family, BitsOf<'a>);

/// The NLRI of a message, all of which can be read.
struct Readers<'a> {
    withdrawn: [Option<Routes<'a>>; 2],
    announced: Option<Routes<'a>>,
}

impl<'a> Readers<'a> {
    fn of(outline: &Outline<'a>, source: &Source) -> Option<Self> {
        let reader = |(family, bytes)| {
            if source.context.doubtful(family) {
                return None;
            }
            let bits = BitsOf::new(bytes, family, source.context.add_path(family));
            let readable = if source.context.sure(family) { bits.is_whole() } else { bits.makes_sense() };
            readable.then_some((family, bits))
        };
        let old = Some((Family::Ipv4Unicast, outline.withdrawn)).filter(|(_, bytes)| !bytes.is_empty());
        let each = |routes: Option<(Family, &'a [u8])>| match routes {
            Some(routes) => reader(routes).map(Some),
            None => Some(None),
        };
        Some(Self { withdrawn: [each(old)?, each(outline.unreach)?], announced: each(outline.announced)? })
    }
}
