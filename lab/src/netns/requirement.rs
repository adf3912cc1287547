//! What a machine must have before a lab can be booted on it.

use std::path::Path;

/// Something that is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// What is missing.
    pub what: String,
    /// What to do about it.
    pub next_step: String,
}

/// Where Debian and its children put FRR's daemons.
pub(super) const FRR_DIR: &str = "/usr/lib/frr";
/// Where Debian puts FRR's modules, per architecture.
const BMP_MODULES: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/frr/modules/bgpd_bmp.so",
    "/usr/lib/aarch64-linux-gnu/frr/modules/bgpd_bmp.so",
    "/usr/lib/frr/modules/bgpd_bmp.so",
];
/// Program, Debian package.
const PROGRAMS: [(&str, &str); 9] = [
    ("ip", "iproute2"),
    ("vtysh", "frr"),
    ("bird", "bird2"),
    ("gobgpd", "gobgpd"),
    ("gobgp", "gobgpd"),
    ("pmacctd", "pmacct"),
    ("ping", "iputils-ping"),
    ("unshare", "util-linux"),
    ("timeout", "coreutils"),
];

/// Returns what is missing for a lab in network namespaces; empty when one can be booted.
#[must_use]
pub fn requirements() -> Vec<Missing> {
    let mut missing = Vec::new();
    let mut lacks = |what: String, next_step: String| missing.push(Missing { what, next_step });
    if !rustix::process::geteuid().is_root() {
        lacks("root".to_owned(), "network namespaces need root: run with sudo".to_owned());
    }
    if !Path::new("/dev/net/tun").exists() {
        lacks("/dev/net/tun".to_owned(), "load the tun module: modprobe tun (in a container: --device /dev/net/tun)".to_owned());
    }
    for (program, package) in PROGRAMS {
        if !on_path(program) {
            lacks(format!("program {program}"), format!("apt-get install --no-install-recommends {package}"));
        }
    }
    for daemon in ["zebra", "bgpd", "ospfd", "ospf6d", "staticd"] {
        if !Path::new(FRR_DIR).join(daemon).exists() {
            lacks(format!("{FRR_DIR}/{daemon}"), "apt-get install --no-install-recommends frr".to_owned());
        }
    }
    if !BMP_MODULES.iter().any(|m| Path::new(m).exists()) {
        lacks("FRR's BMP module (bgpd_bmp.so)".to_owned(), "install an frr package with the bmp module, as Debian's has".to_owned());
    }
    missing
}

fn on_path(program: &str) -> bool {
    let path = std::env::var("PATH").unwrap_or_default();
    // Daemons live in sbin, which an ordinary user's PATH may lack.
    path.split(':').chain(["/usr/sbin", "/sbin"]).any(|dir| Path::new(dir).join(program).exists())
}
