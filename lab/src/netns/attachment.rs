//! What stands beside the routers: relay, reflector, faces, volumes, traffic.

use super::{LabError, LabInstance, Options};

pub(super) fn start(_lab: &mut LabInstance, _options: &Options) -> Result<(), LabError> {
    Ok(())
}
