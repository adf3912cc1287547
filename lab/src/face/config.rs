//! What a face is told at its start. Written by the lab driver, mode 0600: it holds the password.

use bgp::{Family, Prefix};
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// Configuration of one face.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FaceConfig {
    /// Router id (`r1`).
    pub router: String,
    /// Folder of the daemons' vty sockets (`bgpd.vty`, `zebra.vty`), also `--config_dir` of vtysh.
    pub vty_dir: PathBuf,
    /// Folder for the face's own files (pending commit).
    pub state_dir: PathBuf,
    /// gNMI listens here.
    pub gnmi: SocketAddr,
    /// Certificate chain and key (PEM); `None`: plaintext.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// NETCONF listens here.
    pub netconf: SocketAddr,
    /// SSH host key, OpenSSH format.
    pub host_key: PathBuf,
    /// Users and passwords, for NETCONF and gNMI.
    pub users: Vec<(String, String)>,
    /// Interfaces that are reported.
    pub interfaces: Vec<String>,
    /// Probes that run here.
    pub probes: Vec<ProbeConfig>,
    /// Flow accounting files.
    pub volumes: Vec<VolumeConfig>,
    /// File that makes the NETCONF server misbehave (tests); empty or absent: none.
    pub fault_file: PathBuf,
}

/// One probe.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ProbeConfig {
    /// `<exit>:<group>:<ipv4|ipv6>` or `as-routed@<device>:<group>:<ipv4|ipv6>`.
    pub name: String,
    /// Source address; for a pinned probe the exit's link address, which an `ip rule` ties to that exit.
    pub source: IpAddr,
    /// Target address.
    pub target: IpAddr,
    /// UDP port of the reflector (862, RFC 8762).
    pub port: u16,
}

/// Accounting of one exit.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VolumeConfig {
    /// Exit id.
    pub exit: String,
    /// JSON print file of pmacctd: one object a line with `ip_dst` or `net_dst`, `bytes`.
    pub file: PathBuf,
    /// Prefixes to sum by; longest match.
    pub prefixes: Vec<Prefix>,
}

impl ProbeConfig {
    /// Returns the family.
    #[must_use]
    pub const fn family(&self) -> Family {
        Family::of(self.target)
    }
}
