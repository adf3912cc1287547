//! FRR's own expectations of its BMP: the goldens of its topotest `bgp_bmp` (FRR @fbfc8222, GPL-2; `../shared/data/frr`, see INDEX.md there)
//! against what we read of a real FRR that runs the topotest's configuration of r1. GoBGP plays r2, as ExaBGP or FRR do there.
//!
//! FRR 8.4 has no `bmp monitor … loc-rib` (9.0 has): the Loc-RIB of the goldens is told by a GoBGP that takes the place of r1; in VPN families it
//! tells no Loc-RIB. What else cannot be the same stands in [`NOT_COMPARED`].

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

mod peer;

use bmp::{Codec, LabelledNlri, Message, Nlri, RouteMonitoring, View};
use core::net::IpAddr;
use core::time::Duration;
use network::{BmpEvent, Observation};
use peer::{Peer, Watch, alone, have, listen, program, said};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

const DATA: &str = "../../../../shared/data/frr";
/// Fields of the goldens that we do not keep: the distinguisher in front of a VPN next hop, which RFC 4364 §4.3.2 sets to zero.
const NOT_COMPARED: [&str; 3] = ["nxhp_rd", "nxhp_rd1", "nxhp_rd2"];
/// Where the topotest's collector listens, and where r1 comes from.
const COLLECTOR: &str = "192.0.2.10:1789";
const R1: (u32, &str, &str) = (65_501, "192.168.0.1", "192:168::1");
const R2: (u32, &str, &str) = (65_502, "192.168.0.2", "192:168::2");
/// The routes of the two steps, as GoBGP takes them. Unicast, then VPN.
const ROUTES: [[&str; 2]; 2] = [
    ["172.31.0.15/32 nexthop 192.168.0.2 origin igp", "-a ipv6 2001::1111/128 nexthop 192:168::2 origin igp"],
    [
        "-a vpnv4 172.31.0.15/32 label 102 rd 444:2 rt 52:100 nexthop 192.168.0.2 origin igp",
        "-a vpnv6 2001::1111/128 label 105 rd 555:2 rt 54:200 nexthop 192:168::2 origin igp",
    ],
];

fn golden(name: &str) -> Value {
    let path = Path::new(DATA).join(name);
    serde_json::from_slice(&std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))).unwrap()
}

/// r1 as the topotest configures it, beside what needs interfaces, links and a newer FRR.
fn frr() -> String {
    let file = std::fs::read_to_string(Path::new(DATA).join("r1__frr.conf")).unwrap();
    let bgp = file.find("router bgp").unwrap();
    let mut text: String = file[bgp..].lines().filter(|l| !l.contains("loc-rib")).flat_map(|l| [l, "\n"]).collect();
    text += "router bgp 65501\n";
    for (own, far) in [(R1.1, R2.1), (R1.2, R2.2)] {
        text +=
            &format!(" neighbor {far} disable-connected-check\n neighbor {far} update-source {own}\n neighbor {far} timers connect 1\n");
    }
    text
}

fn gobgp(own: (u32, &str, &str), far: (u32, &str, &str), bmp: bool) -> String {
    let (asn, four, six) = own;
    let mut text =
        format!("[global.config]\nas = {asn}\nrouter-id = \"{four}\"\nport = 179\nlocal-address-list = [\"{four}\", \"{six}\"]\n");
    for (family, own, peer) in [("ipv4", four, far.1), ("ipv6", six, far.2)] {
        text += &format!(
            "[[neighbors]]\n[neighbors.config]\nneighbor-address = \"{peer}\"\npeer-as = {}\n[neighbors.transport.config]\n\
             local-address = \"{own}\"\n[neighbors.ebgp-multihop.config]\nenabled = true\nmultihop-ttl = 4\n\
             [neighbors.timers.config]\nconnect-retry = 1\n",
            far.0
        );
        for name in [format!("{family}-unicast"), format!("l3vpn-{family}-unicast")] {
            text += &format!("[[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\nafi-safi-name = \"{name}\"\n");
        }
    }
    if bmp {
        text += "[[bmp-servers]]\n[bmp-servers.config]\naddress = \"192.0.2.10\"\nport = 1789\nroute-monitoring-policy = \"local-rib\"\n\
                 statistics-timeout = 15\n";
    }
    text
}

/// What the topotest's collector would log of one message: one object a route.
fn logged(m: &RouteMonitoring) -> Vec<Map<String, Value>> {
    let peer = &m.peer;
    let loc_rib = peer.view == View::LocRib;
    let base = |action: &str, nlri: &Nlri| {
        let mut out = Map::new();
        let mut put = |name: &str, value: Value| drop(out.insert(name.to_owned(), value));
        put("bmp_log_type", action.into());
        put("ip_prefix", nlri.prefix.to_string().into());
        put("peer_asn", peer.asn.0.into());
        put("peer_bgp_id", peer.bgp_id.to_string().into());
        put("peer_distinguisher", peer.distinguisher.to_string().into());
        put("peer_type", if loc_rib { "loc-rib instance" } else { "global instance" }.into());
        let policy = match peer.view {
            View::AdjRibInPre => "pre-policy",
            View::AdjRibInPost => "post-policy",
            View::LocRib => "loc-rib",
            View::AdjRibOutPre | View::AdjRibOutPost => "adj-rib-out",
        };
        put("policy", policy.into());
        if loc_rib {
            // the F flag (RFC 9069 §4.2): none of ours is set by these senders
            put("is_filtered", false.into());
        } else {
            put("peer_ip", peer.address.to_string().into());
            put("ipv6", peer.address.is_ipv6().into());
        }
        if let (Some(path), "update") = (&m.attributes, action) {
            put("as_path", path.as_path.to_string().into());
            put("origin", format!("{:?}", path.origin).to_uppercase().into());
        }
        out
    };
    let unicast = |action: &str, nlri: &Nlri| {
        let mut out = base(action, nlri);
        if nlri.prefix.address().is_ipv6() {
            out.extend([("afi".to_owned(), json!(2)), ("safi".to_owned(), json!(1))]);
        }
        let hop = if nlri.prefix.address().is_ipv6() { "nxhp_ip" } else { "bgp_nexthop" };
        out.extend(nlri.next_hop.map(|h| (hop.to_owned(), h.to_string().into())));
        out
    };
    let labelled = |action: &str, route: &LabelledNlri| {
        let mut out = base(action, &route.nlri);
        out.extend([("afi".to_owned(), json!(route.afi_safi.afi)), ("safi".to_owned(), json!(route.afi_safi.safi))]);
        out.extend(route.nlri.next_hop.map(|h| ("nxhp_ip".to_owned(), h.to_string().into())));
        out.extend(route.distinguisher.as_ref().map(|d| ("rd".to_owned(), d.to_string().into())));
        out.extend(route.labels.first().map(|l| ("label".to_owned(), json!(l))));
        out
    };
    let mut all: Vec<_> = m.announce.iter().map(|n| unicast("update", n)).collect();
    all.extend(m.withdraw.iter().map(|n| unicast("withdraw", n)));
    all.extend(m.labelled.announce.iter().map(|n| labelled("update", n)));
    all.extend(m.labelled.withdraw.iter().map(|n| labelled("withdraw", n)));
    all
}

/// The stream as it comes, read once more beside the picture.
struct Log {
    watch: Watch,
    codec: Codec,
    read: usize,
    lines: Vec<Map<String, Value>>,
}

impl Log {
    fn new(watch: Watch) -> Self {
        Self { watch, codec: Codec::default(), read: 0, lines: Vec::new() }
    }

    async fn step(&mut self) {
        self.watch.step().await;
        for observation in &self.watch.seen[self.read..] {
            match observation {
                Observation::Bmp { event: BmpEvent::Connected, .. } => self.codec = Codec::default(),
                Observation::Bmp { event: BmpEvent::Message { bytes }, .. } => {
                    if let Message::RouteMonitoring(m) = bmp::decode(bytes, &mut self.codec).unwrap() {
                        self.lines.extend(logged(&m));
                    }
                }
                _ => {}
            }
        }
        self.read = self.watch.seen.len();
    }

    /// Waits until every entry of a golden was logged, then looks that nothing else was. Begins anew behind it.
    async fn expect(&mut self, name: &str, policy: &str, action: &str) {
        let wanted = golden(name)[policy][action].as_object().unwrap_or_else(|| panic!("{name} has no {policy} {action}")).clone();
        assert!(!wanted.is_empty());
        let said = |line: &Map<String, Value>| line["policy"] == policy && line["bmp_log_type"] == action;
        let fits = |line: &Map<String, Value>, entry: &Value| {
            let mut fields = entry.as_object().unwrap().iter().filter(|(field, _)| !NOT_COMPARED.contains(&field.as_str()));
            // FRR 8.4.4 writes no label in BMP, in announcements and withdrawals (seen): three bytes of zero
            let no_label = |field: &str| field == "label" && line.get(field) == Some(&json!(0));
            said(line) && fields.all(|(field, value)| line.get(field) == Some(value) || no_label(field))
        };
        let end = Instant::now() + peer::PATIENCE;
        while !wanted.values().all(|entry| self.lines.iter().any(|line| fits(line, entry))) {
            assert!(Instant::now() < end, "{name}: {wanted:#?} is not in {:#?}", self.lines);
            self.step().await;
        }
        let prefixes: BTreeSet<&str> = self.lines.iter().filter(|l| said(l)).filter_map(|l| l["ip_prefix"].as_str()).collect();
        assert_eq!(prefixes, wanted.keys().map(String::as_str).collect(), "{name}");
        for line in self.lines.iter().filter(|l| said(l)) {
            assert!(wanted.values().any(|entry| fits(line, entry)), "{name}: {line:#?}");
        }
        println!("{name}: {} routes as expected", wanted.len());
    }
}

struct Programs {
    bgpd: PathBuf,
    vtysh: PathBuf,
    gobgpd: PathBuf,
    gobgp: PathBuf,
}

impl Programs {
    fn say(&self, line: &str) {
        said(Command::new(&self.gobgp).args(["-p", "50051"]).args(line.split(' ')));
    }

    /// Announces, or withdraws, the routes of a step. A withdrawal names the route and nothing else.
    fn change(&self, step: usize, add: bool) {
        for route in ROUTES[step] {
            let cut = route.split(" rt ").next().unwrap().split(" nexthop ").next().unwrap();
            self.say(&if add { format!("global rib add {route}") } else { format!("global rib del {cut}") });
        }
    }

    fn gobgpd(&self, dir: &Path, api: u16, config: &str) -> Peer {
        let file = dir.join(format!("{api}.toml"));
        std::fs::write(&file, config).unwrap();
        let mut command = Command::new(&self.gobgpd);
        command.arg("-f").arg(file).args(["--api-hosts", &format!("127.0.0.1:{api}")]);
        Peer::start(&mut command, &dir.join(format!("{api}.log")))
    }

    /// What r1 itself shows of a step must be what its golden shows: routes with path, origin and next hop, or none.
    async fn shows(&self, dir: &Path, step: usize, action: &str) {
        for family in ["ipv4", "ipv6"] {
            let name = format!("r1__show-bgp-{family}-{action}-step{}.json", step + 1);
            let (wanted, kind) = (golden(&name), ["unicast", "vpn"][step]);
            let end = Instant::now() + peer::PATIENCE;
            loop {
                let mut command = Command::new(&self.vtysh);
                command.arg("--vty_socket").arg(dir).args(["-d", "bgpd", "-c", &format!("show bgp {family} {kind} json")]);
                let shown: Value = serde_json::from_str(&said(&mut command)).unwrap();
                if shows(&shown["routes"], &wanted["routes"]) {
                    break;
                }
                assert!(Instant::now() < end, "{name}: {wanted:#} is not in {shown:#}");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

/// Says whether FRR shows what a golden wants: lists in order, `null` means absent. Host names and link-local next hops are of the lab.
fn shows(shown: &Value, wanted: &Value) -> bool {
    match wanted {
        Value::Null => shown.is_null(),
        Value::Object(map) if map.get("scope").is_some_and(|s| s == "link-local") => true,
        Value::Object(map) => {
            map.iter().filter(|(k, _)| !matches!(k.as_str(), "hostname" | "used")).all(|(k, v)| shows(&shown[k.as_str()], v))
        }
        Value::Array(list) => list.iter().enumerate().all(|(i, v)| shows(&shown[i], v)),
        scalar => shown == scalar,
    }
}

fn table(log: &Log, neighbor: &str, view: View) -> Vec<String> {
    let table = log.watch.network.adj_rib(&"r1".into(), neighbor.parse().unwrap(), view);
    table.routes().map(|(p, a)| format!("{p} {} {}", a.as_path, a.next_hop.unwrap())).collect()
}

#[tokio::test]
async fn a_router_with_the_topotest_s_configuration_is_read_as_its_goldens_say() {
    if !Path::new(DATA).exists() {
        println!("skipped: no {DATA}: no captures");
        return;
    }
    let found = (program("bgpd"), program("vtysh"), program("gobgpd"), program("gobgp"));
    let (Some(bgpd), Some(vtysh), Some(gobgpd), Some(gobgp_cli)) = found else { return };
    if !alone("a_router_with_the_topotest_s_configuration_is_read_as_its_goldens_say") {
        return;
    }
    have(&["192.0.2.1/32", "192.0.2.10/32", "192.168.0.1/32", "192.168.0.2/32", "192:168::1/128", "192:168::2/128"]);
    let dir = tempfile::tempdir().unwrap();
    let programs = Programs { bgpd, vtysh, gobgpd, gobgp: gobgp_cli };
    // the kernel takes the collector's own address where r1 does not say from where
    let sender: IpAddr = "192.0.2.10".parse().unwrap();
    let (_, watch) = listen(R1.0, COLLECTOR, sender).await;
    let mut log = Log::new(watch);
    let _r2 = programs.gobgpd(dir.path(), 50_051, &gobgp(R2, R1, false));

    std::fs::write(dir.path().join("bgpd.conf"), frr()).unwrap();
    let mut command = Command::new(&programs.bgpd);
    command.args(["-Z", "-n", "-S", "-M", "bmp", "-A", "127.0.0.1", "-P", "0", "-l", R1.1, "-l", R1.2, "-f"]);
    command.arg(dir.path().join("bgpd.conf")).arg("-i").arg(dir.path().join("pid")).arg("--vty_socket").arg(dir.path());
    let mut r1 = Peer::start(&mut command, &dir.path().join("log"));
    let both = |d: &network::Device| {
        let up = d.sessions.values().filter(|s| s.state == network::SessionState::Established);
        up.count() == 2
    };
    log.watch.until("both sessions", both).await;
    let tables = |log: &Log| [View::AdjRibInPre, View::AdjRibInPost].map(|v| [R2.1, R2.2].map(|a| table(log, a, v)));
    for step in [0, 1] {
        for (action, add) in [("update", true), ("withdraw", false)] {
            log.lines.clear();
            programs.change(step, add);
            for policy in ["pre-policy", "post-policy"] {
                log.expect(&format!("bmp1__bmp-{action}-{policy}-step{}.json", step + 1), policy, action).await;
            }
            programs.shows(dir.path(), step, action).await;
            let there = step == 0 && add;
            let wanted = ["172.31.0.15/32 65502 192.168.0.2", "2001::1111/128 65502 192:168::2"];
            let wanted = wanted.map(|w| if there { vec![w.to_owned()] } else { Vec::new() });
            assert_eq!(tables(&log), [wanted.clone(), wanted], "VPN routes are counted and in no table of the global instance");
        }
    }
    assert_eq!(log.watch.r1().malformed, 0, "{:?}", log.watch.r1().last_malformed);
    r1.kill();

    let _r1 = programs.gobgpd(dir.path(), 50_052, &gobgp(R1, R2, true));
    for (action, add) in [("update", true), ("withdraw", false)] {
        if add {
            programs.change(0, true);
        } else {
            log.lines.clear();
            programs.change(0, false);
        }
        log.expect(&format!("bmp1__bmp-{action}-loc-rib-step1.json"), "loc-rib", action).await;
    }
}
