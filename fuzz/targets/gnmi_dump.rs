//! Text of telemetry files: protobuf's JSON, what gnmic prints, anything between; and paths, which must come back as they went.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut repairs = gnmi::Repairs::default();
    gnmi_wire::dump::read(data, &mut repairs, |record| drop(record.to_json()));
    if let Ok(text) = core::str::from_utf8(data)
        && let Ok(path) = text.parse::<gnmi::Path>()
    {
        let spelled = path.to_string();
        assert_eq!(spelled.parse::<gnmi::Path>().as_ref(), Ok(&path), "{spelled:?}");
    }
});
