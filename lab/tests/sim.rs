//! The simulated lab as its users hold it: the same handle and the same faults as the lab of namespaces. Needs no root, but for the comparison.

use bgp::{Family, Prefix};
use lab::netns::{self, BestPath, Driver, LabInstance, Options};
use lab::scenario::Scenario;
use lab::sim::{Sim, Tuning};
use lab::topology::Topology;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// A lab that has not done it by then will not.
const SOON: Duration = Duration::from_secs(20);
const FAMILIES: [Family; 2] = [Family::Ipv4Unicast, Family::Ipv6Unicast];

fn start(labs: &Path) -> anyhow::Result<Sim> {
    let options = Options { driver: Driver::Sim, ..Options::under(labs)? };
    Ok(lab::sim::start(&options, Tuning { seed: Some(1), ..Tuning::default() }, &mut |_| {})?)
}

fn until(what: &str, holds: impl Fn() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let begun = Instant::now();
    while !holds()? {
        anyhow::ensure!(begun.elapsed() < SOON, "{what} did not come about");
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

fn exits(lab: &LabInstance) -> anyhow::Result<BTreeMap<Prefix, String>> {
    let mut all = lab.best_exits("r4", FAMILIES[0])?;
    all.extend(lab.best_exits("r4", FAMILIES[1])?);
    Ok(all)
}

/// Lets a fault happen with its defaults, waits for what shows it, takes it back, and waits until all is as before.
fn suffer(lab: &LabInstance, name: &str, parameters: &[(&str, &str)], shows: impl Fn() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let parameters = parameters.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let scenario = Scenario::parse(name, &parameters)?;
    let before = exits(lab)?;
    scenario.apply(lab)?;
    until(name, shows)?;
    scenario.restore(lab)?;
    until("the state of before", || Ok(exits(lab)? == before))
}

#[test]
fn every_fault_of_the_other_lab_shows_and_can_be_undone() -> anyhow::Result<()> {
    let labs = tempfile::tempdir()?;
    let sim = start(labs.path())?;
    let lab = sim.instance();
    let east: Prefix = "198.18.7.0/24".parse()?;
    let ping = || lab.ping("r4", "192.0.2.1".parse()?, "203.0.113.1".parse()?, 200).map_err(anyhow::Error::from);
    let usual = ping()?.rtt_ms.unwrap_or_default();
    assert!((8.0..12.0).contains(&usual), "{usual} ms there and back");
    suffer(lab, "degrade", &[("delay", "30")], || Ok(ping()?.rtt_ms.is_some_and(|r| r > usual + 55.0)))?;
    suffer(lab, "degrade", &[("delay", "0"), ("loss", "20"), ("direction", "out")], || {
        let p = ping()?;
        Ok((120..190).contains(&p.received))
    })?;
    suffer(lab, "fill", &[("mbit", "150")], || Ok(ping()?.received < 180))?;
    suffer(lab, "cut-silent", &[], || Ok(ping()?.received == 0 && exits(lab)?[&east] == "r1-ispa"))?;
    suffer(lab, "cut", &[], || Ok(exits(lab)?[&east] != "r1-ispa"))?;
    suffer(lab, "flap", &[("times", "1")], || {
        let neighbors = lab.show("r1", "show bgp neighbors json")?;
        Ok(neighbors["172.31.1.1"]["lastResetDueTo"] == "BGP Notification received")
    })
}

#[test]
fn labs_stand_beside_each_other_and_leave_nothing_behind() -> anyhow::Result<()> {
    let labs = tempfile::tempdir()?;
    let (a, b) = (start(labs.path())?, start(labs.path())?);
    for sim in [&a, &b] {
        let lab = sim.instance();
        assert_eq!(lab.secrets()?.len(), 5);
        assert_eq!(netns::status(&lab.dir)?.dead, Vec::<String>::new());
        let addresses = lab.inventory.devices.iter().filter_map(|d| Some((d.gnmi.as_ref()?, d.netconf.as_ref()?)));
        assert_eq!(addresses.count(), 5);
    }
    // what happens to one does not happen to the other
    Scenario::parse("cut", &BTreeMap::new())?.apply(a.instance())?;
    let east: Prefix = "198.18.7.0/24".parse()?;
    until("another exit", || Ok(exits(a.instance())?[&east] != "r1-ispa"))?;
    assert_eq!(exits(b.instance())?[&east], "r1-ispa");
    let run_dirs = [&a, &b].map(|s| s.instance().run_dir.clone());
    drop((a, b));
    assert!(run_dirs.iter().all(|d| !d.exists()) && std::fs::read_dir(labs.path())?.next().is_none());
    Ok(())
}

#[test]
fn a_lab_whose_process_died_is_told_dead_and_can_be_removed() -> anyhow::Result<()> {
    let labs = tempfile::tempdir()?;
    let sim = start(labs.path())?;
    let lab = sim.instance().clone();
    // as after a kill: what it wrote is there, nobody answers
    let (kept, run_dir) = (tempfile::tempdir()?, lab.run_dir.clone());
    std::fs::copy(lab.dir.join("lab.json"), kept.path().join("lab.json"))?;
    drop(sim);
    std::fs::create_dir(&run_dir)?;
    let dead = LabInstance { dir: kept.path().join("dead"), ..lab };
    std::fs::create_dir(&dead.dir)?;
    std::fs::write(dead.dir.join("lab.json"), serde_json::to_vec(&dead)?)?;
    assert_eq!(netns::status(&dead.dir)?.dead.len(), 1);
    assert!(dead.best_exits("r4", FAMILIES[0]).is_err());
    netns::down(&dead.dir)?;
    assert!(!run_dir.exists() && !dead.dir.exists());
    Ok(())
}

/// The best path of every prefix on every router of ours.
fn tables(lab: &LabInstance) -> anyhow::Result<BTreeMap<(String, Prefix), BestPath>> {
    let mut all = BTreeMap::new();
    for node in lab.topology.own_nodes() {
        for family in FAMILIES {
            all.extend(lab.best_paths(&node.id, family)?.into_iter().map(|(p, best)| ((node.id.clone(), p), best)));
        }
    }
    Ok(all)
}

/// FRR, BIRD and GoBGP are the measure: the simulated routers must have chosen what they chose, before a fault and after it.
#[test]
fn the_tables_are_those_of_real_routers() -> anyhow::Result<()> {
    let missing = netns::requirements();
    if !missing.is_empty() {
        println!("skipped: {}", missing.iter().map(|m| m.what.as_str()).collect::<Vec<_>>().join(", "));
        return Ok(());
    }
    let labs = tempfile::tempdir()?;
    let sim = start(labs.path())?;
    let real = netns::up(&Options { faces: false, traffic: false, ..Options::under(labs.path())? }, &mut |_| {})?;
    let compare = || {
        until("equal tables", || Ok(tables(sim.instance())? == tables(&real)?)).or_else(|_| {
            let (a, b) = (tables(sim.instance())?, tables(&real)?);
            let differs: Vec<_> =
                b.iter().filter(|(k, v)| a.get(k) != Some(v)).map(|(k, v)| format!("{k:?}: {v:?} {:?}", a.get(k))).collect();
            anyhow::bail!("{} of {} differ: {:#?}", differs.len(), b.len(), &differs[..differs.len().min(8)])
        })
    };
    let played = (|| {
        compare()?;
        for (name, parameter) in [("cut", ("exit", "r1-ispa")), ("cut", ("exit", "r2-ispc")), ("cut", ("link", "r1-r4"))] {
            let scenario = Scenario::parse(name, &[(parameter.0.to_owned(), parameter.1.to_owned())].into())?;
            for lab in [sim.instance(), &real] {
                scenario.apply(lab)?;
            }
            compare().map_err(|e| e.context(format!("{name} {parameter:?}")))?;
        }
        Ok(())
    })();
    netns::down(&real.dir)?;
    played
}

/// In `seed-plus` two paths by one neighbour AS differ in nothing before MED: the edge with its own session takes the other's path.
#[test]
fn med_is_compared_between_two_sessions_to_one_provider_as() -> anyhow::Result<()> {
    let labs = tempfile::tempdir()?;
    let plus = |driver| -> anyhow::Result<Options> {
        Ok(Options {
            driver,
            topology: Topology::seed_plus()?,
            faces: driver == Driver::Sim,
            traffic: false,
            ..Options::under(labs.path())?
        })
    };
    let sim = lab::sim::start(&plus(Driver::Sim)?, Tuning { seed: Some(1), ..Tuning::default() }, &mut |_| {})?;
    let east: Prefix = "198.18.7.0/24".parse()?;
    let by_r1 = |lab: &LabInstance| {
        let t = tables(lab)?;
        let best = t.get(&("r2".to_owned(), east)).ok_or_else(|| anyhow::anyhow!("r2 does not know {east}"))?;
        Ok(best.next_hop == "10.0.0.1".parse::<std::net::IpAddr>()?)
    };
    until("r2 takes the path with the lower MED, by r1", || by_r1(sim.instance()))?;
    let missing = netns::requirements();
    if !missing.is_empty() {
        println!("skipped: {}", missing.iter().map(|m| m.what.as_str()).collect::<Vec<_>>().join(", "));
        return Ok(());
    }
    let real = netns::up(&plus(Driver::Netns)?, &mut |_| {})?;
    let same = until("the tables of real routers", || Ok(tables(sim.instance())? == tables(&real)?)).and_then(|()| by_r1(&real));
    netns::down(&real.dir)?;
    anyhow::ensure!(same?, "on real routers, r2 does not go by r1");
    Ok(())
}
