//! The checks, one function each: from evidence to a verdict with the rows behind it.

pub mod announce;
pub mod bands;
pub mod capacity;
pub mod domain;
pub mod filter;
pub mod headroom;
pub mod inverse;
pub mod leak;
pub mod level;
pub mod magnet;
pub mod meaning;
pub mod origin;
pub mod passage;
pub mod prepend;
pub mod reach;
pub mod scope;
pub mod shape;
pub mod stable;
pub mod vital;
