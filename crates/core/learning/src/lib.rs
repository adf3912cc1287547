//! What we learn: outcomes, predicted against measured.
//!
//! One [`Lesson`] per finished change; [`Lessons`] keeps the latest and their sums. It judges no proposal and trains nothing by itself.

mod lesson;
mod lessons;
mod reward;

pub use lesson::{Effect, Lesson, PredictionError};
pub use lessons::{LESSONS_MAX, Lessons, MeanError, OutcomeCounts};
pub use reward::{DELAY_FLOOR_MS, LOSS_FLOOR, REWARD_ROLLED_BACK, reward};
