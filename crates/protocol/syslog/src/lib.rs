//! Syslog messages (RFC 5424, RFC 3164) and what they say about a network.
