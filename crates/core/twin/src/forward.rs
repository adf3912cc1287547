//! What becomes of packets: the ways that the solved network sends them, in the inventory's words.

use crate::Picture;
use action::{DeviceId, ExitId};
use bgp::Prefix;
use core::fmt;
use preflight::{End, Walk};
use std::collections::BTreeSet;

/// What becomes of a packet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ForwardingResult {
    /// It leaves by this exit.
    Exit {
        /// The exit.
        exit: ExitId,
    },
    /// It stays inside: the prefix is ours.
    Local,
    /// A router on the way drops it.
    BlackHole {
        /// Where and why.
        why: String,
    },
    /// It returns to a router that it passed.
    Loop {
        /// The routers of the circle.
        devices: Vec<DeviceId>,
    },
    /// The first router has no route.
    Unreachable,
}

/// Results of all equal-cost ways.
pub type Ways = BTreeSet<ForwardingResult>;

impl ForwardingResult {
    /// Says whether packets arrive somewhere.
    #[must_use]
    pub const fn works(&self) -> bool {
        matches!(self, Self::Exit { .. } | Self::Local)
    }

    /// Returns the exit, when it leaves.
    #[must_use]
    pub const fn exit(&self) -> Option<&ExitId> {
        match self {
            Self::Exit { exit } => Some(exit),
            _ => None,
        }
    }

    /// Worse results first, so that of several equal-cost ways the worst is told.
    const fn badness(&self) -> u8 {
        match self {
            Self::Loop { .. } => 4,
            Self::BlackHole { .. } => 3,
            Self::Unreachable => 2,
            Self::Local => 1,
            Self::Exit { .. } => 0,
        }
    }

    /// Says in the inventory's words where a way ends.
    pub(crate) fn of(picture: &Picture, walk: &Walk, prefix: &Prefix) -> Self {
        let name = |router: &usize| picture.devices.get(*router).cloned().unwrap_or_else(|| DeviceId::from("outside"));
        let last = || walk.routers.last().map_or_else(|| DeviceId::from("outside"), &name);
        match walk.end {
            End::Left | End::Delivered => match &walk.exit {
                Some(exit) => Self::Exit { exit: picture.exit_id(exit) },
                None => Self::Local,
            },
            End::NoRoute if walk.routers.len() < 2 => Self::Unreachable,
            End::NoRoute => Self::BlackHole { why: format!("{} has no route to {prefix}", last()) },
            End::Unresolved => Self::BlackHole { why: format!("{} does not reach the next hop of {prefix}", last()) },
            End::Null => Self::BlackHole { why: format!("null route on {} for {prefix}", last()) },
            End::Loop => {
                let again = walk.routers.last();
                let circle = walk.routers.iter().skip_while(|r| Some(*r) != again);
                let mut devices: Vec<DeviceId> = circle.map(name).collect();
                devices.pop();
                Self::Loop { devices }
            }
        }
    }
}

impl fmt::Display for ForwardingResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exit { exit } => write!(f, "{exit}"),
            Self::Local => f.write_str("local"),
            Self::BlackHole { why } => write!(f, "black hole: {why}"),
            Self::Loop { devices } => {
                f.write_str("loop:")?;
                devices.iter().try_for_each(|d| write!(f, " {d}"))
            }
            Self::Unreachable => f.write_str("unreachable"),
        }
    }
}

/// Of several ways the worst counts; of equally good ones the first.
pub fn worst(ways: &Ways) -> ForwardingResult {
    let worst = ways.iter().min_by_key(|r| (core::cmp::Reverse(r.badness()), *r));
    worst.cloned().unwrap_or(ForwardingResult::Unreachable)
}
