//! What is asked of a gNMI target: its profile as a request.

use gnmi::Profile;
use gnmi::profile::{Encoding as Wanted, Mode};
use gnmi_wire::wire::{self, Encoding, SubscriptionMode, subscription_list};

/// Nanoseconds in a millisecond.
const NS_IN_MS: u64 = 1_000_000;

/// What the target can do, as far as we know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Encoding to ask for.
    pub encoding: Encoding,
    /// The target refused modes before: let it define them.
    pub target_defined: bool,
}

/// Makes the request that opens the stream.
pub(crate) fn request(profile: &Profile, choice: Choice) -> wire::SubscribeRequest {
    let subscription = profile
        .subscriptions
        .iter()
        .map(|s| {
            let plain = wire::Subscription { path: Some(gnmi_wire::path_to_wire(&s.path, &s.origin)), ..wire::Subscription::default() };
            let mode = match s.mode {
                _ if choice.target_defined => return wire::Subscription { mode: SubscriptionMode::TargetDefined.into(), ..plain },
                Mode::OnChange => SubscriptionMode::OnChange,
                Mode::Sample => SubscriptionMode::Sample,
                Mode::TargetDefined => SubscriptionMode::TargetDefined,
            };
            wire::Subscription {
                mode: mode.into(),
                sample_interval: s.interval_ms.saturating_mul(NS_IN_MS),
                heartbeat_interval: s.heartbeat_interval_ms.saturating_mul(NS_IN_MS),
                suppress_redundant: s.suppress_redundant,
                ..plain
            }
        })
        .collect();
    let list = wire::SubscriptionList {
        prefix: prefix(profile),
        subscription,
        mode: subscription_list::Mode::Stream.into(),
        encoding: choice.encoding.into(),
        ..wire::SubscriptionList::default()
    };
    wire::SubscribeRequest { request: Some(wire::subscribe_request::Request::Subscribe(list)), ..wire::SubscribeRequest::default() }
}

/// Where a platform keeps its data apart, the prefix that says so.
pub(crate) fn prefix(profile: &Profile) -> Option<wire::Path> {
    (!profile.target.is_empty()).then(|| wire::Path { target: profile.target.clone(), ..wire::Path::default() })
}

/// Makes the request that reads one subscription's path once.
pub(crate) fn once(profile: &Profile, asked: &gnmi::profile::Subscription, encoding: Encoding) -> wire::SubscribeRequest {
    let path = Some(gnmi_wire::path_to_wire(&asked.path, &asked.origin));
    let list = wire::SubscriptionList {
        prefix: prefix(profile),
        subscription: vec![wire::Subscription { path, ..wire::Subscription::default() }],
        mode: subscription_list::Mode::Once.into(),
        encoding: encoding.into(),
        ..wire::SubscriptionList::default()
    };
    wire::SubscribeRequest { request: Some(wire::subscribe_request::Request::Subscribe(list)), ..wire::SubscribeRequest::default() }
}

/// Picks the first encoding of the profile that is offered. `None` when none of them is.
pub(crate) fn encoding(profile: &Profile, offered: &[i32]) -> Option<Encoding> {
    let wire = |wanted: &Wanted| match wanted {
        Wanted::JsonIetf => Encoding::JsonIetf,
        Wanted::Json => Encoding::Json,
        Wanted::Proto => Encoding::Proto,
    };
    profile.encodings.iter().map(wire).find(|e| offered.is_empty() || offered.contains(&i32::from(*e)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(name: &str, target_defined: bool) -> wire::SubscriptionList {
        let all = Profile::all().unwrap();
        let choice = Choice { encoding: Encoding::JsonIetf, target_defined };
        let request = request(Profile::choose(&all, &[], Some(name)).unwrap(), choice).request;
        let Some(wire::subscribe_request::Request::Subscribe(list)) = request else { panic!("a subscription") };
        list
    }

    /// The laboratory's nodes and all recordings of them rest on exactly these.
    #[test]
    fn our_own_nodes_are_asked_for_what_they_always_were() {
        const NI: &str = "/network-instances/network-instance[name=default]/protocols/protocol[identifier=BGP][name=BGP]/bgp";
        let found: Vec<(String, String, i32, u64)> = asked("pilothouse_node", false)
            .subscription
            .iter()
            .map(|s| {
                let path = s.path.as_ref().unwrap();
                (path.origin.clone(), gnmi_wire::path_from_wire(None, Some(path)).to_string(), s.mode, s.sample_interval)
            })
            .collect();
        let (change, sample) = (i32::from(SubscriptionMode::OnChange), i32::from(SubscriptionMode::Sample));
        let row = |path: &str, mode, interval| ("openconfig".to_owned(), path.to_owned(), mode, interval);
        assert_eq!(
            found,
            [
                row("/system/state/hostname", change, 0),
                row("/system/cpus/cpu[index=ALL]/state/total/instant", sample, 5_000_000_000),
                row("/system/memory/state", sample, 5_000_000_000),
                row("/interfaces/interface[name=*]/state/oper-status", change, 0),
                row("/interfaces/interface[name=*]/state/admin-status", change, 0),
                row("/interfaces/interface[name=*]/state/ifindex", change, 0),
                row("/interfaces/interface[name=*]/state/counters", sample, 2_000_000_000),
                row(&format!("{NI}/neighbors"), change, 0),
                row(&format!("{NI}/rib"), change, 0),
                row("/probes", change, 0),
                ("pilothouse".to_owned(), "/volumes".to_owned(), change, 0),
            ]
        );
    }

    #[test]
    fn a_target_that_refuses_modes_is_asked_with_its_own() {
        let list = asked("openconfig", true);
        assert!(list.subscription.iter().all(|s| s.mode == i32::from(SubscriptionMode::TargetDefined) && s.sample_interval == 0));
        assert_eq!(asked("sonic", false).prefix.map(|p| p.target).as_deref(), Some("OC-YANG"));
    }

    #[test]
    fn a_target_that_offers_only_ascii_is_not_guessed_at() {
        let all = Profile::all().unwrap();
        let of = |name| Profile::choose(&all, &[], Some(name)).unwrap();
        assert_eq!(encoding(of("openconfig"), &[Encoding::Ascii.into()]), None);
        assert_eq!(encoding(of("openconfig"), &[Encoding::Json.into(), Encoding::Proto.into()]), Some(Encoding::Json));
        assert_eq!(encoding(of("openconfig"), &[]), Some(Encoding::JsonIetf));
        assert_eq!(encoding(of("juniper_junos"), &[Encoding::JsonIetf.into(), Encoding::Proto.into()]), Some(Encoding::Proto));
    }
}
