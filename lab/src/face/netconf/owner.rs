//! The task that owns the datastores: requests of all sessions one after the other, and the confirm timer.

use super::answer::{Answer, invalid};
use super::device::Device;
use super::router::Router;
use crate::face::tree::now_ns;
use netconf::Rpc;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use units::Timestamp;

/// Requests that may wait; each session has one under way.
pub const QUEUE: usize = 64;
/// Longest sleep before the wall clock is looked at again: it may have been set.
const SLEEP_MAX: Duration = Duration::from_secs(5);

/// What sessions tell the owner.
#[derive(Debug)]
pub enum Call {
    /// A session began; `kill` ends it.
    Begun {
        /// Which.
        session: u32,
        /// Ends it when used or dropped.
        kill: oneshot::Sender<()>,
    },
    /// A request.
    Rpc {
        /// From whom.
        session: u32,
        /// What.
        rpc: Rpc,
        /// Where to answer.
        answer: oneshot::Sender<Answer>,
    },
    /// A session ended, whatever way.
    Ended(u32),
}

/// Serves until `stop` says so. A pending commit is then taken up by the next process from its file.
pub async fn run<R: Router>(mut device: Device<R>, mut calls: mpsc::Receiver<Call>, mut stop: watch::Receiver<bool>) {
    let mut sessions: BTreeMap<u32, oneshot::Sender<()>> = BTreeMap::new();
    loop {
        let deadline = device.deadline();
        let timer = async move {
            match deadline {
                Some(at) => tokio::time::sleep(at.since(now()).min(SLEEP_MAX)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            call = calls.recv() => match call {
                None => return,
                Some(Call::Begun { session, kill }) => drop(sessions.insert(session, kill)),
                Some(Call::Ended(session)) => {
                    sessions.remove(&session);
                    device.session_ended(session, now()).await;
                }
                Some(Call::Rpc { session, rpc: Rpc::KillSession { session_id }, answer }) => {
                    // a session that went away does not wait for its answer
                    let _ = answer.send(kill(&mut sessions, session, session_id));
                }
                Some(Call::Rpc { session, rpc, answer }) => {
                    let _ = answer.send(device.handle(session, rpc, now()).await);
                }
            },
            () = timer => device.wake(now()).await,
            changed = stop.changed() => if changed.is_err() || *stop.borrow() { return },
        }
    }
}

fn kill(sessions: &mut BTreeMap<u32, oneshot::Sender<()>>, by: u32, whom: u32) -> Answer {
    if by == whom {
        return Answer::Error(invalid("a session cannot kill itself, use close-session"));
    }
    match sessions.remove(&whom) {
        Some(end) => {
            // a session that ended by itself meanwhile is as dead
            let _ = end.send(());
            Answer::Ok
        }
        None => Answer::Error(invalid(format!("there is no session {whom}"))),
    }
}

fn now() -> Timestamp {
    Timestamp::from_nanos(now_ns())
}
