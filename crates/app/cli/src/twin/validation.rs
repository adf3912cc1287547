//! What origin validation goes by: VRPs from a file or a cache, with local exceptions.

use crate::exit::Failure;
use case::beside::Beside;
use core::time::Duration;
use rtr::{File, Slurm};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Bytes of a file of VRPs; that of all RIRs has 80 MB as JSON (2026).
const FILE_BYTES_MAX: u64 = 1 << 30;
/// Longest wait for a cache's table.
const CACHE_WAIT: Duration = Duration::from_secs(60);

/// Where VRPs come from; without any of these, from `vrps` in case.json.
#[derive(Debug, Default, clap::Args)]
pub struct Validation {
    /// VRPs from a file: JSON of Routinator, rpki-client or StayRTR, or CSV. Data older than a day, or expired, count as not known.
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
        let slurm = match &self.slurm {
            Some(path) => Slurm::read(&read(path)?).map_err(|e| unread(path, &e))?,
            None => Slurm::default(),
        };
        let (from, vrps) = match (&self.vrps, &self.rtr) {
            (None, None) if self.slurm.is_some() => {
                return Err(Failure::new("PH-CLI-064", "--slurm goes over VRPs: name them by --vrps FILE or --rtr ADDRESS"));
            }
            (None, None) => return Ok(None),
            (Some(path), _) => (path.display().to_string(), File::read(&read(path)?).map_err(|e| unread(path, &e))?.at(now_s(), &slurm)),
            (None, Some(address)) => (address.clone(), fetched(address, &slurm)?),
        };
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

fn read(path: &Path) -> Result<String, Failure> {
    let length = std::fs::metadata(path).map_err(|e| unread(path, &e))?.len();
    if length > FILE_BYTES_MAX {
        return Err(Failure::new("PH-CLI-064", format!("{}: {length} bytes; at most {FILE_BYTES_MAX} are read", path.display())));
    }
    std::fs::read_to_string(path).map_err(|e| unread(path, &e))
}

fn unread(path: &Path, error: &dyn std::error::Error) -> Failure {
    Failure::new("PH-CLI-064", format!("{}: {}", path.display(), runtime::chain(error)))
}

fn now_s() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
