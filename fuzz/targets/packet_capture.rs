//! A packet capture (pcap, pcapng), its TCP flows put together, and BMP found in them.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut flows = archive::bmp_flows::BmpFlows::new(bmp::Codec::new(Some(bgp::Asn(65001))));
    let mut given = 0_u64;
    drop(archive::pcap::read(data, |event| flows.take(&event, |_, _, _| given += 1)));
    flows.finish(|_, _, _| given += 1);
});
