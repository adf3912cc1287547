//! BGP messages as bytes (RFC 4271 §4): OPEN, UPDATE, NOTIFICATION, with four-octet AS numbers.

use super::router::Routes;
use bgp::{Asn, Family, PathAttributes, Prefix, Segment};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// Longest BGP message (RFC 4271 §4.1), and what of it is left to attributes and routes after header and length fields.
const MESSAGE_MAX: usize = 4096;
const BODY_MAX: usize = MESSAGE_MAX - 19 - 4;
/// Message types.
const OPEN: u8 = 1;
const UPDATE: u8 = 2;
const NOTIFICATION: u8 = 3;
/// AS number that stands for one of four octets (RFC 6793 §9).
const AS_TRANS: u16 = 23456;
/// Attribute flags (RFC 4271 §4.3).
const OPTIONAL: u8 = 0x80;
const TRANSITIVE: u8 = 0x40;
const EXTENDED: u8 = 0x10;

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![0xFF; 16];
    out.extend((body.len() as u16 + 19).to_be_bytes());
    out.push(kind);
    out.extend(body);
    out
}

const fn afi(family: Family) -> u16 {
    match family {
        Family::Ipv4Unicast => 1,
        Family::Ipv6Unicast => 2,
    }
}

/// Makes an OPEN with the capabilities multiprotocol, route refresh and four-octet AS.
#[must_use]
pub fn open(asn: Asn, hold_s: u16, id: Ipv4Addr, family: Family) -> Vec<u8> {
    let mut capabilities = vec![1, 4];
    capabilities.extend(afi(family).to_be_bytes());
    capabilities.extend([0, 1, 2, 0, 65, 4]);
    capabilities.extend(asn.0.to_be_bytes());
    let mut body = vec![4];
    body.extend(u16::try_from(asn.0).unwrap_or(AS_TRANS).to_be_bytes());
    body.extend(hold_s.to_be_bytes());
    body.extend(id.octets());
    body.extend([capabilities.len() as u8 + 2, 2, capabilities.len() as u8]);
    body.extend(capabilities);
    message(OPEN, &body)
}

/// Makes a NOTIFICATION.
#[must_use]
pub fn notification(code: u8, subcode: u8) -> Vec<u8> {
    message(NOTIFICATION, &[code, subcode])
}

/// Makes the End-of-RIB marker of a family (RFC 4724 §2).
#[must_use]
pub fn end_of_rib(family: Family) -> Vec<u8> {
    match family {
        Family::Ipv4Unicast => message(UPDATE, &[0; 4]),
        Family::Ipv6Unicast => unreach(&[]),
    }
}

/// Makes the UPDATEs that carry route changes: one set of attributes and one family each, none longer than allowed.
#[must_use]
pub fn updates(routes: &Routes) -> Vec<Vec<u8>> {
    let mut withdrawn: BTreeMap<Family, Vec<Prefix>> = BTreeMap::new();
    let mut announced: BTreeMap<(Family, Arc<PathAttributes>), Vec<Prefix>> = BTreeMap::new();
    for (prefix, route) in routes {
        match route {
            None => withdrawn.entry(prefix.family()).or_default().push(*prefix),
            Some(a) => announced.entry((prefix.family(), a.clone())).or_default().push(*prefix),
        }
    }
    let mut out = Vec::new();
    for (family, prefixes) in &withdrawn {
        // attribute and family headers of MP_UNREACH_NLRI take 7
        for nlri in chunks(prefixes, BODY_MAX - 7) {
            out.push(match family {
                Family::Ipv4Unicast => plain(&nlri, &[], &[]),
                Family::Ipv6Unicast => unreach(&nlri),
            });
        }
    }
    for ((family, attributes), prefixes) in &announced {
        let shared = encode(attributes);
        // MP_REACH_NLRI with its next hop takes 25, NEXT_HOP 7
        for nlri in chunks(prefixes, BODY_MAX.saturating_sub(shared.len() + 25)) {
            out.push(announce(*family, attributes, &shared, &nlri));
        }
    }
    out
}

fn announce(family: Family, attributes: &PathAttributes, shared: &[u8], nlri: &[u8]) -> Vec<u8> {
    let mut all = shared.to_vec();
    match (family, attributes.next_hop) {
        (Family::Ipv4Unicast, Some(IpAddr::V4(hop))) => {
            all.extend(attribute(TRANSITIVE, 3, &hop.octets()));
            plain(&[], &all, nlri)
        }
        (_, hop) => {
            let mut value = afi(family).to_be_bytes().to_vec();
            value.push(1);
            match hop {
                Some(IpAddr::V6(a)) => {
                    value.push(16);
                    value.extend(a.octets());
                }
                Some(IpAddr::V4(a)) => {
                    value.push(4);
                    value.extend(a.octets());
                }
                None => value.push(0),
            }
            value.push(0);
            value.extend(nlri);
            all.extend(attribute(OPTIONAL, 14, &value));
            plain(&[], &all, &[])
        }
    }
}

fn plain(withdrawn: &[u8], attributes: &[u8], nlri: &[u8]) -> Vec<u8> {
    let mut body = (withdrawn.len() as u16).to_be_bytes().to_vec();
    body.extend(withdrawn);
    body.extend((attributes.len() as u16).to_be_bytes());
    body.extend(attributes);
    body.extend(nlri);
    message(UPDATE, &body)
}

fn unreach(nlri: &[u8]) -> Vec<u8> {
    let mut value = afi(Family::Ipv6Unicast).to_be_bytes().to_vec();
    value.push(1);
    value.extend(nlri);
    plain(&[], &attribute(OPTIONAL, 15, &value), &[])
}

/// Writes prefixes (RFC 4271 §4.3) in pieces of at most `max` bytes.
fn chunks(prefixes: &[Prefix], max: usize) -> Vec<Vec<u8>> {
    let mut out = vec![Vec::new()];
    for prefix in prefixes {
        let octets: Vec<u8> = match prefix.address() {
            IpAddr::V4(a) => a.octets().to_vec(),
            IpAddr::V6(a) => a.octets().to_vec(),
        };
        let needed = usize::from(prefix.length()).div_ceil(8);
        if out.last().is_none_or(|c| c.len() + 1 + needed > max) {
            out.push(Vec::new());
        }
        if let Some(chunk) = out.last_mut() {
            chunk.push(prefix.length());
            chunk.extend(octets.iter().take(needed));
        }
    }
    out.retain(|c| !c.is_empty());
    out
}

fn attribute(flags: u8, kind: u8, value: &[u8]) -> Vec<u8> {
    let mut out = match u8::try_from(value.len()) {
        Ok(length) => vec![flags, kind, length],
        Err(_) => {
            let length = (value.len() as u16).to_be_bytes();
            vec![flags | EXTENDED, kind, length[0], length[1]]
        }
    };
    out.extend(value);
    out
}

/// Writes the attributes in order of their codes, without next hop and routes.
fn encode(a: &PathAttributes) -> Vec<u8> {
    let mut out = attribute(TRANSITIVE, 1, &[a.origin as u8]);
    out.extend(attribute(TRANSITIVE, 2, &as_path(a.as_path.segments())));
    let mut put = |flags: u8, kind: u8, value: Option<Vec<u8>>| out.extend(value.map(|v| attribute(flags, kind, &v)).unwrap_or_default());
    let words = |list: &[u32]| (!list.is_empty()).then(|| list.iter().flat_map(|w| w.to_be_bytes()).collect::<Vec<u8>>());
    put(OPTIONAL, 4, a.med.map(|m| m.to_be_bytes().to_vec()));
    put(TRANSITIVE, 5, a.local_pref.map(|m| m.to_be_bytes().to_vec()));
    put(TRANSITIVE, 6, a.atomic_aggregate.then(Vec::new));
    put(OPTIONAL | TRANSITIVE, 7, a.aggregator.map(|g| [g.asn.0.to_be_bytes(), g.id.octets()].concat()));
    put(OPTIONAL | TRANSITIVE, 8, words(&a.communities.iter().map(|c| c.0).collect::<Vec<_>>()));
    put(OPTIONAL, 9, a.originator_id.map(|i| i.octets().to_vec()));
    put(OPTIONAL, 10, words(&a.cluster_list.iter().map(|i| i.to_bits()).collect::<Vec<_>>()));
    put(OPTIONAL | TRANSITIVE, 32, words(&a.large_communities.iter().flat_map(|l| [l.0, l.1, l.2]).collect::<Vec<_>>()));
    out
}

fn as_path(segments: &[Segment]) -> Vec<u8> {
    let mut out = Vec::new();
    for segment in segments {
        let (kind, asns) = match segment {
            Segment::Set(v) => (1, v),
            Segment::Sequence(v) => (2, v),
            Segment::ConfedSequence(v) => (3, v),
            Segment::ConfedSet(v) => (4, v),
        };
        // a segment counts to 255
        for part in asns.chunks(255) {
            out.extend([kind, part.len() as u8]);
            out.extend(part.iter().flat_map(|a| a.0.to_be_bytes()));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_is_what_the_rfc_draws() {
        let attributes = PathAttributes {
            as_path: "1234 64500".parse().unwrap(),
            next_hop: Some("172.31.1.1".parse().unwrap()),
            med: Some(5),
            ..PathAttributes::default()
        };
        let update = updates(&vec![("198.18.4.0/23".parse().unwrap(), Some(Arc::new(attributes)))]);
        let body = "0000 001f 40010100 40020a0202000004d20000fbf4 80040400000005 400304ac1f0101 17c61204".replace(' ', "");
        let length = 19 + body.len() / 2;
        assert_eq!(hex::encode(&update[0]), format!("{}{length:04x}02{body}", "ff".repeat(16)));
        assert_eq!(hex::encode(&end_of_rib(Family::Ipv4Unicast)[16..]), "00170200000000");
        assert_eq!(hex::encode(&end_of_rib(Family::Ipv6Unicast)[16..]), "001d0200000006800f03000201");
    }

    #[test]
    fn no_message_is_longer_than_allowed_and_none_is_lost() {
        let prefixes: Vec<Prefix> = (0..4096u32).map(|i| format!("10.{}.{}.0/24", i >> 8, i & 255).parse().unwrap()).collect();
        let attributes = Arc::new(PathAttributes { next_hop: Some("10.0.0.1".parse().unwrap()), ..PathAttributes::default() });
        let announced: Routes = prefixes.iter().map(|p| (*p, Some(attributes.clone()))).collect();
        let withdrawn: Routes = prefixes.iter().map(|p| (*p, None)).collect();
        for routes in [announced, withdrawn] {
            let all = updates(&routes);
            assert!(all.iter().all(|u| u.len() <= MESSAGE_MAX));
            let nlri: usize = all.iter().map(Vec::len).sum::<usize>();
            assert!(nlri >= 4096 * 4);
        }
    }
}
