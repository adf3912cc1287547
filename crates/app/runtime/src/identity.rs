//! Who is at the keyboard: the operating system's user.

use std::io::{BufRead, BufReader};

/// Returns `uid:<n> <name>`; the name is left out where the system has none.
#[must_use]
pub fn operator_of_uid(uid: u32) -> String {
    let name = std::fs::File::open("/etc/passwd").ok().and_then(|file| {
        BufReader::new(file).lines().map_while(Result::ok).find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?.to_owned();
            (fields.nth(1)? == uid.to_string()).then_some(name)
        })
    });
    name.map_or_else(|| format!("uid:{uid}"), |name| format!("uid:{uid} {name}"))
}

/// Returns the user that this process runs as.
#[must_use]
pub fn own_uid() -> u32 {
    rustix::process::getuid().as_raw()
}

/// Returns the data folder that is used when nobody names another: `$PILOTHOUSE_DATA`, else the platform's place for data.
#[must_use]
pub fn data_folder() -> std::path::PathBuf {
    use std::path::PathBuf;
    std::env::var_os("PILOTHOUSE_DATA").map(PathBuf::from).unwrap_or_else(|| {
        let base = std::env::var_os("XDG_DATA_HOME")
            .map(PathBuf::from)
            .or_else(|| std::env::var_os("HOME").map(|h| PathBuf::from(h).join(".local/share")))
            .unwrap_or_else(|| PathBuf::from("."));
        base.join("pilothouse")
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn root_has_a_name() {
        assert_eq!(super::operator_of_uid(0), "uid:0 root");
        assert_eq!(super::operator_of_uid(4_000_000_001), "uid:4000000001");
    }
}
