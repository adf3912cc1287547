//! One live session, two readers: the bytes of an FRR router go to us and to pmacct's `pmbmpd`, and both must find the same routes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

mod peer;

use bgp::Origin;
use bmp::View;
use collector::BmpListener;
use core::net::IpAddr;
use network::SessionState;
use peer::{PATIENCE, Peer, Watch, address_pair, free_port, inventory, program};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Instant;
use tokio::sync::mpsc;

const NETWORKS: [&str; 4] = ["192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "203.0.114.0/23"];

/// A route as both tell it: after policy, prefix, AS path, origin, next hop, LOCAL_PREF, MED, communities.
type Route = (bool, String, String, char, String, Option<u64>, Option<u64>, String);

fn bgpd(bgpd: &Path, dir: &Path, own: (u32, Ipv4Addr), other: (u32, Ipv4Addr), bgp_port: u16, rest: &str, family: &str) -> Peer {
    std::fs::create_dir_all(dir).unwrap();
    let (asn, address) = own;
    let (remote_asn, remote) = other;
    let text = format!(
        "bgp route-map delay-timer 1\nroute-map IN permit 10\n set local-preference 120\n set community 65001:7 additive\n\
         route-map OUT permit 10\n set ip next-hop 10.99.0.12\n set metric 30\n set community 65002:1 65002:2\n\
         router bgp {asn}\n bgp router-id {address}\n no bgp default ipv4-unicast\n no bgp network import-check\n \
         neighbor {remote} remote-as {remote_asn}\n neighbor {remote} port {bgp_port}\n neighbor {remote} update-source {address}\n \
         neighbor {remote} disable-connected-check\n neighbor {remote} timers 3 9\n neighbor {remote} timers connect 1\n{rest}\
         address-family ipv4 unicast\n{family}  neighbor {remote} activate\n  neighbor {remote} soft-reconfiguration inbound\n  \
         neighbor {remote} route-map IN in\n  neighbor {remote} route-map OUT out\n exit-address-family\n"
    );
    std::fs::write(dir.join("bgpd.conf"), text).unwrap();
    let mut command = Command::new(bgpd);
    command.args(["-Z", "-n", "-S", "-M", "bmp", "-A", "127.0.0.1", "-P", "0", "-l", &address.to_string(), "-p", &bgp_port.to_string()]);
    command.arg("-f").arg(dir.join("bgpd.conf")).arg("-i").arg(dir.join("pid")).arg("--vty_socket").arg(dir);
    Peer::start(&mut command, &dir.join("log"))
}

/// Gives every byte of one connection to two receivers.
fn tee(to: [u16; 2]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (mut router, _) = listener.accept().unwrap();
        let mut out = to.map(|port| TcpStream::connect(("127.0.0.1", port)).unwrap());
        let mut buffer = [0; 4096];
        while let Ok(n @ 1..) = router.read(&mut buffer) {
            for stream in &mut out {
                stream.write_all(&buffer[..n]).unwrap();
            }
        }
    });
    port
}

/// What pmbmpd wrote of Route Monitoring. FRR puts the own AS in front of paths; we take it off and say so, pmbmpd does not.
fn theirs(file: &Path, neighbor: &str) -> BTreeSet<Route> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let rows = text.lines().filter_map(|l| serde_json::from_str::<Value>(l).ok());
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    rows.filter(|r| r["bmp_msg_type"] == "route_monitor" && r["peer_ip"] == neighbor && r["log_type"] == "update")
        .map(|r| {
            let path = text(&r["as_path"]);
            let path = path.strip_prefix("65001 ").unwrap_or(&path).to_owned();
            let after = r["is_post"].as_u64() == Some(1) || r["is_post"] == "1";
            let number = |v: &Value| v.as_u64().or_else(|| v.as_str()?.parse().ok());
            let origin = match text(&r["origin"]).as_str() {
                "i" => 'i',
                "e" => 'e',
                _ => '?',
            };
            let comms = text(&r["comms"]);
            (after, text(&r["ip_prefix"]), path, origin, text(&r["bgp_nexthop"]), number(&r["local_pref"]), number(&r["med"]), comms)
        })
        .collect()
}

fn ours(watch: &Watch, neighbor: IpAddr) -> BTreeSet<Route> {
    let mut out = BTreeSet::new();
    for (view, after) in [(View::AdjRibInPre, false), (View::AdjRibInPost, true)] {
        for (prefix, a) in watch.network.adj_rib(&"r1".into(), neighbor, view).routes() {
            let origin = match a.origin {
                Origin::Igp => 'i',
                Origin::Egp => 'e',
                Origin::Incomplete => '?',
            };
            let hop = a.next_hop.map(|h| h.to_string()).unwrap_or_default();
            let comms: Vec<String> = a.communities.iter().map(ToString::to_string).collect();
            let numbers = (a.local_pref.map(u64::from), a.med.map(u64::from));
            out.insert((after, prefix.to_string(), a.as_path.to_string(), origin, hop, numbers.0, numbers.1, comms.join(" ")));
        }
    }
    out
}

#[tokio::test]
async fn pmbmpd_and_we_find_the_same_routes_in_one_session() {
    let (Some(frr), Some(pmbmpd)) = (program("bgpd"), program("pmbmpd")) else { return };
    let dir = tempfile::tempdir().unwrap();
    let ((near, far), bgp_port, their_port) = (address_pair(), free_port(), free_port());
    let listener = BmpListener::bind("127.0.0.1:0".parse().unwrap(), &inventory(65001, None)).await.unwrap();
    let our_port = listener.local_address().unwrap().port();
    let (tx, rx) = mpsc::channel(64);
    tokio::spawn(listener.run(tx));
    let mut watch = Watch::new(inventory(65001, None), rx);

    let log = dir.path().join("pmbmpd.json");
    let config = format!(
        "daemonize: false\nbmp_daemon_ip: 127.0.0.1\nbmp_daemon_port: {their_port}\nbmp_daemon_max_peers: 4\n\
         bmp_daemon_msglog_file: {}\nbmp_daemon_msglog_output: json\n",
        log.display()
    );
    std::fs::write(dir.path().join("pmbmpd.conf"), config).unwrap();
    let mut command = Command::new(pmbmpd);
    let _pmbmpd = Peer::start(command.arg("-f").arg(dir.path().join("pmbmpd.conf")), &dir.path().join("pmbmpd.log"));
    let end = Instant::now() + PATIENCE;
    // it takes one peer for each connection: this one says nothing and goes
    while TcpStream::connect(("127.0.0.1", their_port)).is_err() {
        assert!(Instant::now() < end, "pmbmpd: {}", std::fs::read_to_string(dir.path().join("pmbmpd.log")).unwrap_or_default());
        tokio::time::sleep(core::time::Duration::from_millis(100)).await;
    }

    let tee = tee([our_port, their_port]);
    let bmp = format!(
        " bmp targets noc\n  bmp connect 127.0.0.1 port {tee} min-retry 500 max-retry 2000\n  bmp stats interval 1000\n  \
         bmp monitor ipv4 unicast pre-policy\n  bmp monitor ipv4 unicast post-policy\n exit\n"
    );
    let networks: String = NETWORKS.iter().map(|n| format!("  network {n}\n")).collect();
    let _far = bgpd(&frr, &dir.path().join("far"), (65002, far), (65001, near), bgp_port, "", &networks);
    let _near = bgpd(&frr, &dir.path().join("near"), (65001, near), (65002, far), bgp_port, &bmp, "");
    let neighbor = IpAddr::V4(far);
    watch.until("the session", |d| d.sessions.get(&neighbor).is_some_and(|s| s.state == SessionState::Established)).await;
    let end = Instant::now() + PATIENCE;
    loop {
        let (ours, theirs) = (ours(&watch, neighbor), theirs(&log, &far.to_string()));
        if ours.len() == 2 * NETWORKS.len() && ours == theirs {
            break;
        }
        assert!(Instant::now() < end, "ours {ours:#?}\ntheirs {theirs:#?}\n{}", std::fs::read_to_string(&log).unwrap_or_default());
        watch.step().await;
    }
    assert_eq!(watch.r1().malformed, 0, "{:?}", watch.r1().last_malformed);
}
