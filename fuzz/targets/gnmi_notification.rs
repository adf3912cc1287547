//! A SubscribeResponse as it comes from a target: protobuf, paths, typed values.
#![no_main]

use gnmi_wire::wire;
use prost::Message;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(response) = wire::SubscribeResponse::decode(data) else { return };
    if let Some(wire::subscribe_response::Response::Update(notification)) = response.response {
        drop(gnmi_wire::notification_from_wire(&notification));
    }
});
