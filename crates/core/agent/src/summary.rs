//! The state of a device as fixed text.
//!
//! ```text
//! Device: edge-router-01 (frr, edge)
//! System: CPU 34% | Memory 38% (6.1/16.0 GB) | Temp unknown
//!
//! Interfaces (12 up, 1 down, 2 admin-down)
//!   DOWN: Ethernet7
//!   HIGH-UTIL: Ethernet1 — 78% in, 12% out
//!
//! BGP (4/5 peers established)
//!   DOWN: 10.0.0.5 (AS65010)
//!   Total prefixes: 847,291
//! ```

use crate::words::{self, grouped, name, percent};
use action::DeviceId;
use network::{Device, DeviceRole, Freshness, Network, Session, SessionState};
use std::fmt::Write;
use units::Timestamp;

/// Share of its capacity, in either direction, above which an interface is listed as highly used.
pub const HIGH_UTIL: f64 = 0.70;

/// Returns the state summary of a device; `None` for a device that the inventory does not have. What is not known says so; a feed that
/// is stale adds a line.
#[must_use]
pub fn summary(network: &Network, id: &DeviceId, now: Timestamp) -> Option<String> {
    let (spec, device) = (network.inventory.device(id)?, network.devices.get(id)?);
    let mut out = String::new();
    // a String takes every write
    let _ = writeln!(out, "Device: {} ({}, {})", spec.hostname, system_name(device), role(spec.role));
    let _ = writeln!(out, "{}", system(device));
    interfaces(&mut out, network, id, device);
    peers(&mut out, device);
    for (feed, stale, freshness) in [("gNMI", device.gnmi_is_stale(now), device.gnmi), ("BMP", device.bmp_is_stale(now), device.bmp)] {
        let expected = if feed == "gNMI" { spec.gnmi.is_some() } else { spec.bmp.is_some() };
        match freshness {
            Freshness::Unknown if expected => {
                let _ = writeln!(out, "\n{feed} has never answered");
            }
            _ if stale && freshness != Freshness::Unknown => {
                let since = freshness.last().map_or_else(|| "unknown".to_owned(), words::clock);
                let _ = writeln!(out, "\n{feed} is stale: everything from it is as of {since}");
            }
            _ => {}
        }
    }
    Some(out)
}

/// FRR's configuration names it in its first lines; other systems are not told apart yet.
fn system_name(device: &Device) -> &'static str {
    let known =
        device.config.as_ref().is_some_and(|c| c.text.lines().any(|l| l.starts_with("frr version") || l.starts_with("frr defaults")));
    if known { "frr" } else { "os unknown" }
}

/// Returns the role's word.
#[must_use]
pub const fn role(role: DeviceRole) -> &'static str {
    match role {
        DeviceRole::Edge => "edge",
        DeviceRole::Reflector => "reflector",
        DeviceRole::Spine => "spine",
    }
}

pub(crate) fn system(device: &Device) -> String {
    let share = |used: Option<f64>| used.map_or_else(|| "unknown".to_owned(), percent);
    let memory = match device.memory_bytes() {
        Some((used, physical)) if device.memory.is_some() => {
            format!("{} ({}/{} GB)", share(device.memory), gigabytes(used), gigabytes(physical))
        }
        _ => share(device.memory),
    };
    // no feed delivers a temperature yet
    format!("System: CPU {} | Memory {memory} | Temp unknown", share(device.cpu))
}

#[allow(clippy::cast_precision_loss, reason = "display")]
fn gigabytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / 1_073_741_824.0)
}

/// Returns load per direction as share of capacity, where both are known: (in, out).
pub(crate) fn utilisation(network: &Network, id: &DeviceId, interface: &str) -> Option<(f64, f64)> {
    let exit = network.inventory.exits.iter().find(|e| &e.device == id && e.interface == interface)?;
    let (input, output) = network.devices.get(id)?.interfaces.get(interface)?.rate_bps?;
    #[allow(clippy::cast_precision_loss, reason = "capacities are far below 2^52")]
    let capacity = exit.capacity_bps as f64;
    (capacity > 0.0).then(|| (input / capacity, output / capacity))
}

fn interfaces(out: &mut String, network: &Network, id: &DeviceId, device: &Device) {
    let (mut up, mut shut, mut unknown) = (0, 0, 0);
    let mut down = Vec::new();
    for (interface, state) in &device.interfaces {
        match (state.admin_up, state.oper_up) {
            (Some(false), _) => shut += 1,
            (_, Some(true)) => up += 1,
            (_, Some(false)) => down.push(interface),
            (_, None) => unknown += 1,
        }
    }
    let unknown = if unknown > 0 { format!(", {unknown} unknown") } else { String::new() };
    let _ = writeln!(out, "\nInterfaces ({up} up, {} down, {shut} admin-down{unknown})", down.len());
    for interface in down {
        let _ = writeln!(out, "  DOWN: {}", name(interface));
    }
    for interface in device.interfaces.keys() {
        if let Some((input, output)) = utilisation(network, id, interface).filter(|(i, o)| *i > HIGH_UTIL || *o > HIGH_UTIL) {
            let _ = writeln!(out, "  HIGH-UTIL: {} — {} in, {} out", name(interface), percent(input), percent(output));
        }
    }
}

fn peers(out: &mut String, device: &Device) {
    let is_up = |s: &Session| s.state == SessionState::Established;
    let up = device.sessions.values().filter(|s| is_up(s)).count();
    let _ = writeln!(out, "\nBGP ({up}/{} peers established)", device.sessions.len());
    for (address, session) in device.sessions.iter().filter(|(_, s)| !is_up(s)) {
        let asn = session.remote_as.map_or_else(|| "AS unknown".to_owned(), |asn| format!("AS{}", asn.0));
        let label = if session.admin_down { "ADMIN-DOWN" } else { "DOWN" };
        let _ = writeln!(out, "  {label}: {address} ({asn})");
    }
    let routes = total_prefixes(device).map_or_else(|| "unknown".to_owned(), grouped);
    let _ = writeln!(out, "  Total prefixes: {routes}");
}

/// Returns the prefixes that the router has a best route for. An empty table counts as zero only when no peer sent anything.
pub(crate) fn total_prefixes(device: &Device) -> Option<u64> {
    if !device.loc_rib.is_empty() {
        return Some(device.loc_rib.len() as u64);
    }
    let silent = |s: &Session| s.state != SessionState::Established || (!s.received.is_empty() && s.received.values().all(|n| *n == 0));
    (device.gnmi != Freshness::Unknown && device.sessions.values().all(silent)).then_some(0)
}
