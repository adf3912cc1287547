//! `pilotctl decode mrt`: what route collectors recorded.

use super::Text;
use crate::exit::Failure;
use archive::mrt::{PeerTable, Records, bgpdump, json_of};
use std::io::Write;
use std::path::Path;

/// Prints a file's records; says whether part of it was bad.
pub fn print(file: &Path, text: Text, out: &mut impl Write) -> Result<bool, Failure> {
    let mut table = PeerTable::default();
    let (mut bad, mut printed) = (false, false);
    for record in Records::new(super::input(file)?) {
        let record = match record {
            Ok(record) => record,
            Err(e) => return super::ended(file, &e, printed),
        };
        printed = true;
        let written = match text {
            Text::Json => {
                let (values, fault) = json_of(&record, &mut table);
                bad |= fault;
                values.iter().try_for_each(|v| writeln!(out, "{v}"))
            }
            Text::Bgpdump => {
                let (lines, fault) = bgpdump::lines(&record, &mut table);
                if fault {
                    bad = true;
                    eprintln!(
                        "PH-CLI-025 {}: the record at byte {} is malformed, whole or in part; see it without --format",
                        file.display(),
                        record.offset
                    );
                }
                lines.iter().try_for_each(|l| writeln!(out, "{l}"))
            }
        };
        written.map_err(|e| super::unwritten(&e))?;
    }
    Ok(bad)
}
