//! What the kernel says: interfaces of this namespace, CPU and memory of the machine that all nodes of a lab share.

use super::elem;
use gnmi::{Path, PathElem, Value};
use std::fs;
use std::sync::Mutex;

/// Busy and total jiffies of the last look.
static LAST_CPU: Mutex<Option<(u64, u64)>> = Mutex::new(None);

/// Reads interfaces, CPU and memory.
pub fn read(interfaces: &[String]) -> Vec<(Path, Value)> {
    let mut out = machine();
    for name in interfaces {
        interface(name, &mut out);
    }
    out
}

/// Reads CPU and memory of the machine.
fn machine() -> Vec<(Path, Value)> {
    let mut out = Vec::new();
    if let Some(percent) = cpu_percent() {
        out.push((system_path(&["cpus", "cpu", "state", "total", "instant"]), Value::Uint(percent)));
    }
    if let Some((total, available)) = memory() {
        out.push((system_path(&["memory", "state", "physical"]), Value::Uint(total)));
        out.push((system_path(&["memory", "state", "used"]), Value::Uint(total.saturating_sub(available))));
    }
    out
}

/// Returns the path of a leaf of an interface's state.
pub fn interface_path(name: &str, rest: &[&str]) -> Path {
    let mut elems = vec![elem("interfaces", &[]), elem("interface", &[("name", name)]), elem("state", &[])];
    elems.extend(rest.iter().map(|n| elem(n, &[])).collect::<Vec<PathElem>>());
    Path { elems }
}

/// Returns a path below `/system`; the CPU is all of them.
pub fn system_path(names: &[&str]) -> Path {
    let keyed = |n: &&str| if *n == "cpu" { elem("cpu", &[("index", "ALL")]) } else { elem(n, &[]) };
    Path { elems: std::iter::once(elem("system", &[])).chain(names.iter().map(keyed)).collect() }
}

fn interface(name: &str, out: &mut Vec<(Path, Value)>) {
    let at = |rest: &[&str]| interface_path(name, rest);
    let file = |leaf: &str| fs::read_to_string(format!("/sys/class/net/{name}/{leaf}")).ok().map(|t| t.trim().to_owned());
    let Some(state) = file("operstate") else {
        out.push((at(&["oper-status"]), Value::String("NOT_PRESENT".to_owned())));
        return;
    };
    // a TAP device without carrier detection says "unknown" while it carries
    let up = state == "up" || (state == "unknown" && file("carrier").as_deref() == Some("1"));
    out.push((at(&["oper-status"]), Value::String(if up { "UP" } else { "DOWN" }.to_owned())));
    let flags = file("flags").and_then(|f| u64::from_str_radix(f.trim_start_matches("0x"), 16).ok()).unwrap_or(0);
    out.push((at(&["admin-status"]), Value::String(if flags & 1 == 1 { "UP" } else { "DOWN" }.to_owned())));
    if let Some(index) = file("ifindex").and_then(|i| i.parse().ok()) {
        out.push((at(&["ifindex"]), Value::Uint(index)));
    }
    for (leaf, counter) in [
        ("rx_bytes", "in-octets"),
        ("tx_bytes", "out-octets"),
        ("rx_errors", "in-errors"),
        ("tx_errors", "out-errors"),
        ("rx_dropped", "in-discards"),
        ("tx_dropped", "out-discards"),
    ] {
        if let Some(n) = file(&format!("statistics/{leaf}")).and_then(|t| t.parse().ok()) {
            out.push((at(&["counters", counter]), Value::Uint(n)));
        }
    }
}

fn cpu_percent() -> Option<u64> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    let ticks: Vec<u64> = text.lines().next()?.split_whitespace().skip(1).filter_map(|t| t.parse().ok()).collect();
    let total: u64 = ticks.iter().take(8).sum();
    let busy = total.saturating_sub(ticks.get(3)? + ticks.get(4)?);
    let mut last = LAST_CPU.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let (old_busy, old_total) = last.replace((busy, total))?;
    (busy.saturating_sub(old_busy) * 100).checked_div(total.saturating_sub(old_total))
}

fn memory() -> Option<(u64, u64)> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let bytes = |name: &str| {
        let line = text.lines().find(|l| l.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kb| kb * 1024)
    };
    Some((bytes("MemTotal:")?, bytes("MemAvailable:")?))
}
