//! Up and down of interfaces and peers.

use crate::latch::{Holds, Latch, Sign, Turned};
use core::time::Duration;
use network::{Interface, Session, SessionState};
use units::Timestamp;

/// A time of the last change that moves by less is the same one: some systems work it out from their uptime, and it trembles.
const CHANGE_MIN: Duration = Duration::from_secs(1);

/// What is read of a thing with an up and a down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// Up; `None`: not reported.
    pub up: Option<bool>,
    /// Shut by an operator.
    pub shut: bool,
    /// Times it went down since the beginning, where that is counted.
    pub downs: u64,
    /// When its state last changed, by the device, where that is told.
    pub changed: Option<Timestamp>,
}

impl From<&Interface> for State {
    fn from(i: &Interface) -> Self {
        Self { up: i.oper_up, shut: i.admin_up == Some(false), downs: 0, changed: i.last_change }
    }
}

impl From<&Session> for State {
    fn from(s: &Session) -> Self {
        Self { up: Some(s.state == SessionState::Established), shut: s.admin_down, downs: s.flaps, changed: None }
    }
}

/// What is remembered of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Memory {
    /// It was up since it was last shut: only what was up can go down.
    seen_up: bool,
    /// [`State::downs`] at the last look; `None`: never looked.
    downs: Option<u64>,
    /// [`State::up`] at the last look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    up: Option<bool>,
    /// [`State::changed`] when it was last told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    changed: Option<Timestamp>,
    /// Changes of state that were seen less those that were told by [`State::changed`], −1…1: the two leaves of one change may come one
    /// after the other, in either order.
    #[serde(default, skip_serializing_if = "is_even")]
    ahead: i8,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_even(ahead: &i8) -> bool {
    *ahead == 0
}

impl Memory {
    /// Takes one reading; says whether the device tells of a change that no look has seen.
    fn unseen_change(&mut self, state: State) -> bool {
        let seen = self.up.is_some() && state.up.is_some() && self.up != state.up;
        let told = self.changed.zip(state.changed).is_some_and(|(before, now)| now.since(before) >= CHANGE_MIN);
        self.up = state.up;
        self.changed = state.changed.or(self.changed);
        let ahead = self.ahead + i8::from(seen);
        self.ahead = (ahead - i8::from(told)).clamp(-1, 1);
        told && ahead <= 0
    }
}

/// Takes one reading.
pub fn step(latch: &mut Latch, memory: &mut Memory, state: State, now: Timestamp, holds: Holds) -> Option<Turned> {
    let before = memory.downs.replace(state.downs);
    let unseen = memory.unseen_change(state);
    if state.shut {
        memory.seen_up = false;
        return latch.end();
    }
    let up = state.up?;
    // down and up again between two looks: the count shows it, or the time of the last change
    let dipped = unseen || before.is_some_and(|b| state.downs > b);
    let dip = (up && memory.seen_up && dipped).then(|| latch.step(Sign::Bad, now, holds));
    memory.seen_up |= up;
    let sign = match up {
        true => Sign::Good,
        false if memory.seen_up => Sign::Bad,
        false => return None,
    };
    let turned = latch.step(sign, now, holds);
    dip.flatten().or(turned)
}
