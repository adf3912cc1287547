//! What the picture knows becomes points with the right tags, times and values; what it does not know becomes none.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says no by panicking")]

use bgp::Asn;
use network::{BmpEvent, DeviceRole, DeviceSpec, ExitSpec, GnmiEvent, Inventory, Network, Observation};
use pilot::{Mode, PilotState, Resume};
use runtime::{Every, Look, ROUTER_POINTS_MAX, measurement, measurements, points, points_since};
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use units::Timestamp;

const BGP: &str = "/network-instances/network-instance[name=default]/protocols/protocol[identifier=BGP][name=BGP]/bgp";

/// Whole minutes begin at multiples of 60.
fn t(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000 + seconds * 1000)
}

struct Scene(PilotState);

impl Scene {
    fn new() -> Self {
        let device = |id: &str| DeviceSpec {
            id: id.into(),
            hostname: id.to_owned(),
            role: DeviceRole::Edge,
            router_id: Ipv4Addr::new(10, 0, 0, 1),
            bmp: None,
            gnmi: None,
            netconf: None,
        };
        let exit = ExitSpec {
            id: "r1-ispa".into(),
            device: "r1".into(),
            provider: "isp-a".into(),
            interface: "eth0".to_owned(),
            remote_as: Asn(65002),
            neighbors: vec![[10, 0, 0, 2].into()],
            capacity_bps: 100_000_000,
            role: None,
        };
        let devices = vec![device("r1"), device("r2")];
        let inventory = Inventory { own_asn: Asn(65001), devices, exits: vec![exit], ..Inventory::empty("test") };
        Self(PilotState::new(Mode::Shadow, Network::new(inventory), &Resume::default(), t(0)))
    }

    fn observe(&mut self, observation: &Observation, at: i64) {
        self.0.now = t(at);
        self.0.network.observe(observation, t(at));
    }

    fn gnmi(&mut self, device: &str, event: GnmiEvent, at: i64) {
        self.observe(&Observation::Gnmi { device: device.into(), event }, at);
    }

    fn tell(&mut self, device: &str, leaves: &[(&str, Value)], at: i64) {
        let update = |(path, value): &(&str, Value)| gnmi::Update { path: path.parse().unwrap(), value: gnmi::Value::Json(value.clone()) };
        let updates = leaves.iter().map(update).collect();
        let notification = gnmi::Notification { timestamp: t(at).nanos(), updates, ..gnmi::Notification::default() };
        self.gnmi(device, GnmiEvent::Notification { notification }, at);
    }

    fn octets(&mut self, at: i64, input: u64, output: u64) {
        let counter = |leaf: &str| format!("/interfaces/interface[name=eth0]/state/counters/{leaf}");
        self.tell("r1", &[(&counter("in-octets"), json!(input)), (&counter("out-octets"), json!(output))], at);
    }

    fn bmp(&mut self, event: BmpEvent, at: i64) {
        self.observe(&Observation::Bmp { device: "r1".into(), event }, at);
    }

    fn say(&mut self, bytes: Vec<u8>, at: i64) {
        self.bmp(BmpEvent::Message { bytes }, at);
    }

    fn pass(&mut self, at: i64) {
        self.0.now = t(at);
        self.0.network.tick(t(at));
    }

    /// Tags, time and value of the points of one measurement.
    fn of(&self, measurement: &str) -> Vec<(String, Timestamp, f64)> {
        let points = points(&self.0).points.into_iter().filter(|p| p.measurement == measurement);
        points.map(|p| (p.tags, p.at, p.value)).collect()
    }
}

fn row(tags: &str, at: i64, value: f64) -> (String, Timestamp, f64) {
    (tags.to_owned(), t(at), value)
}

fn names(look: &Look) -> Vec<&str> {
    let mut names: Vec<&str> = look.points.iter().map(|p| p.measurement.as_str()).collect();
    names.dedup();
    names
}

#[test]
fn nothing_is_known_and_nothing_is_told() {
    assert_eq!(points(&Scene::new().0), Look { at: t(0), ..Look::default() });
}

#[test]
fn the_load_of_a_router_has_the_times_of_its_readings_until_they_are_old() {
    let mut scene = Scene::new();
    scene.gnmi("r1", GnmiEvent::Connected, 0);
    scene.tell("r1", &[("/system/cpus/cpu[index=ALL]/state/total/instant", json!(34))], 1);
    scene.tell("r1", &[("/system/memory/state/physical", json!("8000"))], 2);
    scene.pass(4);
    assert_eq!(scene.of("cpu_utilisation"), [row("router=r1", 1, 0.34)]);
    assert_eq!(scene.of("memory_utilisation"), [], "of a half that is not known there is no share");
    scene.tell("r1", &[("/system/memory/state/used", json!("2000"))], 5);
    assert_eq!(scene.of("memory_utilisation"), [row("router=r1", 5, 0.25)]);
    assert_eq!(scene.of("cpu_utilisation"), [row("router=r1", 1, 0.34)], "no reading came, and none is made up");
    // the stream lives, its CPU is not told any more
    for minute in 1..=16 {
        scene.octets(minute * 60, 0, 0);
        scene.tell("r1", &[("/system/memory/state/used", json!("2000"))], minute * 60);
    }
    assert_eq!(scene.of("cpu_utilisation"), []);
    assert_eq!(scene.of("memory_utilisation").len(), 1);
    scene.pass(960 + 600);
    assert_eq!(points(&scene.0).points, [], "a stream that fell silent says nothing");
}

#[test]
fn parts_are_told_by_component_and_channel_with_names_that_cannot_pass_for_tags() {
    let mut scene = Scene::new();
    scene.gnmi("r1", GnmiEvent::Connected, 0);
    let optic = "/components/component[name=xcvr,1]/transceiver/physical-channels/channel[index=2]/state";
    scene.tell(
        "r1",
        &[
            ("/components/component[name=RE0 100%]/state/temperature/instant", json!(41.5)),
            (&format!("{optic}/input-power/instant"), json!(-3.25)),
            (&format!("{optic}/output-power/instant"), json!(-1.5)),
            (&format!("{optic}/laser-bias-current/instant"), json!(30.0)),
            ("/components/component[name=PSU\u{202e}1]/power-supply/state/output-power", json!(120.0)),
        ],
        1,
    );
    assert_eq!(scene.of("temperature_c"), [row("channel=,component=RE0 100%25,router=r1", 1, 41.5)]);
    assert_eq!(scene.of("optical_input_dbm"), [row("channel=2,component=xcvr%2C1,router=r1", 1, -3.25)]);
    assert_eq!(scene.of("optical_output_dbm"), [row("channel=2,component=xcvr%2C1,router=r1", 1, -1.5)]);
    assert_eq!(scene.of("laser_bias_ma"), [row("channel=2,component=xcvr%2C1,router=r1", 1, 30.0)]);
    assert_eq!(scene.of("supply_output_w"), [row("channel=,component=PSU%E2%80%AE1,router=r1", 1, 120.0)]);
    assert_eq!(scene.of("supply_input_v"), []);
}

#[test]
fn interfaces_are_told_with_their_load_rate_errors_and_state() {
    let mut scene = Scene::new();
    scene.gnmi("r1", GnmiEvent::Connected, 0);
    // 12.5 Mbit/s in, 25 Mbit/s out, of 100
    for second in (0..=66).step_by(2) {
        let seconds = u64::try_from(second).unwrap();
        scene.octets(second, seconds * 1_562_500, seconds * 3_125_000);
    }
    let port = "/interfaces/interface[name=eth0]/state";
    scene.tell("r1", &[(&format!("{port}/oper-status"), json!("DOWN")), (&format!("{port}/counters/in-errors"), json!("7"))], 67);
    scene.pass(68);
    let directed = |direction: &str| format!("direction={direction},interface=eth0,router=r1");
    // S1-069: by router and interface
    assert_eq!(scene.of("interface_utilisation"), [row(&directed("in"), 68, 0.125), row(&directed("out"), 68, 0.25)]);
    assert_eq!(scene.of("interface_rate_bps"), [row(&directed("in"), 60, 12_500_000.0), row(&directed("out"), 60, 25_000_000.0)]);
    assert_eq!(scene.of("interface_errors_total"), [row(&directed("in"), 67, 7.0)], "of the other direction nothing is known");
    assert_eq!(scene.of("interface_up"), [row("interface=eth0,router=r1", 68, 0.0)]);
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[3][..], &u32::try_from(6 + body.len()).unwrap().to_be_bytes(), &[kind], body].concat()
}

fn peer() -> Vec<u8> {
    [&[0; 22][..], &[10, 0, 0, 2], &65002_u32.to_be_bytes(), &[10, 0, 0, 2], &[0; 8]].concat()
}

fn bgp_message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[0xFF; 16][..], &u16::try_from(19 + body.len()).unwrap().to_be_bytes(), &[kind], body].concat()
}

fn peer_up() -> Vec<u8> {
    let open = |asn: u16| bgp_message(1, &[&[4][..], &asn.to_be_bytes(), &[0, 90, 10, 0, 0, 1, 0]].concat());
    message(3, &[&peer()[..], &[0; 12], &[10, 0, 0, 1, 0, 179, 0x9C, 0x40], &open(65001), &open(65002)].concat())
}

/// 203.0.`n`.0/24 by AS 65002.
fn announce(n: u8) -> Vec<u8> {
    let attributes = [0x40, 1, 1, 0, 0x40, 2, 4, 2, 1, 0xFD, 0xEA, 0x40, 3, 4, 10, 0, 0, 2];
    let length = u16::try_from(attributes.len()).unwrap().to_be_bytes();
    message(0, &[peer(), bgp_message(2, &[&[0, 0][..], &length, &attributes, &[24, 203, 0, n]].concat())].concat())
}

#[test]
fn sessions_prefixes_and_routing_updates_are_told_by_peer_while_somebody_sees_them() {
    let mut scene = Scene::new();
    scene.bmp(BmpEvent::Connected, 0);
    scene.say(peer_up(), 1);
    scene.say(announce(113), 1);
    scene.pass(5);
    let session = "instance=,peer=10.0.0.2,router=r1";
    assert_eq!(scene.of("bgp_session_up"), [row(session, 5, 1.0)]);
    assert_eq!(scene.of("bgp_session_flaps_total"), [row(session, 5, 0.0)]);
    assert_eq!(scene.of("prefixes_received"), [row(&format!("family=ipv4,{session},source=bmp_table"), 5, 1.0)]);
    assert_eq!(scene.of("bgp_path_changes"), [], "the first dump is no change");
    assert_eq!((scene.of("interface_up"), scene.of("gnmi_notifications_total"), scene.of("cpu_utilisation")), (vec![], vec![], vec![]));
    scene.say(announce(114), 70);
    scene.pass(121);
    let changes = |field: &str, value| row(&format!("field={field},{session},view=adj_rib_in_pre"), 120, value);
    assert_eq!(scene.of("bgp_path_changes"), [changes("appeared", 1.0), changes("changed", 0.0), changes("withdrawn", 0.0)]);
    let messages = |field: &str, value| row(&format!("field={field},router=r1"), 121, value);
    let expected = [messages("malformed", 0.0), messages("messages", 3.0), messages("peer_events", 1.0), messages("route_updates", 2.0)];
    assert_eq!(scene.of("bmp_messages_total"), expected);
    scene.say(message(2, &[&peer()[..], &[4]].concat()), 130);
    assert_eq!(scene.of("bgp_session_up"), [row(session, 130, 0.0)]);
    assert_eq!(scene.of("bgp_session_flaps_total"), [row(session, 130, 1.0)]);
    assert_eq!(scene.of("prefixes_received"), [], "there is no table to count");
    scene.bmp(BmpEvent::Closed { reason: "reset".to_owned() }, 140);
    assert_eq!(points(&scene.0).points, [], "nobody sees them");
}

#[test]
fn what_the_router_counts_goes_before_what_we_count_and_instances_are_told_apart() {
    let mut scene = Scene::new();
    scene.gnmi("r1", GnmiEvent::Connected, 0);
    let below = |bgp: &str, leaf: &str| format!("{bgp}/neighbors/neighbor[neighbor-address=10.0.0.2]/{leaf}");
    let prefixes = |bgp: &str, leaf: &str| below(bgp, &format!("afi-safis/afi-safi[afi-safi-name=IPV6_UNICAST]/state/prefixes/{leaf}"));
    let red = BGP.replace("default", "red");
    scene.tell(
        "r1",
        &[
            (&below(BGP, "state/session-state"), json!("ESTABLISHED")),
            (&prefixes(BGP, "received"), json!(12)),
            (&prefixes(BGP, "sent"), json!(3)),
            (&below(&red, "state/session-state"), json!("ACTIVE")),
            (&prefixes(&red, "received"), json!(4)),
        ],
        1,
    );
    let tags = |instance: &str| format!("instance={instance},peer=10.0.0.2,router=r1");
    assert_eq!(scene.of("bgp_session_up"), [row(&tags(""), 1, 1.0), row(&tags("red"), 1, 0.0)]);
    let received = |instance: &str, value| row(&format!("family=ipv6,{},source=gnmi", tags(instance)), 1, value);
    assert_eq!(scene.of("prefixes_received"), [received("", 12.0), received("red", 4.0)]);
    assert_eq!(scene.of("prefixes_sent"), [row(&format!("family=ipv6,{}", tags("")), 1, 3.0)]);
    assert_eq!(scene.of("gnmi_notifications_total"), [row("router=r1", 1, 1.0)]);
}

/// S1-067 to S1-069: what is stored is not rounded, what is shown is.
#[test]
fn measurements_are_shown_with_as_many_digits_as_was_asked_for() {
    let shown = |name: &str, value: f64| format!("{value:.*}", measurement(name).unwrap().digits);
    assert_eq!(shown("bgp_latency_ms", 12.345_678), "12.346");
    assert_eq!(shown("bgp_packet_loss", 0.012_345_6), "0.0123");
    assert_eq!(shown("interface_utilisation", 0.456_78), "0.46");
    assert_eq!(shown("bgp_peer_health", 3.0), "3");
}

/// The recorder looks every five seconds: what is told by the minute must not come with every look, and none may be missed.
#[test]
fn a_measurement_by_the_minute_is_due_at_the_first_look_in_each() {
    let mut scene = Scene::new();
    scene.gnmi("r1", GnmiEvent::Connected, 0);
    let mut last = None;
    let (mut each, mut minutes, mut fives) = (0, Vec::new(), Vec::new());
    for second in (3..700).step_by(5) {
        scene.tell(
            "r1",
            &[
                ("/system/cpus/cpu[index=ALL]/state/total/instant", json!(50)),
                ("/interfaces/interface[name=eth0]/state/oper-status", json!("UP")),
                ("/components/component[name=RE0]/state/temperature/instant", json!(40.0)),
            ],
            second,
        );
        let look = points_since(&scene.0, last);
        each += usize::from(names(&look).contains(&"cpu_utilisation"));
        minutes.extend(names(&look).contains(&"interface_up").then_some(second));
        fives.extend(names(&look).contains(&"temperature_c").then_some(second));
        last = Some(look.at);
    }
    assert_eq!(each, 140);
    assert_eq!(minutes, (0..12).map(|m| m * 60 + 3).collect::<Vec<_>>());
    assert_eq!(fives, [3, 303, 603]);
}

#[test]
fn what_is_beyond_the_bounds_is_counted_and_leaves_room_for_the_others() {
    let mut scene = Scene::new();
    for device in ["r1", "r2"] {
        scene.gnmi(device, GnmiEvent::Connected, 0);
    }
    let many: Vec<(String, Value)> = (0..ROUTER_POINTS_MAX + 5)
        .map(|n| (format!("/components/component[name=c{n}]/state/temperature/instant"), json!(40.0)))
        .chain([(format!("/components/component[name={}]/state/used-power", "x".repeat(201)), json!(1.0))])
        .collect();
    let many: Vec<(&str, Value)> = many.iter().map(|(path, value)| (path.as_str(), value.clone())).collect();
    scene.tell("r1", &many, 1);
    scene.tell("r1", &[("/system/cpus/cpu[index=ALL]/state/total/instant", json!(50))], 1);
    scene.tell("r2", &[("/components/component[name=RE0]/state/temperature/instant", json!(39.0))], 1);
    let look = points(&scene.0);
    let bounded = |router: &str| {
        let rows = look.points.iter().filter(|p| measurement(&p.measurement).unwrap().every != Every::Turn);
        rows.filter(|p| p.tags.ends_with(router)).count()
    };
    // one place of r1 is its gNMI count's; beyond: 6 temperatures, and a name that is too long
    assert_eq!((bounded("router=r1"), bounded("router=r2"), look.left_out), (ROUTER_POINTS_MAX, 2, 7), "{:?}", names(&look));
    assert!(look.points.iter().any(|p| p.tags == "channel=,component=RE0,router=r2"));
    assert_eq!(scene.of("cpu_utilisation").len(), 1);
}

#[test]
fn every_point_is_of_a_known_measurement_with_its_tags_in_order_and_the_document_names_all() {
    let mut seen = std::collections::BTreeSet::new();
    let document = include_str!("../../../../docs/measurements.md");
    for m in measurements() {
        assert!(m.tags.is_sorted() && seen.insert(m.name), "{m:?}");
        assert_eq!(measurement(m.name), Some(m));
        let line =
            document.lines().find(|l| l.starts_with(&format!("| `{}` |", m.name))).unwrap_or_else(|| panic!("{} is missing", m.name));
        let cells: Vec<&str> = line.split(" | ").collect();
        assert_eq!(cells.get(1), Some(&m.unit), "{line}");
        assert!(m.tags.iter().all(|tag| cells.get(2).is_some_and(|c| c.contains(&format!("`{tag}`")))), "{line}: {:?}", m.tags);
    }
    assert_eq!(document.lines().filter(|l| l.starts_with("| `")).count(), seen.len(), "the document names no others");
}
