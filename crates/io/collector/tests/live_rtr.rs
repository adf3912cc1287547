//! The RTR client against StayRTR, a cache that is not ours, and against caches that misbehave.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]
#![allow(clippy::print_stdout, reason = "a test that cannot run says so")]

use bgp::{Asn, RpkiState};
use collector::{RtrCache, RtrError};
use core::time::Duration;
use rtr::{ClientError, File, Message, Pdu, Slurm, Timers, Version, Vrp, Vrps};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// StayRTR looks at its file every second and tells its clients at once.
const PATIENCE: Duration = Duration::from_secs(20);

struct StayRtr {
    dir: tempfile::TempDir,
    address: String,
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/peers/stayrtr.sh")
}

impl StayRtr {
    /// `None`: it is not installed, which is said.
    fn start(roas: &str, options: &[&str]) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), roas);
        let mut command = Command::new(script());
        command.arg(dir.path()).arg("start").args(options);
        let out = command.output().unwrap();
        let said = String::from_utf8_lossy(&out.stdout).into_owned();
        if out.status.code() == Some(77) {
            println!("{}", String::from_utf8_lossy(&out.stderr).trim());
            return None;
        }
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let address = said.lines().find_map(|l| l.strip_prefix("address=")).unwrap().to_owned();
        Some(Self { dir, address })
    }
}

impl Drop for StayRtr {
    fn drop(&mut self) {
        let _ = Command::new(script()).arg(self.dir.path()).arg("stop").status();
    }
}

/// The file as a whole, so that it is never seen half written.
fn write(dir: &Path, roas: &str) {
    let next = dir.join("next.json");
    std::fs::write(&next, format!("{{\"metadata\":{{}},\"roas\":[{roas}]}}")).unwrap();
    std::fs::rename(next, dir.join("vrps.json")).unwrap();
}

fn roa(prefix: &str, max_length: u8, asn: u32) -> String {
    format!(r#"{{"prefix":"{prefix}","maxLength":{max_length},"asn":"AS{asn}","ta":"test"}}"#)
}

fn vrp(prefix: &str, max_length: u8, asn: u32) -> Vrp {
    Vrp::new(prefix.parse().unwrap(), max_length, Asn(asn)).unwrap()
}

fn first() -> String {
    [roa("198.51.100.0/24", 24, 65001), roa("192.0.2.0/24", 25, 65002), roa("2001:db8::/32", 48, 65001)].join(",")
}

async fn next(cache: &mut RtrCache) -> BTreeSet<Vrp> {
    tokio::time::timeout(PATIENCE, cache.next()).await.expect("no data in time").unwrap();
    cache.vrps().unwrap().clone()
}

#[tokio::test]
async fn a_foreign_cache_gives_its_table_and_then_what_is_new() {
    let Some(peer) = StayRtr::start(&first(), &[]) else { return };
    let mut cache = RtrCache::new(peer.address.clone());
    assert!(cache.vrps().is_none(), "nothing is known before it has answered");
    let got = next(&mut cache).await;
    assert_eq!(got, BTreeSet::from([vrp("198.51.100.0/24", 24, 65001), vrp("192.0.2.0/24", 25, 65002), vrp("2001:db8::/32", 48, 65001)]));
    assert_eq!(cache.client().version(), Version::V1);
    assert_eq!(cache.client().timers(), Timers { refresh_s: 5, retry_s: 5, expire_s: 600 });
    let serial = cache.client().serial();
    // one goes, one comes; what is new is told by itself and asked for by number
    write(
        peer.dir.path(),
        &[roa("198.51.100.0/24", 24, 65001), roa("192.0.2.0/24", 25, 65002), roa("203.0.113.0/24", 24, 65003)].join(","),
    );
    let got = loop {
        let got = next(&mut cache).await;
        if cache.client().serial() != serial {
            break got;
        }
    };
    assert_eq!(got, BTreeSet::from([vrp("198.51.100.0/24", 24, 65001), vrp("192.0.2.0/24", 25, 65002), vrp("203.0.113.0/24", 24, 65003)]));
    let vrps = Vrps::new(got);
    let state = |p: &str, asn| vrps.state(&p.parse().unwrap(), Some(Asn(asn)));
    assert_eq!(state("192.0.2.128/25", 65002), Some(RpkiState::Valid));
    assert_eq!(state("192.0.2.128/26", 65002), Some(RpkiState::Invalid));
    assert_eq!(state("2001:db8::/48", 65001), Some(RpkiState::NotFound), "withdrawn");
}

#[tokio::test]
async fn a_cache_of_version_0_is_spoken_to_in_version_0() {
    let Some(peer) = StayRtr::start(&first(), &["-protocol", "0"]) else { return };
    let mut cache = RtrCache::new(peer.address.clone());
    assert_eq!(next(&mut cache).await.len(), 3);
    assert_eq!(cache.client().version(), Version::V0);
    assert_eq!(cache.client().timers(), Timers::default(), "version 0 has no timers");
}

/// The same file and the same local exceptions, read by us and by StayRTR.
#[tokio::test]
async fn local_exceptions_are_applied_as_stayrtr_applies_them() {
    let slurm = r#"{"slurmVersion":1,
        "validationOutputFilters":{"prefixFilters":[{"prefix":"192.0.0.0/16"},{"asn":65009},{"prefix":"2001:db8::/32","asn":65001}],"bgpsecFilters":[]},
        "locallyAddedAssertions":{"prefixAssertions":[{"asn":65077,"prefix":"192.0.2.0/24"},{"asn":65078,"prefix":"10.0.0.0/8","maxPrefixLength":16}],
        "bgpsecAssertions":[]}}"#;
    let roas = [
        roa("192.0.2.0/24", 24, 65001),
        roa("192.0.0.0/15", 24, 65001),
        roa("198.51.100.0/24", 24, 65009),
        roa("198.51.100.0/24", 24, 65010),
        roa("2001:db8:1::/48", 48, 65001),
        roa("2001:db8:1::/48", 48, 65002),
    ]
    .join(",");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), slurm).unwrap();
    let Some(peer) = StayRtr::start(&roas, &["-slurm", file.path().to_str().unwrap()]) else { return };
    let theirs = next(&mut RtrCache::new(peer.address.clone())).await;
    let (slurm, read) = (Slurm::read(slurm).unwrap(), File::read(&format!("{{\"roas\":[{roas}]}}")).unwrap());
    let ours: BTreeSet<Vrp> = read.vrps.iter().map(|(v, _)| *v).filter(|v| slurm.keeps(v)).chain(slurm.added().iter().copied()).collect();
    assert_eq!(ours, theirs);
    assert_eq!(ours.len(), 5, "{ours:?}");
}

/// A cache of our own that answers the first query with `bytes`.
async fn answers(bytes: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut query = [0; 8];
            if stream.read_exact(&mut query).await.is_ok() && stream.write_all(&bytes).await.is_ok() {
                let _ = stream.shutdown().await;
            }
        }
    });
    address
}

#[tokio::test]
async fn what_is_no_cache_or_stops_half_way_gives_no_data() {
    let of = |pdu| Message { version: Version::V1, pdu }.encode();
    let error = |bytes| async {
        let mut cache = RtrCache::new(answers(bytes).await);
        let error = tokio::time::timeout(PATIENCE, cache.next()).await.expect("no answer in time").unwrap_err();
        assert!(cache.vrps().is_none());
        error
    };
    assert!(matches!(error(b"SSH-2.0-OpenSSH\r\n".to_vec()).await, RtrError::NotRtr { .. }));
    let half = [of(Pdu::CacheResponse { session: 1 }), of(Pdu::Prefix { announce: true, vrp: vrp("10.0.0.0/8", 8, 1) })].concat();
    assert!(matches!(error(half).await, RtrError::Lost { .. }), "a table without its end is no table");
    let busy = of(Pdu::ErrorReport { code: 2, about: Vec::new(), text: "not ready".to_owned() });
    assert!(matches!(error(busy).await, RtrError::Session { source: ClientError::Reported { code: 2, .. }, .. }));
    let refusing = of(Pdu::ErrorReport { code: 4, about: Vec::new(), text: "neither".to_owned() });
    assert!(matches!(error(refusing).await, RtrError::Session { .. }), "who refuses both versions is not asked for ever");
    let nobody = RtrCache::new("127.0.0.1:1").next().await.unwrap_err();
    assert!(matches!(nobody, RtrError::Connect { .. }));
}
