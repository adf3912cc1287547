//! Sequence numbers: what was lost on the way.

use std::collections::BTreeMap;

/// Streams of sequence numbers kept per exporter (observation domains, source ids, engines, sub-agents).
pub const DOMAINS_MAX: usize = 256;
/// A step back of at most this is a datagram that came late; a larger step either way is an exporter that began anew.
const WINDOW: u32 = 1 << 20;

/// What a sequence number said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// As expected, or the first.
    Next,
    /// So many units are missing.
    Lost(u32),
    /// It came late: it counted as lost before.
    Late,
    /// The exporter began anew.
    Restart,
}

/// The next number that each stream should send; `None` after content that could not be counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sequences(BTreeMap<(u8, u32), Option<u32>>);

impl Sequences {
    /// Takes the number of a datagram that holds `units`; `None`: how many is not known, the next number is taken as it comes.
    pub fn step(&mut self, stream: (u8, u32), number: u32, units: Option<u32>) -> Step {
        if self.0.len() >= DOMAINS_MAX && !self.0.contains_key(&stream) {
            return Step::Next;
        }
        let expected = self.0.entry(stream).or_default();
        let ahead = expected.map_or(0, |e| number.wrapping_sub(e));
        let step = match ahead {
            0 => Step::Next,
            1..=WINDOW => Step::Lost(ahead),
            _ if ahead.wrapping_neg() <= WINDOW => Step::Late,
            _ => Step::Restart,
        };
        if step != Step::Late {
            *expected = units.map(|u| number.wrapping_add(u));
        }
        step
    }
}
