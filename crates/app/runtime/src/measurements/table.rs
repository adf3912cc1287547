//! The measurements: what each is called, what it means and where it comes from. `docs/measurements.md` says the same to operators.

use network::Gauge;

/// How often a measurement gets a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Every {
    /// Every turn of the recorder ([`super::EVERY`]).
    Turn,
    /// Once in each minute: what is counted by the minute, or there for every peer and interface.
    Minute,
    /// Once in five minutes: what changes slowly and is there for every part of a chassis.
    FiveMinutes,
}

impl Every {
    /// Returns the length of the stretch of time that gets one point, seconds; 0: every look does.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        match self {
            Self::Turn => 0,
            Self::Minute => 60,
            Self::FiveMinutes => 300,
        }
    }
}

/// What its values do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// They go up and down.
    Gauge,
    /// They grow, and begin anew when whoever counts does.
    Counter,
}

impl Kind {
    /// Returns its name, as Prometheus spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
        }
    }
}

/// One measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measurement {
    /// Name, as stored and exported.
    pub name: &'static str,
    /// What its values do.
    pub kind: Kind,
    /// Unit.
    pub unit: &'static str,
    /// Keys of its tags, sorted.
    pub tags: &'static [&'static str],
    /// How often it gets a point.
    pub every: Every,
    /// Digits behind the point where it is shown; it is stored as measured.
    pub digits: usize,
    /// What it is, in one sentence.
    pub help: &'static str,
}

const PATH: &[&str] = &["exit", "family", "group", "isp", "router"];
const ROUTER: &[&str] = &["router"];
const FIELDS: &[&str] = &["field", "router"];
const INTERFACE: &[&str] = &["interface", "router"];
const DIRECTED: &[&str] = &["direction", "interface", "router"];
const PEER: &[&str] = &["instance", "peer", "router"];
const COMPONENT: &[&str] = &["channel", "component", "router"];

const fn gauge(
    name: &'static str,
    unit: &'static str,
    tags: &'static [&'static str],
    every: Every,
    digits: usize,
    help: &'static str,
) -> Measurement {
    Measurement { name, kind: Kind::Gauge, unit, tags, every, digits, help }
}

const fn counter(name: &'static str, unit: &'static str, tags: &'static [&'static str], every: Every, help: &'static str) -> Measurement {
    Measurement { name, kind: Kind::Counter, unit, tags, every, digits: 0, help }
}

const fn reading(gauge: Gauge, digits: usize, help: &'static str) -> Measurement {
    Measurement { name: gauge.name(), kind: Kind::Gauge, unit: gauge.unit(), tags: COMPONENT, every: Every::FiveMinutes, digits, help }
}

/// S1-067.
pub const LATENCY: Measurement =
    gauge("bgp_latency_ms", "ms", PATH, Every::Turn, 3, "One-way delay of a measured path, milliseconds, mean of the last five seconds.");
/// S1-068.
pub const LOSS: Measurement =
    gauge("bgp_packet_loss", "0-1", PATH, Every::Turn, 4, "Share of the packets of a measured path that were lost, 0 to 1.");
/// S1-069.
pub const UTILISATION: Measurement =
    gauge("interface_utilisation", "0-1", DIRECTED, Every::Turn, 2, "Load of an interface by its capacity, 0 to 1.");
/// S1-070.
pub const PEERS: Measurement = gauge(
    "bgp_peer_health",
    "sessions",
    FIELDS,
    Every::Turn,
    0,
    "BGP sessions of a router: all of them, and those that are not Established.",
);
pub const HEALTH: Measurement = gauge("device_health", "0-1", ROUTER, Every::Turn, 2, "Health score of a router, 0 to 1.");
pub const CPU: Measurement = gauge("cpu_utilisation", "0-1", ROUTER, Every::Turn, 2, "Use of a router's processors, 0 to 1.");
pub const MEMORY: Measurement = gauge("memory_utilisation", "0-1", ROUTER, Every::Turn, 2, "Share of a router's memory in use, 0 to 1.");
pub const SESSION_UP: Measurement =
    gauge("bgp_session_up", "0 or 1", PEER, Every::Minute, 0, "Whether a BGP session is Established (1) or not (0).");
pub const FLAPS: Measurement = counter(
    "bgp_session_flaps_total",
    "transitions",
    PEER,
    Every::Minute,
    "Transitions of a BGP session out of Established that were seen.",
);
pub const RECEIVED: Measurement = gauge(
    "prefixes_received",
    "prefixes",
    &["family", "instance", "peer", "router", "source"],
    Every::Minute,
    0,
    "Prefixes that a BGP peer announced, by the count of the source.",
);
pub const SENT: Measurement = gauge(
    "prefixes_sent",
    "prefixes",
    &["family", "instance", "peer", "router"],
    Every::Minute,
    0,
    "Prefixes that a router announced to a BGP peer, by the router's count.",
);
pub const PATH_CHANGES: Measurement = gauge(
    "bgp_path_changes",
    "paths per minute",
    &["field", "instance", "peer", "router", "view"],
    Every::Minute,
    0,
    "Paths of a BGP table that appeared, changed or were withdrawn in the last whole minute.",
);
pub const BMP_MESSAGES: Measurement =
    counter("bmp_messages_total", "messages", FIELDS, Every::Minute, "BMP messages of a router: all, and by what they are.");
pub const NOTIFICATIONS: Measurement =
    counter("gnmi_notifications_total", "messages", ROUTER, Every::Minute, "gNMI notifications of a router.");
pub const INTERFACE_UP: Measurement =
    gauge("interface_up", "0 or 1", INTERFACE, Every::Minute, 0, "Whether an interface is operationally up (1) or not (0).");
pub const RATE: Measurement = gauge(
    "interface_rate_bps",
    "bit/s",
    DIRECTED,
    Every::Minute,
    0,
    "Rate of an interface, bits per second, mean of the last whole minute by its octet counters.",
);
pub const ERRORS: Measurement = counter(
    "interface_errors_total",
    "packets",
    DIRECTED,
    Every::Minute,
    "Packets in error, as an interface counts them since its own beginning.",
);
/// Readings of a router's parts.
pub const READINGS: [(Gauge, Measurement); 11] = [
    (Gauge::Temperature, reading(Gauge::Temperature, 1, "Temperature of a component, degrees Celsius.")),
    (Gauge::OpticalInput, reading(Gauge::OpticalInput, 2, "Light that an optical channel receives, dBm.")),
    (Gauge::OpticalOutput, reading(Gauge::OpticalOutput, 2, "Light that an optical channel sends, dBm.")),
    (Gauge::LaserBias, reading(Gauge::LaserBias, 2, "Bias current of the laser of an optical channel, milliamperes.")),
    (Gauge::UsedPower, reading(Gauge::UsedPower, 1, "Power that a component uses, watts.")),
    (Gauge::SupplyCapacity, reading(Gauge::SupplyCapacity, 0, "Power that a power supply can give, watts.")),
    (Gauge::SupplyInputVoltage, reading(Gauge::SupplyInputVoltage, 1, "Input voltage of a power supply, volts.")),
    (Gauge::SupplyInputCurrent, reading(Gauge::SupplyInputCurrent, 2, "Input current of a power supply, amperes.")),
    (Gauge::SupplyOutputVoltage, reading(Gauge::SupplyOutputVoltage, 1, "Output voltage of a power supply, volts.")),
    (Gauge::SupplyOutputCurrent, reading(Gauge::SupplyOutputCurrent, 2, "Output current of a power supply, amperes.")),
    (Gauge::SupplyOutputPower, reading(Gauge::SupplyOutputPower, 1, "Output power of a power supply, watts.")),
];

const PLAIN: [Measurement; 17] = [
    LATENCY,
    LOSS,
    UTILISATION,
    PEERS,
    HEALTH,
    CPU,
    MEMORY,
    SESSION_UP,
    FLAPS,
    RECEIVED,
    SENT,
    PATH_CHANGES,
    BMP_MESSAGES,
    NOTIFICATIONS,
    INTERFACE_UP,
    RATE,
    ERRORS,
];

/// Returns every measurement that there is, in the order in which they get room.
pub fn measurements() -> impl Iterator<Item = Measurement> {
    PLAIN.into_iter().chain(READINGS.into_iter().map(|(_, measurement)| measurement))
}

/// Returns the measurement of this name.
#[must_use]
pub fn measurement(name: &str) -> Option<Measurement> {
    measurements().find(|m| m.name == name)
}
