//! What the shell must carry out, in order.

use crate::{Event, SimulationJob};
use action::{ChangeId, DeviceId, ProposalId};
use approval::Permit;
use change::{JournalRecord, WireOp};
use network::ProbeKey;

/// One thing for the shell to do. A later effect of the same batch may rely on an earlier one having been done.
#[derive(Debug)]
pub enum Effect {
    /// Write an audit record, durably.
    Audit(audit::Record),
    /// Write a journal record, durably, before anything that follows in this batch.
    Journal(JournalRecord),
    /// Burn a permit's number for ever, before the first byte goes out.
    Burn {
        /// The permit; the executor keeps it for the whole change.
        permit: Permit,
        /// The change it is for.
        change: ChangeId,
    },
    /// Send one step to a device; its answer comes back as [`crate::Input::Wire`].
    Wire {
        /// The change.
        change: ChangeId,
        /// The device.
        device: DeviceId,
        /// Its number within the change; the answer carries it back.
        step: u32,
        /// The step.
        op: WireOp,
    },
    /// The change is over: the executor forgets its permit.
    Release {
        /// The change.
        change: ChangeId,
    },
    /// Read the running configuration of a device.
    ReadConfig {
        /// The device.
        device: DeviceId,
    },
    /// Ask for faster probes for a while.
    ProbeRate {
        /// Which.
        probe: ProbeKey,
        /// Packets per second, 1…20.
        rate_hz: u32,
        /// After this the device falls back to one a second.
        seconds: u32,
    },
    /// Compute [`crate::simulate`] away from the log; the answer comes back as [`crate::Input::Simulated`].
    Simulate(Box<SimulationJob>),
    /// Tell people.
    Publish(Event),
    /// Keep what was learned.
    Learned {
        /// The proposal behind it.
        proposal: ProposalId,
        /// The lesson.
        lesson: learning::Lesson,
    },
}
