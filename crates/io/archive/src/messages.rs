//! The BMP messages of a file, whichever way it holds them: alone, in the headers of OpenBMP, in the packets of a capture.

use crate::bmp_flows::{BmpFlows, Given};
use crate::open_bmp::Wrapped;
use crate::pcap;
use crate::recognise::Format;
use core::net::IpAddr;
use std::collections::BTreeMap;
use std::io::Read;

/// Bytes read at once.
const PIECE: usize = 64 << 10;

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Who sent it; `None` where the file holds one stream and does not say whose.
    pub router: Option<IpAddr>,
    /// The session it came in, counted from 0.
    pub session: u32,
    /// When it was taken or, where nobody noted that, its router's own time; nanoseconds since the Unix epoch.
    pub time: Option<i64>,
    /// The whole of it, common header included.
    pub bytes: Vec<u8>,
}

/// What a file gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A message.
    Said(Said),
    /// What could not be read, and why.
    LeftOut(String),
}

/// Says whether [`read`] finds messages in files of this format.
#[must_use]
pub const fn holds_bmp(format: Format) -> bool {
    matches!(format, Format::Bmp | Format::OpenBmp | Format::Pcap | Format::PcapNg)
}

/// The time in the per-peer header (RFC 7854 §4.2), where the message has one and its router has a clock.
#[must_use]
pub fn stamp(message: &[u8]) -> Option<i64> {
    let (0..=3 | 6) = message.get(5)? else { return None };
    let both = u64::from_be_bytes(*message.get(40..48)?.first_chunk::<8>()?);
    let (seconds, micros) = (i64::try_from(both >> 32).ok()?, i64::try_from(both & 0xFFFF_FFFF).ok()?);
    (seconds > 0).then_some(seconds * 1_000_000_000 + micros * 1000)
}

/// Gives every message of an unpacked file in its order, until `each` says no more.
pub fn read(format: Format, input: impl Read, mut each: impl FnMut(Heard) -> bool) {
    match format {
        Format::Bmp => plain(input, &mut each),
        Format::OpenBmp => wrapped(input, &mut each),
        Format::Pcap | Format::PcapNg => packets(input, &mut each),
        _ => {}
    }
}

fn plain(mut input: impl Read, each: &mut impl FnMut(Heard) -> bool) {
    let (mut framer, mut buffer) = (bmp::Framer::new(), vec![0; PIECE]);
    loop {
        let n = match input.read(&mut buffer) {
            Ok(n) => n,
            Err(error) => {
                each(Heard::LeftOut(format!("the file cannot be read on: {error}")));
                return;
            }
        };
        framer.push(buffer.get(..n).unwrap_or_default());
        while let Some(next) = framer.next() {
            match next {
                Ok(frame) => {
                    let said = Said { router: None, session: 0, time: stamp(&frame.bytes), bytes: frame.bytes };
                    if !each(Heard::Said(said)) {
                        return;
                    }
                }
                Err(error) => {
                    each(Heard::LeftOut(format!("what follows byte {}: {error}", framer.offset())));
                    return;
                }
            }
        }
        if n == 0 {
            break;
        }
    }
    if framer.pending() > 0 {
        each(Heard::LeftOut(format!("the last {} bytes: the file ends inside a message", framer.pending())));
    }
}

fn wrapped(input: impl Read, each: &mut impl FnMut(Heard) -> bool) {
    // one session a router: the header does not tell sessions apart
    let mut sessions: BTreeMap<IpAddr, u32> = BTreeMap::new();
    for next in Wrapped::new(input) {
        let one = match next {
            Ok(one) => one,
            Err(error) => {
                each(Heard::LeftOut(error.to_string()));
                return;
            }
        };
        let fresh = u32::try_from(sessions.len()).unwrap_or(u32::MAX);
        let session = *sessions.entry(one.router).or_insert(fresh);
        let mut framer = bmp::Framer::new();
        framer.push(&one.bmp);
        while let Some(next) = framer.next() {
            let heard = match next {
                Ok(frame) => Heard::Said(Said { router: Some(one.router), session, time: Some(one.time), bytes: frame.bytes }),
                Err(error) => Heard::LeftOut(format!("what the OpenBMP message at byte {} holds: {error}", one.offset)),
            };
            let spoilt = matches!(heard, Heard::LeftOut(_));
            if !each(heard) {
                return;
            }
            if spoilt {
                break;
            }
        }
    }
}

fn packets(input: impl Read, each: &mut impl FnMut(Heard) -> bool) {
    let (mut flows, mut sessions) = (BmpFlows::default(), BTreeMap::new());
    let (mut newest, mut go_on) = (None, true);
    let mut given = |flow: pcap::Flow, time: Option<i64>, given: Given| {
        newest = time.or(newest);
        let heard = match given {
            Given::Message(frame, _) => {
                let fresh = u32::try_from(sessions.len()).unwrap_or(u32::MAX);
                let session = *sessions.entry(flow).or_insert(fresh);
                Heard::Said(Said { router: Some(flow.src.ip()), session, time: newest, bytes: frame.bytes })
            }
            Given::Lost { bytes, why, .. } => Heard::LeftOut(format!("{bytes} bytes from {} to {}: {why}", flow.src, flow.dst)),
        };
        go_on = go_on && each(heard);
    };
    let read = pcap::read(input, |event| flows.take(&event, &mut given));
    flows.finish(&mut given);
    if let Err(error) = read
        && go_on
    {
        each(Heard::LeftOut(error.to_string()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INITIATION: [u8; 12] = [3, 0, 0, 0, 12, 4, 0, 2, 0, 2, b'r', b'1'];

    fn termination() -> Vec<u8> {
        vec![3, 0, 0, 0, 6, 5]
    }

    fn all(format: Format, bytes: &[u8]) -> Vec<Heard> {
        let mut out = Vec::new();
        read(format, bytes, |heard| {
            out.push(heard);
            true
        });
        out
    }

    fn said(router: Option<&str>, session: u32, time: Option<i64>, bytes: &[u8]) -> Heard {
        Heard::Said(Said { router: router.map(|r| r.parse().unwrap()), session, time, bytes: bytes.to_vec() })
    }

    #[test]
    fn a_plain_stream_gives_every_message_and_says_where_it_is_cut() {
        let whole = [&INITIATION[..], &termination()].concat();
        assert_eq!(all(Format::Bmp, &whole), [said(None, 0, None, &INITIATION), said(None, 0, None, &termination())]);
        let cut = all(Format::Bmp, &whole[..whole.len() - 1]);
        assert_eq!(cut.len(), 2);
        assert!(matches!(&cut[1], Heard::LeftOut(why) if why.contains("the last 5 bytes")), "{cut:?}");
        let mut wild = whole.clone();
        wild[13..17].fill(0xFF);
        assert!(matches!(all(Format::Bmp, &wild).last(), Some(Heard::LeftOut(why)) if why.starts_with("what follows byte 12")));
        let mut first = 0;
        read(Format::Bmp, whole.as_slice(), |_| {
            first += 1;
            false
        });
        assert_eq!(first, 1, "a reader that has enough is given no more");
    }

    #[test]
    fn routers_of_openbmp_are_told_apart_with_their_times() {
        let head = |router: u8, seconds: u32, length: u8| {
            let fixed = [&b"OBMP"[..], &[1, 7, 0, 78, 0, 0, 0, length], &[0, 12], &seconds.to_be_bytes(), &[0, 0, 0, 5], &[1; 16], &[0, 0]];
            [&fixed.concat()[..], &[2; 16], &[10, 0, 0, router], &[0; 12], &[0, 0], &[0, 0, 0, 1]].concat()
        };
        assert_eq!(head(1, 0, 0).len(), 78);
        let both = [&INITIATION[..], &termination()].concat();
        let file = [head(1, 100, 18), both.clone(), head(2, 101, 12), INITIATION.to_vec(), head(1, 102, 6), termination()].concat();
        let (second, third) = (Some(101_000_005_000), Some(102_000_005_000));
        let expected = [
            said(Some("10.0.0.1"), 0, Some(100_000_005_000), &INITIATION),
            said(Some("10.0.0.1"), 0, Some(100_000_005_000), &termination()),
            said(Some("10.0.0.2"), 1, second, &INITIATION),
            said(Some("10.0.0.1"), 0, third, &termination()),
        ];
        assert_eq!(all(Format::OpenBmp, &file), expected);
    }

    #[test]
    fn the_per_peer_header_has_the_time_and_other_messages_have_none() {
        let mut statistics = vec![3, 0, 0, 0, 52, 1];
        statistics.extend([0; 34]);
        statistics.extend([0, 0, 0, 7, 0, 0, 0, 9]);
        assert_eq!(stamp(&statistics), Some(7_000_009_000));
        assert_eq!((stamp(&INITIATION), stamp(&[3, 0])), (None, None));
        statistics[40..44].fill(0);
        assert_eq!(stamp(&statistics), None, "a router without a clock");
    }
}
