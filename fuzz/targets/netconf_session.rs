//! Bytes of a NETCONF session, both framings, and every document that may come in them.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((how, bytes)) = data.split_first() else { return };
    let mut decoder = netconf::Decoder::default();
    if how & 1 == 1 {
        decoder.set_framing(netconf::Framing::Chunked);
    }
    for piece in bytes.chunks(usize::from(how >> 1) + 1) {
        decoder.push(piece);
        while let Ok(Some(message)) = decoder.next_message() {
            drop(netconf::Hello::parse(&message));
            drop(netconf::Reply::parse(&message));
            drop(netconf::Rpc::parse(&message));
        }
    }
});
