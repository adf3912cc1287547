//! A document as a bounded tree of elements that know where they stand.

use super::{ATTRIBUTES_MAX, DEPTH_MAX, DOCUMENT_BYTES_MAX, ELEMENTS_MAX, XmlError};
use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{NamespaceResolver, ResolveResult};
use quick_xml::reader::NsReader;

/// The namespaces that mean something to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Namespace {
    /// NETCONF itself (RFC 6241).
    Base,
    /// The attributes of YANG's ordered lists (RFC 7950 §7.8.6).
    Yang,
    /// openconfig-routing-policy.
    RoutingPolicy,
    /// openconfig-bgp-policy.
    BgpPolicy,
    /// openconfig-network-instance.
    NetworkInstance,
    /// Ours.
    Pilothouse,
    /// None, or another.
    Other,
}

pub(super) const BASE: &str = "urn:ietf:params:xml:ns:netconf:base:1.0";
pub(super) const YANG: &str = "urn:ietf:params:xml:ns:yang:1";
pub(super) const ROUTING_POLICY: &str = "http://openconfig.net/yang/routing-policy";
pub(super) const BGP_POLICY: &str = "http://openconfig.net/yang/bgp-policy";
pub(super) const NETWORK_INSTANCE: &str = "http://openconfig.net/yang/network-instance";
pub(super) const PILOTHOUSE: &str = "urn:pilothouse:policy:1.0";

impl Namespace {
    /// The namespace of a YANG module, or of a container that only one module has.
    pub(super) fn of_module(module: Option<&str>, name: &str, parent: Self) -> Self {
        match (module, name) {
            (Some("openconfig-routing-policy"), _) | (None, "routing-policy") => Self::RoutingPolicy,
            (Some("openconfig-bgp-policy"), _) | (None, "bgp-defined-sets" | "bgp-conditions" | "bgp-actions") => Self::BgpPolicy,
            (Some("openconfig-network-instance"), _) | (None, "network-instances") => Self::NetworkInstance,
            (Some(_), _) => Self::Other,
            (None, _) => parent,
        }
    }

    fn of(resolved: &ResolveResult<'_>) -> Self {
        let ResolveResult::Bound(uri) = resolved else { return Self::Other };
        let known = [
            (BASE, Self::Base),
            (YANG, Self::Yang),
            (ROUTING_POLICY, Self::RoutingPolicy),
            (BGP_POLICY, Self::BgpPolicy),
            (NETWORK_INSTANCE, Self::NetworkInstance),
            (PILOTHOUSE, Self::Pilothouse),
        ];
        known.iter().find(|(name, _)| name.as_bytes() == uri.as_ref()).map_or(Self::Other, |(_, n)| *n)
    }
}

/// One element.
#[derive(Debug)]
pub(super) struct Element {
    pub(super) namespace: Namespace,
    pub(super) name: String,
    attributes: Vec<(Namespace, String, String)>,
    /// Text directly inside, without the blanks around it.
    text: String,
    children: Vec<Element>,
    offset: u64,
}

impl Element {
    /// Makes an element of a document that is not XML.
    pub(super) fn new(namespace: Namespace, name: &str, text: String, children: Vec<Self>) -> Self {
        Self { namespace, name: name.to_owned(), attributes: Vec::new(), text, children, offset: 0 }
    }

    /// The first child of a name, in whatever namespace.
    pub(super) fn one(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|c| c.name == name)
    }

    /// All children of a name.
    pub(super) fn many<'e>(&'e self, name: &'e str) -> impl Iterator<Item = &'e Self> {
        self.children.iter().filter(move |c| c.name == name)
    }

    /// What stands at a path below.
    pub(super) fn dig(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |at, name| at.one(name))
    }

    /// The entries of a list in its container: `neighbors/neighbor`.
    pub(super) fn list<'e>(&'e self, container: &'e str, entry: &'e str) -> impl Iterator<Item = &'e Self> {
        self.many(container).flat_map(move |c| c.many(entry))
    }

    /// A leaf of this entry: in `config`, or the key beside it.
    pub(super) fn leaf(&self, name: &str) -> Option<&str> {
        self.one("config").and_then(|c| c.one(name)).or_else(|| self.one(name)).map(|l| l.text.as_str()).filter(|t| !t.is_empty())
    }

    /// A leaf without the prefix of its module: `oc-bgp-types:IPV4_UNICAST`.
    pub(super) fn identity(&self, name: &str) -> Option<&str> {
        self.leaf(name).map(|t| t.rsplit(':').next().unwrap_or(t))
    }

    /// The values of a leaf-list in `config`.
    pub(super) fn values<'e>(&'e self, name: &'e str) -> impl Iterator<Item = &'e str> {
        self.one("config").into_iter().flat_map(move |c| c.many(name)).map(|l| l.text.as_str())
    }

    pub(super) fn says(&self, name: &str) -> bool {
        self.leaf(name) == Some("true")
    }

    pub(super) fn number<T: core::str::FromStr>(&self, name: &str) -> Option<T> {
        self.leaf(name)?.parse().ok()
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn children(&self) -> &[Self] {
        &self.children
    }

    pub(super) const fn offset(&self) -> u64 {
        self.offset
    }
}

/// An element together with the way to it, so that an error can name its path.
#[derive(Clone, Copy)]
pub(super) struct At<'t> {
    element: &'t Element,
    parent: Option<&'t At<'t>>,
}

impl<'t> At<'t> {
    pub(super) fn root(element: &'t Element) -> Self {
        Self { element, parent: None }
    }

    pub(super) fn is(&self, namespace: Namespace, name: &str) -> bool {
        self.element.namespace == namespace && self.element.name == name
    }

    pub(super) fn name(&self) -> &'t str {
        &self.element.name
    }

    pub(super) fn namespace(&self) -> Namespace {
        self.element.namespace
    }

    pub(super) fn text(&self) -> &'t str {
        &self.element.text
    }

    pub(super) fn all(&'t self) -> impl Iterator<Item = At<'t>> {
        self.element.children.iter().map(move |element| At { element, parent: Some(self) })
    }

    pub(super) fn children(&'t self, namespace: Namespace, name: &'static str) -> impl Iterator<Item = At<'t>> {
        self.all().filter(move |c| c.is(namespace, name))
    }

    pub(super) fn child(&'t self, namespace: Namespace, name: &'static str) -> Option<At<'t>> {
        self.children(namespace, name).next()
    }

    /// Returns the text of a child.
    pub(super) fn leaf(&'t self, namespace: Namespace, name: &'static str) -> Option<&'t str> {
        self.child(namespace, name).map(|c| c.text())
    }

    /// Returns the text of a child that must be there.
    pub(super) fn need(&'t self, namespace: Namespace, name: &'static str) -> Result<&'t str, XmlError> {
        self.leaf(namespace, name).ok_or_else(|| self.error(format!("has no {name}")))
    }

    pub(super) fn attribute(&self, namespace: Namespace, name: &str) -> Option<&'t str> {
        self.element.attributes.iter().find(|(ns, n, _)| *ns == namespace && n == name).map(|(_, _, v)| v.as_str())
    }

    /// Reads the element's own text as a value.
    pub(super) fn value<T: core::str::FromStr>(&self, what: &str) -> Result<T, XmlError> {
        self.text().parse().map_err(|_| self.error(format!("{:?} is not {what}", shorten(self.text()))))
    }

    pub(super) fn error(&self, why: String) -> XmlError {
        XmlError { path: self.path(), why, offset: self.element.offset }
    }

    fn path(&self) -> String {
        let mut names = vec![self.element.name.as_str()];
        let mut up = self.parent;
        while let Some(at) = up {
            names.push(&at.element.name);
            up = at.parent;
        }
        names.iter().rev().fold(String::new(), |path, name| path + "/" + name)
    }
}

/// Cuts a text for an error message.
pub(super) fn shorten(text: &str) -> String {
    text.chars().take(80).collect()
}

/// Reads a document, or several elements side by side.
pub(super) fn read(xml: &str) -> Result<Vec<Element>, XmlError> {
    if xml.len() > DOCUMENT_BYTES_MAX {
        let why = format!("document of {} bytes, at most {DOCUMENT_BYTES_MAX} are read", xml.len());
        return Err(XmlError { path: "/".to_owned(), why, offset: DOCUMENT_BYTES_MAX as u64 });
    }
    let mut reader = NsReader::from_str(xml);
    let mut stack = Stack::default();
    loop {
        let start = reader.buffer_position();
        let event = match reader.read_event() {
            Ok(event) => event,
            Err(e) => return Err(stack.error(e.to_string(), reader.error_position())),
        };
        match event {
            Event::Start(tag) => {
                let element = element(&tag, reader.resolver(), start).map_err(|why| stack.error(why, start))?;
                stack.push(element)?;
            }
            Event::Empty(tag) => {
                let element = element(&tag, reader.resolver(), start).map_err(|why| stack.error(why, start))?;
                stack.push(element)?;
                stack.pop();
            }
            Event::End(_) => stack.pop(),
            Event::Text(text) => {
                let text = text.xml10_content().map_err(|e| stack.error(e.to_string(), start))?;
                stack.text(&text, start)?;
            }
            Event::CData(text) => {
                let text = text.xml10_content().map_err(|e| stack.error(e.to_string(), start))?;
                stack.text(&text, start)?;
            }
            Event::GeneralRef(name) => {
                let text = reference(&name).ok_or_else(|| stack.error("entities are not read".to_owned(), start))?;
                stack.text(text.encode_utf8(&mut [0; 4]), start)?;
            }
            Event::DocType(_) => return Err(stack.error("a document type is not read".to_owned(), start)),
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
            Event::Eof => return stack.finish(xml.len() as u64),
        }
    }
}

/// Resolves a character reference or one of the five predefined entities (XML 1.0 §4.6).
fn reference(name: &quick_xml::events::BytesRef<'_>) -> Option<char> {
    if name.is_char_ref() {
        return name.resolve_char_ref().ok().flatten();
    }
    match name.decode().ok()?.as_ref() {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => None,
    }
}

fn element(tag: &BytesStart<'_>, resolver: &NamespaceResolver, offset: u64) -> Result<Element, String> {
    let (resolved, name) = resolver.resolve_element(tag.name());
    let namespace = Namespace::of(&resolved);
    let name = text_of(name.as_ref())?;
    let mut attributes = Vec::new();
    for (count, attribute) in tag.attributes().enumerate() {
        if count >= ATTRIBUTES_MAX {
            return Err(format!("more than {ATTRIBUTES_MAX} attributes"));
        }
        let attribute = attribute.map_err(|e| e.to_string())?;
        if attribute.key.as_namespace_binding().is_some() {
            continue;
        }
        let (resolved, key) = resolver.resolve_attribute(attribute.key);
        let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|e| e.to_string())?.into_owned();
        attributes.push((Namespace::of(&resolved), text_of(key.as_ref())?, value));
    }
    Ok(Element { namespace, name, attributes, text: String::new(), children: Vec::new(), offset })
}

fn text_of(bytes: &[u8]) -> Result<String, String> {
    core::str::from_utf8(bytes).map(str::to_owned).map_err(|_| "a name is not UTF-8".to_owned())
}

/// The elements that are open while reading.
#[derive(Default)]
struct Stack {
    open: Vec<Element>,
    roots: Vec<Element>,
    count: usize,
}

impl Stack {
    fn push(&mut self, element: Element) -> Result<(), XmlError> {
        self.count += 1;
        if self.open.len() >= DEPTH_MAX {
            return Err(self.error(format!("deeper than {DEPTH_MAX} levels"), element.offset));
        }
        if self.count > ELEMENTS_MAX {
            return Err(self.error(format!("more than {ELEMENTS_MAX} elements"), element.offset));
        }
        self.open.push(element);
        Ok(())
    }

    fn pop(&mut self) {
        let Some(mut done) = self.open.pop() else { return };
        let trimmed = done.text.trim();
        if trimmed.len() != done.text.len() {
            done.text = trimmed.to_owned();
        }
        match self.open.last_mut() {
            Some(parent) => parent.children.push(done),
            None => self.roots.push(done),
        }
    }

    fn text(&mut self, text: &str, offset: u64) -> Result<(), XmlError> {
        match self.open.last_mut() {
            Some(element) => element.text.push_str(text),
            None if text.trim().is_empty() => {}
            None => return Err(self.error("text outside of elements".to_owned(), offset)),
        }
        Ok(())
    }

    fn finish(self, length: u64) -> Result<Vec<Element>, XmlError> {
        if self.open.is_empty() {
            return Ok(self.roots);
        }
        Err(self.error("the document ends inside an element".to_owned(), length))
    }

    fn error(&self, why: String, offset: u64) -> XmlError {
        let path = self.open.iter().fold(String::new(), |path, e| path + "/" + &e.name);
        XmlError { path: if path.is_empty() { "/".to_owned() } else { path }, why, offset }
    }
}
