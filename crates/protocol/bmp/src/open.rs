//! BGP OPEN with its capabilities (RFC 4271 §4.2, RFC 5492), as Peer Up carries it.

use crate::error::{Action, DecodeError};
use crate::family::AfiSafi;
use crate::reader::Reader;
use bgp::Asn;
use core::net::Ipv4Addr;
use serde::{Deserialize, Serialize};

/// Length of the BGP header: marker, length, type (RFC 4271 §4.1).
pub(crate) const BGP_HEADER: usize = 19;
/// The header of an OPEN without anything behind it.
const BARE_OPEN: [u8; BGP_HEADER] =
    [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 19, 1];
/// Optional parameter that carries capabilities (RFC 5492 §4).
const PARAMETER_CAPABILITIES: u8 = 2;
/// Marks extended parameter lengths (RFC 9072 §2).
const EXTENDED_LENGTH: u8 = 255;

/// An OPEN.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// BGP version.
    pub version: u8,
    /// AS number: of the 4-octet capability where present (RFC 6793), else of the header.
    pub asn: Asn,
    /// Hold time offered, seconds.
    pub hold_time_s: u16,
    /// BGP identifier.
    pub bgp_id: Ipv4Addr,
    /// Capabilities in wire order.
    pub capabilities: Vec<Capability>,
}

/// A capability.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// 1 (RFC 4760).
    MultiProtocol(AfiSafi),
    /// 2 (RFC 2918).
    RouteRefresh,
    /// 65 (RFC 6793).
    FourOctetAs(Asn),
    /// 69 (RFC 7911).
    AddPath(Vec<AddPath>),
    /// Any other: code and value.
    Other(u8, Vec<u8>),
}

/// Add-path of one family as one side offers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddPath {
    /// The family.
    pub family: AfiSafi,
    /// It can take several paths.
    pub receive: bool,
    /// It can send several paths.
    pub send: bool,
}

impl Open {
    /// Says whether 4-octet AS numbers were offered (RFC 6793 §3).
    #[must_use]
    pub fn four_octet_as(&self) -> bool {
        self.capabilities.iter().any(|c| matches!(c, Capability::FourOctetAs(_)))
    }

    /// Returns the add-path offers of all capabilities.
    pub fn add_path(&self) -> impl Iterator<Item = &AddPath> {
        self.capabilities.iter().flat_map(|c| match c {
            Capability::AddPath(offers) => offers.as_slice(),
            _ => &[],
        })
    }

    /// Says whether the next BGP message is the header of an OPEN and nothing else.
    pub(crate) fn is_missing(r: &Reader<'_>) -> bool {
        r.rest().starts_with(&BARE_OPEN)
    }

    /// Reads one whole BGP message that must be an OPEN.
    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut body = bgp_message(r, 1, "OPEN")?;
        let version = body.u8("the BGP version")?;
        let header_as = body.u16("the AS in the OPEN")?;
        let hold_time_s = body.u16("the hold time")?;
        let bgp_id = Ipv4Addr::from(body.u32("the BGP identifier")?);
        let capabilities = parameters(&mut body)?;
        let asn = capabilities.iter().find_map(|c| if let Capability::FourOctetAs(asn) = c { Some(*asn) } else { None });
        Ok(Self { version, asn: asn.unwrap_or(Asn(u32::from(header_as))), hold_time_s, bgp_id, capabilities })
    }
}

/// Checks a BGP header and returns its body (RFC 4271 §4.1).
pub(crate) fn bgp_message<'a>(r: &mut Reader<'a>, kind: u8, name: &str) -> Result<Reader<'a>, DecodeError> {
    let at = r.offset();
    let marker: [u8; 16] = r.array("the BGP marker")?;
    let length = usize::from(r.u16("the BGP length")?);
    let found = r.u8("the BGP type")?;
    let wrong = if marker != [0xFF; 16] {
        Some("the BGP marker is not all ones (RFC 4271 §4.1)".to_owned())
    } else if length < BGP_HEADER {
        Some(format!("the BGP message says it is {length} bytes long (RFC 4271 §4.1: 19 at least)"))
    } else if found != kind {
        Some(format!("a BGP message of type {found} stands where an {name} belongs"))
    } else {
        None
    };
    match wrong {
        Some(what) => Err(DecodeError::new(at, Action::MessageDiscard, what)),
        None => r.sub(length - BGP_HEADER, "the BGP message"),
    }
}

fn parameters(body: &mut Reader<'_>) -> Result<Vec<Capability>, DecodeError> {
    let first = body.u8("the length of the optional parameters")?;
    let extended = first == EXTENDED_LENGTH && body.rest().first() == Some(&EXTENDED_LENGTH);
    let length = if extended {
        body.u8("the extended parameters mark")?;
        usize::from(body.u16("the length of the optional parameters")?)
    } else {
        usize::from(first)
    };
    let mut parameters = body.sub(length, "the optional parameters")?;
    let mut out = Vec::new();
    while !parameters.is_empty() {
        let kind = parameters.u8("a parameter type")?;
        let length =
            if extended { usize::from(parameters.u16("a parameter length")?) } else { usize::from(parameters.u8("a parameter length")?) };
        let mut value = parameters.sub(length, "a parameter")?;
        while kind == PARAMETER_CAPABILITIES && !value.is_empty() {
            let code = value.u8("a capability code")?;
            let length = value.u8("a capability length")?;
            out.push(capability(code, value.sub(usize::from(length), "a capability")?));
        }
    }
    Ok(out)
}

/// A capability whose value does not fit its code is kept raw: it is the router's business, and it agreed to nothing with us.
pub(crate) fn capability(code: u8, value: Reader<'_>) -> Capability {
    known(code, value).unwrap_or_else(|| Capability::Other(code, value.rest().to_vec()))
}

fn known(code: u8, mut value: Reader<'_>) -> Option<Capability> {
    match code {
        1 if value.left() == 4 => {
            let afi = value.u16("").ok()?;
            value.u8("").ok()?;
            Some(Capability::MultiProtocol(AfiSafi { afi, safi: value.u8("").ok()? }))
        }
        2 if value.is_empty() => Some(Capability::RouteRefresh),
        65 if value.left() == 4 => Some(Capability::FourOctetAs(Asn(value.u32("").ok()?))),
        69 if value.left().is_multiple_of(4) => {
            let mut offers = Vec::new();
            while !value.is_empty() {
                let family = AfiSafi { afi: value.u16("").ok()?, safi: value.u8("").ok()? };
                let mode = value.u8("").ok()?;
                offers.push(AddPath { family, receive: mode & 1 != 0, send: mode & 2 != 0 });
            }
            Some(Capability::AddPath(offers))
        }
        _ => None,
    }
}
