//! The codes an operator sees, each with its cause; `docs/errors.md` says what to do.

use change::WireFault;

/// The inventory has no NETCONF server for the device.
pub const NO_ENDPOINT: &str = "PH-EXEC-001";
/// The step was not approved: no permit, another payload, or a permit that is too old.
pub const NOT_PERMITTED: &str = "PH-EXEC-003";
/// The change was sent to this device before; a commit is never repeated.
pub const SENT_BEFORE: &str = "PH-EXEC-004";
/// The vault has no secret of the name that the inventory gives.
pub const NO_SECRET: &str = "PH-EXEC-005";
/// The device could not be reached, or did not speak SSH.
pub const UNREACHABLE: &str = "PH-EXEC-010";
/// The device's host key is not the one in the inventory.
pub const HOST_KEY: &str = "PH-EXEC-011";
/// User or password were refused.
pub const LOGIN: &str = "PH-EXEC-012";
/// SSH works, NETCONF does not.
pub const NO_NETCONF: &str = "PH-EXEC-013";
/// The device lacks candidate or confirmed commit.
pub const NO_CONFIRMED_COMMIT: &str = "PH-EXEC-014";
/// Somebody else holds the lock on candidate.
pub const LOCKED: &str = "PH-EXEC-020";
/// The running configuration is not the one that the plan was made for.
pub const DRIFTED: &str = "PH-EXEC-021";
/// A step before the commit failed; running was not touched.
pub const PREPARING: &str = "PH-EXEC-022";
/// The device refused the edit.
pub const EDIT_REFUSED: &str = "PH-EXEC-023";
/// The device refused the commit, and its running configuration is the old one.
pub const COMMIT_REFUSED: &str = "PH-EXEC-024";
/// The device refused the confirm or the cancel for another reason than "nothing is pending".
pub const END_REFUSED: &str = "PH-EXEC-025";
/// The commit went out and no clean answer came.
pub const COMMIT_UNANSWERED: &str = "PH-EXEC-030";
/// The confirm or cancel went out and no clean answer came.
pub const END_UNANSWERED: &str = "PH-EXEC-031";
/// The device answered, but could not be read afterwards.
pub const READ_BACK: &str = "PH-EXEC-032";
/// The running configuration cannot be read or understood.
pub const UNREADABLE: &str = "PH-EXEC-033";

pub(crate) fn not_sent(code: &str, why: impl Into<String>) -> WireFault {
    WireFault::NotSent { code: code.to_owned(), why: why.into() }
}

pub(crate) fn refused(code: &str, why: impl Into<String>) -> WireFault {
    WireFault::Refused { code: code.to_owned(), why: why.into() }
}

pub(crate) fn unknown(code: &str, why: impl Into<String>) -> WireFault {
    WireFault::Unknown { code: code.to_owned(), why: why.into() }
}
