//! A text of JSON values cut into its entries: an array, JSON Lines, or values one after the other, with whatever else got into the file.
//!
//! ```text
//! received signal 'interrupt'            <- other text: told with its place, and stepped over
//! [ {...}, {...} ]   {...}\n{...}        <- entries
//! ```

/// Longest entry: a gNMI message of 16 MiB as base64 in indented JSON.
pub const ENTRY_BYTES_MAX: usize = 64 << 20;

/// A piece of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// `{…}` with balanced braces.
    Entry(&'a [u8]),
    /// Text that is no JSON object, without the blanks around it.
    Other(&'a [u8]),
    /// An object that does not end, or not within [`ENTRY_BYTES_MAX`].
    Open(&'a [u8]),
}

/// Cuts `text` into pieces, with the byte offset of each.
pub fn entries(text: &[u8]) -> impl Iterator<Item = (usize, Piece<'_>)> {
    let mut at = 0;
    core::iter::from_fn(move || {
        // brackets and commas of an array around the entries say nothing
        at += text.get(at..)?.iter().take_while(|b| b.is_ascii_whitespace() || matches!(b, b'[' | b']' | b',')).count();
        let rest = text.get(at..).filter(|r| !r.is_empty())?;
        let piece = if rest.starts_with(b"{") { object(rest) } else { Piece::Other(until_entry(rest)) };
        let (Piece::Entry(bytes) | Piece::Other(bytes) | Piece::Open(bytes)) = piece;
        let start = at;
        at += bytes.len().max(1);
        Some((start, piece))
    })
}

/// An object at the beginning of `text`. One that does not end reaches to where a line begins with the next.
fn object(text: &[u8]) -> Piece<'_> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for (i, byte) in text.iter().enumerate().take(ENTRY_BYTES_MAX) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            // no string of JSON goes on in the next line: a quote is missing
            b'\n' if in_string => break,
            _ if in_string => {}
            b'{' => depth += 1,
            b'}' => {
                depth -= 1;
                if depth == 0 {
                    return text.get(..=i).map_or(Piece::Open(text), Piece::Entry);
                }
            }
            _ => {}
        }
    }
    Piece::Open(until_line(text))
}

/// Returns what stands before the next line that begins with an object; all, when there is none.
#[must_use]
pub fn until_line(text: &[u8]) -> &[u8] {
    text.windows(2).position(|w| w == b"\n{").and_then(|i| text.get(..=i)).unwrap_or(text)
}

fn until_entry(text: &[u8]) -> &[u8] {
    let end = text.iter().position(|b| matches!(b, b'{' | b'[')).unwrap_or(text.len());
    text.get(..end).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<(usize, String)> {
        let show = |(at, piece): (usize, Piece<'_>)| match piece {
            Piece::Entry(b) => (at, format!("entry {}", String::from_utf8_lossy(b))),
            Piece::Other(b) => (at, format!("other {}", String::from_utf8_lossy(b))),
            Piece::Open(b) => (at, format!("open {}", String::from_utf8_lossy(b))),
        };
        entries(text.as_bytes()).map(show).collect()
    }

    #[test]
    fn arrays_lines_and_streams_give_the_same_entries() {
        for text in [r#"[{"a":1},{"b":"}"}]"#, "{\"a\":1}\n{\"b\":\"}\"}\n", r#"{"a":1}{"b":"}"}"#] {
            let texts: Vec<String> = cut(text).into_iter().map(|(_, t)| t).collect();
            assert_eq!(texts, [r#"entry {"a":1}"#, r#"entry {"b":"}"}"#], "{text}");
        }
        assert_eq!(cut(" \n"), []);
    }

    #[test]
    fn other_text_is_told_with_its_place() {
        assert_eq!(cut("\nhello\n[{}]"), [(1, "other hello\n".to_owned()), (8, "entry {}".to_owned())]);
        assert_eq!(cut("}"), [(0, "other }".to_owned())]);
    }

    #[test]
    fn an_object_that_does_not_end_costs_its_line() {
        assert_eq!(cut("{\"a\":{\n{\"b\":1}"), [(0, "open {\"a\":{\n".to_owned()), (7, "entry {\"b\":1}".to_owned())]);
        assert_eq!(cut("{\"a\n{\"b\":1}"), [(0, "open {\"a\n".to_owned()), (4, "entry {\"b\":1}".to_owned())]);
        assert_eq!(cut("{\"a"), [(0, "open {\"a".to_owned())]);
    }
}
