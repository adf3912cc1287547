//! A configuration in whatever language its content tells, and each reader on its own.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    let files = [("fuzzed".to_owned(), text.to_owned())];
    drop(config::read(&files));
    // what is not told as theirs reaches them too
    drop((config::eos::parse(text), config::junos::parse(text), config::iosxr::parse(text)));
});
