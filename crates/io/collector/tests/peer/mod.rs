//! Foreign programs as child processes, each ended with its test; and the picture that their words paint.

#![allow(dead_code, reason = "each test file uses its part")]

use bgp::Asn;
use collector::BmpListener;
use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;
use network::{BmpSource, DeviceRole, DeviceSpec, GnmiEndpoint, Inventory, Network, Observation};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;
use tokio::sync::mpsc;
use units::Timestamp;

/// How long a peer may take to get where the test wants it.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// A child that ends with the test.
pub struct Peer(Child);

impl Peer {
    pub fn start(command: &mut Command, log: &Path) -> Self {
        let file = std::fs::File::create(log).unwrap();
        let child = command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file).spawn().unwrap();
        Self(child)
    }

    /// Stops it where it is: its connections stay open and nobody answers.
    pub fn pause(&self) {
        assert!(Command::new("kill").args(["-STOP", &self.0.id().to_string()]).status().unwrap().success());
    }

    /// Ends it now, without a word to anybody.
    pub fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Finds a program: in `PILOTHOUSE_PEERS` (a directory), at the usual places, in `PATH`. Says so when there is none.
pub fn program(name: &str) -> Option<PathBuf> {
    let dirs = std::env::var("PILOTHOUSE_PEERS").ok().into_iter().chain(["/usr/lib/frr"].map(String::from));
    let path = std::env::var("PATH").unwrap_or_default();
    let found = dirs.chain(path.split(':').map(String::from)).map(|d| PathBuf::from(d).join(name)).find(|p| p.is_file());
    if found.is_none() {
        println!("skipped: no {name} on this machine (set PILOTHOUSE_PEERS to the directory that holds it)");
    }
    found
}

/// Says that this process is the one in the namespace.
const ALONE: &str = "PILOTHOUSE_TEST_ALONE";

/// Runs the test of this name once more in a network namespace of its own, where it may have any address. Returns true inside; outside it
/// returns false when that run is over. Says so when there can be no namespace.
pub fn alone(test: &str) -> bool {
    if std::env::var_os(ALONE).is_some() {
        assert!(Command::new("ip").args(["link", "set", "lo", "up"]).status().unwrap().success());
        return true;
    }
    if !Command::new("unshare").args(["--net", "true"]).output().is_ok_and(|o| o.status.success()) {
        println!("skipped: a network namespace needs root and util-linux");
        return false;
    }
    let mut again = Command::new("unshare");
    again.arg("--net").arg(std::env::current_exe().unwrap()).args(["--exact", test, "--nocapture"]).env(ALONE, "1");
    assert!(again.status().unwrap().success(), "{test} failed in its namespace");
    false
}

/// Gives addresses to the loopback interface of the namespace that this process is alone in.
pub fn have(addresses: &[&str]) {
    for address in addresses {
        assert!(Command::new("ip").args(["addr", "add", address, "dev", "lo", "nodad"]).status().unwrap().success(), "{address}");
    }
}

/// Listens to r1 of this AS at an address, and watches.
pub async fn listen(own_asn: u32, address: &str, sender: IpAddr) -> (u16, Watch) {
    let mut inventory = inventory(own_asn, None);
    inventory.devices[0].bmp = Some(BmpSource::at(sender));
    let listener = BmpListener::bind(address.parse().unwrap(), &inventory).await.unwrap();
    let port = listener.local_address().unwrap().port();
    let (tx, rx) = mpsc::channel(64);
    tokio::spawn(listener.run(tx));
    (port, Watch::new(inventory, rx))
}

/// What a command prints.
pub fn said(command: &mut Command) -> String {
    let out = command.output().unwrap();
    assert!(out.status.success(), "{command:?}: {}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

/// A port that is free now.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Two loopback addresses that another run of the tests hardly uses at the same time.
pub fn address_pair() -> (Ipv4Addr, Ipv4Addr) {
    let [.., high, low] = std::process::id().to_be_bytes();
    let port = free_port().to_be_bytes()[1] | 2;
    (Ipv4Addr::new(127, 100 | high & 0x1f, low, port & 0xfe), Ipv4Addr::new(127, 100 | high & 0x1f, low, port | 1))
}

pub fn inventory(own_asn: u32, gnmi: Option<GnmiEndpoint>) -> Inventory {
    Inventory {
        name: "peers".to_owned(),
        lab: None,
        own_asn: Asn(own_asn),
        own_prefixes: vec![],
        public_space: vec![],
        devices: vec![DeviceSpec {
            id: "r1".into(),
            hostname: "r1".to_owned(),
            role: DeviceRole::Edge,
            router_id: Ipv4Addr::new(10, 0, 0, 1),
            bmp: Some(BmpSource::at(IpAddr::V4(Ipv4Addr::LOCALHOST))),
            gnmi,
            netconf: None,
        }],
        providers: vec![],
        exits: vec![],
        groups: vec![],
        ..Inventory::empty("")
    }
}

/// The picture as it grows.
pub struct Watch {
    pub network: Network,
    rx: mpsc::Receiver<Observation>,
    started: Instant,
    pub seen: Vec<Observation>,
}

impl Watch {
    pub fn new(inventory: Inventory, rx: mpsc::Receiver<Observation>) -> Self {
        Self { network: Network::new(inventory), rx, started: Instant::now(), seen: Vec::new() }
    }

    pub fn now(&self) -> Timestamp {
        Timestamp::EPOCH.plus(Duration::from_secs(1_000_000) + self.started.elapsed())
    }

    pub fn r1(&self) -> &network::Device {
        &self.network.devices[&"r1".into()]
    }

    /// Takes what comes until `done`; fails with `what` and the picture when it takes too long.
    pub async fn until(&mut self, what: &str, done: impl Fn(&network::Device) -> bool) {
        self.until_all(what, |n| done(&n.devices[&"r1".into()])).await;
    }

    /// The same with the whole picture.
    pub async fn until_all(&mut self, what: &str, done: impl Fn(&Network) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !done(&self.network) {
            assert!(Instant::now() < end, "{what} did not happen within {PATIENCE:?}: {:#?}", self.r1());
            self.step().await;
        }
    }

    /// Takes one observation, or lets a little time pass.
    pub async fn step(&mut self) {
        let next = tokio::time::timeout(Duration::from_millis(200), self.rx.recv()).await;
        let now = self.now();
        match next {
            Ok(Some(observation)) => {
                self.network.observe(&observation, now);
                self.seen.push(observation);
            }
            Ok(None) => panic!("the collector ended"),
            Err(_) => self.network.tick(now),
        }
    }
}
