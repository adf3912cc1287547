//! What origin validation goes by: VRPs from a file or a cache, with local exceptions.

use crate::exit::Failure;
use case::beside::Beside;
use core::time::Duration;
use rtr::Slurm;
use runtime::{VrpSource, VrpsError, VrpsFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Longest wait for a cache's table.
const CACHE_WAIT: Duration = Duration::from_secs(60);

/// Where VRPs come from; without any of these, from `vrps` in case.json.
#[derive(Debug, Default, clap::Args)]
pub struct Validation {
    /// VRPs from a file: JSON of Routinator, rpki-client or StayRTR, or CSV. Data older than a day (by the file's own time where it does not
    /// say), or expired, count as not known.
    #[arg(long, value_name = "FILE", conflicts_with = "rtr")]
    vrps: Option<PathBuf>,
    /// VRPs from a cache over RPKI-to-Router (RFC 8210, RFC 6810), host:port.
    #[arg(long, value_name = "ADDRESS")]
    rtr: Option<String>,
    /// Local exceptions (RFC 8416) over them.
    #[arg(long, value_name = "FILE")]
    slurm: Option<PathBuf>,
}

impl Validation {
    /// Fetches the VRPs and puts them beside the case. Returns a sentence about them, where any were asked for; an `Err` in it: they are
    /// unavailable, and every question about them has no answer.
    pub fn put(&self, beside: &mut Beside) -> Result<Option<Result<String, String>>, Failure> {
        let slurm = runtime::read_slurm(self.slurm.as_deref()).map_err(|e| unusable(&e))?;
        let (mut from, vrps) = match (&self.vrps, &self.rtr) {
            (None, None) if self.slurm.is_some() => return Err(slurm_alone()),
            (None, None) => return Ok(None),
            (Some(path), _) => {
                let file = runtime::read_vrps(path).map_err(|e| unusable(&e))?;
                let age = if file.made_s.is_none() { " (made when the file was written: it does not say)" } else { "" };
                (format!("{}{age}", path.display()), file.or_made(written_s(path)).at(now_s(), &slurm))
            }
            (None, Some(address)) => (address.clone(), fetched(address, &slurm)?),
        };
        if let Some(path) = &self.slurm {
            let (filters, added) = (slurm.filters(), slurm.added().len());
            from = format!("{from} with local exceptions of {} ({filters} filters, {added} added)", path.display());
        }
        Ok(Some(match vrps {
            Ok(vrps) => {
                let expired = if vrps.expired() > 0 { format!(", {} more have expired", vrps.expired()) } else { String::new() };
                let said = format!("origin validation by {} VRPs of {from}{expired}", vrps.len());
                beside.vrps = Some(Arc::new(vrps));
                Ok(said)
            }
            Err(why) => {
                // what case.json says is older than what was asked for
                beside.vrps = None;
                Err(format!("origin validation is unavailable: {from}: {why}"))
            }
        }))
    }
}

impl Validation {
    /// Returns what an engine is to follow; its files are read once, so that what is wrong with them is told now.
    pub fn source(&self) -> Result<Option<VrpSource>, Failure> {
        let from = match (&self.vrps, &self.rtr) {
            (Some(path), _) => VrpsFrom::File(path.clone()),
            (None, Some(address)) => VrpsFrom::Cache(address.clone()),
            (None, None) if self.slurm.is_some() => return Err(slurm_alone()),
            (None, None) => return Ok(None),
        };
        let source = VrpSource { from, slurm: self.slurm.clone() };
        source.check().map_err(|e| unusable(&e))?;
        Ok(Some(source))
    }
}

fn slurm_alone() -> Failure {
    Failure::new("PH-CLI-068", "--slurm goes over VRPs: name them by --vrps FILE or --rtr ADDRESS")
}

fn unusable(error: &VrpsError) -> Failure {
    Failure::from_error("PH-CLI-064", error)
}

fn fetched(address: &str, slurm: &Slurm) -> Result<Result<rtr::Vrps, String>, Failure> {
    crate::engine::blocking(async {
        let mut cache = collector::RtrCache::new(address);
        match tokio::time::timeout(CACHE_WAIT, cache.next()).await {
            Err(_) => return Ok(Err(format!("no complete table within {} s", CACHE_WAIT.as_secs()))),
            Ok(Err(error)) => return Ok(Err(runtime::chain(&error))),
            Ok(Ok(())) => {}
        }
        let Some(all) = cache.vrps() else { return Ok(Err("its data expired".to_owned())) };
        if all.is_empty() && slurm.added().is_empty() {
            return Ok(Err("there are no VRPs in it".to_owned()));
        }
        Ok(Ok(rtr::Vrps::new(all.iter().filter(|v| slurm.keeps(v)).chain(slurm.added()).copied())))
    })
}

fn now_s() -> i64 {
    seconds(SystemTime::now())
}

/// When a file was written; `None` where its file system does not keep that.
fn written_s(path: &Path) -> Option<i64> {
    std::fs::metadata(path).and_then(|m| m.modified()).ok().map(seconds)
}

fn seconds(at: SystemTime) -> i64 {
    i64::try_from(at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()).unwrap_or(i64::MAX)
}
