//! The four steps of [`WireOp`] on one device. Each uses sessions of its own and leaves none open.
//!
//! ```text
//! commit:  lock candidate → discard → get running, compare digest → edit-config → commit confirmed, persist → unlock
//!          ── new session ── get running → in effect?
//! ```
//! There is no `<validate>` between edit and commit: netconfd 2.13 then answers the commit with ok and does nothing. Every commit is read
//! back for the same reason. A commit whose answer is lost is never repeated; its outcome is [`WireFault::Unknown`].

use crate::fault::{self, not_sent, refused, unknown};
use crate::running::Running;
use crate::session::{Session, get_running, running_in, words};
use crate::ssh::Lost;
use change::{DeviceState, WireFault, WireOp, WireReply};
use netconf::{Datastore, Reply, RpcError, request};
use network::NetconfEndpoint;
use std::time::Duration;
use tokio::time::Instant;
use vault::Secret;

/// Time that reading back has after the device answered, whatever the step's deadline was.
const READ_BACK_WITHIN: Duration = Duration::from_secs(15);
/// Sessions that reading back may use: the first may hit a server that is still busy with the commit.
const READ_BACK_TRIES: u32 = 2;
/// A persist token that no change has.
const NEVER_USED: &str = "pilothouse-never-used";

/// Where a step goes.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) endpoint: NetconfEndpoint,
    pub(crate) secret: Secret,
}

pub(crate) async fn carry_out(target: &Target, op: &WireOp, deadline: Instant) -> WireReply {
    match op {
        WireOp::Read { payload } => state(&read(target, deadline).await?, payload, false),
        WireOp::CommitConfirmed { payload, token, confirm_timeout, base_digest } => {
            let commit = request::commit_confirmed(confirm_timeout.as_secs().max(1), token);
            self::commit(target, payload, &commit, base_digest, deadline).await
        }
        WireOp::Confirm { token, payload } => end(target, "confirm", &request::confirm(token), payload, deadline).await,
        WireOp::Cancel { token, payload } => end(target, "cancel", &request::cancel_commit(token), payload, deadline).await,
    }
}

/// Reads the running configuration in a session of its own.
pub(crate) async fn read(target: &Target, deadline: Instant) -> Result<Running, WireFault> {
    let (session, reply) = Session::open(&target.endpoint, &target.secret, &get_running(), deadline).await?;
    session.close().await;
    let address = &target.endpoint.address;
    running_in(reply).map_err(|why| not_sent(fault::UNREADABLE, format!("the running configuration of {address} cannot be read: {why}")))
}

fn state(running: &Running, payload: &str, nothing_pending: bool) -> WireReply {
    let in_effect = running.shows(payload).map_err(|why| not_sent(fault::UNREADABLE, why))?;
    Ok(DeviceState { digest: running.digest().to_owned(), in_effect, nothing_pending })
}

/// Reads back after something was sent: what cannot be read now is unknown, not "not sent".
async fn read_back(target: &Target, payload: &str, nothing_pending: bool) -> WireReply {
    let deadline = Instant::now() + READ_BACK_WITHIN;
    let mut last = None;
    for _ in 0..READ_BACK_TRIES {
        match read(target, deadline).await.and_then(|running| state(&running, payload, nothing_pending)) {
            Ok(state) => return Ok(state),
            Err(fault) => last = Some(fault),
        }
    }
    let why = last.map(|f| f.to_string()).unwrap_or_default();
    Err(unknown(fault::READ_BACK, format!("the device answered, but could not be read afterwards: {why}")))
}

async fn commit(target: &Target, payload: &str, commit: &str, base_digest: &str, deadline: Instant) -> WireReply {
    let address = &target.endpoint.address;
    let lock = request::lock(Datastore::Candidate);
    let (mut session, locked) = Session::open(&target.endpoint, &target.secret, &lock, deadline).await?;
    if !session.capabilities().can_commit_confirmed() {
        session.close().await;
        let why = format!("{address} does not offer candidate and confirmed-commit:1.1; it cannot undo by itself, change it by hand");
        return Err(not_sent(fault::NO_CONFIRMED_COMMIT, why));
    }
    if let Err(fault) = locks(locked, address) {
        session.close().await;
        return Err(fault);
    }
    let committed = under_lock(&mut session, address, payload, commit, base_digest).await;
    session.tidy(&request::unlock(Datastore::Candidate)).await;
    session.close().await;
    match committed {
        Ok(()) => read_back(target, payload, false).await,
        Err(fault @ WireFault::Refused { .. }) => Err(still_old(target, payload, base_digest, fault).await),
        Err(fault) => Err(fault),
    }
}

fn locks(reply: Result<Reply, Lost>, address: &str) -> Result<(), WireFault> {
    match reply {
        Ok(Reply::Ok(_)) => Ok(()),
        Ok(Reply::Errors(errors)) => {
            let why = format!("candidate of {address} cannot be locked: {}; wait for the other session or ask its owner", words(&errors));
            Err(not_sent(fault::LOCKED, why))
        }
        Ok(Reply::Data(_)) => Err(not_sent(fault::PREPARING, format!("{address} answered the lock with data"))),
        Err(lost) => Err(not_sent(fault::PREPARING, format!("locking candidate of {address}: {lost}"))),
    }
}

async fn under_lock(session: &mut Session, address: &str, payload: &str, commit: &str, base: &str) -> Result<(), WireFault> {
    prepare(session, address, &request::discard_changes(), "discarding candidate").await?;
    let running = session.running().await;
    let running = running.map_err(|why| not_sent(fault::PREPARING, format!("running of {address} cannot be read: {why}")))?;
    if running.digest() != base {
        let why = format!(
            "{address} runs configuration {}, the plan was made for {}: somebody changed it; propose again",
            short(running.digest()),
            short(base)
        );
        return Err(not_sent(fault::DRIFTED, why));
    }
    match session.rpc(&request::edit_config(Datastore::Candidate, payload)).await {
        Ok(Reply::Ok(_)) => {}
        Ok(Reply::Errors(errors)) => {
            session.tidy(&request::discard_changes()).await;
            return Err(refused(fault::EDIT_REFUSED, format!("{address} refused the edit: {}", words(&errors))));
        }
        Ok(Reply::Data(_)) => return Err(not_sent(fault::PREPARING, format!("{address} answered the edit with data"))),
        Err(lost) => return Err(not_sent(fault::PREPARING, format!("editing candidate of {address}: {lost}"))),
    }
    match session.rpc(commit).await {
        Ok(Reply::Ok(_)) => Ok(()),
        Ok(Reply::Errors(errors)) => {
            session.tidy(&request::discard_changes()).await;
            Err(refused(fault::COMMIT_REFUSED, format!("{address} refused the commit: {}", words(&errors))))
        }
        Ok(Reply::Data(_)) => Err(unknown(fault::COMMIT_UNANSWERED, format!("{address} answered the commit with data"))),
        Err(lost) => Err(unknown(fault::COMMIT_UNANSWERED, format!("the commit went out to {address}, then: {lost}"))),
    }
}

async fn prepare(session: &mut Session, address: &str, operation: &str, doing: &str) -> Result<(), WireFault> {
    let why = match session.rpc(operation).await {
        Ok(Reply::Ok(_)) => return Ok(()),
        Ok(Reply::Errors(errors)) => words(&errors),
        Ok(Reply::Data(_)) => "answered with data".to_owned(),
        Err(lost) => lost.to_string(),
    };
    Err(not_sent(fault::PREPARING, format!("{doing} of {address}: {why}")))
}

/// A refusal is believed only while the device still runs what it ran.
async fn still_old(target: &Target, payload: &str, base_digest: &str, fault: WireFault) -> WireFault {
    match read_back(target, payload, false).await {
        Ok(state) if state.digest == base_digest => fault,
        Ok(state) => {
            let why = format!("{fault}, but its running configuration changed to {}", short(&state.digest));
            unknown(fault::COMMIT_UNANSWERED, why)
        }
        Err(unread) => unknown(fault::READ_BACK, format!("{fault}; {unread}")),
    }
}

/// Ends a pending commit, one way or the other.
async fn end(target: &Target, doing: &str, operation: &str, payload: &str, deadline: Instant) -> WireReply {
    let address = &target.endpoint.address;
    let (mut session, read) = Session::open(&target.endpoint, &target.secret, &get_running(), deadline).await?;
    if let Err(why) = running_in(read) {
        session.close().await;
        return Err(not_sent(fault::PREPARING, format!("reading {address} before the {doing}: {why}")));
    }
    let answer = session.rpc(operation).await;
    let nothing_pending = match &answer {
        Ok(Reply::Errors(errors)) => errors.iter().any(none_pending) || cancels_nothing(&mut session, operation, errors).await,
        _ => false,
    };
    session.close().await;
    match answer {
        Ok(Reply::Ok(_)) => read_back(target, payload, false).await,
        Ok(Reply::Errors(_)) if nothing_pending => read_back(target, payload, true).await,
        Ok(Reply::Errors(errors)) => Err(refused(fault::END_REFUSED, format!("{address} refused the {doing}: {}", words(&errors)))),
        Ok(Reply::Data(_)) => Err(unknown(fault::END_UNANSWERED, format!("{address} answered the {doing} with data"))),
        Err(lost) => Err(unknown(fault::END_UNANSWERED, format!("the {doing} went out to {address}, then: {lost}"))),
    }
}

/// A persist-id that names no pending commit is an `invalid-value` (RFC 6241 §8.4.1); netconfd 2.13 says `operation-failed` at the path
/// of the persist-id when nothing at all is pending.
fn none_pending(error: &RpcError) -> bool {
    error.tag == "invalid-value" || error.path.as_deref().is_some_and(|p| p.ends_with("persist-id"))
}

/// Says whether a cancel failed because nothing is pending. netconfd 2.13 then says no more than `operation-failed`, for any token; while
/// something is pending it names a wrong token `invalid-value`. So a token that never existed tells the two apart; it can cancel nothing.
async fn cancels_nothing(session: &mut Session, operation: &str, errors: &[RpcError]) -> bool {
    if !operation.starts_with("<cancel-commit") || errors.iter().any(|e| e.tag != "operation-failed") {
        return false;
    }
    let other = session.rpc(&request::cancel_commit(NEVER_USED)).await;
    matches!(other, Ok(Reply::Errors(again)) if !again.is_empty() && again.iter().all(|e| e.tag == "operation-failed"))
}

fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}
