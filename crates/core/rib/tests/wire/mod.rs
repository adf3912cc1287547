//! Builds BMP messages byte by byte.

#![allow(dead_code, reason = "each test file uses its part")]

use core::net::IpAddr;

/// Who speaks: address 10.0.0.N (N as BGP identifier 10.9.0.N), AS 64500+N.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Peer {
    pub number: u8,
    pub flags: u8,
    pub distinguisher: u32,
    pub kind: u8,
}

pub const fn peer(number: u8) -> Peer {
    Peer { number, flags: 0, distinguisher: 0, kind: 0 }
}

pub const POST: u8 = 0x40;
pub const OUT: u8 = 0x10;

impl Peer {
    pub const fn asn(self) -> u32 {
        64_500 + self.number as u32
    }

    fn header(self) -> Vec<u8> {
        let mut out = vec![self.kind, self.flags, 0, 0];
        let [a, b, c, d] = self.distinguisher.to_be_bytes();
        out.extend([a, b, 0, 0, c, d]);
        out.extend([0; 12]);
        out.extend(if self.kind == 3 { [0; 4] } else { [10, 0, 0, self.number] });
        out.extend(self.asn().to_be_bytes());
        out.extend([10, 9, 0, self.number]);
        out.extend(1_600_000_000_u32.to_be_bytes());
        out.extend([0; 4]);
        out
    }
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(6 + body.len()).unwrap();
    [&[3][..], &length.to_be_bytes(), &[kind], body].concat()
}

fn bgp(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(19 + body.len()).unwrap();
    [&[0xFF; 16][..], &length.to_be_bytes(), &[kind], body].concat()
}

fn attribute(flags: u8, kind: u8, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len()).unwrap().to_be_bytes();
    [&[flags | 0x10, kind][..], &length, value].concat()
}

/// A prefix with its path identifier.
pub type Route<'a> = (&'a str, Option<u32>);

fn nlri(routes: &[Route<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    for (text, id) in routes {
        let prefix: bgp::Prefix = text.parse().unwrap();
        out.extend(id.iter().flat_map(|id| id.to_be_bytes()));
        out.push(prefix.length());
        let bytes = match prefix.address() {
            IpAddr::V4(four) => four.octets().to_vec(),
            IpAddr::V6(six) => six.octets().to_vec(),
        };
        out.extend(&bytes[..usize::from(prefix.length().div_ceil(8))]);
    }
    out
}

fn update(peer: Peer, withdrawn: &[u8], attributes: &[u8], nlri: &[u8]) -> Vec<u8> {
    let w = u16::try_from(withdrawn.len()).unwrap().to_be_bytes();
    let a = u16::try_from(attributes.len()).unwrap().to_be_bytes();
    let body = bgp(2, &[&w[..], withdrawn, &a, attributes, nlri].concat());
    message(0, &[&peer.header()[..], &body].concat())
}

/// ORIGIN, AS_PATH of the peer and `med`'s AS, MED, communities; NEXT_HOP for IPv4.
fn attributes(peer: Peer, med: u32, communities: &[u32], next_hop: bool) -> Vec<u8> {
    let mut path = vec![2, 2];
    path.extend(peer.asn().to_be_bytes());
    path.extend((1000 + med).to_be_bytes());
    let mut out = [attribute(0x40, 1, &[0]), attribute(0x40, 2, &path)].concat();
    if next_hop {
        out.extend(attribute(0x40, 3, &[10, 0, 0, peer.number]));
    }
    out.extend(attribute(0x80, 4, &med.to_be_bytes()));
    if !communities.is_empty() {
        out.extend(attribute(0xC0, 8, &communities.iter().flat_map(|c| c.to_be_bytes()).collect::<Vec<_>>()));
    }
    out
}

/// Announces routes of one family.
pub fn announce_with(peer: Peer, routes: &[Route<'_>], med: u32, communities: &[u32]) -> Vec<u8> {
    if routes.iter().any(|(p, _)| p.contains(':')) {
        let hop = [0x20, 1, 0x0D, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, peer.number];
        let reach = [&[0, 2, 1, 16][..], &hop, &[0], &nlri(routes)].concat();
        let all = [attributes(peer, med, communities, false), attribute(0x80, 14, &reach)].concat();
        return update(peer, &[], &all, &[]);
    }
    update(peer, &[], &attributes(peer, med, communities, true), &nlri(routes))
}

pub fn announce(peer: Peer, routes: &[&str], med: u32) -> Vec<u8> {
    let routes: Vec<Route<'_>> = routes.iter().map(|r| (*r, None)).collect();
    announce_with(peer, &routes, med, &[])
}

/// Announces IPv4 routes with this AS_PATH.
pub fn announce_path(peer: Peer, routes: &[&str], path: &[u32]) -> Vec<u8> {
    let mut value = vec![2, u8::try_from(path.len()).unwrap()];
    path.iter().for_each(|asn| value.extend(asn.to_be_bytes()));
    let all = [attribute(0x40, 1, &[0]), attribute(0x40, 2, &value), attribute(0x40, 3, &[10, 0, 0, peer.number])].concat();
    update(peer, &[], &all, &nlri(&routes.iter().map(|r| (*r, None)).collect::<Vec<_>>()))
}

/// Announces IPv4 routes with LOCAL_PREF; the attributes are the same bytes whoever sends them.
pub fn announce_preferred(peer: Peer, routes: &[&str], local_pref: u32) -> Vec<u8> {
    let path = [&[2, 1][..], &64_510_u32.to_be_bytes()].concat();
    let hop = attribute(0x40, 3, &[10, 0, 0, 9]);
    let all = [attribute(0x40, 1, &[0]), attribute(0x40, 2, &path), hop, attribute(0x40, 5, &local_pref.to_be_bytes())].concat();
    update(peer, &[], &all, &nlri(&routes.iter().map(|r| (*r, None)).collect::<Vec<_>>()))
}

/// Withdraws routes of one family.
pub fn withdraw_with(peer: Peer, routes: &[Route<'_>]) -> Vec<u8> {
    if routes.iter().any(|(p, _)| p.contains(':')) {
        return update(peer, &[], &attribute(0x80, 15, &[&[0, 2, 1][..], &nlri(routes)].concat()), &[]);
    }
    update(peer, &nlri(routes), &[], &[])
}

pub fn withdraw(peer: Peer, routes: &[&str]) -> Vec<u8> {
    let routes: Vec<Route<'_>> = routes.iter().map(|r| (*r, None)).collect();
    withdraw_with(peer, &routes)
}

/// End-of-RIB of IPv4, or of IPv6.
pub fn end_of_rib(peer: Peer, six: bool) -> Vec<u8> {
    let attributes = if six { attribute(0x80, 15, &[0, 2, 1]) } else { Vec::new() };
    update(peer, &[], &attributes, &[])
}

/// Withdraws and announces IPv4 in one UPDATE.
pub fn replace(peer: Peer, gone: &[&str], new: &[&str], med: u32) -> Vec<u8> {
    let list = |r: &[&str]| nlri(&r.iter().map(|r| (*r, None)).collect::<Vec<_>>());
    update(peer, &list(gone), &attributes(peer, med, &[], true), &list(new))
}

fn open(asn: u32, capabilities: &[u8]) -> Vec<u8> {
    let four = [&[65, 4][..], &asn.to_be_bytes(), capabilities].concat();
    let parameter = [&[2, u8::try_from(four.len()).unwrap()][..], &four].concat();
    let short = u16::try_from(asn).unwrap_or(23456).to_be_bytes();
    bgp(1, &[&[4][..], &short, &[0, 90, 10, 0, 0, 1], &[u8::try_from(parameter.len()).unwrap()], &parameter].concat())
}

/// Peer Up with these capabilities on both sides (sent, received) and an instance name.
pub fn peer_up_with(peer: Peer, sent: &[u8], received: &[u8], instance: Option<&str>) -> Vec<u8> {
    let mut body = peer.header();
    body.extend([0; 12]);
    body.extend([10, 0, 0, 254, 0, 179, 0x9C, 0x40]);
    body.extend(open(65_001, sent));
    body.extend(open(peer.asn(), received));
    if let Some(name) = instance {
        body.extend([0, 3]);
        body.extend(u16::try_from(name.len()).unwrap().to_be_bytes());
        body.extend(name.as_bytes());
    }
    message(3, &body)
}

pub fn peer_up(peer: Peer) -> Vec<u8> {
    peer_up_with(peer, &[], &[], None)
}

pub fn peer_down(peer: Peer, reason: u8, data: &[u8]) -> Vec<u8> {
    message(2, &[&peer.header()[..], &[reason], data].concat())
}

pub fn notification(code: u8, subcode: u8) -> Vec<u8> {
    bgp(3, &[code, subcode])
}

/// Add-path both ways for IPv4.
pub const ADD_PATH: [u8; 6] = [69, 4, 0, 1, 1, 3];

/// Graceful restart (RFC 4724 §3): seconds, N flag, forwarding kept, IPv4.
pub fn graceful(seconds: u16, notification: bool, forwarding: bool) -> Vec<u8> {
    let [a, b] = (seconds | if notification { 0x4000 } else { 0 }).to_be_bytes();
    vec![64, 6, a, b, 0, 1, 1, if forwarding { 0x80 } else { 0 }]
}

/// Long-lived graceful restart (RFC 9494 §3): stale time, IPv4.
pub fn long_lived(seconds: u32, forwarding: bool) -> Vec<u8> {
    let [_, a, b, c] = seconds.to_be_bytes();
    vec![71, 7, 0, 1, 1, if forwarding { 0x80 } else { 0 }, a, b, c]
}
