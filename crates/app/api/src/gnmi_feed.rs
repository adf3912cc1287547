//! What is shown of a gNMI feed: its subscriptions and the certificates of its connection.

use core::fmt;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// One gNMI subscription.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct SubscriptionView {
    /// What it is for.
    pub set: String,
    /// What it asks for.
    pub path: String,
    /// `waiting`, `alive`, `quiet` (nothing came, nothing had to), `absent` (nothing ever came, nothing is there), `silent`, or
    /// `closed` where the stream is not open.
    pub state: String,
    /// Why it counts as silent or absent; may hold a target's own words: shown as text only.
    pub reason: Option<String>,
    /// A message is due this often, milliseconds; none where messages come on a change.
    #[ts(type = "number | null")]
    pub expected_ms: Option<u64>,
    /// Silent since.
    pub since: Option<String>,
    /// How it is subscribed to, where the target did not take what the profile asks for.
    #[serde(default)]
    pub instead: Option<String>,
    /// When its last message came.
    #[serde(default)]
    pub last: Option<String>,
    /// The target said that it has told all that there is.
    #[serde(default)]
    pub synced: bool,
    /// Values that the device left out because newer ones came before they were sent.
    #[serde(default)]
    #[ts(type = "number")]
    pub coalesced: u64,
    /// Notifications without content at its path.
    #[serde(default)]
    #[ts(type = "number")]
    pub empty: u64,
}

/// Days before its end from which a certificate is warned of.
const CERTIFICATE_DAYS_MIN: i64 = 30;
const DAY_NS: i64 = 86_400_000_000_000;

/// One certificate of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct CertificateView {
    /// `server`, `client` or `ca`.
    pub role: String,
    /// Its end.
    pub not_after: String,
    /// Whole days until then; negative once it is over.
    #[ts(type = "number")]
    pub days: i64,
    /// It ends within 30 days, or has ended.
    pub warns: bool,
}

impl CertificateView {
    /// Takes the certificates of a session; time is an argument.
    pub(crate) fn of(session: &network::GnmiSession, now: units::Timestamp) -> Vec<Self> {
        let row = |c: &network::CertificateEnd| {
            let days = c.not_after.nanos().saturating_sub(now.nanos()).div_euclid(DAY_NS);
            Self { role: c.role.clone(), not_after: c.not_after.to_string(), days, warns: days < CERTIFICATE_DAYS_MIN }
        };
        session.certificates.iter().map(row).collect()
    }
}

impl fmt::Display for CertificateView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { role, not_after, days, .. } = self;
        match (self.warns, *days < 0) {
            (_, true) => write!(f, "PH-COLL-049: {role} certificate ended {not_after}; renew it"),
            (true, false) => write!(f, "PH-COLL-049: {role} certificate ends in {days} days ({not_after}); renew it"),
            (false, _) => write!(f, "{role} certificate ends in {days} days"),
        }
    }
}

impl SubscriptionView {
    /// Takes the rows of a session.
    pub(crate) fn of(session: &network::GnmiSession) -> Vec<Self> {
        let row = |s: &network::SubscriptionHealth| Self {
            set: s.set.clone(),
            path: s.path.clone(),
            state: if session.connected { s.state.name() } else { "closed" }.to_owned(),
            reason: s.state.reason().map(str::to_owned),
            expected_ms: s.expected_ms,
            since: if let network::SubscriptionState::Silent { since, .. } = &s.state { Some(since.to_string()) } else { None },
            instead: s.instead.clone(),
            last: s.last.map(|t| t.to_string()),
            synced: s.synced,
            coalesced: s.coalesced,
            empty: s.empty,
        };
        session.subscriptions.iter().map(row).collect()
    }

    /// Says in a line how many are in which state, and what else is worth a look.
    pub(crate) fn summary(all: &[Self]) -> String {
        let of = |state: &str| all.iter().filter(|s| s.state == state).count();
        let states = ["alive", "quiet", "absent", "waiting", "silent", "closed"].map(|state| (of(state), state));
        let mut parts: Vec<String> = states.iter().filter(|(n, _)| *n > 0).map(|(n, state)| format!("{n} {state}")).collect();
        let sum = |count: fn(&Self) -> u64| all.iter().map(count).fold(0, u64::saturating_add);
        let instead = all.iter().filter(|s| s.instead.is_some()).count() as u64;
        let told = [(sum(|s| s.coalesced), "coalesced by the device"), (sum(|s| s.empty), "empty"), (instead, "not as asked")];
        parts.extend(told.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")));
        let synced = all.iter().filter(|s| s.synced).count();
        format!("{} gNMI subscriptions, {synced} synced: {}", all.len(), parts.join(", "))
    }
}

impl fmt::Display for SubscriptionView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.state, self.set, self.path)?;
        if let Some(instead) = &self.instead {
            write!(f, " ({instead} instead)")?;
        }
        match (&self.reason, &self.since) {
            (Some(reason), Some(since)) => write!(f, ": {reason:?}, since {since}"),
            (Some(reason), None) => write!(f, ": {reason:?}"),
            (None, _) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use network::{CertificateEnd, GnmiSession, SubscriptionHealth, SubscriptionState};
    use units::Timestamp;

    fn session() -> GnmiSession {
        let row = |set: &str, state, instead: Option<&str>| SubscriptionHealth {
            set: set.to_owned(),
            path: format!("/{set}"),
            expected_ms: None,
            last: Some(Timestamp::from_nanos(1_800_000_000_000_000_000)),
            state,
            instead: instead.map(str::to_owned),
            synced: instead.is_none(),
            coalesced: 3,
            empty: 0,
        };
        let silent = SubscriptionState::Silent { since: Timestamp::EPOCH, reason: "the value changed and was not told".to_owned() };
        let subscriptions = vec![
            row("bgp", SubscriptionState::Alive, None),
            row("cpu", SubscriptionState::Quiet, None),
            row("optics", silent, Some("SAMPLE every 10000 ms")),
            row("probes", SubscriptionState::Absent, None),
        ];
        let mut session = GnmiSession::default();
        (session.connected, session.subscriptions) = (true, subscriptions);
        session
    }

    #[test]
    fn subscriptions_are_summed_up_and_each_is_told_with_what_became_of_it() {
        let rows = SubscriptionView::of(&session());
        let expected = "4 gNMI subscriptions, 3 synced: 1 alive, 1 quiet, 1 absent, 1 silent, 12 coalesced by the device, 1 not as asked";
        assert_eq!(SubscriptionView::summary(&rows), expected);
        let told =
            "silent optics /optics (SAMPLE every 10000 ms instead): \"the value changed and was not told\", since 1970-01-01T00:00:00";
        assert!(rows[2].to_string().starts_with(told), "{}", rows[2]);
        assert!(rows[3].to_string().starts_with("absent probes /probes: \"it never told anything"), "{}", rows[3]);
        assert!(rows[0].last.as_deref().is_some_and(|t| t.starts_with("2027-01-15T08:00:00")), "{rows:?}");
    }

    #[test]
    fn a_certificate_is_warned_of_from_thirty_days_before_its_end() {
        const NOW: i64 = 1_800_000_000_000_000_000;
        let told = |in_ns: i64| {
            let end = CertificateEnd { role: "server".to_owned(), not_after: Timestamp::from_nanos(NOW + in_ns) };
            let mut session = GnmiSession::default();
            session.certificates.push(end);
            let [view] = CertificateView::of(&session, Timestamp::from_nanos(NOW)).try_into().unwrap();
            (view.days, view.warns, view.to_string())
        };
        let (days, warns, text) = told(30 * DAY_NS);
        assert_eq!((days, warns, text.as_str()), (30, false, "server certificate ends in 30 days"));
        let (days, warns, text) = told(30 * DAY_NS - 1);
        assert_eq!((days, warns), (29, true));
        assert!(text.starts_with("PH-COLL-049: server certificate ends in 29 days (2027-02-14T"), "{text}");
        let (days, warns, text) = told(-1);
        assert_eq!((days, warns), (-1, true));
        assert!(text.starts_with("PH-COLL-049: server certificate ended 2027-01-15T"), "{text}");
    }
}
