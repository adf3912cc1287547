//! The thread of one link: reads frames from two TAPs, asks the pipes, writes what is due.

use super::pipe::{Fate, Pipe, count_written};
use super::{Counters, End, Impairment, LinkConfig, Shared};
use crate::namespace::{NamespaceError, inside};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::time::{ClockId, clock_gettime};
use std::num::NonZeroU64;
use std::sync::PoisonError;
use tun_rs::{DeviceBuilder, Layer, SyncDevice};

/// Longest frame read; a TAP without offloads hands over at most the MTU and an Ethernet header.
const MAX_FRAME: usize = 10_240;
/// Frames taken from one side before the other side is looked at.
const BATCH: usize = 64;
/// How long the thread sleeps when nothing is due, nanoseconds.
const IDLE_NS: u64 = 1_000_000_000;

/// Why a link could not be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum TapError {
    #[error("cannot make TAP {} in {}", end.interface, end.namespace)]
    Namespace {
        end: End,
        #[source]
        source: NamespaceError,
    },
    #[error("cannot make TAP {} in {}; it needs /dev/net/tun and CAP_NET_ADMIN", end.interface, end.namespace)]
    Make {
        end: End,
        #[source]
        source: std::io::Error,
    },
}

/// Both ends of a link.
pub(super) struct Taps {
    a: SyncDevice,
    b: SyncDevice,
}

impl Taps {
    pub(super) fn make(link: &LinkConfig) -> Result<Self, TapError> {
        Ok(Self { a: tap(&link.a)?, b: tap(&link.b)? })
    }
}

fn tap(end: &End) -> Result<SyncDevice, TapError> {
    let make = || {
        // No offload: the kernel then completes checksums and never hands over segments longer than the MTU.
        let device = DeviceBuilder::new().name(&end.interface).layer(Layer::L2).offload(false).enable(false).build_sync()?;
        device.set_nonblocking(true)?;
        Ok(device)
    };
    inside(&end.namespace, make)
        .map_err(|source| TapError::Namespace { end: end.clone(), source })?
        .map_err(|source| TapError::Make { end: end.clone(), source })
}

/// Starts the thread of a link.
pub(super) fn start(name: &str, taps: Taps, shared: Shared, seed: u64) -> std::io::Result<()> {
    let thread = std::thread::Builder::new().name(format!("link {name}"));
    thread.spawn(move || pump(&taps, &shared, seed)).map(|_| ())
}

fn pump(taps: &Taps, shared: &Shared, seed: u64) {
    // The default slack of 50 µs would be added to every delay. Refused on some kernels; then links are that much slower.
    let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
    let (mut ab, mut ba) = (Pipe::new(seed), Pipe::new(seed.rotate_left(32)));
    let mut buffer = vec![0u8; MAX_FRAME];
    loop {
        let next = [ab.next_release(), ba.next_release()].into_iter().flatten().min();
        if !wait(taps, next) {
            return;
        }
        let mut state = *shared.lock().unwrap_or_else(PoisonError::into_inner);
        step(&mut ab, &taps.a, &taps.b, &state.ab, &mut state.ab_counters, &mut buffer);
        step(&mut ba, &taps.b, &taps.a, &state.ba, &mut state.ba_counters, &mut buffer);
        let mut now = shared.lock().unwrap_or_else(PoisonError::into_inner);
        (now.ab_counters, now.ba_counters) = (state.ab_counters, state.ba_counters);
    }
}

/// Sleeps until a frame is there or `next` is due; `false` when the TAPs are gone.
fn wait(taps: &Taps, next: Option<u64>) -> bool {
    let ns = next.map_or(IDLE_NS, |at| at.saturating_sub(now_ns()).min(IDLE_NS));
    let timeout = Timespec { tv_sec: (ns / 1_000_000_000) as _, tv_nsec: (ns % 1_000_000_000) as _ };
    let mut fds = [PollFd::new(&taps.a, PollFlags::IN), PollFd::new(&taps.b, PollFlags::IN)];
    match poll(&mut fds, Some(&timeout)) {
        // A TAP reports an error when its namespace is gone; going on would spin.
        Ok(_) => !fds.iter().any(|f| f.revents().intersects(PollFlags::ERR | PollFlags::NVAL)),
        Err(e) => e == rustix::io::Errno::INTR,
    }
}

fn step(pipe: &mut Pipe, from: &SyncDevice, to: &SyncDevice, what: &Impairment, counters: &mut Counters, buffer: &mut [u8]) {
    let write = |frame: &[u8]| rustix::io::write(to, frame).is_ok();
    for _ in 0..BATCH {
        let Ok(length) = rustix::io::read(from, &mut *buffer) else { break };
        let frame = buffer.get(..length).unwrap_or_default();
        if pipe.offer(now_ns(), frame, what, counters) == Fate::Pass {
            count_written(counters, length, write(frame));
        }
    }
    pipe.release(now_ns(), counters, write);
}

fn now_ns() -> u64 {
    let t = clock_gettime(ClockId::Monotonic);
    // A monotonic clock starts at 0 and never goes back, so neither part is negative.
    t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64
}
