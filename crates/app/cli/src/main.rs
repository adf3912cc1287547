//! `pilotctl`: the command line face of Pilothouse.
fn main() {}
