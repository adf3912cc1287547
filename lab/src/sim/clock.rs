//! The world in step with the clock, shared by everything that looks at it.

use super::world::World;
use crate::face::now_ns;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Shortest pause between two steps: what happens within it happens at its own times, but is seen together.
const PAUSE_MIN: Duration = Duration::from_millis(20);
/// Longest pause.
const PAUSE_MAX: Duration = Duration::from_millis(250);

/// The world and when it began. Cheap to clone; the lock is held for moments and never across an await.
#[derive(Clone, Debug)]
pub struct Clock {
    world: Arc<Mutex<World>>,
    /// The instant at which the world's own time was `origin`.
    since: Instant,
    origin: u64,
    /// Something was done to the world from outside.
    touched: Arc<Notify>,
}

impl Clock {
    /// Lets the world's time run with the clock from now on.
    #[must_use]
    pub fn start(mut world: World) -> Self {
        world.set_device_time(now_ns());
        let origin = world.now();
        Self { world: Arc::new(Mutex::new(world)), since: Instant::now(), origin, touched: Arc::default() }
    }

    fn now(&self) -> MutexGuard<'_, World> {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        world.advance(self.origin + u64::try_from(self.since.elapsed().as_nanos()).unwrap_or(u64::MAX));
        world
    }

    /// Looks at the world as it is now.
    pub fn look<T>(&self, at: impl FnOnce(&World) -> T) -> T {
        at(&self.now())
    }

    /// Does something to the world now.
    pub fn touch<T>(&self, work: impl FnOnce(&mut World) -> T) -> T {
        let result = work(&mut self.now());
        self.touched.notify_one();
        result
    }

    /// Lets the world go on for ever.
    pub async fn run(self) {
        loop {
            let left = self.look(|w| w.next_at().map_or(PAUSE_MAX, |at| Duration::from_nanos(at.saturating_sub(w.now()))));
            tokio::select! {
                () = tokio::time::sleep(left.clamp(PAUSE_MIN, PAUSE_MAX)) => {}
                () = self.touched.notified() => {}
            }
        }
    }
}
