//! Identities, passwords and keys of a lab. They live as long as the lab and open nothing else.

use super::LabError;
use std::io::Read;

/// Returns `bytes` random bytes as hexadecimal digits.
fn random_hex(bytes: usize) -> Result<String, LabError> {
    let mut buffer = vec![0u8; bytes];
    let path = std::path::Path::new("/dev/urandom");
    std::fs::File::open(path)
        .and_then(|mut f| f.read_exact(&mut buffer))
        .map_err(|source| LabError::File { doing: "read", path: path.to_owned(), source })?;
    Ok(hex::encode(buffer))
}

/// Draws an identity that no lab on this machine has.
pub(super) fn fresh_id() -> Result<String, LabError> {
    /// With a handful of labs a second draw is already rare.
    const DRAWS: usize = 16;
    let mut id = random_hex(2)?;
    for _ in 0..DRAWS {
        let taken = super::boot::run_dir(&id).exists() || std::path::Path::new("/run/netns").join(format!("ph{id}-mgmt")).exists();
        if !taken {
            break;
        }
        id = random_hex(2)?;
    }
    Ok(id)
}
