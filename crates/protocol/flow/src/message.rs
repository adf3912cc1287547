//! NetFlow v9 and IPFIX: the message header and its sets.

use crate::error::FlowError;
use crate::reader::Reader;
use crate::record::Protocol;
use crate::values::Clock;

/// A message header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    pub protocol: Protocol,
    pub domain: u32,
    pub sequence: u32,
    pub clock: Clock,
}

/// One set, header taken off.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Set<'a> {
    /// Offset of the set header.
    pub offset: usize,
    pub id: u16,
    pub body: Reader<'a>,
}

/// Reads the header after the version; what is left of the reader are the sets.
///
/// ```text
/// v9:    | version 9 (2)  | count (2)  | uptime ms (4)   | unix s (4)   | sequence (4)           | source id (4) |
/// IPFIX: | version 10 (2) | length (2) | export time (4) | sequence (4) | observation domain (4) |
/// ```
pub(crate) fn header<'a>(reader: &mut Reader<'a>, ipfix: bool, datagram_bytes: usize) -> Result<(Header, Reader<'a>), FlowError> {
    let offset = reader.offset();
    let length = reader.u16("length or count")?;
    let uptime_ms = if ipfix { None } else { Some(reader.u32("sysUpTime")?) };
    let export_ns = i64::from(reader.u32("export time")?) * 1_000_000_000;
    let (sequence, domain) = (reader.u32("sequence number")?, reader.u32("observation domain")?);
    let mut left = reader.left();
    if ipfix {
        let header = datagram_bytes - left;
        left = usize::from(length).checked_sub(header).filter(|body| *body <= left).ok_or(FlowError::MessageLength {
            offset,
            length,
            got: datagram_bytes,
        })?;
    }
    let protocol = if ipfix { Protocol::Ipfix } else { Protocol::Netflow9 };
    let header = Header { protocol, domain, sequence, clock: Clock { export_ns, uptime_ms } };
    Ok((header, reader.sub(left, "sets")?))
}

/// Takes the next set; `None` at the end, where up to three bytes may be padding.
pub(crate) fn next_set<'a>(reader: &mut Reader<'a>) -> Option<Result<Set<'a>, FlowError>> {
    if reader.left() < 4 {
        return None;
    }
    Some(set(reader))
}

fn set<'a>(reader: &mut Reader<'a>) -> Result<Set<'a>, FlowError> {
    let (offset, left) = (reader.offset(), reader.left());
    let id = reader.u16("set id")?;
    let length_at = reader.offset();
    let length = reader.u16("set length")?;
    match usize::from(length).checked_sub(4) {
        Some(body) if body <= reader.left() => Ok(Set { offset, id, body: reader.sub(body, "set")? }),
        _ => Err(FlowError::SetLength { offset: length_at, length, left }),
    }
}
