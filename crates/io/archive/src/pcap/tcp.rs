//! TCP flows put together: out of order, repeated, overlapping, with holes.

use super::layers::Segment;
use super::{Event, Flow};
use std::collections::BTreeMap;

/// Flows followed at a time; a capture at a collector has one per router.
pub const MAX_FLOWS: usize = 65_536;
/// Bytes held of one flow while an earlier segment is missing: more than any receive window seen at a collector. Then the hole is lost.
pub const MAX_PENDING_BYTES: usize = 4 << 20;
/// Segments held of one flow while an earlier one is missing.
const MAX_PENDING_SEGMENTS: usize = 8192;

#[derive(Default)]
pub(super) struct Flows {
    flows: BTreeMap<Flow, Stream>,
    connections: u64,
}

struct Stream {
    connection: u64,
    /// Sequence number of the stream's byte `next`.
    sequence: u32,
    next: u64,
    pending: BTreeMap<u64, (i64, Vec<u8>)>,
    pending_bytes: usize,
    first: u32,
    closed: bool,
    /// Bytes that came with the SYN itself, until the next segment has shown how it was counted.
    with_syn: Option<u64>,
}

impl Flows {
    /// Takes a segment; says no where there are too many flows.
    pub fn take(&mut self, time: i64, segment: &Segment<'_>, each: &mut impl FnMut(Event)) -> bool {
        let flow = Flow { src: segment.src, dst: segment.dst };
        let start = segment.sequence.wrapping_add(u32::from(segment.syn));
        let again = |s: &Stream| segment.syn && s.first != start || s.closed && !segment.payload.is_empty() && s.distance(start).is_none();
        if self.flows.get(&flow).is_some_and(again)
            && let Some(mut old) = self.flows.remove(&flow)
        {
            old.flush(flow, each);
        }
        if !self.flows.contains_key(&flow) {
            if segment.payload.is_empty() && !segment.syn {
                return true;
            }
            if self.flows.len() >= MAX_FLOWS {
                return false;
            }
            self.connections += 1;
            let stream = Stream {
                connection: self.connections,
                sequence: start,
                next: 0,
                pending: BTreeMap::new(),
                pending_bytes: 0,
                first: start,
                closed: false,
                with_syn: (segment.syn && !segment.payload.is_empty()).then_some(segment.payload.len() as u64),
            };
            self.flows.insert(flow, stream);
        }
        if let Some(stream) = self.flows.get_mut(&flow) {
            stream.closed |= segment.fin;
            if !segment.syn && !segment.payload.is_empty() {
                stream.recount_syn(start, segment.payload.len());
            }
            stream.take(flow, time, start, segment.payload, each);
        }
        true
    }

    pub fn finish(&mut self, each: &mut impl FnMut(Event)) {
        for (flow, stream) in &mut self.flows {
            stream.flush(*flow, each);
        }
    }
}

impl Stream {
    /// Bytes of the stream between `next` and a sequence number, negative for old ones; `None` where it is no part of this stream.
    fn distance(&self, sequence: u32) -> Option<i64> {
        let ahead = i64::from(sequence.wrapping_sub(self.sequence).cast_signed());
        (ahead.unsigned_abs() < 1 << 30).then_some(ahead)
    }

    /// Tools that rewrite captures put data into a SYN and do not count the SYN (RFC 9293 §3.4 does): then all later numbers are one less.
    fn recount_syn(&mut self, start: u32, length: usize) {
        if self.with_syn.take() == Some(self.next) && self.distance(start) == Some(-1) && length > 1 {
            self.sequence = self.sequence.wrapping_sub(1);
        }
    }

    fn take(&mut self, flow: Flow, time: i64, sequence: u32, payload: &[u8], each: &mut impl FnMut(Event)) {
        let Some(ahead) = self.distance(sequence) else { return };
        let payload = match usize::try_from(-ahead) {
            Ok(old) => payload.get(old..).unwrap_or_default(),
            Err(_) => payload,
        };
        if payload.is_empty() {
            return;
        }
        let at = self.next.saturating_add_signed(ahead.max(0));
        // of two segments that start at one place the longer one counts
        let held = self.pending.get(&at).map_or(0, |(_, b)| b.len());
        if payload.len() > held {
            self.pending_bytes += payload.len() - held;
            self.pending.insert(at, (time, payload.to_vec()));
        }
        self.deliver(flow, time, each);
        while self.pending_bytes > MAX_PENDING_BYTES || self.pending.len() > MAX_PENDING_SEGMENTS {
            self.skip(flow, each);
            self.deliver(flow, time, each);
        }
    }

    fn deliver(&mut self, flow: Flow, time: i64, each: &mut impl FnMut(Event)) {
        while let Some(entry) = self.pending.first_entry().filter(|e| *e.key() <= self.next) {
            let (at, (_, mut bytes)) = entry.remove_entry();
            self.pending_bytes -= bytes.len();
            let old = usize::try_from(self.next - at).unwrap_or(usize::MAX).min(bytes.len());
            bytes.drain(..old);
            if bytes.is_empty() {
                continue;
            }
            let offset = self.next;
            self.advance(bytes.len() as u64);
            each(Event::Bytes { flow, connection: self.connection, time, offset, bytes });
        }
    }

    fn advance(&mut self, n: u64) {
        self.next += n;
        self.sequence = self.sequence.wrapping_add((n & 0xFFFF_FFFF) as u32);
    }

    /// Gives up on the bytes before the first that is held.
    fn skip(&mut self, flow: Flow, each: &mut impl FnMut(Event)) {
        if let Some((&at, _)) = self.pending.first_key_value() {
            let bytes = at.saturating_sub(self.next);
            each(Event::Lost { flow, connection: self.connection, offset: self.next, bytes });
            self.advance(bytes);
        }
    }

    fn flush(&mut self, flow: Flow, each: &mut impl FnMut(Event)) {
        while let Some((_, &(time, _))) = self.pending.first_key_value() {
            self.skip(flow, each);
            self.deliver(flow, time, each);
        }
    }
}
