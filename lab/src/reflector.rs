//! The STAMP reflector on the far side of the providers (RFC 8762 §4.3): one socket per target address, so that answers leave from it.

use crate::RunResult;
use crate::face::Stamp;
use serde::{Deserialize, Serialize};
use socket2::{Domain, Socket, Type};
use std::net::{IpAddr, SocketAddr};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::net::UdpSocket;

/// Configuration of the reflector.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReflectorConfig {
    /// Addresses to answer on.
    pub targets: Vec<IpAddr>,
    /// UDP port (862).
    pub port: u16,
}

/// Runs the reflector: `pilothouse-lab reflector --config FILE`.
///
/// # Errors
/// When the configuration cannot be read or an address cannot be bound.
pub fn run(args: &[String]) -> RunResult {
    let path = crate::config_argument(args)?;
    let text = std::fs::read_to_string(&path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
    let config: ReflectorConfig = serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut tasks = Vec::new();
        for target in config.targets {
            let address = SocketAddr::new(target, config.port);
            let socket = bind(address).map_err(|e| format!("cannot answer on {address}: {e}"))?;
            tasks.push(tokio::spawn(reflect(socket)));
        }
        for task in tasks {
            task.await?;
        }
        Ok(())
    })
}

/// Binds an address that is local by a route only (AnyIP): IPv6 wants that asked for (IPV6_FREEBIND).
fn bind(address: SocketAddr) -> std::io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, None)?;
    if address.is_ipv6() {
        socket.set_freebind_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}

/// Answers probe packets on `socket` for ever.
pub async fn reflect(socket: UdpSocket) {
    let mut buffer = [0; 1500];
    let mut sequence = 0_u32;
    loop {
        let Ok((n, from)) = socket.recv_from(&mut buffer).await else { continue };
        let t2 = now_ns();
        if let Some(answer) = Stamp::reflect(&buffer[..n], sequence, t2, now_ns()) {
            sequence = sequence.wrapping_add(1);
            // an answer that cannot be sent is a lost packet to the sender, which is what it measures
            let _ = socket.send_to(&answer, from).await;
        }
    }
}

fn now_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}
