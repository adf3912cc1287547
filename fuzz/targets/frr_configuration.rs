//! A running configuration of FRR, and its policies written again.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    let read = config::frr::parse(text);
    drop(config::openconfig::render_policy(&read.policy));
});
