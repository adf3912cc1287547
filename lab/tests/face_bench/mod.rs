//! Two bgpd, a face before one of them, a reflector, and clients.

mod client;
mod telemetry;

pub use client::Client;
pub use telemetry::Subscription;

use anyhow::Context;
use lab::face::{Face, FaceConfig, ProbeConfig};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

pub const USER: &str = "pilothouse";
pub const PASSWORD: &str = "a password of this test";
const BGPD: &str = "/usr/lib/frr/bgpd";

/// Everything that ends with its value.
pub struct Bench {
    dir: PathBuf,
    daemons: Vec<(&'static str, Child)>,
    peer: Ipv4Addr,
    pub gnmi: SocketAddr,
    pub netconf: SocketAddr,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        for (_, daemon) in &mut self.daemons {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

impl Bench {
    /// Starts it, gNMI without TLS; `None` when FRR is not installed.
    pub async fn start(name: &str) -> anyhow::Result<Option<Self>> {
        Self::begin(name, false).await
    }

    /// Starts it, gNMI over TLS under the name `localhost`.
    pub async fn start_tls(name: &str) -> anyhow::Result<Option<Self>> {
        Self::begin(name, true).await
    }

    async fn begin(name: &str, tls: bool) -> anyhow::Result<Option<Self>> {
        if !Path::new(BGPD).exists() {
            eprintln!("skipped: {BGPD} is not installed");
            return Ok(None);
        }
        static NEXT: AtomicU8 = AtomicU8::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let process = std::process::id();
        let dir = std::env::temp_dir().join(format!("pilothouse-face-{name}-{process}"));
        std::fs::create_dir_all(&dir)?;
        // addresses of this test alone, so that tests run side by side
        let address = |last| Ipv4Addr::new(127, 64 + number, (process % 250) as u8 + 1, last);
        let (a, b) = (address(11), address(12));
        let port = TcpListener::bind((a, 0))?.local_addr()?.port();
        let mut bench = Self { daemons: Vec::new(), peer: b, gnmi: any(), netconf: any(), tasks: Vec::new(), dir };
        bench.daemon("a", 65001, (a, b, 65002), port, "10.99.0.11", &["198.51.100.0/24"])?;
        bench.daemon("b", 65002, (b, a, 65001), port, "10.99.0.12", &["192.0.2.0/24"])?;
        bench.face(a, tls).await?;
        Ok(Some(bench))
    }

    pub fn peer(&self) -> Ipv4Addr {
        self.peer
    }

    fn daemon(
        &mut self,
        name: &'static str,
        asn: u32,
        (own, peer, peer_as): (Ipv4Addr, Ipv4Addr, u32),
        port: u16,
        hop: &str,
        networks: &[&str],
    ) -> anyhow::Result<()> {
        let networks: String = networks.iter().map(|n| format!("  network {n}\n")).collect();
        // next hops must not be 127/8: the receiver would reset the session
        let text = format!(
            "hostname {name}\nbgp route-map delay-timer 1\nip prefix-list ANY seq 5 permit 0.0.0.0/0 le 32\n\
             route-map IN permit 10\n set local-preference 120\nexit\n\
             route-map OUT permit 10\n set community {asn}:7\n set ip next-hop {hop}\nexit\n\
             router bgp {asn}\n bgp router-id {own}\n no bgp default ipv4-unicast\n no bgp network import-check\n\
             neighbor {peer} remote-as {peer_as}\n neighbor {peer} port {port}\n neighbor {peer} update-source {own}\n\
             neighbor {peer} disable-connected-check\n neighbor {peer} timers 3 9\n neighbor {peer} timers connect 1\n\
             address-family ipv4 unicast\n{networks}  neighbor {peer} activate\n  neighbor {peer} soft-reconfiguration inbound\n\
             neighbor {peer} route-map IN in\n  neighbor {peer} route-map OUT out\n exit-address-family\nexit\n"
        );
        let dir = self.dir.join(name);
        std::fs::create_dir_all(&dir)?;
        std::fs::write(dir.join("bgpd.conf"), text)?;
        let child = Command::new(BGPD)
            .args(["-Z", "-n", "-S", "-A", "127.0.0.1", "-P", "0", "-l", &own.to_string(), "-p", &port.to_string()])
            .arg("-f")
            .arg(dir.join("bgpd.conf"))
            .arg("-i")
            .arg(dir.join("bgpd.pid"))
            .arg("--vty_socket")
            .arg(&dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        self.daemons.push((name, child));
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.running(name).is_err() {
            anyhow::ensure!(Instant::now() < deadline, "bgpd {name} did not answer on its vty within 10 s");
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    async fn face(&mut self, own: Ipv4Addr, tls: bool) -> anyhow::Result<()> {
        let host_key = self.dir.join("host_key");
        let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&host_key).status()?;
        anyhow::ensure!(made.success(), "ssh-keygen failed");
        let reflector = tokio::net::UdpSocket::bind((own, 0)).await?;
        let silent = UdpSocket::bind((own, 0))?;
        let probe = |name: &str, port| ProbeConfig { name: name.to_owned(), source: own.into(), target: own.into(), port };
        let probes = vec![probe("a-b:east:ipv4", reflector.local_addr()?.port()), probe("a-b:west:ipv4", silent.local_addr()?.port())];
        let config = FaceConfig {
            router: "a".to_owned(),
            vty_dir: self.dir.join("a"),
            state_dir: self.dir.join("state"),
            gnmi: any(),
            tls: if tls { Some(self.certificate()?) } else { None },
            netconf: any(),
            host_key,
            users: vec![(USER.to_owned(), PASSWORD.to_owned())],
            interfaces: vec!["lo".to_owned()],
            probes,
            volumes: Vec::new(),
            fault_file: self.dir.join("fault"),
        };
        let face = Face::bind(config).await.map_err(|e| anyhow::anyhow!(e))?;
        (self.gnmi, self.netconf) = face.addresses()?;
        self.tasks.push(tokio::spawn(async move {
            if let Err(error) = face.run().await {
                eprintln!("face: {error}");
            }
        }));
        self.tasks.push(tokio::spawn(async move {
            lab::reflector::reflect(reflector).await;
            drop(silent);
        }));
        Ok(())
    }

    /// Makes a certificate of this test and its key.
    fn certificate(&self) -> anyhow::Result<(PathBuf, PathBuf)> {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
        let (certificate, key) = (self.ca(), self.dir.join("gnmi.key"));
        std::fs::write(&certificate, made.cert.pem())?;
        std::fs::write(&key, made.signing_key.serialize_pem())?;
        Ok((certificate, key))
    }

    /// What a client trusts.
    pub fn ca(&self) -> PathBuf {
        self.dir.join("gnmi.crt")
    }

    pub fn vtysh(&self, name: &str, commands: &[&str]) -> anyhow::Result<String> {
        let mut vtysh = Command::new("vtysh");
        vtysh.arg("--vty_socket").arg(self.dir.join(name));
        for command in commands {
            vtysh.args(["-c", command]);
        }
        let output = vtysh.output().context("vtysh")?;
        anyhow::ensure!(output.status.success(), "vtysh {commands:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
    }

    pub fn running(&self, name: &str) -> anyhow::Result<String> {
        self.vtysh(name, &["show running-config"])
    }

    pub fn fault(&self, word: &str) -> anyhow::Result<()> {
        Ok(std::fs::write(self.dir.join("fault"), word)?)
    }

    /// Ends one daemon.
    pub fn kill(&mut self, name: &str) {
        for (_, daemon) in self.daemons.iter_mut().filter(|(n, _)| *n == name) {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

fn any() -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0)
}
