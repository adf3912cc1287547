//! The BGP sessions of one router, each with what is known of it and from where (S1-021).

use crate::view::ApiError;
use bgp::Family;
use network::SessionState;
use pilot::PilotState;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use ts_rs::TS;

/// One BGP session. What no feed told is absent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct PeerView {
    /// The router.
    pub device: String,
    /// The neighbour's address.
    pub address: String,
    /// Our address of the session; from BMP.
    pub local_address: Option<String>,
    /// The neighbour's AS.
    pub peer_asn: Option<u32>,
    /// Our AS toward it.
    pub local_asn: u32,
    /// The two differ; `None` while the neighbour's is not known.
    pub is_ebgp: Option<bool>,
    /// `provider NAME`, `internal` or `external`.
    pub role: String,
    /// The neighbour's BGP identifier; from BMP.
    pub router_id: Option<String>,
    /// One of the six states of RFC 4271, `idle` … `established`.
    pub state: String,
    /// Shut down by its administrator: a flag beside the state.
    pub admin_down: bool,
    /// Since when the state is this, by our clock.
    pub since: String,
    /// Seconds in this state.
    #[ts(type = "number")]
    pub uptime_s: u64,
    /// Families that both sides offered; from BMP.
    pub families: Vec<String>,
    /// The hold time agreed on, seconds; from BMP.
    pub hold_time_s: Option<u16>,
    /// Prefixes by family.
    pub prefixes: Vec<PeerPrefixes>,
    /// Why it went down last, in the router's words: shown as text only.
    pub last_error: Option<String>,
    /// Times that it left Established, seen by us.
    #[ts(type = "number")]
    pub flaps: u64,
}

/// Prefixes of one family of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct PeerPrefixes {
    /// `ipv4_unicast` or `ipv6_unicast`.
    pub family: String,
    /// Received and accepted, as the router counts.
    #[ts(type = "number | null")]
    pub received: Option<u64>,
    /// Advertised, as the router counts.
    #[ts(type = "number | null")]
    pub sent: Option<u64>,
    /// Routes before policy that BMP showed us.
    #[ts(type = "number | null")]
    pub seen: Option<u64>,
    /// The configured limit.
    pub max_prefix: Option<u32>,
}

/// Lists the sessions of a router, by address.
///
/// # Errors
/// PH-API-404 without such a router.
pub fn peers(s: &PilotState, device: &str) -> Result<Vec<PeerView>, ApiError> {
    let id = action::DeviceId::new(device);
    let unknown = || ApiError::new("PH-API-404", format!("there is no device {device:?}; `pilotctl status` lists them"));
    let d = s.network.devices.get(&id).ok_or_else(unknown)?;
    let inventory = &s.network.inventory;
    let configured = d.config.as_ref().and_then(|c| c.model.bgp.as_ref());
    let rows = d.sessions.iter().map(|(address, session)| {
        let opened = session.opened.as_ref();
        let local_asn = opened.map(|o| o.local_as).or_else(|| configured.map(|b| b.asn)).unwrap_or(inventory.own_asn);
        let exit = inventory.exits.iter().find(|e| e.device == id && e.neighbors.contains(address));
        let is_ebgp = session.remote_as.map(|a| a != local_asn);
        let role = match (exit.and_then(|e| inventory.provider(&e.provider)), is_ebgp) {
            (Some(provider), _) => format!("provider {}", provider.name),
            (None, Some(false)) => "internal".to_owned(),
            (None, _) => "external".to_owned(),
        };
        let limits = configured.and_then(|b| b.neighbors.get(address)).map(|n| &n.families);
        let mut seen: BTreeMap<Family, u64> = BTreeMap::new();
        s.network.adj_rib_in(&id, *address).prefixes().for_each(|p| *seen.entry(p.family()).or_default() += 1);
        let prefixes = [Family::Ipv4Unicast, Family::Ipv6Unicast].into_iter().filter_map(|f| {
            let row = PeerPrefixes {
                family: bmp::AfiSafi::from(f).to_string(),
                received: session.received.get(&f).copied(),
                sent: session.sent.get(&f).copied(),
                seen: seen.get(&f).copied(),
                max_prefix: limits.and_then(|l| l.get(&f)).and_then(|l| l.max_prefix),
            };
            (row.received.is_some() || row.sent.is_some() || row.seen.is_some() || row.max_prefix.is_some()).then_some(row)
        });
        PeerView {
            device: id.to_string(),
            address: address.to_string(),
            local_address: opened.map(|o| o.local_address.to_string()),
            peer_asn: session.remote_as.map(|a| a.0),
            local_asn: local_asn.0,
            is_ebgp,
            role,
            router_id: opened.map(|o| o.remote_id.to_string()),
            state: state(session.state).to_owned(),
            admin_down: session.admin_down,
            since: session.since.to_string(),
            uptime_s: s.now.since(session.since).as_secs(),
            families: opened.map(|o| o.families.iter().map(ToString::to_string).collect()).unwrap_or_default(),
            hold_time_s: opened.map(|o| o.hold_time_s),
            prefixes: prefixes.collect(),
            last_error: session.last_down.clone(),
            flaps: session.flaps,
        }
    });
    Ok(rows.collect())
}

const fn state(state: SessionState) -> &'static str {
    match state {
        SessionState::Idle => "idle",
        SessionState::Connect => "connect",
        SessionState::Active => "active",
        SessionState::OpenSent => "open_sent",
        SessionState::OpenConfirm => "open_confirm",
        SessionState::Established => "established",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorded::Recorded;

    #[test]
    fn a_session_is_shown_as_both_sides_opened_it() {
        let recorded = Recorded::seed();
        let rows = peers(&recorded.state, "r1").unwrap();
        let up: Vec<&PeerView> = rows.iter().filter(|p| p.state == "established").collect();
        assert!(up.len() >= 4, "{rows:#?}");
        let (outside, inside): (Vec<&PeerView>, Vec<&PeerView>) = up.iter().partition(|p| p.is_ebgp == Some(true));
        assert!(!outside.is_empty() && !inside.is_empty(), "{rows:#?}");
        for p in &outside {
            assert!(p.local_asn == 65_001 && p.peer_asn.is_some_and(|a| a != 65_001) && p.role == "external", "{p:?}");
            assert!(p.hold_time_s.is_some_and(|s| s >= 3) && p.local_address.is_some() && p.router_id.is_some(), "{p:?}");
            // one family a session in this laboratory, named by both OPENs
            let family = if p.address.contains(':') { "ipv6_unicast" } else { "ipv4_unicast" };
            assert_eq!(p.families, [family], "{p:?}");
            assert!(p.prefixes.iter().any(|c| c.family == family && c.seen.is_some_and(|n| n > 40)), "{p:?}");
        }
        assert!(inside.iter().all(|p| p.role == "internal" && p.peer_asn == Some(65_001)), "{inside:?}");
    }

    #[test]
    fn a_router_that_is_not_there_is_named() {
        let recorded = Recorded::seed();
        assert_eq!(peers(&recorded.state, "r9").unwrap_err().code, "PH-API-404");
        assert_eq!(peers(&recorded.state, "r4").unwrap(), []);
    }
}
