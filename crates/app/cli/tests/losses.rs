//! What a loss does to the tables: of the router, of the wire, of the engine itself. FRR sends BMP; each is stopped without a word to
//! anybody. Nothing may be lost or invented, what is shown must say that it is old, and all must be current again soon.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

#[path = "../../../core/rib/tests/wire/mod.rs"]
mod wire;

use bgp::Asn;
use network::{BmpSource, DeviceRole, DeviceSpec, Inventory};
use serde_json::Value;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Routes that the neighbour announces.
const ROUTES: u32 = 200;
/// How long anything may take that is not what is measured: other tests share the machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Promised: stale within this.
const STALE_WITHIN: Duration = Duration::from_secs(30);
/// Promised: synced this long after the last route of the initial dump.
const SYNCED_WITHIN: Duration = Duration::from_secs(5);
const BGPD: &str = "/usr/lib/frr/bgpd";

/// A child that ends with the test.
struct Running(Child);

impl Running {
    fn start(command: &mut Command, log: &Path) -> Self {
        let file = std::fs::File::create(log).unwrap();
        Self(command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file).spawn().unwrap())
    }

    /// Lets it end in order, as Ctrl-C does: the log is then whole.
    fn stop(mut self) {
        let id = self.0.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        assert!(self.0.wait().unwrap().success());
    }

    /// SIGKILL.
    fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A router with a neighbour, an engine that listens to it, and where each of them lives.
struct Scene {
    folder: tempfile::TempDir,
    /// Network namespaces of engine and routers; `None`: both on the host's loopback.
    spaces: Option<Spaces>,
    near: Ipv4Addr,
    far: Ipv4Addr,
    bgp_port: u16,
    /// Where the engine listens, and the address that the router comes from.
    bmp: (Ipv4Addr, u16),
    sender: Ipv4Addr,
}

impl Scene {
    fn new(spaces: Option<Spaces>) -> Self {
        let [.., low] = std::process::id().to_be_bytes();
        let bgp_port = free_port();
        let third = bgp_port.to_be_bytes()[1];
        let (near, far) = (Ipv4Addr::new(127, 90 | (low & 1), low, third | 1), Ipv4Addr::new(127, 90 | (low & 1), low, third & 0xfe));
        let (address, sender) = match spaces {
            Some(_) => (Ipv4Addr::new(10, 9, 0, 1), Ipv4Addr::new(10, 9, 0, 2)),
            None => (Ipv4Addr::LOCALHOST, Ipv4Addr::LOCALHOST),
        };
        let folder = tempfile::tempdir().unwrap();
        let device = DeviceSpec {
            id: "r1".into(),
            hostname: "r1".to_owned(),
            role: DeviceRole::Edge,
            router_id: near,
            bmp: Some(BmpSource::at(IpAddr::V4(sender))),
            gnmi: None,
            netconf: None,
        };
        let inventory = Inventory { own_asn: Asn(65_001), devices: vec![device], ..Inventory::empty("losses") };
        std::fs::write(folder.path().join("inventory.json"), serde_json::to_string(&inventory).unwrap()).unwrap();
        Self { folder, spaces, near, far, bgp_port, bmp: (address, free_port()), sender }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, space: impl Fn(&Spaces) -> &str, program: &str) -> Command {
        match &self.spaces {
            Some(spaces) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", space(spaces), program]);
                command
            }
            None => Command::new(program),
        }
    }

    /// One of the two routers; only the near one sends BMP, only the far one has routes.
    fn router(&self, near: bool) -> Running {
        let (own, peer, asn, peer_asn) = if near { (self.near, self.far, 65_001, 65_002) } else { (self.far, self.near, 65_002, 65_001) };
        let mut text = format!(
            "route-map OUT permit 10\n set ip next-hop 10.99.0.12\nroute-map IN permit 10\nrouter bgp {asn}\n bgp router-id {own}\n \
             no bgp default ipv4-unicast\n no bgp network import-check\n neighbor {peer} remote-as {peer_asn}\n neighbor {peer} port {}\n \
             neighbor {peer} update-source {own}\n neighbor {peer} disable-connected-check\n neighbor {peer} timers 1 6\n \
             neighbor {peer} timers connect 1\n",
            self.bgp_port
        );
        if near {
            let (address, port) = self.bmp;
            text += &format!(
                " bmp targets noc\n  bmp connect {address} port {port} min-retry 200 max-retry 1000\n  bmp stats interval 1000\n  \
                 bmp monitor ipv4 unicast pre-policy\n exit\n"
            );
        }
        text += " address-family ipv4 unicast\n";
        for n in 0..if near { 0 } else { ROUTES } {
            text += &format!("  network {}\n", route(n));
        }
        text += &format!(
            "  neighbor {peer} activate\n  neighbor {peer} soft-reconfiguration inbound\n  neighbor {peer} route-map OUT out\n  \
             neighbor {peer} route-map IN in\n exit-address-family\n"
        );
        let folder = self.path(if near { "near" } else { "far" });
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("bgpd.conf"), text).unwrap();
        // a killed one leaves its process number behind
        drop(std::fs::remove_file(folder.join("pid")));
        let mut command = self.command(|s| &s.routers, BGPD);
        command.args(["-Z", "-n", "-S", "-M", "bmp", "-A", "127.0.0.1", "-P", "0", "-l", &own.to_string(), "-p"]);
        command.arg(self.bgp_port.to_string()).arg("-f").arg(folder.join("bgpd.conf")).arg("-i").arg(folder.join("pid"));
        command.arg("--vty_socket").arg(&folder);
        Running::start(&mut command, &folder.join("log"))
    }

    /// Enters lines at the far router.
    fn far(&self, lines: &[String]) {
        let mut command = Command::new("vtysh");
        command.arg("--vty_socket").arg(self.path("far")).args(["-d", "bgpd", "-c", "configure terminal", "-c", "router bgp 65002"]);
        command.args(["-c", "address-family ipv4 unicast"]);
        command.args(lines.iter().flat_map(|l| ["-c", l]));
        assert!(command.output().unwrap().status.success(), "{lines:?}");
    }

    fn engine(&self) -> Running {
        let mut command = self.command(|s| &s.engine, env!("CARGO_BIN_EXE_pilotctl"));
        let (address, port) = self.bmp;
        command.arg("--data").arg(self.path("data")).arg("serve").arg("--inventory").arg(self.path("inventory.json"));
        command.args(["--bmp", &format!("{address}:{port}")]);
        Running::start(&mut command, &self.path("engine.log"))
    }

    fn ask(&self, arguments: &[&str]) -> Option<Value> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pilotctl"));
        let out = command.arg("--data").arg(self.path("data")).arg("--json").args(arguments).output().unwrap();
        serde_json::from_slice(&out.stdout).ok()
    }

    /// State of the feed and routes of the neighbour in the table before policy.
    fn seen(&self) -> Option<(String, u64)> {
        let feed = self.ask(&["status"])?["devices"][0]["bmp"].as_str()?.to_owned();
        let peers = self.ask(&["status", "--peers", "r1"])?;
        let far = peers.as_array()?.iter().find(|p| p["address"] == self.far.to_string());
        let routes = far.and_then(|p| p["prefixes"][0]["seen"].as_u64()).unwrap_or(0);
        Some((feed, routes))
    }

    /// State of the neighbour's table before policy, its paths, and those of an earlier session that were not told again.
    fn table(&self) -> Option<(String, u64, u64)> {
        let peers = self.ask(&["status", "--peers", "r1"])?;
        let far = peers.as_array()?.iter().find(|p| p["address"] == self.far.to_string())?;
        let table = far["tables"].as_array()?.iter().find(|t| t["view"] == "adj_rib_in_pre")?;
        Some((table["state"].as_str()?.to_owned(), table["paths"].as_u64()?, table["unconfirmed"].as_u64()?))
    }

    fn until_table(&self, state: &str, paths: u64, unconfirmed: u64) -> Duration {
        let wanted = Some((state.to_owned(), paths, unconfirmed));
        self.until_that(&format!("{wanted:?}"), || self.table(), |table| table == &wanted)
    }

    fn until(&self, what: &str, done: impl Fn(&str, u64) -> bool) -> Duration {
        self.until_that(what, || self.seen(), |seen| seen.as_ref().is_some_and(|(feed, routes)| done(feed, *routes)))
    }

    fn until_that<T: std::fmt::Debug>(&self, what: &str, look: impl Fn() -> T, done: impl Fn(&T) -> bool) -> Duration {
        let begun = Instant::now();
        loop {
            let seen = look();
            if done(&seen) {
                return begun.elapsed();
            }
            let log = || std::fs::read_to_string(self.path("engine.log")).unwrap_or_default();
            assert!(begun.elapsed() < PATIENCE, "{what} did not happen within {PATIENCE:?}: {seen:?}\n{}", log());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// The newest capture: prefixes of the table at its end, and how long after the last route of each dump its feed was synced.
    fn capture(&self) -> (Vec<String>, Vec<Duration>) {
        let mut files: Vec<PathBuf> = std::fs::read_dir(self.path("data/captures")).unwrap().map(|f| f.unwrap().path()).collect();
        files.sort();
        let file = files.iter().rfind(|f| f.extension().is_some_and(|e| e == "capture")).unwrap();
        let (mut pilot, mut last_route, mut waits) = (pilot::Pilot::default(), None, Vec::new());
        for entry in capture::Reader::<pilot::Input>::open(file).unwrap() {
            // the last frame of a killed engine may be unfinished
            let Ok(entry) = entry else { break };
            if let pilot::Input::Observed { observation: network::Observation::Bmp { event, .. } } = &entry.body {
                match event {
                    network::BmpEvent::Message { bytes } if bytes.get(5) == Some(&0) => last_route = Some(entry.at),
                    network::BmpEvent::Connected => last_route = None,
                    _ => {}
                }
            }
            for effect in pilot.handle(entry.seq, entry.at, entry.body) {
                let pilot::Effect::Publish(event) = effect else { continue };
                if let pilot::Happening::Feed { feed, state, .. } = &event.what
                    && feed == "bmp"
                {
                    match (state.as_str(), last_route) {
                        ("synced", Some(route)) => waits.push(event.at.since(route)),
                        // a session that falls silent and speaks again makes no new dump
                        ("stale", _) => last_route = None,
                        _ => {}
                    }
                }
            }
        }
        let state = pilot.state();
        let table = state.network.adj_rib_in(&"r1".into(), IpAddr::V4(self.far));
        (table.prefixes().map(|p| p.to_string()).collect(), waits)
    }

    /// Every route but the first `gone`, sorted as a table sorts.
    fn expected(gone: u32) -> Vec<String> {
        let mut all: Vec<bgp::Prefix> = (gone..ROUTES).map(|n| route(n).parse().unwrap()).collect();
        all.sort_unstable();
        all.iter().map(ToString::to_string).collect()
    }

    fn checked(&self, gone: u32) {
        let (table, waits) = self.capture();
        assert_eq!(table, Self::expected(gone), "lost or invented");
        assert!(waits.iter().all(|w| *w <= SYNCED_WITHIN), "synced {waits:?} after the last route of a dump");
        println!("synced {waits:?} after the last route of each dump");
    }
}

fn route(n: u32) -> String {
    format!("198.18.{n}.0/24")
}

fn able() -> bool {
    let able = Path::new(BGPD).exists();
    if !able {
        println!("skipped: no {BGPD} on this machine");
    }
    able
}

#[test]
fn a_router_that_dies_leaves_its_routes_stale_and_comes_back_with_what_it_has_then() {
    if !able() {
        return;
    }
    let scene = Scene::new(None);
    let (engine, _far) = (scene.engine(), scene.router(false));
    let mut near = scene.router(true);
    scene.until("the first table", |feed, routes| feed == "synced" && routes == u64::from(ROUTES));
    near.kill();
    let took = scene.until("staleness", |feed, _| feed == "stale");
    assert!(took <= STALE_WITHIN, "stale after {took:?}");
    assert_eq!(scene.seen(), Some(("stale".to_owned(), ROUTES.into())), "a lost transport withdraws nothing");
    scene.far(&[0, 1, 2].map(|n| format!("no network {}", route(n))));
    let _near = scene.router(true);
    scene.until("the second table", |feed, routes| feed == "synced" && routes == u64::from(ROUTES) - 3);
    engine.stop();
    scene.checked(3);
}

#[test]
fn an_engine_that_dies_begins_with_nothing_and_has_the_table_again() {
    if !able() {
        return;
    }
    let scene = Scene::new(None);
    let (_far, _near) = (scene.router(false), scene.router(true));
    let mut engine = scene.engine();
    scene.until("the first table", |feed, routes| feed == "synced" && routes == u64::from(ROUTES));
    // what was seen more than a second ago is in the capture of an engine that dies
    let before = scene.until("the table in the log", |_, _| scene.capture().0 == Scene::expected(0));
    engine.kill();
    assert_eq!(scene.seen(), None, "there is nobody to ask");
    assert_eq!(scene.capture().0, Scene::expected(0), "after {before:?}");
    scene.far(&[0, 1].map(|n| format!("no network {}", route(n))));
    let engine = scene.engine();
    scene.until("the second table", |feed, routes| feed == "synced" && routes == u64::from(ROUTES) - 2);
    engine.stop();
    scene.checked(2);
}

/// Two namespaces and a wire between them.
struct Spaces {
    engine: String,
    routers: String,
}

impl Spaces {
    fn new() -> Option<Self> {
        let id = format!("{:x}-{}", std::process::id(), free_port());
        let it = Self { engine: format!("phl-{id}-e"), routers: format!("phl-{id}-r") };
        let ip = |arguments: &str| Command::new("ip").args(arguments.split_whitespace()).output().is_ok_and(|o| o.status.success());
        let made = ip(&format!("netns add {}", it.engine)) && ip(&format!("netns add {}", it.routers));
        if !made {
            println!("skipped: network namespaces need root and iproute2");
            return None;
        }
        let (e, r) = (&it.engine, &it.routers);
        for arguments in [
            format!("-n {e} link add wire type veth peer name wire netns {r}"),
            format!("-n {e} addr add 10.9.0.1/24 dev wire"),
            format!("-n {r} addr add 10.9.0.2/24 dev wire"),
            format!("-n {e} link set lo up"),
            format!("-n {r} link set lo up"),
            format!("-n {e} link set wire up"),
            format!("-n {r} link set wire up"),
        ] {
            assert!(ip(&arguments), "ip {arguments}");
        }
        Some(it)
    }

    /// Lets frames toward one side get lost, or arrive again: they go to a hardware address that nobody has.
    fn lose(&self, toward_engine: bool, lost: bool) {
        let (from, to) = if toward_engine { (&self.routers, "10.9.0.1") } else { (&self.engine, "10.9.0.2") };
        let change = if lost { "replace" } else { "del" };
        let mut command = Command::new("ip");
        command.args(["-n", from, "neigh", change, to, "dev", "wire"]);
        if lost {
            command.args(["lladdr", "02:00:00:00:be:ef", "nud", "permanent"]);
        }
        assert!(command.status().unwrap().success());
    }

    fn wire(&self, state: &str) {
        let done = Command::new("ip").args(["-n", &self.routers, "link", "set", "wire", state]).status().unwrap();
        assert!(done.success());
    }
}

impl Drop for Spaces {
    fn drop(&mut self) {
        for name in [&self.engine, &self.routers] {
            let _ = Command::new("ip").args(["netns", "del", name]).status();
        }
    }
}

#[test]
fn a_wire_that_is_cut_without_a_word_is_noticed_and_the_session_is_made_anew() {
    if !able() {
        return;
    }
    let Some(spaces) = Spaces::new() else { return };
    let scene = Scene::new(Some(spaces));
    let (engine, _far, _near) = (scene.engine(), scene.router(false), scene.router(true));
    scene.until("the first table", |feed, routes| feed == "synced" && routes == u64::from(ROUTES));
    assert_eq!(scene.sender, Ipv4Addr::new(10, 9, 0, 2));
    let wire = |state: &str| scene.spaces.as_ref().unwrap().wire(state);
    wire("down");
    let took = scene.until("staleness", |feed, _| feed == "stale");
    println!("stale {took:?} after the cut");
    assert!(took <= STALE_WITHIN, "stale after {took:?}");
    assert_eq!(scene.seen(), Some(("stale".to_owned(), ROUTES.into())), "a lost transport withdraws nothing");
    scene.far(&[0, 1, 2, 3].map(|n| format!("no network {}", route(n))));
    wire("up");
    scene.until("the second table", |feed, routes| feed == "synced" && routes == u64::from(ROUTES) - 4);
    engine.stop();
    scene.checked(4);
}

/// Half of a connection is worse than none: one side believes in it. What the router says gets lost while it hears every answer; later it
/// speaks and hears nothing.
#[test]
fn a_wire_that_loses_one_direction_makes_the_table_old_and_not_wrong() {
    if !able() {
        return;
    }
    let Some(spaces) = Spaces::new() else { return };
    let scene = Scene::new(Some(spaces));
    let (engine, _far, _near) = (scene.engine(), scene.router(false), scene.router(true));
    scene.until("the first table", |feed, routes| feed == "synced" && routes == u64::from(ROUTES));
    let lose = |toward_engine: bool, lost: bool| scene.spaces.as_ref().unwrap().lose(toward_engine, lost);
    lose(true, true);
    scene.far(&[0, 1, 2, 3, 4].map(|n| format!("no network {}", route(n))));
    let took = scene.until("staleness", |feed, _| feed == "stale");
    println!("stale {took:?} after the router was not heard any more");
    assert!(took <= STALE_WITHIN, "stale after {took:?}");
    assert_eq!(scene.seen(), Some(("stale".to_owned(), ROUTES.into())), "what is not heard withdraws nothing");
    lose(true, false);
    scene.until("the table after the loss", |feed, routes| feed == "synced" && routes == u64::from(ROUTES) - 5);
    lose(false, true);
    scene.far(&[format!("no network {}", route(5))]);
    std::thread::sleep(Duration::from_secs(2));
    lose(false, false);
    scene.until("the table after the silence", |feed, routes| feed == "synced" && routes == u64::from(ROUTES) - 6);
    engine.stop();
    scene.checked(6);
}

/// A router that speaks as the test lets it, and dies when it is dropped.
struct Speaker(TcpStream);

impl Speaker {
    const PEER: wire::Peer = wire::peer(2);

    fn connect(scene: &Scene) -> Self {
        let begun = Instant::now();
        loop {
            match TcpStream::connect((scene.bmp.0, scene.bmp.1)) {
                Ok(stream) => {
                    let mut it = Self(stream);
                    it.say(&wire::peer_up(Self::PEER));
                    return it;
                }
                Err(why) => assert!(begun.elapsed() < PATIENCE, "the engine does not listen: {why}"),
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn say(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    fn announce(&mut self, routes: std::ops::Range<u32>) {
        for n in routes {
            self.say(&wire::announce(Self::PEER, &[&route(n)], n % 7));
        }
    }

    /// Ends in the middle of a message, as a process that is killed does.
    fn die(mut self) {
        let message = wire::announce(Self::PEER, &[&route(ROUTES - 1)], 99);
        self.say(&message[..message.len() / 2]);
    }
}

/// Whether a dump is over is the sender's word where it has one (RFC 4724 §2); a sender that dies in its dump has not finished it, and one
/// that pauses has not either. Without the word, quiet ends it.
#[test]
fn a_dump_ends_with_end_of_rib_or_with_quiet_and_never_with_a_death() {
    let scene = Scene { far: Ipv4Addr::new(10, 0, 0, 2), ..Scene::new(None) };
    let mut engine = scene.engine();
    let all = u64::from(ROUTES);
    let mut first = Speaker::connect(&scene);
    first.announce(0..ROUTES);
    first.say(&wire::end_of_rib(Speaker::PEER, false));
    let took = scene.until_table("synced", all, 0);
    assert!(took <= SYNCED_WITHIN, "synced {took:?} after End-of-RIB");
    first.die();
    scene.until_table("stale", all, all);

    let mut second = Speaker::connect(&scene);
    second.announce(0..120);
    scene.until_table("initial", all, all - 120);
    std::thread::sleep(rib::INITIAL_QUIET + Duration::from_millis(500));
    assert_eq!(scene.table(), Some(("initial".to_owned(), all, all - 120)), "a pause is no end for a sender that says its end");
    second.die();
    scene.until_table("stale", all, all);

    let mut third = Speaker::connect(&scene);
    third.announce(3..ROUTES);
    third.say(&wire::end_of_rib(Speaker::PEER, false));
    let took = scene.until_table("synced", all - 3, 0);
    assert!(took <= SYNCED_WITHIN, "synced {took:?} after End-of-RIB");
    // what is in the log of an engine that dies was seen more than a second ago
    scene.until_that("the table in the log", || scene.capture().0, |table| *table == Scene::expected(3));

    // the engine dies in the middle of a dump that has no End-of-RIB, and begins with nothing
    engine.kill();
    drop(third);
    let engine = scene.engine();
    let mut fourth = Speaker::connect(&scene);
    fourth.announce(9..ROUTES);
    let took = scene.until_table("synced", all - 9, 0);
    assert!(took <= SYNCED_WITHIN, "synced {took:?} after the last route");
    scene.until("the feed", |feed, routes| feed == "synced" && routes == all - 9);
    engine.stop();
    scene.checked(9);
}
