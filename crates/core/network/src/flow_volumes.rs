//! Volumes from flow export: bytes per prefix, exit and direction by longest match on our tables, and what interface counters say to it.
//!
//! A flow leaves by an exit when its destination is not ours, and enters by one when its source is not ours; traffic inside counts nowhere.
//! The prefix is always that of the destination: the route of the device that told the flow, or, inbound, our own prefix.

use crate::{Device, ExitSpec, Inventory, Network};
use action::{DeviceId, ExitId};
use bgp::{Family, Prefix};
use core::net::IpAddr;
use core::time::Duration;
use flow::FlowRecord;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use units::Timestamp;

/// Length of one slot of account. Routers export running flows every minute or so, hence nothing finer means anything.
pub const SLOT: Duration = Duration::from_secs(60);
/// A slot is read this long after its end: until then flows that ran in it are still being told.
pub const SETTLE: Duration = Duration::from_secs(90);
/// Slots kept: a flow that is told later than ten minutes counts from there on only.
const SLOTS_MAX: i64 = 10;
/// (slot, exit, direction, side, prefix) accounts kept; bytes beyond are counted as not kept and show as unattributed.
const ACCOUNTS_MAX: usize = 400_000;
/// An exporter whose clock is further off is not believed; its flows count as just ended.
const CLOCK_OFF_MAX: Duration = Duration::from_secs(600);

/// Which way over an exit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Toward {
    /// Out of our network.
    Outside,
    /// Into it.
    Inside,
}

/// Bit/s per exit, direction and prefix.
pub type Rates = BTreeMap<(ExitId, Toward, Prefix), u64>;

/// Where in the device a flow was metered; the same traffic may be told by both sides, and counts once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Side {
    Ingress,
    Egress,
    NotTold,
}

/// Bytes that could not be attributed, by reason; scaled by sampling like all others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unplaced {
    /// Both ends are ours; not missing anywhere.
    pub internal: u64,
    /// Source or destination address not told.
    pub no_address: u64,
    /// Neither interface nor next hop is that of an exit.
    pub no_exit: u64,
    /// The device that told the flow has no route to the destination.
    pub no_route: u64,
    /// No room.
    pub not_kept: u64,
    /// Told too late.
    pub too_late: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Account {
    slot: i64,
    exit: ExitId,
    toward: Toward,
    side: Side,
    prefix: Prefix,
}

/// The volumes of the last minutes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FlowVolumes {
    #[serde(with = "crate::picture::as_pairs")]
    accounts: BTreeMap<Account, u64>,
    /// First flow ever taken; rates of slots that began before it would be too low.
    since: Option<Timestamp>,
    /// Last flow taken.
    last: Option<Timestamp>,
    unplaced: Unplaced,
    clock_off: u64,
}

/// What flow export says of one exit and direction, against the interface's counters.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "against_counters")]
pub enum Reconciled {
    /// No flow export: volume unknown. It is never taken for zero.
    Unknown,
    /// Flows are told, the interface's counters were not read over that minute.
    NoCounters {
        /// Attributed, bit/s.
        attributed_bps: u64,
    },
    /// The counters saw as much or more, or less by no more than the edges of the minute explain ([`EDGES_PERMILLE`]). A few per
    /// cent are layer 2 headers, which flows do not count.
    Gap {
        /// Attributed, bit/s.
        attributed_bps: u64,
        /// By the interface's counters, bit/s.
        counted_bps: u64,
        /// What is missing, in thousandths of what was counted, rounded up.
        unattributed_permille: u16,
    },
    /// More was attributed than the interface carried, by more than [`EDGES_PERMILLE`]: the sampling rate, the account of a side or the exit's interface is wrong.
    OverAttributed {
        /// Attributed, bit/s.
        attributed_bps: u64,
        /// By the interface's counters, bit/s.
        counted_bps: u64,
    },
}

/// By how much flows may exceed the counters, in thousandths of these, before something is called wrong. Counters are read every few
/// seconds and flows are told from their first packet to their last; what lies across the edge of a minute is shared out by time on
/// either side, and one of the two may get a packet more.
pub const EDGES_PERMILLE: u128 = 10;

fn slot_of(at: Timestamp) -> i64 {
    at.nanos().div_euclid(slot_ns())
}

fn slot_ns() -> i64 {
    i64::try_from(SLOT.as_nanos()).unwrap_or(i64::MAX)
}

/// Returns the longest route of `device` that contains `address`: of its best routes, and of what neighbours announced.
#[must_use]
pub fn longest_match(network: &Network, device: &DeviceId, address: IpAddr) -> Option<Prefix> {
    let bits = if Family::of(address) == Family::Ipv4Unicast { 32 } else { 128 };
    let tables = network.tables();
    let router = tables.router_named(device.as_str());
    let told = tables.longest_match(address, |t| tables.key(t).is_some_and(|k| Some(k.router) == router && k.is_global()));
    let told = told.map(|(prefix, _)| prefix);
    let best = network.devices.get(device)?;
    let shortest = told.map_or(0, |p| p.length());
    let longer = (shortest..=bits).rev().filter_map(|length| Prefix::new(address, length)).find(|p| best.loc_rib.contains_key(p));
    longer.or(told)
}

fn own(inventory: &Inventory, address: IpAddr) -> Option<Prefix> {
    inventory.own_prefixes.iter().filter(|p| p.contains(address)).max_by_key(|p| p.length()).copied()
}

/// Returns the exit behind an interface of `id`, by ifIndex.
fn exit_at<'i>(inventory: &'i Inventory, id: &DeviceId, device: &Device, ifindex: Option<u32>) -> Option<&'i ExitSpec> {
    let (name, _) = device.interfaces.iter().find(|(_, i)| i.ifindex.is_some() && i.ifindex == ifindex)?;
    inventory.exits.iter().find(|e| &e.device == id && &e.interface == name)
}

impl FlowVolumes {
    /// Takes a flow that `id` told and that arrived at `now`. Figures are those scaled by sampling.
    pub fn take(&mut self, network: &Network, id: &DeviceId, record: &FlowRecord, now: Timestamp) {
        self.since.get_or_insert(now);
        self.last = Some(now);
        self.forget(now);
        let Some(device) = network.devices.get(id) else { return };
        let (Some(source), Some(destination)) = (record.source, record.destination) else {
            self.unplaced.no_address = self.unplaced.no_address.saturating_add(record.scaled_bytes);
            return;
        };
        let inventory = &network.inventory;
        let (from_us, to_us) = (own(inventory, source), own(inventory, destination));
        let bytes = record.scaled_bytes;
        if from_us.is_some() && to_us.is_some() {
            self.unplaced.internal = self.unplaced.internal.saturating_add(bytes);
            return;
        }
        let by_next_hop = || record.next_hop.and_then(|n| inventory.exit_of(id, n));
        let leaves = if to_us.is_none() { exit_at(inventory, id, device, record.egress).or_else(by_next_hop) } else { None };
        let enters = if from_us.is_none() { exit_at(inventory, id, device, record.ingress) } else { None };
        if leaves.is_none() && enters.is_none() {
            self.unplaced.no_exit = self.unplaced.no_exit.saturating_add(bytes);
            return;
        }
        let Some(prefix) = to_us.or_else(|| longest_match(network, id, destination)) else {
            self.unplaced.no_route = self.unplaced.no_route.saturating_add(bytes);
            return;
        };
        let side = match record.direction {
            Some(flow::Direction::Ingress) => Side::Ingress,
            Some(flow::Direction::Egress) => Side::Egress,
            None => Side::NotTold,
        };
        for (exit, toward) in [(leaves, Toward::Outside), (enters, Toward::Inside)] {
            if let Some(exit) = exit {
                let account = Account { slot: 0, exit: exit.id.clone(), toward, side, prefix };
                self.spread(&account, record, now);
            }
        }
    }

    /// Spreads a flow's bytes evenly over the time it ran; the remainder of the division goes to its last slot.
    fn spread(&mut self, account: &Account, record: &FlowRecord, now: Timestamp) {
        let (mut start, mut end) = (Timestamp::from_nanos(record.start_ns), Timestamp::from_nanos(record.end_ns));
        if now.since(end).max(end.since(now)) > CLOCK_OFF_MAX {
            self.clock_off += 1;
            let ran = end.since(start);
            (start, end) = (now.minus(ran), now);
        }
        let (first, last) = (slot_of(start), slot_of(end));
        let whole = u128::from(end.since(start).as_nanos() as u64).max(1);
        let oldest = slot_of(now) - SLOTS_MAX;
        let mut left = record.scaled_bytes;
        let begin = |slot: i64| Timestamp::from_nanos(slot.saturating_mul(slot_ns()));
        if first < oldest {
            let before = u128::from(begin(oldest).min(end).since(start).as_nanos() as u64);
            let late = share(record.scaled_bytes, before, whole);
            left -= late;
            self.unplaced.too_late = self.unplaced.too_late.saturating_add(late);
        }
        for slot in first.max(oldest)..last {
            let within = begin(slot + 1).since(begin(slot).max(start));
            let part = share(record.scaled_bytes, u128::from(within.as_nanos() as u64), whole).min(left);
            left -= part;
            self.add(Account { slot, ..account.clone() }, part);
        }
        if last >= oldest {
            self.add(Account { slot: last, ..account.clone() }, left);
        }
    }

    fn add(&mut self, account: Account, bytes: u64) {
        if bytes == 0 {
            return;
        }
        if self.accounts.len() >= ACCOUNTS_MAX && !self.accounts.contains_key(&account) {
            self.unplaced.not_kept = self.unplaced.not_kept.saturating_add(bytes);
            return;
        }
        let sum = self.accounts.entry(account).or_default();
        *sum = sum.saturating_add(bytes);
    }

    /// Says whether any flow was told since the beginning.
    #[must_use]
    pub const fn is_told(&self) -> bool {
        self.since.is_some()
    }

    /// Drops slots that are too old.
    fn forget(&mut self, now: Timestamp) {
        let oldest = slot_of(now) - SLOTS_MAX;
        while let Some(entry) = self.accounts.first_entry() {
            if entry.key().slot >= oldest {
                return;
            }
            entry.remove();
        }
    }

    /// Returns the newest slot that is complete at `now`; `None` before there is one, and when no flow came since it ended.
    fn complete(&self, now: Timestamp) -> Option<i64> {
        let slot = slot_of(now.minus(SETTLE)) - 1;
        let (since, last) = (self.since?, self.last?);
        (slot_of(since) < slot && slot_of(last) > slot).then_some(slot)
    }

    /// The accounts of one slot: they stand together, and no exit sorts before the one without a name.
    fn of_slot(&self, slot: i64) -> impl Iterator<Item = (&Account, &u64)> {
        let default = Prefix::new(IpAddr::V4(core::net::Ipv4Addr::UNSPECIFIED), 0);
        let first = default.map(|prefix| Account { slot, exit: ExitId::new(""), toward: Toward::Outside, side: Side::Ingress, prefix });
        first.into_iter().flat_map(|first| self.accounts.range(first..)).take_while(move |(a, _)| a.slot == slot)
    }

    /// Returns bit/s per exit, direction and prefix over the newest complete minute; empty: volume unknown.
    #[must_use]
    pub fn rates(&self, now: Timestamp) -> Rates {
        let Some(slot) = self.complete(now) else { return BTreeMap::new() };
        let mut sides: BTreeMap<(ExitId, Toward, Side), BTreeMap<Prefix, u64>> = BTreeMap::new();
        for (account, bytes) in self.of_slot(slot) {
            let key = (account.exit.clone(), account.toward, account.side);
            sides.entry(key).or_default().insert(account.prefix, *bytes);
        }
        let total = |s: Option<&BTreeMap<Prefix, u64>>| s.map_or(0, |s| s.values().fold(0_u64, |sum, b| sum.saturating_add(*b)));
        let mut out = BTreeMap::new();
        for ((exit, toward, side), prefixes) in &sides {
            let other = |s: Side| total(sides.get(&(exit.clone(), *toward, s)));
            // where both sides of the device told the same traffic, the one that saw more counts
            let counts = match side {
                Side::NotTold => true,
                Side::Ingress => other(Side::Ingress) > other(Side::Egress),
                Side::Egress => other(Side::Egress) >= other(Side::Ingress),
            };
            for (prefix, bytes) in prefixes.iter().filter(|_| counts) {
                let bps: &mut u64 = out.entry((exit.clone(), *toward, *prefix)).or_default();
                *bps = bps.saturating_add(bytes.saturating_mul(8) / SLOT.as_secs());
            }
        }
        out
    }

    /// Compares what was attributed to an exit with its interface's counters over the same minute.
    #[must_use]
    pub fn reconcile(&self, network: &Network, exit: &ExitSpec, toward: Toward, now: Timestamp) -> Reconciled {
        let Some(slot) = self.complete(now) else { return Reconciled::Unknown };
        against_counters(network, exit, toward, slot, &self.rates(now))
    }

    /// The same for every exit and direction, from one look at the accounts; empty: volume unknown.
    #[must_use]
    pub fn reconcile_all(&self, network: &Network, now: Timestamp) -> BTreeMap<(ExitId, Toward), Reconciled> {
        let Some(slot) = self.complete(now) else { return BTreeMap::new() };
        let rates = self.rates(now);
        let both = [Toward::Outside, Toward::Inside];
        let all = network.inventory.exits.iter().flat_map(|e| both.map(|t| (e, t)));
        all.map(|(e, t)| ((e.id.clone(), t), against_counters(network, e, t, slot, &rates))).collect()
    }

    /// Returns the beginning of the minute that [`Self::rates`] tells of; `None` when there is none.
    #[must_use]
    pub fn minute(&self, now: Timestamp) -> Option<Timestamp> {
        self.complete(now).map(|slot| Timestamp::from_nanos(slot.saturating_mul(slot_ns())))
    }

    /// Returns the bytes that belong to no account, by reason, since the beginning.
    #[must_use]
    pub const fn unplaced(&self) -> &Unplaced {
        &self.unplaced
    }

    /// Returns how many flows came with a time that was not believed.
    #[must_use]
    pub const fn clock_off(&self) -> u64 {
        self.clock_off
    }
}

fn share(bytes: u64, part: u128, whole: u128) -> u64 {
    u64::try_from(u128::from(bytes) * part.min(whole) / whole).unwrap_or(bytes)
}

fn against_counters(network: &Network, exit: &ExitSpec, toward: Toward, slot: i64, rates: &Rates) -> Reconciled {
    let ours = |(e, t, _): &(ExitId, Toward, Prefix)| e == &exit.id && *t == toward;
    let attributed_bps = rates.iter().filter(|(k, _)| ours(k)).fold(0_u64, |sum, (_, bps)| sum.saturating_add(*bps));
    let interface = network.devices.get(&exit.device).and_then(|d| d.interfaces.get(&exit.interface));
    let Some(counted_bps) = interface.and_then(|i| i.minutes.bps(slot, toward)) else {
        return Reconciled::NoCounters { attributed_bps };
    };
    if u128::from(attributed_bps.saturating_sub(counted_bps)) * 1000 > u128::from(counted_bps) * EDGES_PERMILLE {
        return Reconciled::OverAttributed { attributed_bps, counted_bps };
    }
    let missing = counted_bps.saturating_sub(attributed_bps);
    let permille = (u128::from(missing) * 1000).div_ceil(u128::from(counted_bps.max(1)));
    Reconciled::Gap { attributed_bps, counted_bps, unattributed_permille: u16::try_from(permille).unwrap_or(1000) }
}
