//! What is known about a network beside its configurations: relationships, capacities, measurements, limits.

use bgp::{Asn, Community, Prefix};
use config::{Role, RpkiState};
use core::fmt;
use core::net::IpAddr;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Measured volumes and loads older than this are not known, seconds. Flow export tells of whole minutes, up to two and a half minutes late:
/// three of them missing is no jitter.
pub const VOLUME_AGE_S_MAX: u64 = 180;

/// Where traffic leaves: a router of ours and a neighbour.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Exit {
    /// Router.
    pub router: String,
    /// Address of the neighbour.
    pub neighbor: IpAddr,
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.router, self.neighbor)
    }
}

/// What a neighbour AS is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// It pays us.
    Customer,
    /// Neither pays.
    Peer,
    /// We pay it.
    Provider,
}

impl Relation {
    /// Returns what a neighbour is to us when this is our role on the session (RFC 9234 §3.1). Of what may be passed on to whom, a route server
    /// is like a peer and its client like a customer (RFC 9234 §5).
    #[must_use]
    pub const fn of_role(ours: Role) -> Self {
        match ours {
            Role::Provider | Role::RouteServer => Self::Customer,
            Role::Customer => Self::Provider,
            Role::Peer | Role::RouteServerClient => Self::Peer,
        }
    }

    /// Returns the word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Peer => "peer",
            Self::Provider => "provider",
        }
    }
}

/// A measured value: mean, sample variance, samples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// Mean.
    pub mean: f64,
    /// Sample variance, in the square of the unit.
    pub variance: f64,
    /// Samples.
    pub n: u32,
}

/// An exit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExitFacts {
    /// Router.
    pub router: String,
    /// Neighbour.
    pub neighbor: IpAddr,
    /// Rates of the member links, bit/s; one for a plain link.
    #[serde(default)]
    pub members_bps: Vec<f64>,
    /// Measured load, bit/s, outbound.
    #[serde(default)]
    pub load_bps: Option<f64>,
    /// How long ago the load was measured, seconds; absent: just now. One older than [`Limits::volume_age_s_max`] is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_age_s: Option<u64>,
    /// Price of traffic, per Mbit/s and month.
    #[serde(default)]
    pub cost_per_mbps: Option<f64>,
    /// Link that it is on, where it shares its fate with others.
    #[serde(default)]
    pub link: Option<String>,
    /// What the neighbour is to us on this session; absent: what its AS is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relation: Option<Relation>,
}

impl ExitFacts {
    /// Returns the exit.
    #[must_use]
    pub fn exit(&self) -> Exit {
        Exit { router: self.router.clone(), neighbor: self.neighbor }
    }

    /// Returns the measured load, bit/s, unless it is too old to be known.
    #[must_use]
    pub fn load(&self, limits: &Limits) -> Option<f64> {
        self.load_bps.filter(|_| limits.is_fresh(self.load_age_s))
    }
}

/// A link inside the network.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LinkFacts {
    /// Rates of the member links, bit/s.
    pub members_bps: Vec<f64>,
    /// Measured load of the busier direction, bit/s.
    pub load_bps: Option<f64>,
}

/// Measured volume toward a prefix at an exit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Volume {
    /// Router of the exit.
    pub router: String,
    /// Neighbour of the exit.
    pub neighbor: IpAddr,
    /// Prefix.
    pub prefix: Prefix,
    /// Volume, bit/s.
    pub bps: f64,
    /// How long ago it was measured, seconds; absent: just now. One older than [`Limits::volume_age_s_max`] is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_s: Option<u64>,
}

/// Measured quality of the way over an exit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PathMetric {
    /// Router of the exit.
    pub router: String,
    /// Neighbour of the exit.
    pub neighbor: IpAddr,
    /// Prefix; absent: all that have no figure of their own.
    #[serde(default)]
    pub prefix: Option<Prefix>,
    /// Delay, ms.
    #[serde(default)]
    pub delay_ms: Option<Sample>,
    /// Loss, ratio 0 to 1; its mean is refused when it is read and lies outside.
    #[serde(default, deserialize_with = "lost")]
    pub loss: Option<Sample>,
}

/// A prefix that must never vanish.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vital {
    /// Prefix.
    pub prefix: Prefix,
    /// What it is for.
    #[serde(default)]
    pub name: String,
}

/// What a community means at a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Meaning {
    /// Traffic to the prefix is dropped.
    Blackhole,
    /// It is not announced on.
    NoAnnounce,
    /// Its preference there changes.
    Preference,
    /// It is announced with prepends.
    Prepend,
    /// It only says something.
    Informational,
}

impl Meaning {
    /// Returns it in words.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Blackhole => "drops the traffic",
            Self::NoAnnounce => "is not announced on",
            Self::Preference => "changes the preference",
            Self::Prepend => "is announced with prepends",
            Self::Informational => "only informs",
        }
    }
}

/// An entry of the dictionary of communities.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Word {
    /// Provider's AS.
    pub asn: Asn,
    /// Community.
    pub community: Community,
    /// What it does.
    pub meaning: Meaning,
}

/// How often a session or its routes flapped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flaps {
    /// Router.
    pub router: String,
    /// Neighbour.
    pub neighbor: IpAddr,
    /// Transitions seen.
    pub count: u32,
    /// Hours watched.
    pub hours: f64,
}

/// What a neighbour outside takes from us.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accepts {
    /// Router.
    pub router: String,
    /// Neighbour.
    pub neighbor: IpAddr,
    /// Prefixes that it takes before it shuts the session.
    pub max_prefix: u32,
}

/// What a router holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RouterFacts {
    /// Prefixes in the forwarding table.
    pub fib_max: Option<u64>,
    /// Paths in the BGP tables.
    pub rib_max: Option<u64>,
}

/// A service level.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Class {
    /// Name.
    pub name: String,
    /// Prefixes; a prefix inside one of them belongs to it.
    pub prefixes: Vec<Prefix>,
    /// Exits on whose paths it holds; empty: on all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exits: Vec<Exit>,
    /// Delay, ms.
    #[serde(default)]
    pub delay_ms_max: Option<f64>,
    /// Loss, ratio 0 to 1.
    #[serde(default, deserialize_with = "loss_limit")]
    pub loss_max: Option<f64>,
}

impl Class {
    /// Says whether the level holds for a prefix on the way over an exit.
    #[must_use]
    pub fn holds(&self, exit: &Exit, prefix: &Prefix) -> bool {
        (self.exits.is_empty() || self.exits.contains(exit)) && self.prefixes.iter().any(|p| p.covers(prefix))
    }
}

/// A percentage where a ratio belongs makes a limit that no loss reaches, or a path that looks dead.
fn ratio<E: serde::de::Error>(what: &str, value: f64) -> Result<f64, E> {
    let wrong = |e: units::NotARatio| E::custom(format!("{what}: {e}; a percentage is divided by 100 first"));
    units::Ratio::new(value).map(units::Ratio::get).map_err(wrong)
}

fn loss_limit<'de, D: Deserializer<'de>>(from: D) -> Result<Option<f64>, D::Error> {
    Option::<f64>::deserialize(from)?.map(|max| ratio("loss_max", max)).transpose()
}

fn lost<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Sample>, D::Error> {
    let read = Option::<Sample>::deserialize(from)?;
    read.map(|s| ratio("loss", s.mean).map(|_| s)).transpose()
}

/// Limits of the operator. The defaults are policy, not measurement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// K01: prefixes beyond the declared ones that may move.
    pub collateral_max: usize,
    /// K05: announced or received prefixes may grow by this factor…
    pub jump_factor: f64,
    /// …and by this many.
    pub jump_count: usize,
    /// K06: share of a limit from which it is told.
    pub headroom_warn: f64,
    /// K07: load ÷ capacity after the change.
    pub utilisation_max: f64,
    /// K07: load ÷ capacity after the change and one more failure.
    pub utilisation_n1_max: f64,
    /// K07: measured volumes and loads older than this are not known, seconds.
    pub volume_age_s_max: u64,
    /// K08: share of all prefixes that one exit may become best for.
    pub magnet_share: f64,
    /// K10: places that announce a vital prefix.
    pub vital_places: usize,
    /// K16: shortest IPv4 prefix that a null route or black-hole community may name.
    pub null_length_v4: u8,
    /// K16: the same for IPv6.
    pub null_length_v6: u8,
    /// K17: share of own prefixes that may turn invalid before everything is frozen.
    pub rpki_flip_share: f64,
    /// K23: prepends.
    pub prepend_max: usize,
    /// LOCAL_PREF range of an action (S1-097).
    pub local_pref: (u32, u32),
    /// Share of prefixes that a session action may move before it is told (S1-096).
    pub blast_warn: f64,
    /// And before it is blocked.
    pub blast_block: f64,
    /// Loss of a service level, ratio, from which it blocks (S1-098).
    pub loss_block: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            collateral_max: 0,
            jump_factor: 2.0,
            jump_count: 10,
            headroom_warn: 0.9,
            utilisation_max: 0.8,
            utilisation_n1_max: 1.0,
            volume_age_s_max: VOLUME_AGE_S_MAX,
            magnet_share: 0.5,
            vital_places: 2,
            null_length_v4: 32,
            null_length_v6: 128,
            rpki_flip_share: 0.25,
            prepend_max: 3,
            local_pref: (0, 300),
            blast_warn: 0.5,
            blast_block: 0.7,
            loss_block: 0.05,
        }
    }
}

impl Limits {
    /// Says whether a measurement of this age still counts; absent: it was made just now.
    #[must_use]
    pub fn is_fresh(&self, age_s: Option<u64>) -> bool {
        age_s.is_none_or(|age| age <= self.volume_age_s_max)
    }
}

/// What is known about a network beside its configurations. Absent is not known, never zero.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Facts {
    /// Own ASes.
    pub own_as: BTreeSet<Asn>,
    /// Own address space.
    pub own_prefixes: Vec<Prefix>,
    /// Address space of customers that we announce.
    pub customer_prefixes: Vec<Prefix>,
    /// What neighbour ASes are to us.
    pub relations: BTreeMap<Asn, Relation>,
    /// Neighbour ASes of which nobody says what they are to us: they count as providers, the strictest.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub taken_for_providers: BTreeSet<Asn>,
    /// Providers by name, with all their ASes.
    pub providers: BTreeMap<String, BTreeSet<Asn>>,
    /// Exits.
    pub exits: Vec<ExitFacts>,
    /// Links.
    pub links: BTreeMap<String, LinkFacts>,
    /// Volumes.
    pub volumes: Vec<Volume>,
    /// Path metrics.
    pub metrics: Vec<PathMetric>,
    /// Limits.
    pub limits: Limits,
    /// Vital prefixes.
    pub vital: Vec<Vital>,
    /// Dictionary of communities.
    pub communities: Vec<Word>,
    /// Communities of ours that no change may set or remove.
    pub protected_communities: BTreeSet<Community>,
    /// Flap history.
    pub flaps: Vec<Flaps>,
    /// Limits of neighbours.
    pub accepts: Vec<Accepts>,
    /// What routers hold.
    pub routers: BTreeMap<String, RouterFacts>,
    /// Failure domains: sites or chassis, with their routers.
    pub domains: BTreeMap<String, Vec<String>>,
    /// Service levels.
    pub classes: Vec<Class>,
    /// Prefixes that the change is meant to move; absent: what the change itself names.
    pub intended: Option<Vec<Prefix>>,
}

/// Answers whether an origin may announce a prefix (RFC 6811); `None`: not known (no or expired data).
pub type Validity<'v> = &'v dyn Fn(&Prefix, Asn) -> Option<RpkiState>;

/// Facts with what can only be asked.
#[derive(Clone, Copy)]
pub struct Context<'c> {
    /// Facts.
    pub facts: &'c Facts,
    /// Origin validation now.
    pub validity: Option<Validity<'c>>,
    /// Origin validation before its data changed last, where that is part of the question.
    pub validity_before: Option<Validity<'c>>,
}

impl Facts {
    /// Says whether a prefix is ours or a customer's.
    #[must_use]
    pub fn ours(&self, prefix: &Prefix) -> bool {
        self.own_prefixes.iter().chain(&self.customer_prefixes).any(|p| p.covers(prefix))
    }

    /// Returns what an AS is to us.
    #[must_use]
    pub fn relation(&self, asn: Asn) -> Option<Relation> {
        self.relations.get(&asn).copied()
    }

    /// Returns what the neighbour of an exit is to us: what is told of the session, else of its AS.
    #[must_use]
    pub fn relation_at(&self, exit: &Exit, asn: Asn) -> Option<Relation> {
        self.exit(exit).and_then(|e| e.relation).or_else(|| self.relation(asn))
    }

    /// Says of which neighbours a verdict takes for granted that they are providers; empty: of none.
    #[must_use]
    pub fn assumption(&self) -> String {
        if self.taken_for_providers.is_empty() {
            return String::new();
        }
        let named = self.taken_for_providers.iter().map(|a| format!("AS {a}")).collect::<Vec<_>>().join(", ");
        format!("; {named} taken for providers, no role is told")
    }

    /// Returns an exit's facts.
    #[must_use]
    pub fn exit(&self, exit: &Exit) -> Option<&ExitFacts> {
        self.exits.iter().find(|e| e.router == exit.router && e.neighbor == exit.neighbor)
    }
}

/// Measured quality, ready to be asked: by exit and prefix (`None`: the exit's own), its place among the facts.
pub(crate) struct Metrics<'f> {
    all: &'f [PathMetric],
    places: BTreeMap<(&'f str, IpAddr), BTreeMap<Option<Prefix>, usize>>,
}

impl<'f> Metrics<'f> {
    pub fn new(facts: &'f Facts) -> Self {
        let mut places: BTreeMap<(&str, IpAddr), BTreeMap<Option<Prefix>, usize>> = BTreeMap::new();
        for (at, m) in facts.metrics.iter().enumerate() {
            let here = places.entry((m.router.as_str(), m.neighbor)).or_default();
            // of several of one prefix the last counts, of several of an exit the first
            here.entry(m.prefix).and_modify(|known| *known = if m.prefix.is_some() { at } else { *known }).or_insert(at);
        }
        Self { all: &facts.metrics, places }
    }

    /// Returns the quality of the way to a prefix over an exit, with its place among the facts: that of the longest prefix around it, else the
    /// exit's.
    pub fn of(&self, exit: &Exit, prefix: &Prefix) -> Option<(usize, &'f PathMetric)> {
        let here = self.places.get(&(exit.router.as_str(), exit.neighbor))?;
        let around = (0..=prefix.length()).rev().map(|length| Prefix::new(prefix.address(), length));
        let at = around.chain([None]).find_map(|key| here.get(&key).copied())?;
        Some((at, self.all.get(at)?))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test says no by panicking")]

    use super::*;

    #[test]
    fn a_way_has_the_quality_of_the_longest_prefix_around_it_else_of_its_exit() {
        let metric = |router: &str, prefix: Option<&str>| PathMetric {
            router: router.to_owned(),
            neighbor: IpAddr::from([192, 0, 2, 1]),
            prefix: prefix.map(|p| p.parse().unwrap()),
            delay_ms: None,
            loss: None,
        };
        let all = [
            metric("r1", Some("10.0.0.0/8")),
            metric("r1", None),
            metric("r1", Some("10.1.0.0/16")),
            metric("r1", Some("10.1.0.0/16")),
            metric("r1", None),
            metric("r2", Some("10.0.0.0/8")),
        ];
        let facts = Facts { metrics: all.to_vec(), ..Facts::default() };
        let metrics = Metrics::new(&facts);
        let at = |router: &str, prefix: &str| {
            let exit = Exit { router: router.to_owned(), neighbor: IpAddr::from([192, 0, 2, 1]) };
            metrics.of(&exit, &prefix.parse().unwrap()).map(|(at, _)| at)
        };
        assert_eq!(at("r1", "10.1.2.0/24"), Some(3), "of two of one prefix the last");
        assert_eq!((at("r1", "10.1.0.0/16"), at("r1", "10.2.0.0/16"), at("r1", "10.0.0.0/8")), (Some(3), Some(0), Some(0)));
        assert_eq!((at("r1", "10.0.0.0/7"), at("r1", "2001:db8::/32")), (Some(1), Some(1)), "of two of an exit the first");
        assert_eq!((at("r2", "10.1.0.0/16"), at("r2", "192.0.2.0/24"), at("r3", "10.1.0.0/16")), (Some(5), None, None));
    }
}
