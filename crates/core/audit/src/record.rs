//! One link of the chain.

use action::OperatorId;
use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use units::Timestamp;

use crate::canonical;

/// What the first record names as the one before it.
pub const GENESIS: Digest = Digest([0; 32]);

/// A SHA-256 digest, shown as 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(pub [u8; 32]);

/// A text that is no digest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not 64 hexadecimal digits")]
pub struct BadDigest {
    /// The text, cut to 80 characters.
    pub text: String,
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl FromStr for Digest {
    type Err = BadDigest;
    fn from_str(s: &str) -> Result<Self, BadDigest> {
        let mut bytes = [0; 32];
        match hex::decode_to_slice(s, &mut bytes) {
            Ok(()) => Ok(Self(bytes)),
            Err(_) => Err(BadDigest { text: s.chars().take(80).collect() }),
        }
    }
}

impl TryFrom<String> for Digest {
    type Error = BadDigest;
    fn try_from(s: String) -> Result<Self, BadDigest> {
        s.parse()
    }
}

impl From<Digest> for String {
    fn from(d: Digest) -> Self {
        d.to_string()
    }
}

/// One audit record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Position in the chain, from 1, without gaps.
    pub seq: u64,
    /// When it was made.
    pub at: Timestamp,
    /// Who, where a person (or a program on a person's order) was behind it.
    pub operator: Option<OperatorId>,
    /// The operator's signature over the body, where one was given.
    pub signature: Option<String>,
    /// The mode at the time (`LIVE`, `SHADOW`, `REPLAY`, `LAB`).
    pub mode: String,
    /// What kind of record (`proposed`, `approved`, `change_finished`, …).
    pub kind: String,
    /// The facts.
    pub body: Value,
    /// Digest of the record before; [`GENESIS`] for the first.
    pub prev_hash: Digest,
    /// Digest of this record.
    pub hash: Digest,
}

impl Record {
    /// Computes the digest that [`Record::hash`] must have: SHA-256 over the following, with every number as 8 bytes, big-endian.
    ///
    /// ```text
    /// "pilothouse.audit.v1" 0x00 · prev_hash (32 bytes) · seq · at (nanoseconds since 1970, two's complement)
    /// operator, signature: 0x00 when absent, else 0x01 · length in bytes · UTF-8
    /// mode, kind, body:    length in bytes · UTF-8; the body is JSON as in RFC 8785, integers with all their digits
    /// ```
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut h = Sha256::new();
        h.update(b"pilothouse.audit.v1\0");
        h.update(self.prev_hash.0);
        h.update(self.seq.to_be_bytes());
        h.update(self.at.nanos().to_be_bytes());
        optional(&mut h, self.operator.as_ref().map(OperatorId::as_str));
        optional(&mut h, self.signature.as_deref());
        framed(&mut h, &self.mode);
        framed(&mut h, &self.kind);
        let mut body = String::new();
        canonical::write(&self.body, &mut body);
        framed(&mut h, &body);
        Digest(h.finalize().into())
    }
}

fn framed(h: &mut Sha256, text: &str) {
    h.update((text.len() as u64).to_be_bytes());
    h.update(text.as_bytes());
}

fn optional(h: &mut Sha256, text: Option<&str>) {
    h.update([u8::from(text.is_some())]);
    if let Some(text) = text {
        framed(h, text);
    }
}
