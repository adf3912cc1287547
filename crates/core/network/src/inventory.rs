//! The static knowledge: which devices, providers, exits and target groups exist and how to reach them.

use action::{DeviceId, ExitId, GroupId, ProviderId};
use bgp::{Asn, Community, Family, Prefix};
use bmp::Switched;
use core::net::IpAddr;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;
use units::Ratio;

/// Everything that is known before the first packet arrives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Inventory {
    /// Name of the site or lab.
    pub name: String,
    /// Identity of the lab instance that made these devices; `None` outside a lab. In LAB mode the executor takes only such devices.
    pub lab: Option<String>,
    /// Own AS.
    pub own_asn: Asn,
    /// Prefixes we originate.
    pub own_prefixes: Vec<Prefix>,
    /// Documentation and benchmark space that counts as public here; any other bogon on an eBGP session is flagged.
    pub public_space: Vec<Prefix>,
    /// Routers.
    pub devices: Vec<DeviceSpec>,
    /// Provider groups.
    pub providers: Vec<Provider>,
    /// Exits.
    pub exits: Vec<ExitSpec>,
    /// Target groups.
    pub groups: Vec<TargetGroup>,
    /// Prefixes that must stay announced: management, AAA, DNS, NTP. Empty: nobody named any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vital: Vec<VitalPrefix>,
    /// What communities mean at the neighbours that they are sent to. One that is not here is not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub communities: Vec<CommunityMeaning>,
    /// Failure domains (sites, chassis) by name, with their routers. Empty: nobody named any.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub failure_domains: BTreeMap<String, Vec<DeviceId>>,
}

impl Inventory {
    /// Makes the inventory of a site without anything, to begin with.
    #[must_use]
    pub fn empty(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            lab: None,
            own_asn: Asn(0),
            own_prefixes: Vec::new(),
            public_space: Vec::new(),
            devices: Vec::new(),
            providers: Vec::new(),
            exits: Vec::new(),
            groups: Vec::new(),
            vital: Vec::new(),
            communities: Vec::new(),
            failure_domains: BTreeMap::new(),
        }
    }

    /// Returns the device with this id.
    #[must_use]
    pub fn device(&self, id: &DeviceId) -> Option<&DeviceSpec> {
        self.devices.iter().find(|d| &d.id == id)
    }

    /// Returns the exit with this id.
    #[must_use]
    pub fn exit(&self, id: &ExitId) -> Option<&ExitSpec> {
        self.exits.iter().find(|e| &e.id == id)
    }

    /// Returns the provider with this id.
    #[must_use]
    pub fn provider(&self, id: &ProviderId) -> Option<&Provider> {
        self.providers.iter().find(|p| &p.id == id)
    }

    /// Returns the exit that the eBGP session of `device` with `neighbor` belongs to.
    #[must_use]
    pub fn exit_of(&self, device: &DeviceId, neighbor: IpAddr) -> Option<&ExitSpec> {
        self.exits.iter().find(|e| &e.device == device && e.neighbors.contains(&neighbor))
    }

    /// Returns the target group that `prefix` belongs to: the one with the longest covering member.
    #[must_use]
    pub fn group_of(&self, prefix: &Prefix) -> Option<&TargetGroup> {
        self.groups
            .iter()
            .filter_map(|g| g.members.iter().filter(|m| m.covers(prefix)).map(Prefix::length).max().map(|l| (l, g)))
            .max_by_key(|(l, _)| *l)
            .map(|(_, g)| g)
    }
}

/// A prefix that must never vanish.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VitalPrefix {
    /// Prefix.
    pub prefix: Prefix,
    /// What it is for, for people.
    #[serde(default)]
    pub name: String,
}

/// What a community does to a route at a neighbour AS, by that neighbour's documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommunityEffect {
    /// Traffic to the prefix is dropped (RFC 7999).
    Blackhole,
    /// It is not announced on, or not everywhere.
    NoAnnounce,
    /// Its LOCAL_PREF there changes.
    Preference,
    /// It is announced on with prepends.
    Prepend,
    /// It only says something.
    Informational,
}

/// An entry of the dictionary of communities.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommunityMeaning {
    /// AS that acts on it.
    pub asn: Asn,
    /// The community (RFC 1997), as `5678:70`.
    pub community: Community,
    /// What it does.
    pub effect: CommunityEffect,
}

/// What the neighbour at the other end of an exit is to us, by the names of RFC 9234 §3.1 and §4.1. The neighbour's role, not our own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NeighborRole {
    /// It gives us transit.
    Provider,
    /// Neither gives the other transit.
    Peer,
    /// We give it transit.
    Customer,
    /// It is a route server (RFC 7947), and we are its client.
    Rs,
    /// We are a route server, and it is our client.
    RsClient,
}

/// What a router is for (S1-041).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceRole {
    /// Holds eBGP sessions.
    Edge,
    /// Route reflector (RFC 4456).
    Reflector,
    /// Inside.
    Spine,
}

/// One router.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeviceSpec {
    /// Id (`r1`).
    pub id: DeviceId,
    /// Host name (`edge-router-01`).
    pub hostname: String,
    /// Role.
    pub role: DeviceRole,
    /// BGP identifier and IPv4 loopback.
    pub router_id: core::net::Ipv4Addr,
    /// How its BMP session is recognised; `None`: sends none.
    pub bmp: Option<BmpSource>,
    /// gNMI target.
    pub gnmi: Option<GnmiEndpoint>,
    /// NETCONF server.
    pub netconf: Option<NetconfEndpoint>,
}

/// How a BMP session is matched to a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BmpSource {
    /// Source address of the TCP connection; only these are accepted.
    pub address: IpAddr,
    /// Corrections of sender faults that are not made for this router, by name (`frr_own_as_in_front`).
    #[serde(default, skip_serializing_if = "Switched::is_all")]
    pub repairs_off: Switched,
    /// Longest message that is taken from it, bytes; `None`: [`bmp::MAX_MESSAGE_BYTES`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_max_bytes: Option<u32>,
}

impl BmpSource {
    /// Takes sessions from this address, with every correction and the usual bound.
    #[must_use]
    pub fn at(address: IpAddr) -> Self {
        Self { address, repairs_off: Switched::default(), message_max_bytes: None }
    }
}

/// A gNMI target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GnmiEndpoint {
    /// `host:port`.
    pub address: String,
    /// Transport security.
    pub tls: TlsPolicy,
    /// Metadata `username`/`password`, when the target wants them.
    pub credential: Option<Credential>,
    /// Platform profile (`arista_eos`, …) that the operator chose; `None`: told by the target's Capabilities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
}

/// Transport security of one endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "policy")]
pub enum TlsPolicy {
    /// Server certificate must chain to this CA and carry `server_name`.
    Verify {
        /// PEM file of the CA.
        ca_file: String,
        /// Name in the certificate.
        server_name: String,
        /// PEM files of the client certificate and its key, for mutual TLS.
        client: Option<(String, String)>,
    },
    /// No TLS; allowed only for loopback and labs, and shown.
    Plaintext,
}

/// A user and where its secret is kept; the secret itself never enters an inventory, a log or a capture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// User name.
    pub username: String,
    /// Key under which the vault holds the password.
    pub secret: String,
}

/// A NETCONF server over SSH (RFC 6242).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetconfEndpoint {
    /// `host:port`.
    pub address: String,
    /// User and secret.
    pub credential: Credential,
    /// Known host key as `SHA256:…` (OpenSSH fingerprint); anything else stops before authentication.
    pub host_key: String,
}

/// A provider group (S1-034: it may own several ASNs).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Provider {
    /// Id (`isp-a`).
    pub id: ProviderId,
    /// Name as shown.
    pub name: String,
    /// Its ASNs.
    pub asns: Vec<Asn>,
    /// Cost per gigabyte in the currency of the site; `None` unknown.
    pub cost_per_gb: Option<f64>,
    /// Limits of the traffic class that uses it.
    pub sla: SlaLimits,
}

/// Limits of one SLA class.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SlaLimits {
    /// One-way or half round-trip delay above which the path is degraded, milliseconds.
    pub delay_ms_max: f64,
    /// Loss above which the path is degraded, 0–1 (0.5 % is 0.005); a percentage that can be told for one is refused when it is read.
    #[serde(deserialize_with = "ratio")]
    pub loss_max: f64,
}

/// Reads a share. 1.5 meant as percent would be a limit that no loss ever reaches.
fn ratio<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    let wrong = |e: units::NotARatio| D::Error::custom(format!("loss_max: {e}; a percentage is divided by 100 first"));
    Ratio::new(f64::deserialize(from)?).map(Ratio::get).map_err(wrong)
}

/// One exit: a link of ours to a provider.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExitSpec {
    /// Id (`r1-ispa`).
    pub id: ExitId,
    /// Our router.
    pub device: DeviceId,
    /// Whose link.
    pub provider: ProviderId,
    /// Our interface.
    pub interface: String,
    /// AS at the other end.
    pub remote_as: Asn,
    /// Neighbour addresses, one per family.
    pub neighbors: Vec<IpAddr>,
    /// Capacity, bit/s.
    pub capacity_bps: u64,
    /// What the neighbour is to us (S1-021); `None`: what the router's own configuration says (RFC 9234), else a provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<NeighborRole>,
}

/// Prefixes that are measured together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetGroup {
    /// Id (`east`).
    pub id: GroupId,
    /// Prefixes in the group: those that a member covers (longest member of all groups wins).
    pub members: Vec<Prefix>,
    /// Address measured, per family.
    pub targets: Vec<IpAddr>,
}

impl TargetGroup {
    /// Returns the address measured in `family`.
    #[must_use]
    pub fn target(&self, family: Family) -> Option<IpAddr> {
        self.targets.iter().copied().find(|t| Family::of(*t) == family)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test says no by panicking")]
    use super::*;

    #[test]
    fn the_example_of_its_document_is_an_inventory_and_names_every_field() {
        let text = include_str!("../../../../docs/inventory.md");
        let (_, example) = text.split_once("```json\n").unwrap();
        let (example, rest) = example.split_once("```").unwrap();
        let read: Inventory = serde_json::from_str(example).unwrap();
        assert_eq!((read.devices.len(), read.exits.len(), read.vital.len(), read.failure_domains.len()), (1, 1, 1, 1));
        // what a field is called is in the example or in the table
        let serde_json::Value::Object(fields) = serde_json::to_value(&read).unwrap() else { unreachable!() };
        for field in fields.keys() {
            assert!(rest.contains(&format!("`{field}")) && example.contains(&format!("\"{field}\"")), "{field}");
        }
        let asked: serde_json::Value = serde_json::from_str(example).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap()["devices"], asked["devices"], "a field of the example is not read");
    }

    const EXIT: &str =
        r#"{"id":"r1-ispa","device":"r1","provider":"isp-a","interface":"e0","remote_as":1234,"neighbors":["172.31.1.0"],"capacity_bps":1"#;

    /// Inventories and states of before know no role; what is written is read by them.
    #[test]
    fn an_exit_has_a_role_by_the_names_of_rfc_9234_or_none() {
        let of = |role: &str| serde_json::from_str::<ExitSpec>(&format!("{EXIT}{role}}}"));
        assert_eq!(of("").unwrap().role, None);
        assert!(!serde_json::to_string(&of("").unwrap()).unwrap().contains("role"));
        let all = [
            ("provider", NeighborRole::Provider),
            ("peer", NeighborRole::Peer),
            ("customer", NeighborRole::Customer),
            ("rs", NeighborRole::Rs),
            ("rs-client", NeighborRole::RsClient),
        ];
        for (name, role) in all {
            let read = of(&format!(r#","role":"{name}""#)).unwrap();
            assert_eq!(read.role, Some(role));
            assert_eq!(serde_json::from_str::<ExitSpec>(&serde_json::to_string(&read).unwrap()).unwrap(), read);
        }
        let error = of(r#","role":"upstream""#).unwrap_err().to_string();
        assert!(error.contains("unknown variant `upstream`") && error.contains("`rs-client`"), "{error}");
    }

    #[test]
    fn what_nobody_named_is_empty_and_not_written() {
        let bare = serde_json::to_value(Inventory::empty("site")).unwrap();
        for field in ["vital", "communities", "failure_domains"] {
            assert!(bare.get(field).is_none(), "{field}");
        }
        let mut told = bare.clone();
        told["vital"] = serde_json::json!([{"prefix": "192.0.2.0/24"}]);
        told["communities"] = serde_json::json!([{"asn": 5678, "community": "5678:70", "effect": "no_announce"}]);
        told["failure_domains"] = serde_json::json!({"north": ["r1"]});
        let read: Inventory = serde_json::from_value(told.clone()).unwrap();
        assert_eq!(read.communities[0].effect, CommunityEffect::NoAnnounce);
        told["vital"][0]["name"] = "".into();
        assert_eq!(serde_json::to_value(&read).unwrap(), told);
    }

    /// T05: a limit in percent where a ratio is expected.
    #[test]
    fn a_loss_limit_in_percent_is_refused_when_it_is_read() {
        let read = |loss: &str| serde_json::from_str::<SlaLimits>(&format!(r#"{{"delay_ms_max":50.0,"loss_max":{loss}}}"#));
        for percent in ["1.5", "60", "100", "-0.1"] {
            let error = read(percent).unwrap_err().to_string();
            assert!(
                error.contains(&format!("loss_max: {percent} is not a ratio between 0 and 1; a percentage is divided by 100 first")),
                "{error}"
            );
        }
        assert_eq!(read("0.015").unwrap().loss_max, 0.015);
        assert_eq!((read("0").unwrap().loss_max, read("1").unwrap().loss_max), (0.0, 1.0));
    }
}
