//! gNMI words: paths, typed values, notifications (gNMI specification 0.10), as values without a transport.

pub mod health;
mod leaf_type;
mod leaves;
mod marks;
pub mod module;
mod path;
pub mod profile;
mod repair;
mod tree;
mod trie;
mod value;

pub use leaf_type::{LeafType, leaf_type, value_type};
pub use leaves::{DEPTH_MAX, LEAVES_MAX, Leaves, leaves, scalar};
pub use marks::Marks;
pub use path::{Path, PathElem, PathError};
pub use profile::{Model, Profile, ProfileError};
pub use repair::{Repair, Repairs};
pub use tree::{Applied, Leaf, TREE_LEAVES_MAX, Tree};
pub use value::{Notification, Update, Value};
