//! The hello exchange (RFC 6241 §8.1).

use crate::{BASE_10, BASE_11, BASE_NS, CANDIDATE, CONFIRMED_COMMIT, Element, Framing, XmlError};

/// What a peer can do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities(pub Vec<String>);

impl Capabilities {
    /// Says whether a capability is announced; parameters after `?` do not count.
    #[must_use]
    pub fn has(&self, capability: &str) -> bool {
        self.0.iter().any(|c| c.split('?').next() == Some(capability))
    }

    /// Says whether a change can be made with a way back: candidate and confirmed commit 1.1 (with `<persist>`).
    #[must_use]
    pub fn can_commit_confirmed(&self) -> bool {
        self.has(CANDIDATE) && self.has(CONFIRMED_COMMIT)
    }

    /// Returns the framing that two peers use after their hellos; `None` when they share no base version.
    #[must_use]
    pub fn framing_with(&self, other: &Self) -> Option<Framing> {
        let both = |c| self.has(c) && other.has(c);
        if both(BASE_11) { Some(Framing::Chunked) } else { both(BASE_10).then_some(Framing::EndOfMessage) }
    }
}

/// A hello message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// What the sender can do.
    pub capabilities: Capabilities,
    /// Session id; only a server gives one.
    pub session_id: Option<u32>,
}

impl Hello {
    /// Writes the message.
    #[must_use]
    pub fn render(&self) -> String {
        let list: String =
            self.capabilities.0.iter().map(|c| format!("<capability>{}</capability>", quick_xml::escape::escape(c))).collect();
        let id = self.session_id.map(|id| format!("<session-id>{id}</session-id>")).unwrap_or_default();
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><hello xmlns=\"{BASE_NS}\"><capabilities>{list}</capabilities>{id}</hello>")
    }

    /// Reads a hello.
    ///
    /// # Errors
    /// [`XmlError`] when it is none.
    pub fn parse(text: &str) -> Result<Self, XmlError> {
        let root = Element::parse(text)?;
        let wrong = |why: &str| XmlError { offset: 0, why: why.to_owned() };
        if root.name != "hello" {
            return Err(wrong(&format!("<{}> where <hello> should be", root.name)));
        }
        let list = root.child("capabilities").ok_or_else(|| wrong("hello without capabilities"))?;
        let capabilities = list.children.iter().filter(|c| c.name == "capability").map(|c| c.text.trim().to_owned()).collect();
        let session_id = root.leaf("session-id").map(|id| id.parse().map_err(|_| wrong("session-id is no number"))).transpose()?;
        Ok(Self { capabilities: Capabilities(capabilities), session_id })
    }
}
