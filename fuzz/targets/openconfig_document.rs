//! OpenConfig XML: policies and edits.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(policy) = config::openconfig::parse_policy(text) {
        drop(config::openconfig::render_policy(&policy));
    }
    drop(config::openconfig::parse_edits(text));
});
