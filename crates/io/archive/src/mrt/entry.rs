//! What a record says: messages of peers, changes of their state, entries of their tables.

use super::Record;
use bmp::{Codec, DecodeError, Message, RouteMonitoring};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A peer as the record names it. What the format does not say is absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Peer {
    /// Its address.
    pub address: IpAddr,
    /// Its AS.
    pub asn: u32,
    /// Its BGP identifier, where a peer index table told it.
    pub bgp_id: Option<Ipv4Addr>,
    /// Octets of an AS number in its paths: 2 or 4.
    pub as_width: u8,
}

/// The peer index table of a TABLE_DUMP_V2 file (RFC 6396 §4.3.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerTable {
    /// Name of the view.
    pub view: String,
    /// BGP identifier of the collector.
    pub collector: Option<Ipv4Addr>,
    /// The peers, by their index.
    pub peers: Vec<Peer>,
}

/// One thing that a record says.
#[derive(Debug)]
pub struct Entry {
    /// Whose; absent for a peer index table, and where a RIB entry names a peer that the table does not have.
    pub peer: Option<Peer>,
    /// Seconds since the Unix epoch at which a RIB entry was learnt.
    pub originated_s: Option<u32>,
    /// What.
    pub change: Change,
    /// The path attributes as they stand in the record.
    pub raw_attributes: Vec<u8>,
}

/// What an entry says.
#[derive(Debug)]
pub enum Change {
    /// A BGP UPDATE.
    Update(Box<Result<RouteMonitoring, DecodeError>>),
    /// A path of a table.
    RibEntry(Box<Result<RouteMonitoring, DecodeError>>),
    /// BGP states before and after (RFC 6396 §4.4.1).
    State(u16, u16),
    /// The peers of the entries that follow.
    Peers,
    /// Another BGP message: its type (1 OPEN, 3 NOTIFICATION, 4 KEEPALIVE, 5 ROUTE-REFRESH) and what follows the type.
    Other(u8, Vec<u8>),
}

impl Entry {
    /// A RIB entry that cannot be read, among others that can.
    fn bad(originated_s: Option<u32>, attributes: Option<&[u8]>, what: &str) -> Self {
        let change = Change::RibEntry(Box::new(Err(fault(0, what))));
        Self { peer: None, originated_s, change, raw_attributes: attributes.unwrap_or_default().to_vec() }
    }
}

struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, n: usize, what: &str) -> Result<&'a [u8], String> {
        let (found, rest) = self.0.split_at_checked(n).ok_or_else(|| format!("{what} wants {n} bytes, {} are left", self.0.len()))?;
        self.0 = rest;
        Ok(found)
    }

    fn number(&mut self, n: usize, what: &str) -> Result<u32, String> {
        Ok(self.take(n, what)?.iter().fold(0, |sum, b| sum << 8 | u32::from(*b)))
    }

    fn half(&mut self, what: &str) -> Result<u16, String> {
        self.number(2, what).map(|n| (n & 0xFFFF) as u16)
    }

    fn address(&mut self, six: bool, what: &str) -> Result<IpAddr, String> {
        let bytes = self.take(if six { 16 } else { 4 }, what)?;
        let four = bytes.first_chunk().map_or(Ipv4Addr::UNSPECIFIED, |b: &[u8; 4]| Ipv4Addr::from(*b));
        Ok(bytes.first_chunk::<16>().map_or(IpAddr::V4(four), |b| IpAddr::V6(Ipv6Addr::from(*b))))
    }
}

/// Returns what a record says; a peer index table is remembered in `table`. One bad RIB entry costs itself, an `Err` the record.
///
/// # Errors
/// What is wrong with the record, in words.
pub fn entries(record: &Record, table: &mut PeerTable) -> Result<Vec<Entry>, String> {
    let mut body = Cursor(&record.body);
    match (record.kind, record.subtype) {
        (5, 1 | 3 | 5..=7) => Ok(vec![legacy(&mut body, record.subtype)?]),
        (12, 1 | 2) => Ok(vec![table_dump(&mut body, record.subtype == 2)?]),
        (13, 1) => {
            *table = peer_table(&mut body)?;
            Ok(vec![Entry { peer: None, originated_s: None, change: Change::Peers, raw_attributes: Vec::new() }])
        }
        (13, 2..=6 | 8..=12) => rib(&mut body, record.subtype, table),
        (16 | 17, 0 | 5) => Ok(vec![state_change(&mut body, record.subtype == 5)?]),
        (16 | 17, 1 | 4 | 6..=11) => Ok(vec![message(&mut body, record.subtype)?]),
        (kind, subtype) => Err(format!("MRT type {kind} subtype {subtype} is not read (RFC 6396 §4)")),
    }
}

fn head(body: &mut Cursor<'_>, wide: bool) -> Result<Peer, String> {
    let width = if wide { 4 } else { 2 };
    let asn = body.number(width, "the peer AS")?;
    body.number(width, "the local AS")?;
    body.half("the interface index")?;
    let six = match body.half("the address family")? {
        1 => false,
        2 => true,
        other => return Err(format!("address family {other} is neither IPv4 nor IPv6 (RFC 6396 §4.4)")),
    };
    let address = body.address(six, "the peer address")?;
    body.address(six, "the local address")?;
    Ok(Peer { address, asn, bgp_id: None, as_width: width as u8 })
}

fn state_change(body: &mut Cursor<'_>, wide: bool) -> Result<Entry, String> {
    let peer = head(body, wide)?;
    let change = Change::State(body.half("the old state")?, body.half("the new state")?);
    Ok(Entry { peer: Some(peer), originated_s: None, change, raw_attributes: Vec::new() })
}

fn message(body: &mut Cursor<'_>, subtype: u16) -> Result<Entry, String> {
    let peer = head(body, matches!(subtype, 4 | 7 | 9 | 11))?;
    let message = body.0;
    let Some((kind, rest)) = message.get(18..).and_then(<[u8]>::split_first) else {
        return Err(format!("a BGP message of {} bytes has no header (RFC 4271 §4.1)", message.len()));
    };
    let (change, raw) = if *kind == 2 {
        let raw = attributes_of(rest).unwrap_or_default().to_vec();
        (Change::Update(Box::new(judge(peer, message, subtype >= 8, false))), raw)
    } else {
        (Change::Other(*kind, rest.to_vec()), Vec::new())
    };
    Ok(Entry { peer: Some(peer), originated_s: None, change, raw_attributes: raw })
}

/// A record of the type BGP (RFC 6396 §B.1), deprecated and seen in dumps up to 2002: its messages have no BGP header.
fn legacy(body: &mut Cursor<'_>, subtype: u16) -> Result<Entry, String> {
    let asn = body.number(2, "the peer AS")?;
    let peer = Peer { address: body.address(false, "the peer address")?, asn, bgp_id: None, as_width: 2 };
    let mut raw_attributes = Vec::new();
    if subtype == 3 {
        let change = Change::State(body.half("the old state")?, body.half("the new state")?);
        return Ok(Entry { peer: Some(peer), originated_s: None, change, raw_attributes });
    }
    body.take(6, "the local AS and address")?;
    let rest = body.0.to_vec();
    let change = match subtype {
        1 => {
            raw_attributes = attributes_of(&rest).unwrap_or_default().to_vec();
            Change::Update(Box::new(judge(peer, &bgp_message(2, &rest), false, false)))
        }
        5 => Change::Other(1, rest),
        6 => Change::Other(3, rest),
        _ => Change::Other(4, rest),
    };
    Ok(Entry { peer: Some(peer), originated_s: None, change, raw_attributes })
}

/// The path attributes of an UPDATE's body.
fn attributes_of(body: &[u8]) -> Option<&[u8]> {
    let half = |b: &[u8]| b.first_chunk().map(|n| usize::from(u16::from_be_bytes(*n)));
    let rest = body.get(2 + half(body)?..)?;
    rest.get(2..)?.get(..half(rest)?)
}

fn table_dump(body: &mut Cursor<'_>, six: bool) -> Result<Entry, String> {
    body.take(4, "view and sequence number")?;
    let prefix = body.address(six, "the prefix")?;
    let bits = body.number(1, "the prefix length")?;
    body.number(1, "the status")?;
    let originated_s = Some(body.number(4, "the time")?);
    let peer = Peer { address: body.address(six, "the peer address")?, asn: body.number(2, "the peer AS")?, bgp_id: None, as_width: 2 };
    let length = usize::from(body.half("the length of the attributes")?);
    let attributes = body.take(length, "the attributes")?;
    let bytes = match prefix {
        IpAddr::V4(a) => a.octets().to_vec(),
        IpAddr::V6(a) => a.octets().to_vec(),
    };
    let bits = u8::try_from(bits).unwrap_or(u8::MAX);
    let wanted = usize::from(bits.div_ceil(8));
    let prefix = bytes.get(..wanted).ok_or_else(|| format!("a prefix length of {bits} bits (RFC 6396 §4.2)"))?;
    let nlri = [&[bits], prefix].concat();
    let family = if six { (2, 1) } else { (1, 1) };
    let update = update_of(attributes, family, &nlri);
    let change = Change::RibEntry(Box::new(judge(peer, &update, false, true)));
    Ok(Entry { peer: Some(peer), originated_s, change, raw_attributes: attributes.to_vec() })
}

fn peer_table(body: &mut Cursor<'_>) -> Result<PeerTable, String> {
    let collector = match body.address(false, "the collector's BGP identifier")? {
        IpAddr::V4(id) => Some(id),
        IpAddr::V6(_) => None,
    };
    let length = usize::from(body.half("the length of the view's name")?);
    let view = String::from_utf8_lossy(body.take(length, "the view's name")?).into_owned();
    let count = body.half("the count of peers")?;
    let mut peers = Vec::new();
    for _ in 0..count {
        let kind = body.number(1, "a peer type")?;
        let bgp_id = Some(Ipv4Addr::from(body.number(4, "a peer's BGP identifier")?));
        let address = body.address(kind & 1 != 0, "a peer address")?;
        let width = if kind & 2 != 0 { 4 } else { 2 };
        // whatever the peer's own width, the paths in the table have four octets (RFC 6396 §4.3.4)
        peers.push(Peer { address, asn: body.number(width, "a peer AS")?, bgp_id, as_width: 4 });
    }
    Ok(PeerTable { view, collector, peers })
}

fn rib(body: &mut Cursor<'_>, subtype: u16, table: &PeerTable) -> Result<Vec<Entry>, String> {
    let add_path = subtype >= 8;
    body.number(4, "the sequence number")?;
    let mut family = match subtype {
        2 | 8 => (1, 1),
        3 | 9 => (1, 2),
        4 | 10 => (2, 1),
        5 | 11 => (2, 2),
        _ => (body.half("the AFI")?, (body.number(1, "the SAFI")? & 0xFF) as u8),
    };
    family.0 = family.0.max(1);
    let bits = (body.number(1, "the prefix length")? & 0xFF) as u8;
    let prefix = body.take(usize::from(bits.div_ceil(8)), "the prefix")?;
    let mut out = Vec::new();
    for _ in 0..body.half("the count of entries")? {
        match rib_entry(body, family, bits, prefix, add_path, table) {
            Ok(entry) => out.push(entry),
            // what follows a cut entry cannot be found; those before it stand
            Err(what) => {
                out.push(Entry::bad(None, None, &what));
                break;
            }
        }
    }
    Ok(out)
}

/// Reads one path of a RIB record. One of a peer that the index table does not have is a bad entry, not an `Err`: the next is found.
fn rib_entry(
    body: &mut Cursor<'_>,
    family: (u16, u8),
    bits: u8,
    prefix: &[u8],
    add_path: bool,
    table: &PeerTable,
) -> Result<Entry, String> {
    let index = body.half("a peer index")?;
    let originated_s = Some(body.number(4, "the time of an entry")?);
    let id = if add_path { body.take(4, "a path identifier")? } else { &[] };
    let length = usize::from(body.half("the length of an entry's attributes")?);
    let attributes = body.take(length, "the attributes of an entry")?;
    let Some(&peer) = table.peers.get(usize::from(index)) else {
        let what = format!("peer index {index} is not in the peer index table, which has {} peers", table.peers.len());
        return Ok(Entry::bad(originated_s, Some(attributes), &what));
    };
    let nlri = [id, &[bits], prefix].concat();
    let update = update_of(attributes, family, &nlri);
    let change = Change::RibEntry(Box::new(judge(peer, &update, add_path, true)));
    Ok(Entry { peer: Some(peer), originated_s, change, raw_attributes: attributes.to_vec() })
}

/// Walks path attributes: flags, type, value. Ends where they do not fit.
pub(super) fn attributes(bytes: &[u8]) -> impl Iterator<Item = (u8, u8, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (&[flags, kind], tail) = rest.split_first_chunk()?;
        let (length, tail) = if flags & 0x10 != 0 {
            let (n, tail) = tail.split_first_chunk()?;
            (usize::from(u16::from_be_bytes(*n)), tail)
        } else {
            let (n, tail) = tail.split_first()?;
            (usize::from(*n), tail)
        };
        let (value, tail) = tail.split_at_checked(length)?;
        rest = tail;
        Some((flags, kind, value))
    })
}

/// Writes the UPDATE that a RIB entry came from. Its MP_REACH_NLRI is shortened to the next hop (RFC 6396 §4.3.4), or whole, as some
/// collectors write it; the prefix goes back into it.
fn update_of(raw: &[u8], (afi, safi): (u16, u8), nlri: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut next_hop = None;
    let mut walked = 0;
    for (flags, kind, value) in attributes(raw) {
        let size = value.len() + if flags & 0x10 != 0 { 4 } else { 3 };
        if kind == 14 {
            let short = value.split_first().filter(|(n, rest)| usize::from(**n) == rest.len()).map(|(_, hop)| hop);
            let whole = || value.get(4..)?.get(..usize::from(*value.get(3)?));
            next_hop = short.or_else(whole);
        } else {
            out.extend(raw.get(walked..walked + size).unwrap_or_default());
        }
        walked += size;
    }
    // what does not fit stays, to be judged
    out.extend(raw.get(walked..).unwrap_or_default());
    let plain = (afi, safi) == (1, 1) && next_hop.is_none_or(|h| h.len() == 4);
    if !plain || next_hop.is_some() {
        let hop = next_hop.unwrap_or_default();
        let value = [&afi.to_be_bytes()[..], &[safi, (hop.len() & 0xFF) as u8], hop, &[0], nlri].concat();
        out.extend([0x90, 14]);
        out.extend(((value.len() & 0xFFFF) as u16).to_be_bytes());
        out.extend(value);
    }
    let nlri = if next_hop.is_none() && plain { nlri } else { &[] };
    let body = [&[0, 0][..], &((out.len() & 0xFFFF) as u16).to_be_bytes(), &out, nlri].concat();
    bgp_message(2, &body)
}

fn bgp_message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[0xFF; 16][..], &(((body.len() + 19) & 0xFFFF) as u16).to_be_bytes(), &[kind], body].concat()
}

/// Has [`bmp::decode`] judge an UPDATE of `peer`. `rib` entries have passed a router: what RFC 7606 wants of an UPDATE's own peer alone
/// (a next hop) is not asked of them.
fn judge(peer: Peer, update: &[u8], add_path: bool, rib: bool) -> Result<RouteMonitoring, DecodeError> {
    let mut codec = Codec::default();
    // a Peer Up that says how NLRI are written; both sides have the peer's AS, so that no AS is taken for the collector's own
    let mut capabilities = vec![];
    for (afi, safi) in [(1, 1), (1, 2), (1, 4), (1, 128), (2, 1), (2, 2), (2, 4), (2, 128)] {
        capabilities.extend([0, afi, safi, 3]);
    }
    let mut parameters = vec![65, 4];
    parameters.extend(peer.asn.to_be_bytes());
    if add_path {
        parameters.extend([69, (capabilities.len() & 0xFF) as u8]);
        parameters.extend(capabilities);
    }
    let short = u16::try_from(peer.asn).unwrap_or(23456).to_be_bytes();
    let length = (parameters.len() & 0xFF) as u8;
    let open = [&[4][..], &short, &[0, 180, 1, 1, 1, 1, length + 2, 2, length], &parameters].concat();
    let open = bgp_message(1, &open);
    let up = [&[0; 16][..], &[0, 179, 0, 179], &open, &open].concat();
    let _ = bmp::decode(&bmp_message(3, peer, rib, &up), &mut codec);
    match bmp::decode(&bmp_message(0, peer, rib, update), &mut codec) {
        Ok(Message::RouteMonitoring(found)) => Ok(*found),
        Ok(_) => Err(fault(0, "no UPDATE")),
        // offsets count from the BGP message
        Err(mut error) => {
            error.offset = error.offset.saturating_sub(48);
            Err(error)
        }
    }
}

fn fault(offset: usize, what: &str) -> DecodeError {
    DecodeError { offset, action: bmp::Action::MessageDiscard, what: what.to_owned(), salvage: None }
}

fn bmp_message(kind: u8, peer: Peer, post_policy: bool, body: &[u8]) -> Vec<u8> {
    let (six, address) = match peer.address {
        IpAddr::V4(a) => (0, [&[0; 12][..], &a.octets()].concat()),
        IpAddr::V6(a) => (0x80, a.octets().to_vec()),
    };
    let flags = six | if post_policy { 0x40 } else { 0 } | if peer.as_width == 2 { 0x20 } else { 0 };
    let id = peer.bgp_id.unwrap_or(Ipv4Addr::UNSPECIFIED).octets();
    let rest = [&[kind, 0, flags][..], &[0; 8], &address, &peer.asn.to_be_bytes(), &id, &[0; 8], body].concat();
    let length = u32::try_from(rest.len() + 5).unwrap_or(u32::MAX);
    [&[3][..], &length.to_be_bytes(), &rest].concat()
}
