//! BMP in the TCP flows of a capture, found by content and not by port.

use crate::pcap::{Event, Flow};
use bmp::{Codec, DecodeError, Frame, Framer, MAX_MESSAGE_BYTES, MIN_MESSAGE_BYTES, Message};
use std::collections::BTreeMap;

/// Common header and per-peer header together (RFC 7854 §4.1, §4.2).
const PEER_MESSAGE_BYTES: usize = 48;

/// Says whether bytes begin like a BMP message: version 3 or 4, a type of RFC 7854 and a length that it can have.
#[must_use]
pub fn looks_like_bmp(bytes: &[u8]) -> bool {
    let &[3 | 4, a, b, c, d, kind, ..] = bytes else { return false };
    let least = match kind {
        0..=3 | 6 => PEER_MESSAGE_BYTES,
        4 | 5 => MIN_MESSAGE_BYTES,
        _ => return false,
    };
    usize::try_from(u32::from_be_bytes([a, b, c, d])).is_ok_and(|n| (least..=MAX_MESSAGE_BYTES).contains(&n))
}

/// TCP connections looked into at a time: as many as are put together.
pub const MAX_BMP_FLOWS: usize = crate::pcap::MAX_FLOWS;

/// What a flow gives.
#[derive(Debug)]
pub enum Given {
    /// A message, decoded or not.
    Message(Frame, Box<Result<Message, DecodeError>>),
    /// Bytes of the stream that are missing or are no BMP; reading goes on at the next segment that begins like a message.
    Lost {
        /// Offset of the first in the stream.
        offset: u64,
        /// How many.
        bytes: u64,
        /// Why.
        why: String,
    },
}

#[derive(Default)]
struct State {
    framer: Option<Framer>,
    codec: Codec,
    /// Offset in the stream of the framer's first byte.
    base: u64,
    /// First bytes of a segment that are too few to judge.
    held: Vec<u8>,
    /// Messages have been seen.
    spoke: bool,
}

/// The flows that carry BMP.
#[derive(Default)]
pub struct BmpFlows {
    fresh: Codec,
    flows: BTreeMap<(Flow, u64), State>,
    left_out: u64,
}

impl BmpFlows {
    /// Makes the state at the start of a capture; each flow begins with `fresh`.
    #[must_use]
    pub const fn new(fresh: Codec) -> Self {
        Self { fresh, flows: BTreeMap::new(), left_out: 0 }
    }

    /// Takes an event of the capture; `each` gets the flow, the packet's time (nanoseconds since the Unix epoch) and what it gave.
    pub fn take(&mut self, event: &Event, mut each: impl FnMut(Flow, Option<i64>, Given)) {
        match event {
            Event::Bytes { flow, connection, time, offset, bytes } => {
                let key = (*flow, *connection);
                if !self.flows.contains_key(&key) {
                    // the ports are used again: the connection before says no more
                    let before: Vec<_> = self.flows.range((*flow, 0)..key).map(|(k, _)| *k).collect();
                    for old in before.iter().filter_map(|k| self.flows.remove(k)) {
                        old.end("the connection ends inside a message", |given| each(*flow, None, given));
                    }
                    if self.flows.len() >= MAX_BMP_FLOWS {
                        self.left_out = self.left_out.saturating_add(1);
                        return;
                    }
                }
                let codec = &self.fresh;
                let fresh = || State { codec: codec.clone(), ..State::default() };
                let state = self.flows.entry(key).or_insert_with(fresh);
                state.take(*offset, bytes, |given| each(*flow, Some(*time), given));
            }
            Event::Lost { flow, connection, offset, bytes } => {
                if let Some(state) = self.flows.get_mut(&(*flow, *connection)) {
                    state.lose(*offset, *bytes, |given| each(*flow, None, given));
                }
            }
            Event::Datagram(_) => {}
        }
    }

    /// Ends the capture: what waits for the rest of its message is lost.
    pub fn finish(&mut self, mut each: impl FnMut(Flow, Option<i64>, Given)) {
        for ((flow, _), state) in std::mem::take(&mut self.flows) {
            state.end("the capture ends inside a message", |given| each(flow, None, given));
        }
    }

    /// Returns how many segments belong to connections beyond [`MAX_BMP_FLOWS`]; nothing was looked for in them.
    #[must_use]
    pub const fn left_out(&self) -> u64 {
        self.left_out
    }
}

impl State {
    /// Says what waits for the rest of its message.
    fn end(self, why: &str, mut each: impl FnMut(Given)) {
        if let Some(framer) = self.framer.filter(|f| f.pending() > 0) {
            each(Given::Lost { offset: self.base + framer.offset(), bytes: framer.pending() as u64, why: why.to_owned() });
        }
    }

    fn take(&mut self, offset: u64, bytes: &[u8], mut each: impl FnMut(Given)) {
        let mut offset = offset;
        let mut bytes = bytes;
        let joined;
        if self.framer.is_none() {
            if !self.held.is_empty() {
                offset -= self.held.len() as u64;
                self.held.extend(bytes);
                joined = std::mem::take(&mut self.held);
                bytes = &joined;
            }
            if bytes.len() < MIN_MESSAGE_BYTES && matches!(bytes.first(), Some(3 | 4)) {
                self.held = bytes.to_vec();
                return;
            }
            if !looks_like_bmp(bytes) {
                if self.spoke {
                    let why = "no message begins here".to_owned();
                    each(Given::Lost { offset, bytes: bytes.len() as u64, why });
                }
                return;
            }
            self.base = offset;
        }
        let framer = self.framer.get_or_insert_default();
        framer.push(bytes);
        while let Some(frame) = framer.next() {
            match frame {
                Ok(mut frame) => {
                    frame.offset += self.base;
                    self.spoke = true;
                    let decoded = bmp::decode(&frame.bytes, &mut self.codec);
                    each(Given::Message(frame, Box::new(decoded)));
                }
                Err(error) => {
                    let from = self.base + framer.offset();
                    let end = offset + bytes.len() as u64;
                    each(Given::Lost { offset: from, bytes: end.saturating_sub(from), why: error.to_string() });
                    self.framer = None;
                    return;
                }
            }
        }
    }

    fn lose(&mut self, offset: u64, bytes: u64, mut each: impl FnMut(Given)) {
        self.held.clear();
        if let Some(framer) = self.framer.take() {
            let from = self.base + framer.offset();
            let why = format!("the capture holds no packet with the {bytes} bytes from byte {offset} on");
            each(Given::Lost { offset: from, bytes: offset.saturating_sub(from) + bytes, why });
        } else if self.spoke {
            each(Given::Lost { offset, bytes, why: "the capture holds no packet with these bytes".to_owned() });
        }
    }
}
