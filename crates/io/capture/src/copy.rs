//! A copy of a capture for somebody elsewhere.

use crate::redact::INSTEAD;
use crate::{About, CaptureError, Names, Pseudonyms, Reader, Writer, redact};
use pilot::Input;
use serde_json::Value;
use std::path::Path;

/// What became of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Copied {
    /// Inputs; states kept on the way are left out, a replay makes them again.
    pub inputs: u64,
    /// Texts that were replaced.
    pub texts: u64,
    /// Names of routers that were replaced.
    pub names: usize,
    /// Bytes of an unfinished frame at the end.
    pub lost_tail_bytes: u64,
}

/// Writes a copy without the texts that people wrote and without what routers call themselves ([`redact`], [`Names`]); two looks at the
/// file. What stands before a damage is copied.
///
/// # Errors
/// [`CaptureError`] at the first damage; [`CaptureError::NameIsWord`], and then there is no copy.
pub fn copy_redacted(file: &Path, copy: &Path) -> Result<Copied, CaptureError> {
    let mut names = Names::default();
    // damage ends the copy, too, and is told there
    Reader::<Value>::open(file)?.map_while(Result::ok).for_each(|entry| names.note(&entry.body));
    let put = names.pseudonyms();
    let doubtful = put.doubtful();
    let mut reader = Reader::<Value>::open(file)?;
    let site = reader.about().site.as_ref().map(|_| INSTEAD.to_owned());
    let about = About { redacted: true, site, ..reader.about().clone() };
    let mut writer = Writer::create_with(copy, &about)?;
    let mut done = Copied { inputs: 0, texts: 0, names: put.len(), lost_tail_bytes: 0 };
    for entry in &mut reader {
        let mut entry = match entry {
            Ok(entry) => entry,
            Err(damage) => {
                // what came before the damage is a copy worth having
                writer.flush_durable()?;
                return Err(damage);
            }
        };
        done.texts += redact(&mut entry.body);
        let before = (!doubtful.is_empty()).then(|| entry.body.clone());
        put.put(&mut entry.body);
        if before.is_some_and(|before| !reads_the_same(before, &entry.body, &put)) {
            // half a copy would be sent all the same
            let _ = std::fs::remove_file(copy);
            return Err(CaptureError::NameIsWord { path: file.to_owned(), seq: entry.seq, names: doubtful.join(", ") });
        }
        writer.append(entry.seq, entry.at, &entry.body)?;
        done.inputs += 1;
    }
    if reader.finished() { writer.finish() } else { writer.flush_durable() }?;
    Ok(Copied { lost_tail_bytes: reader.lost_tail(), ..done })
}

/// Says whether the input with its names replaced is read as what it was, with its names replaced: no field and no kind was called like a
/// router.
fn reads_the_same(before: Value, after: &Value, put: &Pseudonyms) -> bool {
    let read = |value: Value| serde_json::from_value::<Input>(value).ok().and_then(|input| serde_json::to_value(input).ok());
    let Some(mut expected) = read(before) else { return true };
    put.put(&mut expected);
    read(after.clone()).is_some_and(|found| found == expected)
}
