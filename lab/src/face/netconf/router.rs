//! The router behind the NETCONF server: its running configuration as text, and lines that change it.

use std::future::Future;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::process::Command;
use tokio::time::timeout;

/// A configuration command that takes longer is stuck.
const VTYSH_WITHIN: Duration = Duration::from_secs(20);
/// Longest configuration that is read, bytes.
const TEXT_MAX: u64 = 16 << 20;
/// Characters of the router's complaint that are handed on.
const COMPLAINT_MAX: usize = 600;

/// Why the router did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum RouterError {
    /// A daemon cannot be reached: what is configured on it is not known.
    #[error("{daemon} cannot be reached at {socket}: {source}; start it again")]
    Down {
        /// Daemon.
        daemon: &'static str,
        /// Its vty socket.
        socket: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
    /// vtysh could not be run or did not end.
    #[error("vtysh: {0}")]
    Vtysh(String),
    /// The router refused a line; those before it are in effect.
    #[error("the router refused: {0}")]
    Refused(String),
}

/// What the NETCONF server needs of a router.
pub trait Router: Send + Sync + 'static {
    /// Reads the running configuration; the same configuration gives the same bytes.
    fn running(&self) -> impl Future<Output = Result<String, RouterError>> + Send;
    /// Carries out `configure terminal` lines in order and stops at the first that is refused.
    fn configure(&self, lines: &[String]) -> impl Future<Output = Result<(), RouterError>> + Send;
}

/// FRR 8.4, by vtysh.
#[derive(Clone, Debug)]
pub struct FrrRouter {
    vty_dir: PathBuf,
}

impl FrrRouter {
    /// Prepares for the daemons whose vty sockets are in `vty_dir`.
    #[must_use]
    pub const fn new(vty_dir: PathBuf) -> Self {
        Self { vty_dir }
    }

    /// vtysh leaves out a daemon that is not there, so that its part of the configuration would seem deleted.
    async fn bgpd_is_there(&self) -> Result<(), RouterError> {
        let socket = self.vty_dir.join("bgpd.vty");
        match UnixStream::connect(&socket).await {
            Ok(_) => Ok(()),
            Err(source) => Err(RouterError::Down { daemon: "bgpd", socket, source }),
        }
    }

    async fn vtysh(&self, commands: impl IntoIterator<Item = &str>) -> Result<String, RouterError> {
        let mut command = Command::new("vtysh");
        command.arg("--vty_socket").arg(&self.vty_dir).arg("--config_dir").arg(&self.vty_dir);
        for c in commands {
            command.args(["-c", c]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let broken = |e: std::io::Error| RouterError::Vtysh(e.to_string());
        let run = async {
            let mut child = command.spawn().map_err(broken)?;
            let (mut out, mut err) = (String::new(), String::new());
            let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
            let read_out = async {
                match stdout {
                    Some(s) => s.take(TEXT_MAX).read_to_string(&mut out).await,
                    None => Ok(0),
                }
            };
            let read_err = async {
                match stderr {
                    Some(s) => s.take(TEXT_MAX).read_to_string(&mut err).await,
                    None => Ok(0),
                }
            };
            let (a, b) = tokio::join!(read_out, read_err);
            a.and(b).map_err(broken)?;
            let status = child.wait().await.map_err(broken)?;
            Ok((status, out, err))
        };
        let (status, out, err) = match timeout(VTYSH_WITHIN, run).await {
            Ok(result) => result?,
            Err(_) => return Err(RouterError::Vtysh(format!("no end within {VTYSH_WITHIN:?}"))),
        };
        if status.success() {
            return Ok(out);
        }
        // a missing vtysh.conf is always complained about and means nothing
        let said = err.lines().chain(out.lines()).filter(|l| !l.contains("Can't open configuration file"));
        Err(RouterError::Refused(said.collect::<Vec<_>>().join("; ").chars().take(COMPLAINT_MAX).collect()))
    }
}

impl Router for FrrRouter {
    async fn running(&self) -> Result<String, RouterError> {
        self.bgpd_is_there().await?;
        let text = self.vtysh(["show running-config"]).await?;
        Ok(configuration_of(&text).to_owned())
    }

    async fn configure(&self, lines: &[String]) -> Result<(), RouterError> {
        if lines.is_empty() {
            return Ok(());
        }
        self.bgpd_is_there().await?;
        let commands = std::iter::once("configure terminal").chain(lines.iter().map(String::as_str));
        let said = self.vtysh(commands).await?;
        // some refusals leave the exit status at 0
        let complaints: Vec<&str> = said.lines().filter(|l| l.starts_with('%')).collect();
        if complaints.is_empty() { Ok(()) } else { Err(RouterError::Refused(complaints.join("; ").chars().take(COMPLAINT_MAX).collect())) }
    }
}

/// Leaves out the two lines of words that vtysh prints first.
fn configuration_of(text: &str) -> &str {
    text.split_once("Current configuration:\n").map_or(text, |(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_starts_after_the_words_of_vtysh() {
        assert_eq!(configuration_of("Building configuration...\n\nCurrent configuration:\n!\nhostname a\nend\n"), "!\nhostname a\nend\n");
    }
}
