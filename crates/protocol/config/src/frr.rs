//! FRR's configuration text (8.4): reading `show running-config`, writing the lines that carry out edits.

mod clause;
mod doubts;
mod lines;
mod parse;

pub(crate) use doubts::doubts;
pub use lines::lines;
pub use parse::parse;

#[cfg(test)]
mod tests;
