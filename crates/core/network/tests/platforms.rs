//! Load and memory as each platform tells them, in the words and numbers of its own documents and recordings.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

use core::net::Ipv4Addr;
use gnmi::{Notification, Profile, Repairs, Update, Value};
use network::{Device, DeviceRole, DeviceSpec, Gauge, GnmiEvent, Inventory, Network, Observation};
use serde_json::json;
use units::Timestamp;

const NOW: i64 = 1_800_000_000_000_000_000;

struct Watched {
    profile: Profile,
    repairs: Repairs,
    network: Network,
}

impl Watched {
    fn new(profile: &str) -> Self {
        let profile = Profile::choose(&Profile::all().unwrap(), &[], Some(profile)).unwrap().clone();
        let device = DeviceSpec {
            id: "r1".into(),
            hostname: "r1".to_owned(),
            role: DeviceRole::Edge,
            router_id: Ipv4Addr::new(10, 0, 0, 1),
            bmp: None,
            gnmi: None,
            netconf: None,
        };
        let inventory = Inventory { devices: vec![device], ..Inventory::empty("test") };
        let mut watched = Self { repairs: Repairs::only(profile.repairs.iter().copied()), profile, network: Network::new(inventory) };
        watched.event(GnmiEvent::Connected);
        watched
    }

    fn event(&mut self, event: GnmiEvent) {
        self.network.observe(&Observation::Gnmi { device: "r1".into(), event }, Timestamp::from_nanos(NOW));
    }

    /// As the dialler hands it on: in OpenConfig's words, repaired.
    fn tell(&mut self, updates: &[(&str, Value)]) {
        let updates = updates.iter().map(|(path, value)| Update { path: path.parse().unwrap(), value: value.clone() }).collect();
        let mut notification = self.profile.canonical(Notification { timestamp: NOW, updates, ..Notification::default() });
        self.repairs.notification(&mut notification, NOW);
        self.event(GnmiEvent::Notification { notification });
    }

    fn device(&self) -> &Device {
        &self.network.devices[&"r1".into()]
    }

    fn bytes(&self) -> Option<(u64, u64)> {
        self.device().hardware.memory().and_then(network::Memory::bytes)
    }
}

fn text(words: &str) -> Value {
    Value::String(words.to_owned())
}

fn near(told: Option<f64>, share: f64) -> bool {
    told.is_some_and(|t| (t - share).abs() < 1e-9)
}

/// `Routing Engine1` as the tests of Juniper's fluentd plug-in recorded it: percent idle, megabytes.
#[test]
fn junos_routing_engines_tell_idle_percent_and_megabytes() {
    let mut r1 = Watched::new("juniper_junos");
    let property = |name: &str| format!("/components/component[name=Routing Engine1]/properties/property[name={name}]/state/value");
    r1.tell(&[(&property("mastership-priority"), text("Backup (default)")), (&property("cpu-utilization-user"), text("0"))]);
    assert_eq!((r1.device().cpu, r1.device().memory, r1.bytes()), (None, None, None), "what says nothing of them leaves them unknown");
    r1.tell(&[(&property("cpu-utilization-idle"), text("99")), (&property("memory-dram-used"), text("3313"))]);
    assert!(near(r1.device().cpu, 0.01), "{:?}", r1.device().cpu);
    assert_eq!(r1.device().memory, None, "used of how much?");
    r1.tell(&[(&property("memory-dram-installed"), text("8192"))]);
    assert_eq!(r1.bytes(), Some((3313 << 20, 8192 << 20)));
    assert!(near(r1.device().memory, 3313.0 / 8192.0));
    // the line card's kernel pool, bytes, is fuller
    let pool = |name: &str| format!("/components/component[name=FPC0:CPU0]/properties/property[name=mem-util-kernel-{name}]/state/value");
    r1.tell(&[(&pool("size"), Value::Uint(2_000_000)), (&pool("bytes-allocated"), Value::Uint(1_500_000))]);
    assert_eq!(r1.bytes(), Some((1_500_000, 2_000_000)));
    assert_eq!(r1.device().gnmi_session.wrong_type, 0);
}

/// `0/RP0/CPU0` of an IOS-XR 7.x recording: bytes, in strings; percent in use of the last minute.
#[test]
fn iosxr_nodes_tell_percent_and_bytes_in_strings() {
    let mut r1 = Watched::new("cisco_iosxr");
    let summary = json!({
        "page-size": 4096, "ram-memory": "28757590016", "free-physical-memory": "21408897024", "system-ram-memory": "28757590016",
        "free-application-memory": "21408897024", "image-memory": "4194304", "boot-ram-size": "0"
    });
    let nodes = json!({"Cisco-IOS-XR-nto-misc-oper:nodes": {"node": [{"node-name": "0/RP0/CPU0", "summary": summary}]}});
    r1.tell(&[("/memory-summary", Value::Json(nodes))]);
    assert_eq!(r1.bytes(), Some((28_757_590_016 - 21_408_897_024, 28_757_590_016)));
    assert_eq!(r1.device().cpu, None);
    let node = |name: &str| format!("/system-monitoring/cpu-utilization[node-name={name}]");
    r1.tell(&[(&node("0/0/CPU0"), Value::Json(json!({"total-cpu-one-minute": 22})))]);
    r1.tell(&[(&format!("{}/total-cpu-one-minute", node("0/RP0/CPU0")), Value::Uint(6))]);
    assert_eq!(r1.device().hardware.processors.keys().collect::<Vec<_>>(), ["0/0/CPU0", "0/RP0/CPU0"], "no node hides another");
    assert!(near(r1.device().cpu, 0.22), "the busiest node counts: {:?}", r1.device().cpu);
    assert_eq!(r1.device().gnmi_session.wrong_type, 0);
}

#[test]
fn srlinux_tells_percent_and_bytes_of_each_control_module() {
    let mut r1 = Watched::new("nokia_srlinux");
    let control = json!({"srl_nokia-platform-control:control": [
        {"slot": "A", "srl_nokia-platform-memory:memory": {"physical": "16000000000", "reserved": "9000000000", "free": "4000000000", "utilization": 75},
         "srl_nokia-platform-cpu:cpu": [{"index": "all", "total": {"instant": 12, "average-1": 9}}]},
        {"slot": "B", "srl_nokia-platform-cpu:cpu": [{"index": "all", "total": {"instant": 3, "average-1": 3}}]}
    ]});
    r1.tell(&[("/platform", Value::Json(control))]);
    assert!(near(r1.device().cpu, 0.12), "the standby module does not overwrite the active one: {:?}", r1.device().cpu);
    assert_eq!(r1.bytes(), Some((12_000_000_000, 16_000_000_000)), "what is in use is what is not free, as `utilization` says");
    let channel = "/interface[name=ethernet-1/1]/transceiver/channel[index=1]";
    r1.tell(&[
        (&format!("{channel}/input-power/latest-value"), Value::Json(json!("-2.31"))),
        (&format!("{channel}/output-power/latest-value"), Value::Json(json!("-1.05"))),
        (&format!("{channel}/laser-bias-current/latest-value"), Value::Json(json!("6.500"))),
        ("/interface[name=ethernet-1/1]/transceiver/temperature/latest-value", Value::Int(33)),
        ("/platform/control[slot=A]/temperature/instant", Value::Int(51)),
        ("/platform/power-supply[id=1]/input", Value::Json(json!({"voltage": "228.50"}))),
        ("/system/name/host-name", text("leaf1")),
    ]);
    let hardware = &r1.device().hardware;
    let read = |gauge| hardware.of(gauge).map(|(component, channel, r)| format!("{component} {channel} {}", r.value)).collect::<Vec<_>>();
    assert_eq!(read(Gauge::OpticalInput), ["ethernet-1/1 1 -2.31"]);
    assert_eq!(read(Gauge::OpticalOutput), ["ethernet-1/1 1 -1.05"]);
    assert_eq!(read(Gauge::LaserBias), ["ethernet-1/1 1 6.5"]);
    assert_eq!(read(Gauge::SupplyInputVoltage), ["power-supply-1  228.5"]);
    assert_eq!(hardware.hottest().map(|(c, r)| (c, r.value)), Some(("control-A", 51.0)));
    assert_eq!(r1.device().gnmi_session.hostname.as_deref(), Some("leaf1"));
    assert_eq!(r1.device().gnmi_session.wrong_type, 0);
}

/// A Nexus 9336 answers from `/System` down; percent idle in a string, memory in K.
#[test]
fn nxos_tells_idle_percent_and_kibibytes_from_the_root_of_its_tree() {
    let mut r1 = Watched::new("cisco_nxos");
    let load = json!({"procsys-items": {"syscpusummary-items": {"idle": "74.0", "kernel": "6.0", "user": "18.0"}}});
    r1.tell(&[("/System", Value::Json(load))]);
    assert!(near(r1.device().cpu, 0.26), "{:?}", r1.device().cpu);
    assert_eq!(r1.device().memory, None);
    // older releases beside the total, newer ones in containers
    let old = json!({"procsys-items": {"sysmem-items": {"total": 4_117_860, "used": 2_250_220, "free": 1_867_640, "memstatus": "OK"}}});
    r1.tell(&[("/System", Value::Json(old))]);
    assert_eq!(r1.bytes(), Some((2_250_220 << 10, 4_117_860 << 10)));
    let new = json!({"total": "24499856", "sysmemused-items": {"curr": "14915112"}, "sysmemfree-items": {"curr": "9584744"}});
    r1.tell(&[("/System/procsys-items/sysmem-items", Value::Json(new))]);
    assert_eq!(r1.bytes(), Some((14_915_112 << 10, 24_499_856 << 10)));
    assert_eq!(r1.device().gnmi_session.wrong_type, 0);
}

/// The answers that OpenConfig_System.md of SONiC shows: all cores together are `all` there.
#[test]
fn sonic_tells_all_cores_as_all() {
    let mut r1 = Watched::new("sonic");
    let cpu = json!({"openconfig-system:cpu": [
        {"index": "all", "state": {"index": "all", "total": {"instant": 15, "avg": 12, "min": 5, "max": 25}}},
        {"index": "0", "state": {"index": "0", "total": {"instant": 60}}}
    ]});
    r1.tell(&[("/system/cpus", Value::Json(cpu))]);
    assert!(near(r1.device().cpu, 0.15), "all cores, not their mean with all: {:?}", r1.device().cpu);
    let memory = json!({"physical": "16777216000", "used": "4194304000", "free": "12582912000"});
    r1.tell(&[("/system/memory/state", Value::Json(memory)), ("/system/config/hostname", text("leaf2"))]);
    assert_eq!(r1.bytes(), Some((4_194_304_000, 16_777_216_000)));
    assert_eq!(r1.device().gnmi_session.hostname.as_deref(), Some("leaf2"));
    assert_eq!(r1.device().gnmi_session.wrong_type, 0);
}

/// A value that is none of its unit changes nothing: 101 percent idle is no load of −1 percent, and none of 101 either.
#[test]
fn what_is_no_number_of_its_unit_is_not_read() {
    let mut r1 = Watched::new("juniper_junos");
    for idle in ["101", "-1", "", "n/a"] {
        r1.tell(&[("/components/component[name=RE0]/properties/property[name=cpu-utilization-idle]/state/value", text(idle))]);
    }
    assert_eq!(r1.device().cpu, None);
    assert!(r1.device().gnmi_session.unread > 0, "it is counted");
}
