//! One instance a folder.

use crate::StoreError;
use rustix::fs::{FlockOperation, flock};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// Makes a folder that only its owner can enter.
pub fn make(folder: &Path) -> Result<(), StoreError> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|source| StoreError::Io { doing: "making", path: folder.to_owned(), source })
}

/// A folder's lock; it ends with the process, however that ends.
#[derive(Debug)]
pub struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // closing is not enough: a child between fork and exec still holds a copy of the descriptor, and the lock with it
        let _ = flock(&self.0, FlockOperation::Unlock);
    }
}

/// Takes the folder's lock.
pub fn lock(folder: &Path) -> Result<Lock, StoreError> {
    make(folder)?;
    let io = |doing| move |source| StoreError::Io { doing, path: folder.to_owned(), source };
    let open = File::options().read(true).write(true).create(true).truncate(false).mode(0o600).open(folder.join("lock"));
    let mut file = open.map_err(io("opening the lock of"))?;
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Err(StoreError::Locked { folder: folder.to_owned(), holder: read(&mut file) });
    }
    file.set_len(0).map_err(io("writing the lock of"))?;
    file.seek(SeekFrom::Start(0)).map_err(io("writing the lock of"))?;
    write!(file, "pid {}", std::process::id()).map_err(io("writing the lock of"))?;
    Ok(Lock(file))
}

fn read(file: &mut File) -> String {
    let mut text = String::new();
    // a lock without a readable name is still a lock
    let _ = file.take(64).read_to_string(&mut text);
    if text.is_empty() { "unknown process".to_owned() } else { text }
}

/// Returns who holds the folder's lock (`pid 4711`), if anybody does.
#[must_use]
pub fn lock_holder(folder: &Path) -> Option<String> {
    let mut file = File::options().read(true).write(true).open(folder.join("lock")).ok()?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => None,
        Err(_) => Some(read(&mut file)),
    }
}
