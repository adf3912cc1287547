//! Subscriptions on a clock that the test turns.

use super::*;
use crate::{Profile, Update, Value};
use proptest::prelude::*;

const HEAD: &str = "title = \"x\"\nmodels = [\"m\"]\nencodings = [\"json\"]\nports = [1]\n";

fn health(rows: &[&str]) -> Health {
    let rows: String =
        rows.iter().enumerate().map(|(i, r)| format!("[[subscription]]\nset = \"s{i}\"\npath = \"/p{i}[k=*]\"\n{r}\n")).collect();
    Health::new(&Profile::parse("t", &format!("{HEAD}{rows}")).unwrap().subscriptions, 0)
}

const CHANGES: &str = "mode = \"on_change\"";
const SAMPLE: &str = "mode = \"sample\"\ninterval_ms = 10000";

fn said(path: &str) -> Notification {
    let updates = vec![Update { path: path.parse().unwrap(), value: Value::Uint(1) }];
    Notification { updates, ..Notification::default() }
}

const fn s(seconds: i64) -> i64 {
    seconds * 1_000_000_000
}

/// Turns the clock in the steps that the machine asks for; returns when row 0 was first flagged.
fn flagged(health: &mut Health, until: i64, mut answer: impl FnMut(i64) -> Option<Answer>) -> Option<i64> {
    while let Some(now) = health.next_deadline().filter(|d| *d <= until) {
        for row in health.tick(now) {
            if let Some(a) = answer(now) {
                health.answered(row, a, now);
            }
        }
        if let State::Silent { since, .. } = health.rows()[0].state {
            return Some(since);
        }
    }
    None
}

#[test]
fn a_silent_sample_is_flagged_within_two_intervals_and_a_late_one_is_not() {
    let mut h = health(&[SAMPLE]);
    for (now, path) in [(s(10), "/p0[k=a]/x"), (s(24), "/p0[k=a]/x")] {
        assert!(h.tick(now).is_empty());
        h.heard(&said(path), now);
        assert_eq!(h.rows()[0].state, State::Alive);
    }
    let since = flagged(&mut h, s(1000), |_| None).unwrap();
    assert!(since > s(34) && since <= s(44), "{since}");
    let State::Silent { reason, .. } = &h.rows()[0].state else { panic!("flagged") };
    assert_eq!(reason.to_string(), "no sample for 15000 ms; one is due every 10000 ms");
    assert_eq!((h.rows()[0].age_ms(s(44)), h.rows()[0].expected_ms(), h.next_deadline()), (Some(20_000), Some(10_000), None));
    h.heard(&said("/p0[k=a]/x"), s(50));
    assert_eq!(h.rows()[0].state, State::Alive);
}

#[test]
fn a_sample_that_never_came_is_flagged_too() {
    assert_eq!(flagged(&mut health(&[SAMPLE]), s(1000), |_| None), Some(s(15)));
}

#[test]
fn a_quiet_path_that_is_alive_is_never_flagged() {
    let mut h = health(&[CHANGES]);
    let mut asked = 0;
    let hour = flagged(&mut h, s(3600), |_| {
        asked += 1;
        Some(Answer::Same)
    });
    assert_eq!((hour, h.rows()[0].state.clone(), asked), (None, State::Quiet, 120));
}

#[test]
fn a_dead_on_change_path_is_flagged_within_45_seconds_with_its_reason() {
    let cases = [
        (Some(Answer::Changed), "the value changed and was not told"),
        (Some(Answer::Nothing), "the target has nothing at this path"),
        (Some(Answer::Failed("not found".into())), "reading the path failed: not found"),
        (None, "reading the path got no answer within 10 s"),
    ];
    for (answer, words) in cases {
        let mut h = health(&[CHANGES]);
        h.heard(&said("/p0[k=a]"), s(7));
        let since = flagged(&mut h, s(1000), |_| answer.clone()).unwrap();
        assert!(since > s(7) && since <= s(7 + 45), "{since}");
        let State::Silent { reason, .. } = &h.rows()[0].state else { panic!("flagged") };
        assert_eq!(reason.to_string(), words);
        // it goes on asking: a path that comes back is no longer blamed
        let again = h.next_deadline().unwrap();
        assert_eq!(h.tick(again), [0]);
        assert!(matches!(h.rows()[0].state, State::Silent { since: s, .. } if s == since), "asking takes no blame away");
        h.answered(0, Answer::Same, again);
        assert_eq!(h.rows()[0].state, State::Quiet);
    }
}

#[test]
fn a_path_that_the_target_never_had_is_absent_until_it_tells_something() {
    for answer in [Answer::Nothing, Answer::Empty] {
        let mut h = health(&[CHANGES]);
        assert_eq!((flagged(&mut h, s(600), |_| Some(answer.clone())), h.rows()[0].state.clone()), (None, State::Absent));
        let again = h.next_deadline().unwrap();
        assert_eq!((h.tick(again), again <= s(630)), (vec![0], true), "it is asked again");
        h.answered(0, Answer::Changed, again);
        assert!(matches!(h.rows()[0].state, State::Silent { .. }), "there is something now, and it was not told");
        h.heard(&said("/p0"), again);
        assert_eq!(h.rows()[0].state, State::Alive);
    }
}

#[test]
fn a_path_that_took_back_all_that_it_told_is_quiet() {
    let mut h = health(&[CHANGES]);
    h.heard(&said("/p0[k=a]"), s(1));
    h.heard(&Notification { deletes: vec!["/p0[k=a]".parse().unwrap()], ..Notification::default() }, s(2));
    assert_eq!((flagged(&mut h, s(600), |_| Some(Answer::Empty)), h.rows()[0].state.clone()), (None, State::Quiet));
}

#[test]
fn an_answer_after_a_message_changes_nothing() {
    let mut h = health(&[CHANGES]);
    assert_eq!(h.tick(s(30)), [0]);
    h.heard(&said("/p0"), s(31));
    h.answered(0, Answer::Changed, s(32));
    h.answered(9, Answer::Changed, s(32));
    assert_eq!(h.rows()[0].state, State::Alive);
}

#[test]
fn heartbeats_and_left_out_samples_have_their_own_cadence() {
    let heartbeat = format!("{CHANGES}\nheartbeat_interval_ms = 20000");
    let rare = format!("{CHANGES}\nheartbeat_interval_ms = 600000");
    let suppressed = format!("{SAMPLE}\nsuppress_redundant = true");
    let h = health(&[&heartbeat, &rare, &suppressed, SAMPLE, "mode = \"target_defined\""]);
    let expected: Vec<_> = h.rows().iter().map(Row::expected_ms).collect();
    assert_eq!(expected, [Some(20_000), None, None, Some(10_000), None]);
    assert_eq!(flagged(&mut health(&[&heartbeat]), s(1000), |_| None), Some(s(30)));
}

#[test]
fn only_the_subscription_that_was_answered_is_alive() {
    let mut h = health(&[CHANGES, CHANGES, CHANGES]);
    h.heard(&Notification { deletes: vec!["/p1[k=a]/x".parse().unwrap()], ..Notification::default() }, 1);
    h.heard(&Notification { atomic: true, prefix: "/p2[k=b]".parse().unwrap(), ..Notification::default() }, 2);
    h.heard(&Notification::default(), 3);
    let states: Vec<_> = h.rows().iter().map(|r| (r.state.clone(), r.last)).collect();
    assert_eq!(states, [(State::Waiting, None), (State::Alive, Some(1)), (State::Alive, Some(2))]);
}

proptest! {
    /// Whatever comes when: who was heard within an interval is not flagged, who was not for two is.
    #[test]
    fn samples_are_flagged_by_their_age_alone(gaps in prop::collection::vec(1_i64..40_000, 1..30)) {
        let mut h = health(&[SAMPLE]);
        let mut now = 0;
        for gap in gaps {
            let next = now + gap * NS_IN_MS;
            while let Some(due) = h.next_deadline().filter(|d| *d <= next) {
                h.tick(due);
            }
            h.tick(next);
            let silent = matches!(h.rows()[0].state, State::Silent { .. });
            prop_assert!(!(silent && gap <= 10_000));
            prop_assert!(silent || gap < 20_000);
            now = next;
            h.heard(&said("/p0[k=a]"), now);
        }
    }
}
