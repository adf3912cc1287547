//! The fate of packets in one direction, as a function of time: no clock and no socket here.

use super::{Counters, Impairment};
use std::collections::VecDeque;

/// Packets that may wait in a direction without a rate; 16 MB of full-sized packets.
const MAX_WAITING: usize = 16 * 1024;
/// Buffers kept for reuse.
const MAX_SPARE: usize = 256;

/// A xorshift generator: the sequence depends on the seed alone.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// Makes a generator; any seed is good.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// Returns the next number.
    pub const fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Returns a number below `bound` (0 when the bound is 0).
    pub const fn below(&mut self, bound: u64) -> u64 {
        match bound {
            0 => 0,
            // The high bits of xorshift are the good ones.
            _ => (self.next() >> 16) % bound,
        }
    }
}

/// What happens to an offered packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It goes out at once.
    Pass,
    /// It waits in the pipe.
    Wait,
    /// It is gone.
    Gone,
}

/// One direction of a link.
pub(super) struct Pipe {
    waiting: VecDeque<(u64, Vec<u8>)>,
    spare: Vec<Vec<u8>>,
    /// When the wire is free again, nanoseconds.
    wire_free: u64,
    last_release: u64,
    burst_left: u32,
    rng: Rng,
}

impl Pipe {
    pub(super) fn new(seed: u64) -> Self {
        Self { waiting: VecDeque::new(), spare: Vec::new(), wire_free: 0, last_release: 0, burst_left: 0, rng: Rng::new(seed) }
    }

    /// Decides what happens to a packet that arrives at `now` (nanoseconds of any one clock).
    pub(super) fn offer(&mut self, now: u64, frame: &[u8], what: &Impairment, counters: &mut Counters) -> Fate {
        counters.packets_in += 1;
        counters.bytes_in += frame.len() as u64;
        if what.blackhole || self.loses(what) {
            counters.lost += 1;
            return Fate::Gone;
        }
        if what.rate_bps == 0 && what.delay_us == 0 && what.jitter_us == 0 && self.waiting.is_empty() {
            return Fate::Pass;
        }
        let Some(sent) = self.transmit(now, frame.len() as u64, what) else {
            counters.overflowed += 1;
            return Fate::Gone;
        };
        let deviation = self.rng.below(2 * what.jitter_us * 1000 + 1);
        let at = (sent + what.delay_us * 1000 + deviation).saturating_sub(what.jitter_us * 1000);
        self.last_release = self.last_release.max(at);
        let mut buffer = self.spare.pop().unwrap_or_default();
        buffer.clear();
        buffer.extend_from_slice(frame);
        self.waiting.push_back((self.last_release, buffer));
        Fate::Wait
    }

    /// Returns when the last bit of the packet is on the wire; `None` when the queue is full.
    fn transmit(&mut self, now: u64, bytes: u64, what: &Impairment) -> Option<u64> {
        if what.rate_bps == 0 {
            return (self.waiting.len() < MAX_WAITING).then_some(now);
        }
        let backlog_ns = self.wire_free.saturating_sub(now);
        let backlog = u128::from(backlog_ns) * u128::from(what.rate_bps) / 8_000_000_000;
        if backlog + u128::from(bytes) > u128::from(what.limit_bytes) {
            return None;
        }
        self.wire_free = self.wire_free.max(now) + bytes * 8_000_000_000 / what.rate_bps;
        Some(self.wire_free)
    }

    /// A loss event takes `burst` packets and starts with probability loss ÷ burst, so the mean stays what was asked.
    fn loses(&mut self, what: &Impairment) -> bool {
        if self.burst_left > 0 {
            self.burst_left -= 1;
            return true;
        }
        let burst = what.burst.max(1);
        if what.loss_ppm == 0 || self.rng.below(1_000_000 * u64::from(burst)) >= u64::from(what.loss_ppm) {
            return false;
        }
        self.burst_left = burst - 1;
        true
    }

    /// Hands every packet due at `now` to `write`, which says whether it was taken.
    pub(super) fn release(&mut self, now: u64, counters: &mut Counters, mut write: impl FnMut(&[u8]) -> bool) {
        while let Some((at, frame)) = self.waiting.pop_front_if(|(at, _)| *at <= now) {
            counters.late_us_max = counters.late_us_max.max((now - at) / 1000);
            count_written(counters, frame.len(), write(&frame));
            if self.spare.len() < MAX_SPARE {
                self.spare.push(frame);
            }
        }
        counters.waiting = self.waiting.len() as u64;
    }

    /// Returns when the next packet is due.
    pub(super) fn next_release(&self) -> Option<u64> {
        self.waiting.front().map(|(at, _)| *at)
    }
}

pub(super) const fn count_written(counters: &mut Counters, bytes: usize, taken: bool) {
    if taken {
        counters.packets_out += 1;
        counters.bytes_out += bytes as u64;
    } else {
        counters.refused += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    /// Offers `n` packets of 1000 bytes `gap` ns apart and returns the release times of those that came through.
    fn through(what: Impairment, n: u64, gap: u64) -> (Vec<u64>, Counters) {
        let (mut pipe, mut counters, mut times) = (Pipe::new(7), Counters::default(), Vec::new());
        for i in 0..n {
            if pipe.offer(i * gap, &[0; 1000], &what, &mut counters) == Fate::Pass {
                times.push(i * gap);
            }
        }
        while let Some(at) = pipe.next_release() {
            pipe.release(at, &mut counters, |_| {
                times.push(at);
                true
            });
        }
        (times, counters)
    }

    #[test]
    fn a_delay_moves_every_packet_by_itself() {
        let (times, _) = through(Impairment { delay_us: 20_000, ..Impairment::default() }, 3, MS);
        assert_eq!(times, [20 * MS, 21 * MS, 22 * MS]);
    }

    #[test]
    fn a_rate_spaces_packets_and_a_full_queue_drops() {
        // 1000 bytes at 8 Mbit/s take 1 ms; 10 000 bytes of queue hold ten.
        let what = Impairment { rate_bps: 8_000_000, limit_bytes: 10_000, ..Impairment::default() };
        let (times, counters) = through(what, 20, 0);
        assert_eq!(times, (1..=10).map(|i| i * MS).collect::<Vec<_>>());
        assert_eq!(counters.overflowed, 10);
    }

    #[test]
    fn loss_has_the_mean_asked_for_with_and_without_bursts() {
        for burst in [1, 4] {
            let (times, counters) = through(Impairment { loss_ppm: 30_000, burst, ..Impairment::default() }, 200_000, 0);
            assert_eq!(times.len() as u64 + counters.lost, 200_000);
            let loss = counters.lost as f64 / 200_000.0;
            assert!((0.027..0.033).contains(&loss), "burst {burst}: {loss}");
        }
    }

    #[test]
    fn jitter_stays_in_its_bounds_and_keeps_order() {
        let (times, _) = through(Impairment { delay_us: 20_000, jitter_us: 5_000, ..Impairment::default() }, 1000, 20 * MS);
        assert!(times.is_sorted());
        let off: Vec<u64> = times.iter().enumerate().map(|(i, t)| t - i as u64 * 20 * MS).collect();
        assert!(off.iter().all(|o| (15 * MS..=25 * MS).contains(o)));
        assert!(off.iter().any(|o| *o < 16 * MS) && off.iter().any(|o| *o > 24 * MS));
    }

    #[test]
    fn a_black_hole_swallows_everything() {
        let (times, counters) = through(Impairment { blackhole: true, ..Impairment::default() }, 5, MS);
        assert!(times.is_empty());
        assert_eq!(counters.lost, 5);
    }
}
