//! Commits: carried out, read back, confirmed or undone.

use super::answer::{Answer, failed, held, invalid, nothing_pending};
use super::device::Device;
use super::difference::{edits_between, lines_between};
use super::fault::Fault;
use super::pending::{CONFIRM_TIMEOUT_MAX_S, Owner, Pending};
use super::router::Router;
use config::edit::{apply, in_effect, inverse};
use config::{PolicyEdit, RouterConfig, frr};
use netconf::{Datastore, RpcError};
use std::time::Duration;
use units::Timestamp;

/// Pause before an undo that failed is tried again.
const RETRY: Duration = Duration::from_secs(5);

/// How the last undo went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rollback {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
    /// Token of the commit that was undone.
    pub token: Option<String>,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of an undo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The running text is that of before, byte by byte.
    Exact,
    /// The commit is undone; changes that somebody else made meanwhile were kept. The lines in which the text now differs.
    ForeignKept(Vec<String>),
    /// The text could not be brought back. The lines in which it differs.
    Different(Vec<String>),
    /// The router could not be asked or refused; it is tried again.
    Failed(String),
}

type Confirmed = Option<(u64, Option<String>)>;

impl<R: Router> Device<R> {
    pub(super) async fn commit(
        &mut self,
        session: u32,
        confirmed: Confirmed,
        id: Option<&str>,
        now: Timestamp,
    ) -> Result<Answer, RpcError> {
        self.free(Datastore::Candidate, session)?;
        self.free(Datastore::Running, session)?;
        match (&self.pending, id) {
            (Some(p), _) if p.undoing => return Err(failed("a pending commit is being undone; wait until get shows none")),
            (Some(p), _) if p.owner.is(session, id) => {}
            (Some(_), Some(_)) => return Err(invalid("persist-id names no pending commit")),
            (Some(_), None) => return Err(held("in-use", 0, "a confirmed commit of another session is pending; name its persist-id")),
            (None, Some(_)) => return Err(nothing_pending("no commit is pending under this persist-id")),
            (None, None) => {}
        }
        if let Some((seconds, _)) = &confirmed
            && *seconds > CONFIRM_TIMEOUT_MAX_S
        {
            return Err(invalid(format!("confirm-timeout is at most {CONFIRM_TIMEOUT_MAX_S} s")));
        }
        let fault = self.faults.active();
        if fault == Some(Fault::DropWrites) {
            self.candidate.clear();
            return Ok(Answer::Ok);
        }
        let before = self.running().await?;
        self.carry_out(session, confirmed, before.clone(), now).await?;
        match fault {
            Some(Fault::WrongState) => self.stale = Some(before),
            Some(Fault::PretendWrites) => self.pretend(&before).await?,
            _ => self.stale = None,
        }
        Ok(match fault {
            Some(Fault::HangUpAfterCommit) => Answer::HangUp,
            Some(Fault::NoReplyToCommit) => Answer::Silence,
            _ => Answer::Ok,
        })
    }

    /// Takes the edits off the router again before its route-map timer acts on them, and goes on showing them.
    async fn pretend(&mut self, before: &str) -> Result<(), RpcError> {
        let after = self.running().await?;
        if after != before {
            self.restore(before).await.map_err(failed)?;
            self.stale = Some(after);
        }
        Ok(())
    }

    async fn carry_out(&mut self, session: u32, confirmed: Confirmed, before: String, now: Timestamp) -> Result<(), RpcError> {
        let model = frr::parse(&before);
        let edits = self.candidate.clone();
        let refused = |e: config::edit::EditError| failed(e.to_string());
        let lines = frr::lines(&model, &edits).map_err(refused)?;
        let inverse = inverse(&model, &edits).map_err(refused)?;
        let former = self.pending.take();
        let next = match &confirmed {
            None => None,
            Some((seconds, persist)) => {
                let mut undo = inverse;
                undo.extend(former.iter().flat_map(|f| f.undo.iter().cloned()));
                let owner = persist.clone().map(Owner::Token).or_else(|| former.as_ref().map(|f| f.owner.clone()));
                Some(Pending {
                    owner: owner.unwrap_or(Owner::Session(session)),
                    deadline: now.plus(Duration::from_secs(*seconds)),
                    snapshot: former.as_ref().map_or_else(|| before.clone(), |f| f.snapshot.clone()),
                    committed: String::new(),
                    foreign: former.as_ref().is_some_and(|f| f.foreign || f.committed != before),
                    undo,
                    undoing: false,
                })
            }
        };
        // written down before the router is touched; the former one stands until the new edits are in effect
        let guard = next.as_ref().or(former.as_ref());
        if let Err(error) = self.file.save(guard) {
            self.pending = former;
            return Err(failed(format!("the pending commit cannot be written down, nothing was done: {error}")));
        }
        match self.change(&lines, &edits).await {
            Ok(after) => {
                self.candidate.clear();
                self.pending = next.map(|p| Pending { committed: after, ..p });
                self.write_down();
                Ok(())
            }
            Err(why) => {
                let restored = self.restore(&before).await;
                self.pending = former;
                self.write_down();
                Err(failed(match restored {
                    Ok(()) => format!("{why}; the router runs what it ran before"),
                    Err(also) => format!("{why}; what it ran before could not be restored: {also}"),
                }))
            }
        }
    }

    /// Changes the router and proves by reading that it did change. Returns the new text.
    async fn change(&self, lines: &[String], edits: &[PolicyEdit]) -> Result<String, String> {
        self.router.configure(lines).await.map_err(|e| e.to_string())?;
        let after = self.router.running().await.map_err(|e| e.to_string())?;
        if in_effect(&frr::parse(&after), edits) { Ok(after) } else { Err("the router took the lines, but does not show them".to_owned()) }
    }

    /// Brings the text back to `snapshot` by what differs.
    async fn restore(&self, snapshot: &str) -> Result<(), String> {
        let now = self.router.running().await.map_err(|e| e.to_string())?;
        if now == snapshot {
            return Ok(());
        }
        let (now, then) = (frr::parse(&now), frr::parse(snapshot));
        let lines = frr::lines(&now, &edits_between(&now, &then)).map_err(|e| e.to_string())?;
        self.router.configure(&lines).await.map_err(|e| e.to_string())?;
        let after = self.router.running().await.map_err(|e| e.to_string())?;
        if after == snapshot { Ok(()) } else { Err(lines_between(snapshot, &after).join("; ")) }
    }

    pub(super) async fn cancel(&mut self, session: u32, id: Option<&str>, now: Timestamp) -> Result<(), RpcError> {
        match (&self.pending, id) {
            (Some(p), _) if p.owner.is(session, id) => {}
            (Some(_), Some(_)) => return Err(invalid("persist-id names no pending commit")),
            (Some(_), None) => return Err(held("in-use", 0, "the pending commit belongs to another session; name its persist-id")),
            (None, _) => return Err(nothing_pending("no commit is pending")),
        }
        self.roll_back("cancelled", now).await.map_err(failed)
    }

    /// Undoes the pending commit. When the router cannot be asked, it stays pending and is tried again.
    pub(super) async fn roll_back(&mut self, reason: &str, now: Timestamp) -> Result<(), String> {
        let Some(pending) = self.pending.clone() else { return Ok(()) };
        let outcome = match self.undo(&pending).await {
            Ok(outcome) => outcome,
            Err(why) => Outcome::Failed(why),
        };
        tracing::warn!(reason, ?outcome, "commit undone");
        let result = match &outcome {
            Outcome::Exact | Outcome::ForeignKept(_) => Ok(()),
            Outcome::Different(lines) => Err(format!("the text differs from before: {}", lines.join("; "))),
            Outcome::Failed(why) => Err(why.clone()),
        };
        if let Outcome::Failed(_) = outcome {
            self.pending = Some(Pending { deadline: now.plus(RETRY), undoing: true, ..pending.clone() });
        } else {
            self.pending = None;
            self.stale = None;
        }
        self.last_rollback =
            Some(Rollback { at: now, reason: reason.to_owned(), token: pending.owner.token().map(str::to_owned), outcome });
        self.write_down();
        result
    }

    async fn undo(&self, pending: &Pending) -> Result<Outcome, String> {
        let now = self.router.running().await.map_err(|e| e.to_string())?;
        if now == pending.snapshot {
            return Ok(Outcome::Exact);
        }
        // a process that died in the middle of the commit knows no text after it: nobody else's change can be told from its own
        let foreign = pending.foreign || (!pending.committed.is_empty() && now != pending.committed);
        let model = frr::parse(&now);
        let undo = still_needed(&model, &pending.undo);
        let lines = frr::lines(&model, &undo).map_err(|e| e.to_string())?;
        let done = self.router.configure(&lines).await;
        let after = self.router.running().await.map_err(|e| e.to_string())?;
        if after == pending.snapshot {
            return Ok(Outcome::Exact);
        }
        if foreign {
            // only our own change is taken back: to restore the text would overwrite what is not ours
            done.map_err(|e| e.to_string())?;
            let differs = lines_between(&pending.snapshot, &after);
            return Ok(if in_effect(&frr::parse(&after), &undo) { Outcome::ForeignKept(differs) } else { Outcome::Different(differs) });
        }
        let lines = restoring(&frr::parse(&after), &pending.snapshot)?;
        self.router.configure(&lines).await.map_err(|e| e.to_string())?;
        let after = self.router.running().await.map_err(|e| e.to_string())?;
        let differs = lines_between(&pending.snapshot, &after);
        Ok(if differs.is_empty() { Outcome::Exact } else { Outcome::Different(differs) })
    }

    fn write_down(&self) {
        if let Err(error) = self.file.save(self.pending.as_ref()) {
            tracing::error!(%error, "the pending commit cannot be written down; do not stop this process before it is confirmed");
        }
    }
}

/// Returns the edits that can be applied and change something: the rest was undone by somebody else, or never done.
fn still_needed(model: &RouterConfig, undo: &[PolicyEdit]) -> Vec<PolicyEdit> {
    let mut scratch = model.clone();
    let applies = |edit: &&PolicyEdit| {
        let before = scratch.clone();
        apply(&mut scratch, std::slice::from_ref(*edit)).is_ok() && scratch != before
    };
    undo.iter().filter(applies).cloned().collect()
}

fn restoring(now: &RouterConfig, snapshot: &str) -> Result<Vec<String>, String> {
    frr::lines(now, &edits_between(now, &frr::parse(snapshot))).map_err(|e| e.to_string())
}
