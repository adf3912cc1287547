//! The world in step with the clock, shared by everything that looks at it.

use super::world::World;
use crate::face::now_ns;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Longest time in which nobody lets the world go on.
const STEP_MAX: Duration = Duration::from_millis(10);

/// The world and when it began. Cheap to clone; the lock is held for moments and never across an await.
#[derive(Clone, Debug)]
pub struct Clock {
    world: Arc<Mutex<World>>,
    /// The instant at which the world's own time was `origin`.
    since: Instant,
    origin: u64,
}

impl Clock {
    /// Lets the world's time run with the clock from now on.
    #[must_use]
    pub fn start(mut world: World) -> Self {
        world.set_device_time(now_ns());
        let origin = world.now();
        Self { world: Arc::new(Mutex::new(world)), since: Instant::now(), origin }
    }

    /// Looks at the world, or does something to it, as it is now.
    pub fn with<T>(&self, work: impl FnOnce(&mut World) -> T) -> T {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.origin + u64::try_from(self.since.elapsed().as_nanos()).unwrap_or(u64::MAX);
        world.advance(now);
        work(&mut world)
    }

    /// Lets the world go on for ever.
    pub async fn run(self) {
        loop {
            let left = self.with(|w| w.next_at().map(|at| Duration::from_nanos(at.saturating_sub(w.now()))));
            tokio::time::sleep(left.unwrap_or(STEP_MAX).min(STEP_MAX)).await;
        }
    }
}
