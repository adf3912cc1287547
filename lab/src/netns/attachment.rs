//! What stands beside the routers: the relay to the host, the reflector, the faces with their probes and volumes, and traffic.

use super::boot::{subcommand, wait_for};
use super::command::run;
use super::config::BMP_TARGET;
use super::credential::{self, Authority};
use super::process::start as start_process;
use super::wiring::management_address;
use super::{LabError, LabInstance, Options, make_dir, write_file};
use crate::face::{FaceConfig, ProbeConfig, VolumeConfig};
use crate::reflector::ReflectorConfig;
use crate::relay::{self, Forward, Ports};
use crate::topology::{DeviceEndpoints, Endpoints, Exit, Node, Role};
use crate::traffic;
use action::DeviceId;
use bgp::{Family, Prefix};
use network::{BmpSource, Credential, DeviceRole, GnmiEndpoint, NetconfEndpoint, TlsPolicy};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// Ports of a face in its router's namespace (IANA: gNMI 9339 is younger than the 57400 routers use; NETCONF over SSH, RFC 6242).
const GNMI_PORT: u16 = 57400;
const NETCONF_PORT: u16 = 830;
/// STAMP (RFC 8762 §4.1).
const PROBE_PORT: u16 = 862;
/// The user of the faces.
pub(crate) const USER: &str = "pilothouse";
/// Seconds between two writings of an exit's volumes.
const VOLUME_EVERY_S: u32 = 5;

/// Keys of one router's face.
pub(crate) struct Keys {
    pub(crate) password: String,
    pub(crate) fingerprint: String,
    pub(crate) tls: Option<(PathBuf, PathBuf)>,
    pub(crate) host_key: PathBuf,
}

/// Starts everything that stands beside the routers and fills in the inventory.
pub(super) fn start(lab: &mut LabInstance, options: &Options) -> Result<(), LabError> {
    let keys = if options.faces { make_keys(lab, options.plaintext)? } else { BTreeMap::new() };
    let ports = start_relay(lab, options.faces)?;
    let endpoints = endpoints(lab, &ports, &keys);
    lab.inventory = lab.topology.inventory(&endpoints);
    lab.save()?;
    let remote = lab.topology.remote().map(|n| n.id.clone()).unwrap_or_default();
    subcommand(lab, "traffic-sink", Some(&remote), &traffic::Config::Sink)?;
    if options.faces {
        let targets = lab.topology.groups.iter().flat_map(|g| g.targets.clone()).collect();
        subcommand(lab, "reflector", Some(&remote), &ReflectorConfig { targets, port: PROBE_PORT })?;
        start_volumes(lab)?;
        start_faces(lab, &keys)?;
    }
    if options.traffic {
        start_traffic(lab)?;
    }
    Ok(())
}

pub(crate) fn make_keys(lab: &LabInstance, plaintext: bool) -> Result<BTreeMap<String, Keys>, LabError> {
    let dir = lab.dir.join("keys");
    make_dir(&dir)?;
    let authority = Authority::make(&lab.id, &dir.join("ca.pem"))?;
    let mut all = BTreeMap::new();
    for node in lab.topology.own_nodes() {
        let (pem, key, host_key) =
            (dir.join(format!("{}.pem", node.id)), dir.join(format!("{}.key", node.id)), dir.join(format!("{}.ssh", node.id)));
        authority.issue(&node.hostname, &pem, &key)?;
        let fingerprint = credential::host_key(&host_key)?;
        let tls = (!plaintext).then_some((pem, key));
        all.insert(node.id.clone(), Keys { password: credential::password()?, fingerprint, tls, host_key });
    }
    let secrets: BTreeMap<String, &str> = all.iter().map(|(node, k)| (secret_name(lab, node), k.password.as_str())).collect();
    let path = lab.dir.join("secrets.json");
    let bytes = serde_json::to_vec_pretty(&secrets).map_err(|source| LabError::Format { path: path.clone(), source })?;
    write_file(&path, &bytes, 0o600)?;
    Ok(all)
}

/// Under which name the vault holds the password of a router.
pub(crate) fn secret_name(lab: &LabInstance, node: &str) -> String {
    format!("lab-{}-{node}", lab.id)
}

fn start_relay(lab: &mut LabInstance, faces: bool) -> Result<Ports, LabError> {
    let own: Vec<(String, Ipv4Addr)> =
        lab.topology.own_nodes().enumerate().filter_map(|(i, n)| Some((n.id.clone(), management_address(i).parse().ok()?))).collect();
    let forward = |(node, address): &(String, Ipv4Addr)| {
        [("gnmi", GNMI_PORT), ("netconf", NETCONF_PORT)]
            .map(|(service, port)| Forward { name: format!("{node}/{service}"), to: SocketAddr::new((*address).into(), port) })
    };
    let config = relay::Config {
        control: lab.run_dir.join("relay.sock"),
        ports: lab.run_dir.join("ports.json"),
        namespace: lab.namespace("mgmt"),
        bmp_listen: SocketAddr::new(BMP_TARGET.0.parse().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)), BMP_TARGET.1),
        bmp_sources: own.iter().map(|(_, a)| (*a, bmp_source(*a))).collect(),
        forwards: own.iter().filter(|_| faces).flat_map(forward).collect(),
    };
    subcommand(lab, "relay", None, &config)?;
    wait_for(lab, &config.control, "relay")?;
    let bytes = std::fs::read(&config.ports).map_err(|source| LabError::File { doing: "read", path: config.ports.clone(), source })?;
    serde_json::from_slice(&bytes).map_err(|source| LabError::Format { path: config.ports, source })
}

/// Router N of the management network speaks BMP from 127.99.0.N on the host.
const fn bmp_source(management: Ipv4Addr) -> Ipv4Addr {
    Ipv4Addr::new(127, 99, 0, management.octets()[3])
}

fn endpoints(lab: &LabInstance, ports: &Ports, keys: &BTreeMap<String, Keys>) -> Endpoints {
    let device = |(i, node): (usize, &Node)| {
        let management: Ipv4Addr = management_address(i).parse().ok()?;
        let keys = keys.get(&node.id);
        let credential = || Credential { username: USER.to_owned(), secret: secret_name(lab, &node.id) };
        let port = |service: &str| ports.get(&format!("{}/{service}", node.id)).map(ToString::to_string);
        let reached = DeviceEndpoints {
            // Only edges and the reflector send BMP.
            bmp: (node.role != Role::Spine).then(|| BmpSource::at(bmp_source(management).into())),
            gnmi: keys.zip(port("gnmi")).map(|(k, address)| GnmiEndpoint {
                address,
                tls: tls_policy(lab, node, k),
                credential: Some(credential()),
                profile: None,
            }),
            netconf: keys.zip(port("netconf")).map(|(k, address)| NetconfEndpoint {
                address,
                credential: credential(),
                host_key: k.fingerprint.clone(),
            }),
        };
        Some((DeviceId::new(&node.id), reached))
    };
    Endpoints { lab: Some(lab.id.clone()), devices: lab.topology.own_nodes().enumerate().filter_map(device).collect() }
}

pub(crate) fn tls_policy(lab: &LabInstance, node: &Node, keys: &Keys) -> TlsPolicy {
    match keys.tls {
        None => TlsPolicy::Plaintext,
        Some(_) => TlsPolicy::Verify {
            ca_file: lab.dir.join("keys/ca.pem").display().to_string(),
            server_name: node.hostname.clone(),
            client: None,
        },
    }
}

/// Counts what leaves by each exit, per destination.
fn start_volumes(lab: &mut LabInstance) -> Result<(), LabError> {
    for exit in lab.topology.exits.clone() {
        let Some(interface) = lab.topology.port_of(&exit).map(|p| p.peer.to_owned()) else { continue };
        let namespace = lab.namespace(&exit.device);
        let mac = run("ip", ["netns", "exec", &namespace, "cat", &format!("/sys/class/net/{interface}/address")])?;
        let file = lab.node_dir(&exit.device).join(format!("pmacct-{interface}.conf"));
        let text = format!(
            "daemonize: false\npcap_interface: {interface}\npcap_filter: ether src {}\naggregate: dst_host\nplugins: print\nprint_output: json\n\
             print_output_file: {}\nprint_output_file_append: false\nprint_refresh_time: {VOLUME_EVERY_S}\n",
            mac.trim(),
            volume_file(lab, &exit).display(),
        );
        write_file(&file, text.as_bytes(), 0o644)?;
        let log = lab.node_dir(&exit.device).join(format!("pmacct-{interface}.log"));
        let argv = ["pmacctd", "-f", &file.display().to_string()].map(str::to_owned);
        let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
        let process = start_process(&format!("{}/pmacctd-{interface}", exit.device), Some(&namespace), &log, &argv)?;
        lab.processes.push(process);
        lab.save()?;
    }
    Ok(())
}

fn volume_file(lab: &LabInstance, exit: &Exit) -> PathBuf {
    let interface = lab.topology.port_of(exit).map(|p| p.peer.to_owned()).unwrap_or_default();
    lab.node_dir(&exit.device).join(format!("pmacct-{interface}.json"))
}

fn start_faces(lab: &mut LabInstance, keys: &BTreeMap<String, Keys>) -> Result<(), LabError> {
    let nodes: Vec<Node> = lab.topology.own_nodes().cloned().collect();
    for (index, node) in nodes.iter().enumerate() {
        let (Some(keys), Ok(management)) = (keys.get(&node.id), management_address(index).parse::<IpAddr>()) else { continue };
        let dir = lab.node_dir(&node.id);
        let config = FaceConfig {
            router: node.id.clone(),
            vty_dir: dir.clone(),
            state_dir: dir.join("face"),
            gnmi: SocketAddr::new(management, GNMI_PORT),
            tls: keys.tls.clone(),
            netconf: SocketAddr::new(management, NETCONF_PORT),
            host_key: keys.host_key.clone(),
            users: vec![(USER.to_owned(), keys.password.clone())],
            interfaces: lab.topology.ports(&node.id).iter().map(|p| p.peer.to_owned()).collect(),
            probes: probes(lab, node),
            volumes: volumes(lab, node),
            fault_file: dir.join("face-fault"),
        };
        make_dir(&config.state_dir)?;
        subcommand(lab, &format!("face-{}", node.id), Some(&node.id), &config)?;
    }
    Ok(())
}

/// Edges measure every group by each of their exits; spines measure the way routing chose.
pub(crate) fn probes(lab: &LabInstance, node: &Node) -> Vec<ProbeConfig> {
    let t = &lab.topology;
    let mut probes = Vec::new();
    for (group, target) in t.groups.iter().flat_map(|g| g.targets.iter().map(move |t| (g, *t))) {
        let family = Family::of(target);
        let name = |way: &str| format!("{way}:{}:{}", group.id, if target.is_ipv4() { "ipv4" } else { "ipv6" });
        let probe = |name, source| ProbeConfig { name, source, target, port: PROBE_PORT };
        probes.extend(t.exits_of(&node.id).filter_map(|e| Some(probe(name(e.id.as_str()), t.port_of(e)?.addresses(family).0))));
        if node.role.ours() == Some(DeviceRole::Spine) {
            let source = node.subnets.iter().map(|s| s.address).find(|a| Family::of(*a) == family);
            probes.extend(source.map(|s| probe(name(&format!("as-routed@{}", node.id)), s)));
        }
    }
    probes
}

fn volumes(lab: &LabInstance, node: &Node) -> Vec<VolumeConfig> {
    let prefixes: Vec<Prefix> = lab.topology.expected_prefixes();
    let exits = lab.topology.exits_of(&node.id);
    exits.map(|e| VolumeConfig { exit: e.id.to_string(), file: volume_file(lab, e), prefixes: prefixes.clone() }).collect()
}

/// The spines share the background flows.
fn start_traffic(lab: &mut LabInstance) -> Result<(), LabError> {
    let flows = traffic::background(&lab.topology);
    let spines: Vec<Node> = lab.topology.ours(DeviceRole::Spine).cloned().collect();
    for (index, node) in spines.iter().enumerate() {
        let flows = flows.iter().skip(index).step_by(spines.len()).cloned().collect();
        let from = node.subnets.iter().map(|s| s.address).collect();
        subcommand(lab, &format!("traffic-{}", node.id), Some(&node.id), &traffic::Config::Source { from, flows, seconds: None })?;
    }
    Ok(())
}
