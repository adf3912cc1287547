//! `pilotctl bench gnmi`: leaves a second from bytes into the picture on one core, and many targets at once.

mod targets;

use crate::exit::{Context, Ended, Failure, Outcome};
use gnmi::{Notification, Profile, Repairs, Tree};
use gnmi_wire::wire::{self, subscribe_response::Response, typed_value::Value as Wire};
use network::{GnmiEvent, Network, Observation};
use prost::Message;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use units::Timestamp;

/// Measurements of each kind; the median counts, because other programs share the machine.
const ROUNDS: usize = 3;
/// Interfaces of the made-up device: a large chassis with its subinterfaces.
const INTERFACES: usize = 1000;
/// Leaves that the store beside the picture takes.
const LEAVES_MAX: usize = 1_000_000;
/// Counters of openconfig-interfaces that a device streams for each interface.
const COUNTERS: [&str; 14] = [
    "in-octets",
    "in-pkts",
    "in-unicast-pkts",
    "in-broadcast-pkts",
    "in-multicast-pkts",
    "in-errors",
    "in-discards",
    "out-octets",
    "out-pkts",
    "out-unicast-pkts",
    "out-broadcast-pkts",
    "out-multicast-pkts",
    "out-errors",
    "out-discards",
];

/// Arguments of `bench gnmi`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Length of each measurement.
    #[arg(long, value_name = "SECONDS", default_value_t = 3)]
    seconds: u64,
    /// Targets that are watched at once, over loopback sockets.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1000))]
    targets: u32,
}

/// Leaves a second of one encoding.
#[derive(Debug, Serialize)]
struct Row {
    encoding: &'static str,
    leaves_per_message: usize,
    /// Bytes to values, canonical paths, repairs, and into the picture.
    into_picture_per_s: f64,
    /// The same into the generic path tree, where every leaf is kept.
    into_tree_per_s: f64,
    /// The reference: prost's decoding of the same bytes alone.
    prost_alone_per_s: f64,
    /// Into the picture against the reference.
    ratio: f64,
}

#[derive(Debug, Serialize)]
struct Report {
    machine: String,
    rows: Vec<Row>,
    targets: targets::Watched,
}

/// Runs `bench gnmi`.
pub fn run(context: &Context, arguments: &Arguments) -> Ended {
    if cfg!(debug_assertions) {
        eprintln!("this is a build without optimisation; its figures say little: cargo build --release --package cli");
    }
    let length = Duration::from_secs(arguments.seconds.max(1));
    let rows = [("PROTO", false), ("JSON_IETF", true)].map(|(name, json)| row(name, &messages(json), length));
    let rows = rows.into_iter().collect::<Result<Vec<_>, _>>()?;
    let watched = targets::watch(arguments.targets, length)?;
    let report = Report { machine: super::machine(), rows, targets: watched };
    if context.json {
        crate::engine::print_json(&report);
        return Ok(Outcome::Done);
    }
    println!("{}", report.machine);
    for r in &report.rows {
        println!(
            "{:9} {} leaves a message: {:.0} k leaves/s into the picture, {:.0} k/s into the tree; decoding alone (prost) {:.0} k/s, {:.2} × that",
            r.encoding,
            r.leaves_per_message,
            r.into_picture_per_s / 1e3,
            r.into_tree_per_s / 1e3,
            r.prost_alone_per_s / 1e3,
            r.ratio
        );
    }
    println!("{}", report.targets);
    Ok(Outcome::Done)
}

/// One message for each interface, as a device streams its counters.
fn messages(json: bool) -> Vec<Vec<u8>> {
    (0..INTERFACES).map(|n| response(n, json, 1_800_000_000_000_000_000).encode_to_vec()).collect()
}

/// The counters of interface `n` at a time, nanoseconds since the Unix epoch.
pub(super) fn response(n: usize, json: bool, timestamp: i64) -> wire::SubscribeResponse {
    let elem = |name: &str| wire::PathElem { name: name.to_owned(), key: BTreeMap::new().into_iter().collect() };
    let key = [("name".to_owned(), format!("Ethernet{}/{}", n / 48 + 1, n % 48 + 1))];
    let interface = wire::PathElem { name: "interface".to_owned(), key: key.into_iter().collect() };
    let counters = vec![elem("interfaces"), interface, elem("state"), elem("counters")];
    let path = |elem| Some(wire::Path { elem, ..wire::Path::default() });
    let value = |k: usize| 1_000_003 * n as u64 + k as u64;
    let update = if json {
        let object: serde_json::Map<String, serde_json::Value> =
            COUNTERS.iter().enumerate().map(|(k, c)| ((*c).to_owned(), value(k).to_string().into())).collect();
        let bytes = serde_json::Value::Object(object).to_string().into_bytes();
        vec![wire::Update {
            path: path(vec![]),
            val: Some(wire::TypedValue { value: Some(Wire::JsonIetfVal(bytes)) }),
            ..Default::default()
        }]
    } else {
        let leaf = |(k, name): (usize, &&str)| wire::Update {
            path: path(vec![elem(name)]),
            val: Some(wire::TypedValue { value: Some(Wire::UintVal(value(k))) }),
            ..wire::Update::default()
        };
        COUNTERS.iter().enumerate().map(leaf).collect()
    };
    let prefix = Some(wire::Path { origin: "openconfig".to_owned(), elem: counters, ..wire::Path::default() });
    let notification = wire::Notification { timestamp, prefix, update, ..wire::Notification::default() };
    wire::SubscribeResponse { response: Some(Response::Update(notification)), ..wire::SubscribeResponse::default() }
}

fn row(encoding: &'static str, messages: &[Vec<u8>], length: Duration) -> Result<Row, Failure> {
    let profile = profile()?;
    let device: action::DeviceId = "r1".into();
    let mut network = Network::new(crate::collect::bare_inventory(&device, 65_001));
    let mut tree = Tree::new(LEAVES_MAX);
    let (mut picture, mut kept, mut alone) = (Vec::new(), Vec::new(), Vec::new());
    let mut now = 1_800_000_000_000;
    for _ in 0..ROUNDS {
        alone.push(rate(messages, length, |bytes| {
            std::hint::black_box(wire::SubscribeResponse::decode(bytes).is_ok());
        }));
        let mut repairs = Repairs::only(profile.repairs.iter().copied());
        picture.push(rate(messages, length, |bytes| {
            now += 1;
            if let Some(notification) = normalised(bytes, &profile, &mut repairs) {
                let event = GnmiEvent::Notification { notification };
                network.observe(&Observation::Gnmi { device: device.clone(), event }, Timestamp::from_millis(now));
            }
        }));
        kept.push(rate(messages, length, |bytes| {
            if let Some(notification) = normalised(bytes, &profile, &mut repairs) {
                tree.apply(&notification);
            }
        }));
    }
    let held = network.devices.get(&device).map_or(0, |d| d.interfaces.len());
    if held != INTERFACES || tree.len() != INTERFACES * COUNTERS.len() {
        let what = format!("the picture holds {held} interfaces and the tree {} leaves of what was sent; report it", tree.len());
        return Err(Failure::new("PH-CLI-070", what));
    }
    let (into_picture_per_s, prost_alone_per_s) = (super::median(picture), super::median(alone));
    Ok(Row {
        encoding,
        leaves_per_message: COUNTERS.len(),
        into_picture_per_s,
        into_tree_per_s: super::median(kept),
        prost_alone_per_s,
        ratio: into_picture_per_s / prost_alone_per_s,
    })
}

/// What the collector makes of a message.
fn normalised(bytes: &[u8], profile: &Profile, repairs: &mut Repairs) -> Option<Notification> {
    let Response::Update(wire) = wire::SubscribeResponse::decode(bytes).ok()?.response? else { return None };
    let (notification, errors) = gnmi_wire::notification_from_wire(&wire);
    std::hint::black_box(errors);
    let mut notification = profile.canonical(notification);
    if !profile.repairs.is_empty() {
        repairs.notification(&mut notification, 1_800_000_000_000_000_000);
    }
    Some(notification)
}

fn profile() -> Result<Profile, Failure> {
    let chosen = Profile::all().and_then(|all| Profile::choose(&all, &[], None).cloned());
    chosen.map_err(|e| Failure::from_error("PH-CLI-071", &e))
}

/// Leaves a second of what `each` does, message after message, for `length`.
fn rate(messages: &[Vec<u8>], length: Duration, mut each: impl FnMut(&[u8])) -> f64 {
    let begun = Instant::now();
    let mut leaves = 0;
    while begun.elapsed() < length {
        for bytes in messages {
            each(bytes);
            leaves += COUNTERS.len();
        }
    }
    leaves as f64 / begun.elapsed().as_secs_f64()
}
