//! What of the telemetry outlives the process: written beside the loop, so that a slow disk holds up no decision.

use crate::effects::chain;
use crate::topics::Topics;
use std::time::Duration;
use store::{Telemetry, TopicPlaces};
use tokio::sync::oneshot;
use tokio::time::MissedTickBehavior;

/// Time between two writes.
const KEEP_EVERY: Duration = Duration::from_secs(1);
/// Offsets promised beyond those used: more than any topic takes between two writes, so that a crash never lets one be used twice.
const OFFSETS_PROMISED: u64 = 1_000_000;

/// Keeps where the topics stand until it is told to end, then once more, exactly.
pub async fn run(topics: Topics, telemetry: Telemetry, mut end: oneshot::Receiver<()>) {
    let mut telemetry = Some(telemetry);
    let mut last = TopicPlaces::default();
    let mut ticks = tokio::time::interval(KEEP_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let ended = tokio::select! {
            _ = ticks.tick() => false,
            _ = &mut end => true,
        };
        let places = topics.kept(if ended { 0 } else { OFFSETS_PROMISED });
        if places != last
            && let Some(open) = telemetry.take()
        {
            telemetry = keep(open, places.clone()).await;
            last = places;
        }
        if ended || telemetry.is_none() {
            return;
        }
    }
}

async fn keep(mut telemetry: Telemetry, places: TopicPlaces) -> Option<Telemetry> {
    let work = move || {
        if let Err(error) = telemetry.keep_topic_places(&places) {
            tracing::warn!(error = %chain(&error), "places of topics cannot be kept; after a restart readers may get messages again");
        }
        telemetry
    };
    tokio::task::spawn_blocking(work).await.ok()
}
