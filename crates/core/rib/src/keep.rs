//! Which routes outlive their session: graceful restart (RFC 4724, RFC 8538) and its long-lived form (RFC 9494).

use bgp::Community;
use bmp::{AfiSafi, Capability, DownReason, Notification, Open, PeerUp};
use core::time::Duration;
use serde::{Deserialize, Serialize};
use units::Timestamp;

/// NO_LLGR (RFC 9494 §4.1): the route is not kept beyond the restart time.
pub const NO_LLGR: Community = Community(0xFFFF_0007);
/// LLGR_STALE (RFC 9494 §4.1): somebody upstream keeps this route beyond the restart time.
pub const LLGR_STALE: Community = Community(0xFFFF_0006);

/// Capability codes (RFC 4724 §3, RFC 9494 §3).
const GRACEFUL_RESTART: u8 = 64;
const LONG_LIVED: u8 = 71;
/// Bits of the restart time; the flags stand above.
const RESTART_TIME: u16 = 0x0FFF;
/// The N flag: NOTIFICATIONs do not end it (RFC 8538 §2).
const NOTIFICATION_FLAG: u16 = 0x4000;
/// The F flag of a family: forwarding state was kept (RFC 4724 §3).
const FORWARDING: u8 = 0x80;
/// Cease and its subcode Hard Reset (RFC 4486, RFC 8538 §3).
const CEASE: u8 = 6;
const HARD_RESET: u8 = 9;
/// The FSM event TcpConnectionFails (RFC 4271 §8.1.4).
const TCP_CONNECTION_FAILS: u16 = 18;

/// Why routes of a peer that is down are still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "by")]
pub enum Hold {
    /// Graceful restart.
    GracefulRestart {
        /// When the restart time runs out.
        until: Timestamp,
        /// How long they are kept after it.
        #[serde(skip)]
        then: Option<Duration>,
    },
    /// Long-lived graceful restart.
    LongLived {
        /// When the stale time runs out.
        until: Timestamp,
    },
}

impl Hold {
    /// Returns when it ends.
    #[must_use]
    pub const fn until(&self) -> Timestamp {
        match self {
            Self::GracefulRestart { until, .. } | Self::LongLived { until } => *until,
        }
    }

    /// Returns the short name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::GracefulRestart { .. } => "graceful_restart",
            Self::LongLived { .. } => "long_lived",
        }
    }
}

/// What one OPEN says of restarts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Offer {
    /// Restart time and N flag, when the capability is there.
    restart: Option<(Duration, bool)>,
    /// Families and whether their forwarding state was kept.
    families: Vec<(AfiSafi, bool)>,
    /// The same of the long-lived form, with its stale time.
    long_lived: Option<Vec<(AfiSafi, bool, Duration)>>,
}

impl Offer {
    fn of(open: &Open) -> Self {
        let mut out = Self::default();
        for capability in &open.capabilities {
            match capability {
                Capability::Other(GRACEFUL_RESTART, value) => {
                    let Some((head, rest)) = value.split_first_chunk::<2>() else { continue };
                    let word = u16::from_be_bytes(*head);
                    out.restart = Some((Duration::from_secs((word & RESTART_TIME).into()), word & NOTIFICATION_FLAG != 0));
                    let (families, _) = rest.as_chunks::<4>();
                    out.families = families.iter().map(|[a, b, safi, flags]| (family(*a, *b, *safi), flags & FORWARDING != 0)).collect();
                }
                Capability::Other(LONG_LIVED, value) => {
                    let (families, _) = value.as_chunks::<7>();
                    let tuple = |[a, b, safi, flags, t0, t1, t2]: &[u8; 7]| {
                        let stale = Duration::from_secs(u32::from_be_bytes([0, *t0, *t1, *t2]).into());
                        (family(*a, *b, *safi), flags & FORWARDING != 0, stale)
                    };
                    out.long_lived = Some(families.iter().map(tuple).collect());
                }
                _ => {}
            }
        }
        out
    }
}

const fn family(high: u8, low: u8, safi: u8) -> AfiSafi {
    AfiSafi { afi: u16::from_be_bytes([high, low]), safi }
}

/// What both OPENs of a session agreed on restarts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Restart {
    ours: Offer,
    theirs: Offer,
}

impl Restart {
    pub fn of(up: &PeerUp) -> Self {
        let offer = |open: &Option<Open>| open.as_ref().map(Offer::of).unwrap_or_default();
        Self { ours: offer(&up.sent_open), theirs: offer(&up.received_open) }
    }

    /// Returns how a family is kept when the session ends for `reason` at `now`.
    pub fn hold(&self, family: AfiSafi, reason: &DownReason, now: Timestamp) -> Option<Hold> {
        let (_, our_n) = self.ours.restart?;
        let (time, their_n) = self.theirs.restart?;
        if !allows(reason, our_n && their_n) {
            return None;
        }
        let then = self.stale_time(family);
        let short = self.theirs.families.iter().any(|(f, _)| *f == family) && !time.is_zero();
        match (short, then) {
            (true, then) => Some(Hold::GracefulRestart { until: now.plus(time), then }),
            (false, Some(stale)) => Some(Hold::LongLived { until: now.plus(stale) }),
            (false, None) => None,
        }
    }

    fn stale_time(&self, family: AfiSafi) -> Option<Duration> {
        self.ours.long_lived.as_ref()?;
        let (_, _, stale) = self.theirs.long_lived.as_ref()?.iter().find(|(f, _, _)| *f == family)?;
        (!stale.is_zero()).then_some(*stale)
    }

    /// Says whether the peer that came back says that it forwarded all the time; without that the kept routes go at once
    /// (RFC 4724 §4.2, RFC 9494 §4.2).
    pub fn forwarded(&self, family: AfiSafi) -> bool {
        let long = self.theirs.long_lived.iter().flatten().map(|(f, forwarding, _)| (*f, *forwarding));
        self.theirs.families.iter().copied().chain(long).any(|(f, forwarding)| f == family && forwarding)
    }
}

/// Says whether a session that ended so may be resumed: without NOTIFICATION, or with one where both sides said so (RFC 8538 §4).
const fn allows(reason: &DownReason, notification: bool) -> bool {
    match reason {
        DownReason::RemoteNoNotification => true,
        DownReason::LocalFsmEvent(event) => *event == TCP_CONNECTION_FAILS,
        DownReason::LocalNotification(Notification { code, subcode, .. })
        | DownReason::RemoteNotification(Notification { code, subcode, .. }) => notification && !(*code == CEASE && *subcode == HARD_RESET),
        DownReason::Deconfigured | DownReason::LocalTlv(_) | DownReason::Unknown(_) => false,
    }
}
