//! Address families as numbers on the wire (RFC 4760; IANA "Address Family Numbers" and "SAFI").

use bgp::Family;
use core::fmt;
use serde::{Deserialize, Serialize};

/// An AFI and SAFI pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AfiSafi {
    /// AFI.
    pub afi: u16,
    /// SAFI.
    pub safi: u8,
}

impl AfiSafi {
    /// IPv4 unicast.
    pub const IPV4_UNICAST: Self = Self { afi: 1, safi: 1 };
    /// IPv6 unicast.
    pub const IPV6_UNICAST: Self = Self { afi: 2, safi: 1 };

    /// EVPN (RFC 7432).
    pub const EVPN: Self = Self { afi: 25, safi: 70 };

    /// Returns the family that Pilothouse steers, if this is one.
    #[must_use]
    pub const fn family(self) -> Option<Family> {
        match (self.afi, self.safi) {
            (1, 1) => Some(Family::Ipv4Unicast),
            (2, 1) => Some(Family::Ipv6Unicast),
            _ => None,
        }
    }
}

impl From<Family> for AfiSafi {
    fn from(family: Family) -> Self {
        match family {
            Family::Ipv4Unicast => Self::IPV4_UNICAST,
            Family::Ipv6Unicast => Self::IPV6_UNICAST,
        }
    }
}

impl fmt::Display for AfiSafi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let afi = match self.afi {
            1 => "ipv4",
            2 => "ipv6",
            25 => "l2vpn",
            16388 => "bgp_ls",
            other => return write!(f, "afi_{other}_safi_{}", self.safi),
        };
        let safi = match self.safi {
            1 => "unicast",
            2 => "multicast",
            4 => "labeled_unicast",
            5 => "mcast_vpn",
            65 => "vpls",
            70 => "evpn",
            71 => "link_state",
            72 => "link_state_vpn",
            73 => "sr_policy",
            85 => "mup",
            128 => "mpls_vpn",
            129 => "multicast_vpn",
            132 => "route_target",
            133 => "flow_spec",
            134 => "flow_spec_vpn",
            other => return write!(f, "{afi}_safi_{other}"),
        };
        write!(f, "{afi}_{safi}")
    }
}
