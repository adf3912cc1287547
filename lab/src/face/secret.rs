//! Users and passwords.

/// Says whether a user may come in.
#[must_use]
pub fn admits(users: &[(String, String)], user: &str, password: &str) -> bool {
    users.iter().any(|(u, p)| u == user && equal(p.as_bytes(), password.as_bytes()))
}

/// Compares without telling by its duration where two secrets differ.
fn equal(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |d, (x, y)| d | (x ^ y)) == 0
}
