//! A BMP stream into tables, the short way and the long way: both must end in the same state.
#![no_main]

use units::Timestamp;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let (mut short, mut long) = (rib::Rib::new(10_000), rib::Rib::new(10_000));
    let (Some(a), Some(b)) = (short.router("r"), long.router("r")) else { return };
    let codec = bmp::Codec::new(Some(bgp::Asn(65001)));
    short.connected(a, codec.clone(), Timestamp::EPOCH);
    long.connected(b, codec.clone(), Timestamp::EPOCH);
    let (mut framer, mut codec, mut at) = (bmp::Framer::new(), codec, 0);
    framer.push(data);
    while let Some(frame) = framer.next() {
        let Ok(frame) = frame else { break };
        at += 100;
        let now = Timestamp::from_millis(at);
        drop(short.ingest(a, &frame.bytes, now));
        match bmp::decode(&frame.bytes, &mut codec) {
            Ok(message) => long.apply(b, &message, now),
            Err(mut error) => {
                if let Some(salvage) = error.salvage.take() {
                    long.apply(b, &bmp::Message::RouteMonitoring(salvage), now);
                }
            }
        }
        short.tick(now);
        long.tick(now);
    }
    assert_eq!(short.state_hash(), long.state_hash());
});
