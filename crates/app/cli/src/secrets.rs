//! `pilotctl secrets`: the passwords that an inventory names, in the key store of the user's session. A host without one has the file.

use crate::exit::{Context, Ended, Failure, Outcome};
use clap::Subcommand;
use std::io::{IsTerminal, Read};
use vault::{KeyStore, Secret, Vault};

/// Longest secret that is read, bytes.
const SECRET_MAX: u64 = 16 << 10;

/// Arguments of `secrets`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: pilotctl secrets set core-netconf < password.txt")]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Says where these secrets would be taken from; never what they are.
    Check {
        /// Names, as the inventory has them.
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Keeps a secret in the key store; it is read from standard input, without the line's end.
    Set {
        /// Its name, as the inventory has it.
        name: String,
    },
    /// Removes a secret from the key store.
    Remove {
        /// Its name.
        name: String,
    },
}

fn store() -> Result<KeyStore, Failure> {
    let without = "without a key store, passwords are in the data folder's secrets.json, which only its owner can read";
    KeyStore::find().map_err(|why| Failure::new("PH-VLT-005", format!("{why}; {without}")))
}

/// Runs `secrets`.
pub fn run(context: &Context, arguments: &Arguments) -> Ended {
    let unusable = |e: vault::VaultError| Failure::from_error("", &e);
    match &arguments.verb {
        Verb::Check { names } => check(context, names),
        Verb::Set { name } => {
            let store = store()?;
            store.set(name, &typed()?).map_err(unusable)?;
            println!("{name} is in the key store; an engine asks for it when it starts");
            Ok(Outcome::Done)
        }
        Verb::Remove { name } => {
            let there = store()?.remove(name).map_err(unusable)?;
            println!("{name} {}", if there { "is no longer in the key store" } else { "was not in the key store" });
            Ok(if there { Outcome::Done } else { Outcome::No })
        }
    }
}

/// Reads a secret that is piped in: typed at a terminal it would stand on the screen.
fn typed() -> Result<Secret, Failure> {
    let wrong = |why: String| Failure::new("PH-VLT-006", format!("{why}; pipe the secret in, for example from a file"));
    let input = std::io::stdin();
    if input.is_terminal() {
        return Err(wrong("standard input is a terminal, which would show it".to_owned()));
    }
    let mut text = String::new();
    input.lock().take(SECRET_MAX + 1).read_to_string(&mut text).map_err(|e| wrong(e.to_string()))?;
    let text = text.strip_suffix('\n').map_or(text.as_str(), |t| t.strip_suffix('\r').unwrap_or(t));
    if text.is_empty() || text.len() as u64 > SECRET_MAX {
        return Err(wrong(format!("a secret has 1 to {SECRET_MAX} bytes")));
    }
    Ok(Secret::new(text))
}

fn check(context: &Context, names: &[String]) -> Ended {
    let file = context.data_folder().join("secrets.json");
    let vault = Vault::open(&file).map_err(|e| Failure::from_error("", &e))?;
    let (store, why) = match KeyStore::find() {
        Ok(store) => (Some(store), None),
        Err(why) => (None, Some(why)),
    };
    let mut rows = Vec::new();
    for name in names {
        let kept = store.as_ref().map(|s| s.get(name)).transpose().map_err(|e| Failure::from_error("", &e))?.flatten().is_some();
        rows.push((
            name,
            if kept {
                "key store"
            } else if vault.get(name).is_some() {
                "file"
            } else {
                "none"
            },
        ));
    }
    if context.json {
        let rows: Vec<_> = rows.iter().map(|(name, from)| serde_json::json!({"name": name, "from": from})).collect();
        crate::engine::print_json(&serde_json::json!({"secrets": rows, "no_key_store": why}));
    } else {
        rows.iter().for_each(|(name, from)| println!("{name}: {from}"));
        why.iter().for_each(|why| println!("{why}"));
    }
    Ok(if rows.iter().any(|(_, from)| *from == "none") { Outcome::No } else { Outcome::Done })
}
