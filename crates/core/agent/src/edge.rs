//! Up and down of interfaces and peers.

use crate::latch::{Holds, Latch, Sign, Turned};
use network::{Interface, Session, SessionState};
use units::Timestamp;

/// What is read of a thing with an up and a down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// Up; `None`: not reported.
    pub up: Option<bool>,
    /// Shut by an operator.
    pub shut: bool,
    /// Times it went down since the beginning, where that is counted.
    pub downs: u64,
}

impl From<&Interface> for State {
    fn from(i: &Interface) -> Self {
        Self { up: i.oper_up, shut: i.admin_up == Some(false), downs: 0 }
    }
}

impl From<&Session> for State {
    fn from(s: &Session) -> Self {
        Self { up: Some(s.state == SessionState::Established), shut: s.admin_down, downs: s.flaps }
    }
}

/// What is remembered of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Memory {
    /// It was up since it was last shut: only what was up can go down.
    seen_up: bool,
    /// [`State::downs`] at the last look; `None`: never looked.
    downs: Option<u64>,
}

/// Takes one reading.
pub fn step(latch: &mut Latch, memory: &mut Memory, state: State, now: Timestamp, holds: Holds) -> Option<Turned> {
    let before = memory.downs.replace(state.downs);
    if state.shut {
        memory.seen_up = false;
        return latch.end();
    }
    let up = state.up?;
    // down and up again between two looks: the count shows it
    let dip = (up && memory.seen_up && before.is_some_and(|b| state.downs > b)).then(|| latch.step(Sign::Bad, now, holds));
    memory.seen_up |= up;
    let sign = match up {
        true => Sign::Good,
        false if memory.seen_up => Sign::Bad,
        false => return None,
    };
    let turned = latch.step(sign, now, holds);
    dip.flatten().or(turned)
}
