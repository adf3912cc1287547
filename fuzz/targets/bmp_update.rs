//! The attributes and NLRI of one UPDATE, inside a Route Monitoring message whose lengths are right, so that the fuzzer is not stopped by them.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((flags, update)) = data.split_first() else { return };
    if update.len() > 4096 {
        return;
    }
    let mut message = vec![3, 0, 0, 0, 0, 0, flags & 3, flags & 0xf0];
    message.extend([0; 8 + 12]);
    message.extend([10, 0, 0, 1, 0, 0, 0xfd, 0xe9, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    message.extend([0xff; 16]);
    let length = u16::try_from(update.len() + 19).unwrap_or(u16::MAX);
    message.extend(length.to_be_bytes());
    message.push(2);
    message.extend(update);
    let total = u32::try_from(message.len()).unwrap_or(u32::MAX);
    message[1..5].copy_from_slice(&total.to_be_bytes());
    let mut codec = bmp::Codec::new(None);
    if let Ok(message) = bmp::decode(&message, &mut codec) {
        drop(bmp::json::message(&message, 0));
    }
});
