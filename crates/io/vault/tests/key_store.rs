//! The key store as a real one: gnome-keyring on a session bus of its own, unlocked with a password of this test.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use vault::{KeyStore, Secret, Vault, VaultError};

/// A bus that starts no service by itself.
const BUS: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:dir=FOLDER</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>"#;

/// A bus, and the keyring on it; both end with the test.
struct Session {
    bus: Child,
    keyring: Child,
    address: String,
    _home: tempfile::TempDir,
}

impl Drop for Session {
    fn drop(&mut self) {
        for child in [&mut self.keyring, &mut self.bus] {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn session() -> Option<Session> {
    let there = |name: &str| std::env::split_paths(&std::env::var_os("PATH").unwrap()).any(|d| d.join(name).is_file());
    if let Some(missing) = ["dbus-daemon", "gnome-keyring-daemon", "secret-tool"].into_iter().find(|p| !there(p)) {
        println!("skipped: no {missing} on this machine (Debian: dbus-daemon gnome-keyring libsecret-tools)");
        return None;
    }
    let home = tempfile::tempdir().unwrap();
    let configuration = home.path().join("bus.conf");
    std::fs::write(&configuration, BUS.replace("FOLDER", home.path().to_str().unwrap())).unwrap();
    let mut bus = Command::new("dbus-daemon");
    bus.args(["--nofork", "--nosyslog", "--print-address=1", "--config-file"]).arg(&configuration);
    let mut bus = within(bus, home.path()).stdout(Stdio::piped()).spawn().unwrap();
    let mut address = String::new();
    BufReader::new(bus.stdout.take().unwrap()).read_line(&mut address).unwrap();
    let address = address.trim().to_owned();
    let mut keyring = Command::new("gnome-keyring-daemon");
    keyring.args(["--foreground", "--unlock", "--components=secrets"]).env("DBUS_SESSION_BUS_ADDRESS", &address);
    let mut keyring = within(keyring, home.path()).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    // the password ends with the pipe
    keyring.stdin.take().unwrap().write_all(b"of this test").unwrap();
    let session = Session { bus, keyring, address, _home: home };
    // nobody answers until it is up: this bus starts nothing by itself
    let store = KeyStore::on_bus(&session.address).unwrap();
    let up = (0..300).any(|_| {
        store.get("nothing").is_ok() || {
            std::thread::sleep(Duration::from_millis(50));
            false
        }
    });
    assert!(up, "gnome-keyring does not come up: {:?}", store.get("nothing"));
    Some(session)
}

fn within(mut command: Command, home: &Path) -> Command {
    command.env("HOME", home).env("XDG_RUNTIME_DIR", home).env("XDG_DATA_HOME", home).stderr(Stdio::null());
    command
}

#[test]
fn secrets_of_a_real_key_store_go_before_those_of_the_file_and_are_never_shown() {
    let Some(session) = session() else { return };
    let store = KeyStore::on_bus(&session.address).unwrap();
    assert!(store.get("r1").unwrap().is_none());
    store.set("r1", &Secret::new("hunter2 from the store")).unwrap();
    store.set("r1", &Secret::new("\u{fc}mlaut \"quoted\" $HOME\n")).unwrap();
    assert_eq!(store.get("r1").unwrap().unwrap().expose(), "\u{fc}mlaut \"quoted\" $HOME\n", "as it was given, and the newest");
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("secrets.json");
    std::fs::write(&file, r#"{"r1":"of the file","r2":"of the file"}"#).unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let mut vault = Vault::open(&file).unwrap();
    assert_eq!(vault.prefer(&store, ["r1", "r2", "r3"].into_iter()).unwrap(), ["r1"]);
    assert!(vault.get("r1").unwrap().expose().contains("quoted"));
    assert_eq!((vault.get("r2").unwrap().expose(), vault.get("r3").is_none()), ("of the file", true));
    assert!(!format!("{vault:?} {store:?}").contains("quoted"));
    assert_eq!((store.remove("r1").unwrap(), store.remove("r1").unwrap()), (true, false));
    assert!(store.get("r1").unwrap().is_none());
    assert!(matches!(store.set("r1", &Secret::new("")), Err(VaultError::KeyStore { .. })));
}

#[test]
fn a_session_whose_bus_is_gone_is_told_in_words_and_the_file_stays() {
    let Ok(store) = KeyStore::on_bus("unix:path=/nonexistent/bus") else {
        println!("skipped: no secret-tool on this machine (Debian: libsecret-tools)");
        return;
    };
    let error = store.get("r1").unwrap_err().to_string();
    assert!(error.starts_with("PH-VLT-004") && error.contains("r1"), "{error}");
    let mut vault = Vault::default();
    assert!(vault.prefer(&store, ["r1"].into_iter()).is_err() && vault.get("r1").is_none());
}
