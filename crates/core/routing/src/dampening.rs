//! Route flap dampening (RFC 2439) as bgpd 8.4 counts (bgpd/bgp_damp.c): a penalty that halves with time.
//!
//! A network at rest has no flaps; what a route did before is an input ([`Blueprint::flaps`](crate::Blueprint)). Where it is not given, a
//! router with dampening is listed, not guessed at.

use config::Dampening;

/// Added by a withdrawal (DEFAULT_PENALTY); a change of attributes adds half.
const WITHDRAWAL: f64 = 1000.0;
/// Seconds in which the penalty is taken for constant (DELTA_T).
const STEP_S: u32 = 5;

/// What a route did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlapKind {
    /// It was withdrawn.
    Withdrawn,
    /// It came with other attributes.
    Changed,
}

/// One flap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flap {
    /// Seconds ago.
    pub ago_s: u32,
    /// What.
    pub kind: FlapKind,
}

/// Where a route stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figure {
    /// Figure of merit now.
    pub penalty: f64,
    /// Not used until the penalty falls below the reuse limit.
    pub suppressed: bool,
    /// Seconds until then; 0 when it is used.
    pub reuse_in_s: u32,
}

fn decayed(settings: &Dampening, penalty: f64, seconds: u32) -> f64 {
    let half_life_s = f64::from(settings.half_life_min.max(1)) * 60.0;
    // whole steps, and nothing is left after the longest suppression
    let steps = seconds / STEP_S;
    if steps * STEP_S >= u32::from(settings.max_suppress_min) * 60 {
        return 0.0;
    }
    penalty * libm::exp2(-f64::from(steps * STEP_S) / half_life_s)
}

/// Works out where a route stands after its flaps, in any order; the last thing that it did was to come.
#[must_use]
pub fn figure(settings: &Dampening, flaps: &[Flap]) -> Figure {
    let mut flaps = flaps.to_vec();
    flaps.sort_by_key(|f| core::cmp::Reverse(f.ago_s));
    let (half, longest) = (f64::from(settings.half_life_min.max(1)), f64::from(settings.max_suppress_min));
    let ceiling = f64::from(settings.reuse) * libm::exp2(longest / half);
    let (mut penalty, mut suppressed, mut at) = (0.0, false, u32::MAX);
    for flap in flaps {
        if at != u32::MAX {
            penalty = decayed(settings, penalty, at - flap.ago_s);
            suppressed &= penalty >= f64::from(settings.reuse);
        }
        at = flap.ago_s;
        let added = if flap.kind == FlapKind::Withdrawn { WITHDRAWAL } else { WITHDRAWAL / 2.0 };
        penalty = libm::fmin(penalty + added, ceiling);
        suppressed |= penalty >= f64::from(settings.suppress);
    }
    if at != u32::MAX {
        penalty = decayed(settings, penalty, at);
    }
    suppressed &= penalty >= f64::from(settings.reuse);
    let reuse_in_s = if suppressed {
        let halves = libm::log2(penalty / f64::from(settings.reuse.max(1)));
        libm::ceil(halves * half * 60.0) as u32
    } else {
        0
    };
    Figure { penalty, suppressed, reuse_in_s }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn withdrawn(ago_s: u32) -> Flap {
        Flap { ago_s, kind: FlapKind::Withdrawn }
    }

    #[test]
    fn two_withdrawals_at_once_reach_the_limit_and_one_half_life_apart_they_do_not() {
        let default = Dampening::default();
        let now = figure(&default, &[withdrawn(0), withdrawn(0)]);
        assert!(now.suppressed && (now.penalty - 2000.0).abs() < 1e-9);
        // 2000 to 750 takes log2(2000/750) half-lives
        assert_eq!(now.reuse_in_s, 1274);
        let apart = figure(&default, &[withdrawn(900), withdrawn(0)]);
        assert!(!apart.suppressed && (apart.penalty - 1500.0).abs() < 1e-9);
        assert!(!figure(&default, &[withdrawn(0)]).suppressed);
        assert_eq!(figure(&default, &[]), Figure { penalty: 0.0, suppressed: false, reuse_in_s: 0 });
    }

    #[test]
    fn it_stays_suppressed_between_the_limits_and_is_used_again_below() {
        let default = Dampening::default();
        let flaps = |ago| [withdrawn(ago), withdrawn(ago), withdrawn(ago)];
        assert!(figure(&default, &flaps(900)).suppressed, "1500 is below 2000, and above 750");
        assert!(!figure(&default, &flaps(1805)).suppressed, "749 is below 750");
    }

    #[test]
    fn the_penalty_has_a_ceiling_so_that_no_route_stays_away_for_longer_than_told() {
        let settings = Dampening { half_life_min: 10, reuse: 500, suppress: 1000, max_suppress_min: 20 };
        let many: Vec<Flap> = (0..50).map(|_| withdrawn(0)).collect();
        let now = figure(&settings, &many);
        assert!((now.penalty - 2000.0).abs() < 1e-9);
        assert_eq!(now.reuse_in_s, 1200);
    }

    #[test]
    fn a_change_of_attributes_counts_half() {
        let changed = [Flap { ago_s: 0, kind: FlapKind::Changed }; 3];
        assert!((figure(&Dampening::default(), &changed).penalty - 1500.0).abs() < 1e-9);
    }
}
