//! The lines that `config` writes, given to a real bgpd: accepted, shown back as the model says, and undone to the last character.
//!
//! One bgpd without zebra and without a BGP listener that anyone reaches, spoken to over its own vty socket. Needs FRR (Debian: `frr`).

use bgp::{AsPath, Community, Family, Origin, PathAttributes, Prefix};
use config::edit::{self, drain_export, drain_import, local_pref_terms};
use config::{Condition, PolicyEdit, PolicyResult, PrefixEntry, PrefixSet, RouteAction, RouterConfig, Statement, frr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const BGPD: &str = "/usr/lib/frr/bgpd";

const EDGE: &str = "\
hostname edge-router-01
bgp route-map delay-timer 1
router bgp 65001
 bgp router-id 10.0.0.1
 no bgp default ipv4-unicast
 neighbor 172.31.1.1 remote-as 1234
 neighbor 2001:db8:f1::1 remote-as 1234
 address-family ipv4 unicast
  neighbor 172.31.1.1 activate
  neighbor 172.31.1.1 soft-reconfiguration inbound
  neighbor 172.31.1.1 route-map ISPA-IN in
  neighbor 172.31.1.1 route-map ISPA-OUT out
  neighbor 172.31.1.1 maximum-prefix 1000 80 restart 1
 exit-address-family
 address-family ipv6 unicast
  neighbor 2001:db8:f1::1 activate
  neighbor 2001:db8:f1::1 route-map ISPA-IN6 in
 exit-address-family
exit
ip prefix-list BOGONS seq 5 permit 10.0.0.0/8 le 32
ip prefix-list BOGONS seq 10 deny 192.0.2.0/24 ge 25 le 30
ip prefix-list TOO-LONG seq 5 permit 0.0.0.0/0 ge 25
ip prefix-list OWN seq 5 permit 192.0.2.0/24
ipv6 prefix-list TOO-LONG6 seq 5 permit ::/0 ge 49
ip prefix-list ALL seq 5 permit any
ipv6 prefix-list ALL6 seq 5 permit any
bgp community-list standard EAST seq 5 permit 64500:1
route-map ISPA-IN deny 10
 match ip address prefix-list BOGONS
exit
route-map ISPA-IN deny 20
 match ip address prefix-list TOO-LONG
exit
route-map ISPA-IN permit 100
 description the class that this provider serves best
 match community EAST
 set local-preference 200
 set community 65001:100 additive
exit
route-map ISPA-IN permit 200
 set local-preference 150
 set community 65001:1234 additive
exit
route-map ISPA-OUT permit 10
 match ip address prefix-list OWN
exit
route-map ISPA-IN6 deny 20
 match ipv6 address prefix-list TOO-LONG6
exit
route-map ISPA-IN6 permit 200
 set local-preference 150
exit
";

/// A bgpd that ends with its value.
struct Bgpd {
    process: Child,
    directory: PathBuf,
}

impl Bgpd {
    fn start(name: &str) -> anyhow::Result<Option<Self>> {
        if !Path::new(BGPD).exists() {
            eprintln!("skipped: {BGPD} is not installed");
            return Ok(None);
        }
        let directory = std::env::temp_dir().join(format!("pilothouse-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&directory)?;
        std::fs::write(directory.join("bgpd.conf"), EDGE)?;
        let process = Command::new(BGPD)
            .args(["-Z", "-n", "-S", "-p", "0", "-A", "127.0.0.1", "-P", "0"])
            .arg("-f")
            .arg(directory.join("bgpd.conf"))
            .arg("-i")
            .arg(directory.join("bgpd.pid"))
            .arg("--vty_socket")
            .arg(&directory)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let bgpd = Self { process, directory };
        let deadline = Instant::now() + Duration::from_secs(10);
        while bgpd.running().is_err() {
            anyhow::ensure!(Instant::now() < deadline, "bgpd did not answer on its vty within 10 s");
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(Some(bgpd))
    }

    fn vtysh(&self, commands: &[&str]) -> anyhow::Result<String> {
        let mut vtysh = Command::new("vtysh");
        vtysh.arg("--vty_socket").arg(&self.directory).args(["-d", "bgpd"]);
        for command in commands {
            vtysh.args(["-c", command]);
        }
        let output = vtysh.output()?;
        let text = String::from_utf8(output.stdout)? + &String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(output.status.success(), "vtysh {commands:?}: {text}");
        Ok(text)
    }

    fn running(&self) -> anyhow::Result<String> {
        self.vtysh(&["show running-config"])
    }

    fn configure(&self, lines: &[String]) -> anyhow::Result<()> {
        let commands: Vec<&str> = core::iter::once("configure terminal").chain(lines.iter().map(String::as_str)).collect();
        let text = self.vtysh(&commands)?;
        anyhow::ensure!(!text.contains('%'), "bgpd refused: {text}");
        Ok(())
    }
}

impl Drop for Bgpd {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn p(text: &str) -> Prefix {
    text.parse().unwrap()
}

fn tagged(text: &str) -> PathAttributes {
    PathAttributes { communities: text.split_whitespace().map(|c| c.parse().unwrap()).collect(), ..PathAttributes::default() }
}

/// A term with every action that is modelled.
fn rich(sequence: u32) -> Statement {
    Statement {
        sequence,
        result: PolicyResult::Accept,
        conditions: vec![Condition::PrefixSet("OWN".to_owned()), Condition::CommunitySet("EAST".to_owned())],
        actions: vec![
            RouteAction::SetLocalPref(0),
            RouteAction::SetMed(u32::MAX),
            RouteAction::SetWeight(7),
            RouteAction::SetOrigin(Origin::Incomplete),
            RouteAction::DeleteCommunities("EAST".to_owned()),
            RouteAction::SetCommunities(vec![Community::NO_EXPORT, Community::new(65001, 7)]),
            RouteAction::Prepend(AsPath::sequence([65001, 65001, 65001])),
            RouteAction::SetNextHop("192.0.2.9".parse().unwrap()),
        ],
    }
    .canonical()
}

fn bare(sequence: u32) -> Statement {
    Statement { sequence, result: PolicyResult::Accept, conditions: Vec::new(), actions: Vec::new() }
}

fn scenarios(config: &RouterConfig) -> Vec<(&'static str, Vec<PolicyEdit>)> {
    let policy = &config.policy;
    let (east, other) = (tagged("64500:1"), tagged(""));
    let routes = [(p("203.0.113.0/24"), &east), (p("198.18.1.0/24"), &other), (p("198.18.0.0/24"), &east)];
    let named = |name: &str| name.to_owned();
    let entry = |sequence, prefix: &str, permit, ge, le| PrefixEntry { sequence, permit, prefix: p(prefix), ge, le };
    let set = |entries| PrefixSet { family: Family::Ipv4Unicast, entries };
    let mut flipped = policy.definitions["ISPA-IN"].statements[1].clone();
    flipped.result = PolicyResult::Accept;
    let replace = |policy: &str, statement| PolicyEdit::ReplaceStatement { policy: policy.to_owned(), statement };
    let delete = |sequence| PolicyEdit::DeleteStatement { policy: named("ISPA-IN"), sequence };
    vec![
        ("local preference", local_pref_terms(policy, "ISPA-IN", &routes, 210, "ISPA-IN").unwrap()),
        ("local preference, IPv6", local_pref_terms(policy, "ISPA-IN6", &[(p("2001:db8:200::/48"), &other)], 210, "ISPA-IN6").unwrap()),
        ("drain, import", drain_import(policy, "ISPA-IN").unwrap()),
        ("drain, export", drain_export(policy, "ISPA-OUT").unwrap()),
        ("every action, and none", vec![replace("ISPA-OUT", rich(10)), replace("ISPA-IN", bare(200))]),
        ("take actions off one by one", vec![replace("ISPA-OUT", rich(10)), replace("ISPA-OUT", bare(10))]),
        ("deny becomes permit", vec![replace("ISPA-IN", flipped)]),
        ("terms go", vec![delete(20), delete(200)]),
        (
            "a list changes in the middle",
            vec![PolicyEdit::PutPrefixSet {
                name: named("BOGONS"),
                set: set(vec![
                    entry(5, "10.0.0.0/8", true, None, Some(24)),
                    entry(7, "0.0.0.0/0", true, Some(30), None),
                    entry(20, "192.0.2.0/24", false, None, None),
                ]),
            }],
        ),
        (
            "entries change places",
            vec![PolicyEdit::PutPrefixSet {
                name: named("BOGONS"),
                set: set(vec![entry(5, "192.0.2.0/24", false, Some(25), Some(30)), entry(10, "10.0.0.0/8", true, None, Some(32))]),
            }],
        ),
        (
            "lists of everything change",
            vec![
                PolicyEdit::PutPrefixSet { name: named("ALL"), set: set(vec![entry(5, "10.0.0.0/8", true, None, None)]) },
                PolicyEdit::DeletePrefixSet { name: named("ALL6") },
            ],
        ),
        ("a session is shut", vec![PolicyEdit::SetNeighborEnabled { neighbor: "172.31.1.1".parse().unwrap(), enabled: false }]),
    ]
}

#[test]
fn bgpd_does_what_the_lines_say_and_undoes_it() -> anyhow::Result<()> {
    let Some(bgpd) = Bgpd::start("configuration")? else { return Ok(()) };
    let text = bgpd.running()?;
    let config = frr::parse(&text);
    assert_eq!(config.policy, frr::parse(EDGE).policy, "bgpd shows what it was given:\n{text}");
    // started with -n: nothing goes to the kernel
    assert_eq!(config.unmodelled.iter().map(|u| u.text.as_str()).collect::<Vec<_>>(), ["bgp no-rib"]);
    for (name, edits) in scenarios(&config) {
        let before = bgpd.running()?;
        let mut expected = config.clone();
        edit::apply(&mut expected, &edits)?;
        bgpd.configure(&frr::lines(&config, &edits)?)?;
        let shown = frr::parse(&bgpd.running()?);
        assert_eq!(shown.policy, expected.policy, "{name}");
        assert_eq!(shown.bgp, expected.bgp, "{name}");
        let undo = edit::inverse(&config, &edits)?;
        bgpd.configure(&frr::lines(&expected, &undo)?)?;
        let restored = bgpd.running()?;
        assert_eq!(frr::parse(&restored), config, "{name}, undone");
        // lists stand in the order in which they were made, and one whose entries all moved was made anew; `any` comes back as its meaning
        if !["entries change places", "lists of everything change"].contains(&name) {
            assert_eq!(restored, before, "{name}, undone to the last character");
        }
    }
    Ok(())
}
