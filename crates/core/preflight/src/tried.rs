//! A network with one more failure, as the checks that try failures out see it, and what is remembered of it while the network stays the same.

use crate::carriage::{Carriage, Shape};
use crate::check::headroom::Pressure;
use crate::world::held;
use crate::{Exit, World};
use routing::{Blueprint, Failures};
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// Ways and limits (some 20 bytes each) that are remembered of one network with all its failures. What is beyond is worked out each time.
const SIZE_MAX: usize = 500_000;
/// What one limit counts as: its names and numbers are texts.
const LIMIT_SIZE: usize = 10;

/// What is remembered of a network with each of its failures. Who keeps it promises to give it to the same network only, with the same limits
/// told beside it ([`crate::Facts::accepts`], `routers`): what is asked then rests on nothing else (volumes and loads, which change all the
/// time, are no part of it), so that it changes no answer.
#[derive(Debug, Default)]
pub struct Remembered {
    known: Mutex<BTreeMap<Failures, Arc<Known>>>,
    size: AtomicUsize,
    shape: Mutex<Option<Arc<Shape>>>,
}

/// What is remembered of one failure. Who works something out holds its lock: another who asks for the same at the same time waits for the
/// answer instead of working it out beside him.
#[derive(Debug, Default)]
struct Known {
    carriage: Mutex<Option<(Arc<Shape>, Arc<Carriage>)>>,
    pressure: Mutex<Option<Pressure>>,
    /// There was no room: nobody waits for what is not kept.
    is_large: AtomicBool,
}

impl Remembered {
    fn of(&self, failures: &Failures) -> Arc<Known> {
        Arc::clone(held(&self.known).entry(failures.clone()).or_default())
    }

    /// Says whether there is room for so much more, and takes it.
    fn takes(&self, size: usize) -> bool {
        self.size.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |sum| sum.checked_add(size).filter(|sum| *sum <= SIZE_MAX)).is_ok()
    }

    /// Returns the shape of the traffic over these exits.
    pub(crate) fn shape(&self, exits: &[Exit], work_out: impl FnOnce() -> Shape) -> Arc<Shape> {
        let mut shape = held(&self.shape);
        match shape.as_ref().filter(|s| s.exits == exits) {
            Some(known) => Arc::clone(known),
            None => Arc::clone(shape.insert(Arc::new(work_out()))),
        }
    }
}

impl Known {
    fn carriage(&self, all: &Remembered, shape: &Arc<Shape>, work_out: impl FnOnce() -> Carriage) -> Arc<Carriage> {
        if self.is_large.load(Ordering::Relaxed) {
            return Arc::new(work_out());
        }
        let mut known = held(&self.carriage);
        if let Some((_, carriage)) = known.as_ref().filter(|(s, _)| Arc::ptr_eq(s, shape) || s == shape) {
            return Arc::clone(carriage);
        }
        let carriage = Arc::new(work_out());
        if all.takes(carriage.len()) {
            *known = Some((Arc::clone(shape), Arc::clone(&carriage)));
        } else {
            self.is_large.store(true, Ordering::Relaxed);
        }
        carriage
    }
}

/// A network that traffic is laid on.
pub trait Ground {
    /// Returns what carries each part of the traffic (`shape`).
    fn carriage(&self, shape: &Arc<Shape>) -> Arc<Carriage>;
}

impl Ground for World<'_> {
    fn carriage(&self, shape: &Arc<Shape>) -> Arc<Carriage> {
        match &self.remembered {
            Some(all) => all.of(&Failures::default()).carriage(all, shape, || Carriage::new(shape, self)),
            None => Arc::new(Carriage::new(shape, self)),
        }
    }
}

/// A network with one more failure. It is solved when something is asked of it that is not remembered.
pub struct Tried<'t> {
    base: &'t World<'t>,
    failed: &'t Blueprint,
    world: OnceCell<World<'t>>,
    known: Option<(&'t Remembered, Arc<Known>)>,
}

impl<'t> Tried<'t> {
    /// `failed`: the network of `base` with `more` out of order.
    pub(crate) fn new(base: &'t World<'t>, failed: &'t Blueprint, more: &Failures) -> Self {
        let known = base.remembered.as_deref().map(|r| (r, r.of(more)));
        Self { base, failed, world: OnceCell::new(), known }
    }

    /// Returns the network with its tables.
    fn world(&self) -> &World<'t> {
        self.world.get_or_init(|| self.base.changed(self.failed))
    }

    /// Returns how full every limit is.
    pub(crate) fn pressure(&self, work_out: impl FnOnce(&World<'_>) -> Pressure) -> Pressure {
        let Some((all, known)) = &self.known else { return work_out(self.world()) };
        let mut remembered = held(&known.pressure);
        if let Some(pressure) = &*remembered {
            return pressure.clone();
        }
        let pressure = work_out(self.world());
        if all.takes(pressure.len() * LIMIT_SIZE) {
            *remembered = Some(pressure.clone());
        }
        pressure
    }
}

impl Ground for Tried<'_> {
    fn carriage(&self, shape: &Arc<Shape>) -> Arc<Carriage> {
        match &self.known {
            Some((all, known)) => known.carriage(all, shape, || Carriage::new(shape, self.world())),
            None => Arc::new(Carriage::new(shape, self.world())),
        }
    }
}
