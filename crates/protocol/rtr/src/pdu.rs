//! PDUs of RPKI-to-Router: RFC 8210 §5 (version 1), RFC 6810 §5 (version 0).
//!
//! ```text
//! 0        8        16                24               31
//! ┌────────┬────────┬─────────────────────────────────┐
//! │version │type    │session id, flags, error code or 0│
//! ├────────┴────────┴─────────────────────────────────┤
//! │length of the PDU with this header                  │
//! ├────────────────────────────────────────────────────┤
//! │0 notify, 1 query  serial                            │
//! │2 reset query, 3 cache response, 8 cache reset  –    │
//! │4, 6 prefix   flags, length, longest, 0, address, AS │
//! │7 end of data serial (v1: refresh, retry, expire)    │
//! │9 router key (v1) SKI (20), AS, key                  │
//! │10 error      length, PDU, length, text              │
//! └────────────────────────────────────────────────────┘
//! ```

use crate::Vrp;
use bgp::{Asn, Prefix};
use core::net::IpAddr;

/// Bytes of a header.
pub const HEADER_BYTES: usize = 8;
/// Longest PDU taken: an error report holds another PDU and a text; the standard has no bound.
pub const PDU_BYTES_MAX: usize = 64 * 1024;
/// Flag of a prefix or key that is announced; without it, it is withdrawn.
const ANNOUNCE: u8 = 1;

/// Version of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// RFC 6810.
    V0,
    /// RFC 8210.
    V1,
}

/// How often to ask, seconds (RFC 8210 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    /// Until the next question, 1 to 86,400.
    pub refresh_s: u32,
    /// Until a failed question is repeated, 1 to 7,200.
    pub retry_s: u32,
    /// How long data holds without an answer, 600 to 172,800.
    pub expire_s: u32,
}

impl Default for Timers {
    /// The recommended values, which hold with version 0.
    fn default() -> Self {
        Self { refresh_s: 3600, retry_s: 600, expire_s: 7200 }
    }
}

/// A PDU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pdu {
    /// The cache has something new.
    SerialNotify {
        /// Session.
        session: u16,
        /// Serial number.
        serial: u32,
    },
    /// The router asks for what is new.
    SerialQuery {
        /// Session.
        session: u16,
        /// Serial number that it has.
        serial: u32,
    },
    /// The router asks for everything.
    ResetQuery,
    /// Data follow.
    CacheResponse {
        /// Session.
        session: u16,
    },
    /// A payload.
    Prefix {
        /// It is in force from now on; else it no longer is.
        announce: bool,
        /// Payload.
        vrp: Vrp,
    },
    /// The data are complete.
    EndOfData {
        /// Session.
        session: u16,
        /// Serial number of the data.
        serial: u32,
        /// Timers; version 0 has none.
        timers: Option<Timers>,
    },
    /// What is new cannot be told; everything has to be asked for.
    CacheReset,
    /// A router's BGPsec key, which takes no part in origin validation.
    RouterKey {
        /// In force from now on.
        announce: bool,
        /// AS.
        asn: Asn,
    },
    /// An error.
    ErrorReport {
        /// Code (RFC 8210 §12).
        code: u16,
        /// PDU that it is about.
        about: Vec<u8>,
        /// What its sender says.
        text: String,
    },
}

/// A PDU with its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Version.
    pub version: Version,
    /// PDU.
    pub pdu: Pdu,
}

/// Why bytes are no PDU; each with the offset of the field's first byte.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A version that is not spoken here.
    #[error("offset 0: version {0}; 0 and 1 are spoken here (RFC 6810, RFC 8210)")]
    Version(u8),
    /// A type that the version does not have.
    #[error("offset 1: type {kind} is none of version {version}")]
    Type {
        /// Type.
        kind: u8,
        /// Version.
        version: u8,
    },
    /// A length that the type cannot have.
    #[error("offset 4: a PDU of type {kind} has not {length} bytes")]
    Length {
        /// Type.
        kind: u8,
        /// Length as told.
        length: u32,
    },
    /// Lengths of a prefix that do not fit each other or the family.
    #[error("offset 9: prefix length {length}, longest length {max_length}: they do not fit each other")]
    PrefixLength {
        /// Of the prefix.
        length: u8,
        /// Longest.
        max_length: u8,
    },
    /// A length inside an error report that leaves it.
    #[error("offset {offset}: {length} bytes inside an error report that does not have them")]
    Inner {
        /// Where the length stands.
        offset: usize,
        /// Length as told.
        length: u32,
    },
}

impl DecodeError {
    /// Returns the code that tells the sender of it (RFC 8210 §12).
    #[must_use]
    pub const fn code(&self) -> u16 {
        match self {
            Self::Version(_) => 4,
            Self::Type { .. } => 5,
            Self::Length { .. } | Self::PrefixLength { .. } | Self::Inner { .. } => 0,
        }
    }
}

/// What is left of a PDU's bytes.
struct Rest<'b>(&'b [u8]);

impl<'b> Rest<'b> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_be_bytes)
    }

    fn bytes(&mut self, count: u32) -> Option<&'b [u8]> {
        let (head, rest) = self.0.split_at_checked(usize::try_from(count).ok()?)?;
        self.0 = rest;
        Some(head)
    }
}

/// Takes the first PDU off a stream: it and how many bytes it had; `None`: there is not all of it yet.
///
/// # Errors
/// [`DecodeError`]; the stream cannot be followed any further.
pub fn decode(bytes: &[u8]) -> Result<Option<(Message, usize)>, DecodeError> {
    let mut rest = Rest(bytes);
    let (Some([number, kind]), Some(word), Some(length)) = (rest.take(), rest.u16(), rest.u32()) else {
        // a stream of something else is told at its first byte
        return bytes.first().map_or(Ok(None), |v| version(*v).map(|_| None));
    };
    let version = version(number)?;
    let told = usize::try_from(length).unwrap_or(usize::MAX);
    let wrong = DecodeError::Length { kind, length };
    if !may_have(kind, version, told).ok_or(DecodeError::Type { kind, version: number })? || told > PDU_BYTES_MAX {
        return Err(wrong);
    }
    let Some(body) = bytes.get(HEADER_BYTES..told) else { return Ok(None) };
    let pdu = body_of(kind, word, Rest(body))?.ok_or(wrong)?;
    Ok(Some((Message { version, pdu }, told)))
}

const fn version(number: u8) -> Result<Version, DecodeError> {
    match number {
        0 => Ok(Version::V0),
        1 => Ok(Version::V1),
        other => Err(DecodeError::Version(other)),
    }
}

/// Says whether a type may have a length; `None`: there is no such type.
const fn may_have(kind: u8, version: Version, length: usize) -> Option<bool> {
    let v1 = matches!(version, Version::V1);
    Some(match kind {
        0 | 1 => length == 12,
        2 | 3 | 8 => length == 8,
        4 => length == 20,
        6 => length == 32,
        7 => length == if v1 { 24 } else { 12 },
        9 if v1 => length >= 32,
        10 => length >= 16,
        _ => return None,
    })
}

/// Reads what follows the header; `Ok(None)`: it is too short, which the length rules out.
fn body_of(kind: u8, word: u16, mut rest: Rest<'_>) -> Result<Option<Pdu>, DecodeError> {
    let session = word;
    Ok(match kind {
        0 => rest.u32().map(|serial| Pdu::SerialNotify { session, serial }),
        1 => rest.u32().map(|serial| Pdu::SerialQuery { session, serial }),
        2 => Some(Pdu::ResetQuery),
        3 => Some(Pdu::CacheResponse { session }),
        4 | 6 => {
            let Some([flags, length, max_length, _]) = rest.take() else { return Ok(None) };
            let address: Option<IpAddr> = if kind == 4 { rest.take::<4>().map(Into::into) } else { rest.take::<16>().map(Into::into) };
            let (Some(address), Some(asn)) = (address, rest.u32()) else { return Ok(None) };
            let vrp = Prefix::new(address, length).and_then(|prefix| Vrp::new(prefix, max_length, Asn(asn)));
            let vrp = vrp.ok_or(DecodeError::PrefixLength { length, max_length })?;
            Some(Pdu::Prefix { announce: flags & ANNOUNCE != 0, vrp })
        }
        7 => {
            let serial = rest.u32();
            let timers = rest.u32().zip(rest.u32()).zip(rest.u32());
            let timers = timers.map(|((refresh_s, retry_s), expire_s)| Timers { refresh_s, retry_s, expire_s });
            serial.map(|serial| Pdu::EndOfData { session, serial, timers })
        }
        8 => Some(Pdu::CacheReset),
        9 => {
            let (Some(_), Some(asn)) = (rest.take::<20>(), rest.u32()) else { return Ok(None) };
            // the flags are the first byte of the word
            Some(Pdu::RouterKey { announce: word >> 8 & u16::from(ANNOUNCE) != 0, asn: Asn(asn) })
        }
        _ => {
            let Some(length) = rest.u32() else { return Ok(None) };
            let about = rest.bytes(length).ok_or(DecodeError::Inner { offset: HEADER_BYTES, length })?;
            let offset = HEADER_BYTES + 4 + about.len();
            let Some(length) = rest.u32() else { return Err(DecodeError::Inner { offset, length: 4 }) };
            let text = rest.bytes(length).ok_or(DecodeError::Inner { offset, length })?;
            Some(Pdu::ErrorReport { code: word, about: about.to_vec(), text: String::from_utf8_lossy(text).into_owned() })
        }
    })
}

impl Message {
    /// Returns the bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let (kind, word, body) = match &self.pdu {
            Pdu::SerialNotify { session, serial } => (0, *session, serial.to_be_bytes().to_vec()),
            Pdu::SerialQuery { session, serial } => (1, *session, serial.to_be_bytes().to_vec()),
            Pdu::ResetQuery => (2, 0, Vec::new()),
            Pdu::CacheResponse { session } => (3, *session, Vec::new()),
            Pdu::Prefix { announce, vrp } => {
                let mut body = vec![if *announce { ANNOUNCE } else { 0 }, vrp.prefix().length(), vrp.max_length(), 0];
                let kind = match vrp.prefix().address() {
                    IpAddr::V4(a) => {
                        body.extend(a.octets());
                        4
                    }
                    IpAddr::V6(a) => {
                        body.extend(a.octets());
                        6
                    }
                };
                body.extend(vrp.asn().0.to_be_bytes());
                (kind, 0, body)
            }
            Pdu::EndOfData { session, serial, timers } => {
                let mut body = serial.to_be_bytes().to_vec();
                if self.version == Version::V1 {
                    let t = timers.unwrap_or_default();
                    [t.refresh_s, t.retry_s, t.expire_s].iter().for_each(|s| body.extend(s.to_be_bytes()));
                }
                (7, *session, body)
            }
            Pdu::CacheReset => (8, 0, Vec::new()),
            Pdu::RouterKey { announce, asn } => {
                let mut body = vec![0; 20];
                body.extend(asn.0.to_be_bytes());
                (9, if *announce { u16::from(ANNOUNCE) << 8 } else { 0 }, body)
            }
            Pdu::ErrorReport { code, about, text } => {
                let mut body = (about.len() as u32).to_be_bytes().to_vec();
                body.extend(about);
                body.extend((text.len() as u32).to_be_bytes());
                body.extend(text.as_bytes());
                (10, *code, body)
            }
        };
        let mut out = vec![if self.version == Version::V1 { 1 } else { 0 }, kind];
        out.extend(word.to_be_bytes());
        out.extend(((HEADER_BYTES + body.len()) as u32).to_be_bytes());
        out.extend(body);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        digits.chunks(2).map(|d| u8::from_str_radix(std::str::from_utf8(d).unwrap(), 16).unwrap()).collect()
    }

    /// Bytes of StayRTR 0.5.1, seen on loopback: cache response, two prefixes, end of data.
    const STAYRTR: &str = "0103 1c58 00000008
        0104 0000 00000014 01181800 c6336400 0000fde9
        0106 0000 00000020 01203000 20010db8000000000000000000000000 0000fde9
        0107 1c58 00000018 00000001 0000000a 0000000a 00001c20";

    #[test]
    fn a_cache_is_understood_byte_by_byte() {
        let mut stream = bytes(STAYRTR);
        let mut read = Vec::new();
        while let Some((message, used)) = decode(&stream).unwrap() {
            assert_eq!(message.encode(), stream[..used]);
            read.push(message.pdu);
            stream.drain(..used);
        }
        let vrp = |p: &str, max, asn| Vrp::new(p.parse().unwrap(), max, Asn(asn)).unwrap();
        assert_eq!(
            read,
            [
                Pdu::CacheResponse { session: 0x1C58 },
                Pdu::Prefix { announce: true, vrp: vrp("198.51.100.0/24", 24, 65001) },
                Pdu::Prefix { announce: true, vrp: vrp("2001:db8::/32", 48, 65001) },
                Pdu::EndOfData { session: 0x1C58, serial: 1, timers: Some(Timers { refresh_s: 10, retry_s: 10, expire_s: 7200 }) },
            ]
        );
    }

    #[test]
    fn every_error_names_its_byte() {
        let error = |hex: &str| decode(&bytes(hex)).unwrap_err();
        assert_eq!(error("02"), DecodeError::Version(2));
        assert_eq!(error("0105 0000 00000008"), DecodeError::Type { kind: 5, version: 1 });
        assert_eq!(error("0009 0000 00000020"), DecodeError::Type { kind: 9, version: 0 });
        assert_eq!(error("0102 0000 00000009"), DecodeError::Length { kind: 2, length: 9 });
        assert_eq!(error("010a 0000 ffffffff"), DecodeError::Length { kind: 10, length: u32::MAX });
        assert_eq!(error("0007 0000 00000018"), DecodeError::Length { kind: 7, length: 24 });
        assert_eq!(error("0104 0000 00000014 01181700 c6336400 0000fde9"), DecodeError::PrefixLength { length: 24, max_length: 23 });
        assert_eq!(error("0104 0000 00000014 01212100 c6336400 0000fde9"), DecodeError::PrefixLength { length: 33, max_length: 33 });
        assert_eq!(error("010a 0002 00000010 00000009 00000000"), DecodeError::Inner { offset: 8, length: 9 });
        assert_eq!(error("010a 0002 00000010 00000000 00000005"), DecodeError::Inner { offset: 12, length: 5 });
        assert_eq!(error("010a 0002 00000010 00000004 00000000"), DecodeError::Inner { offset: 16, length: 4 });
    }

    #[test]
    fn half_a_pdu_waits_for_the_rest() {
        let whole = bytes("0104 0000 00000014 01181800 c6336400 0000fde9");
        for cut in 0..whole.len() {
            assert_eq!(decode(&whole[..cut]), Ok(None), "{cut}");
        }
    }

    fn any_pdu() -> impl Strategy<Value = Pdu> {
        let vrp =
            (any::<[u8; 16]>(), any::<bool>(), 0_u8..=128, 0_u8..=128, any::<u32>()).prop_filter_map("lengths", |(a, six, l, m, asn)| {
                let address: IpAddr = if six { a.into() } else { [a[0], a[1], a[2], a[3]].into() };
                Vrp::new(Prefix::new(address, l)?, m, Asn(asn))
            });
        prop_oneof![
            (any::<u16>(), any::<u32>()).prop_map(|(session, serial)| Pdu::SerialNotify { session, serial }),
            (any::<u16>(), any::<u32>()).prop_map(|(session, serial)| Pdu::SerialQuery { session, serial }),
            Just(Pdu::ResetQuery),
            Just(Pdu::CacheReset),
            any::<u16>().prop_map(|session| Pdu::CacheResponse { session }),
            (any::<bool>(), vrp).prop_map(|(announce, vrp)| Pdu::Prefix { announce, vrp }),
            (any::<u16>(), any::<[u32; 4]>()).prop_map(|(session, [serial, refresh_s, retry_s, expire_s])| {
                Pdu::EndOfData { session, serial, timers: Some(Timers { refresh_s, retry_s, expire_s }) }
            }),
            (any::<bool>(), any::<u32>()).prop_map(|(announce, asn)| Pdu::RouterKey { announce, asn: Asn(asn) }),
            (any::<u16>(), proptest::collection::vec(any::<u8>(), 0..40), "[ -~]{0,40}").prop_map(|(code, about, text)| Pdu::ErrorReport {
                code,
                about,
                text
            }),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(pdu in any_pdu()) {
            let message = Message { version: Version::V1, pdu };
            let bytes = message.encode();
            prop_assert_eq!(decode(&bytes), Ok(Some((message, bytes.len()))));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(Some((message, used))) = decode(&bytes) {
                prop_assert!(used <= bytes.len());
                prop_assert_eq!(decode(&message.encode()).map(|m| m.map(|(m, _)| m)), Ok(Some(message)));
            }
        }
    }
}
