//! State changes of a BGP session, from whichever feed saw them.

use crate::{Session, SessionState};
use units::Timestamp;

impl Session {
    /// Takes a new state; leaving Established counts as a flap.
    pub(crate) fn enter(&mut self, state: SessionState, now: Timestamp) {
        if self.state == state {
            return;
        }
        if self.state == SessionState::Established {
            self.flaps += 1;
        }
        self.state = state;
        self.since = now;
    }
}

/// Reads the state as OpenConfig spells it (`openconfig-bgp-types:ESTABLISHED`).
pub(crate) fn state(text: &str) -> Option<SessionState> {
    Some(match text.rsplit(':').next()? {
        "IDLE" => SessionState::Idle,
        "CONNECT" => SessionState::Connect,
        "ACTIVE" => SessionState::Active,
        "OPENSENT" => SessionState::OpenSent,
        "OPENCONFIRM" => SessionState::OpenConfirm,
        "ESTABLISHED" => SessionState::Established,
        _ => return None,
    })
}
