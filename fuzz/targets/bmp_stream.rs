//! A BMP stream cut anywhere: framing, decoding with what the session taught, both JSON forms.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let (mut framer, mut codec) = (bmp::Framer::new(), bmp::Codec::new(Some(bgp::Asn(65001))));
    // the first byte says how the stream is cut
    let Some((cut, stream)) = data.split_first() else { return };
    for piece in stream.chunks(usize::from(*cut) + 1) {
        framer.push(piece);
        while let Some(frame) = framer.next() {
            let Ok(frame) = frame else { return };
            match bmp::decode(&frame.bytes, &mut codec) {
                Ok(message) => drop(bmp::json::message(&message, frame.offset)),
                Err(error) => drop(bmp::json::malformed(&error, &frame.bytes, frame.offset)),
            }
        }
    }
});
