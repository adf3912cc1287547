//! BMP as a router sends it (RFC 7854): message bytes from what a router holds.
//!
//! ```text
//! Initiation ─ Peer Up … ─ Route Monitoring (pre, post) … End-of-RIB ─ changes as they come ─ Statistics every 5 s ─ Peer Down …
//! ```
//! AS numbers have four octets throughout (RFC 6793). Nothing is read: monitoring goes one way.

use super::router::{Router, Routes, Told};
use super::session::{Ending, Peer, State};
use super::update;
use crate::face::now_ns;
use bgp::Family;
use std::net::{IpAddr, Ipv4Addr};

/// Message types (RFC 7854 §4.1).
const ROUTE_MONITORING: u8 = 0;
const STATISTICS: u8 = 1;
const PEER_DOWN: u8 = 2;
const PEER_UP: u8 = 3;
const INITIATION: u8 = 4;
/// Version of the common header.
const VERSION: u8 = 3;
/// Peer flags (§4.2).
const FLAG_IPV6: u8 = 0x80;
const FLAG_POST_POLICY: u8 = 0x40;
/// BGP's port.
const BGP_PORT: u16 = 179;
/// Information TLVs (§4.4).
const SYS_DESCR: u16 = 1;
const SYS_NAME: u16 = 2;
/// Statistics (§4.8): routes in all Adj-RIBs-In, routes in the Loc-RIB.
const ADJ_RIB_IN_ROUTES: u16 = 7;
const LOC_RIB_ROUTES: u16 = 8;

/// Returns everything a new monitoring session begins with.
#[must_use]
pub fn opening(router: &Router) -> Vec<Vec<u8>> {
    let mut out = vec![initiation(router)];
    for (address, peer) in up(router) {
        out.push(peer_up(router, *address, peer));
    }
    for (address, peer) in up(router) {
        for post in [false, true] {
            let table: Routes = match post {
                false => peer.received.iter().map(|(p, a)| (*p, Some(a.clone()))).collect(),
                true => peer.accepted.iter().map(|(p, a)| (*p, Some(a.attributes.clone()))).collect(),
            };
            out.extend(monitoring(*address, peer, post, &table));
            out.push(end_of_rib(*address, peer, post));
        }
    }
    out
}

/// Returns the messages for one thing that happened.
#[must_use]
pub fn told(router: &Router, told: &Told) -> Vec<Vec<u8>> {
    let with = |address: &IpAddr, make: &dyn Fn(&Peer) -> Vec<Vec<u8>>| router.peers.get(address).map(make).unwrap_or_default();
    match told {
        Told::Up(a) => with(a, &|p| vec![peer_up(router, *a, p), end_of_rib(*a, p, false), end_of_rib(*a, p, true)]),
        Told::Down(a, why) => with(a, &|p| vec![peer_down(*a, p, *why)]),
        Told::Routes { neighbor, post, routes } => with(neighbor, &|p| monitoring(*neighbor, p, *post, routes)),
    }
}

/// Returns a Statistics Report per session.
#[must_use]
pub fn statistics(router: &Router) -> Vec<Vec<u8>> {
    let report = |(address, peer): (&IpAddr, &Peer)| {
        let mut body = peer_header(*address, peer, false);
        let own = router.table.values().filter(|p| p.source.neighbor() == Some(*address)).count();
        body.extend(2u32.to_be_bytes());
        for (kind, value) in [(ADJ_RIB_IN_ROUTES, peer.received.len()), (LOC_RIB_ROUTES, own)] {
            body.extend(kind.to_be_bytes());
            body.extend(8u16.to_be_bytes());
            body.extend((value as u64).to_be_bytes());
        }
        message(STATISTICS, &body)
    };
    up(router).map(report).collect()
}

fn up(router: &Router) -> impl Iterator<Item = (&IpAddr, &Peer)> {
    router.peers.iter().filter(|(_, p)| p.state == State::Established)
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![VERSION];
    out.extend((body.len() as u32 + 6).to_be_bytes());
    out.push(kind);
    out.extend(body);
    out
}

fn initiation(router: &Router) -> Vec<u8> {
    let mut body = Vec::new();
    for (kind, text) in [(SYS_DESCR, "Pilothouse simulated router"), (SYS_NAME, router.hostname.as_str())] {
        body.extend(kind.to_be_bytes());
        body.extend((text.len() as u16).to_be_bytes());
        body.extend(text.as_bytes());
    }
    message(INITIATION, &body)
}

/// The 42 octets of RFC 7854 §4.2.
fn peer_header(address: IpAddr, peer: &Peer, post: bool) -> Vec<u8> {
    let flags = if address.is_ipv6() { FLAG_IPV6 } else { 0 } | if post { FLAG_POST_POLICY } else { 0 };
    let mut out = vec![0, flags];
    out.extend([0; 8]);
    out.extend(sixteen(address));
    out.extend(peer.remote_as.0.to_be_bytes());
    out.extend(peer.remote_id.octets());
    let ns = now_ns();
    out.extend(((ns / 1_000_000_000) as u32).to_be_bytes());
    out.extend(((ns % 1_000_000_000 / 1000) as u32).to_be_bytes());
    out
}

fn sixteen(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(a) => {
            let mut field = [0; 16];
            field[12..].copy_from_slice(&a.octets());
            field
        }
        IpAddr::V6(a) => a.octets(),
    }
}

fn peer_up(router: &Router, address: IpAddr, peer: &Peer) -> Vec<u8> {
    let mut body = peer_header(address, peer, false);
    body.extend(sixteen(peer.local));
    // the lower address connected
    let (local, remote) = if peer.local < address { (ephemeral(address), BGP_PORT) } else { (BGP_PORT, ephemeral(peer.local)) };
    body.extend(local.to_be_bytes());
    body.extend(remote.to_be_bytes());
    let hold = peer.timers.1 as u16;
    body.extend(update::open(peer.local_as, hold, router.router_id, Family::of(address)));
    body.extend(update::open(peer.remote_as, hold, peer.remote_id, Family::of(address)));
    message(PEER_UP, &body)
}

/// A port of the dynamic range that is the same for the same address.
fn ephemeral(address: IpAddr) -> u16 {
    let sum: u16 = sixteen(address).iter().fold(0u16, |a, b| a.wrapping_mul(31).wrapping_add(u16::from(*b)));
    49_152 + sum % 16_384
}

fn peer_down(address: IpAddr, peer: &Peer, why: Ending) -> Vec<u8> {
    let mut body = peer_header(address, peer, false);
    let (code, subcode) = why.code();
    // 1: we sent the NOTIFICATION that follows, 3: they did
    body.push(if why == Ending::Told { 3 } else { 1 });
    body.extend(update::notification(code, subcode));
    message(PEER_DOWN, &body)
}

fn monitoring(address: IpAddr, peer: &Peer, post: bool, routes: &Routes) -> Vec<Vec<u8>> {
    let wrap = |u: Vec<u8>| {
        let mut body = peer_header(address, peer, post);
        body.extend(u);
        message(ROUTE_MONITORING, &body)
    };
    update::updates(routes).into_iter().map(wrap).collect()
}

fn end_of_rib(address: IpAddr, peer: &Peer, post: bool) -> Vec<u8> {
    let mut body = peer_header(address, peer, post);
    body.extend(update::end_of_rib(Family::of(address)));
    message(ROUTE_MONITORING, &body)
}

/// Where a router's monitoring session comes from: router N of the topology speaks from 127.99.0.N.
#[must_use]
pub const fn source(index: usize) -> Ipv4Addr {
    Ipv4Addr::new(127, 99, 0, index as u8 + 1)
}

#[cfg(test)]
mod tests;
