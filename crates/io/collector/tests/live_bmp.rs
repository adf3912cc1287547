//! The BMP listener against FRR and GoBGP: the table must be what the neighbour announced, through announce, withdraw and loss.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

mod peer;

use bgp::Prefix;
use bmp::View;
use core::net::{IpAddr, Ipv4Addr};
use network::{Freshness, Network, SessionState};
use peer::{Peer, Watch, address_pair, free_port, program};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

async fn watch(own_asn: u32) -> (u16, Watch) {
    peer::listen(own_asn, "127.0.0.1:0", IpAddr::V4(Ipv4Addr::LOCALHOST)).await
}

fn prefixes(texts: &[&str]) -> BTreeSet<Prefix> {
    texts.iter().map(|t| t.parse().unwrap()).collect()
}

fn table(network: &Network, neighbor: IpAddr, view: View) -> BTreeSet<Prefix> {
    network.adj_rib(&"r1".into(), neighbor, view).prefixes().collect()
}

struct Bgpd {
    asn: u32,
    address: Ipv4Addr,
    remote: (u32, Ipv4Addr),
    bgp_port: u16,
    bmp_port: Option<u16>,
    next_hop: &'static str,
    networks: &'static [&'static str],
}

impl Bgpd {
    fn config(&self) -> String {
        let Self { asn, address, remote: (remote_asn, remote), bgp_port, next_hop, .. } = self;
        let mut text = format!(
            "route-map IN permit 10\n set local-preference 120\nroute-map OUT permit 10\n set ip next-hop {next_hop}\n\
             router bgp {asn}\n bgp router-id {address}\n no bgp default ipv4-unicast\n no bgp network import-check\n \
             neighbor {remote} remote-as {remote_asn}\n neighbor {remote} port {bgp_port}\n neighbor {remote} update-source {address}\n \
             neighbor {remote} disable-connected-check\n neighbor {remote} timers 3 9\n neighbor {remote} timers connect 2\n"
        );
        if let Some(port) = self.bmp_port {
            write!(
                text,
                " bmp targets noc\n  bmp connect 127.0.0.1 port {port} min-retry 500 max-retry 2000\n  bmp stats interval 1000\n  \
                 bmp monitor ipv4 unicast pre-policy\n  bmp monitor ipv4 unicast post-policy\n exit\n"
            )
            .unwrap();
        }
        text.push_str(" address-family ipv4 unicast\n");
        for network in self.networks {
            writeln!(text, "  network {network}").unwrap();
        }
        write!(
            text,
            "  neighbor {remote} activate\n  neighbor {remote} soft-reconfiguration inbound\n  neighbor {remote} route-map IN in\n  \
             neighbor {remote} route-map OUT out\n exit-address-family\n"
        )
        .unwrap();
        text
    }

    /// Starts it without zebra: no kernel route is touched.
    fn start(&self, bgpd: &Path, dir: &Path) -> Peer {
        std::fs::create_dir_all(dir).unwrap();
        std::fs::write(dir.join("bgpd.conf"), self.config()).unwrap();
        let mut command = Command::new(bgpd);
        command.args(["-Z", "-n", "-S", "-M", "bmp", "-A", "127.0.0.1", "-P", "0", "-l", &self.address.to_string()]);
        command.args(["-p", &self.bgp_port.to_string(), "-f"]).arg(dir.join("bgpd.conf")).arg("-i").arg(dir.join("pid"));
        command.arg("--vty_socket").arg(dir);
        Peer::start(&mut command, &dir.join("log"))
    }
}

fn vtysh(vtysh: &Path, dir: &Path, lines: &[&str]) {
    let mut command = Command::new(vtysh);
    command.arg("--vty_socket").arg(dir).args(["-d", "bgpd"]);
    for line in lines {
        command.args(["-c", line]);
    }
    let out = command.output().unwrap();
    assert!(out.status.success(), "{lines:?}: {}", String::from_utf8_lossy(&out.stderr));
}

#[tokio::test]
async fn the_table_of_an_frr_router_is_what_its_neighbour_announced() {
    let (Some(bgpd), Some(shell)) = (program("bgpd"), program("vtysh")) else { return };
    let dir = tempfile::tempdir().unwrap();
    let ((near, far), bgp_port) = (address_pair(), free_port());
    let (bmp_port, mut watch) = watch(65001).await;
    let a = Bgpd {
        asn: 65001,
        address: near,
        remote: (65002, far),
        bgp_port,
        bmp_port: Some(bmp_port),
        next_hop: "10.99.0.11",
        // nothing of its own: FRR sends it back to where it came from, and it would stand in the table before policy
        networks: &[],
    };
    let b = Bgpd {
        asn: 65002,
        address: far,
        remote: (65001, near),
        bgp_port,
        bmp_port: None,
        next_hop: "10.99.0.12",
        networks: &["192.0.2.0/24", "203.0.113.0/24", "203.0.114.0/23"],
    };
    let (dir_a, dir_b) = (dir.path().join("a"), dir.path().join("b"));
    let mut a_runs = a.start(&bgpd, &dir_a);
    let mut b_runs = b.start(&bgpd, &dir_b);
    let neighbor = IpAddr::V4(far);

    let all = prefixes(b.networks);
    let both = |d: &Network, wanted: &BTreeSet<Prefix>| {
        [View::AdjRibInPre, View::AdjRibInPost].iter().all(|view| table(d, neighbor, *view) == *wanted)
    };
    watch.until_all("three routes before and after policy", |d| both(d, &all)).await;
    watch.until("the end of the dump", |d| matches!(d.bmp, Freshness::Synced { .. })).await;
    let device = watch.r1();
    assert_eq!(device.sessions[&neighbor].state, SessionState::Established);
    assert_eq!(device.malformed, 0, "{:?}", device.last_malformed);
    for (_, attributes) in watch.network.adj_rib_in(&"r1".into(), neighbor).routes() {
        assert_eq!(attributes.as_path.to_string(), "65002", "FRR's own AS in front is taken off");
        assert_eq!(attributes.next_hop, Some("10.99.0.12".parse().unwrap()));
        assert_eq!(attributes.local_pref, None, "absent stays absent");
    }
    assert!(device.repairs.contains_key("frr_own_as_in_front"));

    let lines = ["configure terminal", "router bgp 65002", "address-family ipv4 unicast", "no network 203.0.113.0/24"];
    vtysh(&shell, &dir_b, &lines);
    let less = prefixes(&["192.0.2.0/24", "203.0.114.0/23"]);
    watch.until_all("the withdrawal", |d| both(d, &less)).await;

    b_runs.kill();
    watch.until_all("the loss of the peer", |d| both(d, &BTreeSet::new())).await;
    assert_eq!(watch.r1().sessions[&neighbor].flaps, 1);

    let mut b_again = b.start(&bgpd, &dir_b);
    watch.until_all("the routes again", |d| both(d, &all)).await;
    a_runs.kill();
    watch.until("staleness", |d| matches!(d.bmp, Freshness::Stale { .. })).await;
    assert!(both(&watch.network, &all), "losing sight withdraws nothing");
    b_again.kill();
}

fn gobgp_config(asn: u32, address: Ipv4Addr, remote: (u32, Ipv4Addr), bgp_port: u16, bmp_port: Option<u16>, next_hop: &str) -> String {
    let bmp = bmp_port.map_or_else(String::new, |port| {
        format!(
            "[[bmp-servers]]\n[bmp-servers.config]\naddress = \"127.0.0.1\"\nport = {port}\nroute-monitoring-policy = \"all\"\n\
             statistics-timeout = 15\n"
        )
    });
    format!(
        "[global.config]\nas = {asn}\nrouter-id = \"{address}\"\nport = {bgp_port}\nlocal-address-list = [\"{address}\"]\n\
         [global.apply-policy.config]\nexport-policy-list = [\"nh\"]\n{bmp}[[neighbors]]\n[neighbors.config]\nneighbor-address = \"{}\"\n\
         peer-as = {}\n[neighbors.transport.config]\nremote-port = {bgp_port}\nlocal-address = \"{address}\"\n\
         [neighbors.ebgp-multihop.config]\nenabled = true\nmultihop-ttl = 4\n[neighbors.timers.config]\nconnect-retry = 2\nhold-time = 9\n\
         keepalive-interval = 3\n[[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\nafi-safi-name = \"ipv4-unicast\"\n\
         [[policy-definitions]]\nname = \"nh\"\n[[policy-definitions.statements]]\n[policy-definitions.statements.actions]\n\
         route-disposition = \"accept-route\"\n[policy-definitions.statements.actions.bgp-actions]\nset-next-hop = \"{next_hop}\"\n",
        remote.1, remote.0
    )
}

struct GoBgp {
    cli: PathBuf,
    api: u16,
    _runs: Peer,
}

impl GoBgp {
    fn start(daemon: &Path, cli: &Path, dir: &Path, name: &str, config: &str) -> Self {
        let file = dir.join(format!("{name}.toml"));
        std::fs::write(&file, config).unwrap();
        let api = free_port();
        let mut command = Command::new(daemon);
        command.arg("-f").arg(file).args(["--api-hosts", &format!("127.0.0.1:{api}")]);
        Self { cli: cli.to_owned(), api, _runs: Peer::start(&mut command, &dir.join(format!("{name}.log"))) }
    }

    fn run(&self, arguments: &[&str]) -> bool {
        let mut command = Command::new(&self.cli);
        command.args(["-u", "127.0.0.1", "-p", &self.api.to_string()]).args(arguments);
        command.output().unwrap().status.success()
    }
}

#[tokio::test]
async fn the_table_of_a_gobgp_router_is_what_its_neighbour_announced() {
    let (Some(daemon), Some(cli)) = (program("gobgpd"), program("gobgp")) else { return };
    let dir = tempfile::tempdir().unwrap();
    let ((near, far), bgp_port) = (address_pair(), free_port());
    let (bmp_port, mut watch) = watch(65011).await;
    let config = gobgp_config(65011, near, (65012, far), bgp_port, Some(bmp_port), "10.99.0.21");
    let _a = GoBgp::start(&daemon, &cli, dir.path(), "a", &config);
    let b = GoBgp::start(&daemon, &cli, dir.path(), "b", &gobgp_config(65012, far, (65011, near), bgp_port, None, "10.99.0.22"));
    let neighbor = IpAddr::V4(far);
    watch.until("the session", |d| d.sessions.get(&neighbor).is_some_and(|s| s.state == SessionState::Established)).await;
    assert!(b.run(&["global", "rib", "add", "192.0.2.0/24", "med", "10", "community", "65012:1"]));
    assert!(b.run(&["global", "rib", "add", "203.0.113.0/24"]));
    let wanted = prefixes(&["192.0.2.0/24", "203.0.113.0/24"]);
    watch.until_all("two routes", |d| table(d, neighbor, View::AdjRibInPre) == wanted).await;
    let device = watch.r1();
    assert_eq!(device.malformed, 0, "{:?}", device.last_malformed);
    let route = watch.network.adj_rib_in(&"r1".into(), neighbor).get(&"192.0.2.0/24".parse().unwrap()).unwrap();
    assert_eq!((route.as_path.to_string().as_str(), route.med), ("65012", Some(10)));
    assert_eq!(route.communities, ["65012:1".parse().unwrap()]);
    assert!(!device.repairs.contains_key("frr_own_as_in_front"), "GoBGP's paths are right as they are");
    assert!(b.run(&["global", "rib", "del", "192.0.2.0/24"]));
    let less = prefixes(&["203.0.113.0/24"]);
    watch.until_all("the withdrawal", |d| table(d, neighbor, View::AdjRibInPre) == less).await;
}
