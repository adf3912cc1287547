//! The executor against netconfd, a NETCONF server that is not ours.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what goes wrong in a test ends the test")]

#[path = "peer/plan.rs"]
mod plan;
#[path = "peer/raw.rs"]
mod raw;
#[path = "peer/server.rs"]
mod server;

use change::{DeviceState, WireFault, WireOp};
use executor::{Executor, fault};
use netconf::{BASE_10, BASE_11, Capabilities, Datastore, Framing, Hello, Reply, request};
use plan::{WITHIN, begin, commit, device, executor, now, payload, permit, read};
use raw::Raw;
use server::Netconfd;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(600);

/// Makes the policy with LOCAL_PREF 200 permanent, by hand.
async fn seed(peer: &Netconfd) {
    let mut raw = Raw::open(&peer.endpoint, &peer.password).await;
    raw.ok(&request::edit_config(Datastore::Candidate, &payload(200, false))).await;
    raw.ok(&request::commit()).await;
    raw.ok(&request::close_session()).await;
}

async fn state(executor: &Executor, payload: &str) -> DeviceState {
    executor.recover().carry_out(&device(), &read(payload), WITHIN).await.unwrap()
}

fn confirm(token: &str, payload: &str) -> WireOp {
    WireOp::Confirm { token: token.to_owned(), payload: payload.to_owned() }
}

fn cancel(token: &str, payload: &str) -> WireOp {
    WireOp::Cancel { token: token.to_owned(), payload: payload.to_owned() }
}

fn not_sent(reply: change::WireReply, expected: &str) -> String {
    match reply {
        Err(WireFault::NotSent { code, why }) if code == expected => why,
        other => panic!("expected {expected}: {other:?}"),
    }
}

#[tokio::test]
async fn a_change_is_committed_and_confirmed() {
    let Some(peer) = Netconfd::start() else { return };
    seed(&peer).await;
    let executor = executor(&peer.endpoint, &peer.password);
    let (old, new) = (payload(200, true), payload(150, true));
    let before = state(&executor, &old).await;
    assert!(before.in_effect);

    let execution = begin(&executor, &new, &before.digest);
    let after = execution.carry_out(&device(), &commit(&new, "ph-1", &before.digest, LONG), WITHIN).await.unwrap();
    assert!(after.in_effect && after.digest != before.digest && !after.nothing_pending);
    let kept = execution.carry_out(&device(), &confirm("ph-1", &new), WITHIN).await.unwrap();
    assert_eq!(kept, after);
    assert_eq!(state(&executor, &new).await, after);
    assert!(!state(&executor, &old).await.in_effect);
}

#[tokio::test]
async fn an_unconfirmed_change_is_undone_by_the_device() {
    let Some(peer) = Netconfd::start() else { return };
    seed(&peer).await;
    let executor = executor(&peer.endpoint, &peer.password);
    let new = payload(150, true);
    let before = state(&executor, &new).await;
    let execution = begin(&executor, &new, &before.digest);
    let after = execution.carry_out(&device(), &commit(&new, "ph-2", &before.digest, Duration::from_secs(2)), WITHIN).await.unwrap();
    assert!(after.in_effect);
    // the device's own timer runs in its own time
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(state(&executor, &new).await, before);
    let late = execution.carry_out(&device(), &confirm("ph-2", &new), WITHIN).await.unwrap();
    assert!(late.nothing_pending && !late.in_effect && late.digest == before.digest, "{late:?}");
}

#[tokio::test]
async fn a_cancelled_change_is_gone_and_a_second_cancel_finds_nothing() {
    let Some(peer) = Netconfd::start() else { return };
    seed(&peer).await;
    let executor = executor(&peer.endpoint, &peer.password);
    let new = payload(150, true);
    let before = state(&executor, &new).await;
    let execution = begin(&executor, &new, &before.digest);
    execution.carry_out(&device(), &commit(&new, "ph-3", &before.digest, LONG), WITHIN).await.unwrap();
    let gone = execution.carry_out(&device(), &cancel("ph-3", &new), WITHIN).await.unwrap();
    assert_eq!(gone, before);
    let again = execution.carry_out(&device(), &cancel("ph-3", &new), WITHIN).await.unwrap();
    assert!(again.nothing_pending && again.digest == before.digest);
}

#[tokio::test]
async fn a_pending_change_outlives_us_and_is_ended_after_a_restart_but_never_begun() {
    let Some(peer) = Netconfd::start() else { return };
    seed(&peer).await;
    let new = payload(150, true);
    let before = {
        let executor = executor(&peer.endpoint, &peer.password);
        let before = state(&executor, &new).await;
        let execution = begin(&executor, &new, &before.digest);
        execution.carry_out(&device(), &commit(&new, "ph-4", &before.digest, LONG), WITHIN).await.unwrap();
        before
    };
    let executor = executor(&peer.endpoint, &peer.password);
    assert!(state(&executor, &new).await.in_effect, "persist keeps it over the end of the session");
    let recovery = executor.recover();
    let other = recovery.carry_out(&device(), &cancel("ph-5", &new), WITHIN).await.unwrap();
    assert!(other.nothing_pending && other.in_effect, "a token that is not ours ends nothing: {other:?}");
    let why = not_sent(recovery.carry_out(&device(), &commit(&new, "ph-4", &before.digest, LONG), WITHIN).await, fault::NOT_PERMITTED);
    assert!(why.contains("needs a permit"), "{why}");
    let kept = recovery.carry_out(&device(), &confirm("ph-4", &new), WITHIN).await.unwrap();
    assert!(kept.in_effect);
    let again = recovery.carry_out(&device(), &confirm("ph-4", &new), WITHIN).await.unwrap();
    assert!(again.nothing_pending && again.in_effect, "{again:?}");
    let late = recovery.carry_out(&device(), &cancel("ph-4", &new), WITHIN).await.unwrap();
    assert!(late.nothing_pending && late.in_effect, "what is confirmed is not cancelled: {late:?}");
}

#[tokio::test]
async fn without_persist_the_end_of_the_session_undoes_the_change() {
    // why we always send <persist>: the same commit without it does not outlive the session
    let Some(peer) = Netconfd::start() else { return };
    seed(&peer).await;
    let executor = executor(&peer.endpoint, &peer.password);
    let new = payload(150, true);
    let mut raw = Raw::open(&peer.endpoint, &peer.password).await;
    raw.ok(&request::edit_config(Datastore::Candidate, &new)).await;
    raw.ok("<commit><confirmed/><confirm-timeout>600</confirm-timeout></commit>").await;
    assert!(state(&executor, &new).await.in_effect);
    raw.ok(&request::close_session()).await;
    drop(raw);
    assert!(!state(&executor, &new).await.in_effect);
}

#[tokio::test]
async fn an_ok_after_validate_does_nothing_and_reading_back_shows_it() {
    // netconfd 2.13: <validate> between edit and commit turns the commit into a silent no-op; so we send none, and believe no ok
    let Some(peer) = Netconfd::start() else { return };
    seed(&peer).await;
    let executor = executor(&peer.endpoint, &peer.password);
    let new = payload(150, true);
    let mut raw = Raw::open(&peer.endpoint, &peer.password).await;
    raw.ok(&request::edit_config(Datastore::Candidate, &new)).await;
    raw.ok(&request::validate(Datastore::Candidate)).await;
    raw.ok(&request::commit()).await;
    assert!(!state(&executor, &new).await.in_effect, "the trap is gone from this netconfd; the rule may be looked at again");
}

#[tokio::test]
async fn a_request_that_arrives_together_with_the_hello_is_never_answered() {
    // why there is a pause between the two, and why the first request of a session is one that may be repeated
    let Some(peer) = Netconfd::start() else { return };
    let mut raw = Raw::connect(&peer.endpoint, &peer.password).await;
    let hello = Hello { capabilities: Capabilities(vec![BASE_10.into(), BASE_11.into()]), session_id: None };
    let first = request::rpc(1, &request::get_config(Datastore::Running, None));
    raw.send_bytes([Framing::EndOfMessage.frame(&hello.render()), Framing::Chunked.frame(&first)].concat()).await;
    assert!(raw.receive().await.unwrap().contains("<hello"));
    let silence = tokio::time::timeout(Duration::from_secs(2), raw.receive()).await;
    assert!(silence.is_err(), "the trap is gone from this netconfd: {silence:?}");
}

#[tokio::test]
async fn a_lock_held_by_another_session_is_named_and_nothing_is_sent() {
    let Some(peer) = Netconfd::start() else { return };
    seed(&peer).await;
    let executor = executor(&peer.endpoint, &peer.password);
    let new = payload(150, true);
    let before = state(&executor, &new).await;
    let mut raw = Raw::open(&peer.endpoint, &peer.password).await;
    raw.ok(&request::lock(Datastore::Candidate)).await;
    let reply = begin(&executor, &new, &before.digest).carry_out(&device(), &commit(&new, "ph-6", &before.digest, LONG), WITHIN).await;
    let why = not_sent(reply, fault::LOCKED);
    assert!(why.contains("lock-denied") && why.contains(&format!("held by session {}", raw.session_id)), "{why}");
    assert_eq!(state(&executor, &new).await, before);
}

#[tokio::test]
async fn somebody_elses_unfinished_edit_is_left_alone() {
    let Some(peer) = Netconfd::start() else { return };
    seed(&peer).await;
    let executor = executor(&peer.endpoint, &peer.password);
    let new = payload(150, true);
    let before = state(&executor, &new).await;
    let mut raw = Raw::open(&peer.endpoint, &peer.password).await;
    raw.ok(&request::edit_config(Datastore::Candidate, &payload(99, true))).await;
    let reply = begin(&executor, &new, &before.digest).carry_out(&device(), &commit(&new, "ph-7", &before.digest, LONG), WITHIN).await;
    assert!(not_sent(reply, fault::LOCKED).contains("discard-changes needed"));
    let Reply::Data(candidate) = raw.rpc(&request::get_config(Datastore::Candidate, None)).await else { panic!() };
    assert!(candidate.contains(">99<"), "{candidate}");
}

#[tokio::test]
async fn a_wrong_password_is_one_clear_line() {
    let Some(peer) = Netconfd::start() else { return };
    let executor = executor(&peer.endpoint, "not the password");
    let why = not_sent(executor.recover().carry_out(&device(), &read(""), WITHIN).await, fault::LOGIN);
    assert!(why.contains("ph-netconf") && !why.contains("not the password"), "{why}");
}

#[tokio::test]
async fn a_changed_host_key_stops_before_the_password() {
    let Some(peer) = Netconfd::start() else { return };
    let mut endpoint = peer.endpoint.clone();
    endpoint.host_key = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".into();
    let executor = executor(&endpoint, &peer.password);
    let why = not_sent(executor.recover().carry_out(&device(), &read(""), WITHIN).await, fault::HOST_KEY);
    assert!(why.contains("host key changed") && why.contains(&peer.endpoint.host_key), "{why}");
    let log = std::fs::read_to_string(peer.sshd_log()).unwrap();
    assert!(!log.contains("ph-netconf"), "the server was told a user: {log}");
}

#[tokio::test]
async fn a_device_that_changed_since_the_plan_gets_nothing() {
    let Some(peer) = Netconfd::start() else { return };
    seed(&peer).await;
    let executor = executor(&peer.endpoint, &peer.password);
    let new = payload(150, true);
    let stale = "0".repeat(64);
    let reply = begin(&executor, &new, &stale).carry_out(&device(), &commit(&new, "ph-8", &stale, LONG), WITHIN).await;
    assert!(not_sent(reply, fault::DRIFTED).contains("somebody changed it"));
    assert!(state(&executor, &payload(200, true)).await.in_effect);
}

#[tokio::test]
async fn a_refused_edit_shows_the_servers_words_and_leaves_candidate_clean() {
    let Some(peer) = Netconfd::start() else { return };
    let executor = executor(&peer.endpoint, &peer.password);
    // the term does not exist: `replace` creates it, but `delete` of another that does not exist is refused (RFC 6241 §7.2)
    let bad = payload(150, false).replace("operation=\"create\"", "operation=\"delete\"");
    let before = executor.read(&device(), WITHIN).await.unwrap();
    let reply = begin(&executor, &bad, before.digest()).carry_out(&device(), &commit(&bad, "ph-9", before.digest(), LONG), WITHIN).await;
    let Err(WireFault::Refused { code, why }) = reply else { panic!("{reply:?}") };
    assert_eq!(code, fault::EDIT_REFUSED);
    assert!(why.contains("data-missing"), "{why}");
    let mut raw = Raw::open(&peer.endpoint, &peer.password).await;
    raw.ok(&request::lock(Datastore::Candidate)).await;
}

#[tokio::test]
async fn only_what_was_approved_goes_out_and_only_once() {
    let Some(peer) = Netconfd::start() else { return };
    seed(&peer).await;
    let executor = executor(&peer.endpoint, &peer.password);
    let (new, other) = (payload(150, true), payload(151, true));
    let before = state(&executor, &new).await;
    let late = now().plus(Duration::from_secs(61));
    assert!(matches!(executor.begin(permit(&new, &before.digest), late), Err(WireFault::NotSent { .. })));
    let execution = begin(&executor, &new, &before.digest);
    not_sent(execution.carry_out(&device(), &commit(&other, "ph-10", &before.digest, LONG), WITHIN).await, fault::NOT_PERMITTED);
    let done = execution.carry_out(&device(), &commit(&new, "ph-10", &before.digest, LONG), WITHIN).await.unwrap();
    not_sent(execution.carry_out(&device(), &commit(&new, "ph-10", &done.digest, LONG), WITHIN).await, fault::SENT_BEFORE);
}
