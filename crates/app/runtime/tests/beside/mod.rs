//! An engine with one router, and bytes that it sends.

#![allow(dead_code, reason = "each test file uses its part")]

use network::{BmpSource, DeviceRole, DeviceSpec, Inventory};
use pilot::Mode;
use runtime::{Engine, Options};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};

pub const FROM: Ipv4Addr = Ipv4Addr::new(127, 98, 0, 1);

pub async fn start(data: &Path) -> Engine {
    start_with(data, runtime::Doors::default()).await
}

pub async fn start_with(data: &Path, doors: runtime::Doors) -> Engine {
    let device = DeviceSpec {
        id: "r1".into(),
        hostname: "edge-router-01".into(),
        role: DeviceRole::Edge,
        router_id: Ipv4Addr::new(10, 0, 0, 1),
        bmp: Some(BmpSource::at(FROM.into())),
        gnmi: None,
        netconf: None,
    };
    let inventory = Inventory { own_asn: bgp::Asn(65001), devices: vec![device], ..Inventory::empty("topics") };
    let options = Options {
        data: data.join("data"),
        inventory,
        secrets: data.join("secrets.json"),
        mode: Mode::Shadow,
        bmp: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        doors,
        approval_ttl: None,
        key_store: false,
    };
    Engine::start(options).await.unwrap()
}

pub async fn send(engine: &Engine, bytes: &[u8]) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((FROM, 0).into()).unwrap();
    let mut stream = socket.connect(engine.bmp_address()).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream
}

pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what} did not happen");
}

pub fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[3][..], &u32::try_from(6 + body.len()).unwrap().to_be_bytes(), &[kind], body].concat()
}

pub fn peer() -> Vec<u8> {
    let mut out = vec![0; 22];
    out.extend([10, 0, 0, 2]);
    out.extend(65002_u32.to_be_bytes());
    out.extend([10, 0, 0, 2]);
    out.extend(1_600_000_000_u32.to_be_bytes());
    out.extend([0; 4]);
    out
}

pub fn bgp_message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[0xFF; 16][..], &u16::try_from(19 + body.len()).unwrap().to_be_bytes(), &[kind], body].concat()
}

pub fn update(withdrawn: &[u8], attributes: &[u8], announced: &[u8]) -> Vec<u8> {
    let length = |b: &[u8]| u16::try_from(b.len()).unwrap().to_be_bytes();
    let body = [&length(withdrawn)[..], withdrawn, &length(attributes), attributes, announced].concat();
    message(0, &[peer(), bgp_message(2, &body)].concat())
}

pub fn peer_up() -> Vec<u8> {
    let open = |asn: u16| bgp_message(1, &[&[4][..], &asn.to_be_bytes(), &[0, 90, 10, 0, 0, 1, 0]].concat());
    let mut body = peer();
    body.extend([0; 12]);
    body.extend([10, 0, 0, 1, 0, 179, 0x9C, 0x40]);
    message(3, &[body, open(65001), open(65002)].concat())
}

/// ORIGIN, AS_PATH 65002 64500 (two octets each: the peer offers no more), NEXT_HOP 10.0.0.2.
pub const ATTRIBUTES: [u8; 20] = [0x40, 1, 1, 0, 0x40, 2, 6, 2, 2, 0xFD, 0xEA, 0xFB, 0xF4, 0x40, 3, 4, 10, 0, 0, 2];

pub fn story() -> Vec<u8> {
    let two = [24, 203, 0, 113, 24, 198, 51, 100];
    let initiation = message(4, &[0, 2, 0, 2, b'r', b'1']);
    let malformed = message(9, &[1, 2, 3]);
    let down = message(2, &[peer(), vec![4]].concat());
    [initiation, peer_up(), update(&[], &ATTRIBUTES, &two), update(&two[..4], &[], &[]), malformed, down].concat()
}
