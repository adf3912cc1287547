//! What origin validation goes by reaches the loop as inputs: from a file and from a cache that is not ours, and a replay knows the same.

use bgp::{Asn, RpkiState};
use capture::{Reader, Replay};
use network::{OriginEvent, OriginStanding, Origins};
use pilot::{Event, Happening, Input};
use runtime::{Doors, Engine, VrpSource, VrpsFrom};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

mod beside;
use beside::start_with;

/// A file is read a second after it was written, StayRTR looks at its own every second and retries take five.
const PATIENCE: Duration = Duration::from_secs(40);

fn source(from: VrpsFrom, slurm: Option<PathBuf>) -> Doors {
    Doors { vrps: Some(VrpSource { from, slurm }), ..Doors::default() }
}

/// The file as a whole, so that it is never seen half written.
fn write(path: &Path, text: &str) {
    let next = path.with_extension("next");
    std::fs::write(&next, text).unwrap();
    std::fs::rename(next, path).unwrap();
}

fn now_s() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

fn roa(prefix: &str, asn: u32, expires: i64) -> String {
    format!(r#"{{"prefix":"{prefix}","maxLength":24,"asn":"AS{asn}","ta":"test","expires":{expires}}}"#)
}

fn vrps(roas: &[String]) -> String {
    format!(r#"{{"metadata":{{"buildtime":"2026-01-01T00:00:00Z","generated":{}}},"roas":[{}]}}"#, now_s(), roas.join(","))
}

async fn until(engine: &Engine, what: &str, holds: impl Fn(&Origins) -> bool) -> Origins {
    let begun = Instant::now();
    loop {
        let origins = engine.handle().read(|s| s.network.origins.clone()).await.unwrap();
        if holds(&origins) {
            return origins;
        }
        assert!(begun.elapsed() < PATIENCE, "{what} did not happen: {}", origins.in_words());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn state(origins: &Origins, prefix: &str, asn: u32) -> Option<RpkiState> {
    origins.vrps()?.state(&prefix.parse().unwrap(), Some(Asn(asn)))
}

fn is_known(origins: &Origins) -> bool {
    matches!(origins.standing(), OriginStanding::InForce { .. })
}

/// Stops the engine; its capture replays to the same state, and tells the same of origin validation.
async fn replays_the_same(engine: Engine, mut live: tokio::sync::broadcast::Receiver<Event>) -> Vec<OriginEvent> {
    let capture = engine.capture().to_owned();
    let hash = engine.stop().await.unwrap();
    let about = |e: &Event| matches!(e.what, Happening::OriginValidation { .. });
    let mut told = Vec::new();
    while let Ok(event) = live.try_recv() {
        told.extend(about(&event).then_some(event));
    }
    for _ in 0..2 {
        let mut again = Vec::new();
        let replay = Replay::run(&capture, None, |e| again.extend(about(e).then(|| e.clone()))).unwrap();
        assert_eq!((replay.state_hash(), replay.diverged().len()), (hash.clone(), 0), "{:?}", replay.diverged());
        let line = |e: &Event| serde_json::to_string(e).unwrap();
        // what came before the test listened is told by the replay only
        let (again, told): (Vec<String>, Vec<String>) = (again.iter().map(line).collect(), told.iter().map(line).collect());
        assert!(told.len() > 1 && again.ends_with(&told), "{again:#?}\n{told:#?}");
    }
    let inputs = Reader::<Input>::open(&capture).unwrap().map(|e| e.unwrap().body);
    inputs.filter_map(|i| if let Input::Origins { event } = i { Some(event) } else { None }).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_followed_until_it_expires_and_a_broken_one_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (file, slurm) = (folder.path().join("vrps.json"), folder.path().join("slurm.json"));
    let exceptions = r#"{"slurmVersion":1,"validationOutputFilters":{"prefixFilters":[{"asn":65009}],"bgpsecFilters":[]},
        "locallyAddedAssertions":{"prefixAssertions":[{"asn":65077,"prefix":"203.0.113.0/24"}],"bgpsecAssertions":[]}}"#;
    write(&slurm, exceptions);
    let (late, soon) = (now_s() + 86_400, now_s() + 8);
    write(&file, &vrps(&[roa("192.0.2.0/24", 65001, late), roa("198.51.100.0/24", 65002, soon), roa("10.0.0.0/8", 65009, late)]));
    let engine = start_with(folder.path(), source(VrpsFrom::File(file.clone()), Some(slurm))).await;
    let events = engine.handle().events();
    let first = until(&engine, "the first reading", is_known).await;
    assert_eq!(first.standing(), &OriginStanding::InForce { vrps: 3, expired: 0 }, "one is filtered out, one added");
    let of = |prefix, asn| state(&first, prefix, asn);
    assert_eq!(of("192.0.2.0/24", 65001), Some(RpkiState::Valid));
    assert_eq!(of("203.0.113.0/24", 65001), Some(RpkiState::Invalid), "by the exception");
    assert_eq!(of("10.0.0.0/8", 65001), Some(RpkiState::NotFound), "by the exception");
    // half a file: what is held stays, and the reason is told
    write(&file, "{\"roas\":[");
    let broken = until(&engine, "the refusal", |o| o.failure().is_some()).await;
    assert!(is_known(&broken) && broken.failure().unwrap().contains("vrps.json"), "{:?}", broken.failure());
    // time alone: what expired is not known, and neither valid nor not found
    let aged = until(&engine, "expiry", |o| matches!(o.standing(), OriginStanding::InForce { expired: 1, .. })).await;
    assert_eq!((state(&aged, "198.51.100.0/24", 65002), state(&aged, "192.0.2.0/24", 65001)), (None, Some(RpkiState::Valid)));
    // a newer file ends the failure; only what differs is told
    write(&file, &vrps(&[roa("192.0.2.0/24", 65001, late), roa("198.51.100.0/24", 65002, late)]));
    let fresh = until(&engine, "the next reading", |o| o.failure().is_none()).await;
    assert_eq!(state(&fresh, "198.51.100.0/24", 65002), Some(RpkiState::Valid));
    let inputs = replays_the_same(engine, events).await;
    let told: Vec<_> = inputs
        .iter()
        .filter_map(|i| if let OriginEvent::Told { added, removed, .. } = i { Some((added.len(), removed.len())) } else { None })
        .collect();
    assert_eq!(told, [(3, 0), (1, 0)], "all of it once, then what is new");
}

struct StayRtr {
    dir: tempfile::TempDir,
    address: String,
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/peers/stayrtr.sh")
}

impl StayRtr {
    /// `None`: it is not installed, which is said.
    fn start(text: &str) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        write(&dir.path().join("vrps.json"), text);
        let out = Command::new(script()).arg(dir.path()).arg("start").output().unwrap();
        if out.status.code() == Some(77) {
            println!("{}", String::from_utf8_lossy(&out.stderr).trim());
            return None;
        }
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let said = String::from_utf8_lossy(&out.stdout).into_owned();
        let address = said.lines().find_map(|l| l.strip_prefix("address=")).unwrap().to_owned();
        Some(Self { dir, address })
    }

    fn stop(&self) {
        let _ = Command::new(script()).arg(self.dir.path()).arg("stop").status();
    }
}

impl Drop for StayRtr {
    fn drop(&mut self) {
        self.stop();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_cache_is_followed_and_its_loss_is_told() {
    let late = now_s() + 86_400;
    let two = [roa("192.0.2.0/24", 65001, late), roa("198.51.100.0/24", 65002, late)];
    let Some(peer) = StayRtr::start(&vrps(&two)) else { return };
    let folder = tempfile::tempdir().unwrap();
    let engine = start_with(folder.path(), source(VrpsFrom::Cache(peer.address.clone()), None)).await;
    let events = engine.handle().events();
    let first = until(&engine, "the table", is_known).await;
    assert_eq!((first.source(), first.standing()), (Some(peer.address.as_str()), &OriginStanding::InForce { vrps: 2, expired: 0 }));
    assert!(first.until() > first.told(), "the cache's expire time bounds it");
    write(&peer.dir.path().join("vrps.json"), &vrps(&[two[0].clone(), roa("203.0.113.0/24", 65003, late)]));
    let next = until(&engine, "the new table", |o| state(o, "203.0.113.0/24", 65003) == Some(RpkiState::Valid)).await;
    assert_eq!(state(&next, "198.51.100.0/24", 65002), Some(RpkiState::NotFound), "withdrawn");
    peer.stop();
    let lost = until(&engine, "the loss", |o| o.failure().is_some()).await;
    assert!(is_known(&lost), "what is held holds until it expires");
    let inputs = replays_the_same(engine, events).await;
    let changes: Vec<_> = inputs
        .iter()
        .filter_map(|i| if let OriginEvent::Told { added, removed, .. } = i { Some((added.len(), removed.len())) } else { None })
        .filter(|c| *c != (0, 0))
        .collect();
    assert_eq!(changes, [(2, 0), (1, 1)], "{inputs:?}");
    assert!(matches!(inputs.first(), Some(OriginEvent::Named { .. })) && inputs.iter().any(|i| matches!(i, OriginEvent::Failed { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_that_is_not_there_is_not_known() {
    let folder = tempfile::tempdir().unwrap();
    let engine = start_with(folder.path(), source(VrpsFrom::Cache("127.0.0.1:1".to_owned()), None)).await;
    let origins = until(&engine, "the failure", |o| o.failure().is_some()).await;
    assert_eq!((origins.vrps(), origins.standing()), (None, &OriginStanding::Waiting));
    assert!(origins.failure().unwrap().contains("PH-COLL-050"), "{:?}", origins.failure());
    engine.stop().await.unwrap();
}
