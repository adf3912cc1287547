//! Feeds: one task a source, started again when it ends unexpectedly.

use crate::engine::EngineError;
use action::DeviceId;
use collector::Target;
use gnmi::Profile;
use network::{Inventory, Observation};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use vault::Vault;

/// Pause before a dialler that died is started again; a panic in one target's decoder must not stop the others.
const RESTART_AFTER: Duration = Duration::from_secs(5);

/// Folder of the operator's own gNMI profiles in the data folder.
const PROFILES: &str = "gnmi-profiles";

/// Reads the gNMI profiles: the embedded ones, and the operator's own in `gnmi-profiles` of the data folder, where there is one.
pub fn profiles(data: &Path) -> Result<Arc<[Profile]>, EngineError> {
    let folder = data.join(PROFILES);
    let own: Vec<PathBuf> = folder.is_dir().then_some(folder).into_iter().collect();
    collector::profiles(&own).map_err(EngineError::Profiles)
}

/// Makes the gNMI targets of an inventory. A target that cannot be made is told and left out; the others go on.
pub fn targets(inventory: &Inventory, secrets: &Vault, profiles: &Arc<[Profile]>) -> BTreeMap<DeviceId, Target> {
    let mut targets = BTreeMap::new();
    for spec in inventory.devices.iter() {
        let Some(endpoint) = &spec.gnmi else { continue };
        let secret = endpoint.credential.as_ref().and_then(|c| secrets.get(&c.secret));
        match Target::new(inventory, &spec.id, secret.map(|s| s.expose().to_owned())) {
            Ok(target) => drop(targets.insert(spec.id.clone(), target.with_profiles(Arc::clone(profiles)))),
            Err(error) => tracing::error!(device = %spec.id, error = %error.chain(), "gNMI target cannot be dialled"),
        }
    }
    targets
}

/// Dials every target.
pub fn dial_all(targets: &BTreeMap<DeviceId, Target>, observations: &mpsc::Sender<Observation>) -> Vec<JoinHandle<()>> {
    (1..)
        .zip(targets)
        .map(|(seed, (device, target))| {
            let (device, target, observations) = (device.clone(), target.clone(), observations.clone());
            tokio::spawn(async move {
                while !observations.is_closed() {
                    let task = tokio::spawn(collector::dial(target.clone(), seed, observations.clone()));
                    if let Err(error) = task.await
                        && error.is_panic()
                    {
                        tracing::error!(%device, "gNMI dialler died, it is started again");
                    }
                    tokio::time::sleep(RESTART_AFTER).await;
                }
            })
        })
        .collect()
}
