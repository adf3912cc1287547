//! Starts, wires, supervises and stops the engine; used by the window, the headless server and the tests.
//!
//! One task owns the pilot. Everything that reaches it is an [`pilot::Input`], numbered and written to the capture before it is handled;
//! what it wants done comes back as effects, carried out in order. Nothing here judges.

mod courier;
mod doors;
mod effects;
mod engine;
mod identity;
mod import;
mod measurements;
mod origins;
mod player;
mod recorder;
mod settings;
mod supervise;
mod tap;
mod topics;

pub use doors::{DoorCounts, Doors, OpenDoors};
pub use effects::chain;
pub use engine::{Engine, EngineError, Handle, Options, Stopped};
pub use identity::{data_folder, operator_of_uid, own_uid};
pub use import::{ImportError, Imported, Into as ImportInto, import, look};
pub use measurements::{Every, Kind, Look, Measurement, ROUTER_POINTS_MAX, measurement, measurements, points, points_since};
pub use origins::{VrpSource, VrpsError, VrpsFrom, read_slurm, read_vrps};
pub use player::{Audience, Order, PLAYED_MAX, Player, Position, SPEEDS};
pub use recorder::SeriesState;
pub use settings::{SETTINGS, Setting, Unit};
pub use topics::{READ_MAX, Topics};
