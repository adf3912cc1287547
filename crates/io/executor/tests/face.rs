//! The executor against FRR 8.4 behind the node face: the pair that the lab runs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what goes wrong in a test ends the test")]

#[path = "peer/frr.rs"]
mod frr;
#[path = "peer/plan.rs"]
mod plan;

use bgp::Family;
use change::{WireFault, WireOp};
use config::{Condition, PolicyEdit, PolicyResult, PrefixEntry, PrefixSet, RouteAction, Statement};
use executor::fault;
use frr::Frr;
use plan::{WITHIN, begin, commit, device, executor, read};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(600);

/// A term for one prefix before term 200, as the steering of a group makes it.
fn steer() -> String {
    let prefix = "203.0.113.0/24".parse().unwrap();
    let entry = PrefixEntry { sequence: 5, permit: true, prefix, ge: None, le: None };
    let set = PrefixSet { family: Family::Ipv4Unicast, entries: vec![entry] };
    let statement = Statement {
        sequence: 150,
        result: PolicyResult::Accept,
        conditions: vec![Condition::PrefixSet("PH-1-150".into())],
        actions: vec![RouteAction::SetLocalPref(250)],
    };
    config::openconfig::render_edits(&[
        PolicyEdit::PutPrefixSet { name: "PH-1-150".into(), set },
        PolicyEdit::InsertStatement { policy: "ISPA-IN".into(), statement, before: Some(200) },
    ])
}

fn confirm(payload: &str) -> WireOp {
    WireOp::Confirm { token: "ph-1".into(), payload: payload.into() }
}

fn cancel(payload: &str) -> WireOp {
    WireOp::Cancel { token: "ph-1".into(), payload: payload.into() }
}

#[tokio::test]
async fn a_change_reaches_the_router_and_stays_when_confirmed() {
    let Some(frr) = Frr::start().await else { return };
    let executor = executor(&frr.endpoint, &frr.password);
    let new = steer();
    let before = executor.read(&device(), WITHIN).await.unwrap();
    assert!(before.native().unwrap().contains("route-map ISPA-IN permit 200") && !before.shows(&new).unwrap());

    let execution = begin(&executor, &new, before.digest());
    let after = execution.carry_out(&device(), &commit(&new, "ph-1", before.digest(), LONG), WITHIN).await.unwrap();
    assert!(after.in_effect && after.digest != before.digest());
    assert!(frr.text().contains("route-map ISPA-IN permit 150\n match ip address prefix-list PH-1-150\n set local-preference 250"));
    let kept = execution.carry_out(&device(), &confirm(&new), WITHIN).await.unwrap();
    assert_eq!(kept, after);
    let late = execution.carry_out(&device(), &cancel(&new), WITHIN).await.unwrap();
    assert!(late.nothing_pending && late.in_effect);
}

#[tokio::test]
async fn cancelled_or_left_alone_the_router_is_byte_for_byte_as_before() {
    let Some(frr) = Frr::start().await else { return };
    let executor = executor(&frr.endpoint, &frr.password);
    let (new, text) = (steer(), frr.text());
    let base = executor.read(&device(), WITHIN).await.unwrap().digest().to_owned();
    let execution = begin(&executor, &new, &base);
    execution.carry_out(&device(), &commit(&new, "ph-1", &base, LONG), WITHIN).await.unwrap();
    let gone = execution.carry_out(&device(), &cancel(&new), WITHIN).await.unwrap();
    assert!(gone.digest == base && !gone.in_effect && !gone.nothing_pending);
    assert_eq!(frr.text(), text);

    let execution = begin(&executor, &new, &base);
    execution.carry_out(&device(), &commit(&new, "ph-1", &base, Duration::from_secs(2)), WITHIN).await.unwrap();
    // the face's own timer runs in its own time
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(frr.text(), text);
    let late = execution.carry_out(&device(), &confirm(&new), WITHIN).await.unwrap();
    assert!(late.nothing_pending && late.digest == base);
}

#[tokio::test]
async fn a_neighbour_that_is_switched_on_is_seen_in_the_native_text() {
    let Some(frr) = Frr::start().await else { return };
    let executor = executor(&frr.endpoint, &frr.password);
    let neighbor = "127.9.9.9".parse().unwrap();
    let on = config::openconfig::render_edits(&[PolicyEdit::SetNeighborEnabled { neighbor, enabled: true }]);
    let before = executor.read(&device(), WITHIN).await.unwrap();
    assert!(!before.shows(&on).unwrap());
    let execution = begin(&executor, &on, before.digest());
    let after = execution.carry_out(&device(), &commit(&on, "ph-1", before.digest(), LONG), WITHIN).await.unwrap();
    assert!(after.in_effect && !frr.text().contains("neighbor 127.9.9.9 shutdown"));
    let gone = execution.carry_out(&device(), &cancel(&on), WITHIN).await.unwrap();
    assert!(gone.digest == before.digest() && frr.text().contains("neighbor 127.9.9.9 shutdown"));
}

#[tokio::test]
async fn a_router_that_somebody_changed_gets_nothing() {
    let Some(frr) = Frr::start().await else { return };
    let executor = executor(&frr.endpoint, &frr.password);
    let base = executor.read(&device(), WITHIN).await.unwrap().digest().to_owned();
    frr.configure("ip prefix-list BOGONS seq 10 permit 172.16.0.0/12 le 32");
    let new = steer();
    let reply = begin(&executor, &new, &base).carry_out(&device(), &commit(&new, "ph-1", &base, LONG), WITHIN).await;
    assert!(matches!(&reply, Err(WireFault::NotSent { code, .. }) if code == fault::DRIFTED), "{reply:?}");
    assert!(!frr.text().contains("PH-1-150"));
}

#[tokio::test]
async fn a_face_that_plays_broken_never_gets_a_clean_answer_believed() {
    let Some(frr) = Frr::start().await else { return };
    let executor = executor(&frr.endpoint, &frr.password);
    let new = steer();
    for word in ["drop_writes", "wrong_state", "hang_up_after_commit", "no_reply_to_commit", "pretend_writes"] {
        let base = executor.read(&device(), WITHIN).await.unwrap().digest().to_owned();
        frr.fault(word);
        // short only where no answer comes: this test waits for all of it
        let within = if word == "no_reply_to_commit" { Duration::from_secs(5) } else { WITHIN };
        let reply = begin(&executor, &new, &base).carry_out(&device(), &commit(&new, "ph-1", &base, LONG), within).await;
        match (word, &reply) {
            ("drop_writes" | "wrong_state", Ok(state)) => assert!(!state.in_effect && state.digest == base, "{word}: {state:?}"),
            // nothing on the wire gives it away; the measurement must
            ("pretend_writes", Ok(state)) => assert!(state.in_effect && !frr.text().contains("PH-1-150"), "{word}: {state:?}"),
            ("hang_up_after_commit" | "no_reply_to_commit", Err(WireFault::Unknown { code, .. })) => {
                assert_eq!(code, fault::COMMIT_UNANSWERED)
            }
            _ => panic!("{word}: {reply:?}"),
        }
        frr.fault("");
        let gone = executor.recover().carry_out(&device(), &cancel(&new), WITHIN).await.unwrap();
        assert!(gone.digest == base && !gone.in_effect, "{word}: {gone:?}");
        assert!(!executor.recover().carry_out(&device(), &read(&new), WITHIN).await.unwrap().in_effect);
    }
}
