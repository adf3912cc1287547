//! Routes of one router as they are known now, by view and peer (S1-023).

use crate::view::ApiError;
use action::DeviceId;
use bgp::{Family, Prefix};
use bmp::View;
use core::net::IpAddr;
use network::Network;
use rib::{Mark, Rib, Route, RouterId, TableKey};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use units::Timestamp;

/// Routes given at once unless told.
pub const ROUTES_USUAL: u32 = 1000;
/// Routes given at once at most: an answer is for reading, a full table is for `capture export`.
pub const ROUTES_MAX: u32 = 100_000;

/// Which routes are wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoutesArguments {
    /// The router.
    pub device: String,
    /// Only this view.
    #[serde(default)]
    pub view: Option<View>,
    /// Only the peer with this address.
    #[serde(default)]
    pub peer: Option<IpAddr>,
    /// Only this prefix.
    #[serde(default)]
    pub prefix: Option<Prefix>,
    /// How many at most, [`ROUTES_USUAL`] unless told, [`ROUTES_MAX`] at most.
    #[serde(default)]
    pub limit: Option<u32>,
}

impl RoutesArguments {
    /// Says whether routes of a table are wanted, by its view and peer.
    #[must_use]
    pub fn holds(&self, key: &TableKey) -> bool {
        self.view.is_none_or(|v| v == key.view) && self.peer.is_none_or(|p| p == key.peer.address)
    }
}

/// Routes by table, then family, prefix and path identifier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoutesView {
    /// One object a route, as `pilotctl rib --json` prints them.
    pub routes: Vec<Value>,
    /// How many more there are.
    pub more: u64,
}

/// Lists routes of a router: what BMP told, and the Loc-RIB by gNMI where BMP told none.
///
/// # Errors
/// PH-API-404 without such a router.
pub(crate) fn routes(network: &Network, now: Timestamp, wanted: &RoutesArguments) -> Result<RoutesView, ApiError> {
    let id = DeviceId::new(&wanted.device);
    let unknown = || ApiError::new("PH-API-404", format!("there is no device {:?}; `pilotctl status` lists them", wanted.device));
    let device = network.devices.get(&id).ok_or_else(unknown)?;
    let limit = usize::try_from(wanted.limit.unwrap_or(ROUTES_USUAL).min(ROUTES_MAX)).unwrap_or(usize::MAX);
    let mut out = RoutesView { routes: Vec::new(), more: 0 };
    let mut add = |row: &dyn Fn() -> Value| {
        if out.routes.len() < limit {
            out.routes.push(row());
        } else {
            out.more += 1;
        }
    };
    let rib = network.tables();
    // a feed that is silent for too long is stale before its transport is gone
    let silent = device.bmp_is_stale(now);
    let row = |key: &TableKey, route: &Route<'_>| {
        let mut row = route_row(rib, key, route);
        if silent && route.mark() == Mark::Confirmed {
            row["mark"] = spelled(&Mark::Stale);
        }
        row
    };
    let mut bmp_told_loc_rib = false;
    for table in network.tables_of(&id) {
        bmp_told_loc_rib |= table.key.view == View::LocRib;
        if !wanted.holds(table.key) {
            continue;
        }
        match &wanted.prefix {
            Some(prefix) => rib.exact_in(table.id, prefix).for_each(|r| add(&|| row(table.key, &r))),
            None => {
                let families = [Family::Ipv4Unicast, Family::Ipv6Unicast].into_iter();
                families.flat_map(|f| rib.of_table(table.id, f)).for_each(|r| add(&|| row(table.key, &r)));
            }
        }
    }
    if !bmp_told_loc_rib && wanted.peer.is_none() && wanted.view.is_none_or(|v| v == View::LocRib) {
        for (prefix, route) in device.loc_rib.iter().filter(|(p, _)| wanted.prefix.is_none_or(|w| w == **p)) {
            add(&|| {
                by_gnmi(&wanted.device, prefix, &route.attributes, if device.gnmi_is_stale(now) { Mark::Stale } else { Mark::Confirmed })
            });
        }
    }
    Ok(out)
}

/// A route of a Loc-RIB that openconfig-rib-bgp told: what only BMP tells is null.
fn by_gnmi(device: &str, prefix: &Prefix, attributes: &bgp::PathAttributes, mark: Mark) -> Value {
    serde_json::json!({
        "router": device, "peer": null, "peer_type": "loc_rib", "distinguisher": null, "bgp_id": null, "instance": null,
        "view": spelled(&View::LocRib), "afi_safi": prefix.family().to_string(), "prefix": prefix.to_string(), "path_id": null,
        "next_hop": attributes.next_hop.map(|h| h.to_string()), "since": null, "mark": spelled(&mark), "source": "gnmi",
        "attributes": bmp::json::attributes(attributes, &bmp::MonitoredExtra::default()),
    })
}

/// Returns what names a table in every row of it.
#[must_use]
pub fn table_row(rib: &Rib, router: RouterId, key: &TableKey) -> Map<String, Value> {
    let mut out = Map::new();
    for (name, value) in [
        ("router", rib.name(router).into()),
        ("peer", key.peer.address.to_string().into()),
        ("peer_type", spelled(&key.peer.kind)),
        ("distinguisher", key.peer.distinguisher.to_string().into()),
        ("bgp_id", key.peer.bgp_id.to_string().into()),
        ("instance", key.instance.clone().into()),
        ("view", spelled(&key.view)),
    ] {
        out.insert(name.to_owned(), value);
    }
    out
}

/// Returns a route as `pilotctl rib --json` prints it: `{router, peer, …, view, afi_safi, prefix, path_id, next_hop, since, mark, attributes}`.
#[must_use]
pub fn route_row(rib: &Rib, key: &TableKey, route: &Route<'_>) -> Value {
    let attributes = route.attributes();
    let mut out = table_row(rib, key.router, key);
    for (name, value) in [
        ("afi_safi", route.prefix().family().to_string().into()),
        ("prefix", route.prefix().to_string().into()),
        ("path_id", route.path_id().into()),
        ("next_hop", attributes.path.next_hop.map(|h| h.to_string()).into()),
        ("since", route.since().to_string().into()),
        ("mark", spelled(&route.mark())),
        ("attributes", bmp::json::attributes(&attributes.path, &attributes.extra)),
    ] {
        out.insert(name.to_owned(), value);
    }
    out.into()
}

/// A value as JSON spells it; null where it cannot be spelled.
fn spelled(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}
