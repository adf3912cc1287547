//! Simulations of a replay, worked out beside it: what the log says is played, what comes out here is compared once it is there.

use pilot::{JobId, SimulationAnswer, SimulationJob};
use std::collections::{BTreeMap, VecDeque};
use std::num::NonZero;
use std::sync::{Arc, OnceLock};

/// Simulations that may be on their way beside one for each processor.
const MORE: usize = 6;

/// An answer that is on its way, or there.
type Answer = Arc<OnceLock<SimulationAnswer>>;

/// Simulations that were begun. A copy shares what is on its way.
#[derive(Clone, Default)]
pub(crate) struct Simulations {
    /// Asked for, and not answered in the log yet.
    asked: BTreeMap<JobId, Answer>,
    /// Answered in the log, and not compared yet.
    due: Vec<Due>,
    /// Not there when it was looked at last, oldest first.
    running: VecDeque<Answer>,
}

/// An answer of the log that waits for the one worked out here.
#[derive(Clone)]
pub(crate) struct Due {
    /// The input that brought it.
    pub seq: u64,
    pub job: JobId,
    then: Box<SimulationAnswer>,
    now: Answer,
}

impl Due {
    /// Says whether both are the same; waits for the one that is worked out here.
    pub fn agrees(&self) -> bool {
        *self.now.wait() == *self.then
    }
}

/// Sets an answer however the work ends: who waits for it must not wait forever.
struct Ends(Answer);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.set(SimulationAnswer::Failed { why: "the simulation ended without an answer".to_owned() });
    }
}

impl Simulations {
    /// Begins one on a thread of its own; waits for the oldest while a few more than there are processors are on their way. Most are over at once,
    /// and one that is not must not hold up the play.
    pub fn begin(&mut self, job: Box<SimulationJob>) {
        let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
        self.running.retain(|answer| answer.get().is_none());
        while self.running.len() >= threads + MORE
            && let Some(oldest) = self.running.pop_front()
        {
            oldest.wait();
        }
        let (id, job, answer) = (job.id, Arc::new(*job), Answer::default());
        let work = {
            let (job, answer) = (Arc::clone(&job), Arc::clone(&answer));
            move || {
                let ends = Ends(answer);
                let _ = ends.0.set(pilot::simulate(&job, threads));
            }
        };
        if std::thread::Builder::new().name("simulation".to_owned()).spawn(work).is_err() {
            // no thread is to be had: it is worked out here
            let _ = answer.set(pilot::simulate(&job, threads));
        }
        self.running.push_back(Arc::clone(&answer));
        self.asked.insert(id, answer);
    }

    /// Takes an answer of the log; says whether it was asked for.
    pub fn answered(&mut self, seq: u64, job: JobId, then: &SimulationAnswer) -> bool {
        let Some(now) = self.asked.remove(&job) else { return false };
        self.due.push(Due { seq, job, then: Box::new(then.clone()), now });
        true
    }

    /// Returns the answers that can be compared now, or all of them, which waits.
    pub fn comparable(&mut self, all: bool) -> Vec<Due> {
        self.due.extract_if(.., |due| all || due.now.get().is_some()).collect()
    }
}
