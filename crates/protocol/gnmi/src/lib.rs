//! gNMI words: paths, typed values, notifications (gNMI specification 0.10), as values without a transport.

mod path;
mod value;

pub use path::{Path, PathElem, PathError};
pub use value::{Notification, Update, Value};
