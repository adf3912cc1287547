//! What routers' software does where vendors differ. FRR is proven on real routers; the others are tables of what their makers document, each
//! difference with its source, and none of them was seen on a device.

use serde::{Deserialize, Serialize};

/// How ties are broken behind the IGP metric.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TieBreak {
    /// Router id, cluster list, neighbour address (FRR, IOS, EOS).
    #[default]
    RouterIdFirst,
    /// Cluster list, router id, neighbour address (Junos).
    ClusterListFirst,
}

/// When a router prefers what it made itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LocalOrigin {
    /// Behind LOCAL_PREF.
    #[default]
    BehindLocalPref,
    /// Before any attribute: routes of other protocols have a better preference in the routing table.
    ByPreference,
}

/// What a route without MED has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissingMed {
    /// 0, unless `med missing-as-worst`.
    #[default]
    Zero,
    /// Nothing to compare, unless `always-compare-med`.
    Exempt,
}

/// Between which external paths the one that is in use stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Oldest {
    /// Any two, unless `compare-routerid`.
    #[default]
    External,
    /// Two from different ASes, unless `external-router-id`.
    OtherAs,
    /// None.
    Never,
}

/// Which paths of equal length are used side by side, unless relaxed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Beside {
    /// External ones of one neighbour AS, internal ones with one AS path.
    #[default]
    NeighbourAs,
    /// Those with one AS path.
    SamePath,
    /// All.
    SameLength,
}

/// The last step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LastStep {
    /// Lower address of the neighbour.
    #[default]
    Neighbour,
    /// Lower next hop.
    NextHop,
}

/// What a router's software does where vendors differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Weight is a step of the decision process.
    pub weight: bool,
    /// Order of the last steps.
    pub tie_break: TieBreak,
    /// MEDs are always compared within neighbour-AS groups.
    pub deterministic_med: bool,
    /// Paths used side by side unless the configuration says otherwise: external, internal.
    pub multipath: (u16, u16),
    /// The software can refuse routes of an eBGP session without policy (RFC 8212); whether it does, its configuration says.
    pub requires_policy: bool,
    /// A path is announced to the neighbour that it came from too. FRR does (its `advertisedTo` names the sender); the neighbour finds its AS
    /// in the path and drops it, unless it allows that.
    pub sends_back: bool,
    /// When what the router made itself is preferred.
    pub local_origin: LocalOrigin,
    /// What a route without MED has.
    pub missing_med: MissingMed,
    /// Between which external paths the one in use stays.
    pub oldest: Oldest,
    /// Which paths are used side by side.
    pub beside: Beside,
    /// The last step.
    pub last: LastStep,
    /// Announcements that one neighbour may make before its session goes down, beyond the limit that is configured.
    pub beyond_limit: u32,
    /// Paths that name the neighbour's AS are held back from it where the configuration asks for that.
    pub checks_sent_paths: bool,
    /// An aggregate that looks like the router's own stands for it when it was heard first.
    pub takes_for_own_aggregate: bool,
    /// Origin validation says "not found" of a path that ends with a set, whatever VRPs cover its prefix. RFC 6811 §2 says "invalid" then.
    pub set_is_not_found: bool,
    /// A path without MED is reflected with MED 0.
    pub reflects_med_zero: bool,
    /// A path from another member of the confederation is preferred over an internal one before the metric to the next hop is looked at.
    pub confed_before_metric: bool,
}

impl Profile {
    /// FRR 8.4, profile traditional, as Debian builds it (`--enable-multipath=256`; bgpd/bgp_vty.c, bgp_route.c, bgp_rpki.c). As seen of
    /// 8.4.4: a session with `maximum-prefix 2` stays with three prefixes and goes down at the fourth, because bgpd counts before it adds;
    /// `sender-as-path-loop-detection` holds nothing back; what is reflected without MED is heard with MED 0; and a path from another member
    /// of the confederation wins over an internal one whose next hop is nearer, because bgpd looks at the metric and returns what came of it
    /// later (`bgp_path_info_cmp`).
    pub const FRR: Self = Self {
        weight: true,
        tie_break: TieBreak::RouterIdFirst,
        deterministic_med: false,
        multipath: (256, 256),
        requires_policy: true,
        sends_back: true,
        local_origin: LocalOrigin::BehindLocalPref,
        missing_med: MissingMed::Zero,
        oldest: Oldest::External,
        beside: Beside::NeighbourAs,
        last: LastStep::Neighbour,
        beyond_limit: 1,
        checks_sent_paths: false,
        takes_for_own_aggregate: true,
        set_is_not_found: true,
        reflects_med_zero: true,
        confed_before_metric: true,
    };

    /// Arista EOS (EOS user manual, "Border Gateway Protocol"): MEDs are compared deterministically; one path unless `maximum-paths`; then
    /// paths of one length are used side by side whatever ASes they name (`bgp bestpath as-path multipath-relax` is on by default). The one in
    /// use stays unless `bgp bestpath tie-break router-id`, which the model holds as `compare_router_id`. Policy is required only where
    /// `bgp missing-policy … deny` says so, which the reader of its configuration sets.
    pub const EOS: Self = Self {
        deterministic_med: true,
        multipath: (1, 1),
        requires_policy: true,
        sends_back: false,
        beside: Beside::SameLength,
        beyond_limit: 0,
        checks_sent_paths: true,
        takes_for_own_aggregate: false,
        set_is_not_found: false,
        reflects_med_zero: false,
        confed_before_metric: false,
        ..Self::FRR
    };

    /// Junos ("Understanding BGP Path Selection"): no weight; routes of other protocols are preferred before any attribute; MEDs are grouped by
    /// neighbour AS unless `path-selection cisco-non-deterministic`; the active external path stays against one from another AS unless
    /// `external-router-id`. The cluster list stands before the router id as Junos operators describe it; Juniper's own list of 12.3 names
    /// the router id first.
    pub const JUNOS: Self = Self {
        weight: false,
        requires_policy: false,
        tie_break: TieBreak::ClusterListFirst,
        local_origin: LocalOrigin::ByPreference,
        oldest: Oldest::OtherAs,
        beside: Beside::NeighbourAs,
        ..Self::EOS
    };

    /// Cisco IOS-XR ("BGP Best Path Selection Algorithm", routing configuration guide): deterministic MED, RFC 8212; multipath needs one AS
    /// path, not just one neighbour AS, unless `bgp bestpath as-path multipath-relax`.
    pub const IOS_XR: Self = Self { requires_policy: true, beside: Beside::SamePath, ..Self::EOS };

    /// Cisco IOS and IOS XE ("BGP Best Path Selection Algorithm", document 13753): MEDs compared in order of arrival unless
    /// `bgp deterministic-med`; multipath needs one AS path.
    pub const IOS: Self = Self { deterministic_med: false, requires_policy: false, ..Self::IOS_XR };

    /// Nokia SR OS (7210 SAS routing protocols guide, "Route selection"): no weight; routes of other protocols first, by RTM preference; a
    /// route without MED is exempt from that step unless `always-compare-med`; then BGP-ID, cluster list, next hop; no step for the oldest.
    pub const NOKIA: Self = Self {
        weight: false,
        requires_policy: true,
        local_origin: LocalOrigin::ByPreference,
        missing_med: MissingMed::Exempt,
        oldest: Oldest::Never,
        beside: Beside::SamePath,
        last: LastStep::NextHop,
        ..Self::EOS
    };

    /// Software that is not known, read as OpenConfig: RFC 4271 §9.1.2.2 (MEDs within neighbour-AS groups, router id before address), no
    /// weight, one path (openconfig-bgp: `maximum-paths` is 1), one AS path side by side (`allow-multiple-as` is off).
    pub const OPEN_CONFIG: Self = Self { weight: false, local_origin: LocalOrigin::ByPreference, beside: Beside::SamePath, ..Self::EOS };

    /// The profiles by the names that a network's description has for them.
    pub const NAMED: [(&'static str, Self); 7] = [
        ("frr", Self::FRR),
        ("eos", Self::EOS),
        ("junos", Self::JUNOS),
        ("iosxr", Self::IOS_XR),
        ("ios", Self::IOS),
        ("nokia", Self::NOKIA),
        ("openconfig", Self::OPEN_CONFIG),
    ];

    /// Returns the profile of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMED.iter().find(|(n, _)| *n == name).map(|(_, profile)| *profile)
    }

    /// Returns the profile of the software that reads a configuration.
    #[must_use]
    pub const fn of(vendor: config::Vendor) -> Self {
        match vendor {
            config::Vendor::Frr => Self::FRR,
            config::Vendor::Eos => Self::EOS,
            config::Vendor::Junos => Self::JUNOS,
            config::Vendor::IosXr => Self::IOS_XR,
            config::Vendor::OpenConfig => Self::OPEN_CONFIG,
        }
    }
}
