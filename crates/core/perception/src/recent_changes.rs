//! What changed last where a finding's paths lead, as the devices tell it by syslog: the first question of whoever looks at the finding.
//!
//! Being near in time is no proof of a cause; nothing is decided by it.

use crate::Finding;
use action::DeviceId;
use core::time::Duration;
use network::{Network, Report};
use std::collections::BTreeSet;
use units::Timestamp;

/// How long before the first unusual sample a change may be: an operator's own work is minutes old when its effect shows.
pub const CHANGES_BEFORE: Duration = Duration::from_secs(15 * 60);
/// Changes that are named of one finding.
pub const CHANGES_MAX: usize = 20;

impl Finding {
    /// Returns the devices on its paths: where its exits are, and where the probes start that show or feel it.
    #[must_use]
    pub fn devices(&self, network: &Network) -> BTreeSet<DeviceId> {
        let exits = self.exits.iter().filter_map(|e| network.inventory.exit(e)).map(|e| &e.device);
        let probes = self.paths.iter().chain(self.felt.iter().map(|f| &f.probe)).map(|p| &p.device);
        exits.chain(probes).cloned().collect()
    }
}

/// Returns what the devices on a finding's paths reported from [`CHANGES_BEFORE`] its first unusual sample to `now`, the newest first; at
/// most [`CHANGES_MAX`].
#[must_use]
pub fn recent_changes<'a>(finding: &Finding, network: &'a Network, now: Timestamp) -> Vec<&'a Report> {
    let devices = finding.devices(network);
    let from = finding.since.minus(CHANGES_BEFORE);
    let near = |r: &&Report| devices.contains(&r.device) && r.at >= from && r.at <= now;
    network.reports.recent.iter().rev().filter(near).take(CHANGES_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::{Scene, Weather, t};
    use network::Observation;

    /// What r1 committed a minute before its exit became lossy must stand beside the finding; what r2 did, and what was an hour ago, not.
    #[test]
    fn the_changes_near_a_finding_are_those_of_its_own_devices_and_of_its_time() {
        let mut scene = Scene::new();
        let say = |scene: &mut Scene, device: &str, second: i64, user: &str| {
            let bytes = format!("<190>Mar  5 14:47:45 x mgd[9]: UI_COMMIT: User '{user}' requested 'commit' operation").into_bytes();
            // heard beside the picture, whose feeds would grow old by it
            let mut heard = Network::new((*scene.network.inventory).clone());
            heard.observe(&Observation::Syslog { device: device.into(), bytes }, t(second));
            scene.network.reports.recent.extend(heard.reports.recent);
        };
        say(&mut scene, "r1", -900, "long-ago");
        say(&mut scene, "r1", 20, "before");
        say(&mut scene, "r2", 30, "elsewhere");
        scene.seconds(60, |_, _, _| Some(Weather { lost: 0, delay_ms: 4.0 }));
        scene.seconds(60, |k, _, sent| {
            let hit = k.exit.as_ref().is_some_and(|e| e.as_str() == "r1-ispa");
            Some(Weather { lost: if hit { sent } else { 0 }, delay_ms: 4.0 })
        });
        say(&mut scene, "r1", 115, "after");
        let finding = scene.perception.findings().next().expect("r1-ispa loses everything").clone();
        assert_eq!(finding.exits, ["r1-ispa".into()]);
        let users = |now: i64| -> Vec<&str> {
            recent_changes(&finding, &scene.network, t(now)).into_iter().filter_map(|r| r.user.as_deref()).collect()
        };
        assert_eq!(users(120), ["after", "before"]);
        assert_eq!(users(114), ["before"], "nothing is known before it is told");
        for n in 0..60 {
            say(&mut scene, "r1", 120 + n, &format!("u{n}"));
        }
        let many = recent_changes(&finding, &scene.network, t(200));
        assert_eq!((many.len(), many[0].at > many[CHANGES_MAX - 1].at), (CHANGES_MAX, true));
    }
}
