//! The routers' own tables, asked over vtysh, against those that the twin solves from what the engine was told.

use crate::exit::Failure;
use action::DeviceId;
use bgp::{Family, PathAttributes, Prefix};
use case::frr::{Shown, ShownPath, ShownPrefix};
use core::net::IpAddr;
use lab::netns::LabInstance;
use network::{LocRoute, Network};
use runtime::Handle;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use twin::{ForwardingResult, Picture, Twin};

/// The tables must have come to rest by then: what changes while it is looked at says nothing.
const REST_WITHIN: Duration = Duration::from_secs(20);
/// Both commands in one session of vtysh.
const SHOW: [&str; 2] = ["show bgp ipv4 unicast json detail", "show bgp ipv6 unicast json detail"];

/// How far the twin and one router's own tables are equal, both families.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Row {
    /// The router.
    pub device: String,
    /// Prefixes that either has.
    pub compared: u64,
    /// Prefixes with the same best path.
    pub equal: u64,
    /// Prefixes that leave by the same exit, or by none on both sides.
    pub same_exit: u64,
    /// What differs.
    pub differences: Vec<String>,
}

/// What the routers say at one moment: tables, and the exit of each prefix that has one.
#[derive(PartialEq)]
struct Told {
    tables: BTreeMap<DeviceId, BTreeMap<Prefix, PathAttributes>>,
    exits: BTreeMap<DeviceId, BTreeMap<Prefix, String>>,
}

/// Compares every router of the laboratory.
pub async fn compare(lab: &LabInstance, engine: &Handle) -> Result<Vec<Row>, Failure> {
    let deadline = Instant::now() + REST_WITHIN;
    loop {
        let before = ask(lab).await?;
        let network = engine.read(|s| s.network.clone()).await.map_err(|e| Failure::from_error("PH-RUN-004", &e))?;
        let after = ask(lab).await?;
        if before == after {
            return rows(&network, after);
        }
        if Instant::now() > deadline {
            let text = format!("the routers' tables still change {} s after the end of the scenario", REST_WITHIN.as_secs());
            return Err(Failure::new("PH-LAB-014", text));
        }
    }
}

async fn ask(lab: &LabInstance) -> Result<Told, Failure> {
    let lab = lab.clone();
    let asked = tokio::task::spawn_blocking(move || told(&lab)).await;
    asked.map_err(|e| Failure::from_error("PH-LAB-004", &e))?
}

fn told(lab: &LabInstance) -> Result<Told, Failure> {
    let failed = |e: &dyn std::error::Error| Failure::from_error("PH-LAB-004", e);
    let (mut tables, mut exits) = (BTreeMap::new(), BTreeMap::new());
    for device in &lab.inventory.devices {
        let text = lab.vtysh(device.id.as_str(), &SHOW).map_err(|e| failed(&e))?;
        let shown = Shown::read(&text).map_err(|e| failed(&e))?;
        tables.insert(device.id.clone(), best_paths(&shown));
        let by = exits.entry(device.id.clone()).or_insert_with(BTreeMap::new);
        for family in [Family::Ipv4Unicast, Family::Ipv6Unicast] {
            by.extend(lab.best_exits(device.id.as_str(), family).map_err(|e| failed(&e))?);
        }
    }
    Ok(Told { tables, exits })
}

fn best_paths(shown: &Shown) -> BTreeMap<Prefix, PathAttributes> {
    let best = |(prefix, rows): (&String, &ShownPrefix)| {
        let path = rows.paths.iter().find(|p| p.is_best())?;
        Some((prefix.parse().ok()?, attributes(path)))
    };
    shown.detail.iter().chain(&shown.detail_v6).filter_map(best).collect()
}

/// What FRR shows of a path, as far as tables are compared by it.
fn attributes(path: &ShownPath) -> PathAttributes {
    let link_local = |a: &IpAddr| matches!(a, IpAddr::V6(a) if a.is_unicast_link_local());
    let communities = path.community.iter().flat_map(|c| c.string.split(' ')).filter_map(|w| w.parse().ok());
    PathAttributes {
        as_path: path.as_path().parse().unwrap_or_default(),
        next_hop: path.nexthops.iter().map(|n| n.ip).find(|a| !link_local(a)),
        local_pref: path.local_pref,
        med: path.metric,
        communities: communities.collect(),
        ..PathAttributes::default()
    }
}

fn rows(network: &Network, told: Told) -> Result<Vec<Row>, Failure> {
    let picture = Picture::of(network).map_err(|e| Failure::from_error("PH-LAB-015", &e))?;
    let twin = Twin::new(&picture);
    // the same comparison as the engine's own, over what the routers say here in place of what they told it
    let mut own = network.clone();
    for (device, table) in told.tables {
        let routes: BTreeMap<Prefix, LocRoute> = table.into_iter().map(|(p, a)| (p, LocRoute { attributes: Arc::new(a) })).collect();
        own.devices.entry(device).or_default().loc_rib = Arc::new(routes);
    }
    let agreement = twin.agreement(&own);
    let row = |(device, a): (DeviceId, twin::Agreement)| {
        let none = BTreeMap::new();
        let theirs = told.exits.get(&device).unwrap_or(&none);
        let held = own.devices.get(&device).map(|d| Arc::clone(&d.loc_rib)).unwrap_or_default();
        let prefixes: BTreeSet<Prefix> = twin.prefixes().filter(|p| twin.best(&device, p).is_some()).chain(held.keys().copied()).collect();
        let mut row = Row { device: device.to_string(), compared: a.compared, equal: a.equal, ..Row::default() };
        row.differences.extend(a.differences.iter().map(ToString::to_string));
        for prefix in prefixes {
            let ours = match twin.exit_of(&device, &prefix) {
                ForwardingResult::Exit { exit } => Some(exit.to_string()),
                _ => None,
            };
            let theirs = theirs.get(&prefix);
            if ours.as_ref() == theirs {
                row.same_exit += 1;
            } else {
                row.differences.push(format!("{prefix}: leaves by {ours:?} in the twin, by {theirs:?} by the routers"));
            }
        }
        row
    };
    Ok(agreement.into_iter().map(row).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two paths as FRR 8.4.4 prints them, shortened; the second is the best.
    const TABLE: &str = r#"{"routes":{"203.0.113.0/24":[{"prefix":"203.0.113.0/24"},
        {"aspath":{"string":"1234 64500"},"origin":"IGP","metric":0,"locPrf":100,"valid":true,"nexthops":[{"ip":"172.31.1.1"}],"peer":{"peerId":"172.31.1.1"}},
        {"aspath":{"string":"5678 64500"},"origin":"IGP","metric":7,"locPrf":150,"valid":true,"bestpath":{"overall":true,"selectionReason":"Local Pref"},
         "community":{"string":"65001:100 no-export"},"nexthops":[{"ip":"172.31.2.1"}],"peer":{"peerId":"172.31.2.1"}}]}}
        {"routes":{"2001:db8::/48":[{"prefix":"2001:db8::/48"},{"aspath":{"string":"Local"},"origin":"IGP","valid":true,"bestpath":{"overall":true},
         "nexthops":[{"ip":"fe80::1"},{"ip":"::"}],"peer":{"peerId":"::"}}]}}"#;

    #[test]
    fn the_best_path_is_read_with_all_that_is_compared() {
        let table = best_paths(&Shown::read(TABLE).unwrap());
        let four = &table[&"203.0.113.0/24".parse().unwrap()];
        assert_eq!((four.as_path.to_string().as_str(), four.local_pref, four.med), ("5678 64500", Some(150), Some(7)));
        assert_eq!((four.next_hop, four.communities.len()), ("172.31.2.1".parse().ok(), 2));
        let six = &table[&"2001:db8::/48".parse().unwrap()];
        assert!(six.as_path.to_string().is_empty() && six.next_hop == "::".parse().ok());
    }
}
