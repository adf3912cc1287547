//! The first bytes of a sampled packet: what of it is IP.

use crate::error::FlowError;
use crate::reader::Reader;
use core::net::IpAddr;

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;
/// 802.1Q, 802.1ad.
const ETHERTYPES_VLAN: [u16; 2] = [0x8100, 0x88a8];
/// Tags read at most; more is no frame that a router forwards.
const TAGS_MAX: usize = 4;
const IPV6_HEADER: u64 = 40;

/// What the headers say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    pub source: IpAddr,
    pub destination: IpAddr,
    /// IP header and payload, bytes; `None`: a jumbogram, whose length stands elsewhere.
    pub bytes: Option<u64>,
    /// Outermost tag.
    pub vlan: Option<u16>,
    /// Bytes before the IP header.
    pub before_ip: u64,
}

/// Reads an Ethernet frame; `None` when no IP is in it.
pub(crate) fn ethernet(reader: &mut Reader<'_>) -> Result<Option<Packet>, FlowError> {
    let begin = reader.offset();
    reader.take(12, "MAC addresses")?;
    let mut vlan = None;
    let mut kind = reader.u16("ethertype")?;
    for _ in 0..TAGS_MAX {
        if !ETHERTYPES_VLAN.contains(&kind) {
            break;
        }
        vlan = vlan.or(Some(reader.u16("VLAN tag")? & 0x0fff));
        kind = reader.u16("ethertype")?;
    }
    let before_ip = (reader.offset() - begin) as u64;
    let packet = match kind {
        ETHERTYPE_IPV4 => Some(ipv4(reader)?),
        ETHERTYPE_IPV6 => Some(ipv6(reader)?),
        _ => None,
    };
    Ok(packet.map(|p| Packet { vlan, before_ip, ..p }))
}

/// Reads an IPv4 header (RFC 791 §3.1) as far as it matters.
pub(crate) fn ipv4(reader: &mut Reader<'_>) -> Result<Packet, FlowError> {
    reader.take(2, "IPv4 version and service")?;
    let length = reader.u16("IPv4 total length")?;
    reader.take(8, "IPv4 header")?;
    let (source, destination) = (reader.ipv4("IPv4 source")?.into(), reader.ipv4("IPv4 destination")?.into());
    // 0: the length is left to the network card (segmentation offload)
    Ok(Packet { source, destination, bytes: (length > 0).then_some(u64::from(length)), vlan: None, before_ip: 0 })
}

/// Reads an IPv6 header (RFC 8200 §3) as far as it matters.
pub(crate) fn ipv6(reader: &mut Reader<'_>) -> Result<Packet, FlowError> {
    reader.take(4, "IPv6 version and class")?;
    let payload = reader.u16("IPv6 payload length")?;
    reader.take(2, "IPv6 next header")?;
    let (source, destination) = (reader.ipv6("IPv6 source")?.into(), reader.ipv6("IPv6 destination")?.into());
    let bytes = (payload > 0).then_some(u64::from(payload) + IPV6_HEADER);
    Ok(Packet { source, destination, bytes, vlan: None, before_ip: 0 })
}
