//! The plug of a router's management port: with the power off, connections end and nobody answers.

use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Hands every connection on to `inner` while there is power; for ever.
pub async fn serve(outer: TcpListener, inner: SocketAddr, mut power: watch::Receiver<bool>) {
    loop {
        // refused connections wait for nothing: with the power off nobody takes them
        let taken = tokio::select! {
            taken = outer.accept(), if *power.borrow() => taken,
            changed = power.changed() => {
                if changed.is_err() {
                    return;
                }
                continue;
            }
        };
        match taken {
            Ok((stream, _)) => drop(tokio::spawn(carry(stream, inner, power.clone()))),
            // too many files are open; they may be fewer in a moment
            Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
}

async fn carry(mut stream: TcpStream, inner: SocketAddr, mut power: watch::Receiver<bool>) {
    let Ok(mut server) = TcpStream::connect(inner).await else { return };
    let _ = (stream.set_nodelay(true), server.set_nodelay(true));
    tokio::select! {
        // either side may end it, in any way
        _ = copy_bidirectional(&mut stream, &mut server) => {}
        () = gone(&mut power) => {}
    }
}

/// Returns when the power is off.
async fn gone(power: &mut watch::Receiver<bool>) {
    while *power.borrow_and_update() {
        if power.changed().await.is_err() {
            return;
        }
    }
}
