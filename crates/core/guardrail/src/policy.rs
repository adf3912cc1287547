//! The numbers that bind, as data with a version.

use action::{ActionType, AutonomyTier};
use bgp::{Community, LargeCommunity};
use core::time::Duration;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use units::Ratio;

/// The limits in force. Two policies with one version are equal; a change of any number is a new version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GuardPolicy {
    /// Version, from 1; an approval is bound to it.
    pub version: u32,
    /// Tier and prior per action type (S1-120…123).
    pub profiles: BTreeMap<ActionType, Profile>,
    /// Action types that may act by themselves in Tier 1. None at first start.
    pub graduated: BTreeSet<ActionType>,
    /// LOCAL_PREF, lowest and highest (S1-150).
    pub local_pref: (u32, u32),
    /// MED, lowest and highest (S1-151).
    pub med: (u32, u32),
    /// Largest share of the known prefixes that a change may move (S1-152).
    pub blast_max: PerTier,
    /// Smallest calibrated confidence (S1-153).
    pub confidence_min: PerTier,
    /// Changes per time (S1-154).
    pub rate: RateLimits,
    /// Beyond these a change is rolled back (S1-155).
    pub rollback: RollbackLimits,
    /// Communities that no change may add, remove or replace (S1-156).
    pub protected: BTreeSet<Community>,
    /// Large communities of the same kind.
    pub protected_large: BTreeSet<LargeCommunity>,
    /// How long a proposal waits for an operator (S1-157).
    pub approval_ttl: Duration,
}

/// What an action type starts from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// Who must agree.
    pub tier: AutonomyTier,
    /// Prior confidence; a prior only, never calibrated confidence.
    pub confidence: Ratio,
    /// Prior blast radius; a prior only, the twin's number decides.
    pub blast: Ratio,
}

/// One share per tier.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PerTier {
    /// Tier 1.
    pub tier1: Ratio,
    /// Tier 2.
    pub tier2: Ratio,
    /// Tier 3.
    pub tier3: Ratio,
}

impl PerTier {
    /// Returns the share of one tier.
    #[must_use]
    pub const fn of(&self, tier: AutonomyTier) -> Ratio {
        match tier {
            AutonomyTier::Tier1Auto => self.tier1,
            AutonomyTier::Tier2Approve => self.tier2,
            AutonomyTier::Tier3Manual => self.tier3,
        }
    }
}

/// Changes per sliding window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateLimits {
    /// The window.
    pub window: Duration,
    /// All tiers together.
    pub overall: u32,
    /// Tier 1.
    pub tier1: u32,
    /// Tier 2.
    pub tier2: u32,
}

/// When a change is rolled back.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RollbackLimits {
    /// One-way or round-trip delay, as the provider's limits count it, milliseconds.
    pub delay_ms_max: f64,
    /// Loss.
    pub loss_max: Ratio,
}

/// Makes a share from thousandths, for the constants below.
const fn thousandths(n: u32) -> f64 {
    n as f64 / 1000.0
}

fn share(n: u32) -> Ratio {
    Ratio::new(thousandths(n)).unwrap_or(Ratio::ONE)
}

impl Default for GuardPolicy {
    /// The defaults of S1 section 4.
    fn default() -> Self {
        use AutonomyTier::{Tier1Auto as T1, Tier2Approve as T2, Tier3Manual as T3};
        let profile = |(action, tier, confidence, blast)| (action, Profile { tier, confidence: share(confidence), blast: share(blast) });
        let profiles = [
            (ActionType::LocalPrefAdjust, T1, 900, 100),
            (ActionType::MedAdjust, T1, 880, 80),
            (ActionType::CommunityTag, T1, 950, 50),
            (ActionType::NoAction, T1, 1000, 0),
            (ActionType::AsPathPrepend, T2, 750, 350),
            (ActionType::NextHopChange, T2, 700, 300),
            (ActionType::PeerActivate, T2, 720, 400),
            (ActionType::PrefixFilter, T2, 800, 200),
            (ActionType::PeerDeactivate, T3, 600, 600),
            (ActionType::IspFailover, T3, 550, 800),
            (ActionType::FullReroute, T3, 500, 950),
            (ActionType::Depeer, T3, 450, 900),
        ];
        let protected = [
            Community::new(65001, 999),
            Community::new(65001, 998),
            Community::NO_EXPORT,
            Community::NO_ADVERTISE,
            Community::NO_EXPORT_SUBCONFED,
            Community::NOPEER,
            Community::BLACKHOLE,
            Community::GRACEFUL_SHUTDOWN,
        ];
        Self {
            version: 1,
            profiles: profiles.into_iter().map(profile).collect(),
            graduated: BTreeSet::new(),
            local_pref: (0, 300),
            med: (0, u32::MAX),
            blast_max: PerTier { tier1: share(250), tier2: share(650), tier3: Ratio::ONE },
            confidence_min: PerTier { tier1: share(800), tier2: share(600), tier3: Ratio::ZERO },
            rate: RateLimits { window: Duration::from_secs(60), overall: 10, tier1: 6, tier2: 3 },
            rollback: RollbackLimits { delay_ms_max: 80.0, loss_max: share(20) },
            protected: protected.into_iter().collect(),
            // The large forms of the two own communities (RFC 8092: global administrator, then two values of one's own).
            protected_large: [LargeCommunity(65001, 0, 999), LargeCommunity(65001, 0, 998)].into_iter().collect(),
            approval_ttl: Duration::from_secs(300),
        }
    }
}

impl GuardPolicy {
    /// Returns the tier that an action type starts from; Tier 3 for one without a profile.
    #[must_use]
    pub fn tier_of(&self, action: ActionType) -> AutonomyTier {
        self.profiles.get(&action).map_or(AutonomyTier::Tier3Manual, |p| p.tier)
    }

    /// Says whether a measurement after a change calls for its rollback (S1-155, S1-219): above a limit, or nothing came back.
    #[must_use]
    pub fn rollback_needed(&self, delay_ms: Option<f64>, loss: Ratio) -> bool {
        let slow = delay_ms.is_none_or(|d| !d.is_finite() || d > self.rollback.delay_ms_max);
        slow || loss > self.rollback.loss_max
    }
}
