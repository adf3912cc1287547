//! What must survive a crash, a full disk and a hand in the file.

use super::*;
use audit::{Checkpoint, Flaw, Record};
use std::io::BufRead;
use std::process::{Command, Stdio};

/// Set in the child that a parent kills.
const CHILD: &str = "PILOTHOUSE_STORE_CHILD";

/// Not a test of its own: the writer that is killed. It says on stdout which record is acknowledged.
#[test]
fn child_that_writes_until_it_is_killed() {
    let Ok(folder) = std::env::var(CHILD) else { return };
    let store = Store::open(Path::new(&folder)).unwrap();
    let mut chain = store.resume().unwrap().audit;
    loop {
        let record = chain.append(entry(1));
        store.append_audit(&record).unwrap();
        println!("acknowledged {}", record.seq);
    }
}

fn kill_after(folder: &Path, lines: usize) -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tests::faults::child_that_writes_until_it_is_killed", "--nocapture"])
        .env(CHILD, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let out = std::io::BufReader::new(child.stdout.take().unwrap());
    let acknowledged = out.lines().map_while(Result::ok).filter_map(|l| l.split("acknowledged ").nth(1)?.trim().parse().ok());
    let last = acknowledged.take(lines).last().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    last
}

#[test]
fn a_killed_writer_loses_no_acknowledged_record_and_its_lock_dies_with_it() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..12 {
        let acknowledged = kill_after(dir.path(), 1 + round * 5);
        let records = read_audit(dir.path()).unwrap();
        audit::verify(&records, None).unwrap();
        assert!(records.last().unwrap().seq >= acknowledged, "round {round}");
        let store = Store::open(dir.path()).unwrap();
        assert_eq!(store.resume().unwrap().audit.checkpoint().count, records.len() as u64);
    }
}

/// A folder with five records; returns the checkpoint that an operator noted.
fn five() -> (tempfile::TempDir, Checkpoint) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let mut chain = Chain::default();
    for n in 0..5 {
        store.append_audit(&chain.append(entry(n))).unwrap();
    }
    (dir, chain.checkpoint())
}

fn tamper(dir: &Path, sql: &str) {
    Connection::open(dir.join("ledger.db")).unwrap().execute_batch(sql).unwrap();
}

#[test]
fn every_way_of_tampering_names_the_first_bad_record() {
    type Tampering = (&'static str, &'static str, u64, fn(&Flaw) -> bool);
    let edited: &[Tampering] = &[
        ("a body", "UPDATE audit SET body = replace(body, '0.1', '0.2') WHERE seq = 3", 3, |f| matches!(f, Flaw::Edited)),
        ("a time", "UPDATE audit SET at_ns = at_ns + 1 WHERE seq = 2", 2, |f| matches!(f, Flaw::Edited)),
        ("an operator", "UPDATE audit SET operator = 'uid:1 eve' WHERE seq = 1", 1, |f| matches!(f, Flaw::Edited)),
        ("a deleted row", "DELETE FROM audit WHERE seq = 2", 2, |f| matches!(f, Flaw::OutOfOrder { found: 3 })),
        (
            "two rows that changed places",
            "UPDATE audit SET seq = 100 WHERE seq = 2; UPDATE audit SET seq = 2 WHERE seq = 3; UPDATE audit SET seq = 3 WHERE seq = 100",
            2,
            |f| matches!(f, Flaw::NotLinked),
        ),
        ("a cut tail", "DELETE FROM audit WHERE seq > 3", 4, |f| matches!(f, Flaw::TailCut { known: 5 })),
    ];
    for (what, sql, seq, flaw) in edited {
        let (dir, noted) = five();
        tamper(dir.path(), sql);
        let broken = audit::verify(read_audit(dir.path()).unwrap(), Some(&noted)).unwrap_err();
        assert!(broken.seq == *seq && flaw(&broken.flaw), "{what}: {broken}");
    }
}

#[test]
fn a_recomputed_chain_is_found_by_a_checkpoint_kept_elsewhere() {
    let (dir, noted) = five();
    let mut chain = Chain::default();
    let forged: Vec<Record> = (10..15).map(|n| chain.append(entry(n))).collect();
    tamper(dir.path(), "DELETE FROM audit");
    let store = Store::open(dir.path()).unwrap();
    forged.iter().for_each(|r| store.append_audit(r).unwrap());
    let records = read_audit(dir.path()).unwrap();
    audit::verify(&records, None).expect("alone, the forgery holds");
    assert_eq!(audit::verify(&records, Some(&noted)).unwrap_err().flaw, Flaw::Recomputed);
}

#[test]
fn a_record_is_never_written_over_another() {
    let (dir, _) = five();
    let store = Store::open(dir.path()).unwrap();
    let again = Chain::default().append(entry(77));
    assert!(matches!(store.append_audit(&again), Err(StoreError::Database { .. })));
    audit::verify(read_audit(dir.path()).unwrap(), None).unwrap();
}

#[test]
fn a_full_disk_refuses_the_write_keeps_what_is_there_and_heals() {
    let (dir, _) = five();
    let store = Store::open(dir.path()).unwrap();
    let mut chain = store.resume().unwrap().audit;
    let pages: u32 = store.ledger.pragma_query_value(None, "page_count", |r| r.get(0)).unwrap();
    store.ledger.pragma_update(None, "max_page_count", pages).unwrap();
    let big = |n| Entry { body: serde_json::json!({ "text": "x".repeat(100_000), "n": n }), ..entry(1) };
    let error = store.append_audit(&chain.clone().append(big(1))).unwrap_err();
    let StoreError::Database { source, .. } = &error else { panic!("{error}") };
    assert_eq!(source.sqlite_error_code(), Some(rusqlite::ErrorCode::DiskFull));
    assert_eq!(read_audit(dir.path()).unwrap().len(), 5);

    store.ledger.pragma_update(None, "max_page_count", 1_000_000).unwrap();
    store.append_audit(&chain.append(big(2))).unwrap();
    audit::verify(read_audit(dir.path()).unwrap(), None).unwrap();
}

#[test]
fn a_damaged_ledger_is_refused_or_its_chain_breaks() {
    // integrity_check sees few flipped bits; the chain sees every one in a record
    let (dir, noted) = five();
    tamper(dir.path(), "PRAGMA wal_checkpoint(TRUNCATE)");
    let path = dir.path().join("ledger.db");
    let bytes = std::fs::read(&path).unwrap();
    let record = bytes.windows(7).position(|w| w == b"\"ratio\"").unwrap();
    for (at, what) in [(record + 1, "a record"), (16, "the page size"), (0, "the magic")] {
        let mut bad = bytes.clone();
        bad[at] ^= 0x04;
        std::fs::write(&path, &bad).unwrap();
        let seen = read_audit(dir.path()).map(|r| audit::verify(r, Some(&noted)));
        assert!(!matches!(seen, Ok(Ok(_))), "{what}: {seen:?}");
    }
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    assert!(!matches!(read_audit(dir.path()).map(|r| audit::verify(r, Some(&noted))), Ok(Ok(_))));
}

#[test]
fn a_migration_that_fails_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let first = "CREATE TABLE a (x INTEGER) STRICT;";
    drop(migrate::open(dir.path(), "x.db", "FULL", &[first]).unwrap());
    let half = "CREATE TABLE b (x INTEGER) STRICT; CREATE TABLE a (x INTEGER) STRICT;";
    assert!(matches!(migrate::open(dir.path(), "x.db", "FULL", &[first, half]), Err(StoreError::Database { doing: "migrating", .. })));
    let db = migrate::open(dir.path(), "x.db", "FULL", &[first]).unwrap();
    let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_schema WHERE name = 'b'", [], |r| r.get(0)).unwrap();
    assert_eq!(tables, 0);
}

#[test]
fn a_ledger_that_another_process_holds_is_given_up_in_time() {
    let (dir, _) = five();
    let store = Store::open(dir.path()).unwrap();
    store.ledger.busy_timeout(Duration::from_millis(50)).unwrap();
    let mut other = Connection::open(dir.path().join("ledger.db")).unwrap();
    let held = other.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).unwrap();
    let mut chain = store.resume().unwrap().audit;
    let record = chain.append(entry(9));
    assert!(store.append_audit(&record).is_err());
    drop(held);
    store.append_audit(&record).unwrap();
}

#[test]
fn a_backup_is_whole_and_opens_as_a_store() {
    let (dir, noted) = five();
    let store = Store::open(dir.path()).unwrap();
    let copy = tempfile::tempdir().unwrap();
    store.backup(&copy.path().join("b")).unwrap();
    assert_eq!(read_audit(&copy.path().join("b")).unwrap().len(), 5);
    assert_eq!(Store::open(&copy.path().join("b")).unwrap().resume().unwrap().audit.checkpoint(), noted);
    assert!(store.backup(&copy.path().join("b")).is_err(), "a backup is never written over another");
}
