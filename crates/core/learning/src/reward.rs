//! How good a change was, as one number (S1-206, S1-207).

use crate::Effect;

/// Smallest delay that a change of delay is measured against, milliseconds (S1-206).
pub const DELAY_FLOOR_MS: f64 = 1.0;
/// Smallest loss that a change of loss is measured against.
///
/// One percent is the loss limit of S1-204 and three packets of a verification burst of 300: below it a burst cannot tell loss from luck. The
/// 10⁻⁶ of the first formula made one lost packet out of a clean 300 worth −1,333 before clipping.
pub const LOSS_FLOOR: f64 = 0.01;
/// Reward of a change that was rolled back (S1-207).
pub const REWARD_ROLLED_BACK: f64 = -2.0;
/// Rewards are clipped to this on either side.
const REWARD_MAX: f64 = 3.0;

/// Returns the reward of a change that was kept, −3…3 rounded to 4 places; `None` when nothing was measured.
///
/// `−0.4·Δdelay/max(delay before, 1 ms) − 0.4·Δloss/max(loss before, 1 %) + 0.2·(+1 when the limits are met, else −1)`. A term whose values
/// were not both measured is left out (there is no delay without packets).
#[must_use]
pub fn reward(measured: &Effect, limits_met: bool) -> Option<f64> {
    if measured.delay_ms.is_none() && measured.loss.is_none() {
        return None;
    }
    let relative = |(before, after): (f64, f64), floor: f64| (after - before) / before.max(floor);
    let delay = measured.delay_ms.map_or(0.0, |d| relative(d, DELAY_FLOOR_MS));
    let loss = measured.loss.map_or(0.0, |(b, a)| relative((b.get(), a.get()), LOSS_FLOOR));
    let limits = if limits_met { 0.2 } else { -0.2 };
    let sum = -0.4 * delay - 0.4 * loss + limits;
    sum.is_finite().then(|| libm::round(sum.clamp(-REWARD_MAX, REWARD_MAX) * 10_000.0) / 10_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use units::Ratio;

    fn effect(delay: (f64, f64), loss: (f64, f64)) -> Effect {
        Effect { delay_ms: Some(delay), loss: Some((Ratio::new(loss.0).unwrap(), Ratio::new(loss.1).unwrap())) }
    }

    #[test]
    fn the_formula_of_the_checklist_holds_where_its_floors_do_not_bite() {
        // −0.4·(−30/40) − 0.4·(−0.04/0.05) + 0.2
        assert_eq!(reward(&effect((40.0, 10.0), (0.05, 0.01)), true), Some(0.82));
        assert_eq!(reward(&effect((10.0, 10.0), (0.0, 0.0)), false), Some(-0.2));
    }

    #[test]
    fn one_lost_packet_of_a_clean_burst_does_not_explode() {
        let r = reward(&effect((10.0, 10.0), (0.0, 1.0 / 300.0)), true).unwrap();
        assert_eq!(r, 0.0667);
    }

    #[test]
    fn rewards_are_clipped_and_missing_measurements_left_out() {
        assert_eq!(reward(&effect((1.0, 500.0), (0.0, 1.0)), false), Some(-3.0));
        let cut = Effect { delay_ms: None, loss: Some((Ratio::ONE, Ratio::ZERO)) };
        assert_eq!(reward(&cut, true), Some(0.6));
        assert_eq!(reward(&Effect::default(), true), None);
    }
}
