//! Files of VRPs and of local exceptions, one after the other, told apart by a zero byte.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let (file, slurm) = data.split_at(data.iter().position(|b| *b == 0).unwrap_or(data.len()));
    let slurm = rtr::Slurm::read(&String::from_utf8_lossy(slurm.get(1..).unwrap_or_default())).unwrap_or_default();
    let Ok(file) = rtr::File::read(&String::from_utf8_lossy(file)) else { return };
    for now_s in [0, 1_626_900_000, i64::MAX] {
        let Ok(vrps) = file.at(now_s, &slurm) else { continue };
        for (vrp, expires) in &file.vrps {
            let state = vrps.state(&vrp.prefix(), Some(vrp.asn()));
            let counts = slurm.keeps(vrp) && vrp.asn().0 != 0 && expires.is_none_or(|e| e > now_s);
            assert!(!counts || state == Some(bgp::RpkiState::Valid), "{vrp}: {state:?}");
        }
    }
});
