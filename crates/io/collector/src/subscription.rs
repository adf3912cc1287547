//! What is asked of a gNMI target.

use core::time::Duration;
use gnmi_wire::wire::{self, Encoding, SubscriptionMode, subscription_list};

/// Interval of interface counters.
const COUNTERS_EVERY: Duration = Duration::from_secs(2);
/// Interval of processor and memory use.
const SYSTEM_EVERY: Duration = Duration::from_secs(5);

/// How a path is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subscribed {
    /// When it changes.
    OnChange,
    /// At an interval.
    Sample(Duration),
}

/// What the target can do, as far as we know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Encoding to ask for.
    pub encoding: Encoding,
    /// The target refused modes before: let it define them.
    pub target_defined: bool,
}

const OPENCONFIG: &str = "openconfig";
const PILOTHOUSE: &str = "pilothouse";

/// Returns origin, path and mode of everything we read.
#[must_use]
pub fn subscriptions() -> Vec<(&'static str, &'static str, Subscribed)> {
    use Subscribed::{OnChange, Sample};
    vec![
        (OPENCONFIG, "/system/state/hostname", OnChange),
        (OPENCONFIG, "/system/cpus/cpu[index=ALL]/state/total/instant", Sample(SYSTEM_EVERY)),
        (OPENCONFIG, "/system/memory/state", Sample(SYSTEM_EVERY)),
        (OPENCONFIG, "/interfaces/interface[name=*]/state/oper-status", OnChange),
        (OPENCONFIG, "/interfaces/interface[name=*]/state/admin-status", OnChange),
        (OPENCONFIG, "/interfaces/interface[name=*]/state/counters", Sample(COUNTERS_EVERY)),
        (
            OPENCONFIG,
            "/network-instances/network-instance[name=default]/protocols/protocol[identifier=BGP][name=BGP]/bgp/neighbors",
            OnChange,
        ),
        (OPENCONFIG, "/network-instances/network-instance[name=default]/protocols/protocol[identifier=BGP][name=BGP]/bgp/rib", OnChange),
        (OPENCONFIG, "/probes", OnChange),
        (PILOTHOUSE, "/volumes", OnChange),
    ]
}

/// Makes the request that opens the stream. Paths that do not parse are left out; a test holds that none is.
pub(crate) fn request(choice: Choice) -> wire::SubscribeRequest {
    let subscription = subscriptions()
        .into_iter()
        .filter_map(|(origin, path, mode)| {
            let path = gnmi_wire::path_to_wire(&path.parse().ok()?, origin);
            let (mode, interval) = match mode {
                _ if choice.target_defined => (SubscriptionMode::TargetDefined, 0),
                Subscribed::OnChange => (SubscriptionMode::OnChange, 0),
                Subscribed::Sample(every) => (SubscriptionMode::Sample, u64::try_from(every.as_nanos()).unwrap_or(u64::MAX)),
            };
            Some(wire::Subscription { path: Some(path), mode: mode.into(), sample_interval: interval, ..wire::Subscription::default() })
        })
        .collect();
    let list = wire::SubscriptionList {
        subscription,
        mode: subscription_list::Mode::Stream.into(),
        encoding: choice.encoding.into(),
        ..wire::SubscriptionList::default()
    };
    wire::SubscribeRequest { request: Some(wire::subscribe_request::Request::Subscribe(list)), ..wire::SubscribeRequest::default() }
}

/// Picks the encoding that loses least: JSON_IETF, then JSON, then PROTO. `None` when none of them is offered.
pub(crate) fn encoding(offered: &[i32]) -> Option<Encoding> {
    let order = [Encoding::JsonIetf, Encoding::Json, Encoding::Proto];
    if offered.is_empty() { Some(Encoding::JsonIetf) } else { order.into_iter().find(|e| offered.contains(&i32::from(*e))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_is_asked_for() {
        let choice = Choice { encoding: Encoding::JsonIetf, target_defined: false };
        let Some(wire::subscribe_request::Request::Subscribe(list)) = request(choice).request else { panic!("a subscription") };
        assert_eq!(list.subscription.len(), subscriptions().len());
        assert!(list.subscription.iter().any(|s| s.mode == i32::from(SubscriptionMode::Sample) && s.sample_interval == 2_000_000_000));
    }

    #[test]
    fn a_target_that_offers_only_ascii_is_not_guessed_at() {
        assert_eq!(encoding(&[Encoding::Ascii.into()]), None);
        assert_eq!(encoding(&[Encoding::Json.into(), Encoding::Proto.into()]), Some(Encoding::Json));
        assert_eq!(encoding(&[]), Some(Encoding::JsonIetf));
    }
}
