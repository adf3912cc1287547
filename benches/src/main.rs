//! The BMP parsers of others, measured: `bmp-reference SECONDS < STREAM`.
//!
//! `pilotctl bench ingest` starts it for its ratios. A package of its own, because these parsers are no part of the product and take minutes
//! to compile; nothing else depends on it. Prints one JSON object: per parser the messages and megabytes a second of parsing alone, framing
//! done before, and the messages that it refused.

use anyhow::Context;
use bmp::Framer;
use bytes::Bytes;
use netgauze_bmp_pkt::BmpMessage;
use netgauze_bmp_pkt::wire::deserializer::BmpParsingContext;
use netgauze_parse_utils::reader::SliceReader;
use netgauze_parse_utils::traits::ParseFromWithOneInput;
use serde_json::{Value, json};
use std::hint::black_box;
use std::io::Read;
use std::time::{Duration, Instant};

fn main() -> anyhow::Result<()> {
    let seconds = std::env::args().nth(1).context("usage: bmp-reference SECONDS < STREAM")?;
    let time = Duration::from_secs(seconds.parse().context("SECONDS is no number")?);
    let mut stream = Vec::new();
    std::io::stdin().read_to_end(&mut stream).context("reading the stream")?;
    let mut framer = Framer::new();
    framer.push(&stream);
    let mut frames = Vec::new();
    while let Some(frame) = framer.next() {
        frames.push(Bytes::from(frame?.bytes));
    }
    let netgauze = measure(&frames, time, BmpParsingContext::default, |context, frame| {
        black_box(BmpMessage::parse(&mut SliceReader::new(frame), context)).is_ok()
    });
    let bgpkit =
        measure(&frames, time, || (), |(), frame| black_box(bgpkit_parser::parser::bmp::parse_bmp_msg(&mut frame.clone())).is_ok());
    println!("{}", json!({"netgauze_bmp_pkt": netgauze, "bgpkit_parser": bgpkit}));
    Ok(())
}

/// Parses all frames again and again; each time with what a new session knows.
fn measure<C>(frames: &[Bytes], time: Duration, context: impl Fn() -> C, parse: impl Fn(&mut C, &Bytes) -> bool) -> Value {
    let (mut messages, mut bytes, mut refused) = (0_u64, 0_u64, 0_u64);
    let started = Instant::now();
    while started.elapsed() < time && !frames.is_empty() {
        let mut context = context();
        for frame in frames {
            refused += u64::from(!parse(&mut context, frame));
            messages += 1;
            bytes += frame.len() as u64;
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    json!({"messages_per_s": messages as f64 / seconds, "megabytes_per_s": bytes as f64 / seconds / 1e6, "refused": refused})
}
