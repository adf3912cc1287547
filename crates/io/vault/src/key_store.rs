//! The key store of the user's session: the Secret Service of freedesktop.org, spoken to by libsecret's own program.
//!
//! `secret-tool` takes and gives secrets over pipes, never as arguments. A crate that speaks D-Bus itself would bring some sixty others into
//! the engine for the same calls.

use crate::{Secret, VaultError};
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PROGRAM: &str = "secret-tool";
/// How long the store may take; it may ask its user to unlock it.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// Time between two looks whether it has answered.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Longest secret, bytes.
const SECRET_MAX: usize = 16 << 10;

/// A key store that can be asked.
#[derive(Clone, Debug)]
pub struct KeyStore {
    program: PathBuf,
    /// Address of the session bus, where it is not the environment's.
    bus: Option<String>,
}

impl KeyStore {
    /// Finds the key store of this session.
    ///
    /// # Errors
    /// Why there is none, in words.
    pub fn find() -> Result<Self, String> {
        if std::env::var_os("DBUS_SESSION_BUS_ADDRESS").is_none_or(|a| a.is_empty()) {
            return Err("this session has no D-Bus, so there is no key store".to_owned());
        }
        Self::installed()
    }

    fn installed() -> Result<Self, String> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let found = std::env::split_paths(&path).map(|dir| dir.join(PROGRAM)).find(|p| p.is_file());
        let program =
            found.ok_or_else(|| format!("{PROGRAM} is not installed (Debian: libsecret-tools), so the key store cannot be asked"))?;
        Ok(Self { program, bus: None })
    }

    /// Finds the key store of the session with this bus.
    ///
    /// # Errors
    /// As [`Self::find`].
    pub fn on_bus(address: impl Into<String>) -> Result<Self, String> {
        Ok(Self { bus: Some(address.into()), ..Self::installed()? })
    }

    /// Returns the secret of this name; `None`: it holds none.
    ///
    /// # Errors
    /// [`VaultError::KeyStore`] when it cannot be asked, is locked or does not answer.
    pub fn get(&self, name: &str) -> Result<Option<Secret>, VaultError> {
        let (status, text, said) = self.run("lookup", &[], name, None)?;
        match (status, said.is_empty()) {
            (true, _) => Ok(Some(Secret::new(text))),
            (false, true) => Ok(None),
            (false, false) => Err(Self::failed(name, said)),
        }
    }

    /// Keeps a secret in place of the one of before.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn set(&self, name: &str, secret: &Secret) -> Result<(), VaultError> {
        if secret.expose().len() > SECRET_MAX || secret.expose().is_empty() {
            return Err(Self::failed(name, format!("a secret has 1 to {SECRET_MAX} bytes")));
        }
        let label = format!("--label=Pilothouse: {name}");
        let (status, _, said) = self.run("store", &[&label], name, Some(secret))?;
        if status { Ok(()) } else { Err(Self::failed(name, said)) }
    }

    /// Forgets a secret; says whether there was one.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn remove(&self, name: &str) -> Result<bool, VaultError> {
        let there = self.get(name)?.is_some();
        let (status, _, said) = self.run("clear", &[], name, None)?;
        if status || said.is_empty() { Ok(there) } else { Err(Self::failed(name, said)) }
    }

    fn failed(name: &str, why: impl Into<String>) -> VaultError {
        VaultError::KeyStore { name: name.to_owned(), why: why.into() }
    }

    /// Runs one call; returns whether it succeeded, what it gave and what it complained of.
    fn run(&self, verb: &str, options: &[&str], name: &str, input: Option<&Secret>) -> Result<(bool, String, String), VaultError> {
        let failed = |e: std::io::Error| Self::failed(name, e.to_string());
        let mut command = Command::new(&self.program);
        command.arg(verb).args(options).args(["service", "pilothouse", "secret", name]);
        if let Some(bus) = &self.bus {
            command.env("DBUS_SESSION_BUS_ADDRESS", bus);
        }
        let stdin = if input.is_some() { Stdio::piped() } else { Stdio::null() };
        let mut child = command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(failed)?;
        if let (Some(secret), Some(mut pipe)) = (input, child.stdin.take()) {
            // one that ended already says why below
            let _ = pipe.write_all(secret.expose().as_bytes());
        }
        let begun = Instant::now();
        let status = loop {
            match child.try_wait().map_err(failed)? {
                Some(status) => break status,
                None if begun.elapsed() > ANSWER_WITHIN => {
                    end(&mut child);
                    return Err(Self::failed(name, format!("it did not answer within {} s; is it locked?", ANSWER_WITHIN.as_secs())));
                }
                None => std::thread::sleep(LOOK_EVERY),
            }
        };
        // both fit into the pipes: a secret is short
        let text = read(child.stdout.take()).map_err(failed)?;
        let said = read(child.stderr.take()).map_err(failed)?;
        Ok((status.success(), text, said.trim().to_owned()))
    }
}

fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

fn read(pipe: Option<impl Read>) -> std::io::Result<String> {
    let mut text = String::new();
    match pipe {
        Some(pipe) => pipe.take(SECRET_MAX as u64 + 1).read_to_string(&mut text).map(|_| text),
        None => Ok(text),
    }
}
