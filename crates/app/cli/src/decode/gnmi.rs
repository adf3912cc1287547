//! `pilotctl decode gnmi`: telemetry files to one JSON object an update.

use super::{pieces, unwritten};
use crate::exit::Failure;
use ::gnmi::Repairs;
use gnmi_wire::dump::{self, Record};
use std::io::Write;
use std::path::Path;

/// Largest file, in bytes: it is read whole.
const FILE_MAX: usize = 1 << 30;

/// Prints every record of a file; says whether part of it was bad.
pub fn print(file: &Path, out: &mut impl Write) -> Result<bool, Failure> {
    let mut text = Vec::new();
    pieces(file, |bytes| {
        if text.len() + bytes.len() > FILE_MAX {
            return Err(Failure::new("PH-CLI-027", format!("{} is larger than 1 GiB; split it at a line", file.display())));
        }
        text.extend_from_slice(bytes);
        Ok(())
    })?;
    let mut repairs = Repairs::default();
    let mut bad = false;
    let mut written = Ok(());
    dump::read(&text, &mut repairs, |record| {
        bad |= matches!(record, Record::Malformed { .. });
        if written.is_ok() {
            written = writeln!(out, "{}", record.to_json());
        }
    });
    written.map_err(|e| unwritten(&e))?;
    Ok(bad)
}
