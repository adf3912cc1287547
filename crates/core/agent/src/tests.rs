//! Claims about agents over the twin's scene.

mod chat;
mod rules;
mod state;

use crate::scene::Scene;
use crate::{Alert, AlertChange, Watch};
use action::DeviceId;
use network::{Device, Freshness, Interface};
use perception::Perception;
use units::Timestamp;

/// A second of the tests' day.
fn t(second: f64) -> Timestamp {
    #[allow(clippy::cast_possible_truncation, reason = "small")]
    Timestamp::from_millis(1_785_578_400_000 + (second * 1000.0) as i64)
}

fn r1() -> DeviceId {
    DeviceId::from("r1")
}

/// One device over time.
struct Bench {
    scene: Scene,
    watch: Watch,
    perception: Perception,
    said: Vec<(f64, Alert)>,
}

impl Bench {
    fn new() -> Self {
        Self { scene: Scene::seeded(), watch: Watch::default(), perception: Perception::default(), said: Vec::new() }
    }

    fn device(&mut self) -> &mut Device {
        self.scene.network.devices.get_mut(&r1()).unwrap()
    }

    /// Changes the device at a second and lets the rules look.
    fn at(&mut self, second: f64, change: impl FnOnce(&mut Device)) -> &mut Self {
        let device = self.device();
        change(device);
        device.gnmi = Freshness::Synced { last: t(second) };
        device.bmp = Freshness::Synced { last: t(second) };
        self.look(second)
    }

    /// Lets the rules look without news.
    fn look(&mut self, second: f64) -> &mut Self {
        let alerts = self.watch.update(&self.scene.network, &r1(), t(second));
        self.watch.remember(&self.scene.network, &self.perception, &r1(), t(second));
        self.said.extend(alerts.into_iter().map(|a| (second, a)));
        self
    }

    /// Returns (second, rule, raised) of everything said.
    fn told(&self) -> Vec<(f64, &str, bool)> {
        self.said.iter().map(|(s, a)| (*s, a.rule.as_str(), a.change == AlertChange::Raised)).collect()
    }
}

fn port(up: bool) -> Interface {
    Interface { oper_up: Some(up), admin_up: Some(true), ..Interface::default() }
}

fn seconds(from: u32, to: u32) -> impl Iterator<Item = f64> {
    (from..=to).map(f64::from)
}

fn put(device: &mut Device, name: &str, port: Interface) {
    device.interfaces.insert(name.to_owned(), port);
}
