//! What is asked of a gNMI target: its profile as a request.

use gnmi::Profile;
use gnmi::profile::{Encoding as Wanted, Mode, Subscription};
use gnmi_wire::proto::gnmi_ext;
use gnmi_wire::wire::{self, Encoding, SubscriptionMode, subscription_list};

/// Nanoseconds in a millisecond.
const NS_IN_MS: u64 = 1_000_000;

/// Makes the request that opens a stream of these rows.
pub(crate) fn stream<'a>(
    profile: &Profile,
    rows: impl IntoIterator<Item = &'a Subscription>,
    encoding: Encoding,
) -> wire::SubscribeRequest {
    let row = |s: &Subscription| {
        let mode = match s.mode {
            Mode::OnChange => SubscriptionMode::OnChange,
            Mode::Sample => SubscriptionMode::Sample,
            Mode::TargetDefined => SubscriptionMode::TargetDefined,
        };
        wire::Subscription {
            mode: mode.into(),
            sample_interval: s.interval_ms.saturating_mul(NS_IN_MS),
            heartbeat_interval: s.heartbeat_interval_ms.saturating_mul(NS_IN_MS),
            suppress_redundant: s.suppress_redundant,
            ..plain(s)
        }
    };
    let list = wire::SubscriptionList {
        subscription: rows.into_iter().map(row).collect(),
        mode: subscription_list::Mode::Stream.into(),
        updates_only: profile.updates_only,
        ..list(profile, encoding)
    };
    request(profile, list)
}

/// Makes the request that reads the paths of these rows once.
pub(crate) fn once<'a>(profile: &Profile, rows: impl IntoIterator<Item = &'a Subscription>, encoding: Encoding) -> wire::SubscribeRequest {
    let list = wire::SubscriptionList {
        subscription: rows.into_iter().map(plain).collect(),
        mode: subscription_list::Mode::Once.into(),
        ..list(profile, encoding)
    };
    request(profile, list)
}

/// Makes the request that gets one row's path.
pub(crate) fn get(profile: &Profile, row: &Subscription, encoding: Encoding) -> wire::GetRequest {
    wire::GetRequest {
        path: vec![gnmi_wire::path_to_wire(&row.path, &row.origin)],
        prefix: prefix(profile),
        encoding: encoding.into(),
        extension: depth(profile),
        ..wire::GetRequest::default()
    }
}

fn plain(row: &Subscription) -> wire::Subscription {
    wire::Subscription { path: Some(gnmi_wire::path_to_wire(&row.path, &row.origin)), ..wire::Subscription::default() }
}

fn list(profile: &Profile, encoding: Encoding) -> wire::SubscriptionList {
    wire::SubscriptionList { prefix: prefix(profile), encoding: encoding.into(), ..wire::SubscriptionList::default() }
}

fn request(profile: &Profile, list: wire::SubscriptionList) -> wire::SubscribeRequest {
    wire::SubscribeRequest { request: Some(wire::subscribe_request::Request::Subscribe(list)), extension: depth(profile) }
}

/// Where a platform keeps its data apart, the prefix that says so.
fn prefix(profile: &Profile) -> Option<wire::Path> {
    (!profile.target.is_empty()).then(|| wire::Path { target: profile.target.clone(), ..wire::Path::default() })
}

fn depth(profile: &Profile) -> Vec<gnmi_ext::Extension> {
    let extension = |level| gnmi_ext::Extension { ext: Some(gnmi_ext::extension::Ext::Depth(gnmi_ext::Depth { level })) };
    profile.depth.map(extension).into_iter().collect()
}

/// Returns the encoding's number on the wire.
pub(crate) const fn wire_encoding(encoding: Wanted) -> Encoding {
    match encoding {
        Wanted::JsonIetf => Encoding::JsonIetf,
        Wanted::Json => Encoding::Json,
        Wanted::Proto => Encoding::Proto,
        Wanted::Ascii => Encoding::Ascii,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list_of(request: wire::SubscribeRequest) -> wire::SubscriptionList {
        let Some(wire::subscribe_request::Request::Subscribe(list)) = request.request else { panic!("a subscription") };
        list
    }

    fn named(name: &str) -> Profile {
        Profile::choose(&Profile::all().unwrap(), &[], Some(name)).unwrap().clone()
    }

    /// The laboratory's nodes and all recordings of them rest on exactly these.
    #[test]
    fn our_own_nodes_are_asked_for_what_they_always_were() {
        const NI: &str = "/network-instances/network-instance[name=default]/protocols/protocol[identifier=BGP][name=BGP]/bgp";
        let profile = named("pilothouse_node");
        let request = stream(&profile, &profile.subscriptions, Encoding::JsonIetf);
        assert_eq!(request.extension, []);
        let found: Vec<(String, String, i32, u64)> = list_of(request)
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
    fn every_word_of_a_profile_reaches_the_request() {
        let text = "title = \"x\"\nis_default = true\nencodings = [\"ascii\"]\nports = [1]\ntarget = \"DB\"\nupdates_only = true\ndepth = 3\n\
                    [[subscription]]\nset = \"s\"\npath = \"/a\"\nmode = \"sample\"\ninterval_ms = 2000\nheartbeat_interval_ms = 60000\n\
                    suppress_redundant = true\n[[subscription]]\nset = \"t\"\npath = \"/b\"\nmode = \"on_change\"\nheartbeat_interval_ms = 5000\n";
        let profile = Profile::parse("x", text).unwrap();
        let request = stream(&profile, &profile.subscriptions, Encoding::Ascii);
        let level = |r: &[gnmi_ext::Extension]| match r {
            [gnmi_ext::Extension { ext: Some(gnmi_ext::extension::Ext::Depth(d)) }] => d.level,
            other => panic!("{other:?}"),
        };
        assert_eq!(level(&request.extension), 3);
        let asked = list_of(request);
        assert_eq!((asked.updates_only, asked.encoding), (true, i32::from(Encoding::Ascii)));
        assert_eq!(asked.prefix.map(|p| p.target).as_deref(), Some("DB"));
        let [sample, change] = asked.subscription.as_slice() else { panic!("two rows") };
        assert_eq!((sample.sample_interval, sample.heartbeat_interval, sample.suppress_redundant), (2_000_000_000, 60_000_000_000, true));
        assert_eq!((change.heartbeat_interval, change.suppress_redundant), (5_000_000_000, false));
        let read = once(&profile, &profile.subscriptions, Encoding::Ascii);
        assert_eq!(level(&read.extension), 3, "what is read beside the stream has the same extent");
        assert!(!list_of(read).updates_only, "reading without values would read nothing");
        assert_eq!(level(&get(&profile, &profile.subscriptions[0], Encoding::Ascii).extension), 3);
    }
}
