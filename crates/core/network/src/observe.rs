//! The only way in: one observation at a time, in the order of the log.

use crate::{BmpEvent, ConfigEvent, Device, DeviceConfig, Freshness, GnmiEvent, Network, Observation, OriginEvent};
use action::DeviceId;
use std::sync::Arc;
use units::Timestamp;

impl Network {
    /// Takes one observation that arrived at `now`. Unknown devices are ignored (the collector refuses them at the door).
    pub fn observe(&mut self, observation: &Observation, now: Timestamp) {
        match observation {
            Observation::Bmp { device, event: BmpEvent::Message { bytes } } => {
                self.pass(device, now);
                return self.bmp_message(device, bytes, now);
            }
            _ => self.tick(now),
        }
        match observation {
            Observation::Bmp { device, event: BmpEvent::Connected } => self.bmp_connected(device, now),
            Observation::Bmp { device, event: BmpEvent::Message { bytes } } => self.bmp_message(device, bytes, now),
            Observation::Bmp { device, event: BmpEvent::Closed { .. } } => self.bmp_closed(device, now),
            Observation::Config { device, event } => self.with(device, |d| d.observe_config(event, now)),
            Observation::Gnmi { device, event } => self.observe_gnmi(device, event, now),
            Observation::Flow { device, records } => self.metered(device, records, now),
            Observation::Syslog { device, bytes } => self.reported(device, bytes, now),
        }
    }

    /// Takes what a source of VRPs told.
    pub fn take_origins(&mut self, event: &OriginEvent, now: Timestamp) {
        self.origins.take_with(event, &self.inventory.own_prefixes, now);
    }

    fn with(&mut self, id: &DeviceId, act: impl FnOnce(&mut Device)) {
        if let Some(device) = self.devices.get_mut(id) {
            act(device);
        }
    }

    fn observe_gnmi(&mut self, id: &DeviceId, event: &GnmiEvent, now: Timestamp) {
        let Some(device) = self.devices.get_mut(id) else { return };
        match event {
            GnmiEvent::Connected => device.gnmi_connected(now),
            GnmiEvent::Synced => {
                device.gnmi.heard(device.gnmi_session.connected, now);
                self.gnmi_swept(id, now);
            }
            GnmiEvent::Closed { .. } => {
                device.gnmi_session.connected = false;
                device.gnmi = Freshness::Stale { since: now };
            }
            GnmiEvent::Health { subscriptions } => device.gnmi_judged(subscriptions),
            GnmiEvent::Repaired { repairs } => {
                for (name, count) in repairs {
                    device.gnmi_repaired(name, *count, now);
                }
            }
            GnmiEvent::Certificates { certificates } => device.gnmi_session.certificates.clone_from(certificates),
            GnmiEvent::Warning { text } => device.gnmi_session.warned(text),
            GnmiEvent::Notification { notification } => self.notified(id, notification, now),
        }
    }
}

impl Device {
    fn observe_config(&mut self, event: &ConfigEvent, now: Timestamp) {
        match event {
            ConfigEvent::Read { text, digest } => {
                let unchanged = self.config.as_ref().filter(|c| c.text == *text).map(|c| c.model.clone());
                let read = || config::read(&[("running configuration".to_owned(), text.clone())]);
                match unchanged.map_or_else(read, Ok) {
                    Ok(model) => {
                        self.config = Some(Arc::new(DeviceConfig { at: now, digest: digest.clone(), text: text.clone(), model }));
                        self.config_failure = None;
                    }
                    // what was read before stays, and the failure is told
                    Err(error) => self.config_failure = Some(error.to_string()),
                }
            }
            ConfigEvent::Failed { reason } => self.config_failure = Some(reason.clone()),
        }
    }
}
