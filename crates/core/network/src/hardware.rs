//! What a device says of its own parts: processors, memory, temperature, power, light levels.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use units::Timestamp;

/// Parts kept of one device: a large chassis has a few thousand optical channels with three readings each.
const PARTS_MAX: usize = 20_000;

/// A reading and when it was taken, by the device's clock where it is believed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// When.
    pub at: Timestamp,
    /// The value, in the unit of what it is a reading of.
    pub value: f64,
}

/// What is measured of a part (openconfig-platform, -platform-psu, -platform-transceiver).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gauge {
    /// `/components/component/state/temperature/instant`.
    Temperature,
    /// `/components/component/state/used-power`.
    UsedPower,
    /// `…/power-supply/state/capacity`.
    SupplyCapacity,
    /// `…/power-supply/state/input-voltage`.
    SupplyInputVoltage,
    /// `…/power-supply/state/input-current`.
    SupplyInputCurrent,
    /// `…/power-supply/state/output-voltage`.
    SupplyOutputVoltage,
    /// `…/power-supply/state/output-current`.
    SupplyOutputCurrent,
    /// `…/power-supply/state/output-power`.
    SupplyOutputPower,
    /// Light received: `…/state/input-power/instant` of a channel.
    OpticalInput,
    /// Light sent: `…/state/output-power/instant`.
    OpticalOutput,
    /// `…/state/laser-bias-current/instant`.
    LaserBias,
}

impl Gauge {
    /// Returns the unit that its readings have.
    #[must_use]
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Temperature => "°C",
            Self::UsedPower | Self::SupplyCapacity | Self::SupplyOutputPower => "W",
            Self::SupplyInputVoltage | Self::SupplyOutputVoltage => "V",
            Self::SupplyInputCurrent | Self::SupplyOutputCurrent => "A",
            Self::OpticalInput | Self::OpticalOutput => "dBm",
            Self::LaserBias => "mA",
        }
    }

    /// Returns its name: with its unit, as series and views spell it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Temperature => "temperature_c",
            Self::UsedPower => "used_power_w",
            Self::SupplyCapacity => "supply_capacity_w",
            Self::SupplyInputVoltage => "supply_input_v",
            Self::SupplyInputCurrent => "supply_input_a",
            Self::SupplyOutputVoltage => "supply_output_v",
            Self::SupplyOutputCurrent => "supply_output_a",
            Self::SupplyOutputPower => "supply_output_w",
            Self::OpticalInput => "optical_input_dbm",
            Self::OpticalOutput => "optical_output_dbm",
            Self::LaserBias => "laser_bias_ma",
        }
    }
}

/// Which reading of a device: what, of which component, of which of its channels.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GaugeKey {
    /// What.
    pub gauge: Gauge,
    /// Component, in the device's words (tainted).
    pub component: String,
    /// Optical channel; empty for the component as a whole.
    pub channel: String,
}

/// Memory of a device, or of one of its components; bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// What there is: `physical`, of a component `available`.
    pub total: Option<u64>,
    /// What is in use: `used`, of a component `utilized`.
    pub used: Option<u64>,
    /// What is free, from devices that tell no use.
    pub free: Option<u64>,
    /// When any of them came last.
    pub at: Timestamp,
}

impl Memory {
    /// Returns used and total bytes, once both are known.
    #[must_use]
    pub fn bytes(&self) -> Option<(u64, u64)> {
        let total = self.total.filter(|t| *t > 0)?;
        let used = self.used.or_else(|| total.checked_sub(self.free?))?;
        Some((used.min(total), total))
    }

    #[allow(clippy::cast_precision_loss, reason = "a share of bytes for display and health")]
    fn share(&self) -> Option<f64> {
        self.bytes().map(|(used, total)| used as f64 / total as f64)
    }
}

/// The parts of one device.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Hardware {
    /// When it started (`/system/state/boot-time`).
    pub boot_time: Option<Timestamp>,
    /// Use of the system's processors by index (`ALL`: of all together), 0–1.
    pub cpus: BTreeMap<String, Reading>,
    /// Use of components' processors, 0–1.
    pub processors: BTreeMap<String, Reading>,
    /// Memory by component; the system's own has no name.
    pub memories: BTreeMap<String, Memory>,
    /// Temperature, power, light.
    #[serde(with = "crate::picture::as_pairs")]
    pub gauges: BTreeMap<GaugeKey, Reading>,
}

impl Hardware {
    /// Says whether one more part may be kept.
    pub(crate) fn has_room(&self) -> bool {
        self.cpus.len() + self.processors.len() + self.memories.len() + self.gauges.len() < PARTS_MAX
    }

    /// Returns the use of the processors as one reading: the system's figure for all; else the mean of its processors; else the busiest
    /// component's, because a mean over line cards hides the one that decides.
    #[must_use]
    pub fn cpu(&self) -> Option<Reading> {
        if let Some(all) = self.cpus.get("ALL") {
            return Some(*all);
        }
        if let Some(at) = self.cpus.values().map(|r| r.at).max() {
            let count = u32::try_from(self.cpus.len()).map(f64::from).unwrap_or(f64::MAX);
            return Some(Reading { at, value: self.cpus.values().map(|r| r.value).sum::<f64>() / count });
        }
        self.processors.values().copied().reduce(|most, next| if next.value > most.value { next } else { most })
    }

    /// Returns the memory that counts: the system's; else the fullest component's.
    #[must_use]
    pub fn memory(&self) -> Option<&Memory> {
        let system = self.memories.get("").filter(|m| m.bytes().is_some());
        let share = |m: &Memory| m.share().unwrap_or(0.0);
        system.or_else(|| self.memories.values().filter(|m| m.bytes().is_some()).max_by(|a, b| share(a).total_cmp(&share(b))))
    }

    /// Returns the share of memory in use, 0–1.
    #[must_use]
    pub fn memory_share(&self) -> Option<f64> {
        self.memory().and_then(Memory::share)
    }

    /// Returns every reading of one kind: component, channel, reading.
    pub fn of(&self, gauge: Gauge) -> impl Iterator<Item = (&str, &str, Reading)> {
        self.gauges.iter().filter(move |(k, _)| k.gauge == gauge).map(|(k, r)| (k.component.as_str(), k.channel.as_str(), *r))
    }

    /// Returns the hottest component.
    #[must_use]
    pub fn hottest(&self) -> Option<(&str, Reading)> {
        let hotter = |most: (_, Reading), next: (_, Reading)| if next.1.value > most.1.value { next } else { most };
        self.of(Gauge::Temperature).map(|(c, _, r)| (c, r)).reduce(hotter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(value: f64) -> Reading {
        Reading { at: Timestamp::from_millis(1), value }
    }

    #[test]
    fn the_load_is_the_systems_or_that_of_the_busiest_part() {
        let mut h = Hardware::default();
        h.processors.insert("LC1".to_owned(), reading(0.2));
        h.processors.insert("RE0".to_owned(), reading(0.7));
        assert_eq!(h.cpu().map(|r| r.value), Some(0.7));
        h.cpus.insert("0".to_owned(), reading(0.1));
        h.cpus.insert("1".to_owned(), reading(0.5));
        assert_eq!(h.cpu().map(|r| r.value), Some(0.3));
        h.cpus.insert("ALL".to_owned(), reading(0.4));
        assert_eq!(h.cpu().map(|r| r.value), Some(0.4));
    }

    #[test]
    fn memory_in_use_is_told_or_what_is_not_free() {
        let bank = |total, used, free| Memory { total, used, free, at: Timestamp::EPOCH };
        assert_eq!(bank(Some(100), Some(40), Some(10)).bytes(), Some((40, 100)));
        assert_eq!(bank(Some(100), None, Some(30)).bytes(), Some((70, 100)));
        assert_eq!(bank(Some(100), None, None).bytes(), None);
        assert_eq!(bank(Some(0), Some(0), None).bytes(), None);
        let mut h = Hardware::default();
        h.memories.insert("A".to_owned(), bank(Some(100), Some(20), None));
        h.memories.insert("B".to_owned(), bank(Some(100), Some(90), None));
        assert_eq!(h.memory_share(), Some(0.9));
        h.memories.insert(String::new(), bank(Some(100), Some(50), None));
        assert_eq!(h.memory_share(), Some(0.5));
    }
}
