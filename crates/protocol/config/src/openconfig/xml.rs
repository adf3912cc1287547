//! Writing XML text.

/// A document being written: no blanks between elements, so that the same values give the same bytes.
#[derive(Default)]
pub(super) struct Xml {
    out: String,
}

impl Xml {
    /// Writes a start tag; `attributes` as they shall stand, each with a blank in front.
    pub(super) fn open(&mut self, name: &str, attributes: &str) {
        self.out.push('<');
        self.out.push_str(name);
        self.out.push_str(attributes);
        self.out.push('>');
    }

    pub(super) fn close(&mut self, name: &str) {
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push('>');
    }

    pub(super) fn leaf(&mut self, name: &str, text: &str) {
        self.leaf_with(name, "", text);
    }

    pub(super) fn leaf_with(&mut self, name: &str, attributes: &str, text: &str) {
        self.open(name, attributes);
        escape(text, &mut self.out);
        self.close(name);
    }

    pub(super) fn within(&mut self, name: &str, attributes: &str, content: impl FnOnce(&mut Self)) {
        self.open(name, attributes);
        content(self);
        self.close(name);
    }

    pub(super) fn finish(self) -> String {
        self.out
    }
}

/// Writes an attribute with a blank in front.
pub(super) fn attribute(name: &str, value: &str) -> String {
    let mut out = format!(" {name}=\"");
    escape(value, &mut out);
    out.push('"');
    out
}

/// Writes text so that a reader gets the same text; characters that XML 1.0 §2.2 does not allow become U+FFFD.
fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' => out.push_str("&#9;"),
            '\n' => out.push_str("&#10;"),
            '\r' => out.push_str("&#13;"),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
}
