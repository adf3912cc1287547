//! Speaking to a running simulated lab: one JSON request and one answer per connection to a Unix socket in the lab's own folder.

use super::clock::Clock;
use super::show;
use super::world::World;
use crate::impair::{Direction, Impairment};
use crate::topology::Exit;
use bgp::Family;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;
use tokio::sync::watch;

/// Name of the socket.
const SOCKET: &str = "sim.sock";
/// How long an answer may take, on a machine that does much else.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// How long an asker may take; others wait meanwhile.
const REQUEST_WITHIN: Duration = Duration::from_secs(5);
/// Bytes of a request; of an answer (a table of some thousand routes).
const REQUEST_MAX: u64 = 64 << 10;
const ANSWER_MAX: u64 = 16 << 20;
/// Packets of one ping.
const PINGS_MAX: u32 = 1000;

/// What a lab can be asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "do")]
pub enum Request {
    /// Replaces what a link does.
    Impair {
        /// Link.
        link: String,
        /// Which way.
        direction: Direction,
        /// What.
        impairment: Impairment,
    },
    /// Switches a carrier.
    Carrier {
        /// Link.
        link: String,
        /// On or off.
        on: bool,
    },
    /// Takes the power of a router, or gives it back.
    Power {
        /// Router.
        router: String,
        /// On or off.
        on: bool,
    },
    /// Has the provider reset the sessions of an exit.
    Reset {
        /// Exit.
        exit: String,
    },
    /// Adds traffic by an exit; 0 ends it.
    Fill {
        /// Exit.
        exit: String,
        /// Rate.
        rate_bps: u64,
    },
    /// Tells where the engine takes BMP.
    Attach {
        /// Its address.
        bmp: Option<SocketAddr>,
    },
    /// Runs commands as `vtysh` does.
    Vtysh {
        /// Router.
        node: String,
        /// Commands.
        commands: Vec<String>,
    },
    /// Sends packets there and back.
    Ping {
        /// Router.
        node: String,
        /// Source address.
        source: IpAddr,
        /// Target.
        target: IpAddr,
        /// How many.
        count: u32,
    },
}

/// The answer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Done(String),
    Refused(String),
}

/// Why a simulated lab did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// Nobody answers.
    #[error("the simulated lab does not answer on {}; is it up (`pilotctl lab status`)?", socket.display())]
    Unanswered {
        /// The socket.
        socket: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It answered no.
    #[error("it refused: {reason}")]
    Refused {
        /// Why.
        reason: String,
    },
    /// It answered something else.
    #[error("it answered what this version does not understand; restart the lab")]
    Strange {
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The network of the topology does not settle.
    #[error("the simulated network does not converge; check the topology's sessions and links")]
    Unsettled,
    /// A thread or a server of the lab could not be started.
    #[error("cannot start {what}")]
    Start {
        /// What.
        what: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// Asks the lab whose sockets are in `run_dir`.
///
/// # Errors
/// When it does not answer, or refuses.
pub fn ask(run_dir: &Path, request: &Request) -> Result<String, SimError> {
    let socket = run_dir.join(SOCKET);
    let strange = |source| SimError::Strange { source };
    let bytes = serde_json::to_vec(request).map_err(strange)?;
    let exchange = || {
        let mut stream = UnixStream::connect(&socket)?;
        stream.set_read_timeout(Some(ANSWER_WITHIN))?;
        stream.set_write_timeout(Some(ANSWER_WITHIN))?;
        stream.write_all(&bytes)?;
        stream.shutdown(std::net::Shutdown::Write)?;
        let mut answer = Vec::new();
        stream.take(ANSWER_MAX).read_to_end(&mut answer)?;
        Ok(answer)
    };
    let answer = exchange().map_err(|source| SimError::Unanswered { socket: socket.clone(), source })?;
    match serde_json::from_slice(&answer).map_err(strange)? {
        Answer::Done(text) => Ok(text),
        Answer::Refused(reason) => Err(SimError::Refused { reason }),
    }
}

/// Says whether a lab answers: one inside another process has no process of its own to look for.
pub(crate) fn answers(run_dir: &Path) -> bool {
    UnixStream::connect(run_dir.join(SOCKET)).is_ok()
}

/// Takes the socket.
///
/// # Errors
/// The system's own.
pub fn bind(run_dir: &Path) -> std::io::Result<UnixListener> {
    UnixListener::bind(run_dir.join(SOCKET))
}

/// What is switched outside the simulated network itself.
#[derive(Debug)]
pub struct Switches {
    /// Where the engine takes BMP.
    pub engine: watch::Sender<Option<SocketAddr>>,
    /// Power of each face, by router.
    pub power: BTreeMap<String, watch::Sender<bool>>,
}

/// Serves for ever.
pub async fn serve(listener: UnixListener, clock: Clock, switches: Switches) {
    loop {
        let Ok((mut stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(200)).await;
            continue;
        };
        // one after the other: requests take moments, and an asker that does not finish is left
        let exchange = async {
            let mut bytes = Vec::new();
            (&mut stream).take(REQUEST_MAX).read_to_end(&mut bytes).await?;
            let answer = match serde_json::from_slice(&bytes) {
                Ok(request) => clock.touch(|w| carry_out(w, &switches, request)),
                Err(e) => Err(format!("not a request: {e}")),
            };
            let answer = answer.map_or_else(Answer::Refused, Answer::Done);
            stream.write_all(&serde_json::to_vec(&answer)?).await
        };
        // the asker may be gone
        let _ = tokio::time::timeout(REQUEST_WITHIN, exchange).await;
    }
}

fn carry_out(world: &mut World, switches: &Switches, request: Request) -> Result<String, String> {
    match request {
        Request::Impair { link, direction, impairment } => world.impair(link_of(world, &link)?, direction, impairment),
        Request::Carrier { link, on } => world.carrier(link_of(world, &link)?, on),
        Request::Power { router, on } => {
            let index = world.index(&router).ok_or_else(|| format!("no router {router}"))?;
            let power = switches.power.get(&router).ok_or_else(|| format!("{router} is none of ours"))?;
            // the same again must not touch carriers that another fault took
            if power.send_if_modified(|now| std::mem::replace(now, on) != on) {
                let links: Vec<usize> =
                    (0..world.links.len()).filter(|l| [world.links[*l].a, world.links[*l].b].contains(&index)).collect();
                links.into_iter().for_each(|link| world.carrier(link, on));
            }
        }
        Request::Reset { exit } => {
            let exit = exit_of(world, &exit)?;
            reset(world, &exit).ok_or("the exit has no sessions")?;
        }
        Request::Fill { exit, rate_bps: 0 } => world.stop_filling(&exit_of(world, &exit)?),
        Request::Fill { exit, rate_bps } => world.fill(&exit_of(world, &exit)?, rate_bps),
        // the same address again must not end living sessions
        Request::Attach { bmp } => drop(switches.engine.send_if_modified(|now| std::mem::replace(now, bmp) != bmp)),
        Request::Vtysh { node, commands } => return vtysh(world, &node, &commands),
        Request::Ping { node, source, target, count } => {
            let index = world.index(&node).ok_or_else(|| format!("no router {node}"))?;
            return Ok(world.ping(index, source, target, count.min(PINGS_MAX)));
        }
    }
    Ok(String::new())
}

fn link_of(world: &World, name: &str) -> Result<usize, String> {
    world.links.iter().position(|l| l.id == name).ok_or_else(|| format!("no link {name}"))
}

fn exit_of(world: &World, name: &str) -> Result<Exit, String> {
    world.topology.exit(name).cloned().ok_or_else(|| format!("no exit {name}"))
}

/// Resets both sessions of an exit at the provider's end.
fn reset(world: &mut World, exit: &Exit) -> Option<()> {
    let port = world.topology.port_of(exit)?;
    let (provider, ours) = (port.peer.to_owned(), [Family::Ipv4Unicast, Family::Ipv6Unicast].map(|f| port.addresses(f).0));
    let provider = world.index(&provider)?;
    ours.into_iter().for_each(|neighbor| world.reset((provider, neighbor)));
    Some(())
}

/// `configure terminal` takes the commands after it; a `show` command answers.
fn vtysh(world: &mut World, node: &str, commands: &[String]) -> Result<String, String> {
    let index = world.index(node).ok_or_else(|| format!("no router {node}"))?;
    if let [first, lines @ ..] = commands
        && first == "configure terminal"
    {
        return world.configure(index, lines).map(|()| String::new()).map_err(|e| e.to_string());
    }
    let show = |c: &String| show::answer(&world.routers[index], c).ok_or_else(|| format!("% Unknown command: {c}"));
    commands.iter().map(show).collect()
}
