//! A device that misbehaves in the middle of a change: netconfd behind a server of ours that spoils one message.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what goes wrong in a test ends the test")]

#[path = "peer/middleman.rs"]
mod middleman;
#[path = "peer/plan.rs"]
mod plan;
#[path = "peer/raw.rs"]
mod raw;
#[path = "peer/server.rs"]
mod server;

use change::{DeviceState, WireFault, WireOp, WireReply};
use executor::{Executor, fault};
use middleman::{Fault, Middleman};
use netconf::{CANDIDATE, Datastore, Reply, request};
use plan::{WITHIN, begin, commit, device, executor, payload, read};
use raw::Raw;
use server::Netconfd;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(600);
const EDIT: &str = "<edit-config>";
const COMMIT: &str = "<commit><confirmed/>";

/// An empty netconfd, the middleman before it, an executor that sees only the middleman, and one that sees the truth.
struct Bench {
    peer: Netconfd,
    between: Middleman,
    executor: Executor,
    truth: Executor,
}

async fn bench() -> Option<Bench> {
    let peer = Netconfd::start()?;
    let between = Middleman::full(&peer.endpoint, &peer.password, &peer.host_key_file()).await;
    let executor = executor(&between.endpoint, &peer.password);
    let truth = plan::executor(&peer.endpoint, &peer.password);
    Some(Bench { peer, between, executor, truth })
}

impl Bench {
    async fn truth(&self, payload: &str) -> DeviceState {
        self.truth.recover().carry_out(&device(), &read(payload), WITHIN).await.unwrap()
    }

    /// Waits until the server has noticed that a session is gone, and has let go of its lock.
    async fn settle(&self) {
        let mut raw = Raw::open(&self.peer.endpoint, &self.peer.password).await;
        for _ in 0..100 {
            if let Reply::Ok(_) = raw.rpc(&request::lock(Datastore::Candidate)).await {
                raw.ok(&request::unlock(Datastore::Candidate)).await;
                raw.ok(&request::close_session()).await;
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the lock of a session that is gone was never released");
    }

    /// Commits while one message goes wrong; returns the answer and what the device really runs.
    async fn commit_with(&self, text: &'static str, fault: Fault) -> (WireReply, DeviceState, DeviceState) {
        self.settle().await;
        let new = payload(150, false);
        let before = self.truth(&new).await;
        assert!(!before.in_effect);
        self.between.break_next(text, fault);
        let execution = begin(&self.executor, &new, &before.digest);
        let reply = execution.carry_out(&device(), &commit(&new, "ph-f", &before.digest, LONG), WITHIN).await;
        assert!(self.between.broke(), "{text} was never sent");
        (reply, before, self.truth(&new).await)
    }
}

fn code(reply: &WireReply) -> (&'static str, String) {
    match reply {
        Ok(_) => ("ok", String::new()),
        Err(WireFault::NotSent { code, .. }) => ("not sent", code.clone()),
        Err(WireFault::Refused { code, .. }) => ("refused", code.clone()),
        Err(WireFault::Unknown { code, .. }) => ("unknown", code.clone()),
    }
}

#[tokio::test]
async fn a_commit_without_an_answer_is_unknown_whether_it_arrived_or_not() {
    let Some(bench) = bench().await else { return };
    let (reply, before, after) = bench.commit_with(COMMIT, Fault::HangUpBefore).await;
    assert_eq!(code(&reply), ("unknown", fault::COMMIT_UNANSWERED.into()));
    assert_eq!(after, before);

    let (reply, _, after) = bench.commit_with(COMMIT, Fault::HangUpAfter).await;
    assert_eq!(code(&reply), ("unknown", fault::COMMIT_UNANSWERED.into()));
    assert!(after.in_effect, "this time it had arrived");
    let cancel = WireOp::Cancel { token: "ph-f".into(), payload: payload(150, false) };
    let undone = bench.executor.recover().carry_out(&device(), &cancel, WITHIN).await.unwrap();
    assert_eq!(undone, before);
}

#[tokio::test]
async fn an_answer_to_another_message_or_in_a_wrong_frame_is_no_answer() {
    let Some(bench) = bench().await else { return };
    for fault in [Fault::OtherId, Fault::WrongFraming] {
        let (reply, before, after) = bench.commit_with(COMMIT, fault).await;
        assert_eq!(code(&reply), ("unknown", fault::COMMIT_UNANSWERED.into()), "{fault:?}");
        assert!(after.in_effect);
        let cancel = WireOp::Cancel { token: "ph-f".into(), payload: payload(150, false) };
        assert_eq!(bench.executor.recover().carry_out(&device(), &cancel, WITHIN).await.unwrap(), before);
    }
}

#[tokio::test]
async fn an_ok_that_did_nothing_is_seen_by_reading_back() {
    let Some(bench) = bench().await else { return };
    let (reply, before, after) = bench.commit_with(COMMIT, Fault::OkWithoutDoing).await;
    let state = reply.unwrap();
    assert!(!state.in_effect && state.digest == before.digest);
    assert_eq!(after, before);
}

#[tokio::test]
async fn what_breaks_before_the_commit_was_not_sent() {
    let Some(bench) = bench().await else { return };
    for (text, fault) in [
        ("<lock>", Fault::HangUpBefore),
        ("<discard-changes/>", Fault::HangUpAfter),
        ("<get-config>", Fault::WrongFraming),
        (EDIT, Fault::HangUpBefore),
        (EDIT, Fault::HangUpAfter),
        (EDIT, Fault::OtherId),
    ] {
        let (reply, before, after) = bench.commit_with(text, fault).await;
        assert_eq!(code(&reply), ("not sent", fault::PREPARING.into()), "{text} {fault:?}: {reply:?}");
        assert_eq!(after, before);
    }
}

#[tokio::test]
async fn an_error_beside_an_ok_is_an_error() {
    let Some(bench) = bench().await else { return };
    let both = "<rpc-reply xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\" message-id=\"ID\"><rpc-error><error-type>application</error-type><error-tag>in-use</error-tag><error-severity>error</error-severity><error-message>no <![CDATA[<]]>way</error-message></rpc-error><ok/></rpc-reply>";
    let (reply, before, after) = bench.commit_with(COMMIT, Fault::Answer(both)).await;
    assert_eq!(code(&reply), ("refused", fault::COMMIT_REFUSED.into()));
    assert!(reply.unwrap_err().to_string().contains("in-use: \"no <way\""));
    assert_eq!(after, before);
}

#[tokio::test]
async fn a_bomb_for_an_answer_is_refused() {
    let Some(bench) = bench().await else { return };
    let bomb =
        "<!DOCTYPE r [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]><rpc-reply message-id=\"ID\"><data>&b;</data></rpc-reply>";
    bench.between.break_next("<get-config>", Fault::Answer(bomb));
    let reply = bench.executor.recover().carry_out(&device(), &read(""), WITHIN).await;
    assert_eq!(code(&reply), ("not sent", fault::UNREADABLE.into()));
    assert!(reply.unwrap_err().to_string().contains("document type"));
}

#[tokio::test]
async fn a_lost_confirm_is_unknown_and_can_be_asked_again() {
    let Some(bench) = bench().await else { return };
    let new = payload(150, false);
    let before = bench.truth(&new).await;
    let execution = begin(&bench.executor, &new, &before.digest);
    execution.carry_out(&device(), &commit(&new, "ph-f", &before.digest, LONG), WITHIN).await.unwrap();
    let confirm = WireOp::Confirm { token: "ph-f".into(), payload: new.clone() };
    bench.between.break_next("<persist-id>", Fault::HangUpAfter);
    let reply = execution.carry_out(&device(), &confirm, WITHIN).await;
    assert_eq!(code(&reply), ("unknown", fault::END_UNANSWERED.into()));
    let again = execution.carry_out(&device(), &confirm, WITHIN).await.unwrap();
    assert!(again.in_effect && again.nothing_pending, "{again:?}");
}

#[tokio::test]
async fn silence_after_the_first_request_is_met_with_a_new_session() {
    let Some(bench) = bench().await else { return };
    let (reply, _, after) = bench.commit_with("<lock>", Fault::Silence).await;
    assert_eq!(reply.unwrap(), after);
    assert!(after.in_effect);
}

#[tokio::test]
async fn silence_after_a_commit_is_unknown_and_nothing_is_sent_again() {
    let Some(bench) = bench().await else { return };
    let new = payload(150, false);
    let before = bench.truth(&new).await;
    bench.between.break_next(COMMIT, Fault::Silence);
    let execution = begin(&bench.executor, &new, &before.digest);
    let within = Duration::from_secs(3);
    let reply = execution.carry_out(&device(), &commit(&new, "ph-f", &before.digest, LONG), within).await;
    assert_eq!(code(&reply), ("unknown", fault::COMMIT_UNANSWERED.into()));
    assert_eq!(bench.truth(&new).await, before);
}

#[tokio::test]
async fn a_lost_unlock_changes_nothing() {
    // the end of the session unlocks as well (RFC 6241 §7.5)
    let Some(bench) = bench().await else { return };
    let (reply, _, after) = bench.commit_with("<unlock>", Fault::HangUpBefore).await;
    assert_eq!(reply.unwrap(), after);
    assert!(after.in_effect);
}

#[tokio::test]
async fn a_commit_that_cannot_be_read_back_is_unknown() {
    let Some(bench) = bench().await else { return };
    let new = payload(150, false);
    let before = bench.truth(&new).await;
    bench.between.break_next(COMMIT, Fault::Pass);
    bench.between.break_next("<get-config>", Fault::HangUpBefore);
    bench.between.break_next("<get-config>", Fault::WrongFraming);
    let execution = begin(&bench.executor, &new, &before.digest);
    let reply = execution.carry_out(&device(), &commit(&new, "ph-f", &before.digest, LONG), WITHIN).await;
    assert!(bench.between.broke());
    assert_eq!(code(&reply), ("unknown", fault::READ_BACK.into()));
}

#[tokio::test]
async fn a_refusal_is_believed_only_while_the_old_configuration_runs() {
    let Some(bench) = bench().await else { return };
    // the commit is carried out, and answered with an error all the same
    let new = payload(150, false);
    let before = bench.truth(&new).await;
    bench.between.break_next(COMMIT, Fault::SayError);
    let execution = begin(&bench.executor, &new, &before.digest);
    let reply = execution.carry_out(&device(), &commit(&new, "ph-f", &before.digest, LONG), WITHIN).await;
    assert_eq!(code(&reply), ("unknown", fault::COMMIT_UNANSWERED.into()));
}

#[tokio::test]
async fn a_device_without_confirmed_commit_gets_no_commit() {
    let Some(peer) = Netconfd::start() else { return };
    let plain = Middleman::start(&peer.endpoint, &peer.password, &peer.host_key_file(), &[CANDIDATE]).await;
    let executor = executor(&plain.endpoint, &peer.password);
    let new = payload(150, false);
    let base = executor.read(&device(), WITHIN).await.unwrap().digest().to_owned();
    let reply = begin(&executor, &new, &base).carry_out(&device(), &commit(&new, "ph-f", &base, LONG), WITHIN).await;
    assert_eq!(code(&reply), ("not sent", fault::NO_CONFIRMED_COMMIT.into()));
}

#[tokio::test]
async fn nobody_there_is_one_clear_line() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let credential = network::Credential { username: "u".into(), secret: "netconf".into() };
    let endpoint = network::NetconfEndpoint { address: address.clone(), credential, host_key: String::new() };
    let reply = executor(&endpoint, "p").recover().carry_out(&device(), &read(""), WITHIN).await;
    assert_eq!(code(&reply), ("not sent", fault::UNREACHABLE.into()));
    assert!(reply.unwrap_err().to_string().contains(&address));
}

#[tokio::test]
async fn a_server_that_never_speaks_is_left_in_time() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let credential = network::Credential { username: "u".into(), secret: "netconf".into() };
    let endpoint = network::NetconfEndpoint { address, credential, host_key: String::new() };
    let began = std::time::Instant::now();
    let reply = executor(&endpoint, "p").recover().carry_out(&device(), &read(""), Duration::from_millis(300)).await;
    assert_eq!(code(&reply), ("not sent", fault::UNREACHABLE.into()));
    assert!(began.elapsed() < Duration::from_secs(3));
}

#[test]
fn only_the_lab_that_runs_is_touched() {
    let credential = network::Credential { username: "u".into(), secret: "netconf".into() };
    let endpoint = network::NetconfEndpoint { address: "127.0.0.1:1".into(), credential, host_key: String::new() };
    let vault = vault::Vault::default();
    let mut inventory = plan::inventory(&endpoint);
    assert!(Executor::for_lab(&inventory, &vault, "lab-1").is_ok());
    let error = Executor::for_lab(&inventory, &vault, "lab-2").unwrap_err();
    assert_eq!((error.expected.as_str(), error.found.as_deref()), ("lab-2", Some("lab-1")));
    inventory.lab = None;
    assert!(Executor::for_lab(&inventory, &vault, "lab-1").unwrap_err().to_string().contains("no lab"));
}

#[tokio::test]
async fn a_device_without_secret_or_address_is_named() {
    let credential = network::Credential { username: "u".into(), secret: "netconf".into() };
    let endpoint = network::NetconfEndpoint { address: "127.0.0.1:1".into(), credential, host_key: String::new() };
    let executor = Executor::new(&plan::inventory(&endpoint), &vault::Vault::default());
    assert_eq!(code(&executor.recover().carry_out(&device(), &read(""), WITHIN).await), ("not sent", fault::NO_SECRET.into()));
    let stranger = action::DeviceId::new("r9");
    assert_eq!(code(&executor.recover().carry_out(&stranger, &read(""), WITHIN).await), ("not sent", fault::NO_ENDPOINT.into()));
}
