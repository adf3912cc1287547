//! Why the twin cannot answer.

use action::DeviceId;

/// Why a twin cannot be built or asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TwinError {
    /// The configuration of a device was never read.
    #[error("the configuration of {device} has not been read; the twin needs it (check the NETCONF connection of {device})")]
    Unread {
        /// Device.
        device: DeviceId,
    },
    /// The inventory holds no device.
    #[error("the inventory holds no device; nothing can be simulated")]
    Empty,
    /// A device runs BGP in an AS that is not ours.
    #[error("{device} runs BGP in AS {found}, the inventory says AS {expected}; correct one of them")]
    ForeignAs {
        /// Device.
        device: DeviceId,
        /// AS in its configuration.
        found: u32,
        /// Own AS in the inventory.
        expected: u32,
    },
    /// An edit names a device that the twin does not hold.
    #[error("edits for {device}, which is not in the inventory")]
    UnknownDevice {
        /// Device.
        device: DeviceId,
    },
    /// Edits do not apply to the configuration of a device.
    #[error("edits do not apply to {device}; read its configuration again and propose anew")]
    Edit {
        /// Device.
        device: DeviceId,
        /// What does not fit.
        #[source]
        source: config::edit::EditError,
    },
}
