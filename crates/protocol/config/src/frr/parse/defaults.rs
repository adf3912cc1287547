//! Defaults of an instance, which follow from `frr version` and `frr defaults` (FRR 8.4, bgpd/bgp_vty.c, `FRR_CFG_DEFAULT_*`).

use super::Read;
use crate::BgpConfig;
use bgp::Asn;

/// The release whose decisions are modelled.
const MODELLED: (u32, u32) = (8, 4);
/// From this one on eBGP asks for policies and `network` asks for a route.
const STRICTER: (u32, u32) = (7, 4);

/// What is done instead where one of the two lines asks for what is not modelled.
pub(super) fn effect(words: &[&str]) -> &'static str {
    match words {
        ["frr", "version", ..] => "decided as 8.4 does",
        ["frr", "defaults", ..] => "no profile of 8.4, which takes the defaults of traditional",
        _ => "",
    }
}

/// What the two lines have said so far. As seen of 8.4.4: an instance takes the defaults that hold where its `router bgp` is read first, and
/// keeps them when a line below names others; `show running-config` puts both lines on top.
#[derive(Default)]
pub(super) struct Defaults {
    datacenter: bool,
    /// `frr version`, where it could be read.
    version: Option<(u32, u32)>,
}

impl Defaults {
    /// `frr version`: another release than ours is told.
    pub(super) fn version(&mut self, text: &str) -> Read {
        let mut numbers = text.split(|c: char| !c.is_ascii_digit()).map(|n| n.parse().ok());
        self.version = numbers.next().flatten().map(|major| (major, numbers.next().flatten().unwrap_or(0)));
        if self.version == Some(MODELLED) { Read::Taken } else { Read::Unmodelled }
    }

    /// `frr defaults`: of a profile that it does not know FRR takes what has no profile, which is the traditional one.
    pub(super) fn profile(&mut self, name: &str) -> Read {
        self.datacenter = name == "datacenter";
        if matches!(name, "datacenter" | "traditional") { Read::Taken } else { Read::Unmodelled }
    }

    /// Returns keepalive and hold time, seconds, where they are not those of the traditional profile.
    pub(super) const fn timers_s(&self) -> Option<(u16, u16)> {
        if self.datacenter { Some((3, 9)) } else { None }
    }

    /// Returns an instance with the defaults that hold now.
    pub(super) fn instance(&self, asn: u32) -> BgpConfig {
        let mut bgp = BgpConfig::new(Asn(asn));
        let old = self.version.is_some_and(|v| v < STRICTER);
        bgp.best_path.deterministic_med = self.datacenter;
        bgp.ebgp_requires_policy = !self.datacenter && !old;
        bgp.wider.no_import_check = old;
        bgp
    }
}
