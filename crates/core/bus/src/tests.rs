use super::*;
use proptest::prelude::*;

fn at(n: u64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + i64::try_from(n).unwrap())
}

fn number(n: u64) -> Arc<Value> {
    Arc::new(serde_json::json!({ "n": n }))
}

fn small(bound: usize) -> Bus {
    Bus::bounded(NonZeroUsize::new(bound).unwrap())
}

fn fill(bus: &mut Bus, topic: &str, numbers: core::ops::Range<u64>) {
    for n in numbers {
        bus.publish(topic, at(n), number(n)).unwrap();
    }
}

fn offsets(messages: &[Message]) -> Vec<u64> {
    messages.iter().map(|m| m.offset).collect()
}

fn stats(bus: &Bus, topic: &str) -> TopicStats {
    bus.topic_stats().into_iter().find(|t| t.topic == topic).unwrap()
}

#[test]
fn the_six_topics_are_there_and_empty() {
    let names: Vec<String> = Bus::default().topic_stats().into_iter().map(|t| t.topic).collect();
    let mut known = TOPICS.map(str::to_owned);
    known.sort();
    assert_eq!(names, known);
    assert!(Bus::default().topic_stats().iter().all(|t| (t.published, t.next, t.newest_at) == (0, 0, None)));
}

#[test]
fn the_ten_thousand_and_first_message_drops_the_first_and_says_so() {
    let mut bus = Bus::default();
    fill(&mut bus, TELEMETRY_GNMI, 0..10_003);
    let s = stats(&bus, TELEMETRY_GNMI);
    assert_eq!((s.published, s.held, s.dropped, s.spilled, s.oldest, s.next), (10_003, 10_000, 3, 0, 3, 10_003));
    assert_eq!(s.newest_at, Some(at(10_002)));
    assert_eq!(offsets(&bus.consume(TELEMETRY_GNMI, CONSUME_DEFAULT)), (9_993..10_003).collect::<Vec<_>>());
    assert_eq!(*bus.consume(TELEMETRY_GNMI, 1)[0].value, serde_json::json!({"n": 10_002}));
}

#[test]
fn actions_and_outcomes_are_never_dropped_only_spilled() {
    for topic in [AGENT_ACTIONS, AGENT_OUTCOMES] {
        let mut bus = small(2);
        fill(&mut bus, topic, 0..5);
        let s = stats(&bus, topic);
        assert_eq!((s.dropped, s.spilled, s.keep), (0, 3, Keep::Ledger));
        assert_eq!(bus.read(topic, 1, 10).gap, Some(1..3));
    }
}

#[test]
fn the_alias_is_the_same_topic() {
    let mut bus = Bus::default();
    bus.publish(TELEMETRY_BMP_ALIAS, at(1), number(1)).unwrap();
    bus.publish(TELEMETRY_BMP, at(2), number(2)).unwrap();
    assert_eq!(offsets(&bus.consume(TELEMETRY_BMP_ALIAS, 10)), [0, 1]);
    assert_eq!(bus.topic_stats().len(), TOPICS.len());
    bus.stand("a", TELEMETRY_BMP_ALIAS, 1).unwrap();
    assert_eq!(offsets(&bus.read_on("a", TELEMETRY_BMP, 10).messages), [1]);
}

#[test]
fn unknown_topics_are_made_until_there_are_too_many() {
    let mut bus = Bus::default();
    for n in TOPICS.len()..TOPICS_MAX {
        bus.publish(&format!("own.{n}"), at(0), number(0)).unwrap();
    }
    let refused = bus.publish("one.more", at(0), number(0));
    assert_eq!(refused, Err(BusError::TooManyTopics { topic: "one.more".into() }));
    assert_eq!(bus.publish("own.6", at(0), number(0)), Ok(1), "those that are there go on");
    assert!(bus.consume("one.more", 10).is_empty());
    for bad in ["", "two words", "ü", "a\n", &"x".repeat(NAME_BYTES_MAX + 1)] {
        assert!(matches!(Bus::default().publish(bad, at(0), number(0)), Err(BusError::BadName { .. })), "{bad:?}");
    }
}

#[test]
fn readers_have_places_of_their_own_and_go_on_after_a_restart() {
    let mut bus = small(100);
    fill(&mut bus, EVENTS_PEER, 0..5);
    let first = bus.read_on("pager", EVENTS_PEER, 2);
    assert_eq!((offsets(&first.messages), first.next), (vec![0, 1], 2));
    assert_eq!(bus.read_on("pager", EVENTS_PEER, 2), first, "not taken: it comes again");
    bus.stand("pager", EVENTS_PEER, first.next).unwrap();
    bus.stand("export", EVENTS_PEER, 4).unwrap();
    let kept = bus.places();

    // the process ends; another goes on behind the offsets that were used
    let mut bus = small(100);
    bus.continue_at(EVENTS_PEER, 5).unwrap();
    for place in kept {
        bus.stand(&place.reader, &place.topic, place.next).unwrap();
    }
    fill(&mut bus, EVENTS_PEER, 5..7);
    let pager = bus.read_on("pager", EVENTS_PEER, 10);
    assert_eq!((pager.gap, offsets(&pager.messages), pager.next), (Some(2..5), vec![5, 6], 7), "what the restart cost is told");
    assert_eq!(bus.read_on("export", EVENTS_PEER, 10).gap, Some(4..5));
    assert_eq!(bus.read_on("new", EVENTS_PEER, 10).gap, None);
}

#[test]
fn a_reader_goes_back_and_cannot_go_beyond_the_end() {
    let mut bus = small(3);
    fill(&mut bus, EVENTS_PREFIX, 0..3);
    bus.stand("a", EVENTS_PREFIX, 3).unwrap();
    let end = bus.read_on("a", EVENTS_PREFIX, 5);
    assert_eq!((end.messages.len(), end.gap, end.next), (0, None, 3));
    bus.stand("a", EVENTS_PREFIX, 1).unwrap();
    assert_eq!(offsets(&bus.read_on("a", EVENTS_PREFIX, 5).messages), [1, 2]);
    assert!(matches!(bus.stand("a", EVENTS_PREFIX, 4), Err(BusError::NoSuchPlace { place: 4, next: 3, .. })));
    assert!(matches!(bus.stand("", EVENTS_PREFIX, 0), Err(BusError::BadName { .. })));
}

#[test]
fn places_are_bounded() {
    let mut bus = Bus::default();
    for n in 0..PLACES_MAX {
        bus.stand(&format!("r{n}"), EVENTS_PEER, 0).unwrap();
    }
    assert!(matches!(bus.stand("one-more", EVENTS_PEER, 0), Err(BusError::TooManyPlaces { .. })));
    bus.stand("r0", EVENTS_PEER, 0).unwrap();
}

#[test]
fn what_came_too_fast_is_counted_and_takes_no_offset() {
    let mut bus = Bus::default();
    bus.missed(TELEMETRY_BMP, 7).unwrap();
    fill(&mut bus, TELEMETRY_BMP, 0..1);
    let s = stats(&bus, TELEMETRY_BMP);
    assert_eq!((s.missed, s.published, s.next, s.dropped), (7, 1, 1, 0));
}

#[test]
fn a_topic_that_holds_messages_keeps_its_numbers() {
    let mut bus = small(2);
    fill(&mut bus, EVENTS_PEER, 0..1);
    bus.continue_at(EVENTS_PEER, 50).unwrap();
    fill(&mut bus, EVENTS_PEER, 1..2);
    assert_eq!(offsets(&bus.consume(EVENTS_PEER, 9)), [0, 1]);
}

proptest! {
    /// Whatever is published and read in whatever steps: a reader gets every message once, in order, or is told which it did not get.
    #[test]
    fn every_offset_is_either_read_once_or_told_as_a_gap(bound in 1_usize..8, steps in prop::collection::vec((0_u64..6, 0_usize..6), 1..40)) {
        let mut bus = small(bound);
        let (mut published, mut accounted) = (0, 0);
        bus.stand("r", EVENTS_PEER, 0).unwrap();
        for (publish, take) in steps {
            fill(&mut bus, EVENTS_PEER, published..published + publish);
            published += publish;
            let read = bus.read_on("r", EVENTS_PEER, take);
            if let Some(gap) = &read.gap {
                prop_assert_eq!(gap.start, accounted);
                accounted = gap.end;
            }
            for m in &read.messages {
                prop_assert_eq!(m.offset, accounted);
                prop_assert_eq!(&*m.value, &serde_json::json!({"n": m.offset}));
                accounted += 1;
            }
            prop_assert_eq!(read.next, accounted);
            bus.stand("r", EVENTS_PEER, read.next).unwrap();
            let s = stats(&bus, EVENTS_PEER);
            prop_assert_eq!(s.held + s.dropped, published);
            prop_assert!(s.held <= bound as u64);
        }
    }
}

#[test]
fn where_nobody_says_how_many_the_last_twenty_of_bmp_are_meant_and_ten_of_the_others() {
    assert_eq!([TELEMETRY_BMP, TELEMETRY_BMP_ALIAS].map(recent_default), [20, 20]);
    assert_eq!([TELEMETRY_GNMI, AGENT_ACTIONS, "a topic of others"].map(recent_default), [10, 10, 10]);
}
