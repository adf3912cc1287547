//! Rules of RFC 6241 §7.5, §8.3 and §8.4 that are easy to get wrong.

use super::*;

#[tokio::test]
async fn unlocking_the_candidate_discards_what_is_in_it() {
    let mut bench = Bench::new();
    assert_eq!(bench.device.handle(1, Rpc::Lock(Datastore::Candidate), at(0)).await, Answer::Ok);
    assert_eq!(bench.edit(1, &[prefer(250)]).await, Answer::Ok);
    assert_eq!(bench.device.handle(1, Rpc::Unlock(Datastore::Candidate), at(0)).await, Answer::Ok);
    assert_eq!(bench.commit(2, None, None, at(0)).await, Answer::Ok);
    assert_eq!(bench.router.text(), BEFORE);
}

#[tokio::test]
async fn a_candidate_that_was_edited_without_a_lock_cannot_be_locked() {
    let mut bench = Bench::new();
    assert_eq!(bench.edit(1, &[prefer(250)]).await, Answer::Ok);
    assert_eq!(error(bench.device.handle(2, Rpc::Lock(Datastore::Candidate), at(0)).await).tag, "lock-denied");
    assert_eq!(bench.device.handle(2, Rpc::DiscardChanges, at(0)).await, Answer::Ok);
    assert_eq!(bench.device.handle(2, Rpc::Lock(Datastore::Candidate), at(0)).await, Answer::Ok);
}

#[tokio::test]
async fn a_wrong_token_is_told_apart_from_nothing_pending() {
    let mut bench = Bench::new();
    let none = error(bench.commit(2, None, Some("t"), at(0)).await);
    assert_eq!((none.tag.as_str(), none.app_tag.as_deref()), ("invalid-value", Some("pilothouse:nothing-pending")));
    bench.pending(1, Some("t")).await;
    let cancel = Rpc::CancelCommit { persist_id: Some("x".into()) };
    for wrong in [error(bench.commit(2, None, Some("x"), at(1)).await), error(bench.device.handle(2, cancel, at(1)).await)] {
        assert_eq!((wrong.tag.as_str(), wrong.app_tag), ("invalid-value", None));
    }
    assert!(bench.router.text().contains("250"));
}

#[tokio::test]
async fn a_confirm_that_overtakes_the_timer_is_too_late() {
    let mut bench = Bench::new();
    bench.pending(1, Some("t")).await;
    assert_eq!(error(bench.commit(1, None, Some("t"), at(60)).await).tag, "invalid-value");
    assert_eq!(bench.router.text(), BEFORE);
}

#[tokio::test]
async fn what_is_being_undone_cannot_be_confirmed() {
    let mut bench = Bench::new();
    bench.pending(1, Some("t")).await;
    *bench.router.down.lock().unwrap() = true;
    bench.device.wake(at(60)).await;
    *bench.router.down.lock().unwrap() = false;
    assert_eq!(error(bench.commit(1, None, Some("t"), at(61)).await).tag, "operation-failed");
    bench.device.wake(at(65)).await;
    assert_eq!(bench.router.text(), BEFORE);
}

#[tokio::test]
async fn what_somebody_took_back_already_is_not_in_the_way_of_the_rest() {
    let mut bench = Bench::new();
    let mut other = prefer(170);
    if let PolicyEdit::ReplaceStatement { statement, .. } = &mut other {
        statement.sequence = 200;
    }
    let mut added = prefer(300);
    if let PolicyEdit::ReplaceStatement { policy, statement } = &added {
        let statement = config::Statement { sequence: 50, ..statement.clone() };
        added = PolicyEdit::InsertStatement { policy: policy.clone(), statement, before: Some(100) };
    }
    assert_eq!(bench.edit(1, &[other, added]).await, Answer::Ok);
    assert_eq!(bench.commit(1, Some((60, Some("t"))), None, at(0)).await, Answer::Ok);
    // somebody removes our new term and adds a prefix list of their own
    let mut block = None;
    bench.router.line(&mut block, "no route-map IN permit 50");
    bench.router.set(bench.router.text().replace("hostname r1\n", "hostname r1\nip prefix-list NEW seq 5 permit 10.0.0.0/8\n"));
    bench.device.wake(at(60)).await;
    assert_eq!(bench.router.text(), BEFORE.replace("hostname r1\n", "hostname r1\nip prefix-list NEW seq 5 permit 10.0.0.0/8\n"));
}

#[tokio::test]
async fn a_foreign_change_between_two_confirmed_commits_survives_the_undo_of_both() {
    let mut bench = Bench::new();
    bench.pending(1, Some("t")).await;
    bench.router.set(bench.router.text().replace("preference 150", "preference 155"));
    assert_eq!(bench.edit(1, &[prefer(300)]).await, Answer::Ok);
    assert_eq!(bench.commit(1, Some((60, None)), Some("t"), at(10)).await, Answer::Ok);
    bench.device.wake(at(70)).await;
    assert_eq!(bench.router.text(), BEFORE.replace("preference 150", "preference 155"));
}

#[tokio::test]
async fn running_is_not_edited_and_an_unreadable_edit_names_its_place() {
    let mut bench = Bench::new();
    let edit = |target, config: &str| Rpc::EditConfig {
        target,
        default_operation: "merge".into(),
        error_option: "rollback-on-error".into(),
        config: config.to_owned(),
    };
    let running = error(bench.device.handle(1, edit(Datastore::Running, ""), at(0)).await);
    assert_eq!(running.tag, "operation-not-supported");
    let text = render_edits(&[prefer(250)]).replace("250", "many");
    let bad = error(bench.device.handle(1, edit(Datastore::Candidate, &text), at(0)).await);
    assert_eq!(bad.tag, "invalid-value");
    assert!(bad.path.is_some_and(|p| p.contains("set-local-pref")) && bad.message.is_some_and(|m| m.contains("byte ")));
}
