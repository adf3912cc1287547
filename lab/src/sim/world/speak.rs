//! Sessions of the world: connections, messages, timers (RFC 4271 §8), and what they make routers do.

use super::{End, Event, MS, SECOND, World};
use crate::sim::bmp;
use crate::sim::router::Routes;
use crate::sim::session::{Ending, Message, Peer, State};
use crate::sim::settings::Refusal;
use crate::sim::underlay::Way;
use crate::sim::wire::Fate;
use bgp::Prefix;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Between two attempts to connect (`timers connect 1`), and after an ending.
const CONNECT_AFTER: u64 = SECOND;
const AGAIN_AFTER: u64 = 2 * SECOND;
/// The transport's pause before it sends again, and how often it does at once.
const RETRANSMIT: u64 = 300 * MS;
const RETRANSMITS: u64 = 20;
/// What FRR waits after a route-map changed (`bgp route-map delay-timer`).
const POLICY_AFTER: u64 = 5 * SECOND;
/// Octets that stand for a message of BGP on the wire.
const MESSAGE_BYTES: u64 = 120;

impl World {
    pub(super) fn peer(&self, (router, neighbor): End) -> Option<&Peer> {
        self.routers.get(router)?.peers.get(&neighbor)
    }

    fn peer_mut(&mut self, (router, neighbor): End) -> Option<&mut Peer> {
        self.routers.get_mut(router)?.peers.get_mut(&neighbor)
    }

    /// Returns the other end of a session.
    fn counterpart(&self, end: End) -> Option<End> {
        let peer = self.peer(end)?;
        let other = (peer.node, peer.local);
        self.peer(other).map(|_| other)
    }

    /// The end with the lower index connects; the other one waits for it.
    pub(super) fn connect(&mut self, end: End) {
        let Some(other) = self.counterpart(end) else { return };
        let resting = |s: State| matches!(s, State::Idle | State::Active);
        let (Some(ours), Some(theirs)) = (self.peer(end), self.peer(other)) else { return };
        if ours.state == State::Established && theirs.state == State::Established {
            return;
        }
        let free = resting(ours.state) && resting(theirs.state);
        let refused = [end, other].map(|(router, neighbor)| self.routers[router].refuses(neighbor));
        for (side, refused) in [end, other].into_iter().zip(refused) {
            if let Some(peer) = self.peer_mut(side).filter(|p| resting(p.state)) {
                peer.state = if refused { State::Idle } else { State::Active };
            }
        }
        if !free || refused.contains(&true) || self.route(end).is_none() || self.route(other).is_none() {
            return self.after(CONNECT_AFTER, Event::Connect(end));
        }
        self.connections += 1;
        let (connection, now) = (self.connections, self.now);
        for side in [end, other] {
            let (id, mut hold) = (self.routers[side.0].router_id, 0);
            if let Some(peer) = self.peer_mut(side) {
                (peer.state, peer.connection, peer.heard, peer.last_arrival, hold) = (State::OpenSent, connection, now, now, peer.timers.1);
                peer.outbox.clear();
                let open = Message::Open { asn: peer.local_as, id };
                self.send(side, open);
            }
            self.after(hold * SECOND, Event::Hold { end: side, connection });
        }
    }

    /// Returns the wires that a session's packets take; `None` while they do not get through.
    fn route(&self, end: End) -> Option<Vec<(usize, usize)>> {
        let peer = self.peer(end)?;
        if let Some(link) = peer.link {
            return self.links[link].passes(end.0).then(|| vec![(link, self.links[link].wire_from(end.0))]);
        }
        let (mut at, mut wires) = (end.0, Vec::new());
        while at != peer.node && wires.len() < self.links.len() {
            let link = match self.underlay.resolve(at, end.1, &self.links)? {
                Way::Own => return None,
                Way::Connected(link) => link,
                Way::Igp(first, _) => *first.first()?,
            };
            if !self.links[link].passes(at) {
                return None;
            }
            wires.push((link, self.links[link].wire_from(at)));
            at = self.links[link].other(at);
        }
        (at == peer.node).then_some(wires)
    }

    pub(super) fn send(&mut self, end: End, message: Message) {
        if let Some(peer) = self.peer_mut(end) {
            peer.outbox.push_back(message);
            self.flush(end);
        }
    }

    /// Hands waiting messages to the network, in order; a lost packet is sent again after a while.
    fn flush(&mut self, end: End) {
        let Some(to) = self.counterpart(end) else { return };
        while self.peer(end).is_some_and(|p| !p.outbox.is_empty()) {
            let Some(wires) = self.route(end) else {
                let Some(peer) = self.peer_mut(end).filter(|p| !p.retrying) else { return };
                peer.retrying = true;
                let connection = peer.connection;
                return self.after(SECOND, Event::Retry { end, connection });
            };
            let latency = self.transport(&wires);
            let now = self.now;
            let Some(peer) = self.peer_mut(end) else { return };
            let Some(message) = peer.outbox.pop_front() else { return };
            peer.last_arrival = peer.last_arrival.max(now + latency);
            let (after, connection) = (peer.last_arrival - now, peer.connection);
            self.after(after, Event::Deliver { to, connection, message });
        }
    }

    /// Returns how long a message takes, with what is lost sent again.
    fn transport(&mut self, wires: &[(usize, usize)]) -> u64 {
        let mut total = 0;
        for (link, wire) in wires {
            for _ in 0..RETRANSMITS {
                match self.links[*link].wires[*wire].offer(MESSAGE_BYTES) {
                    Fate::Arrives(ns) => {
                        total += ns;
                        break;
                    }
                    Fate::Lost => total += RETRANSMIT,
                }
            }
        }
        total
    }

    pub(super) fn retry(&mut self, end: End, connection: u64) {
        if let Some(peer) = self.peer_mut(end) {
            peer.retrying = false;
            if peer.connection == connection {
                self.flush(end);
            }
        }
    }

    pub(super) fn deliver(&mut self, to: End, connection: u64, message: Message) {
        let now = self.now;
        let Some(peer) = self.peer_mut(to).filter(|p| p.connection == connection) else { return };
        peer.heard = now;
        let state = peer.state;
        match (state, message) {
            (State::Idle | State::Active, _) => {}
            (_, Message::Notification) => self.end(to, Ending::Told, false),
            (State::OpenSent, Message::Open { asn, id }) => {
                if asn != peer.remote_as {
                    return self.end(to, Ending::BadPeerAs, true);
                }
                (peer.remote_id, peer.state) = (id, State::OpenConfirm);
                self.send(to, Message::Keepalive);
            }
            (State::OpenConfirm, Message::Keepalive) => self.established(to, connection),
            (State::Established, Message::Update(routes)) => self.update(to, &routes),
            _ => {}
        }
    }

    fn established(&mut self, end: End, connection: u64) {
        let Some(peer) = self.peer_mut(end) else { return };
        peer.state = State::Established;
        peer.established += 1;
        let keepalive = peer.timers.0 * SECOND;
        self.after(keepalive, Event::Keepalive { end, connection });
        self.tell_up(end);
        let all: BTreeSet<Prefix> = self.routers[end.0].table.keys().copied().collect();
        let routes = self.routers[end.0].announce(end.1, &all);
        if !routes.is_empty() {
            self.send(end, Message::Update(routes));
        }
    }

    fn update(&mut self, to: End, routes: &Routes) {
        let dirty = self.routers[to.0].receive(to.1, routes);
        let limit = self.routers[to.0].config.bgp.as_ref().and_then(|b| b.neighbors.get(&to.1));
        let limit = limit.and_then(|n| n.families.values().filter_map(|f| f.max_prefix).max());
        let count = self.peer(to).map_or(0, |p| p.received.len());
        if limit.is_some_and(|l| count > l as usize) {
            return self.end(to, Ending::MaximumPrefix, true);
        }
        self.decide(to.0, &dirty);
    }

    /// Lets a router choose, and its neighbours hear what changed.
    pub(super) fn decide(&mut self, router: usize, dirty: &BTreeSet<Prefix>) {
        let (underlay, links) = (&self.underlay, &self.links);
        let metric = |next_hop| match underlay.resolve(router, next_hop, links)? {
            Way::Own => None,
            Way::Connected(_) => Some(0),
            Way::Igp(_, cost) => Some(cost),
        };
        let changed = self.routers[router].decide(dirty, metric);
        self.routing += u64::from(!changed.is_empty());
        self.tell_neighbors(router, &changed);
        self.publish(router);
    }

    fn tell_neighbors(&mut self, router: usize, changed: &BTreeSet<Prefix>) {
        if changed.is_empty() {
            return;
        }
        let up: Vec<_> = self.routers[router].peers.iter().filter(|(_, p)| p.state == State::Established).map(|(a, _)| *a).collect();
        for neighbor in up {
            let routes = self.routers[router].announce(neighbor, changed);
            if !routes.is_empty() {
                self.send((router, neighbor), Message::Update(routes));
            }
        }
    }

    pub(super) fn keepalive(&mut self, end: End, connection: u64) {
        let Some(peer) = self.peer(end).filter(|p| p.connection == connection && p.state == State::Established) else { return };
        let every = peer.timers.0 * SECOND;
        // a keepalive that waits behind others says nothing more
        if peer.outbox.is_empty() {
            self.send(end, Message::Keepalive);
        }
        self.after(every, Event::Keepalive { end, connection });
    }

    pub(super) fn hold(&mut self, end: End, connection: u64) {
        let Some(peer) = self.peer(end).filter(|p| p.connection == connection && !matches!(p.state, State::Idle | State::Active)) else {
            return;
        };
        let hold = peer.timers.1 * SECOND;
        match (peer.heard + hold).checked_sub(self.now).filter(|left| *left > 0) {
            Some(left) => self.after(left, Event::Hold { end, connection }),
            None => self.end(end, Ending::HoldTimer, true),
        }
    }

    /// Ends a session at this end, and tells the other end when `notify`.
    pub(super) fn end(&mut self, end: End, why: Ending, notify: bool) {
        let Some(peer) = self.peer_mut(end) else { return };
        let was = std::mem::replace(&mut peer.state, State::Active);
        if matches!(was, State::Idle | State::Active) {
            peer.state = was;
            return;
        }
        peer.ended = Some(why);
        peer.outbox.clear();
        if notify {
            self.send(end, Message::Notification);
        }
        if let Some(peer) = self.peer_mut(end) {
            // what could not be sent dies with the connection
            peer.outbox.clear();
        }
        let dirty = self.routers[end.0].forget(end.1);
        if was == State::Established {
            self.tell_down(end, why);
        }
        self.decide(end.0, &dirty);
        let first = self.counterpart(end).map_or(end, |other| if end.0 < other.0 { end } else { other });
        self.after(AGAIN_AFTER, Event::Connect(first));
    }

    /// Has a router reset one session, as an administrator does.
    pub fn reset(&mut self, end: End) {
        self.end(end, Ending::Reset, true);
    }

    /// Carries out `configure terminal` lines on a router: shutdowns at once, route-maps after the delay that FRR has.
    ///
    /// # Errors
    /// The line that was refused; those before it are in effect.
    pub fn configure(&mut self, router: usize, lines: &[String]) -> Result<(), Refusal> {
        let done = self.routers[router].settings.configure(lines);
        let config = Arc::new(self.routers[router].settings.model());
        let old = std::mem::replace(&mut self.routers[router].config, config.clone());
        if old.policy != config.policy && !std::mem::replace(&mut self.policy_due[router], true) {
            self.after(POLICY_AFTER, Event::Policy(router));
        }
        let shut = |c: &config::RouterConfig| -> BTreeSet<_> {
            c.bgp.iter().flat_map(|b| b.neighbors.iter().filter(|(_, n)| n.shutdown).map(|(a, _)| *a)).collect()
        };
        for neighbor in shut(&config).difference(&shut(&old)) {
            self.end((router, *neighbor), Ending::Shutdown, true);
            if let Some(peer) = self.peer_mut((router, *neighbor)) {
                peer.state = State::Idle;
            }
        }
        done
    }

    pub(super) fn policy_in_effect(&mut self, router: usize) {
        self.policy_due[router] = false;
        let mut dirty = self.routers[router].import_again();
        dirty.extend(self.routers[router].originated());
        self.decide(router, &dirty);
        let all: BTreeSet<Prefix> = self.routers[router].table.keys().copied().collect();
        self.tell_neighbors(router, &all);
    }

    fn tell_up(&mut self, end: End) {
        let router = &mut self.routers[end.0];
        if router.monitored {
            router.told.push(crate::sim::router::Told::Up(end.1));
            self.publish(end.0);
        }
    }

    fn tell_down(&mut self, end: End, why: Ending) {
        let router = &mut self.routers[end.0];
        if router.monitored {
            router.told.push(crate::sim::router::Told::Down(end.1, why));
            self.publish(end.0);
        }
    }

    /// Sends the monitoring station what a router has to tell.
    fn publish(&mut self, router: usize) {
        let told = std::mem::take(&mut self.routers[router].told);
        // nobody listens: whoever comes later gets the whole table
        if self.feeds[router].receiver_count() == 0 {
            return;
        }
        for message in told.iter().flat_map(|t| bmp::told(&self.routers[router], t)) {
            let _ = self.feeds[router].send(Arc::new(message));
        }
    }
}
