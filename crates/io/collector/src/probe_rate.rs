//! The one write that the collector can express: how often a probe measures.

use crate::dial::refused;
use crate::error::CollectError;
use crate::target::Target;
use core::time::Duration;
use gnmi::{Path, PathElem, Value};
use gnmi_wire::wire;
use network::ProbeKey;

/// Highest probe rate, packets per second.
pub const RATE_HZ_MAX: u32 = 20;
/// Longest time at a raised rate, seconds; the node falls back by itself afterwards.
pub const RATE_SECONDS_MAX: u32 = 600;
/// Longest wait for the answer.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// Asks the node to measure `probe` at `hz` for `seconds`. No other path can be named here.
///
/// # Errors
/// [`CollectError::ProbeRate`] outside 1–20/s or 1–600 s; the transport's and the target's own.
pub async fn set_probe_rate(target: &Target, probe: &ProbeKey, hz: u32, seconds: u32) -> Result<(), CollectError> {
    if !(1..=RATE_HZ_MAX).contains(&hz) || !(1..=RATE_SECONDS_MAX).contains(&seconds) {
        return Err(CollectError::ProbeRate { hz, seconds });
    }
    let update = vec![leaf(probe, "rate-seconds", seconds), leaf(probe, "rate-hz", hz)];
    let request = target.request(wire::SetRequest { update, ..wire::SetRequest::default() })?;
    let mut client = target.connect().await?;
    let late = |_| CollectError::Unanswered { device: target.device.clone(), operation: "Set", waited: ANSWER_MAX };
    match tokio::time::timeout(ANSWER_MAX, client.set(request)).await.map_err(late)? {
        Ok(_) => Ok(()),
        Err(status) => Err(refused(target, "Set", &status)),
    }
}

fn leaf(probe: &ProbeKey, name: &str, value: u32) -> wire::Update {
    let keyed = |list: &str| PathElem { name: list.to_owned(), keys: [("name".to_owned(), probe.name())].into() };
    let plain = |part: &str| PathElem { name: part.to_owned(), ..PathElem::default() };
    let path = Path { elems: vec![plain("probes"), keyed("probe"), plain("tests"), keyed("test"), plain("config"), plain(name)] };
    wire::Update {
        path: Some(gnmi_wire::path_to_wire(&path, "openconfig")),
        val: Some(gnmi_wire::value_to_wire(&Value::Json(value.into()))),
        ..wire::Update::default()
    }
}
