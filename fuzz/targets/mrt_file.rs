//! A file of MRT records, in both forms that are printed.
#![no_main]

use archive::mrt::{PeerTable, Records, bgpdump, json_of};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let (mut json, mut text) = (PeerTable::default(), PeerTable::default());
    for record in Records::new(data) {
        let Ok(record) = record else { return };
        drop(json_of(&record, &mut json));
        drop(bgpdump::lines(&record, &mut text));
    }
});
