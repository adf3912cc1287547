//! Background traffic: UDP toward hosts in the target groups, at rates that stay the same from run to run, and the sink that takes it.
//!
//! One sending thread wakes every 20 ms and sends what has become due; a flow's debt is carried in bits, so its mean rate is exact.

use crate::impair::Rng;
use crate::topology::Topology;
use bgp::{Family, Prefix};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::Path;
use std::time::{Duration, Instant};

/// Discard (RFC 863).
pub const SINK_PORT: u16 = 9;
/// Payload of a packet, bytes.
const PAYLOAD: usize = 1200;
/// Bits a packet takes on the link: payload, UDP, IPv4 and Ethernet headers.
const PACKET_BITS: u64 = (PAYLOAD as u64 + 8 + 20 + 14) * 8;
/// Between two wake-ups.
const TICK: Duration = Duration::from_millis(20);
/// Debt a flow may carry, in ticks: after a stall the missed packets are not sent as one burst.
const MAX_DEBT_TICKS: u64 = 5;
/// Flows of one sender.
const MAX_FLOWS: usize = 1024;

/// One flow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flow {
    /// Where to.
    pub to: IpAddr,
    /// Rate on the link, bit/s.
    pub rate_bps: u64,
}

/// Configuration of the subcommand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "role")]
pub enum Config {
    /// Sends.
    Source {
        /// Source addresses, at most one per family.
        from: Vec<IpAddr>,
        /// Flows.
        flows: Vec<Flow>,
        /// Ends by itself after this many seconds; `None`: never.
        seconds: Option<u64>,
    },
    /// Takes what is sent to [`SINK_PORT`], so that nobody answers it with errors.
    Sink,
}

/// Runs the subcommand until it is ended.
///
/// # Errors
/// When the configuration cannot be read or a socket cannot be made.
pub fn run(args: &[String]) -> crate::RunResult {
    let path = crate::config_argument(args)?;
    match serde_json::from_slice(&std::fs::read(&path)?)? {
        Config::Sink => sink(),
        Config::Source { from, flows, seconds } => send(&from, &flows, seconds.map(Duration::from_secs), &path.with_extension("sent")),
    }
}

/// A socket that is never read: the kernel drops what does not fit, at no cost to us.
fn sink() -> crate::RunResult {
    let _sockets = [UdpSocket::bind(("0.0.0.0", SINK_PORT))?, bind_v6_only()?];
    loop {
        std::thread::park();
    }
}

fn bind_v6_only() -> std::io::Result<UdpSocket> {
    let socket = socket2::Socket::new(socket2::Domain::IPV6, socket2::Type::DGRAM, None)?;
    socket.set_only_v6(true)?;
    socket.bind(&SocketAddr::from((std::net::Ipv6Addr::UNSPECIFIED, SINK_PORT)).into())?;
    Ok(socket.into())
}

/// What a source has sent since it began: what was meant to be sent is another thing on a busy machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// When this was written, nanoseconds since 1970.
    pub at_ns: u64,
    /// Packets by destination.
    pub packets: BTreeMap<IpAddr, u64>,
}

impl Sent {
    /// Reads what the source beside this configuration file has sent.
    ///
    /// # Errors
    /// When there is none yet.
    pub fn beside(config: &Path) -> std::io::Result<Self> {
        Ok(serde_json::from_slice(&std::fs::read(config.with_extension("sent"))?)?)
    }

    fn write(&mut self, to: &Path) {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        self.at_ns = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        let whole = to.with_extension("sent-new");
        // A reader never sees half a file. A full disk must not end the traffic.
        let _ = serde_json::to_vec(self)
            .map_err(std::io::Error::from)
            .and_then(|t| std::fs::write(&whole, t))
            .and_then(|()| std::fs::rename(&whole, to));
    }
}

/// Between two writes of what was sent.
const TELL_EVERY: Duration = Duration::from_secs(1);

fn send(from: &[IpAddr], flows: &[Flow], length: Option<Duration>, told: &Path) -> crate::RunResult {
    let mut sockets = Vec::new();
    for address in from {
        sockets.push((Family::of(*address), UdpSocket::bind((*address, 0))?));
    }
    let payload = [0u8; PAYLOAD];
    let mut debts = Debts::new(flows);
    let (begun, mut last, mut told_at) = (Instant::now(), Instant::now(), Instant::now());
    let mut sent = Sent::default();
    while length.is_none_or(|l| begun.elapsed() < l) {
        std::thread::sleep(TICK);
        let now = Instant::now();
        let elapsed = now.duration_since(last);
        last = now;
        debts.step(elapsed, |to| {
            if let Some((_, socket)) = sockets.iter().find(|(f, _)| *f == Family::of(to)) {
                // No route or a full queue: traffic, unlike a probe, has nobody to tell.
                if socket.send_to(&payload, (to, SINK_PORT)).is_ok() {
                    *sent.packets.entry(to).or_default() += 1;
                }
            }
        });
        if now.duration_since(told_at) >= TELL_EVERY {
            told_at = now;
            sent.write(told);
        }
    }
    Ok(())
}

/// What each flow owes, in bits.
struct Debts<'f> {
    flows: &'f [Flow],
    bits: Vec<u64>,
}

impl<'f> Debts<'f> {
    fn new(flows: &'f [Flow]) -> Self {
        let flows = flows.get(..MAX_FLOWS).unwrap_or(flows);
        // Flows begin at different points of their first packet, or all would send in the same tick.
        let mut rng = Rng::new(0x5EED);
        Self { flows, bits: flows.iter().map(|_| rng.below(PACKET_BITS)).collect() }
    }

    fn step(&mut self, elapsed: Duration, mut packet: impl FnMut(IpAddr)) {
        let elapsed_us = elapsed.min(TICK * MAX_DEBT_TICKS as u32).as_micros() as u64;
        for (flow, bits) in self.flows.iter().zip(&mut self.bits) {
            *bits += flow.rate_bps * elapsed_us / 1_000_000;
            while *bits >= PACKET_BITS {
                *bits -= PACKET_BITS;
                packet(flow.to);
            }
        }
    }
}

/// Flows in the background of a lab, and their rate in all.
const BACKGROUND_FLOWS: usize = 60;
const BACKGROUND_BPS: u64 = 12_000_000;

/// Returns the background flows of a topology: sixty prefixes spread over the groups, few of them heavy, as on a real network.
#[must_use]
pub fn background(t: &Topology) -> Vec<Flow> {
    let prefixes: Vec<Prefix> =
        t.groups.iter().flat_map(|g| spread(g.prefixes.iter().collect(), BACKGROUND_FLOWS / t.groups.len())).collect();
    share(&prefixes, BACKGROUND_BPS)
}

/// Returns flows of `total_bps` together toward the prefixes, weighted like 1, 1/2, 1/3 … in an order drawn from a fixed seed.
#[must_use]
pub fn share(prefixes: &[Prefix], total_bps: u64) -> Vec<Flow> {
    let mut ranks: Vec<u64> = (1..=prefixes.len() as u64).collect();
    let mut rng = Rng::new(0xF10E);
    for i in (1..ranks.len()).rev() {
        ranks.swap(i, rng.below(i as u64 + 1) as usize);
    }
    /// Fixed point of a weight.
    const ONE: u64 = 1 << 20;
    let sum: u64 = ranks.iter().map(|r| ONE / r).sum();
    let flow = |(p, rank): (&Prefix, &u64)| Flow { to: crate::topology::host(p, HOST), rate_bps: total_bps * (ONE / rank) / sum.max(1) };
    prefixes.iter().zip(&ranks).map(flow).collect()
}

/// Which address of a prefix is sent to; not the one that is measured.
const HOST: u128 = 10;

/// Takes at most `count` prefixes at even distances.
fn spread(prefixes: Vec<Prefix>, count: usize) -> Vec<Prefix> {
    let step = prefixes.len().div_ceil(count.max(1)).max(1);
    prefixes.into_iter().step_by(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn background_flows_are_the_same_each_time_and_add_up() {
        let t = Topology::seed().unwrap();
        let flows = background(&t);
        assert_eq!(flows, background(&t));
        assert!((45..=60).contains(&flows.len()), "{}", flows.len());
        let total: u64 = flows.iter().map(|f| f.rate_bps).sum();
        assert!((11_900_000..=12_000_000).contains(&total), "{total}");
        for group in &t.groups {
            assert!(flows.iter().any(|f| group.prefixes.iter().any(|p| p.contains(f.to))), "{} has no flow", group.id);
        }
    }

    #[test]
    fn a_flow_keeps_its_mean_rate_over_uneven_ticks() {
        let flows = [Flow { to: "203.0.113.10".parse().unwrap(), rate_bps: 1_000_000 }];
        let mut debts = Debts::new(&flows);
        let mut packets = 0u64;
        for i in 0..500 {
            debts.step(Duration::from_millis(10 + i % 21), |_| packets += 1);
        }
        let seconds = (0..500).map(|i| 10 + i % 21).sum::<u64>() as f64 / 1000.0;
        let rate = packets as f64 * PACKET_BITS as f64 / seconds;
        assert!((990_000.0..1_010_000.0).contains(&rate), "{rate}");
    }

    #[test]
    fn a_stall_is_not_made_up_for_by_a_burst() {
        let flows = [Flow { to: "203.0.113.10".parse().unwrap(), rate_bps: 10_000_000 }];
        let mut packets = 0;
        Debts::new(&flows).step(Duration::from_secs(60), |_| packets += 1);
        assert!(packets <= 102, "{packets}");
    }
}
