//! A bounded XML tree that remembers where each element's content stands, so that configuration can be handed on as it came.

use quick_xml::NsReader;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::ResolveResult;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// Longest message, bytes.
pub const MESSAGE_MAX: usize = 16 << 20;
/// Deepest nesting.
const DEPTH_MAX: usize = 64;
/// Most elements in one message: with some 300 bytes each, a message of nothing but small elements takes no more than 150 MB.
const ELEMENTS_MAX: usize = 500_000;

/// A message that is no acceptable XML.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("byte {offset}: {why}")]
pub struct XmlError {
    /// Byte offset in the message.
    pub offset: u64,
    /// What is wrong.
    pub why: String,
}

/// One element.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    /// Local name.
    pub name: String,
    /// Namespace, empty when there is none.
    pub namespace: String,
    /// Attributes by local name; namespace declarations left out.
    pub attributes: BTreeMap<String, String>,
    /// Child elements.
    pub children: Vec<Element>,
    /// Text, all pieces joined.
    pub text: String,
    /// Bytes of the whole element in the message.
    outer: Range<usize>,
    /// Length of the start tag.
    tag: usize,
    /// Namespace declarations in scope, `xmlns` or `xmlns:p` to name; shared with the parent where the element declares none.
    scope: Arc<BTreeMap<String, String>>,
    /// Which of them the element's own tag makes.
    declares: Vec<String>,
}

impl Element {
    /// Reads a document with one root.
    ///
    /// # Errors
    /// [`XmlError`].
    pub fn parse(text: &str) -> Result<Self, XmlError> {
        Builder::default().run(text)
    }

    /// Returns the first child with this name.
    #[must_use]
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|c| c.name == name)
    }

    /// Returns the trimmed text of a child.
    #[must_use]
    pub fn leaf(&self, name: &str) -> Option<&str> {
        self.child(name).map(|c| c.text.trim())
    }

    /// Returns the children as XML, each with the namespace declarations it needs from outside, so that the text stands alone.
    /// `message` is the text that this tree was read from.
    #[must_use]
    pub fn inner_xml(&self, message: &str) -> String {
        self.children.iter().map(|c| c.outer_xml(message)).collect()
    }

    /// Returns the element itself as XML that stands alone.
    #[must_use]
    pub fn outer_xml(&self, message: &str) -> String {
        let Some(raw) = message.get(self.outer.clone()) else { return String::new() };
        let tag = raw.get(..self.tag).unwrap_or(raw);
        let name_end = tag.find(|c: char| c.is_whitespace() || c == '>' || c == '/').unwrap_or(tag.len());
        let mut out = String::with_capacity(raw.len() + 64);
        out.push_str(&raw[..name_end]);
        for (key, value) in self.scope.iter().filter(|(key, _)| !self.declares.contains(key)) {
            // a prefix that the content never uses needs no declaration; the default one always counts
            let used = key == "xmlns" || raw.contains(&format!("{}:", key.trim_start_matches("xmlns:")));
            if used && !value.is_empty() {
                out.push_str(&format!(" {key}=\"{}\"", quick_xml::escape::escape(value)));
            }
        }
        out.push_str(&raw[name_end..]);
        out
    }
}

#[derive(Default)]
struct Builder {
    stack: Vec<Element>,
    root: Option<Element>,
    count: usize,
}

impl Builder {
    fn run(mut self, text: &str) -> Result<Element, XmlError> {
        let fail = |offset: usize, why: String| XmlError { offset: offset as u64, why };
        if text.len() > MESSAGE_MAX {
            return Err(fail(0, format!("message is longer than {MESSAGE_MAX} bytes")));
        }
        let mut reader = NsReader::from_str(text);
        loop {
            let start = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
            let (namespace, event) = reader.read_resolved_event().map_err(|e| fail(start, format!("not well-formed: {e}")))?;
            let namespace = match namespace {
                ResolveResult::Bound(ns) => String::from_utf8_lossy(ns.as_ref()).into_owned(),
                ResolveResult::Unbound => String::new(),
                ResolveResult::Unknown(p) => return Err(fail(start, format!("prefix {:?} is not declared", String::from_utf8_lossy(&p)))),
            };
            let end = |r: &NsReader<&[u8]>| usize::try_from(r.buffer_position()).unwrap_or(usize::MAX);
            match event {
                Event::Start(tag) => {
                    let element = self.open(&tag, namespace, start..end(&reader)).map_err(|why| fail(start, why))?;
                    self.stack.push(element);
                }
                Event::Empty(tag) => {
                    let element = self.open(&tag, namespace, start..end(&reader)).map_err(|why| fail(start, why))?;
                    self.close(element).map_err(|why| fail(start, why))?;
                }
                Event::End(_) => {
                    if let Some(mut element) = self.stack.pop() {
                        element.outer.end = end(&reader);
                        self.close(element).map_err(|why| fail(start, why))?;
                    }
                }
                Event::Text(t) => self.text(&t.decode().map_err(|e| fail(start, e.to_string()))?).map_err(|why| fail(start, why))?,
                Event::CData(t) => self.text(&String::from_utf8_lossy(&t)).map_err(|why| fail(start, why))?,
                Event::GeneralRef(r) => {
                    let named = quick_xml::escape::resolve_predefined_entity(&String::from_utf8_lossy(&r)).map(str::to_owned);
                    let numbered = || r.resolve_char_ref().ok().flatten().map(String::from);
                    let refused = || fail(start, format!("entity &{}; is not accepted", String::from_utf8_lossy(&r)));
                    self.text(&named.or_else(numbered).ok_or_else(refused)?).map_err(|why| fail(start, why))?;
                }
                Event::DocType(_) => return Err(fail(start, "a document type is not accepted".to_owned())),
                Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
                Event::Eof => break,
            }
        }
        if let Some(open) = self.stack.last() {
            return Err(fail(text.len(), format!("<{}> is not closed", open.name)));
        }
        self.root.ok_or_else(|| fail(0, "no element".to_owned()))
    }

    fn open(&mut self, tag: &BytesStart<'_>, namespace: String, at: Range<usize>) -> Result<Element, String> {
        self.count += 1;
        if self.count > ELEMENTS_MAX || self.stack.len() >= DEPTH_MAX {
            return Err(format!("more than {DEPTH_MAX} levels or {ELEMENTS_MAX} elements"));
        }
        let mut element = Element {
            name: String::from_utf8_lossy(tag.local_name().as_ref()).into_owned(),
            namespace,
            tag: at.len(),
            outer: at,
            scope: self.stack.last().map(|p| p.scope.clone()).unwrap_or_default(),
            ..Element::default()
        };
        for attribute in tag.attributes() {
            let attribute = attribute.map_err(|e| format!("bad attribute: {e}"))?;
            let raw = String::from_utf8_lossy(&attribute.value).into_owned();
            let value = quick_xml::escape::unescape(&raw).map_err(|e| format!("bad attribute value: {e}"))?.into_owned();
            let key = String::from_utf8_lossy(attribute.key.as_ref()).into_owned();
            if key == "xmlns" || key.starts_with("xmlns:") {
                Arc::make_mut(&mut element.scope).insert(key.clone(), value);
                element.declares.push(key);
            } else {
                element.attributes.insert(String::from_utf8_lossy(attribute.key.local_name().as_ref()).into_owned(), value);
            }
        }
        Ok(element)
    }

    fn close(&mut self, element: Element) -> Result<(), String> {
        match self.stack.last_mut() {
            Some(parent) => parent.children.push(element),
            None if self.root.is_none() => self.root = Some(element),
            None => return Err("more than one root element".to_owned()),
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), String> {
        match self.stack.last_mut() {
            Some(current) => current.text.push_str(text),
            None if text.trim().is_empty() => {}
            None => return Err("text outside of the root element".to_owned()),
        }
        Ok(())
    }
}
