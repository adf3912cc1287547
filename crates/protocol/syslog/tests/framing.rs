//! Streams in any pieces.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

use proptest::prelude::*;
use syslog::{FRAME_BYTES_MAX, Frame, FrameError, Framer, Framing};

fn cut(stream: &[u8], piece: usize) -> (Vec<Frame>, Option<FrameError>, Option<Frame>) {
    let (mut framer, mut frames) = (Framer::default(), Vec::new());
    for bytes in stream.chunks(piece) {
        framer.push(bytes);
        while let Some(frame) = framer.next() {
            match frame {
                Ok(frame) => frames.push(frame),
                Err(error) => return (frames, Some(error), None),
            }
        }
        assert!(framer.pending() <= FRAME_BYTES_MAX + piece + 11);
    }
    (frames, None, framer.finish())
}

fn texts(frames: &[Frame]) -> Vec<(u64, &str)> {
    frames.iter().map(|f| (f.offset, core::str::from_utf8(&f.bytes).unwrap())).collect()
}

#[test]
fn both_ways_of_framing_are_told_apart_frame_by_frame() {
    let stream = b"7 <13>abc<13>one\n<13>two\r\n\n<13>three\x005 <1>ab<1>last";
    for piece in 1..=stream.len() {
        let (frames, error, last) = cut(stream, piece);
        assert_eq!(error, None);
        assert_eq!(
            texts(&frames),
            [(2, "<13>abc"), (9, "<13>one"), (17, "<13>two"), (27, "<13>three"), (39, "<1>ab")],
            "pieces of {piece}"
        );
        assert_eq!((frames[0].framing, frames[1].framing), (Framing::OctetCounting, Framing::Trailer));
        let last = last.unwrap();
        assert_eq!((last.offset, last.bytes.as_slice()), (44, &b"<1>last"[..]), "what the end of the stream cut is still shown");
    }
}

#[test]
fn a_counted_frame_may_hold_line_ends_and_one_that_is_not_whole_is_none() {
    let (frames, _, last) = cut(b"6 a\nb\nc\n9 short", 4);
    assert_eq!((texts(&frames), last), (vec![(2, "a\nb\nc\n")], None));
}

#[test]
fn a_count_that_is_none_ends_the_stream_with_its_offset() {
    let cases = [("3 abc12x", 5), ("99999999999 a", 0), ("1048577 a", 0), ("5\n", 0)];
    for (stream, offset) in cases {
        for piece in [1, 100] {
            assert_eq!(cut(stream.as_bytes(), piece).1, Some(FrameError::BadCount { offset }), "{stream}");
        }
    }
}

#[test]
fn what_is_too_long_is_cut_and_what_follows_is_whole() {
    let long = "x".repeat(FRAME_BYTES_MAX + 1000);
    for stream in [format!("{} {long}3 abc", long.len()), format!("<{long}\nabc\n")] {
        for piece in [100, 100_000] {
            let (frames, error, _) = cut(stream.as_bytes(), piece);
            assert_eq!((error, frames.len(), frames[0].bytes.len(), &frames[1].bytes[..]), (None, 2, FRAME_BYTES_MAX, &b"abc"[..]));
            assert!(frames[0].cut >= 1000, "{}", frames[0].cut);
        }
    }
}

proptest! {
    #[test]
    fn the_pieces_make_no_difference(frames in prop::collection::vec(("[a-z<> \r\t]{1,40}", any::<bool>()), 0..12), sizes in prop::collection::vec(1_usize..20, 1..8)) {
        let mut stream = Vec::new();
        let mut expected = Vec::new();
        for (text, counted) in &frames {
            if *counted {
                stream.extend(format!("{} ", text.len()).bytes());
                expected.push((stream.len() as u64, text.clone()));
                stream.extend(text.bytes());
            } else {
                let line = text.strip_suffix('\r').unwrap_or(text);
                if !line.is_empty() {
                    expected.push((stream.len() as u64, line.to_owned()));
                }
                stream.extend(text.bytes().chain(*b"\n"));
            }
        }
        let (mut framer, mut found, mut at) = (Framer::default(), Vec::new(), 0);
        for size in sizes.iter().cycle() {
            if at >= stream.len() {
                break;
            }
            let end = (at + size).min(stream.len());
            framer.push(&stream[at..end]);
            at = end;
            while let Some(frame) = framer.next() {
                let frame = frame.unwrap();
                found.push((frame.offset, String::from_utf8(frame.bytes).unwrap()));
            }
        }
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn junk_never_panics_and_holds_little(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..40)) {
        let mut framer = Framer::default();
        for piece in pieces {
            framer.push(&piece);
            while let Some(frame) = framer.next() {
                if frame.is_err() {
                    return Ok(());
                }
            }
            prop_assert!(framer.pending() <= FRAME_BYTES_MAX + 211);
        }
    }
}
