//! Messages under way, and the order in which routers hear of things.

use crate::plane::NONE;
use crate::solve::State;
use std::collections::{BTreeSet, VecDeque};

/// In which order routers hear of things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// What was sent first arrives first; routers begin in their order.
    First,
    /// The same, routers begin in reverse order.
    Reverse,
    /// What was sent last arrives first.
    Last,
    /// Everything under way arrives before anyone chooses.
    Together,
}

impl Schedule {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::First, Self::Reverse, Self::Last, Self::Together];
}

/// Messages under way: directions on which something is to be said. What is said is what the sender holds when it arrives.
pub(crate) struct Queue {
    pub(crate) schedule: Schedule,
    waiting: VecDeque<u32>,
    queued: Vec<bool>,
    /// The route that each router said last.
    pub(crate) sent: Vec<u32>,
    /// Sessions of later stages are down.
    pub(crate) stage: u16,
    /// Some routers wait until they have heard everything.
    pub(crate) patient: bool,
    /// Those of them that have heard something.
    pub(crate) heard: BTreeSet<usize>,
    /// Routers that choose when nothing is under way any more, and which those are.
    pub(crate) late: Vec<u32>,
    pub(crate) is_late: Vec<bool>,
}

impl Queue {
    /// An empty queue.
    pub fn new(schedule: Schedule, halves: usize) -> Self {
        let (waiting, queued) = (VecDeque::new(), vec![false; halves]);
        let (sent, late, is_late) = (Vec::new(), Vec::new(), Vec::new());
        Self { schedule, waiting, queued, sent, stage: u16::MAX, patient: false, heard: BTreeSet::new(), late, is_late }
    }

    /// The routers have said what they hold in `state`.
    pub fn hears(&mut self, state: &State) {
        (self.stage, self.patient) = (u16::MAX, false);
        self.heard.clear();
        self.sent.clear();
        self.sent.extend(state.best.iter().map(|b| if *b == NONE { NONE } else { state.slots[*b as usize].route }));
        self.is_late.resize(self.sent.len(), false);
    }

    pub(crate) fn postpone(&mut self, router: usize) {
        if !core::mem::replace(&mut self.is_late[router], true) {
            self.late.push(router as u32);
        }
    }

    pub fn push(&mut self, h: u32) {
        if !core::mem::replace(&mut self.queued[h as usize], true) {
            self.waiting.push_back(h);
        }
    }

    pub(crate) fn pop(&mut self) -> Option<u32> {
        let h = if self.schedule == Schedule::Last { self.waiting.pop_back() } else { self.waiting.pop_front() }?;
        self.queued[h as usize] = false;
        Some(h)
    }

    pub(crate) fn waiting(&self) -> Vec<u32> {
        self.waiting.iter().copied().collect()
    }

    pub(crate) fn clear(&mut self) {
        for h in self.waiting.drain(..) {
            self.queued[h as usize] = false;
        }
    }
}
