//! What is measured, as points of series. What is stale or was not measured gives no point: a gap.

use network::{ProbeKey, SessionState};
use pilot::PilotState;
use std::time::Duration;
use store::Point;

/// Time between two points of a series, and the window that a point is the mean of.
pub const EVERY: Duration = Duration::from_secs(5);
const WINDOW_S: u32 = 5;

/// One-way delay of a path in milliseconds; tags `exit`, `family`, `group`, `isp`, `router`.
const LATENCY: &str = "bgp_latency_ms";
/// Share of the packets that a path lost, 0–1; tags as above.
const LOSS: &str = "bgp_packet_loss";
/// Load of an interface by its capacity, 0–1; tags `direction`, `interface`, `router`.
const UTILISATION: &str = "interface_utilisation";
/// BGP sessions of a router; tags `field` (`total`, `down`), `router`.
const PEERS: &str = "bgp_peer_health";
/// Health score of a router, 0–1; tag `router`.
const HEALTH: &str = "device_health";

/// Returns the points of this moment.
pub fn points(s: &PilotState) -> Vec<Point> {
    let mut out = Vec::new();
    let mut add = |measurement: &str, tags: String, value: Option<f64>| {
        out.extend(value.map(|value| Point { measurement: measurement.to_owned(), tags, at: s.now, value }));
    };
    let fresh = |device: &action::DeviceId| s.network.devices.get(device).filter(|d| !d.gnmi_is_stale(s.now));
    for key in s.network.probes.keys().filter(|k| fresh(&k.device).is_some()) {
        let window = s.network.probe_window(key, s.now, WINDOW_S);
        add(LATENCY, path(s, key), window.delay_ms);
        add(LOSS, path(s, key), window.loss);
    }
    for exit in &s.network.inventory.exits {
        let interface = fresh(&exit.device).and_then(|d| d.interfaces.get(&exit.interface));
        let rates = interface.and_then(|i| i.rate_bps).filter(|_| exit.capacity_bps > 0);
        #[allow(clippy::cast_precision_loss, reason = "a capacity in bit/s")]
        let share = |bps: f64| bps / exit.capacity_bps as f64;
        for (direction, bps) in [("in", rates.map(|r| r.0)), ("out", rates.map(|r| r.1))] {
            let tags = format!("direction={direction},interface={},router={}", exit.interface, exit.device);
            add(UTILISATION, tags, bps.map(share));
        }
    }
    for (id, device) in s.network.devices.iter().filter(|(_, d)| !d.gnmi_is_stale(s.now) || !d.bmp_is_stale(s.now)) {
        let down = device.sessions.values().filter(|x| x.state != SessionState::Established).count();
        for (field, count) in [("total", device.sessions.len()), ("down", down)] {
            add(PEERS, format!("field={field},router={id}"), u32::try_from(count).ok().map(f64::from));
        }
        let score = fresh(id).and_then(|_| s.perception.health(&s.network, id)).map(|h| h.score.get());
        add(HEALTH, format!("router={id}"), score);
    }
    out
}

/// Tags of a path, sorted by key. A path that follows the routing has no exit and no provider.
fn path(s: &PilotState, key: &ProbeKey) -> String {
    let family = match key.family {
        bgp::Family::Ipv4Unicast => "ipv4",
        bgp::Family::Ipv6Unicast => "ipv6",
    };
    let provider = key.exit.as_ref().and_then(|e| s.network.inventory.exit(e)).map_or("", |e| e.provider.as_str());
    let exit = key.exit.as_ref().map_or("", |e| e.as_str());
    format!("exit={exit},family={family},group={},isp={provider},router={}", key.group, key.device)
}
