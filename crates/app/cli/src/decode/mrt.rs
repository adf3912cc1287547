//! `pilotctl decode mrt`: what route collectors recorded.

use super::Text;
use crate::exit::Failure;
use archive::mrt::{PeerTable, Records, bgpdump, json_of};
use std::io::Write;
use std::path::Path;

/// Prints a file's records; says whether part of it was bad.
pub fn print(file: &Path, text: Text, out: &mut impl Write) -> Result<bool, Failure> {
    let mut table = PeerTable::default();
    let mut bad = false;
    for record in Records::new(super::input(file)?) {
        let record = record.map_err(|e| {
            Failure::new("PH-CLI-024", format!("{}: {}; what came before it is printed", file.display(), runtime::chain(&e)))
        })?;
        let written = match text {
            Text::Json => {
                let (values, fault) = json_of(&record, &mut table);
                bad |= fault;
                values.iter().try_for_each(|v| writeln!(out, "{v}"))
            }
            Text::Bgpdump => match bgpdump::lines(&record, &mut table) {
                Some(lines) => lines.iter().try_for_each(|l| writeln!(out, "{l}")),
                None => {
                    bad = true;
                    eprintln!("PH-CLI-025 {}: the record at byte {} is malformed; see it without --format", file.display(), record.offset);
                    Ok(())
                }
            },
        };
        written.map_err(|_| super::closed())?;
    }
    Ok(bad)
}
