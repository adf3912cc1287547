//! Which encoding a target really delivers: what it announces is proven with a ONCE of a small path before the stream is opened.
//!
//! Junos lists JSON_IETF and answers nothing in it (akvorado issue 759); such a target is read in the next encoding, and that is told.

use crate::dial::refused;
use crate::error::CollectError;
use crate::subscription;
use crate::target::Target;
use core::time::Duration;
use gnmi::Profile;
use gnmi::profile::{Encoding, Subscription};
use gnmi_wire::wire;
use gnmi_wire::wire::g_nmi_client::GNmiClient;
use gnmi_wire::wire::subscribe_response::Response;
use tokio_stream::StreamExt as _;
use tonic::Code;
use tonic::transport::Channel;

/// Longest wait for the first value of a small path.
const VALUE_MAX: Duration = Duration::from_secs(5);

/// The encoding to use, and what there is to say about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proven {
    pub(crate) encoding: Encoding,
    pub(crate) warning: Option<String>,
}

/// In which encoding each row is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Encodings {
    /// The one that was proven.
    usual: Encoding,
    /// What the target offers, as numbers on the wire; empty: it does not say.
    offered: Vec<i32>,
}

impl Encodings {
    pub(crate) const fn new(usual: Encoding, offered: Vec<i32>) -> Self {
        Self { usual, offered }
    }

    /// Returns the row's own encoding where the target offers it, else the one that was proven.
    fn of(&self, row: &Subscription) -> Encoding {
        row.encoding.filter(|own| is_offered(&self.offered, *own)).unwrap_or(self.usual)
    }

    /// Returns the same as its number on the wire.
    pub(crate) fn on_wire(&self, row: &Subscription) -> wire::Encoding {
        subscription::wire_encoding(self.of(row))
    }

    /// Returns rows by encoding, in the order in which these are asked for first. An encoding is one of a whole list (gNMI specification
    /// §3.5.1.2): each group is a stream of its own. With `apart`, an origin is one of a group too.
    pub(crate) fn groups(&self, profile: &Profile, rows: &[usize], apart: bool) -> Vec<(wire::Encoding, Vec<usize>)> {
        let mut groups: Vec<((wire::Encoding, &str), Vec<usize>)> = Vec::new();
        for row in rows {
            let Some(asked) = profile.subscriptions.get(*row) else { continue };
            let kind = (self.on_wire(asked), if apart { asked.origin.as_str() } else { "" });
            match groups.iter_mut().find(|(k, _)| *k == kind) {
                Some((_, group)) => group.push(*row),
                None => groups.push((kind, vec![*row])),
            }
        }
        groups.into_iter().map(|((encoding, _), group)| (encoding, group)).collect()
    }

    /// Says which rows are not asked for in the encoding that they name.
    pub(crate) fn warning(&self, profile: &Profile) -> Option<String> {
        let other = |s: &&Subscription| s.encoding.is_some_and(|own| own != self.of(s));
        let one = |s: &Subscription| format!("{} for {}", s.encoding.map_or("", Encoding::name), s.path);
        let named: Vec<String> = profile.subscriptions.iter().filter(other).map(one).collect();
        (!named.is_empty()).then(|| {
            format!(
                "PH-COLL-055: the target does not offer the encodings that its profile names ({}); {} is used",
                named.join(", "),
                self.usual.name()
            )
        })
    }
}

fn is_offered(offered: &[i32], encoding: Encoding) -> bool {
    offered.is_empty() || offered.contains(&i32::from(subscription::wire_encoding(encoding)))
}

/// What a path gave in an encoding.
enum Found {
    /// A value that we read.
    Value,
    /// The whole answer, without a value.
    Nothing,
    /// No value, and why that is the encoding's fault.
    Fault(String),
}

/// Returns the encodings to try: those of the profile first, then what else we read; only what is offered, where the target says so.
pub(crate) fn candidates(profile: &Profile, offered: &[i32]) -> Vec<Encoding> {
    let others = Encoding::ALL.into_iter().filter(|e| !profile.encodings.contains(e));
    profile.encodings.iter().copied().chain(others).filter(|e| is_offered(offered, *e)).collect()
}

/// Finds the first candidate in which the target delivers a value.
///
/// # Errors
/// The transport's; [`CollectError::Encoding`] without a candidate.
pub(crate) async fn prove(
    target: &Target,
    client: &mut GNmiClient<Channel>,
    profile: &Profile,
    candidates: &[Encoding],
) -> Result<Proven, CollectError> {
    let paths = profile.proof();
    let mut faults = Vec::new();
    for encoding in candidates {
        let mut fault = None;
        for path in &paths {
            match ask(target, client, profile, path, *encoding).await? {
                Found::Value => return Ok(Proven { encoding: *encoding, warning: fallen_back(&faults, *encoding, &paths) }),
                Found::Nothing => {}
                Found::Fault(why) => {
                    fault = Some(why);
                    break;
                }
            }
        }
        faults.push((*encoding, fault));
    }
    let first = *candidates.first().ok_or_else(|| CollectError::Encoding { device: target.device.clone() })?;
    // an answer without a value in every encoding: there is nothing at these paths, and nobody is to blame
    let blamed = faults.iter().any(|(_, fault)| fault.is_some());
    let warning =
        blamed.then(|| format!("PH-COLL-044: no encoding could be proven with ONCE{}; {} is used unproven", told(&faults), first.name()));
    Ok(Proven { encoding: first, warning })
}

fn fallen_back(faults: &[(Encoding, Option<String>)], encoding: Encoding, paths: &[&Subscription]) -> Option<String> {
    let path = paths.first().map(|s| s.path.to_string()).unwrap_or_default();
    (!faults.is_empty()).then(|| {
        format!("PH-COLL-041: encodings that the target announces do not deliver {path}{}; {} is used", told(faults), encoding.name())
    })
}

fn told(faults: &[(Encoding, Option<String>)]) -> String {
    let one = |(encoding, fault): &(Encoding, Option<String>)| format!("{}: {}", encoding.name(), fault.as_deref().unwrap_or("no value"));
    format!(" ({})", faults.iter().map(one).collect::<Vec<_>>().join("; "))
}

async fn ask(
    target: &Target,
    client: &mut GNmiClient<Channel>,
    profile: &Profile,
    path: &Subscription,
    encoding: Encoding,
) -> Result<Found, CollectError> {
    let request = subscription::once(profile, [path], subscription::wire_encoding(encoding));
    let request = target.request(tokio_stream::once(request).chain(tokio_stream::pending()))?;
    let answer = async {
        let mut unreadable = None;
        let mut stream = client.subscribe(request).await?.into_inner();
        while let Some(wire::SubscribeResponse { response: Some(response), .. }) = stream.message().await? {
            let Response::Update(update) = response else { break };
            let (read, errors) = gnmi_wire::notification_from_wire(&update);
            if !read.updates.is_empty() {
                return Ok(Found::Value);
            }
            unreadable = unreadable.or_else(|| errors.first().map(ToString::to_string));
        }
        Ok(unreadable.map_or(Found::Nothing, Found::Fault))
    };
    match tokio::time::timeout(VALUE_MAX, answer).await {
        Err(_) => Ok(Found::Fault(format!("nothing within {VALUE_MAX:?}"))),
        Ok(Ok(found)) => Ok(found),
        Ok(Err(status)) => match refused(target, "Subscribe ONCE", &status) {
            // this user may not read that path, or it is not there: says nothing about the encoding
            CollectError::Refused { code: Code::NotFound | Code::PermissionDenied, .. } => Ok(Found::Nothing),
            // what ends the stream too; anything else may be the dislike of a ONCE, and the stream may still come
            lost @ CollectError::Refused { code: Code::Unavailable | Code::Unauthenticated | Code::Cancelled, .. } => Err(lost),
            CollectError::Refused { code, message, .. } => Ok(Found::Fault(format!("{code:?}: {message:?}"))),
            other => Err(other),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gnmi_wire::wire::Encoding as Wire;

    #[test]
    fn what_is_offered_is_tried_in_the_profiles_order_and_ascii_last() {
        let all = Profile::all().unwrap();
        let of = |name: &str, offered: &[Wire]| {
            let offered: Vec<i32> = offered.iter().map(|e| i32::from(*e)).collect();
            candidates(Profile::choose(&all, &[], Some(name)).unwrap(), &offered)
        };
        assert_eq!(of("openconfig", &[Wire::Ascii]), [Encoding::Ascii]);
        assert_eq!(of("openconfig", &[Wire::Bytes]), []);
        assert_eq!(of("openconfig", &[Wire::Proto, Wire::Json]), [Encoding::Json, Encoding::Proto]);
        assert_eq!(of("openconfig", &[]), Encoding::ALL);
        assert_eq!(
            of("juniper_junos", &[Wire::JsonIetf, Wire::Ascii, Wire::Proto]),
            [Encoding::Proto, Encoding::JsonIetf, Encoding::Ascii]
        );
        assert_eq!(of("cisco_nxos", &[]).first(), Some(&Encoding::Json));
    }

    #[test]
    fn rows_with_encodings_of_their_own_go_to_streams_of_their_own() {
        let row =
            |path: &str, encoding: &str| format!("[[subscription]]\nset = \"s\"\npath = \"{path}\"\nmode = \"on_change\"\n{encoding}");
        let text = ["title = \"x\"\nis_default = true\nencodings = [\"json_ietf\"]\nports = [1]\n".to_owned()].into_iter().chain([
            row("/a", ""),
            row("/b", "encoding = \"ascii\"\n"),
            row("/c", ""),
            row("/d", "encoding = \"proto\"\n"),
            row("/e", "encoding = \"ascii\"\n"),
        ]);
        let profile = Profile::parse("x", &text.collect::<String>()).unwrap();
        let of = |offered: &[Wire]| Encodings::new(Encoding::JsonIetf, offered.iter().map(|e| i32::from(*e)).collect());
        let all: Vec<usize> = (0..5).collect();
        let silent = of(&[]);
        assert_eq!(silent.groups(&profile, &all, false), [(Wire::JsonIetf, vec![0, 2]), (Wire::Ascii, vec![1, 4]), (Wire::Proto, vec![3])]);
        assert_eq!(silent.groups(&profile, &[4, 3], false), [(Wire::Ascii, vec![4]), (Wire::Proto, vec![3])]);
        assert_eq!(silent.warning(&profile), None);
        let without_proto = of(&[Wire::JsonIetf, Wire::Ascii]);
        assert_eq!(without_proto.groups(&profile, &all, false), [(Wire::JsonIetf, vec![0, 2, 3]), (Wire::Ascii, vec![1, 4])]);
        let said = without_proto.warning(&profile).unwrap();
        assert!(said.starts_with("PH-COLL-055") && said.ends_with("(PROTO for /d); JSON_IETF is used"), "{said}");
        assert_eq!(
            profile.proof().iter().map(|s| s.path.to_string()).collect::<Vec<_>>(),
            ["/a", "/c"],
            "rows of the usual encoding prove it"
        );
    }

    #[test]
    fn origins_are_apart_where_a_target_does_not_mix_them() {
        let all = Profile::all().unwrap();
        let profile = Profile::choose(&all, &[], Some("cisco_nxos")).unwrap();
        let rows: Vec<usize> = (0..profile.subscriptions.len()).collect();
        let (native, openconfig): (Vec<usize>, Vec<usize>) = rows.iter().partition(|row| profile.subscriptions[**row].origin.is_empty());
        let encodings = Encodings::new(Encoding::Json, vec![]);
        assert_eq!(encodings.groups(profile, &rows, false), [(Wire::Json, rows.clone())]);
        assert_eq!(encodings.groups(profile, &rows, true), [(Wire::Json, openconfig), (Wire::Json, native)]);
    }

    #[test]
    fn what_is_said_names_every_encoding_and_its_fault() {
        let all = Profile::all().unwrap();
        let profile = Profile::choose(&all, &[], Some("openconfig")).unwrap();
        let faults = [(Encoding::JsonIetf, None), (Encoding::Json, Some("Unimplemented: \"no\"".to_owned()))];
        let said = fallen_back(&faults, Encoding::Proto, &profile.proof()).unwrap();
        assert!(
            said.starts_with("PH-COLL-041") && said.ends_with("(JSON_IETF: no value; JSON: Unimplemented: \"no\"); PROTO is used"),
            "{said}"
        );
        assert_eq!(fallen_back(&[], Encoding::Proto, &profile.proof()), None);
    }
}
