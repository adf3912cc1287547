use super::*;
use serde_json::json;

fn entry(n: i64) -> Entry {
    let operator = (n % 2 == 0).then(|| "uid:1000 alice".into());
    let body = json!({"n": n, "delay_ms": 8.25, "nested": {"b": [1, null], "a": "ü"}});
    Entry { at: Timestamp::from_millis(n), operator, signature: None, mode: "LAB".into(), kind: "test".into(), body }
}

fn chain(length: i64) -> (Vec<Record>, Checkpoint) {
    let mut chain = Chain::default();
    let records = (1..=length).map(|n| chain.append(entry(n))).collect();
    (records, chain.checkpoint())
}

/// Recomputes every link from `from` on, as somebody with the program at hand would.
fn recompute(records: &mut [Record], from: usize) {
    for i in from..records.len() {
        records[i].prev_hash = if i == 0 { GENESIS } else { records[i - 1].hash };
        records[i].seq = i as u64 + 1;
        records[i].hash = records[i].digest();
    }
}

fn broken(records: &[Record], checkpoint: Checkpoint) -> (u64, Flaw) {
    let b = verify(records, Some(&checkpoint)).unwrap_err();
    (b.seq, b.flaw)
}

#[test]
fn an_untouched_chain_verifies_and_goes_on_after_its_checkpoint() {
    let (mut records, checkpoint) = chain(10);
    assert_eq!(verify(&records, None), Ok(Verified { count: 10, head: checkpoint.head }));
    records.push(Chain::after(checkpoint).append(entry(11)));
    assert_eq!(verify_against(&records, &[checkpoint]).unwrap().count, 11);
    assert_eq!(verify_after(checkpoint, &records[10..]).unwrap().count, 11);
    assert_eq!(verify(Vec::<Record>::new(), None), Ok(Verified { count: 0, head: GENESIS }));
}

#[test]
fn tamper_1_every_edited_field_is_found_at_its_record() {
    let edits: [fn(&mut Record); 8] = [
        |r| r.at = Timestamp::from_millis(99),
        |r| r.operator = Some("uid:0 root".into()),
        |r| r.operator = None,
        |r| r.signature = Some(String::new()),
        |r| r.mode = "LIVE".into(),
        |r| r.kind = "other".into(),
        |r| r.body["n"] = json!(5),
        |r| r.body["nested"]["b"] = json!([null, 1]),
    ];
    for (i, edit) in edits.iter().enumerate() {
        let (mut records, _) = chain(10);
        edit(&mut records[3]);
        assert_eq!(verify(&records, None).unwrap_err(), ChainBreak { seq: 4, flaw: Flaw::Edited }, "edit {i}");
    }
}

#[test]
fn tamper_2_a_deleted_record_is_found() {
    let (mut records, checkpoint) = chain(10);
    records.remove(3);
    assert_eq!(broken(&records, checkpoint), (4, Flaw::OutOfOrder { found: 5 }));
    let (mut records, checkpoint) = chain(10);
    records.remove(3);
    for (i, record) in records.iter_mut().enumerate() {
        record.seq = i as u64 + 1;
    }
    assert_eq!(broken(&records, checkpoint), (4, Flaw::NotLinked));
}

#[test]
fn tamper_3_reordered_and_inserted_records_are_found() {
    let (mut records, checkpoint) = chain(10);
    records.swap(3, 4);
    assert_eq!(broken(&records, checkpoint), (4, Flaw::OutOfOrder { found: 5 }));
    let (mut records, checkpoint) = chain(10);
    records.insert(3, records[3].clone());
    assert_eq!(broken(&records, checkpoint), (5, Flaw::OutOfOrder { found: 4 }));
}

#[test]
fn tamper_4_a_cut_tail_is_consistent_and_only_a_checkpoint_finds_it() {
    let (records, checkpoint) = chain(10);
    assert!(verify(&records[..5], None).is_ok());
    assert_eq!(broken(&records[..5], checkpoint), (6, Flaw::TailCut { known: 10 }));
}

#[test]
fn tamper_5_a_recomputed_chain_is_consistent_and_only_a_checkpoint_finds_it() {
    let (mut records, checkpoint) = chain(10);
    records[3].body = json!("innocent");
    recompute(&mut records, 3);
    assert!(verify(&records, None).is_ok());
    assert_eq!(broken(&records, checkpoint), (10, Flaw::Recomputed));
    assert_eq!(verify_after(checkpoint, &records[10..]).unwrap().count, 10, "a check after the checkpoint cannot see before it");
}

#[test]
fn records_and_checkpoints_survive_their_text() {
    let (records, checkpoint) = chain(3);
    let lines: Vec<String> = records.iter().map(|r| serde_json::to_string(r).unwrap()).collect();
    let read: Vec<Record> = lines.iter().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(verify(&read, None).unwrap().head, checkpoint.head);
    assert_eq!(checkpoint.to_string().parse::<Checkpoint>(), Ok(checkpoint));
    for bad in ["", "pilothouse-ledger 3", "other 3 00", "pilothouse-ledger x 00", "pilothouse-ledger 3 zz"] {
        assert!(bad.parse::<Checkpoint>().is_err(), "{bad}");
    }
}

/// The digest of a fixed record, computed with Python's hashlib from the description at [`Record::digest`]: the encoding may not drift.
#[test]
fn the_encoding_is_the_documented_one() {
    let mut chain = Chain::default();
    let body = json!({"b": 1.5, "a": [true, null, "x\n"]});
    let entry = Entry {
        at: Timestamp::from_nanos(1),
        operator: Some("uid:1000 alice".into()),
        signature: None,
        mode: "LAB".into(),
        kind: "test".into(),
        body,
    };
    let record = chain.append(entry);
    assert_eq!(record.hash.to_string(), "7b6558d42b48729d96427e9f79baf419940681bdead0a0d6e74fc10122622368");
}
