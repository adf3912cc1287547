//! The BGP sessions of one router, each with what is known of it and from where (S1-021).

use crate::churn::ChurnView;
use crate::view::ApiError;
use bgp::Family;
use network::{BmpPeer, Device, Freshness, Session, SessionState};
use pilot::PilotState;
use rib::{PeerKey, TableState, TableSummary};
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
    /// Seconds in this state, until now or until `as_of`.
    #[ts(type = "number")]
    pub uptime_s: u64,
    /// Every feed that tells of sessions is lost: what is said here is as of then.
    #[serde(default)]
    pub as_of: Option<String>,
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
    /// Route distinguisher of its network instance; `0:0` is what routers write for the global one.
    pub distinguisher: String,
    /// Network instance by the router's own name, where it gave one; from BMP.
    pub instance: Option<String>,
    /// Its tables, by view and family; from BMP.
    pub tables: Vec<PeerTableView>,
    /// How what it announced changed, in the first of its views; absent before a table of it was complete; from BMP.
    #[serde(default)]
    pub churn: Option<ChurnView>,
    /// Last value of each statistic; from BMP.
    pub statistics: Vec<StatisticView>,
    /// Name and text of what its last Peer Up said beside the OPENs, in the router's words: shown as text only.
    pub peer_up_information: Vec<(String, String)>,
    /// Route Mirroring messages about it.
    #[ts(type = "number")]
    pub mirrored: u64,
}

/// One family of one of a peer's tables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct PeerTableView {
    /// `adj_rib_in_pre`, `adj_rib_in_post`, `adj_rib_out_pre`, `adj_rib_out_post` or `loc_rib`.
    pub view: String,
    /// Family (`ipv4_unicast`).
    pub family: String,
    /// `initial`, `synced`, `stale`, `gone`; `counted` for families whose routes are counted and not kept.
    pub state: String,
    /// Since when the state is this, by our clock; absent for counted families.
    pub since: Option<String>,
    /// Paths; for counted families announcements (or UPDATEs, where NLRI are not read) so far.
    #[ts(type = "number")]
    pub paths: u64,
    /// Paths of an earlier session that were not announced again; for counted families withdrawals so far.
    #[ts(type = "number")]
    pub unconfirmed: u64,
    /// Why paths of a peer that is down are still there: `graceful_restart` or `long_lived`.
    pub kept_by: Option<String>,
    /// Until when.
    pub kept_until: Option<String>,
}

/// One statistic (RFC 7854 §4.8, RFC 8671 §6.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct StatisticView {
    /// Type number.
    pub number: u16,
    /// Name by its registry.
    pub name: String,
    /// Family, for those that are per family.
    pub family: Option<String>,
    /// Value.
    #[ts(type = "number")]
    pub value: u64,
    /// When it came.
    pub at: String,
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

/// When a router was last heard, where it was heard and no feed of it lives.
pub(crate) fn as_of(device: &Device, now: units::Timestamp) -> Option<units::Timestamp> {
    let feeds = [(device.bmp, device.bmp_is_stale(now)), (device.gnmi, device.gnmi_is_stale(now))];
    if feeds.iter().any(|(_, stale)| !stale) {
        return None;
    }
    let heard = feeds.into_iter().filter_map(|(feed, _)| match feed {
        Freshness::Unknown => None,
        Freshness::Initial { last, .. } | Freshness::Synced { last } => Some(last),
        Freshness::Stale { since } => Some(since),
    });
    heard.max()
}

/// Lists the sessions of a router: those of its global instance by address, then what BMP told of other instances and of Loc-RIBs.
///
/// # Errors
/// PH-API-404 without such a router.
pub fn peers(s: &PilotState, device: &str) -> Result<Vec<PeerView>, ApiError> {
    let id = action::DeviceId::new(device);
    let unknown = || ApiError::new("PH-API-404", format!("there is no device {device:?}; `pilotctl status` lists them"));
    let d = s.network.devices.get(&id).ok_or_else(unknown)?;
    let inventory = &s.network.inventory;
    let configured = d.config.as_ref().and_then(|c| c.model.bgp.as_ref());
    let mut told = Told::of(s, &id, d);
    let lost = as_of(d, s.now);
    let told_at = lost.unwrap_or(s.now);
    let mut rows: Vec<PeerView> = Vec::new();
    let global = |address: &core::net::IpAddr, session: &Session, told: &mut Told<'_>| {
        let opened = session.opened.as_ref();
        let local_asn = opened.and_then(|o| o.local_as).or_else(|| configured.map(|b| b.asn)).unwrap_or(inventory.own_asn);
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
            uptime_s: told_at.since(session.since).as_secs(),
            as_of: lost.map(|t| t.to_string()),
            families: opened.map(|o| o.families.iter().map(ToString::to_string).collect()).unwrap_or_default(),
            hold_time_s: opened.and_then(|o| o.hold_time_s),
            prefixes: prefixes.collect(),
            last_error: session.last_down.clone(),
            flaps: session.flaps,
            distinguisher: bmp::Distinguisher::GLOBAL.to_string(),
            instance: None,
            tables: Vec::new(),
            churn: None,
            statistics: Vec::new(),
            peer_up_information: Vec::new(),
            mirrored: 0,
        }
        .with(told.global(*address))
    };
    for (address, session) in &d.sessions {
        rows.push(global(address, session, &mut told));
    }
    for (key, beside) in told.rest() {
        let opened = beside.peer.and_then(|p| p.session.opened.as_ref());
        let session = beside.peer.map(|p| &p.session);
        let role = if key.kind == bmp::PeerKind::LocRib { "loc_rib" } else { "other instance" };
        let row = PeerView {
            device: id.to_string(),
            address: key.address.to_string(),
            local_address: opened.map(|o| o.local_address.to_string()),
            peer_asn: session.and_then(|s| s.remote_as).map(|a| a.0),
            local_asn: opened.and_then(|o| o.local_as).unwrap_or(inventory.own_asn).0,
            is_ebgp: opened.and_then(|o| o.local_as).zip(session.and_then(|s| s.remote_as)).map(|(local, remote)| local != remote),
            role: role.to_owned(),
            router_id: Some(key.bgp_id.to_string()),
            state: state(session.map_or(SessionState::Idle, |s| s.state)).to_owned(),
            admin_down: false,
            since: session.map_or(units::Timestamp::EPOCH, |s| s.since).to_string(),
            uptime_s: session.map_or(0, |p| told_at.since(p.since).as_secs()),
            as_of: lost.map(|t| t.to_string()),
            families: opened.map(|o| o.families.iter().map(ToString::to_string).collect()).unwrap_or_default(),
            hold_time_s: opened.and_then(|o| o.hold_time_s),
            prefixes: Vec::new(),
            last_error: session.and_then(|s| s.last_down.clone()),
            flaps: session.map_or(0, |s| s.flaps),
            distinguisher: key.distinguisher.to_string(),
            instance: None,
            tables: Vec::new(),
            churn: None,
            statistics: Vec::new(),
            peer_up_information: Vec::new(),
            mirrored: 0,
        };
        rows.push(row.with(beside));
    }
    Ok(rows)
}

/// What BMP told of one peer beside its session.
#[derive(Default)]
struct Beside<'a> {
    peer: Option<&'a BmpPeer>,
    instance: Option<String>,
    tables: Vec<PeerTableView>,
    churn: Option<rib::Churn>,
}

/// What BMP told of the peers of a device that are not shown yet.
struct Told<'a>(BTreeMap<PeerKey, Beside<'a>>);

impl<'a> Told<'a> {
    fn of(s: &'a PilotState, id: &action::DeviceId, d: &'a Device) -> Self {
        let mut all: BTreeMap<PeerKey, Beside<'a>> = BTreeMap::new();
        for (key, peer) in &d.bmp_session.peers {
            let beside = all.entry(*key).or_default();
            (beside.peer, beside.instance) = (Some(peer), peer.instance.clone());
        }
        // a feed that is silent for too long is stale before its transport is gone
        let stale = d.bmp_is_stale(s.now);
        for table in s.network.tables_of(id) {
            let beside = all.entry(table.key.peer).or_default();
            beside.instance = beside.instance.take().or_else(|| table.key.instance.clone());
            beside.tables.extend(table_rows(&table, stale));
            // the tables of a peer come in the order of their views
            beside.churn = beside.churn.take().or_else(|| s.network.tables().churn(table.id, s.now));
        }
        Self(all)
    }

    /// Takes out what belongs to a session of the global instance.
    fn global(&mut self, address: core::net::IpAddr) -> Beside<'a> {
        let ours = |k: &PeerKey| k.kind == bmp::PeerKind::Global && k.distinguisher == bmp::Distinguisher::GLOBAL && k.address == address;
        let mut out = Beside::default();
        for key in self.0.keys().copied().filter(ours).collect::<Vec<_>>() {
            if let Some(part) = self.0.remove(&key) {
                out.peer = part.peer.or(out.peer);
                out.instance = part.instance.or(out.instance);
                out.tables.extend(part.tables);
                out.churn = match (out.churn.take(), part.churn) {
                    (Some(mut all), Some(more)) => {
                        all.add(&more);
                        Some(all)
                    }
                    (all, more) => all.or(more),
                };
            }
        }
        out
    }

    fn rest(self) -> BTreeMap<PeerKey, Beside<'a>> {
        self.0
    }
}

fn table_rows(table: &TableSummary<'_>, stale: bool) -> Vec<PeerTableView> {
    let view = match table.key.view {
        bmp::View::AdjRibInPre => "adj_rib_in_pre",
        bmp::View::AdjRibInPost => "adj_rib_in_post",
        bmp::View::AdjRibOutPre => "adj_rib_out_pre",
        bmp::View::AdjRibOutPost => "adj_rib_out_post",
        bmp::View::LocRib => "loc_rib",
    };
    let kept = table.families.iter().map(|(family, status)| {
        let lost = stale && matches!(status.state, TableState::Initial | TableState::Synced);
        PeerTableView {
            view: view.to_owned(),
            family: bmp::AfiSafi::from(*family).to_string(),
            state: if lost { TableState::Stale } else { status.state }.name().to_owned(),
            since: Some(status.since.to_string()),
            paths: status.routes,
            unconfirmed: status.unconfirmed,
            kept_by: status.kept.map(|h| h.name().to_owned()),
            kept_until: status.kept.map(|h| h.until().to_string()),
        }
    });
    let counted = table.counted.iter().map(|(family, c)| PeerTableView {
        view: view.to_owned(),
        family: family.to_string(),
        state: "counted".to_owned(),
        since: None,
        paths: c.announced + c.unread_updates,
        unconfirmed: c.withdrawn,
        kept_by: None,
        kept_until: None,
    });
    kept.chain(counted).collect()
}

impl PeerView {
    fn with(mut self, beside: Beside<'_>) -> Self {
        self.instance = beside.instance;
        self.tables = beside.tables;
        self.churn = beside.churn.map(ChurnView::from);
        let Some(peer) = beside.peer else { return self };
        let statistic = |((number, family), s): (&(u16, Option<bmp::AfiSafi>), &network::Statistic)| StatisticView {
            number: *number,
            name: s.name.clone(),
            family: family.map(|f| f.to_string()),
            value: s.value,
            at: s.at.to_string(),
        };
        self.statistics = peer.statistics.iter().map(statistic).collect();
        self.peer_up_information = peer.tlvs.iter().map(|t| (t.name.clone(), t.value.clone())).collect();
        self.mirrored = peer.mirrored;
        self
    }
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
#[path = "../../../core/rib/tests/wire/mod.rs"]
mod wire;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorded::Recorded;
    use network::{BmpEvent, Observation};

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
            let table = p.tables.iter().find(|t| t.view == "adj_rib_in_pre" && t.family == family).unwrap();
            assert!(table.paths > 40 && matches!(table.state.as_str(), "initial" | "synced"), "{p:?}");
        }
        assert!(inside.iter().all(|p| p.role == "internal" && p.peer_asn == Some(65_001)), "{inside:?}");
    }

    /// An operator who sees a session down and its routes there must see why, and until when; and no instance may look like another.
    #[test]
    fn kept_routes_and_other_instances_are_shown_as_what_they_are() {
        let mut state = Recorded::seed().state;
        let (p, graceful) = (wire::peer(2), wire::graceful(120, false, true));
        let red = wire::Peer { kind: 1, distinguisher: 7, ..p };
        let at = state.now;
        let mut say = |bytes| {
            let event = BmpEvent::Message { bytes };
            state.network.observe(&Observation::Bmp { device: "r1".into(), event }, at);
        };
        say(wire::peer_up_with(p, &graceful, &graceful, None));
        say(wire::announce(p, &["10.1.0.0/16", "10.2.0.0/16"], 0));
        say(wire::peer_up_with(red, &[], &[], Some("red")));
        say(wire::announce(red, &["10.1.0.0/16"], 0));
        say(wire::peer_down(p, 4, &[]));
        let rows = peers(&state, "r1").unwrap();
        let of = |distinguisher: &str| rows.iter().find(|r| r.address == "10.0.0.2" && r.distinguisher == distinguisher).unwrap();
        let kept = &of("0:0").tables[0];
        assert_eq!((kept.state.as_str(), kept.paths, kept.kept_by.as_deref()), ("stale", 2, Some("graceful_restart")));
        assert_eq!(kept.kept_until.as_ref().unwrap(), &at.plus(core::time::Duration::from_secs(120)).to_string());
        assert_eq!(of("0:0").state, "idle");
        assert_eq!(of("0:0").churn, None, "its dump never ended");
        let other = of("0:7");
        assert_eq!((other.instance.as_deref(), other.state.as_str(), other.tables[0].paths), (Some("red"), "established", 1));
        assert_eq!(other.peer_up_information, [("vrf_table_name".to_owned(), "red".to_owned())]);
    }

    /// Minutes after every feed died nothing is known of a session: its seconds end with what was told, and that is said.
    #[test]
    fn a_router_that_nobody_hears_is_shown_as_of_when_it_was_heard() {
        let mut state = Recorded::seed().state;
        let before = peers(&state, "r1").unwrap();
        assert!(before.iter().all(|p| p.as_of.is_none()), "{before:?}");
        let died = state.now;
        let lost = BmpEvent::Closed { reason: "the cable".to_owned() };
        state.network.observe(&Observation::Bmp { device: "r1".into(), event: lost }, died);
        let gone = network::GnmiEvent::Closed { reason: "the cable".to_owned() };
        state.network.observe(&Observation::Gnmi { device: "r1".into(), event: gone }, died);
        state.now = died.plus(core::time::Duration::from_secs(300));
        let after = peers(&state, "r1").unwrap();
        for (was, is) in before.iter().zip(&after) {
            assert_eq!(is.as_of.as_deref(), Some(died.to_string().as_str()), "{is:?}");
            assert_eq!(is.uptime_s, was.uptime_s, "{is:?}");
        }
        // what is not lost but silent for too long is no more known
        let mut silent = Recorded::seed().state;
        silent.network.devices.get_mut(&"r1".into()).unwrap().bmp_session.statistics_every = Some(core::time::Duration::from_secs(10));
        let fresh = |s: &PilotState| peers(s, "r1").unwrap().iter().flat_map(|p| p.tables.clone()).filter(|t| t.state == "synced").count();
        let heard = |s: &PilotState| crate::intake::intake(s).routers_heard;
        let (tables, routers) = (fresh(&silent), heard(&silent));
        let told = |s: &PilotState| {
            let all = crate::RoutesArguments { device: "r1".to_owned(), view: None, peer: None, prefix: None, limit: Some(1) };
            crate::routes::routes(&s.network, s.now, &all).unwrap().routes
        };
        assert!(told(&silent).iter().all(|r| r["mark"] != "stale"), "{:?}", told(&silent));
        silent.now = died.plus(core::time::Duration::from_secs(300));
        assert!(told(&silent).iter().all(|r| r["mark"] == "stale"), "{:?}", told(&silent));
        // the other two count their statistics as well, and are as silent
        assert!(tables > 0 && routers == 3, "{tables} {routers}");
        assert_eq!((fresh(&silent), heard(&silent)), (0, 0));
        // how far the twin agreed with it is of the same time
        state.agreement.insert("r1".into(), pilot::AgreementRow { compared: 9, equal: 9, ..pilot::AgreementRow::default() });
        let view = crate::call::status(&state);
        assert!(view.to_string().contains(&format!("9 of 9 as of {died}")), "{view}");
    }

    #[test]
    fn a_router_that_is_not_there_is_named() {
        let recorded = Recorded::seed();
        assert_eq!(peers(&recorded.state, "r9").unwrap_err().code, "PH-API-404");
        assert_eq!(peers(&recorded.state, "r4").unwrap(), []);
    }
}
