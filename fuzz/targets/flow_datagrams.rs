//! Datagrams of one exporter, cut by a length before each: NetFlow v5 and v9, IPFIX, sFlow, with what the ones before taught.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut exporter = flow::Exporter::new(core::net::IpAddr::V4(core::net::Ipv4Addr::LOCALHOST));
    let (mut rest, mut now_ns) = (data, 1_800_000_000_000_000_000_i64);
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let (datagram, after) = after.split_at(usize::from(u16::from_be_bytes(*length)).min(after.len()));
        let decoded = exporter.datagram(datagram, now_ns);
        for record in &decoded.records {
            drop(serde_json::to_string(record));
        }
        // some templates run out on the way
        now_ns += 60_000_000_000;
        rest = after;
    }
    assert!(exporter.templates() <= flow::TEMPLATES_MAX);
});
