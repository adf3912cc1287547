//! What devices say when something changed: patterns as data, each with the place where its words are from.
//!
//! A template is text with `{name}` for what varies: `user`, `neighbor`, `interface`, `reason`, `from`, `to`, `what`; `{}` is not kept.
//! The texts are those of the vendors' references or of routers that were listened to; systems change them between versions.

use crate::Kind;

/// One pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// What it means.
    pub kind: Kind,
    /// System that says so.
    pub system: &'static str,
    /// The words. The first part must stand somewhere in the text; the others behind it.
    pub template: &'static str,
    /// Where the words are from.
    pub source: &'static str,
}

const fn p(kind: Kind, system: &'static str, template: &'static str, source: &'static str) -> Pattern {
    Pattern { kind, system, template, source }
}

const JUNOS: &str = "Junos OS System Log Explorer";
const XR: &str = "Cisco IOS XR System Error Message Reference Guide";
const IOS: &str = "Cisco IOS System Message Guide";
const EOS: &str = "Arista EOS System Message Guide, and logs of cEOS";
const SRL: &str = "Nokia SR Linux Log Events Guide, and logs of SR Linux 21–24";
const FRR: &str = "FRR 8.4.4, heard from bgpd with `log commands` and `bgp log-neighbor-changes`";

/// Every pattern; the first that fits counts.
pub const PATTERNS: &[Pattern] = &[
    // configurations
    p(Kind::ConfigCommitted, "junos", "UI_COMMIT: User '{user}' requested '{}' operation", JUNOS),
    p(Kind::ConfigCommitted, "junos", "UI_COMMIT: User '{user}' performed commit", JUNOS),
    p(Kind::ConfigCommitted, "iosxr", "%MGBL-CONFIG-6-DB_COMMIT : Configuration committed by user '{user}'", XR),
    p(Kind::ConfigCommitted, "iosxr", "%MGBL-CONFIG-6-DB_COMMIT: Configuration committed by user '{user}'", XR),
    p(Kind::ConfigCommitted, "eos", "%SYS-5-CONFIG_SESSION_COMMIT_SUCCESS: User {user} committed configuration session", EOS),
    p(Kind::ConfigEntered, "eos", "%SYS-5-CONFIG_E: Enter configuration mode from {} by {user} on {from}", EOS),
    p(Kind::ConfigCommitted, "ios", "SYS-5-CONFIG_I: Configured from {} by {user} on {from}", IOS),
    p(Kind::ConfigCommitted, "ios", "SYS-5-CONFIG_I: Configured from {} by {user}", IOS),
    p(Kind::ConfigCommitted, "nxos", "%VSHD-5-VSHD_SYSLOG_CONFIG_I: Configured from {} by {user} on {from}", IOS),
    p(Kind::ConfigCommitted, "srlinux", "All changes have been committed successfully by user {user} session", SRL),
    p(Kind::ConfigCommitted, "frr", "vty[{from}]@{}(config{})# {what}", FRR),
    // BGP sessions
    p(Kind::NeighborUp, "frr", " %ADJCHANGE: neighbor {neighbor}({}) in vrf {} Up", FRR),
    p(Kind::NeighborDown, "frr", " %ADJCHANGE: neighbor {neighbor}({}) in vrf {} Down {reason}", FRR),
    p(Kind::NeighborUp, "iosxr", "%ROUTING-BGP-5-ADJCHANGE : neighbor {neighbor} Up", XR),
    p(Kind::NeighborDown, "iosxr", "%ROUTING-BGP-5-ADJCHANGE : neighbor {neighbor} Down - {reason} (VRF:", XR),
    p(Kind::NeighborDown, "iosxr", "%ROUTING-BGP-5-ADJCHANGE : neighbor {neighbor} Down - {reason}", XR),
    p(Kind::NeighborUp, "ios", "%BGP-5-ADJCHANGE: neighbor {neighbor} Up", IOS),
    p(Kind::NeighborUp, "ios", "%BGP-5-ADJCHANGE: neighbor {neighbor} vpn vrf {} Up", IOS),
    p(Kind::NeighborDown, "ios", "%BGP-5-ADJCHANGE: neighbor {neighbor} Down {reason}", IOS),
    p(Kind::NeighborDown, "ios", "%BGP-5-ADJCHANGE: neighbor {neighbor} vpn vrf {} Down {reason}", IOS),
    p(Kind::NeighborUp, "eos", "%BGP-5-ADJCHANGE: peer {neighbor} ({}) old state {from} event {reason} new state Established", EOS),
    p(Kind::NeighborDown, "eos", "%BGP-5-ADJCHANGE: peer {neighbor} ({}) old state Established event {reason} new state {to}", EOS),
    p(Kind::NeighborUp, "junos", "BGP_NEIGHBOR_STATE_CHANGED: BGP peer {neighbor} ({}) changed state from {from} to Established", JUNOS),
    p(
        Kind::NeighborDown,
        "junos",
        "BGP_NEIGHBOR_STATE_CHANGED: BGP peer {neighbor} ({}) changed state from Established to {to} (event {reason})",
        JUNOS,
    ),
    p(Kind::NeighborUp, "srlinux", "the BGP session with {}: Peer {neighbor} moved into the ESTABLISHED state", SRL),
    p(
        Kind::NeighborDown,
        "srlinux",
        "the BGP session with {}: Peer {neighbor} moved from higher state ESTABLISHED to lower state {to} due to event {reason}",
        SRL,
    ),
    // links
    p(Kind::LinkDown, "ios", "LINK-3-UPDOWN: Interface {interface}, changed state to down", IOS),
    p(Kind::LinkUp, "ios", "LINK-3-UPDOWN: Interface {interface}, changed state to up", IOS),
    p(Kind::LinkDown, "iosxr", "LINK-3-UPDOWN : Interface {interface}, changed state to Down", XR),
    p(Kind::LinkUp, "iosxr", "LINK-3-UPDOWN : Interface {interface}, changed state to Up", XR),
    p(Kind::LinkDown, "eos", "%LINEPROTO-5-UPDOWN: Line protocol on Interface {interface}, changed state to down", EOS),
    p(Kind::LinkUp, "eos", "%LINEPROTO-5-UPDOWN: Line protocol on Interface {interface}, changed state to up", EOS),
    p(Kind::LinkDown, "nxos", "%ETHPORT-5-IF_DOWN_LINK_FAILURE: Interface {interface} is down ({reason})", IOS),
    p(Kind::LinkDown, "junos", "SNMP_TRAP_LINK_DOWN: ifIndex {}, ifName {interface}", JUNOS),
    p(Kind::LinkUp, "junos", "SNMP_TRAP_LINK_UP: ifIndex {}, ifName {interface}", JUNOS),
    p(Kind::LinkDown, "srlinux", "Interface {interface} is now down for reason: {reason}", SRL),
    p(Kind::LinkUp, "srlinux", "Interface {interface} is now up", SRL),
    // optics
    p(Kind::OpticsAlarm, "ios", "%SFF8472-{}-THRESHOLD_VIOLATION: {interface}: {reason}", IOS),
    p(
        Kind::OpticsAlarm,
        "junos",
        "fpc{} {interface} Chan {} Rx power low alarm set",
        "Junos message of QFX switches, as collected by operators",
    ),
    p(
        Kind::OpticsAlarm,
        "d-link",
        "Optical transceiver {interface} {reason} threshold exceeded",
        "D-Link DGS-1510 CLI Reference Guide, log messages",
    ),
];
