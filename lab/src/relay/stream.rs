//! Carrying bytes between the management namespace and the host.

use super::control::EngineDoors;
use crate::namespace::inside;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};
use tokio::sync::{Semaphore, watch};

/// Connections of one service at a time; the engine needs two.
const MAX_CONNECTIONS: usize = 16;
/// How long a connection may take to come up.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// Sending processes that are told apart.
const MAX_PROCESSES: usize = 256;
/// Largest UDP payload.
const DATAGRAM_BYTES_MAX: usize = 65_535;
/// Pause after a listener failed (out of descriptors), so that it does not spin.
const PAUSE: Duration = Duration::from_millis(200);

/// Offers one service of a router on the host.
pub(super) async fn forward(listener: TcpListener, namespace: String, to: SocketAddr) {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(permit) = room.clone().acquire_owned().await else { return };
        let Ok((client, _)) = listener.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let namespace = namespace.clone();
        tokio::spawn(async move {
            if let Ok(server) = connect_inside(&namespace, to).await {
                join(client, server).await;
            }
            drop(permit);
        });
    }
}

/// A socket belongs to the namespace it was made in, whoever uses it later.
async fn connect_inside(namespace: &str, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = inside(namespace, TcpSocket::new_v4).map_err(io::Error::other)??;
    connect(socket, to).await
}

async fn connect(socket: TcpSocket, to: SocketAddr) -> io::Result<TcpStream> {
    tokio::time::timeout(CONNECT_WITHIN, socket.connect(to)).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

async fn join(mut a: TcpStream, mut b: TcpStream) {
    let _ = (a.set_nodelay(true), b.set_nodelay(true));
    // Either side's end is both sides' end; an error is one too.
    let _ = tokio::io::copy_bidirectional(&mut a, &mut b).await;
}

/// Takes BMP sessions of routers and hands them to the engine.
pub(super) async fn bmp(listener: TcpListener, sources: BTreeMap<Ipv4Addr, Ipv4Addr>, engine: watch::Receiver<EngineDoors>) {
    loop {
        let Ok((router, from)) = listener.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let IpAddr::V4(address) = from.ip() else { continue };
        // Not a router of the lab: nobody else can reach this namespace, and a stranger is not relayed.
        let Some(source) = sources.get(&address).copied() else { continue };
        tokio::spawn(bmp_session(router, source, engine.clone()));
    }
}

async fn bmp_session(router: TcpStream, source: Ipv4Addr, mut engine: watch::Receiver<EngineDoors>) {
    let Some(to) = engine.borrow_and_update().bmp else { return };
    let dial = || {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(SocketAddr::new(IpAddr::V4(source), 0))?;
        Ok::<_, io::Error>(socket)
    };
    let Ok(socket) = dial() else { return };
    let Ok(stream) = connect(socket, to).await else { return };
    tokio::select! {
        () = join(router, stream) => {}
        // The engine moved or left: this session is no longer its.
        _ = engine.wait_for(|doors| doors.bmp != Some(to)) => {}
    }
}

/// Takes datagrams of routers and hands them to the engine, each from the address that the engine knows the router by.
pub(super) async fn datagrams(
    inside: UdpSocket,
    sources: BTreeMap<Ipv4Addr, Ipv4Addr>,
    engine: watch::Receiver<EngineDoors>,
    door: fn(&EngineDoors) -> Option<SocketAddr>,
) {
    let mut ways: BTreeMap<(Ipv4Addr, u16), UdpSocket> = BTreeMap::new();
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    loop {
        let Ok((length, from)) = inside.recv_from(&mut buffer).await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let IpAddr::V4(address) = from.ip() else { continue };
        let (Some(source), Some(to)) = (sources.get(&address).copied(), door(&engine.borrow())) else { continue };
        // Processes of one router keep ports of their own: that is how a receiver tells them apart.
        let process = (source, from.port());
        if ways.len() >= MAX_PROCESSES && !ways.contains_key(&process) {
            ways.clear();
        }
        if let std::collections::btree_map::Entry::Vacant(free) = ways.entry(process)
            && let Ok(socket) = UdpSocket::bind(SocketAddr::new(IpAddr::V4(source), 0)).await
        {
            free.insert(socket);
        }
        if let (Some(way), Some(bytes)) = (ways.get(&process), buffer.get(..length)) {
            // A datagram is a wish, not a promise.
            let _ = way.send_to(bytes, to).await;
        }
    }
}
