//! One exporter: its templates, its sampling tables, its sequence numbers, and the records that wait for a template.

use crate::error::FlowError;
use crate::message::{self, Header, Set};
use crate::reader::Reader;
use crate::record::{FlowRecord, Protocol, SamplingSource};
use crate::sampling::Samplers;
use crate::sequence::{Sequences, Step};
use crate::template::{self, Announcement, TEMPLATE_LIFE_NS, TEMPLATES_MAX, Template};
use crate::values::Values;
use crate::{sflow, v5};
use core::net::IpAddr;
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};

/// Data sets that wait for their template, per exporter.
pub const HELD_SETS_MAX: usize = 256;
/// Bytes of them.
pub const HELD_BYTES_MAX: usize = 256 * 1024;
/// How long they wait: softflowd and pmacct send templates every minute or more often.
pub const HELD_FOR_NS: i64 = 120 * 1_000_000_000;
/// Forgetting need not be more exact than this.
const TIDY_EVERY_NS: i64 = 1_000_000_000;
/// Faults told per datagram; the count goes on.
const ERRORS_MAX: usize = 16;
/// Sample sources (interfaces) whose drops are followed per exporter.
const SOURCES_MAX: usize = 4096;
/// An uptime that falls by more than this is a restart, not a datagram that came late.
const RESTART_MS: u32 = 60_000;

/// What an exporter sent, as far as it was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Datagrams taken.
    pub datagrams: u64,
    /// Flow records handed out.
    pub records: u64,
    /// Faults: each cost a datagram, a set, a record or a sample.
    pub faults: u64,
    /// Datagrams missing between two that came (NetFlow v9, sFlow).
    pub lost_datagrams: u64,
    /// Flow records missing, as the sequence numbers tell (NetFlow v5, IPFIX).
    pub lost_records: u64,
    /// Datagrams that came after one sent later; they were counted as lost before.
    pub late: u64,
    /// Times that the exporter began anew.
    pub restarts: u64,
    /// Templates announced for the first time or with another layout.
    pub templates: u64,
    /// Templates withdrawn by the exporter.
    pub withdrawn: u64,
    /// Templates that were not sent again in time.
    pub expired: u64,
    /// Options records.
    pub options: u64,
    /// Data records without a volume.
    pub not_flows: u64,
    /// Data sets that had to wait for their template.
    pub held_sets: u64,
    /// Data sets whose template never came, or for which there was no room.
    pub lost_sets: u64,
    /// Flow records whose sampler was not known when they came; their figures are too low.
    pub unscaled: u64,
    /// Entries of sampling tables that found no room.
    pub samplers_refused: u64,
    /// sFlow counter samples, stepped over.
    pub counter_samples: u64,
    /// sFlow samples and records of kinds that are not read, and sampled packets without IP.
    pub skipped: u64,
    /// Packets that sFlow agents could not sample for lack of resources.
    pub agent_drops: u64,
}

/// What one datagram said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decoded {
    /// Flow records, in the order of the datagram; those that waited for a template come where it came.
    pub records: Vec<FlowRecord>,
    /// Faults, at most sixteen of them.
    pub errors: Vec<FlowError>,
}

#[derive(Clone, Debug)]
struct Held {
    header: Header,
    id: u16,
    offset: usize,
    bytes: Vec<u8>,
    since_ns: i64,
}

type TemplateKey = (u8, u32, u16);

/// Everything remembered of one exporter.
#[derive(Clone, Debug)]
pub struct Exporter {
    address: IpAddr,
    templates: BTreeMap<TemplateKey, Template>,
    samplers: Samplers,
    sequences: Sequences,
    /// Start of the device per (protocol, domain), milliseconds since the Unix epoch (systemInitTimeMilliseconds).
    started_ms: BTreeMap<(u8, u32), u64>,
    /// Last uptime per NetFlow v9 source id.
    uptimes: BTreeMap<u32, u32>,
    held: VecDeque<Held>,
    drops: BTreeMap<(u32, u32), u32>,
    counters: Counters,
    /// When forgetting is looked after next, nanoseconds since the Unix epoch.
    tidy_ns: i64,
}

const fn key(protocol: Protocol) -> u8 {
    protocol as u8
}

impl Exporter {
    /// Makes an exporter that has sent nothing yet.
    #[must_use]
    pub fn new(address: IpAddr) -> Self {
        Self {
            address,
            templates: BTreeMap::new(),
            samplers: Samplers::default(),
            sequences: Sequences::default(),
            started_ms: BTreeMap::new(),
            uptimes: BTreeMap::new(),
            held: VecDeque::new(),
            drops: BTreeMap::new(),
            counters: Counters::default(),
            tidy_ns: i64::MIN,
        }
    }

    /// Returns the counters.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Returns how many templates are known now.
    #[must_use]
    pub fn templates(&self) -> usize {
        self.templates.len()
    }

    /// Takes one datagram that arrived at `now_ns`, nanoseconds since the Unix epoch. The format is told by its first bytes.
    pub fn datagram(&mut self, bytes: &[u8], now_ns: i64) -> Decoded {
        self.counters.datagrams += 1;
        self.expire(now_ns);
        let mut out = Decoded::default();
        if let Err(error) = self.read(bytes, now_ns, &mut out) {
            self.fault(error, &mut out);
        }
        self.counters.records += out.records.len() as u64;
        self.counters.samplers_refused = self.samplers.refused;
        out
    }

    fn fault(&mut self, error: FlowError, out: &mut Decoded) {
        self.counters.faults += 1;
        if out.errors.len() < ERRORS_MAX {
            out.errors.push(error);
        }
    }

    fn read(&mut self, bytes: &[u8], now_ns: i64, out: &mut Decoded) -> Result<(), FlowError> {
        let mut reader = Reader::new(bytes);
        match reader.u16("version")? {
            5 => self.netflow5(&mut reader, out),
            9 => self.message(&mut reader, false, bytes.len(), now_ns, out),
            10 => self.message(&mut reader, true, bytes.len(), now_ns, out),
            // sFlow spells its version in four bytes
            0 => match reader.u16("sFlow version")? {
                5 => self.sflow(&mut reader, now_ns, out),
                other => Err(FlowError::Version { offset: 0, version: other.into() }),
            },
            other => Err(FlowError::Version { offset: 0, version: other.into() }),
        }
    }

    fn netflow5(&mut self, reader: &mut Reader<'_>, out: &mut Decoded) -> Result<(), FlowError> {
        let datagram = v5::read(self.address, reader)?;
        let units = u32::try_from(datagram.records.len()).ok();
        let step = self.sequences.step((key(Protocol::Netflow5), datagram.domain), datagram.sequence, units);
        self.note(step, Protocol::Netflow5);
        out.records = datagram.records;
        Ok(())
    }

    fn sflow(&mut self, reader: &mut Reader<'_>, now_ns: i64, out: &mut Decoded) -> Result<(), FlowError> {
        let datagram = sflow::read(self.address, reader, now_ns)?;
        let step = self.sequences.step((key(Protocol::Sflow5), datagram.domain), datagram.sequence, Some(1));
        self.note(step, Protocol::Sflow5);
        self.counters.counter_samples += datagram.counter_samples;
        self.counters.skipped += datagram.skipped;
        for (source, drops) in datagram.drops {
            let slot = (datagram.domain, source);
            if self.drops.len() < SOURCES_MAX || self.drops.contains_key(&slot) {
                // the first count is where we came in; one that fell is an agent that began anew
                let before = self.drops.insert(slot, drops).unwrap_or(drops);
                self.counters.agent_drops += u64::from(drops.saturating_sub(before));
            }
        }
        for error in datagram.errors {
            self.fault(error, out);
        }
        out.records = datagram.records;
        Ok(())
    }

    fn note(&mut self, step: Step, protocol: Protocol) {
        match (step, protocol) {
            (Step::Next, _) => {}
            (Step::Lost(n), Protocol::Netflow9 | Protocol::Sflow5) => self.counters.lost_datagrams += u64::from(n),
            (Step::Lost(n), Protocol::Netflow5 | Protocol::Ipfix) => self.counters.lost_records += u64::from(n),
            (Step::Late, _) => self.counters.late += 1,
            (Step::Restart, _) => self.counters.restarts += 1,
        }
    }

    fn message(
        &mut self,
        reader: &mut Reader<'_>,
        ipfix: bool,
        datagram_bytes: usize,
        now_ns: i64,
        out: &mut Decoded,
    ) -> Result<(), FlowError> {
        let (header, mut sets) = message::header(reader, ipfix, datagram_bytes)?;
        self.watch_uptime(&header);
        // data records of this message, as far as every one could be counted
        let mut counted = Some(0_u32);
        while let Some(set) = message::next_set(&mut sets) {
            let set = match set {
                Ok(set) => set,
                Err(error) => {
                    self.sequence(&header, None);
                    return Err(error);
                }
            };
            let records = self.set(&header, set, now_ns, out);
            counted = counted.zip(records).map(|(a, b)| a.saturating_add(b));
        }
        self.sequence(&header, counted);
        Ok(())
    }

    /// Takes the sequence number: of datagrams with NetFlow v9, of data records with IPFIX.
    fn sequence(&mut self, header: &Header, records: Option<u32>) {
        let units = if header.protocol == Protocol::Netflow9 { Some(1) } else { records };
        let step = self.sequences.step((key(header.protocol), header.domain), header.sequence, units);
        self.note(step, header.protocol);
    }

    /// A NetFlow v9 exporter that started again knows nothing of its templates (RFC 3954 §9).
    fn watch_uptime(&mut self, header: &Header) {
        let Some(uptime) = header.clock.uptime_ms else { return };
        if self.uptimes.len() >= crate::DOMAINS_MAX && !self.uptimes.contains_key(&header.domain) {
            return;
        }
        let before = self.uptimes.insert(header.domain, uptime).unwrap_or(uptime);
        // the wrap after 49.7 days is no step back
        let back = before.wrapping_sub(uptime);
        if back > RESTART_MS && back < u32::MAX / 2 {
            let protocol = key(header.protocol);
            self.templates.retain(|(p, domain, _), _| (*p, *domain) != (protocol, header.domain));
        }
    }

    /// Takes a set; returns how many data records it had, `None` when that is not known.
    fn set(&mut self, header: &Header, set: Set<'_>, now_ns: i64, out: &mut Decoded) -> Option<u32> {
        let ipfix = header.protocol == Protocol::Ipfix;
        match (set.id, ipfix) {
            (0, false) | (2, true) => self.template_set(header, set, false, now_ns, out),
            (1, false) | (3, true) => self.template_set(header, set, true, now_ns, out),
            (id @ 256.., _) => return self.data_set(header, id, set.body, now_ns, out),
            (id, _) => {
                self.fault(FlowError::SetId { offset: set.offset, id }, out);
                return None;
            }
        }
        Some(0)
    }

    fn template_set(&mut self, header: &Header, mut set: Set<'_>, options: bool, now_ns: i64, out: &mut Decoded) {
        let ipfix = header.protocol == Protocol::Ipfix;
        while set.body.left() >= 4 {
            // padding (RFC 7011 §3.3.1): no template has the id 0
            if set.body.rest().iter().all(|b| *b == 0) {
                return;
            }
            let offset = set.body.offset();
            let read = if options && !ipfix {
                template::read_v9_options(&mut set.body, now_ns)
            } else {
                template::read(&mut set.body, ipfix, options, now_ns)
            };
            match read {
                Ok(Announcement::Template(id, template)) => self.announce(header, id, template, offset, now_ns, out),
                Ok(Announcement::Withdrawn(id)) => self.withdraw(header, id, set.id),
                // where the next template begins is not known
                Err(error) => return self.fault(error, out),
            }
        }
    }

    fn announce(&mut self, header: &Header, id: u16, template: Template, offset: usize, now_ns: i64, out: &mut Decoded) {
        let slot = (key(header.protocol), header.domain, id);
        let known = self.templates.get(&slot);
        if known.is_none() && self.templates.len() >= TEMPLATES_MAX {
            return self.fault(FlowError::TooManyTemplates { offset, id, max: TEMPLATES_MAX }, out);
        }
        let new = known.is_none_or(|k| !k.same_layout(&template));
        self.counters.templates += u64::from(new);
        self.templates.insert(slot, template);
        if new {
            self.release(slot, now_ns, out);
        }
    }

    fn withdraw(&mut self, header: &Header, id: u16, set_id: u16) {
        let (protocol, domain, before) = (key(header.protocol), header.domain, self.templates.len());
        if id == set_id {
            let options = set_id == 3;
            self.templates.retain(|(p, d, _), t| (*p, *d, t.options) != (protocol, domain, options));
        } else {
            self.templates.remove(&(protocol, domain, id));
        }
        self.counters.withdrawn += (before - self.templates.len()) as u64;
    }

    /// Decodes what waited for a template.
    fn release(&mut self, slot: TemplateKey, now_ns: i64, out: &mut Decoded) {
        let waits = |h: &Held| (key(h.header.protocol), h.header.domain, h.id) == slot;
        let (ready, rest): (VecDeque<_>, VecDeque<_>) = core::mem::take(&mut self.held).into_iter().partition(waits);
        self.held = rest;
        for held in ready {
            self.data_set(&held.header, held.id, Reader::at(&held.bytes, held.offset), now_ns, out);
        }
    }

    fn data_set(&mut self, header: &Header, id: u16, mut body: Reader<'_>, now_ns: i64, out: &mut Decoded) -> Option<u32> {
        let Some(template) = self.templates.get(&(key(header.protocol), header.domain, id)).cloned() else {
            self.hold(header, id, body, now_ns);
            return None;
        };
        let mut records = 0;
        while body.left() >= template.smallest() {
            let mut values = Values::default();
            let read = template.record(&mut body, |element, value| values.take(element, value));
            match read {
                Ok(()) => self.data_record(header, template.options, values, out),
                // the record's end is known: only it is lost
                Err(error @ FlowError::Value { .. }) => self.fault(error, out),
                Err(error) => {
                    self.fault(error, out);
                    return None;
                }
            }
            records += 1;
        }
        Some(records)
    }

    fn hold(&mut self, header: &Header, id: u16, body: Reader<'_>, now_ns: i64) {
        self.counters.held_sets += 1;
        let bytes: usize = self.held.iter().map(|h| h.bytes.len()).sum();
        if self.held.len() >= HELD_SETS_MAX || bytes + body.left() > HELD_BYTES_MAX {
            self.counters.lost_sets += 1;
            return;
        }
        let (offset, bytes) = (body.offset(), body.rest().to_vec());
        self.held.push_back(Held { header: *header, id, offset, bytes, since_ns: now_ns });
    }

    fn data_record(&mut self, header: &Header, options: bool, values: Values, out: &mut Decoded) {
        let (protocol, domain) = (key(header.protocol), header.domain);
        if options {
            self.counters.options += 1;
            self.samplers.learn(protocol, domain, &values);
            let room = self.started_ms.len() < crate::DOMAINS_MAX || self.started_ms.contains_key(&(protocol, domain));
            if let (Some(ms), true) = (values.init_ms, room) {
                self.started_ms.insert((protocol, domain), ms);
            }
            return;
        }
        if !values.is_flow() {
            self.counters.not_flows += 1;
            return;
        }
        let mut clock = header.clock;
        if let (None, Some(ms)) = (clock.uptime_ms, values.init_ms.or_else(|| self.started_ms.get(&(protocol, domain)).copied())) {
            let uptime = u64::try_from(clock.export_ns / 1_000_000).unwrap_or(0).wrapping_sub(ms);
            clock.uptime_ms = u32::try_from(uptime & 0xffff_ffff).ok();
        }
        let sampling = self.samplers.of(protocol, domain, &values);
        self.counters.unscaled += u64::from(sampling.source == SamplingSource::Unknown);
        out.records.extend(values.into_record(self.address, header.protocol, domain, clock, sampling));
    }

    /// Forgets templates that were not sent again and data that waited too long.
    fn expire(&mut self, now_ns: i64) {
        if now_ns < self.tidy_ns {
            return;
        }
        self.tidy_ns = now_ns.saturating_add(TIDY_EVERY_NS);
        let before = self.templates.len();
        self.templates.retain(|_, t| now_ns.saturating_sub(t.seen_ns) <= TEMPLATE_LIFE_NS);
        self.counters.expired += (before - self.templates.len()) as u64;
        while self.held.front().is_some_and(|h| now_ns.saturating_sub(h.since_ns) > HELD_FOR_NS) {
            self.held.pop_front();
            self.counters.lost_sets += 1;
        }
    }
}
