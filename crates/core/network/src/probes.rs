//! Probe results and volumes as the node face reports them.

use crate::picture::PROBE_HISTORY;
use crate::{Network, ProbeKey, ProbeSample, ProbeSource, Volume, VolumeSource};
use action::{DeviceId, ExitId, GroupId};
use bgp::{Family, Prefix};
use serde_json::Value;
use units::Timestamp;

/// Prefixes kept per exit; above it those without traffic go first, then nothing new is taken.
const VOLUMES_PER_EXIT_MAX: usize = 20_000;
/// Probes kept: every exit, group and family of a large site.
const PROBES_MAX: usize = 10_000;

/// Reads `<exit>:<group>:<family>` or `as-routed@<device>:<group>:<family>`.
pub(crate) fn key(device: &DeviceId, name: &str) -> Option<ProbeKey> {
    let mut parts = name.rsplitn(3, ':');
    let family = match parts.next()? {
        "ipv4" => Family::Ipv4Unicast,
        "ipv6" => Family::Ipv6Unicast,
        _ => return None,
    };
    let group = GroupId::new(parts.next()?);
    let from = parts.next()?;
    let exit = if from.starts_with("as-routed@") { None } else { Some(ExitId::new(from)) };
    Some(ProbeKey { device: device.clone(), exit, group, family })
}

/// Spells the name that the node knows the probe by.
pub(crate) fn name(key: &ProbeKey) -> String {
    let family = match key.family {
        Family::Ipv4Unicast => "ipv4",
        Family::Ipv6Unicast => "ipv6",
    };
    match &key.exit {
        Some(exit) => format!("{exit}:{}:{family}", key.group),
        None => format!("as-routed@{}:{}:{family}", key.device, key.group),
    }
}

impl ProbeKey {
    /// Returns the probe's name on its node (`r1-ispa:east:ipv4`, `as-routed@r4:east:ipv4`).
    #[must_use]
    pub fn name(&self) -> String {
        name(self)
    }
}

impl Network {
    /// Takes one interval of a probe; `false` when it is none. Intervals that are not newer than the last are dropped.
    pub(crate) fn probed(&mut self, key: ProbeKey, source: ProbeSource, json: &Value, at: Timestamp) -> bool {
        let count = |name: &str| json.get(name).and_then(whole).and_then(|n| u32::try_from(n).ok());
        // IP SLA sends one packet an operation and says how it ended
        let verdict = json.get("return-code").and_then(Value::as_str).map(|code| (1, u32::from(code.rsplit('-').next() == Some("ok"))));
        let lost = || Some((count("sent")?, count("sent")?.saturating_sub(count("lost")?)));
        let Some((sent, received)) = count("sent").zip(count("received")).or_else(lost).or(verdict) else { return false };
        if self.probes.len() >= PROBES_MAX && !self.probes.contains_key(&key) {
            return false;
        }
        let ms = |name: &str| json.get(name).and_then(decimal).filter(|v| *v >= 0.0);
        let rtt_ms = ms("rtt-ms").or_else(|| ms("rtt-us").map(|us| us / 1000.0)).filter(|_| received > 0);
        let half = rtt_ms.filter(|_| source.is_half_round_trip()).map(|rtt| rtt / 2.0);
        let probe = self.probes.entry(key).or_default();
        probe.source = source;
        probe.rate_hz = json.get("rate-hz").and_then(decimal).or(probe.rate_hz);
        if probe.samples.back().is_some_and(|last| last.at >= at) {
            return true;
        }
        if probe.samples.len() >= PROBE_HISTORY {
            probe.samples.pop_front();
        }
        probe.samples.push_back(ProbeSample {
            at,
            sent,
            received: received.min(sent),
            delay_ms: ms("forward-delay-ms").or(half),
            delay_ms_min_max: ms("forward-delay-min-ms").zip(ms("forward-delay-max-ms")),
            rtt_ms,
        });
        true
    }

    /// Takes the volumes of one exit over one interval; `false` when they are none. Prefixes that are not named had no traffic.
    #[allow(clippy::cast_precision_loss, reason = "a rate; octets of one interval are far below 2^52")]
    pub(crate) fn measured_volumes(&mut self, exit: &ExitId, json: &Value, at: Timestamp) -> bool {
        let (Some(interval), Some(list)) =
            (json.get("interval-ms").and_then(whole).filter(|ms| *ms > 0), json.get("prefixes").and_then(Value::as_array))
        else {
            return false;
        };
        let mut room = VOLUMES_PER_EXIT_MAX;
        self.volumes.retain(|(e, _), volume| {
            if e != exit {
                return true;
            }
            let keep = volume.bps > 0.0 || room > VOLUMES_PER_EXIT_MAX / 2;
            *volume = Volume { bps: 0.0, at, source: VolumeSource::Node };
            room = room.saturating_sub(usize::from(keep));
            keep
        });
        for entry in list {
            let prefix = entry.get("prefix").and_then(Value::as_str).and_then(|p| p.parse::<Prefix>().ok());
            let (Some(prefix), Some(octets)) = (prefix, entry.get("octets").and_then(whole)) else { return false };
            let slot = (exit.clone(), prefix);
            if !self.volumes.contains_key(&slot) {
                if room == 0 {
                    continue;
                }
                room -= 1;
            }
            self.volumes.insert(slot, Volume { bps: octets as f64 * 8000.0 / interval as f64, at, source: VolumeSource::Node });
        }
        true
    }
}

fn whole(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

fn decimal(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok()).filter(|v: &f64| v.is_finite())
}
