//! The BMP listener against bytes of our own, over loopback.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

use bgp::Asn;
use collector::BmpListener;
use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;
use network::{BmpEvent, BmpSource, DeviceRole, DeviceSpec, Inventory, Observation};
use std::sync::atomic::Ordering;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

const INITIATION: [u8; 6] = [3, 0, 0, 0, 6, 4];

fn inventory() -> Inventory {
    let device = |n: u8| DeviceSpec {
        id: format!("r{n}").as_str().into(),
        hostname: format!("r{n}"),
        role: DeviceRole::Edge,
        router_id: Ipv4Addr::new(10, 0, 0, n),
        bmp: Some(BmpSource::at(Ipv4Addr::new(127, 99, 0, n).into())),
        gnmi: None,
        netconf: None,
    };
    Inventory {
        name: "test".to_owned(),
        lab: None,
        own_asn: Asn(65001),
        own_prefixes: vec![],
        public_space: vec![],
        devices: vec![device(1), device(2)],
        providers: vec![],
        exits: vec![],
        groups: vec![],
        ..Inventory::empty("")
    }
}

async fn connect(from: u8, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(Ipv4Addr::new(127, 99, 0, from).into(), 0)).unwrap();
    socket.connect(to).await.unwrap()
}

async fn next(rx: &mut mpsc::Receiver<Observation>) -> (String, BmpEvent) {
    match timeout(Duration::from_secs(5), rx.recv()).await.expect("something within 5 s").expect("the listener lives") {
        Observation::Bmp { device, event } => (device.to_string(), event),
        other => panic!("{other:?}"),
    }
}

async fn listen(queue: usize) -> (SocketAddr, std::sync::Arc<collector::BmpCounters>, mpsc::Receiver<Observation>) {
    let listener = BmpListener::bind("127.0.0.1:0".parse().unwrap(), &inventory()).await.unwrap();
    let (address, counters) = (listener.local_address().unwrap(), listener.counters());
    let (tx, rx) = mpsc::channel(queue);
    tokio::spawn(listener.run(tx));
    (address, counters, rx)
}

fn closed_reason((device, event): (String, BmpEvent)) -> (String, String) {
    match event {
        BmpEvent::Closed { reason } => (device, reason),
        other => panic!("{device}: {other:?}"),
    }
}

#[tokio::test]
async fn a_router_is_known_by_where_it_sends_from() {
    let (address, _, mut rx) = listen(8).await;
    let mut r2 = connect(2, address).await;
    // one and a half messages, then the rest
    r2.write_all(&[INITIATION.as_slice(), &INITIATION[..3]].concat()).await.unwrap();
    assert_eq!(next(&mut rx).await, ("r2".to_owned(), BmpEvent::Connected));
    assert_eq!(next(&mut rx).await, ("r2".to_owned(), BmpEvent::Message { bytes: INITIATION.to_vec() }));
    r2.write_all(&INITIATION[3..]).await.unwrap();
    assert_eq!(next(&mut rx).await, ("r2".to_owned(), BmpEvent::Message { bytes: INITIATION.to_vec() }));
    drop(r2);
    assert_eq!(closed_reason(next(&mut rx).await).1, "the router closed the BMP session");
}

#[tokio::test]
async fn unknown_senders_are_shown_out_and_counted() {
    let (address, counters, mut rx) = listen(8).await;
    let mut stranger = connect(77, address).await;
    let mut byte = [0];
    let read = timeout(Duration::from_secs(5), stranger.read(&mut byte)).await.unwrap();
    assert!(matches!(read, Ok(0) | Err(_)));
    assert_eq!(counters.refused.load(Ordering::Relaxed), 1);
    let _r1 = connect(1, address).await;
    assert_eq!(next(&mut rx).await, ("r1".to_owned(), BmpEvent::Connected));
}

#[tokio::test]
async fn garbage_costs_its_session_and_no_other() {
    let (address, counters, mut rx) = listen(8).await;
    for (garbage, words) in [
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), "not BMP version 3 or 4"),
        (vec![3, 0x40, 0, 0, 0, 4], "1073741824 bytes long"),
        (vec![3, 0, 0, 0, 5, 4], "5 bytes long"),
    ] {
        let mut r1 = connect(1, address).await;
        r1.write_all(&garbage).await.unwrap();
        assert_eq!(next(&mut rx).await.1, BmpEvent::Connected);
        let (device, reason) = closed_reason(next(&mut rx).await);
        assert_eq!(device, "r1");
        assert!(reason.starts_with("PH-COLL-003") && reason.contains(words), "{reason}");
    }
    assert_eq!(counters.not_bmp.load(Ordering::Relaxed), 3);
    let mut r2 = connect(2, address).await;
    r2.write_all(&INITIATION[..4]).await.unwrap();
    assert_eq!(next(&mut rx).await, ("r2".to_owned(), BmpEvent::Connected));
    drop(r2);
    assert!(closed_reason(next(&mut rx).await).1.starts_with("PH-COLL-004"));
}

#[tokio::test]
async fn the_newer_connection_counts_and_the_order_stays() {
    let (address, _, mut rx) = listen(8).await;
    let _old = connect(1, address).await;
    assert_eq!(next(&mut rx).await.1, BmpEvent::Connected);
    let mut new = connect(1, address).await;
    assert_eq!(closed_reason(next(&mut rx).await).1, "the router opened a newer BMP session");
    assert_eq!(next(&mut rx).await.1, BmpEvent::Connected);
    new.write_all(&INITIATION).await.unwrap();
    assert_eq!(next(&mut rx).await.1, BmpEvent::Message { bytes: INITIATION.to_vec() });
}

#[tokio::test]
async fn a_slow_engine_holds_the_sender_back_and_loses_nothing() {
    const MESSAGES: usize = 50_000;
    let (address, _, mut rx) = listen(1).await;
    let mut r1 = connect(1, address).await;
    let sender = tokio::spawn(async move {
        r1.write_all(&INITIATION.repeat(MESSAGES)).await.unwrap();
    });
    assert_eq!(next(&mut rx).await.1, BmpEvent::Connected);
    for _ in 0..MESSAGES {
        assert_eq!(next(&mut rx).await.1, BmpEvent::Message { bytes: INITIATION.to_vec() });
    }
    sender.await.unwrap();
}
