//! Carries approved changes out over NETCONF confirmed commit (RFC 6241 §8.4), and reads devices back.
//!
//! A commit needs an [`Execution`], which is made from an [`approval::Permit`] and owns it; after a restart there is only a [`Recovery`],
//! which can read, cancel and confirm. What a device answers is believed only after it was read back in a new session. Host keys are
//! checked before a password is sent. Passwords come from the vault and go nowhere else.

mod execution;
pub mod fault;
mod running;
mod session;
mod ssh;
mod steps;

pub use execution::{Execution, NotThisLab, Recovery};
pub use running::Running;

use action::DeviceId;
use approval::Permit;
use change::{WireFault, WireOp, WireReply};
use network::{Inventory, NetconfEndpoint};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use steps::Target;
use tokio::time::Instant;
use units::Timestamp;
use vault::{Secret, Vault};

/// Reaches the devices of one inventory. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Executor {
    targets: Arc<BTreeMap<DeviceId, (NetconfEndpoint, Option<Secret>)>>,
}

impl Executor {
    /// Makes an executor for the devices of `inventory` that have a NETCONF server.
    #[must_use]
    pub fn new(inventory: &Inventory, vault: &Vault) -> Self {
        let reachable = inventory.devices.iter().filter_map(|d| d.netconf.clone().map(|n| (d.id.clone(), n)));
        let with_secret = reachable.map(|(id, n)| {
            let secret = vault.get(&n.credential.secret).cloned();
            (id, (n, secret))
        });
        Self { targets: Arc::new(with_secret.collect()) }
    }

    /// Makes an executor that may only touch the lab instance `lab`: the inventory must be that instance's, and its devices are known by
    /// the host keys made for it.
    ///
    /// # Errors
    /// [`NotThisLab`].
    pub fn for_lab(inventory: &Inventory, vault: &Vault, lab: &str) -> Result<Self, NotThisLab> {
        if inventory.lab.as_deref() == Some(lab) {
            Ok(Self::new(inventory, vault))
        } else {
            Err(NotThisLab { expected: lab.to_owned(), found: inventory.lab.clone() })
        }
    }

    /// Begins a change: the permit is spent, whatever happens next. Its number must be burnt in the ledger before.
    ///
    /// # Errors
    /// [`WireFault::NotSent`] when the permit is too old at `now`.
    pub fn begin(&self, permit: Permit, now: Timestamp) -> Result<Execution, WireFault> {
        Execution::new(self.clone(), permit, now)
    }

    /// Returns the way to finish what an earlier run began.
    #[must_use]
    pub fn recover(&self) -> Recovery {
        Recovery::new(self.clone())
    }

    /// Reads the running configuration of a device.
    ///
    /// # Errors
    /// [`WireFault::NotSent`]; nothing was changed.
    pub async fn read(&self, device: &DeviceId, within: Duration) -> Result<Running, WireFault> {
        steps::read(&self.target(device)?, Instant::now() + within).await
    }

    async fn carry_out(&self, device: &DeviceId, op: &WireOp, within: Duration) -> WireReply {
        steps::carry_out(&self.target(device)?, op, Instant::now() + within).await
    }

    fn target(&self, device: &DeviceId) -> Result<Target, WireFault> {
        let found = self.targets.get(device);
        let (endpoint, secret) =
            found.ok_or_else(|| fault::not_sent(fault::NO_ENDPOINT, format!("{device} has no NETCONF server in the inventory")))?;
        let name = &endpoint.credential.secret;
        let secret =
            secret.clone().ok_or_else(|| fault::not_sent(fault::NO_SECRET, format!("the vault has no secret {name:?} for {device}")))?;
        Ok(Target { endpoint: endpoint.clone(), secret })
    }
}
