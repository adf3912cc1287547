//! FRR's vty sockets: a command, a NUL; the answer, three NULs and a status byte (lib/vty.c, as vtysh speaks it).

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

/// Longest answer, bytes: a detailed table of some ten thousand routes.
const ANSWER_MAX: usize = 256 << 20;
/// A daemon that takes longer is stuck.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// A connection to one daemon, made when needed and again when it broke.
#[derive(Debug)]
pub struct Vty {
    socket: PathBuf,
    stream: Option<UnixStream>,
}

impl Vty {
    /// Prepares a connection to `<dir>/<daemon>.vty`.
    #[must_use]
    pub fn new(dir: &Path, daemon: &str) -> Self {
        Self { socket: dir.join(format!("{daemon}.vty")), stream: None }
    }

    /// Runs one show command.
    ///
    /// # Errors
    /// When the daemon cannot be reached, hangs, or refuses the command.
    pub async fn show(&mut self, command: &str) -> io::Result<String> {
        let result = timeout(ANSWER_WITHIN, self.exchange(command)).await;
        let result =
            result.unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, format!("{} does not answer", self.socket.display()))));
        if result.is_err() {
            self.stream = None;
        }
        result
    }

    async fn exchange(&mut self, command: &str) -> io::Result<String> {
        if self.stream.is_none() {
            let mut stream = UnixStream::connect(&self.socket).await?;
            ask(&mut stream, "enable").await?;
            self.stream = Some(stream);
        }
        match &mut self.stream {
            Some(stream) => ask(stream, command).await,
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

async fn ask(stream: &mut UnixStream, command: &str) -> io::Result<String> {
    stream.write_all(command.as_bytes()).await?;
    stream.write_all(&[0]).await?;
    let mut answer = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        let n = stream.read(&mut buffer).await?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        answer.extend_from_slice(&buffer[..n]);
        if answer.len() > ANSWER_MAX {
            return Err(io::Error::other("answer is too long"));
        }
        if let [.., 0, 0, 0, status] = answer[..] {
            answer.truncate(answer.len() - 4);
            let text = String::from_utf8_lossy(&answer).into_owned();
            // 0 CMD_SUCCESS; anything else carries its words in the text
            return if status == 0 {
                Ok(text)
            } else {
                Err(io::Error::other(format!("{command:?} is refused (status {status}): {}", text.trim())))
            };
        }
    }
}
