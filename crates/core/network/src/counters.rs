//! Interface counters and the rates between them.

use crate::Interface;
use core::time::Duration;
use serde::{Deserialize, Serialize};
use units::Timestamp;

/// In and out octets that come in separate notifications belong together when they are at most this far apart.
const TOGETHER: Duration = Duration::from_secs(1);
/// Two reads closer than this give no rate: the clock's grain would be part of it.
const RATE_OVER_MIN: Duration = Duration::from_millis(200);

/// The halves of a counter read, until both are there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Counters {
    input: Option<(Timestamp, u64)>,
    output: Option<(Timestamp, u64)>,
}

impl Counters {
    pub fn set_input(&mut self, at: Timestamp, octets: u64) {
        self.input = Some((at, octets));
    }

    pub fn set_output(&mut self, at: Timestamp, octets: u64) {
        self.output = Some((at, octets));
    }

    /// Returns a complete read.
    fn pair(&self) -> Option<(Timestamp, u64, u64)> {
        let ((a, input), (b, output)) = (self.input?, self.output?);
        (a.since(b).max(b.since(a)) <= TOGETHER).then(|| (a.max(b), input, output))
    }
}

impl Interface {
    /// Takes a counter read. Reads that are not newer than the last change nothing; counters that fell (a reset) give no rate.
    pub(crate) fn count(&mut self, counters: &Counters) {
        let Some((at, input, output)) = counters.pair() else { return };
        let Some((before, old_input, old_output)) = self.octets else {
            self.octets = Some((at, input, output));
            return;
        };
        let over = at.since(before);
        if over < RATE_OVER_MIN {
            return;
        }
        self.rate_bps = bps(input.checked_sub(old_input), over).zip(bps(output.checked_sub(old_output), over));
        self.octets = Some((at, input, output));
    }
}

#[allow(clippy::cast_precision_loss, reason = "a rate; octets of one interval are far below 2^52")]
fn bps(octets: Option<u64>, over: Duration) -> Option<f64> {
    octets.map(|o| o as f64 * 8.0 / over.as_secs_f64())
}
