//! Templates: what a data record consists of, and how many of them an exporter may make us keep.

use crate::error::FlowError;
use crate::reader::Reader;
use crate::values::wanted;
use netgauze_flow_pkt::ie::IE;
use std::sync::Arc;

/// Templates kept per exporter over all its domains: a router with a dozen line cards sends some hundred.
pub const TEMPLATES_MAX: usize = 2048;
/// Fields of one template; the largest seen in the field has about sixty.
pub const FIELDS_MAX: usize = 512;
/// Bytes of one fixed record: it must fit into a datagram of an Ethernet with jumbo frames.
pub const RECORD_BYTES_MAX: usize = 9000;
/// A template that was not sent again for so long is forgotten: three times the usual half hour (RFC 7011 §8.4, RFC 5153 §6.2).
pub const TEMPLATE_LIFE_NS: i64 = 3 * 1800 * 1_000_000_000;
/// Field length that means "the record says it" (RFC 7011 §7).
const VARIABLE: u16 = 65_535;

/// One field of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Field {
    /// The element, where it means something here; all others are skipped.
    element: Option<IE>,
    length: u16,
}

/// One template.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    fields: Arc<[Field]>,
    /// From an options template: its records describe the exporter, no flow.
    pub options: bool,
    /// When it was last sent, nanoseconds since the Unix epoch.
    pub seen_ns: i64,
    /// Bytes of the smallest record.
    smallest: usize,
}

/// What one template record says.
#[derive(Debug)]
pub(crate) enum Announcement {
    /// A template.
    Template(u16, Template),
    /// Withdrawn (RFC 7011 §8.1); the set's own id: all of that kind.
    Withdrawn(u16),
}

fn field(reader: &mut Reader<'_>, enterprise_bit: bool, scope_of_v9: bool) -> Result<Field, FlowError> {
    let code = reader.u16("field type")?;
    let length = reader.u16("field length")?;
    let private = code & 0x8000 != 0;
    // NetFlow v9 has no enterprise numbers: 0x8000 and above are Cisco's own types
    let pen = if private && enterprise_bit { reader.u32("enterprise number")? } else { 0 };
    let element = if private || pen != 0 || scope_of_v9 { None } else { IE::try_from((0, code)).ok() };
    Ok(Field { element: element.filter(wanted), length })
}

fn check(offset: usize, id: u16, fields: &[Field]) -> Result<usize, FlowError> {
    let bytes = fields.iter().map(|f| if f.length == VARIABLE { 1 } else { usize::from(f.length) }).sum();
    if fields.len() > FIELDS_MAX || bytes == 0 || bytes > RECORD_BYTES_MAX {
        return Err(FlowError::TemplateSize { offset, id, fields: fields.len(), bytes });
    }
    Ok(bytes)
}

/// Reads one record of a template set or, with `options`, of an IPFIX options template set.
///
/// ```text
/// | template id (2) | field count (2) | scope field count (2, options only) | fields: E+type (2) length (2) [enterprise (4) if E] … |
/// ```
pub(crate) fn read(reader: &mut Reader<'_>, ipfix: bool, options: bool, now_ns: i64) -> Result<Announcement, FlowError> {
    let offset = reader.offset();
    let id = reader.u16("template id")?;
    let count_at = reader.offset();
    let count = reader.u16("field count")?;
    if ipfix && count == 0 {
        return Ok(Announcement::Withdrawn(id));
    }
    if id < 256 {
        return Err(FlowError::TemplateId { offset, id });
    }
    if options {
        let scope_at = reader.offset();
        let scope = reader.u16("scope field count")?;
        if scope == 0 || scope > count {
            return Err(FlowError::Scope { offset: scope_at, scope, fields: count });
        }
    }
    if usize::from(count) > FIELDS_MAX {
        return Err(FlowError::TemplateSize { offset: count_at, id, fields: usize::from(count), bytes: 0 });
    }
    let fields = (0..count).map(|_| field(reader, ipfix, false)).collect::<Result<Vec<_>, _>>()?;
    let smallest = check(offset, id, &fields)?;
    Ok(Announcement::Template(id, Template { fields: fields.into(), options, seen_ns: now_ns, smallest }))
}

/// Reads one record of a NetFlow v9 options template set (RFC 3954 §6.1).
///
/// ```text
/// | template id (2) | bytes of scope fields (2) | bytes of option fields (2) | scope: type (2) length (2) … | fields: type (2) length (2) … |
/// ```
pub(crate) fn read_v9_options(reader: &mut Reader<'_>, now_ns: i64) -> Result<Announcement, FlowError> {
    let offset = reader.offset();
    let id = reader.u16("template id")?;
    if id < 256 {
        return Err(FlowError::TemplateId { offset, id });
    }
    let (scope, other) = (reader.u16("length of scope fields")?, reader.u16("length of option fields")?);
    let mut scopes = reader.sub(usize::from(scope), "scope fields")?;
    let mut others = reader.sub(usize::from(other), "option fields")?;
    let mut fields = Vec::new();
    while scopes.left() > 0 {
        fields.push(field(&mut scopes, false, true)?);
    }
    while others.left() > 0 {
        fields.push(field(&mut others, false, false)?);
    }
    let smallest = check(offset, id, &fields)?;
    Ok(Announcement::Template(id, Template { fields: fields.into(), options: true, seen_ns: now_ns, smallest }))
}

impl Template {
    /// Returns the bytes of the smallest record; never 0.
    pub const fn smallest(&self) -> usize {
        self.smallest
    }

    /// Says whether both describe the same record.
    pub fn same_layout(&self, other: &Self) -> bool {
        self.fields == other.fields && self.options == other.options
    }

    /// Walks one record: `take` gets each field that means something, with the bytes of its value.
    pub fn record(&self, reader: &mut Reader<'_>, mut take: impl FnMut(IE, Reader<'_>) -> Result<(), FlowError>) -> Result<(), FlowError> {
        let mut fault = None;
        for field in &*self.fields {
            let length = match field.length {
                // one byte, or 255 and two (RFC 7011 §7)
                VARIABLE => match reader.u8("length of a field")? {
                    255 => usize::from(reader.u16("length of a field")?),
                    short => usize::from(short),
                },
                fixed => usize::from(fixed),
            };
            let value = reader.sub(length, "field value")?;
            if let Some(element) = field.element
                && let Err(error) = take(element, value)
            {
                // the walk goes on: the next record begins where this one ends
                fault.get_or_insert(error);
            }
        }
        fault.map_or(Ok(()), Err)
    }
}
