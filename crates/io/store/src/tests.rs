use super::*;
use action::OperatorId;
use audit::{Chain, Entry};
use units::Timestamp;

mod faults;
mod journal;
mod series;

fn entry(n: i64) -> Entry {
    Entry {
        at: Timestamp::from_nanos(n),
        operator: (n % 2 == 0).then(|| OperatorId::new("uid:0 root")),
        signature: None,
        mode: "LAB".into(),
        kind: "test".into(),
        body: serde_json::json!({"n": n, "text": "ä\"'", "ratio": 0.1}),
    }
}

#[test]
fn the_chain_continues_over_a_restart_and_verifies() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..3 {
        let store = Store::open(dir.path()).unwrap();
        let mut chain: Chain = store.resume().unwrap().audit;
        for n in 0..4 {
            store.append_audit(&chain.append(entry(round * 10 + n))).unwrap();
        }
    }
    let records = read_audit(dir.path()).unwrap();
    assert_eq!(records.len(), 12);
    audit::verify(&records, None).unwrap();
}

#[test]
fn a_second_instance_is_told_who_has_the_folder() {
    let dir = tempfile::tempdir().unwrap();
    let first = Store::open(dir.path()).unwrap();
    let error = Store::open(dir.path()).unwrap_err().to_string();
    assert!(error.contains(&format!("pid {}", std::process::id())), "{error}");
    drop(first);
    Store::open(dir.path()).unwrap();
}

#[test]
fn a_newer_database_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    drop(Store::open(dir.path()).unwrap());
    let db = Connection::open(dir.path().join("state.db")).unwrap();
    db.pragma_update(None, "user_version", 99).unwrap();
    drop(db);
    assert!(matches!(Store::open(dir.path()), Err(StoreError::Newer { database: "state.db", found: 99, .. })));
}

#[test]
fn numbers_never_go_back() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    store.mark("seq", 40).unwrap();
    store.mark("seq", 12).unwrap();
    store.mark("proposal", 3).unwrap();
    store.mark("finding", 8).unwrap();
    let resume = store.resume().unwrap();
    assert_eq!((resume.next_seq, resume.proposals, resume.findings), (41, 3, 8));
}

#[test]
fn topics_and_their_readers_go_on_where_they_stood() {
    let dir = tempfile::tempdir().unwrap();
    let place = |next| TopicPlaces { topics: vec![("a".into(), 3), ("b".into(), next)], readers: vec![("r".into(), "b".into(), next)] };
    for next in [7, 9] {
        let mut telemetry = Store::open(dir.path()).unwrap().telemetry().unwrap();
        telemetry.keep_topic_places(&place(next)).unwrap();
    }
    assert_eq!(Store::open(dir.path()).unwrap().telemetry().unwrap().topic_places().unwrap(), place(9));
}

#[test]
fn the_folder_is_locked_as_long_as_its_telemetry_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let telemetry = Store::open(dir.path()).unwrap().telemetry().unwrap();
    assert!(matches!(Store::open(dir.path()), Err(StoreError::Locked { .. })));
    drop(telemetry);
    Store::open(dir.path()).unwrap();
}

#[test]
fn audit_records_are_found_by_their_kind() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let mut chain = Chain::default();
    for (n, kind) in (0..).zip(["a", "b", "a", "c", "b", "a"]) {
        store.append_audit(&chain.append(Entry { kind: kind.into(), ..entry(n) })).unwrap();
    }
    assert_eq!((count_audit(dir.path(), &["a"]).unwrap(), count_audit(dir.path(), &["b", "c", "x"]).unwrap()), (3, 3));
    let found = read_audit_of(dir.path(), &["a", "c"], 1, 2).unwrap();
    assert_eq!(found.iter().map(|r| r.at.nanos()).collect::<Vec<_>>(), [2, 3]);
}

#[test]
fn settings_and_the_audit_chain_are_read_while_an_engine_runs() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    store.append_audit(&Chain::default().append(entry(1))).unwrap();
    assert_eq!(read_audit(dir.path()).unwrap().len(), 1);
    let set = |value: &str, at| StoredSetting { name: "theme".into(), value: value.into(), at, by: at.map(|_| "uid:0 root".into()) };
    assert!(read_settings(&dir.path().join("nothing")).unwrap().is_empty());
    store.set_setting(&set("night", None)).unwrap();
    store.set_setting(&set("day", Some(units::Timestamp::from_nanos(7)))).unwrap();
    assert_eq!((store.setting("theme").unwrap().as_deref(), store.setting("x").unwrap()), (Some("day"), None));
    assert_eq!(read_settings(dir.path()).unwrap(), [set("day", Some(units::Timestamp::from_nanos(7)))]);
    assert_eq!((store.unset_setting("theme").unwrap(), store.unset_setting("theme").unwrap()), (true, false));
    assert!(store.settings().unwrap().is_empty());
    assert!(store.lessons().unwrap().is_empty());
}
