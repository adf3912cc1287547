//! stub
use std::net::SocketAddr;
use std::path::Path;
/// stub
pub fn run(_args: &[String]) -> crate::RunResult {
    Err("not here yet".into())
}
/// stub
/// # Errors
/// stub
pub fn attach(_control: &Path, _bmp: Option<SocketAddr>) -> Result<(), std::io::Error> {
    Ok(())
}
