//! A BGP daemon of FRR without routes or neighbours, behind the node face, on loopback.

use lab::face::netconf::{FaultSwitch, FrrRouter, NetconfOptions, serve};
use network::{Credential, NetconfEndpoint};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

const BGPD: &str = "/usr/lib/frr/bgpd";
const CONFIGURATION: &str = "frr defaults traditional
hostname edge-router-01
!
router bgp 65001
 bgp router-id 10.0.0.1
 neighbor 127.9.9.9 remote-as 1234
 neighbor 127.9.9.9 shutdown
 !
 address-family ipv4 unicast
  neighbor 127.9.9.9 route-map ISPA-IN in
 exit-address-family
exit
!
ip prefix-list BOGONS seq 5 permit 10.0.0.0/8 le 32
!
route-map ISPA-IN deny 10
 match ip address prefix-list BOGONS
exit
!
route-map ISPA-IN permit 200
 set local-preference 150
exit
";

pub struct Frr {
    dir: tempfile::TempDir,
    bgpd: Child,
    _stop: watch::Sender<bool>,
    pub endpoint: NetconfEndpoint,
    pub password: String,
}

impl Frr {
    /// Starts bgpd and a face; `None` with a printed reason when this machine cannot.
    pub async fn start() -> Option<Self> {
        if !Path::new(BGPD).exists() || Command::new("vtysh").arg("--help").output().is_err() {
            eprintln!("skipped: {BGPD} or vtysh is not installed");
            return None;
        }
        let dir = tempfile::Builder::new().prefix("ph-frr-").tempdir().unwrap();
        let bgpd = daemon(dir.path());
        let key = dir.path().join("hostkey");
        run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", key.to_str().unwrap()]);
        let line = run("ssh-keygen", &["-lf", key.to_str().unwrap()]);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let password = "made for this test".to_owned();
        let endpoint = NetconfEndpoint {
            address: listener.local_addr().unwrap().to_string(),
            credential: Credential { username: "pilothouse".into(), secret: "netconf".into() },
            host_key: line.split(' ').nth(1).unwrap().to_owned(),
        };
        let options = NetconfOptions {
            host_key: key,
            users: vec![("pilothouse".into(), password.clone())],
            router: Arc::new(FrrRouter::new(dir.path().to_owned())),
            state_file: dir.path().join("pending.json"),
            faults: FaultSwitch::new(dir.path().join("fault")),
        };
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(serve(listener, options, stopped));
        Some(Self { dir, bgpd, _stop: stop, endpoint, password })
    }

    /// Lets the face misbehave from now on; empty: not any more.
    pub fn fault(&self, word: &str) {
        std::fs::write(self.dir.path().join("fault"), word).unwrap();
    }

    /// The configuration as FRR shows it.
    pub fn text(&self) -> String {
        vtysh(self.dir.path(), &["show running-config"])
    }

    /// Somebody else changes the router.
    pub fn configure(&self, line: &str) {
        vtysh(self.dir.path(), &["configure terminal", line]);
    }
}

impl Drop for Frr {
    fn drop(&mut self) {
        let _ = self.bgpd.kill();
        let _ = self.bgpd.wait();
    }
}

fn daemon(dir: &Path) -> Child {
    let file = dir.join("bgpd.conf");
    std::fs::write(&file, CONFIGURATION).unwrap();
    std::fs::write(dir.join("vtysh.conf"), "").unwrap();
    let in_dir = |name: &str| -> PathBuf { dir.join(name) };
    let mut bgpd = Command::new(BGPD)
        .args(["--skip_runas", "--no_kernel", "--no_zebra", "--bgp_port", "0", "--vty_port", "0"])
        .arg("--vty_socket")
        .arg(dir)
        .arg("--pid_file")
        .arg(in_dir("bgpd.pid"))
        .arg("--config_file")
        .arg(&file)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    for _ in 0..100 {
        if in_dir("bgpd.vty").exists() && vtysh(dir, &["show running-config"]).contains("route-map ISPA-IN permit 200") {
            return bgpd;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let _ = bgpd.kill();
    let _ = bgpd.wait();
    panic!("bgpd did not read its configuration");
}

fn vtysh(dir: &Path, commands: &[&str]) -> String {
    let dir = dir.to_str().unwrap();
    let list: Vec<&str> = commands.iter().flat_map(|c| ["-c", c]).collect();
    run("vtysh", &[&["--vty_socket", dir, "--config_dir", dir], list.as_slice()].concat())
}

fn run(program: &str, arguments: &[&str]) -> String {
    String::from_utf8(Command::new(program).args(arguments).output().unwrap().stdout).unwrap()
}
