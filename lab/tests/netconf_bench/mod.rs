//! One bgpd without zebra, a NETCONF server before it, and the engine's executor.

use action::{ActionType, AutonomyTier, ChangeId, DeviceId, OperatorId, ProposalId};
use approval::{Approval, BoundDevice, PlanBinding, Queue, Submission};
use change::{WireOp, WireReply};
use executor::Executor;
use lab::face::netconf::{FaultSwitch, FrrRouter, NetconfOptions, Router, serve};
use network::{Credential, DeviceRole, DeviceSpec, Inventory, NetconfEndpoint};
use russh::keys::ssh_key::private::Ed25519Keypair;
use russh::keys::ssh_key::{HashAlg, LineEnding, PrivateKey};
use sha2::{Digest, Sha256};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use units::Timestamp;
use vault::Vault;

const BGPD: &str = "/usr/lib/frr/bgpd";
const PASSWORD: &str = "a password of this test";
const LAB: &str = "lab-1";
const WITHIN: Duration = Duration::from_secs(30);

const CONFIGURATION: &str = "\
hostname edge-router-01
bgp community-list standard EAST seq 5 permit 64500:1
ip prefix-list BOGONS seq 5 permit 10.0.0.0/8 le 32
route-map ISPA-IN deny 10
 match ip address prefix-list BOGONS
exit
route-map ISPA-IN permit 100
 match community EAST
 set community 65001:100 additive
 set local-preference 200
exit
route-map ISPA-IN permit 200
 set local-preference 150
exit
router bgp 65001
 bgp router-id 10.0.0.1
 no bgp default ipv4-unicast
 neighbor 172.31.1.1 remote-as 1234
 address-family ipv4 unicast
  neighbor 172.31.1.1 activate
  neighbor 172.31.1.1 route-map ISPA-IN in
 exit-address-family
exit
";

/// Everything ends with the value.
pub struct Bench {
    dir: tempfile::TempDir,
    bgpd: Child,
    host_key: String,
    server: Option<(SocketAddr, watch::Sender<bool>, JoinHandle<()>)>,
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = self.bgpd.kill();
        let _ = self.bgpd.wait();
    }
}

impl Bench {
    /// Starts it; `None` with a printed reason when this machine cannot.
    pub async fn start() -> Option<Self> {
        // without root, bgpd may not change its own limits and the vty group
        if !Path::new(BGPD).exists() || !rustix::process::geteuid().is_root() {
            eprintln!("skipped: needs {BGPD} and root");
            return None;
        }
        let dir = tempfile::Builder::new().prefix("ph-netconf-").tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        std::fs::write(path("bgpd.conf"), CONFIGURATION).unwrap();
        let bgpd = Command::new(BGPD)
            .args(["-Z", "-n", "-S", "-A", "127.0.0.1", "-P", "0", "-p", "0"])
            .args(["-f".as_ref(), path("bgpd.conf").as_os_str(), "-i".as_ref(), path("bgpd.pid").as_os_str()])
            .args(["--vty_socket".as_ref(), dir.path().as_os_str()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let key = PrivateKey::from(Ed25519Keypair::from_seed(&[7; 32]));
        std::fs::write(path("host_key"), key.to_openssh(LineEnding::LF).unwrap().as_bytes()).unwrap();
        let host_key = key.fingerprint(HashAlg::Sha256).to_string();
        let mut bench = Self { dir, bgpd, host_key, server: None };
        let deadline = Instant::now() + WITHIN;
        while !bench.router().running().await.is_ok_and(|text| text.contains("ISPA-IN in")) {
            assert!(Instant::now() < deadline, "bgpd does not answer");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bench.serve().await;
        Some(bench)
    }

    async fn serve(&mut self) {
        let path = |name: &str| self.dir.path().join(name);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let options = NetconfOptions {
            host_key: path("host_key"),
            users: vec![("pilothouse".to_owned(), PASSWORD.to_owned())],
            router: Arc::new(self.router()),
            state_file: path("pending-commit.json"),
            faults: FaultSwitch::new(path("fault")),
        };
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(async move { serve(listener, options, stopped).await.unwrap() });
        self.server = Some((address, stop, task));
    }

    /// Ends the server as its process would end, and starts another.
    pub async fn restart(&mut self) {
        if let Some((_, stop, task)) = self.server.take() {
            stop.send(true).unwrap();
            task.await.unwrap();
        }
        self.serve().await;
    }

    pub fn fault(&self, word: &str) {
        std::fs::write(self.dir.path().join("fault"), word).unwrap();
    }

    pub fn router(&self) -> FrrRouter {
        FrrRouter::new(self.dir.path().to_owned())
    }

    pub async fn text(&self) -> String {
        self.router().running().await.unwrap()
    }

    /// Waits until the router runs `text`.
    pub async fn until(&self, text: &str, within: Duration) {
        let deadline = Instant::now() + within;
        loop {
            let now = self.text().await;
            if now == text {
                return;
            }
            assert!(Instant::now() < deadline, "after {within:?} the router still runs\n{now}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    pub fn executor(&self, password: &str) -> Executor {
        let secrets = self.dir.path().join("secrets.json");
        std::fs::write(&secrets, serde_json::json!({ "netconf": password }).to_string()).unwrap();
        std::fs::set_permissions(&secrets, std::fs::Permissions::from_mode(0o600)).unwrap();
        let address = self.server.as_ref().unwrap().0.to_string();
        let credential = Credential { username: "pilothouse".to_owned(), secret: "netconf".to_owned() };
        let endpoint = NetconfEndpoint { address, credential, host_key: self.host_key.clone() };
        Executor::for_lab(&inventory(endpoint), &Vault::open(&secrets).unwrap(), LAB).unwrap()
    }

    /// Carries out one step that needs no permit, in new sessions.
    pub async fn step(&self, op: WireOp) -> WireReply {
        self.executor(PASSWORD).recover().carry_out(&device(), &op, WITHIN).await
    }

    /// Commits with a fresh permit.
    pub async fn commit(&self, payload: &str, token: &str, confirm_timeout: Duration) -> WireReply {
        let executor = self.executor(PASSWORD);
        let base_digest = executor.read(&device(), WITHIN).await.unwrap().digest().to_owned();
        let op =
            WireOp::CommitConfirmed { payload: payload.into(), token: token.into(), confirm_timeout, base_digest: base_digest.clone() };
        let permit = permit(payload, &base_digest);
        executor.begin(permit, NOW).unwrap().carry_out(&device(), &op, WITHIN).await
    }
}

const NOW: Timestamp = Timestamp::from_millis(1_000_000);

pub fn device() -> DeviceId {
    DeviceId::new("r1")
}

fn permit(payload: &str, base_digest: &str) -> approval::Permit {
    let bound = BoundDevice { device: device(), payload_sha256: hex::encode(Sha256::digest(payload)), base_digest: base_digest.to_owned() };
    let binding = PlanBinding { devices: vec![bound], policy_version: 1, twin_seq: 1 };
    let shown_hash = binding.hash();
    let (proposal, action, tier) = (ProposalId(1), ActionType::LocalPrefAdjust, AutonomyTier::Tier2Approve);
    let mut queue = Queue::default();
    queue.submit(Submission { proposal, action, tier, target: "r1".into(), binding }, Duration::from_secs(60), NOW).unwrap();
    let by = OperatorId::new("uid:0 root");
    queue.approve(proposal, Approval { by, shown_hash, typed_target: None, automatic: false, change: ChangeId(1) }, NOW).unwrap()
}

fn inventory(endpoint: NetconfEndpoint) -> Inventory {
    Inventory {
        name: "test".into(),
        lab: Some(LAB.into()),
        own_asn: bgp::Asn(65001),
        own_prefixes: Vec::new(),
        devices: vec![DeviceSpec {
            id: device(),
            hostname: "edge-router-01".into(),
            role: DeviceRole::Edge,
            router_id: [10, 0, 0, 1].into(),
            bmp: None,
            gnmi: None,
            netconf: Some(endpoint),
        }],
        public_space: Vec::new(),
        providers: Vec::new(),
        exits: Vec::new(),
        groups: Vec::new(),
        ..Inventory::empty("")
    }
}
