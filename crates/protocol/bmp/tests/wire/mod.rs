//! Builds BMP messages byte by byte.

#![allow(dead_code, reason = "each test file uses its part")]

pub const PEER_AS: u32 = 65002;
/// Common and per-peer header.
pub const HEADERS: usize = 48;
/// Where the attributes of an UPDATE without withdrawn routes begin: headers, BGP header, two lengths.
pub const ATTRIBUTES: usize = HEADERS + 19 + 4;

pub fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(6 + body.len()).unwrap();
    [&[3][..], &length.to_be_bytes(), &[kind], body].concat()
}

pub fn peer(flags: u8, address: [u8; 4], asn: u32) -> Vec<u8> {
    let mut out = vec![0, flags];
    out.extend([0; 8 + 12]);
    out.extend(address);
    out.extend(asn.to_be_bytes());
    out.extend([10, 0, 0, 2]);
    out.extend(1_600_000_000_u32.to_be_bytes());
    out.extend(250_000_u32.to_be_bytes());
    out
}

pub fn bgp(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(19 + body.len()).unwrap();
    [&[0xFF; 16][..], &length.to_be_bytes(), &[kind], body].concat()
}

pub fn attribute(flags: u8, kind: u8, value: &[u8]) -> Vec<u8> {
    match u8::try_from(value.len()) {
        Ok(length) => [&[flags, kind, length][..], value].concat(),
        // with the bit for a length of two bytes
        Err(_) => [&[flags | 0x10, kind][..], &u16::try_from(value.len()).unwrap().to_be_bytes(), value].concat(),
    }
}

pub fn update(withdrawn: &[u8], attributes: &[u8], nlri: &[u8]) -> Vec<u8> {
    let w = u16::try_from(withdrawn.len()).unwrap().to_be_bytes();
    let a = u16::try_from(attributes.len()).unwrap().to_be_bytes();
    bgp(2, &[&w[..], withdrawn, &a, attributes, nlri].concat())
}

pub fn monitoring(flags: u8, update: &[u8]) -> Vec<u8> {
    message(0, &[&peer(flags, [10, 0, 0, 2], PEER_AS)[..], update].concat())
}

pub fn as_path(asns: &[u32]) -> Vec<u8> {
    let mut out = vec![2, u8::try_from(asns.len()).unwrap()];
    asns.iter().for_each(|a| out.extend(a.to_be_bytes()));
    attribute(0x40, 2, &out)
}

/// ORIGIN, AS_PATH 65002 64500, NEXT_HOP 10.0.0.2.
pub fn good() -> Vec<Vec<u8>> {
    vec![attribute(0x40, 1, &[0]), as_path(&[PEER_AS, 64500]), attribute(0x40, 3, &[10, 0, 0, 2])]
}

/// 203.0.113.0/24.
pub const NLRI: [u8; 4] = [24, 203, 0, 113];

pub fn open(asn: u32, capabilities: &[u8]) -> Vec<u8> {
    let parameter = [&[2, u8::try_from(capabilities.len()).unwrap()][..], capabilities].concat();
    let short = u16::try_from(asn).unwrap_or(23456).to_be_bytes();
    let body = [&[4][..], &short, &[0, 90, 10, 0, 0, 1], &[u8::try_from(parameter.len()).unwrap()], &parameter].concat();
    bgp(1, &body)
}

pub fn four_octet(asn: u32) -> Vec<u8> {
    [&[65, 4][..], &asn.to_be_bytes()].concat()
}

pub fn peer_up(sent: &[u8], received: &[u8]) -> Vec<u8> {
    let mut body = peer(0, [10, 0, 0, 2], PEER_AS);
    body.extend([0; 12]);
    body.extend([10, 0, 0, 1, 0, 179, 0x9C, 0x40]);
    body.extend_from_slice(sent);
    body.extend_from_slice(received);
    message(3, &body)
}

pub fn peer_down(reason: u8, data: &[u8]) -> Vec<u8> {
    message(2, &[&peer(0, [10, 0, 0, 2], PEER_AS)[..], &[reason], data].concat())
}
