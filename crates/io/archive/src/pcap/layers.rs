//! From a captured frame to its TCP segment or UDP datagram.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// VLAN tags and IPv6 extension headers in one packet at most; more is no network.
const MAX_HEADERS: usize = 16;

/// A TCP segment.
pub(super) struct Segment<'a> {
    pub src: SocketAddr,
    pub dst: SocketAddr,
    pub sequence: u32,
    pub syn: bool,
    pub fin: bool,
    pub payload: &'a [u8],
}

pub(super) enum Found<'a> {
    Tcp(Segment<'a>),
    Udp { src: SocketAddr, dst: SocketAddr, payload: &'a [u8] },
    Fragment,
    Other,
}

/// Reads a frame of a link type (tcpdump.org's registry).
pub(super) fn read(link: u32, frame: &[u8]) -> Found<'_> {
    let packet = match link {
        1 => ethernet(frame),
        // the address family is in the capturing host's byte order; the IP version says the same
        0 | 108 => frame.get(4..),
        12 | 14 | 101 | 228 | 229 => Some(frame),
        113 => frame.get(14..).and_then(tagged),
        276 => frame.get(..2).zip(frame.get(20..)).and_then(|(kind, rest)| payload([kind.first().copied()?, kind.get(1).copied()?], rest)),
        _ => None,
    };
    packet.and_then(ip).unwrap_or(Found::Other)
}

fn ethernet(frame: &[u8]) -> Option<&[u8]> {
    tagged(frame.get(12..)?)
}

/// What stands behind an EtherType.
fn tagged(rest: &[u8]) -> Option<&[u8]> {
    payload(*rest.first_chunk()?, rest.get(2..)?)
}

fn payload(kind: [u8; 2], rest: &[u8]) -> Option<&[u8]> {
    let (mut kind, mut rest) = (kind, rest);
    for _ in 0..MAX_HEADERS {
        match u16::from_be_bytes(kind) {
            0x0800 | 0x86DD => return Some(rest),
            // 802.1Q, 802.1ad and the older 0x9100
            0x8100 | 0x88A8 | 0x9100 => {
                kind = *rest.get(2..)?.first_chunk()?;
                rest = rest.get(4..)?;
            }
            _ => return None,
        }
    }
    None
}

fn ip(packet: &[u8]) -> Option<Found<'_>> {
    match packet.first()? >> 4 {
        4 => ipv4(packet),
        6 => ipv6(packet),
        _ => None,
    }
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|b| u16::from_be_bytes(*b))
}

fn ipv4(packet: &[u8]) -> Option<Found<'_>> {
    let header = usize::from(packet.first()? & 15) * 4;
    // zero where the network card cuts large segments itself
    let total = match half(packet, 2)? {
        0 => packet.len(),
        n => usize::from(n).min(packet.len()),
    };
    if half(packet, 6)? & 0x3FFF != 0 {
        return Some(Found::Fragment);
    }
    let address = |at: usize| packet.get(at..)?.first_chunk::<4>().map(|a| IpAddr::V4(Ipv4Addr::from(*a)));
    transport(*packet.get(9)?, packet.get(header..total)?, address(12)?, address(16)?)
}

fn ipv6(packet: &[u8]) -> Option<Found<'_>> {
    let address = |at: usize| packet.get(at..)?.first_chunk::<16>().map(|a| IpAddr::V6(Ipv6Addr::from(*a)));
    let (src, dst) = (address(8)?, address(24)?);
    let body = packet.get(40..)?;
    let mut rest = match half(packet, 4)? {
        0 => body,
        n => body.get(..usize::from(n)).unwrap_or(body),
    };
    let mut next = *packet.get(6)?;
    for _ in 0..MAX_HEADERS {
        let length = match next {
            0 | 43 | 60 | 135 => (usize::from(*rest.get(1)?) + 1) * 8,
            51 => (usize::from(*rest.get(1)?) + 2) * 4,
            44 if half(rest, 2)? & 0xFFF9 != 0 => return Some(Found::Fragment),
            44 => 8,
            protocol => return transport(protocol, rest, src, dst),
        };
        next = *rest.first()?;
        rest = rest.get(length..)?;
    }
    None
}

fn transport(protocol: u8, bytes: &[u8], src: IpAddr, dst: IpAddr) -> Option<Found<'_>> {
    let (src, dst) = (SocketAddr::new(src, half(bytes, 0)?), SocketAddr::new(dst, half(bytes, 2)?));
    match protocol {
        6 => {
            let sequence = u32::from_be_bytes(*bytes.get(4..)?.first_chunk()?);
            let (header, flags) = (usize::from(bytes.get(12)? >> 4) * 4, *bytes.get(13)?);
            let payload = bytes.get(header..).filter(|_| header >= 20)?;
            Some(Found::Tcp(Segment { src, dst, sequence, syn: flags & 2 != 0, fin: flags & 5 != 0, payload }))
        }
        17 => {
            let body = bytes.get(8..)?;
            let length = usize::from(half(bytes, 4)?).saturating_sub(8);
            Some(Found::Udp { src, dst, payload: body.get(..length).unwrap_or(body) })
        }
        _ => None,
    }
}
