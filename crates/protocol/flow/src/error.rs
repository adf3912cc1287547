//! What can be wrong with a datagram, and where.

/// A fault; `offset` is the faulty field's first byte, counted from the start of the datagram that
/// brought it (a set that waited for its template came earlier).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FlowError {
    /// A field runs past the end of what holds it.
    #[error("at byte {offset} of the flow datagram: {what} wants {wanted} bytes, {left} are left")]
    Truncated {
        /// Where.
        offset: usize,
        /// Which field.
        what: &'static str,
        /// Its length in bytes.
        wanted: usize,
        /// Bytes that are there.
        left: usize,
    },
    /// Neither NetFlow 5 or 9, nor IPFIX, nor sFlow 5.
    #[error("at byte {offset} of the flow datagram: {version} is no version of NetFlow, IPFIX or sFlow that is read here")]
    Version {
        /// Where.
        offset: usize,
        /// As sent.
        version: u32,
    },
    /// The length in the IPFIX header does not fit the datagram (RFC 7011 §3.1).
    #[error("at byte {offset} of the flow datagram: message length {length}, the datagram has {got} bytes")]
    MessageLength {
        /// Where.
        offset: usize,
        /// As sent, bytes.
        length: u16,
        /// Bytes of the datagram.
        got: usize,
    },
    /// A set shorter than its own header or longer than the message (RFC 7011 §3.3.2, RFC 3954 §5.2).
    #[error("at byte {offset} of the flow datagram: set length {length}, at least 4 and at most {left} are possible")]
    SetLength {
        /// Where.
        offset: usize,
        /// As sent, bytes.
        length: u16,
        /// Bytes that are left, this set's header included.
        left: usize,
    },
    /// A reserved set id (RFC 7011 §3.3.2).
    #[error("at byte {offset} of the flow datagram: set id {id} is reserved")]
    SetId {
        /// Where.
        offset: usize,
        /// As sent.
        id: u16,
    },
    /// A template id below 256 (RFC 7011 §3.4.1).
    #[error("at byte {offset} of the flow datagram: template id {id} is below 256")]
    TemplateId {
        /// Where.
        offset: usize,
        /// As sent.
        id: u16,
    },
    /// More scope fields than fields, or none at all (RFC 7011 §3.4.2.2).
    #[error("at byte {offset} of the flow datagram: {scope} scope fields of {fields} fields")]
    Scope {
        /// Where.
        offset: usize,
        /// Scope fields.
        scope: u16,
        /// All fields.
        fields: u16,
    },
    /// A template beyond our bounds: fields, bytes of a record, or a record without bytes.
    #[error("at byte {offset} of the flow datagram: template {id} with {fields} fields and records of {bytes} bytes is not kept")]
    TemplateSize {
        /// Where.
        offset: usize,
        /// Template id.
        id: u16,
        /// Fields.
        fields: usize,
        /// Smallest record, bytes.
        bytes: usize,
    },
    /// The exporter has sent as many templates as are kept.
    #[error("at byte {offset} of the flow datagram: template {id} is one more than {max}; it is not kept")]
    TooManyTemplates {
        /// Where.
        offset: usize,
        /// Template id.
        id: u16,
        /// The bound.
        max: usize,
    },
    /// A value that its field cannot have.
    #[error("at byte {offset} of the flow datagram: {what} cannot be read: {why}")]
    Value {
        /// Where.
        offset: usize,
        /// Which field.
        what: String,
        /// Why.
        why: String,
    },
    /// An sFlow address that is neither IPv4 nor IPv6.
    #[error("at byte {offset} of the flow datagram: {kind} is no sFlow address type")]
    AddressType {
        /// Where.
        offset: usize,
        /// As sent.
        kind: u32,
    },
    /// A count that cannot be true for the bytes that follow.
    #[error("at byte {offset} of the flow datagram: {count} {what} do not fit into {left} bytes")]
    Count {
        /// Where.
        offset: usize,
        /// Of what.
        what: &'static str,
        /// As sent.
        count: u32,
        /// Bytes that follow.
        left: usize,
    },
}

impl FlowError {
    /// Returns the offset of the faulty field's first byte in the datagram.
    #[must_use]
    pub const fn offset(&self) -> usize {
        match self {
            Self::Truncated { offset, .. }
            | Self::Version { offset, .. }
            | Self::MessageLength { offset, .. }
            | Self::SetLength { offset, .. }
            | Self::SetId { offset, .. }
            | Self::TemplateId { offset, .. }
            | Self::Scope { offset, .. }
            | Self::TemplateSize { offset, .. }
            | Self::TooManyTemplates { offset, .. }
            | Self::Value { offset, .. }
            | Self::AddressType { offset, .. }
            | Self::Count { offset, .. } => *offset,
        }
    }
}
