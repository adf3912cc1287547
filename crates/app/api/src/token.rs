//! The token that guards the HTTP door.

use rustix::rand::{GetRandomFlags, getrandom};
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Makes a new token and writes it to `<folder>/token`, readable by its owner only.
///
/// # Errors
/// When the system gives no randomness or the file cannot be written.
pub fn fresh_token(folder: &Path) -> std::io::Result<String> {
    let mut bytes = [0_u8; 32];
    if getrandom(&mut bytes, GetRandomFlags::empty())? != bytes.len() {
        return Err(std::io::Error::other("the system gave too little randomness"));
    }
    let token: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    let path = folder.join("token");
    // a file of an earlier run may have other permissions: it goes first
    match std::fs::remove_file(&path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(token.as_bytes())?;
    Ok(token)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_token_is_new_each_time_and_private() {
        let dir = std::env::temp_dir().join(format!("pilothouse-token-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let (a, b) = (super::fresh_token(&dir).unwrap(), super::fresh_token(&dir).unwrap());
        assert!(a != b && a.len() == 64);
        assert_eq!(std::fs::metadata(dir.join("token")).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
