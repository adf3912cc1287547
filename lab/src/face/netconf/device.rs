//! The datastores of one router, and everything that may happen to them.
//!
//! ```text
//!            edit-config                commit                        confirm
//! candidate ─────────────▶ candidate ───────────▶ running  ─────────────────────▶ running
//!                                                    │ confirmed: snapshot kept
//!                                                    └─ timeout, cancel, end of the owner's session ─▶ snapshot
//! ```
//! The candidate is a list of edits over what runs; running is always what the router says now, never what was last written.

use super::answer::{Answer, failed, held, invalid, unsupported};
use super::commit::Rollback;
use super::fault::{Fault, FaultSwitch};
use super::pending::{Pending, StateFile};
use super::render;
use super::router::Router;
use config::edit::apply;
use config::{PolicyEdit, frr, openconfig};
use netconf::{Datastore, Rpc, RpcError};
use std::collections::BTreeMap;
use std::sync::Arc;
use units::Timestamp;

/// Most edits that the candidate holds.
const CANDIDATE_MAX: usize = 10_000;

const OVERDUE: &str = "not confirmed in time";
const RESTARTED: &str = "the node restarted before it was confirmed";

/// The datastores of one router.
pub struct Device<R> {
    pub(super) router: Arc<R>,
    pub(super) faults: FaultSwitch,
    pub(super) file: StateFile,
    pub(super) candidate: Vec<PolicyEdit>,
    locks: BTreeMap<Datastore, u32>,
    pub(super) pending: Option<Pending>,
    pub(super) last_rollback: Option<Rollback>,
    /// What `wrong_state` and `pretend_writes` show instead of running.
    pub(super) stale: Option<String>,
}

impl<R: Router> Device<R> {
    /// Takes up what a former process left: as after a reboot of the device (RFC 6241 §8.4.1), it is undone at once.
    ///
    /// # Errors
    /// When the file of the pending commit cannot be read.
    pub fn new(router: Arc<R>, faults: FaultSwitch, file: StateFile, now: Timestamp) -> std::io::Result<Self> {
        let mut pending = file.load()?;
        if let Some(p) = pending.as_mut() {
            p.deadline = now;
            p.undoing = true;
        }
        let (candidate, locks) = (Vec::new(), BTreeMap::new());
        Ok(Self { router, faults, file, candidate, locks, pending, last_rollback: None, stale: None })
    }

    /// When [`Device::wake`] is wanted.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        self.pending.as_ref().map(|p| p.deadline)
    }

    /// Undoes what was not confirmed in time.
    pub async fn wake(&mut self, now: Timestamp) {
        let Some(pending) = self.pending.as_ref().filter(|p| p.deadline <= now) else { return };
        let reason = match &self.last_rollback {
            Some(last) if pending.undoing => last.reason.clone(),
            None if pending.undoing => RESTARTED.to_owned(),
            _ => OVERDUE.to_owned(),
        };
        // a failure is told in `get` and tried again
        let _ = self.roll_back(&reason, now).await;
    }

    /// Ends a session: its locks go, with them a candidate that it left unfinished, and a commit that only it could confirm.
    pub async fn session_ended(&mut self, session: u32, now: Timestamp) {
        if self.locks.get(&Datastore::Candidate) == Some(&session) {
            self.candidate.clear();
        }
        self.locks.retain(|_, by| *by != session);
        if self.pending.as_ref().is_some_and(|p| p.owner.is(session, None)) {
            let _ = self.roll_back("the session that made it ended", now).await;
        }
    }

    /// Answers one request. `kill-session` is answered by the server, which owns the sessions.
    pub async fn handle(&mut self, session: u32, rpc: Rpc, now: Timestamp) -> Answer {
        // a request that overtook the timer must not confirm what is overdue
        self.wake(now).await;
        let answer = match rpc {
            Rpc::GetConfig { source, filter } => self.get_config(source, filter.as_deref()).await.map(Answer::Data),
            Rpc::Get { filter } => self.get(filter.as_deref(), now).await.map(Answer::Data),
            Rpc::EditConfig { target, default_operation, config, .. } => {
                self.edit(session, target, &default_operation, &config).await.map(|()| Answer::Ok)
            }
            Rpc::Lock(target) => self.lock(session, target).map(|()| Answer::Ok),
            Rpc::Unlock(target) => self.unlock(session, target).map(|()| Answer::Ok),
            Rpc::Validate(source) => self.validate(source).await.map(|()| Answer::Ok),
            Rpc::DiscardChanges => self.free(Datastore::Candidate, session).map(|()| {
                self.candidate.clear();
                Answer::Ok
            }),
            Rpc::Commit { confirmed, timeout_s, persist, persist_id } => {
                let confirmed = confirmed.then_some((timeout_s, persist));
                self.commit(session, confirmed, persist_id.as_deref(), now).await
            }
            Rpc::CancelCommit { persist_id } => self.cancel(session, persist_id.as_deref(), now).await.map(|()| Answer::Ok),
            Rpc::CloseSession => Ok(Answer::Goodbye),
            Rpc::KillSession { .. } => Err(unsupported("kill-session is not for this place")),
            Rpc::Unknown(name) => Err(unsupported(format!("<{name}> is not offered"))),
        };
        answer.unwrap_or_else(Answer::Error)
    }

    /// Reads what runs now.
    pub(super) async fn running(&self) -> Result<String, RpcError> {
        self.router.running().await.map_err(|e| failed(format!("the running configuration cannot be read: {e}")))
    }

    async fn get_config(&self, source: Datastore, filter: Option<&[(String, String)]>) -> Result<String, RpcError> {
        match source {
            Datastore::Running => {
                let text = self.shown().await?;
                Ok(render::configuration(&frr::parse(&text), Some(&text), filter))
            }
            Datastore::Candidate => {
                let mut model = frr::parse(&self.running().await?);
                self.with_candidate(&mut model, &[])?;
                Ok(render::configuration(&model, None, filter))
            }
            Datastore::Startup => Err(unsupported("there is no startup datastore")),
        }
    }

    async fn get(&self, filter: Option<&[(String, String)]>, now: Timestamp) -> Result<String, RpcError> {
        let text = self.shown().await?;
        let state = render::state(self.pending.as_ref(), self.last_rollback.as_ref(), &text, now, filter);
        Ok(render::configuration(&frr::parse(&text), Some(&text), filter) + &state)
    }

    /// What this device claims to run.
    async fn shown(&self) -> Result<String, RpcError> {
        match &self.stale {
            Some(text) if matches!(self.faults.active(), Some(Fault::WrongState | Fault::PretendWrites)) => Ok(text.clone()),
            _ => self.running().await,
        }
    }

    async fn edit(&mut self, session: u32, target: Datastore, default_operation: &str, config: &str) -> Result<(), RpcError> {
        if target != Datastore::Candidate {
            return Err(unsupported("only candidate is edited; commit makes it run"));
        }
        if default_operation != "merge" && default_operation != "none" {
            return Err(unsupported(format!("default-operation {default_operation:?} would take more than it names, use merge")));
        }
        self.free(Datastore::Candidate, session)?;
        let edits = openconfig::parse_edits(config).map_err(|e| RpcError { path: Some(e.path.clone()), ..invalid(e.to_string()) })?;
        if self.candidate.len() + edits.len() > CANDIDATE_MAX {
            return Err(failed(format!("the candidate holds at most {CANDIDATE_MAX} edits")));
        }
        if self.faults.active() == Some(Fault::DropWrites) {
            return Ok(());
        }
        self.with_candidate(&mut frr::parse(&self.running().await?), &edits)?;
        self.candidate.extend(edits);
        Ok(())
    }

    /// Applies the candidate and `more` to a model; all or nothing, so every error-option is kept.
    fn with_candidate(&self, model: &mut config::RouterConfig, more: &[PolicyEdit]) -> Result<(), RpcError> {
        let edits: Vec<PolicyEdit> = self.candidate.iter().chain(more).cloned().collect();
        apply(model, &edits).map_err(|e| failed(e.to_string()))
    }

    async fn validate(&self, source: Datastore) -> Result<(), RpcError> {
        if source == Datastore::Candidate {
            self.with_candidate(&mut frr::parse(&self.running().await?), &[])?;
        }
        Ok(())
    }

    fn lock(&mut self, session: u32, target: Datastore) -> Result<(), RpcError> {
        if target == Datastore::Startup {
            return Err(unsupported("there is no startup datastore"));
        }
        if let Some(by) = self.locks.get(&target) {
            return Err(held("lock-denied", *by, format!("{} is locked", target.name())));
        }
        if target == Datastore::Candidate && !self.candidate.is_empty() {
            return Err(held("lock-denied", 0, "candidate has uncommitted changes of a session without lock, discard them first"));
        }
        if target == Datastore::Running && self.pending.is_some() {
            return Err(held("lock-denied", 0, "a confirmed commit is pending"));
        }
        self.locks.insert(target, session);
        Ok(())
    }

    fn unlock(&mut self, session: u32, target: Datastore) -> Result<(), RpcError> {
        match self.locks.get(&target) {
            Some(by) if *by == session => {
                self.locks.remove(&target);
                if target == Datastore::Candidate {
                    // RFC 6241 §8.3.5.2: outstanding changes go with the lock
                    self.candidate.clear();
                }
                Ok(())
            }
            Some(by) => Err(held("operation-failed", *by, format!("{} is locked by another session", target.name()))),
            None => Err(failed(format!("{} is not locked", target.name()))),
        }
    }

    /// Refuses what another session has locked.
    pub(super) fn free(&self, target: Datastore, session: u32) -> Result<(), RpcError> {
        match self.locks.get(&target) {
            Some(by) if *by != session => Err(held("in-use", *by, format!("{} is locked by another session", target.name()))),
            _ => Ok(()),
        }
    }
}
