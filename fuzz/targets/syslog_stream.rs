//! Syslog: one message as a datagram, and a stream of them cut anywhere.
#![no_main]

const RECEIVED: i64 = 1_800_000_000_000_000_000;

fn read(bytes: &[u8]) {
    let message = syslog::parse(bytes, RECEIVED);
    if let Some(event) = syslog::classify(&message) {
        drop(serde_json::to_string(&event));
    }
    drop(serde_json::to_string(&message));
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((cut, stream)) = data.split_first() else { return };
    read(stream);
    let mut framer = syslog::Framer::default();
    for piece in stream.chunks(usize::from(*cut) + 1) {
        framer.push(piece);
        while let Some(frame) = framer.next() {
            match frame {
                Ok(frame) => read(&frame.bytes),
                Err(_) => return,
            }
        }
    }
    if let Some(frame) = framer.finish() {
        read(&frame.bytes);
    }
});
