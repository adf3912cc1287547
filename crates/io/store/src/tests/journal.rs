//! The saga journal and the permits.

use super::*;
use action::{ChangeId, DeviceId, ProposalId};
use approval::{Approval, BoundDevice, Permit, PlanBinding, Queue, Submission};
use change::{JournalEntry, Outcome};

fn record(change: u64, index: u32, entry: JournalEntry) -> JournalRecord {
    JournalRecord { change: ChangeId(change), index, at: Timestamp::from_millis(i64::from(index)), entry }
}

fn provisional(digest: &str) -> JournalEntry {
    JournalEntry::Provisional { device: DeviceId::new("r1"), digest: digest.into() }
}

fn finished() -> JournalEntry {
    JournalEntry::Finished { outcome: Outcome::Confirmed }
}

#[test]
fn a_restart_gets_the_changes_without_an_end_in_the_order_they_were_written() {
    let dir = tempfile::tempdir().unwrap();
    let open = [record(2, 0, provisional("a")), record(2, 1, provisional("b")), record(3, 0, provisional("c"))];
    {
        let store = Store::open(dir.path()).unwrap();
        store.journal(&record(1, 0, provisional("x"))).unwrap();
        store.journal(&open[0]).unwrap();
        store.journal(&open[2]).unwrap();
        store.journal(&open[1]).unwrap();
        store.journal(&record(1, 1, finished())).unwrap();
    }
    let resume = Store::open(dir.path()).unwrap().resume().unwrap();
    assert_eq!(resume.open_changes, open);
    assert_eq!(resume.changes, 3);
}

#[test]
fn a_journal_record_is_written_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    store.journal(&record(1, 0, provisional("a"))).unwrap();
    assert!(store.journal(&record(1, 0, provisional("b"))).is_err());
}

#[test]
fn a_journal_row_that_does_not_read_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    store.journal(&record(1, 0, provisional("a"))).unwrap();
    store.ledger.execute("UPDATE journal SET record = '{}'", []).unwrap();
    assert!(matches!(store.resume(), Err(StoreError::BadRow { table: "journal", .. })));
}

fn permit(queue: &mut Queue, change: u64) -> Permit {
    let proposal = ProposalId(change);
    let device = BoundDevice { device: DeviceId::new("r1"), payload_sha256: "00".into(), base_digest: "11".into() };
    let binding = PlanBinding { devices: vec![device], policy_version: 1, twin_seq: change };
    let shown_hash = binding.hash();
    let (action, tier) = (action::ActionType::LocalPrefAdjust, action::AutonomyTier::Tier2Approve);
    queue
        .submit(Submission { proposal, action, tier, target: "r1".into(), binding }, Duration::from_secs(60), Timestamp::from_nanos(0))
        .unwrap();
    let approval =
        Approval { by: OperatorId::new("uid:0 root"), shown_hash, typed_target: None, automatic: false, change: ChangeId(change) };
    queue.approve(proposal, approval, Timestamp::from_nanos(1)).unwrap()
}

#[test]
fn a_permit_is_burnt_once_and_its_number_is_never_made_again() {
    let dir = tempfile::tempdir().unwrap();
    {
        let store = Store::open(dir.path()).unwrap();
        let mut queue = Queue::new(store.resume().unwrap().permits);
        let first = permit(&mut queue, 1);
        store.burn(&first).unwrap();
        assert!(matches!(store.burn(&first), Err(StoreError::Burnt { permit: 1 })));
        store.burn(&permit(&mut queue, 2)).unwrap();
    }
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.resume().unwrap().permits, 2);
    // a queue that forgot what was burnt makes a number again, and the ledger refuses it
    assert!(matches!(store.burn(&permit(&mut Queue::new(0), 3)), Err(StoreError::Burnt { permit: 1 })));
    store.burn(&permit(&mut Queue::new(2), 3)).unwrap();
}
