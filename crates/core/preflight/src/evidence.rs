//! Everything that the checks of one change look at.

use crate::announced::{Announced, changes};
use crate::difference::{Difference, difference};
use crate::load::{Load, Traffic};
use crate::{Check, Context, Intent, World};
use serde::Serialize;

/// What the checks of a change look at: both worlds, what differs, what is known beside.
pub struct Evidence<'e> {
    /// Before.
    pub before: &'e World<'e>,
    /// After.
    pub after: &'e World<'e>,
    /// What the change is.
    pub intent: &'e Intent,
    /// What is known beside configurations.
    pub context: Context<'e>,
    /// What neighbours outside are told before.
    pub told_before: &'e Announced,
    /// And after.
    pub told_after: &'e Announced,
    /// What differs.
    pub difference: Difference,
    /// Traffic before.
    pub traffic: Traffic<'e>,
    /// Loads after.
    pub loads: Vec<Load>,
}

/// What a change would do, with the checks over it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// What differs.
    pub difference: Difference,
    /// Loads after.
    pub loads: Vec<Load>,
    /// Predicted delay, loss and cost.
    pub prediction: crate::Prediction,
    /// The checks, in order of their ids.
    pub checks: Vec<Check>,
    /// Lowest autonomy tier that may decide, where a check has a say in it.
    pub tier: Option<u8>,
}

impl<'e> Evidence<'e> {
    /// Gathers what the checks look at.
    #[must_use]
    pub fn new(before: &'e World<'e>, after: &'e World<'e>, intent: &'e Intent, context: Context<'e>) -> Self {
        let (told_before, told_after) = (before.announced(), after.announced());
        let announced = changes((before, told_before), (after, told_after));
        let difference = difference(before, after, announced, intent, context.facts);
        let traffic = Traffic::new(before, context.facts);
        let loads = traffic.loads(after, None);
        Self { before, after, intent, context, told_before, told_after, difference, traffic, loads }
    }

    /// Runs every check that needs no more than two worlds.
    #[must_use]
    pub fn checks(&self) -> Vec<Check> {
        use crate::check as c;
        let mut out = vec![
            c::scope::scope(self),
            c::reach::reachability(self),
            c::stable::stability(self),
            c::leak::leaks(self),
            c::announce::announcements(self),
            c::headroom::headroom(self),
            c::capacity::capacity(self),
            c::magnet::magnet(self),
            c::shape::shape(self),
            c::vital::vital(self),
            c::vital::dormant(self),
            c::filter::filters(self),
            c::origin::origins(self),
            c::meaning::meaning(self),
            c::prepend::prepending(self),
            c::domain::domains(self),
            c::level::levels(self),
            c::domain::blast(self),
            c::bands::bands(self),
        ];
        out.sort_by_key(|c| c.id);
        out
    }
}
