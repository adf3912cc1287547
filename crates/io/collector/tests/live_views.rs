//! BMP of FRR and GoBGP beyond one IPv4 session: IPv6, several paths to a prefix (RFC 7911), Loc-RIB. What stands in our tables is what the
//! sender's own show commands say.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

mod peer;

use bmp::View;
use core::net::IpAddr;
use network::{Freshness, Network};
use peer::{Peer, Watch, alone, have, listen, program, said};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

const LOOPBACK: &str = "127.0.0.1";
/// Both routers are neighbours of `FAR`, which has the routes; one is FRR, the other GoBGP.
const FRR: (u32, &str, &str) = (65_001, "10.0.0.1", "fd00::1");
const FAR: (u32, &str, &str) = (65_002, "10.0.0.2", "fd00::2");
const GOBGP: (u32, &str, &str) = (65_003, "10.0.0.3", "fd00::3");

/// What FRR's policy refuses.
const REFUSED: &str = "203.0.113.0/24";

/// Prefix, next hop, MED.
type Paths = BTreeSet<(String, String, Option<u64>)>;

fn frr(bmp_port: u16) -> String {
    let (asn, four, six) = FRR;
    let mut text = format!(
        "ip prefix-list NO seq 5 permit 203.0.113.0/24\nroute-map IN deny 10\n match ip address prefix-list NO\nroute-map IN permit 20\n\
         route-map ANY permit 10\nrouter bgp {asn}\n bgp router-id {four}\n no bgp default ipv4-unicast\n bmp targets noc\n  \
         bmp connect {LOOPBACK} port {bmp_port} min-retry 100 max-retry 1000\n  bmp stats interval 1000\n"
    );
    for family in ["ipv4", "ipv6"] {
        for policy in ["pre-policy", "post-policy"] {
            text += &format!("  bmp monitor {family} unicast {policy}\n");
        }
    }
    text += " exit\n";
    for (own, far) in [(four, FAR.1), (six, FAR.2)] {
        text += &format!(
            " neighbor {far} remote-as {}\n neighbor {far} disable-connected-check\n neighbor {far} update-source {own}\n \
             neighbor {far} timers connect 1\n",
            FAR.0
        );
    }
    for (family, far) in [("ipv4", FAR.1), ("ipv6", FAR.2)] {
        text += &format!(
            " address-family {family} unicast\n  neighbor {far} activate\n  neighbor {far} soft-reconfiguration inbound\n  \
             neighbor {far} route-map IN in\n  neighbor {far} route-map ANY out\n exit-address-family\n"
        );
    }
    text
}

fn gobgp(own: (u32, &str, &str), neighbors: &[(u32, &str, &str)], bmp_port: Option<u16>) -> String {
    let (asn, four, six) = own;
    let mut text =
        format!("[global.config]\nas = {asn}\nrouter-id = \"{four}\"\nport = 179\nlocal-address-list = [\"{four}\", \"{six}\"]\n");
    for (peer_as, peer_four, peer_six) in neighbors {
        for (family, own, peer) in [("ipv4", four, peer_four), ("ipv6", six, peer_six)] {
            text += &format!(
                "[[neighbors]]\n[neighbors.config]\nneighbor-address = \"{peer}\"\npeer-as = {peer_as}\n[neighbors.transport.config]\n\
                 local-address = \"{own}\"\n[neighbors.ebgp-multihop.config]\nenabled = true\nmultihop-ttl = 4\n\
                 [neighbors.timers.config]\nconnect-retry = 1\n[[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\n\
                 afi-safi-name = \"{family}-unicast\"\n[neighbors.afi-safis.add-paths.config]\nreceive = true\nsend-max = 4\n"
            );
        }
    }
    if let Some(port) = bmp_port {
        text += &format!(
            "[[bmp-servers]]\n[bmp-servers.config]\naddress = \"{LOOPBACK}\"\nport = {port}\nroute-monitoring-policy = \"all\"\n\
             statistics-timeout = 15\n"
        );
    }
    text
}

/// A GoBGP that runs.
struct GoBgp {
    cli: PathBuf,
    api: u16,
    _runs: Peer,
}

impl GoBgp {
    fn start(daemon: &Path, cli: &Path, dir: &Path, api: u16, config: &str) -> Self {
        let file = dir.join(format!("{api}.toml"));
        std::fs::write(&file, config).unwrap();
        let mut command = Command::new(daemon);
        command.arg("-f").arg(file).args(["--api-hosts", &format!("{LOOPBACK}:{api}")]);
        Self { cli: cli.to_owned(), api, _runs: Peer::start(&mut command, &dir.join(format!("{api}.log"))) }
    }

    fn say(&self, line: &str) -> String {
        said(Command::new(&self.cli).args(["-u", LOOPBACK, "-p", &self.api.to_string()]).args(line.split(' ')))
    }

    /// What a show command lists; of `global rib` the best path of each prefix.
    fn paths(&self, line: &str, best_only: bool) -> Paths {
        let text = self.say(&format!("{line} -j"));
        // it prints nothing where there is nothing
        let all: Value = serde_json::from_str(&text).unwrap_or_default();
        let mut out = Paths::new();
        for (prefix, paths) in all.as_object().into_iter().flatten() {
            for path in paths.as_array().unwrap().iter().filter(|p| !best_only || p["best"] == true) {
                let attribute = |kind: u64| path["attrs"].as_array().unwrap().iter().find(|a| a["type"] == kind);
                let hop = attribute(3).or_else(|| attribute(14)).unwrap()["nexthop"].as_str().unwrap().to_owned();
                out.insert((prefix.clone(), hop, attribute(4).and_then(|a| a["metric"].as_u64())));
            }
        }
        out
    }
}

/// What FRR shows.
fn frr_says(vtysh: &Path, dir: &Path, line: &str) -> Value {
    serde_json::from_str(&said(Command::new(vtysh).arg("--vty_socket").arg(dir).args(["-d", "bgpd", "-c", line]))).unwrap()
}

fn keys(map: &Value) -> BTreeSet<String> {
    map.as_object().into_iter().flatten().map(|(k, _)| k.clone()).collect()
}

fn table(network: &Network, neighbor: &str, view: View) -> Paths {
    let table = network.adj_rib(&"r1".into(), neighbor.parse().unwrap(), view);
    let paths = table.all_paths().map(|r| {
        let attributes = r.attributes().path;
        (r.prefix().to_string(), attributes.next_hop.unwrap().to_string(), attributes.med.map(u64::from))
    });
    paths.collect()
}

fn prefixes(paths: &Paths) -> BTreeSet<String> {
    paths.iter().map(|p| p.0.clone()).collect()
}

fn named(watch: &Watch, repair: &str) -> bool {
    watch.r1().repairs.contains_key(repair)
}

#[tokio::test]
async fn several_paths_six_and_loc_rib_are_what_the_senders_show() {
    let programs = (program("bgpd"), program("vtysh"), program("gobgpd"), program("gobgp"));
    let (Some(bgpd), Some(vtysh), Some(gobgpd), Some(cli)) = programs else { return };
    if !alone("several_paths_six_and_loc_rib_are_what_the_senders_show") {
        return;
    }
    have(&[FRR, FAR, GOBGP].map(|r| format!("{}/32", r.1)).each_ref().map(String::as_str));
    have(&[FRR, FAR, GOBGP].map(|r| format!("{}/128", r.2)).each_ref().map(String::as_str));
    let dir = tempfile::tempdir().unwrap();
    let sender: IpAddr = LOOPBACK.parse().unwrap();
    let (frr_port, mut from_frr) = listen(FRR.0, "127.0.0.1:0", sender).await;
    let (gobgp_port, mut from_gobgp) = listen(GOBGP.0, "127.0.0.1:0", sender).await;
    std::fs::write(dir.path().join("bgpd.conf"), frr(frr_port)).unwrap();
    let mut command = Command::new(bgpd);
    command.args(["-Z", "-n", "-S", "-M", "bmp", "-A", LOOPBACK, "-P", "0", "-l", FRR.1, "-l", FRR.2, "-f"]);
    command.arg(dir.path().join("bgpd.conf")).arg("-i").arg(dir.path().join("pid")).arg("--vty_socket").arg(dir.path());
    let _frr = Peer::start(&mut command, &dir.path().join("log"));
    let far = GoBgp::start(&gobgpd, &cli, dir.path(), 50_051, &gobgp(FAR, &[FRR, GOBGP], None));
    let near = GoBgp::start(&gobgpd, &cli, dir.path(), 50_052, &gobgp(GOBGP, &[FAR], Some(gobgp_port)));

    for watch in [&mut from_frr, &mut from_gobgp] {
        let up = |d: &network::Device| [FAR.1, FAR.2].iter().all(|a| d.bmp_session.peers.iter().any(|(k, _)| k.address.to_string() == *a));
        watch.until("both sessions", up).await;
    }
    for route in [
        "192.0.2.0/24 identifier 1 nexthop 10.99.0.1 med 5",
        "192.0.2.0/24 identifier 2 nexthop 10.99.0.2",
        // read with an identifier that is not there, it would be the default route
        "198.51.100.0/25 nexthop 10.99.0.1",
        "203.0.113.0/24 nexthop 10.99.0.1",
        "-a ipv6 2001:db8:1::/48 identifier 1 nexthop fd00:99::1",
        "-a ipv6 2001:db8:1::/48 identifier 2 nexthop fd00:99::2",
    ] {
        far.say(&format!("global rib add {route} origin igp"));
    }

    // GoBGP numbers the paths before policy, and leaves the numbers out behind it
    let pre = |n: &Network| [FAR.1, FAR.2].map(|a| table(n, a, View::AdjRibInPre));
    let (four, six) = (format!("neighbor {} adj-in", FAR.1), format!("neighbor {} adj-in", FAR.2));
    from_gobgp.until_all("four paths and two", |n| pre(n).map(|p| p.len()) == [4, 2]).await;
    assert_eq!(pre(&from_gobgp.network), [near.paths(&four, false), near.paths(&six, false)]);
    let post = |n: &Network| [FAR.1, FAR.2].map(|a| prefixes(&table(n, a, View::AdjRibInPost)));
    from_gobgp.until_all("the same behind policy", |n| post(n) == pre(n).map(|p| prefixes(&p))).await;
    assert!(named(&from_gobgp, "add_path_missing"), "{:?}", from_gobgp.r1().repairs);
    let own = |n: &Network| table(n, "0.0.0.0", View::LocRib);
    let best = || near.paths("global rib", true).union(&near.paths("global rib -a ipv6", true)).cloned().collect::<Paths>();
    from_gobgp.until_all("the Loc-RIB", |n| prefixes(&own(n)).len() == 4 && own(n) == best()).await;

    // FRR leaves the numbers out in both views: of two paths the last is known, and nothing is invented
    let says = |line: &str| frr_says(&vtysh, dir.path(), line);
    let received =
        |a: &str, family: &str| keys(&says(&format!("show bgp {family} unicast neighbors {a} received-routes json"))["receivedRoutes"]);
    let chosen = |family: &str| says(&format!("show bgp {family} unicast json"))["routes"].clone();
    // 8.4.4 tells a route that the policy refuses as withdrawn before policy too (seen)
    from_frr.until_all("two prefixes and one", |n| pre(n).map(|p| prefixes(&p).len()) == [2, 1]).await;
    let [mut four_received, six_received] = [received(FAR.1, "ipv4"), received(FAR.2, "ipv6")];
    assert!(four_received.remove(REFUSED), "{four_received:?}");
    assert_eq!(pre(&from_frr.network).map(|p| prefixes(&p)), [four_received, six_received]);
    from_frr.until_all("two behind the policy", |n| post(n).map(|p| p.len()) == [2, 1]).await;
    for (shown, ours) in ["ipv4", "ipv6"].map(chosen).iter().zip([FAR.1, FAR.2].map(|a| table(&from_frr.network, a, View::AdjRibInPost))) {
        assert_eq!(prefixes(&ours), keys(shown));
        for (prefix, hop, _) in &ours {
            let hops: Vec<&str> = shown[prefix].as_array().unwrap().iter().filter_map(|p| p["nexthops"][0]["ip"].as_str()).collect();
            assert!(hops.contains(&hop.as_str()), "{prefix} via {hop}: {hops:?}");
        }
    }
    assert!(named(&from_frr, "add_path_missing") && named(&from_frr, "frr_own_as_in_front"), "{:?}", from_frr.r1().repairs);

    // one of two paths goes, then a whole prefix
    far.say("global rib del 192.0.2.0/24 identifier 2");
    far.say("global rib del -a ipv6 2001:db8:1::/48 identifier 1");
    far.say("global rib del -a ipv6 2001:db8:1::/48 identifier 2");
    from_gobgp.until_all("the withdrawals", |n| pre(n).map(|p| p.len()) == [3, 0] && own(n) == best()).await;
    assert_eq!(pre(&from_gobgp.network), [near.paths(&four, false), near.paths(&six, false)]);
    assert_eq!(prefixes(&own(&from_gobgp.network)).len(), 3);
    let left =
        |n: &Network| table(n, FAR.1, View::AdjRibInPre).into_iter().filter(|p| p.0 == "192.0.2.0/24").map(|p| p.1).collect::<Vec<_>>();
    from_frr.until_all("the path that is left", |n| left(n) == ["10.99.0.1"]).await;

    for watch in [&mut from_frr, &mut from_gobgp] {
        watch.until("the end of the dump", |d| matches!(d.bmp, Freshness::Synced { .. })).await;
        let device = watch.r1();
        assert_eq!(device.malformed, 0, "{:?}", device.last_malformed);
    }
}
