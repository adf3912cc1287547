//! Any file: what it is told to be, and BMP in the headers of OpenBMP.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(found) = archive::recognise::recognise(data, archive::recognise::LOOK_BYTES) {
        drop(serde_json::to_string(&found));
    }
    for one in archive::open_bmp::Wrapped::new(data) {
        if one.is_err() {
            return;
        }
    }
});
