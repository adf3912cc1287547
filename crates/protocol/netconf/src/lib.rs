//! NETCONF framing, RPCs and capabilities (RFC 6241, RFC 6242)
