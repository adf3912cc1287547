//! stub
/// stub
pub fn run(_args: &[String]) -> crate::RunResult {
    Err("not here yet".into())
}
