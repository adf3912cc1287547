//! What a cache sends over RPKI-to-Router, in pieces as TCP brings it, to a client that follows it.
#![no_main]

use rtr::{Client, Step, Version};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((first, data)) = data.split_first() else { return };
    let mut client = Client::new(if first & 1 == 0 { Version::V1 } else { Version::V0 });
    let piece = usize::from(*first >> 1).max(1);
    let (mut buffer, mut now_s) = (Vec::new(), 1_800_000_000_i64);
    drop(client.connected());
    'stream: for piece in data.chunks(piece) {
        buffer.extend_from_slice(piece);
        loop {
            let (message, used) = match rtr::decode(&buffer) {
                Ok(Some(read)) => read,
                Ok(None) => break,
                Err(error) => {
                    drop(client.report(error.code(), &buffer, &error.to_string()));
                    break 'stream;
                }
            };
            // what was read is written and read again as the same
            let again = rtr::decode(&message.encode());
            assert!(matches!(again, Ok(Some((ref same, _))) if *same == message), "{message:?}: {again:?}");
            buffer.drain(..used);
            let before = client.data(now_s).map(|d| d.len());
            match client.handle(message, now_s) {
                Ok(Step::Complete) => assert!(client.data(now_s).is_some()),
                // half a table is no table
                Ok(_) => assert_eq!(client.data(now_s).map(|d| d.len()), before),
                Err(_) => {
                    assert_eq!(client.data(now_s).map(|d| d.len()), before);
                    drop(client.connected());
                }
            }
            now_s += 1;
        }
    }
    let vrps = rtr::Vrps::new(client.data(now_s).into_iter().flatten().copied());
    for vrp in client.data(now_s).into_iter().flatten() {
        let state = vrps.state(&vrp.prefix(), Some(vrp.asn()));
        assert!(vrp.asn().0 == 0 || state == Some(bgp::RpkiState::Valid), "{vrp}: {state:?}");
    }
});
