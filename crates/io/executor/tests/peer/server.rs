//! netconfd as a test peer, started by `tests/peers/netconfd.sh` and stopped when dropped.

use network::{Credential, NetconfEndpoint};
use std::path::PathBuf;
use std::process::Command;

/// Exit status of the script when this machine cannot run the peer.
const CANNOT: i32 = 77;

pub struct Netconfd {
    dir: tempfile::TempDir,
    pub endpoint: NetconfEndpoint,
    pub password: String,
}

fn script() -> PathBuf {
    PathBuf::from("../../../tests/peers/netconfd.sh")
}

impl Netconfd {
    /// Starts a server with an empty configuration; `None` with a printed reason when this machine cannot.
    pub fn start() -> Option<Self> {
        let dir = tempfile::Builder::new().prefix("ph-netconfd-").tempdir().unwrap();
        let out = Command::new(script()).arg(dir.path()).arg("start").output().unwrap();
        let (stdout, stderr) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        if out.status.code() == Some(CANNOT) {
            eprintln!("{}", stderr.trim());
            return None;
        }
        assert!(out.status.success(), "netconfd did not start: {stderr}");
        let value = |key: &str| {
            let line = stdout.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix('='));
            line.unwrap_or_else(|| panic!("no {key} in {stdout}")).to_owned()
        };
        let password = std::fs::read_to_string(value("password_file")).unwrap().trim().to_owned();
        let endpoint = NetconfEndpoint {
            address: value("address"),
            credential: Credential { username: value("user"), secret: "netconf".to_owned() },
            host_key: value("host_key"),
        };
        Some(Self { dir, endpoint, password })
    }

    /// File with the server's private host key.
    #[allow(dead_code, reason = "one of the test programs needs it")]
    pub fn host_key_file(&self) -> PathBuf {
        self.dir.path().join("hostkey")
    }

    /// What sshd logged.
    #[allow(dead_code, reason = "one of the test programs needs it")]
    pub fn sshd_log(&self) -> PathBuf {
        self.dir.path().join("sshd.log")
    }
}

impl Drop for Netconfd {
    fn drop(&mut self) {
        let _ = Command::new(script()).arg(self.dir.path()).arg("stop").status();
    }
}
