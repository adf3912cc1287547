//! Outbound volume per prefix and exit, from pmacctd's print files.

use super::VolumeConfig;
use super::frr::elem;
use super::tree::Tree;
use bgp::Prefix;
use gnmi::{Path, Value};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

/// How often the files are looked at; pmacctd writes them every five seconds.
const POLL: Duration = Duration::from_secs(1);
/// Largest file that is read, bytes.
const FILE_MAX: u64 = 16 << 20;

/// Tells volumes whenever a file was written anew, for ever.
pub async fn watch(tree: Tree, volumes: Vec<VolumeConfig>) {
    let mut last: BTreeMap<String, SystemTime> = BTreeMap::new();
    loop {
        tokio::time::sleep(POLL).await;
        for volume in &volumes {
            let Some(modified) = std::fs::metadata(&volume.file).ok().filter(|m| m.len() <= FILE_MAX).and_then(|m| m.modified().ok())
            else {
                continue;
            };
            let Some(before) = last.insert(volume.exit.clone(), modified) else { continue };
            let Some(interval) = modified.duration_since(before).ok().filter(|d| !d.is_zero()) else { continue };
            if let Ok(text) = std::fs::read_to_string(&volume.file) {
                tree.put(vec![(state_path(&volume.exit), report(&text, &volume.prefixes, interval))], Vec::new(), true);
            }
        }
    }
}

fn state_path(exit: &str) -> Path {
    Path { elems: vec![elem("volumes", &[]), elem("exit", &[("name", exit)]), elem("state", &[])] }
}

/// Sums a print file by the longest matching prefix.
fn report(text: &str, prefixes: &[Prefix], interval: Duration) -> Value {
    let mut sums: BTreeMap<Prefix, u64> = BTreeMap::new();
    let mut elsewhere = 0;
    for line in text.lines() {
        // a line that is being written is read whole the next time
        let Ok(row) = serde_json::from_str::<Json>(line) else { continue };
        let destination = ["ip_dst", "net_dst"].iter().find_map(|k| row.get(k)).and_then(Json::as_str);
        let address = destination.and_then(|d| d.split('/').next()).and_then(|a| a.parse::<IpAddr>().ok());
        let (Some(address), Some(octets)) = (address, row.get("bytes").and_then(Json::as_u64)) else { continue };
        match prefixes.iter().filter(|p| p.contains(address)).max_by_key(|p| p.length()) {
            Some(prefix) => *sums.entry(*prefix).or_default() += octets,
            None => elsewhere += octets,
        }
    }
    state(&sums, elsewhere, interval)
}

/// Returns the volumes of one interval as gNMI serves them.
pub(crate) fn volume_state(exit: &str, sums: &BTreeMap<Prefix, u64>, elsewhere: u64, interval: Duration) -> (Path, Value) {
    (state_path(exit), state(sums, elsewhere, interval))
}

fn state(sums: &BTreeMap<Prefix, u64>, elsewhere: u64, interval: Duration) -> Value {
    let rows: Vec<Json> = sums.iter().map(|(p, n)| json!({"prefix": p.to_string(), "octets": n})).collect();
    let interval_ms = u64::try_from(interval.as_millis()).unwrap_or(u64::MAX);
    Value::Json(json!({"interval-ms": interval_ms, "prefixes": rows, "octets-elsewhere": elsewhere}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_go_to_the_longest_prefix_and_broken_lines_cost_nothing() {
        let prefixes = ["198.18.0.0/15".parse().unwrap(), "198.18.4.0/24".parse().unwrap()];
        let text = "{\"ip_dst\": \"198.18.4.9\", \"bytes\": 100}\n{\"ip_dst\": \"198.18.4.8\", \"bytes\": 11}\n{\"ip_dst\": \"198.18.5.1\", \"bytes\": 7}\n{\"ip_dst\": \"9.9.9.9\", \"bytes\": 3}\n{\"ip_d";
        let Value::Json(body) = report(text, &prefixes, Duration::from_secs(5)) else { panic!() };
        assert_eq!(
            body,
            json!({"interval-ms": 5000, "octets-elsewhere": 3,
                "prefixes": [{"prefix": "198.18.0.0/15", "octets": 7}, {"prefix": "198.18.4.0/24", "octets": 111}]})
        );
    }
}
