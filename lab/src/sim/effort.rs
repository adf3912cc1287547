//! CPU and memory of a simulated router, by what it has to do. The machine's own would say nothing about a router, and would make every
//! router look busy while something else runs.

use crate::face::frr::system::system_path;
use gnmi::{Path, Value};

/// A router's processor: routes handled a second, and bits forwarded a second, that would each take all of it.
const ROUTES_PER_S: f64 = 20_000.0;
const BITS_PER_S: f64 = 1e9;
/// Housekeeping, share of the processor.
const IDLE: f64 = 0.02;
/// Memory, bytes: in all, of the programs, and per route.
const MEMORY: u64 = 2 << 30;
const PROGRAMS: u64 = 96 << 20;
const PER_ROUTE: u64 = 400;

/// What a router has done until now, and holds now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// When, nanoseconds.
    pub at: u64,
    /// Routes received and decided on.
    pub routes_handled: u64,
    /// Routes in all its tables.
    pub routes_held: u64,
    /// Octets sent.
    pub octets: u64,
}

/// The work at the last look.
#[derive(Clone, Debug, Default)]
pub struct Effort(Work);

impl Effort {
    /// Returns CPU and memory as gNMI serves them, the CPU as used since the last look.
    pub fn since(&mut self, now: Work) -> Vec<(Path, Value)> {
        let before = std::mem::replace(&mut self.0, now);
        let seconds = (now.at.saturating_sub(before.at) as f64 / 1e9).max(0.001);
        let routes = (now.routes_handled - before.routes_handled) as f64 / seconds / ROUTES_PER_S;
        let bits = (now.octets - before.octets) as f64 * 8.0 / seconds / BITS_PER_S;
        let percent = ((IDLE + routes + bits).min(1.0) * 100.0) as u64;
        let cpu = system_path(&["cpus", "cpu", "state", "total", "instant"]);
        vec![
            (cpu, Value::Uint(percent)),
            (system_path(&["memory", "state", "physical"]), Value::Uint(MEMORY)),
            (system_path(&["memory", "state", "used"]), Value::Uint(PROGRAMS + now.routes_held * PER_ROUTE)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_router_is_as_busy_as_its_work() {
        let mut effort = Effort::default();
        let second = 1_000_000_000;
        let mut cpu = |at, routes_handled, octets| effort.since(Work { at, routes_handled, octets, routes_held: 500 })[0].1.clone();
        assert_eq!(cpu(second, 0, 0), Value::Uint(2));
        assert_eq!(cpu(2 * second, 0, 12_500_000), Value::Uint(12));
        assert_eq!(cpu(3 * second, 10_000, 12_500_000), Value::Uint(52));
        assert_eq!(cpu(4 * second, 1_000_000, 12_500_000), Value::Uint(100));
    }
}
