//! The doors that are open only when asked for: flow export and syslog. Both come over UDP, which nobody can hold back: what finds their
//! queues full is dropped and counted, and the loop never waits for them.

use crate::engine::EngineError;
use crate::origins::VrpSource;
use collector::{FlowCounters, FlowListener, SyslogCounters, SyslogListener, SyslogTls, flow_exporters, syslog_senders};
use network::{Inventory, Observation};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Datagrams and messages that may wait for the engine at each door.
const DOOR_QUEUE: usize = 1024;

/// Which of them are opened, and where.
#[derive(Clone, Debug, Default)]
pub struct Doors {
    /// NetFlow v5 and v9, IPFIX and sFlow v5, over UDP.
    pub flow: Option<SocketAddr>,
    /// Syslog over UDP and TCP.
    pub syslog: Option<SocketAddr>,
    /// Syslog over TLS; needs [`Doors::syslog`].
    pub syslog_tls: Option<SyslogTls>,
    /// What origin validation goes by, which is asked for and not waited for.
    pub vrps: Option<VrpSource>,
}

/// Opened doors: where they are, and what came through.
#[derive(Clone, Debug, Default)]
pub struct OpenDoors {
    flow: Option<(SocketAddr, Arc<FlowCounters>)>,
    syslog: Option<(SocketAddr, Arc<SyslogCounters>)>,
}

/// One door at a glance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoorCounts {
    /// `flow` or `syslog`.
    pub name: &'static str,
    /// Where it listens.
    pub address: SocketAddr,
    /// Flow records or messages handed on.
    pub taken: u64,
    /// Those dropped because the engine, or the kernel's buffer, had no room.
    pub dropped: u64,
    /// Those that never came, as the exporters' numbers tell; 0 where nothing tells.
    pub lost: u64,
    /// Datagrams and streams of senders that no device is.
    pub refused: u64,
    /// Those that could not be read whole.
    pub faults: u64,
}

impl OpenDoors {
    /// Returns where flow export is listened for.
    #[must_use]
    pub fn flow_address(&self) -> Option<SocketAddr> {
        self.flow.as_ref().map(|(a, _)| *a)
    }

    /// Returns where syslog is listened for.
    #[must_use]
    pub fn syslog_address(&self) -> Option<SocketAddr> {
        self.syslog.as_ref().map(|(a, _)| *a)
    }

    /// Returns what came through each open door.
    #[must_use]
    pub fn counts(&self) -> Vec<DoorCounts> {
        let n = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let flow = self.flow.as_ref().map(|(address, c)| DoorCounts {
            name: "flow",
            address: *address,
            taken: n(&c.records),
            dropped: n(&c.dropped_records) + n(&c.kernel_drops),
            lost: n(&c.lost_records) + n(&c.lost_datagrams),
            refused: n(&c.refused),
            faults: n(&c.faults),
        });
        let syslog = self.syslog.as_ref().map(|(address, c)| DoorCounts {
            name: "syslog",
            address: *address,
            taken: n(&c.messages),
            dropped: n(&c.dropped) + n(&c.crowded),
            lost: 0,
            refused: n(&c.refused),
            faults: n(&c.broken) + n(&c.cut),
        });
        flow.into_iter().chain(syslog).collect()
    }
}

/// Opens what is asked for; what comes goes to `observations`.
pub(crate) async fn open(
    doors: &Doors,
    inventory: &Inventory,
    observations: &mpsc::Sender<Observation>,
) -> Result<(OpenDoors, Vec<JoinHandle<()>>), EngineError> {
    let (mut opened, mut tasks) = (OpenDoors::default(), Vec::new());
    if let Some(address) = doors.flow {
        let listener = FlowListener::bind(address, flow_exporters(inventory)).map_err(EngineError::Flow)?;
        opened.flow = Some((listener.local_address().unwrap_or(address), listener.counters()));
        let (tx, mut rx) = mpsc::channel(DOOR_QUEUE);
        tasks.push(tokio::spawn(listener.run(tx)));
        let observations = observations.clone();
        tasks.push(tokio::spawn(async move {
            while let Some(batch) = rx.recv().await {
                if observations.send(Observation::Flow { device: batch.device, records: batch.records }).await.is_err() {
                    return;
                }
            }
        }));
    }
    if let Some(address) = doors.syslog {
        let bound = SyslogListener::bind(address, doors.syslog_tls.as_ref(), syslog_senders(inventory)).await;
        let listener = bound.map_err(EngineError::Syslog)?;
        opened.syslog = Some((listener.local_address().unwrap_or(address), listener.counters()));
        let (tx, mut rx) = mpsc::channel(DOOR_QUEUE);
        tasks.push(tokio::spawn(listener.run(tx)));
        let observations = observations.clone();
        tasks.push(tokio::spawn(async move {
            while let Some(heard) = rx.recv().await {
                if observations.send(Observation::Syslog { device: heard.device, bytes: heard.bytes }).await.is_err() {
                    return;
                }
            }
        }));
    }
    Ok((opened, tasks))
}
