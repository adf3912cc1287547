//! The flow listener against datagrams of our own, over loopback.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

use collector::{FlowBatch, FlowCounters, FlowListener};
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;
use flow::Protocol;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

const PATIENCE: Duration = Duration::from_secs(10);

fn listen(queue: usize) -> (SocketAddr, Arc<FlowCounters>, mpsc::Receiver<FlowBatch>) {
    let allowed = [1, 2].map(|n| (IpAddr::V4(Ipv4Addr::new(127, 98, 0, n)), format!("r{n}").as_str().into()));
    let listener = FlowListener::bind("127.0.0.1:0".parse().unwrap(), allowed.into()).unwrap();
    let (address, counters) = (listener.local_address().unwrap(), listener.counters());
    let (tx, rx) = mpsc::channel(queue);
    tokio::spawn(listener.run(tx));
    (address, counters, rx)
}

fn sender(last: u8, to: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind((Ipv4Addr::new(127, 98, 0, last), 0)).unwrap();
    socket.connect(to).unwrap();
    socket
}

fn words(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|n| n.to_be_bytes()).collect()
}

/// NetFlow v5 with one record of `octets`.
fn v5(sequence: u32, octets: u32) -> Vec<u8> {
    words(&[0x0005_0001, 600_000, 1_795_435_200, 0, sequence, 0, 0xc633_6401, 0xcb00_7105, 0, 0x000b_000c, 1, octets, 0, 0, 0, 0, 0, 0])
}

/// Template 256 of octets, source, destination; then one record.
fn templated(version: u32, octets: u32) -> Vec<u8> {
    let (template_set, header) = match version {
        9 => (0, words(&[0x0009_0002, 600_000, 1_795_435_200, 0, 1])),
        _ => (2, words(&[0x000a_0000 | (16 + 20 + 16), 1_795_435_200, 0, 1])),
    };
    let sets = [template_set << 16 | 20, 0x0100_0003, 0x0001_0004, 0x0008_0004, 0x000c_0004, 0x0100_0010, octets, 0xc633_6401, 0xcb00_7105];
    [header, words(&sets)].concat()
}

fn sflow(length: u32) -> Vec<u8> {
    let ipv4 = [3, 32, length, 17, 0xc633_6401, 0xcb00_7105, 1, 2, 0, 0];
    let sample = [1, 32 + 40, 1, 11, 256, 2560, 0, 11, 12, 1];
    [words(&[5, 1, 0x7f62_0001, 0, 1, 99, 1]), words(&sample), words(&ipv4)].concat()
}

async fn next(rx: &mut mpsc::Receiver<FlowBatch>) -> FlowBatch {
    timeout(PATIENCE, rx.recv()).await.expect("something within 10 s").expect("the listener lives")
}

async fn until(counter: &AtomicU64, wanted: u64) {
    let end = Instant::now() + PATIENCE;
    while counter.load(Ordering::Relaxed) < wanted {
        assert!(Instant::now() < end, "{counter:?} did not reach {wanted}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn every_format_is_read_on_the_same_socket() {
    let (address, counters, mut rx) = listen(16);
    let r2 = sender(2, address);
    let sent = [v5(0, 100), templated(9, 200), templated(10, 300), sflow(400)];
    let wanted = [(Protocol::Netflow5, 100), (Protocol::Netflow9, 200), (Protocol::Ipfix, 300), (Protocol::Sflow5, 400)];
    for (datagram, wanted) in sent.iter().zip(wanted) {
        r2.send(datagram).unwrap();
        let batch = next(&mut rx).await;
        let told: Vec<_> = batch.records.iter().map(|r| (r.protocol, r.bytes)).collect();
        assert_eq!((batch.device.to_string().as_str(), told), ("r2", vec![wanted]));
        assert_eq!(batch.records[0].destination, Some("203.0.113.5".parse().unwrap()));
    }
    assert_eq!((counters.records.load(Ordering::Relaxed), counters.faults.load(Ordering::Relaxed)), (4, 0));
    assert!(counters.receive_buffer_bytes.load(Ordering::Relaxed) > 0);
}

#[tokio::test]
async fn an_unknown_sender_is_counted_and_not_read() {
    let (address, counters, mut rx) = listen(16);
    sender(9, address).send(&v5(0, 1)).unwrap();
    until(&counters.refused, 1).await;
    sender(1, address).send(&v5(0, 2)).unwrap();
    assert_eq!(next(&mut rx).await.records[0].bytes, 2);
    assert_eq!(counters.datagrams.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn what_cannot_be_read_is_counted_and_ends_nothing() {
    let (address, counters, mut rx) = listen(16);
    let r1 = sender(1, address);
    r1.send(b"not flow export").unwrap();
    r1.send(&[]).unwrap();
    until(&counters.faults, 2).await;
    r1.send(&v5(10, 7)).unwrap();
    r1.send(&v5(14, 8)).unwrap();
    assert_eq!(next(&mut rx).await.records[0].bytes, 7);
    assert_eq!(next(&mut rx).await.records[0].bytes, 8);
    assert_eq!(counters.lost_records.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn a_slow_engine_costs_records_and_never_holds_up_the_socket() {
    let (address, counters, mut rx) = listen(2);
    let r1 = sender(1, address);
    for n in 0..20 {
        r1.send(&v5(n, n)).unwrap();
        until(&counters.datagrams, u64::from(n) + 1).await;
    }
    until(&counters.dropped_records, 18).await;
    assert_eq!((next(&mut rx).await.records[0].bytes, next(&mut rx).await.records[0].bytes), (0, 1));
    assert_eq!(counters.records.load(Ordering::Relaxed), 2);
    r1.send(&v5(20, 77)).unwrap();
    assert_eq!(next(&mut rx).await.records[0].bytes, 77, "it goes on");
}

#[tokio::test(flavor = "current_thread")]
async fn what_the_kernel_drops_is_counted() {
    if !std::path::Path::new("/proc/net/udp").exists() {
        println!("skipped: no /proc/net/udp");
        return;
    }
    let (address, counters, _rx) = listen(2);
    // nobody reads while this thread sends: more than any buffer that was granted
    let (r1, full) = (sender(1, address), vec![0xff_u8; 60_000]);
    let granted = counters.receive_buffer_bytes.load(Ordering::Relaxed);
    for _ in 0..granted / 60_000 + 50 {
        r1.send(&full).unwrap();
    }
    until(&counters.kernel_drops, 1).await;
}
