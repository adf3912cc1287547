//! Secrets that devices tell by gNMI and syslog, hidden before anything is logged, kept or shown.

use crate::{GnmiEvent, Observation};
use config::secret;
use gnmi::Value;

impl Observation {
    /// Hides passwords and keys: leaves that are named so, members of containers, and what stands behind such a word in a syslog line. Says how
    /// many there were. Nothing that the picture reads is among them.
    pub fn hide_secrets(&mut self) -> usize {
        match self {
            Self::Gnmi { event: GnmiEvent::Notification { notification }, .. } => {
                let mut count = 0;
                for update in &mut notification.updates {
                    if update.path.elems.last().is_some_and(|e| secret::is_named(&e.name)) {
                        update.value = Value::String(secret::HIDDEN.to_owned());
                        count += 1;
                    } else if let Value::Json(json) = &mut update.value {
                        count += hide_members(json);
                    }
                }
                count
            }
            Self::Syslog { bytes, .. } => hide_in_line(bytes),
            _ => 0,
        }
    }
}

fn hide_members(json: &mut serde_json::Value) -> usize {
    match json {
        serde_json::Value::Object(members) => {
            let mut count = 0;
            for (name, value) in members.iter_mut() {
                // RFC 7951 §4: a name may carry its module
                if secret::is_named(name.rsplit(':').next().unwrap_or(name)) && !value.is_object() {
                    *value = secret::HIDDEN.into();
                    count += 1;
                } else {
                    count += hide_members(value);
                }
            }
            count
        }
        serde_json::Value::Array(all) => all.iter_mut().map(hide_members).sum(),
        _ => 0,
    }
}

fn hide_in_line(bytes: &mut Vec<u8>) -> usize {
    let Ok(text) = core::str::from_utf8(bytes) else { return 0 };
    // who failed to log in, and from where, is no secret (OpenSSH: "Failed password for noc from …")
    if text.contains(" password for ") {
        return 0;
    }
    let (hidden, count) = secret::hide(text);
    if count > 0 {
        *bytes = hidden.into_owned().into_bytes();
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use action::DeviceId;
    use gnmi::{Notification, Path, Update};

    fn device() -> DeviceId {
        DeviceId::from("r1")
    }

    #[test]
    fn leaves_members_and_lines_with_secrets_are_hidden_and_nothing_else() {
        let update = |path: &str, value: Value| Update { path: path.parse::<Path>().unwrap(), value };
        let json = serde_json::json!({"config": {"oc-bgp:auth-password": "hunter2", "peer-as": 65001}, "keys": [{"secret-key": "x"}]});
        let updates = vec![
            update("/bgp/neighbors/neighbor[neighbor-address=192.0.2.1]/config/auth-password", Value::String("hunter2".to_owned())),
            update("/bgp/neighbors/neighbor[neighbor-address=192.0.2.1]", Value::Json(json)),
            update("/bgp/neighbors/neighbor[neighbor-address=192.0.2.1]/state/session-state", Value::String("ESTABLISHED".to_owned())),
        ];
        let notification = Notification { updates, ..Notification::default() };
        let mut observation = Observation::Gnmi { device: device(), event: GnmiEvent::Notification { notification } };
        assert_eq!(observation.hide_secrets(), 3);
        let text = serde_json::to_string(&observation).unwrap();
        assert!(!text.contains("hunter2") && text.contains("65001") && text.contains("ESTABLISHED"), "{text}");
        let line = |said: &str| {
            let mut o = Observation::Syslog { device: device(), bytes: said.as_bytes().to_vec() };
            let count = o.hide_secrets();
            let Observation::Syslog { bytes, .. } = o else { panic!("another") };
            (count, String::from_utf8(bytes).unwrap())
        };
        assert_eq!(
            line("<189>r1 bgpd: cmd: neighbor 192.0.2.1 password hunter2"),
            (1, "<189>r1 bgpd: cmd: neighbor 192.0.2.1 password (hidden)".to_owned())
        );
        let login = "<38>sshd[7]: Failed password for noc from 192.0.2.9 port 22 ssh2";
        assert_eq!(line(login), (0, login.to_owned()));
    }
}
