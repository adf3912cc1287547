//! Where a target is: a host, and a port where one was given.

use core::fmt;
use core::net::{IpAddr, Ipv6Addr};

/// A host with or without a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// Name, IPv4 address, or IPv6 address in brackets.
    host: String,
    pub(crate) port: Option<u16>,
}

impl Address {
    /// Reads `host`, `host:port`, `v6`, `[v6]` or `[v6]:port`; `None` for anything else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.parse::<Ipv6Addr>().is_ok() {
            return Some(Self { host: format!("[{text}]"), port: None });
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port.parse().ok().filter(|p| *p > 0)?)),
            _ => (text, None),
        };
        let known = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        let fits = match host.strip_prefix('[') {
            Some(v6) => v6.strip_suffix(']')?.parse::<Ipv6Addr>().is_ok(),
            None => !host.is_empty() && host.chars().all(known),
        };
        fits.then(|| Self { host: host.to_owned(), port })
    }

    pub(crate) fn at(&self, port: u16) -> String {
        format!("{}:{port}", self.host)
    }

    pub(crate) fn is_loopback(&self) -> bool {
        self.host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => f.write_str(&self.at(port)),
            None => f.write_str(&self.host),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_stand_with_and_without_a_port_and_nothing_else_is_one() {
        let cases = [
            ("192.0.2.1:57400", Some(("192.0.2.1:57400", Some(57400)))),
            ("192.0.2.1", Some(("192.0.2.1", None))),
            ("edge-1.example.net", Some(("edge-1.example.net", None))),
            ("2001:db8::1", Some(("[2001:db8::1]", None))),
            ("[2001:db8::1]", Some(("[2001:db8::1]", None))),
            ("[2001:db8::1]:9339", Some(("[2001:db8::1]:9339", Some(9339)))),
            ("", None),
            (":9339", None),
            ("r1:", None),
            ("r1:0", None),
            ("r1:65536", None),
            ("r1:gnmi", None),
            ("http://r1:9339", None),
            ("r1/x:9339", None),
            ("[2001:db8::g]:9339", None),
            ("[r1]:9339", None),
            ("user@r1:9339", None),
        ];
        for (text, expected) in cases {
            let found = Address::parse(text).map(|a| (a.to_string(), a.port));
            assert_eq!(found, expected.map(|(shown, port)| (shown.to_owned(), port)), "{text}");
        }
        assert!(Address::parse("::1").unwrap().is_loopback() && !Address::parse("192.0.2.1:1").unwrap().is_loopback());
    }
}
