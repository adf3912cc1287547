//! Identifiers. Names are what the inventory says; numbers are counters inside the pilot's state, so that a replay makes the same ones.

use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Serialize};

macro_rules! name_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the name as the inventory spells it.
            #[must_use]
            pub fn new(name: impl Into<String>) -> Self {
                Self(name.into())
            }

            /// Returns the name.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(s: &str) -> Self {
                Self(s.to_owned())
            }
        }
    };
}

macro_rules! counter_id {
    ($(#[$doc:meta])* $name:ident, $letter:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($letter, "-{}"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = BadId;
            fn from_str(s: &str) -> Result<Self, BadId> {
                s.strip_prefix(concat!($letter, "-"))
                    .and_then(|n| n.parse().ok())
                    .map(Self)
                    .ok_or_else(|| BadId { form: concat!($letter, "-<number>"), text: s.chars().take(40).collect() })
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadId;
            fn try_from(s: String) -> Result<Self, BadId> {
                s.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }
    };
}

/// A text that is not an identifier of the kind asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an identifier like {form}")]
pub struct BadId {
    /// The form expected.
    pub form: &'static str,
    /// The text, cut to 40 characters.
    pub text: String,
}

name_id!(/// A router as the inventory names it (`r1`).
    DeviceId);
name_id!(/// A provider group; it may own several ASNs (`isp-b`).
    ProviderId);
name_id!(/// An exit: one link of ours to a provider, with its sessions (`r1-ispa`).
    ExitId);
name_id!(/// A target group: prefixes that are measured together (`east`).
    GroupId);
name_id!(/// The identity behind a command (`uid:1000 alice`, `auto-approve uid:0`).
    OperatorId);

counter_id!(/// A proposal on the queue, `P-1042`.
    ProposalId, "P");
counter_id!(/// A change being carried out, `C-87`.
    ChangeId, "C");
counter_id!(/// A finding, `F-3`.
    FindingId, "F");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_sayable_and_read_back() {
        assert_eq!(ProposalId(1042).to_string(), "P-1042");
        assert_eq!("C-87".parse::<ChangeId>().unwrap(), ChangeId(87));
        assert!("P-x".parse::<ProposalId>().is_err());
        assert!("C-1".parse::<ProposalId>().is_err());
    }
}
