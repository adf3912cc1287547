//! What devices said, in their own words, and what it means.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

use core::net::IpAddr;
use syslog::{Event, Kind, PATTERNS, classify, parse};

const RECEIVED: i64 = 1_795_456_800_000_000_000;

/// Message, what it means, who did it or why, and about whom.
const HEARD: &[(&str, Kind, &str, &str)] = &[
    (
        "<190>Mar  5 14:47:45 sr mgd[91373]: UI_COMMIT: User 'user' requested 'commit' operation (comment: none)",
        Kind::ConfigCommitted,
        "user",
        "",
    ),
    ("<190>Apr 11 11:36:15 switch2 mgd[3606]: UI_COMMIT: User 'root' performed commit: no comment", Kind::ConfigCommitted, "root", ""),
    (
        "<189>1 2026-11-23T17:00:00.1Z mx1 mgd 3046 UI_COMMIT [junos@2636.1.1.1.2.18 username=\"lab\"] User 'lab' requested 'commit' operation (comment: x)",
        Kind::ConfigCommitted,
        "lab",
        "",
    ),
    (
        "<189>58: RP/0/RP0/CPU0:2024 Jun 27 23:14:49.708 JST: config[66279]: %MGBL-CONFIG-6-DB_COMMIT : Configuration committed by user 'cisco'. Use 'show configuration commit changes 1000000261' to view the changes.",
        Kind::ConfigCommitted,
        "cisco",
        "",
    ),
    ("<189>7: %MGBL-CONFIG-6-DB_COMMIT: Configuration committed by user 'netauto'", Kind::ConfigCommitted, "netauto", ""),
    (
        "<189>Apr 25 09:29:27 P1 ConfigAgent: %SYS-5-CONFIG_SESSION_COMMIT_SUCCESS: User cvpadmin committed configuration session CVP-1 successfully on TerminAttr (localhost)",
        Kind::ConfigCommitted,
        "cvpadmin",
        "",
    ),
    (
        "<189>Jul  7 17:56:40 lf-001 ConfigAgent: %SYS-5-CONFIG_E: Enter configuration mode from console by admin on con0 (0.0.0.0)",
        Kind::ConfigEntered,
        "admin",
        "con0 (0.0.0.0)",
    ),
    (
        "<189>Jul  7 17:56:50 lf-001 ConfigAgent: %SYS-5-CONFIG_I: Configured from console by admin on con0 (0.0.0.0)",
        Kind::ConfigCommitted,
        "admin",
        "con0 (0.0.0.0)",
    ),
    ("<189>45: *Nov 23 17:48:50.483: %SYS-5-CONFIG_I: Configured from console by console", Kind::ConfigCommitted, "console", ""),
    (
        "<189>: 2026 Nov 23 17:48:50 UTC: %VSHD-5-VSHD_SYSLOG_CONFIG_I: Configured from vty by admin on 10.0.0.9@pts/0",
        Kind::ConfigCommitted,
        "admin",
        "10.0.0.9@pts/0",
    ),
    (
        "<190>Jun  8 12:55:44 r1 sr_mgmt_server: mgmt|1693|1693|00020|I: All changes have been committed successfully by user admin session 1.",
        Kind::ConfigCommitted,
        "admin",
        "",
    ),
    (
        "<29>Nov 23 18:50:59 r1 bgpd[812]: [M7Q4P-46WDR] vty[18]@(config-router)# bgp log-neighbor-changes",
        Kind::ConfigCommitted,
        "bgp log-neighbor-changes",
        "",
    ),
    (
        "<30>Nov 23 18:51:01 r1 bgpd[812]: [N9HHH-F8H1M] %ADJCHANGE: neighbor 127.77.74.12(b) in vrf default Up",
        Kind::NeighborUp,
        "127.77.74.12",
        "",
    ),
    (
        "<30>Oct  5 15:51:32 leaf01 bgpd[10104]: %ADJCHANGE: neighbor peerlink.4094(leaf02) in vrf default Up",
        Kind::NeighborUp,
        "peerlink.4094",
        "",
    ),
    (
        "<30>Nov 23 18:50:59 r1 bgpd[812]: [PXVXG-TFNNT] %ADJCHANGE: neighbor 127.77.74.12(b) in vrf default Down User reset",
        Kind::NeighborDown,
        "127.77.74.12",
        "User reset",
    ),
    (
        "<189>9: RP/0/RSP0/CPU0:Nov 26 16:29:48.161 : bgp[1046]: %ROUTING-BGP-5-ADJCHANGE : neighbor 1.1.1.2 Up (VRF: default) (AS: 11111) ",
        Kind::NeighborUp,
        "1.1.1.2",
        "",
    ),
    (
        "<189>9: PE2 RP/0/RP0/CPU0:Aug 16 07:44:28.097 UTC: bgp[1084]: %ROUTING-BGP-5-ADJCHANGE : neighbor 10.255.0.31 Down - BGP Notification sent, hold time expired (VRF: default) (AS: 65000)",
        Kind::NeighborDown,
        "10.255.0.31",
        "BGP Notification sent, hold time expired",
    ),
    (
        "<189>9: RP/0/RP0/CPU0:Aug 13 17:02:11.334 UTC: bgp[1053]: %ROUTING-BGP-5-ADJCHANGE : neighbor 10.255.0.12 Down - BGP Notification sent",
        Kind::NeighborDown,
        "10.255.0.12",
        "BGP Notification sent",
    ),
    ("<189>46: Nov 23 17:48:50.483 UTC: %BGP-5-ADJCHANGE: neighbor 10.0.0.2 Up ", Kind::NeighborUp, "10.0.0.2", ""),
    (
        "<189>46: Nov 23 17:48:50.483 UTC: %BGP-5-ADJCHANGE: neighbor 2001:db8::2 Down Interface flap",
        Kind::NeighborDown,
        "2001:db8::2",
        "Interface flap",
    ),
    ("<189>46: %BGP-5-ADJCHANGE: neighbor 10.0.0.2 vpn vrf RED Up", Kind::NeighborUp, "10.0.0.2", ""),
    (
        "<189>46: %BGP-5-ADJCHANGE: neighbor 10.0.0.2 vpn vrf RED Down Peer closed the session",
        Kind::NeighborDown,
        "10.0.0.2",
        "Peer closed the session",
    ),
    (
        "<189>May  9 16:10:35 RR Bgp: %BGP-5-ADJCHANGE: peer 100.70.0.11 (VRF default AS 64512) old state OpenConfirm event Established new state Established",
        Kind::NeighborUp,
        "100.70.0.11",
        "Established",
    ),
    (
        "<189>Feb 11 15:20:00 ti254 Rib: %BGP-5-ADJCHANGE: peer 192.0.3.1 (AS 10000) old state Established event Stop new state Idle",
        Kind::NeighborDown,
        "192.0.3.1",
        "Stop",
    ),
    (
        "<28>Sep 18 16:16:09 P4 rpd[6962]: RPD_BGP_NEIGHBOR_STATE_CHANGED: BGP peer 3.3.3.3 (Internal AS 65000) changed state from Established to Idle (event HoldTime) (instance master)",
        Kind::NeighborDown,
        "3.3.3.3",
        "HoldTime",
    ),
    (
        "<140>Apr 23 01:06:48 exr01.ash rpd[17585]: %DAEMON-4-RPD_BGP_NEIGHBOR_STATE_CHANGED: BGP peer 192.168.130.221 (External AS 65020) changed state from OpenConfirm to Established (event RecvKeepAlive) (instance master)",
        Kind::NeighborUp,
        "192.168.130.221",
        "",
    ),
    (
        "<190>Jan 11 18:39:02 leaf2 sr_bgp_mgr: bgp|1894|1965|00075|N: In network-instance default, the BGP session with VR default (1): Group ibgp-evpn: Peer 10.0.0.5 moved into the ESTABLISHED state",
        Kind::NeighborUp,
        "10.0.0.5",
        "",
    ),
    (
        "<188>Jan 11 18:39:00 srl sr_bgp_mgr: bgp|1894|1965|00071|W: In network-instance default, the BGP session with VR default (1): Group ebgp-underlay: Peer 10.1.2.5 moved from higher state ESTABLISHED to lower state IDLE due to event TCP SOCKET ERROR",
        Kind::NeighborDown,
        "10.1.2.5",
        "TCP SOCKET ERROR",
    ),
    (
        "<187>45: *Nov 29 10:30:45.456: %LINK-3-UPDOWN: Interface GigabitEthernet0/1, changed state to down",
        Kind::LinkDown,
        "GigabitEthernet0/1",
        "",
    ),
    (
        "<187>45: *Nov 29 10:30:45.456: %LINK-3-UPDOWN: Interface GigabitEthernet0/1, changed state to up",
        Kind::LinkUp,
        "GigabitEthernet0/1",
        "",
    ),
    (
        "<187>5: RP/0/RP0/CPU0:Nov 18 08:48:26.388 UTC: ifmgr[427]: %PKT_INFRA-LINK-3-UPDOWN : Interface TenGigE0/0/0/0, changed state to Down",
        Kind::LinkDown,
        "TenGigE0/0/0/0",
        "",
    ),
    (
        "<187>5: RP/0/RP0/CPU0:Nov 18 08:48:26.388 UTC: ifmgr[427]: %PKT_INFRA-LINK-3-UPDOWN : Interface TenGigE0/0/0/0, changed state to Up",
        Kind::LinkUp,
        "TenGigE0/0/0/0",
        "",
    ),
    (
        "<189>Sep 19 14:24:00 spine01 Ebra: %LINEPROTO-5-UPDOWN: Line protocol on Interface Ethernet1/1, changed state to down",
        Kind::LinkDown,
        "Ethernet1/1",
        "",
    ),
    (
        "<189>Sep 19 14:24:00 spine01 Ebra: %LINEPROTO-5-UPDOWN: Line protocol on Interface Ethernet1/1, changed state to up",
        Kind::LinkUp,
        "Ethernet1/1",
        "",
    ),
    (
        "<189>: 2025 Jan 28 15:13:57.637 UTC: %ETHPORT-5-IF_DOWN_LINK_FAILURE: Interface Ethernet5/3 is down (Link failure)",
        Kind::LinkDown,
        "Ethernet5/3",
        "Link failure",
    ),
    (
        "<28>Apr  9 12:41:18 vMX-2 mib2d[4086]: SNMP_TRAP_LINK_DOWN: ifIndex 550, ifAdminStatus up(1), ifOperStatus down(2), ifName ae1",
        Kind::LinkDown,
        "ae1",
        "",
    ),
    (
        "<28>Apr  9 12:41:18 sw mib2d[1344]: SNMP_TRAP_LINK_UP: ifIndex 587, ifAdminStatus up(1), ifOperStatus up(1), ifName ge-0/0/5",
        Kind::LinkUp,
        "ge-0/0/5",
        "",
    ),
    (
        "<188>2023-02-14T18:23:12.620624+00:00 leaf1 sr_chassis_mgr: chassis|1170|1170|00138|W: Interface ethernet-1/1 is now down for reason: port-admin-disabled",
        Kind::LinkDown,
        "ethernet-1/1",
        "port-admin-disabled",
    ),
    (
        "<189>2024-05-17T20:27:23.630370+00:00 leaf21 sr_chassis_mgr: chassis|1476|1476|00123|N: Interface ethernet-1/50 is now up",
        Kind::LinkUp,
        "ethernet-1/50",
        "",
    ),
    (
        "<189>45: *Nov 29 10:30:45.456: %SFF8472-5-THRESHOLD_VIOLATION: Te1/1: Rx power low alarm; Operating value: -40.0 dBm, Threshold value: -20.0 dBm.",
        Kind::OpticsAlarm,
        "Te1/1",
        "Rx power low alarm; Operating value: -40.0 dBm, Threshold value: -20.0 dBm.",
    ),
    ("<187>May 14 10:46:25 core fpc0 qsfp-0010 Chan 0 Rx power low alarm set", Kind::OpticsAlarm, "qsfp-0010", ""),
    (
        "<186>Nov 23 17:00:00 sw Optical transceiver eth1/0/25 RX power low alarm threshold exceeded.",
        Kind::OpticsAlarm,
        "eth1/0/25",
        "RX power low alarm",
    ),
];

fn event(text: &str) -> Option<Event> {
    classify(&parse(text.as_bytes(), RECEIVED))
}

#[test]
fn what_routers_said_means_what_it_should() {
    for (text, kind, whom, why) in HEARD {
        let e = event(text).unwrap_or_else(|| panic!("nothing: {text}"));
        assert_eq!(e.kind, *kind, "{text}: {e:?}");
        let neighbor = e.neighbor.map(|n: IpAddr| n.to_string());
        let subject = e.user.clone().or(neighbor).or(e.interface.clone()).or(e.what.clone()).unwrap_or_default();
        assert_eq!(subject, *whom, "{text}: {e:?}");
        let said =
            if matches!(kind, Kind::ConfigCommitted | Kind::ConfigEntered) && e.user.is_some() { e.from.clone() } else { e.reason.clone() };
        assert_eq!(said.unwrap_or_default(), *why, "{text}: {e:?}");
    }
}

#[test]
fn every_pattern_is_needed_by_something_that_was_heard() {
    for (i, pattern) in PATTERNS.iter().enumerate() {
        assert!(!pattern.source.is_empty() && !pattern.template.starts_with('{'), "{pattern:?}");
        let literal = pattern.template.split('{').next().unwrap();
        assert!(
            HEARD.iter().any(|(text, kind, ..)| text.contains(literal.trim()) && *kind == pattern.kind),
            "pattern {i} was never heard: {pattern:?}"
        );
    }
}

#[test]
fn other_messages_mean_nothing() {
    for text in [
        "<30>Nov 23 18:50:59 r1 bgpd[812]: [M7Q4P-46WDR] vty[18]@> enable",
        "<30>Nov 23 18:50:59 r1 bgpd[812]: [M7Q4P-46WDR] vty[18]@# clear bgp *",
        "<30>Nov 23 18:50:59 r1 bgpd[812]: %NOTIFICATION(Hard Reset): sent to neighbor 127.77.74.12 6/4 (Cease/Administrative Reset) 0 bytes",
        "<189>9: %ROUTING-BGP-5-ADJCHANGE : neighbor 2001:de8:4::39:9077:1 Downloading update (VRF: network) (AS: 399077)",
        "<28>Sep 18 16:16:09 P4 rpd[1]: RPD_BGP_NEIGHBOR_STATE_CHANGED: BGP peer 3.3.3.3 (Internal AS 65000) changed state from Idle to Connect (event Start) (instance master)",
        "<190>Jan 11 18:39:00 s sr_bgp_mgr: bgp|1|1|1|W: In network-instance default, the BGP session with VR default (1): Group e: Peer 10.1.2.5 moved from higher state ACTIVE to lower state IDLE due to event X",
        "<190>Mar  5 14:47:45 sr mgd[91373]: UI_DBASE_LOGIN_EVENT: User 'user' entering configuration mode",
        "junk",
    ] {
        assert_eq!(event(text), None, "{text}");
    }
}
