//! `pilotctl decode gnmi`: telemetry files to one JSON object an update.

use super::pieces;
use crate::exit::{Ended, Failure, Outcome};
use ::gnmi::Repairs;
use gnmi_wire::dump::{self, Record};
use std::io::{BufWriter, Write};
use std::path::PathBuf;

/// Largest file, in bytes: it is read whole.
const FILE_MAX: usize = 1 << 30;

/// Prints every record of the files.
pub fn decode(files: &[PathBuf]) -> Ended {
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut bad = false;
    for file in files {
        let mut text = Vec::new();
        pieces(file, |bytes| {
            if text.len() + bytes.len() > FILE_MAX {
                return Err(Failure::new("PH-CLI-026", format!("{} is larger than 1 GiB; split it at a line", file.display())));
            }
            text.extend_from_slice(bytes);
            Ok(())
        })?;
        let mut repairs = Repairs::default();
        let mut written = Ok(());
        dump::read(&text, &mut repairs, |record| {
            bad |= matches!(record, Record::Malformed { .. });
            if written.is_ok() {
                written = writeln!(out, "{}", record.to_json());
            }
        });
        // the reader of the pipe has seen enough
        written.map_err(|_| Failure::new("PH-CLI-022", "output was closed"))?;
    }
    out.flush().map_err(|_| Failure::new("PH-CLI-022", "output was closed"))?;
    Ok(if bad { Outcome::Partly } else { Outcome::Done })
}
