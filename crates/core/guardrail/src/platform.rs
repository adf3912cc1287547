//! Platforms that changes are rendered and undone for as tested (K11).
//!
//! Which ones those are follows from what was tested, not from an operator's number: the configuration is edited, inverted and mapped for FRR
//! 8.4 on real routers, and read only for the others. On a platform beside it a change may be shown, and tried in a lab, where a platform
//! is qualified; in LIVE mode it is not written.

use action::DeviceId;
use config::{RouterConfig, Vendor};

use crate::{Mode, Request, Rule, Violation};

/// In words, for the operator.
const QUALIFIED: &str = "FRR 8.4";
/// Begins the line in which FRR tells its release. One whose decisions are modelled leaves no note.
const RELEASE: &str = "frr version ";

/// Judges the platform of every device that is edited.
pub fn check(request: &Request<'_>, out: &mut Vec<Violation>) {
    let edited = request.action.edits.iter().filter(|d| !d.edits.is_empty());
    for (device, config) in edited.filter_map(|d| Some((&d.device, *request.configs.get(&d.device)?))) {
        let Some(platform) = beside_the_qualified(config) else { continue };
        let detail = words(device, &platform);
        out.push(match request.mode {
            Mode::Live => Violation::block(Rule::Platform, detail),
            Mode::Shadow | Mode::Replay | Mode::Lab => Violation::warn(Rule::Platform, detail),
        });
    }
}

/// Returns the platform where it is none of the qualified ones.
fn beside_the_qualified(config: &RouterConfig) -> Option<String> {
    if config.vendor != Vendor::Frr {
        return Some(config.vendor.to_string());
    }
    let told = config.unmodelled.iter().find_map(|u| u.text.strip_prefix(RELEASE))?;
    // words of a device: the release and no more
    Some(format!("FRR {:?}", told.split_whitespace().next().unwrap_or_default().chars().take(16).collect::<String>()))
}

fn words(device: &DeviceId, platform: &str) -> String {
    format!("{device} runs {platform}: changes are qualified on {QUALIFIED} only; try it in a lab, or make this change by hand")
}
