//! A capture: as found, and with the bytes as the content of a frame whose lengths and checksum are right.
#![no_main]

use sha2::{Digest, Sha256};

fn read(bytes: &[u8]) {
    let Ok(reader) = capture::Reader::<serde_json::Value, _>::new(std::path::Path::new("fuzzed"), std::io::Cursor::new(bytes.to_vec()))
    else {
        return;
    };
    for entry in reader {
        if entry.is_err() {
            return;
        }
    }
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    read(data);
    let Ok(packed) = zstd::bulk::compress(data, 1) else { return };
    let length = u32::try_from(packed.len()).unwrap_or(u32::MAX);
    let mut file = capture::MAGIC.to_vec();
    file.extend(capture::VERSION.to_be_bytes());
    file.extend([0, 0]);
    file.extend(length.to_be_bytes());
    file.extend((!length).to_be_bytes());
    file.extend(&Sha256::digest(data)[..8]);
    file.extend(packed);
    read(&file);
});
