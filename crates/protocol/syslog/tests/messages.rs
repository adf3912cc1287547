//! Messages in every way of writing them, good and bad.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

use proptest::prelude::*;
use syslog::{Fault, Format, Message, STRUCTURED_MAX, parse, visible};
use units::Timestamp;

/// 2026-11-23 18:00:00 UTC.
const RECEIVED: i64 = 1_795_456_800_000_000_000;

fn read(text: &str) -> Message {
    parse(text.as_bytes(), RECEIVED)
}

fn time(m: &Message) -> String {
    Timestamp::from_nanos(m.time.unwrap()).to_string()
}

fn parts(m: &Message) -> [&str; 4] {
    [&m.host, &m.app, &m.process, &m.message_id].map(|f| f.as_deref().unwrap_or("-"))
}

#[test]
fn the_examples_of_rfc_5424_read_as_it_says() {
    let m = read("<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \u{feff}'su root' failed for lonvick on /dev/pts/8");
    assert_eq!((m.format, m.facility, m.severity), (Format::Rfc5424, Some(4), Some(2)));
    assert_eq!((time(&m).as_str(), parts(&m)), ("2003-10-11T22:14:15.003000000Z", ["mymachine.example.com", "su", "-", "ID47"]));
    assert_eq!((m.text.as_str(), m.faults.len()), ("'su root' failed for lonvick on /dev/pts/8", 0), "the byte order mark is no text");

    let m = read("<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time to make the do-nuts.");
    assert_eq!((time(&m).as_str(), parts(&m)), ("2003-08-24T12:14:15.000003000Z", ["192.0.2.1", "myproc", "8710", "-"]));

    let text = "<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 \
                [exampleSDID@32473 iut=\"3\" eventSource=\"Application\" eventID=\"1011\"][examplePriority@32473 class=\"high\"]";
    let m = read(text);
    assert_eq!(m.structured.len(), 2);
    assert_eq!(m.structured[0].params[1], ("eventSource".into(), "Application".into()));
    assert_eq!((m.structured[1].id.as_str(), m.text.as_str(), m.faults.len()), ("examplePriority@32473", "", 0));
}

#[test]
fn escapes_in_structured_data_are_resolved_and_others_stay() {
    let m = read(r#"<1>1 - - - - - [a b="x\"y\]z" c="1\2\\3" d=""] t"#);
    let params: Vec<&str> = m.structured[0].params.iter().map(|(_, v)| v.as_str()).collect();
    assert_eq!(params, [r#"x"y]z"#, r"1\\2\\3", ""], "a backslash is shown doubled");
    assert_eq!((m.text.as_str(), m.time), ("t", None));
}

#[test]
fn structured_data_is_bounded() {
    let params: String = (0..200).map(|i| format!(" k{i}=\"v\"")).collect();
    let elements: String = (0..200).map(|_| format!("[e@1{params}]")).collect();
    let m = read(&format!("<1>1 - - - - - {elements} t"));
    assert_eq!((m.structured.len(), m.structured[0].params.len(), m.text.as_str()), (STRUCTURED_MAX, STRUCTURED_MAX, "t"));
}

#[test]
fn what_does_not_read_is_told_with_its_offset_and_shown_as_text() {
    let cases: [(&str, usize, &str, Format); 9] = [
        ("no priority at all", 0, "no priority at all", Format::Bare),
        ("<192>x", 0, "<192>x", Format::Bare),
        ("<13", 0, "<13", Format::Bare),
        ("<13>1 2026-13-01T00:00:00Z h a p m - t", 6, "t", Format::Rfc5424),
        ("<13>1 2026-02-29T00:00:00Z h a p m - t", 6, "t", Format::Rfc5424),
        ("<13>1 - h a", 11, "", Format::Rfc5424),
        ("<13>1 - h a p m [x y=1] t", 21, "[x y=1] t", Format::Rfc5424),
        ("<13>1 - h a p m [x y=\"1] t", 22, "[x y=\"1] t", Format::Rfc5424),
        ("<13>yesterday it was fine", 4, "yesterday it was fine", Format::Rfc3164),
    ];
    for (text, offset, rest, format) in cases {
        let m = read(text);
        let Some(Fault { offset: at, .. }) = m.faults.first() else { panic!("{text}: no fault") };
        assert_eq!((*at, m.text.as_str(), m.format), (offset, rest, format), "{text}: {:?}", m.faults);
    }
}

#[test]
fn legacy_messages_read_as_their_senders_write_them() {
    let cases = [
        ("<34>Nov 11 22:14:15 mymachine su: 'su root' failed", "2026-11-11T22:14:15", ["mymachine", "su", "-"], "'su root' failed"),
        ("<30>Nov  5 18:51:01 r1 bgpd[812]: [N9H] %ADJ", "2026-11-05T18:51:01", ["r1", "bgpd", "812"], "[N9H] %ADJ"),
        ("<189>45: *Nov 23 17:48:50.483: %SYS-5-CONFIG_I: C", "2026-11-23T17:48:50.483", ["-", "-", "-"], "%SYS-5-CONFIG_I: C"),
        ("<189>45: Nov 23 2025 17:48:50.483 UTC: %SYS-5: C", "2025-11-23T17:48:50.483", ["-", "-", "-"], "%SYS-5: C"),
        ("<189>: 2025 Jan 28 15:13:57 UTC: %ETHPORT-5: I", "2025-01-28T15:13:57", ["-", "-", "-"], "%ETHPORT-5: I"),
        (
            "<190>58: RP/0/RP0/CPU0:Nov 18 08:48:26.274 UTC: config[124]: %M : x",
            "2026-11-18T08:48:26.274",
            ["-", "config", "124"],
            "%M : x",
        ),
        ("<190>58: xr1 RP/0/RSP0/CPU0:Nov 18 08:48:26 : bgp[7]: %R : x", "2026-11-18T08:48:26", ["xr1", "bgp", "7"], "%R : x"),
        (
            "<189>Nov 23 17:00:00 leaf-1.x ConfigAgent: %SYS-5-CONFIG_E: E",
            "2026-11-23T17:00:00",
            ["leaf-1.x", "ConfigAgent", "-"],
            "%SYS-5-CONFIG_E: E",
        ),
        (
            "<14>2026-11-23T17:00:00.25+01:00 srl sr_bgp_mgr: bgp|1|N: In",
            "2026-11-23T16:00:00.25",
            ["srl", "sr_bgp_mgr", "-"],
            "bgp|1|N: In",
        ),
        ("<14>Nov 23 17:00:00 2001:db8::1 mgd[3]: UI: t", "2026-11-23T17:00:00", ["2001:db8::1", "mgd", "3"], "UI: t"),
        ("<14>Nov 23 17:00:00 fw just words", "2026-11-23T17:00:00", ["fw", "-", "-"], "just words"),
    ];
    for (text, at, who, rest) in cases {
        let m = read(text);
        assert_eq!((m.format, m.faults.as_slice()), (Format::Rfc3164, &[][..]), "{text}");
        assert!(time(&m).starts_with(at), "{text}: {}", time(&m));
        assert_eq!((&parts(&m)[..3], m.text.as_str()), (&who[..], rest), "{text}");
    }
}

#[test]
fn a_year_that_is_not_written_is_the_one_nearest_to_the_receipt() {
    let new_year = 1_798_761_600_000_000_000; // 2027-01-01 00:00:00
    let at = |text: &str, received| time(&parse(text.as_bytes(), received));
    assert!(at("<1>Dec 31 23:59:59 h t: x", new_year).starts_with("2026-12-31"));
    assert!(at("<1>Jan  1 00:00:05 h t: x", new_year).starts_with("2027-01-01"));
    // a device whose clock is ahead, just before the year ends
    assert!(at("<1>Jan  1 00:00:05 h t: x", new_year - 60_000_000_000).starts_with("2027-01-01"));
    // the 29th of February was in the last leap year, or is in the next
    let spring_2027 = 1_803_859_200_000_000_000;
    assert!(time(&parse(b"<1>Feb 29 12:00:00 h t: x", spring_2027)).starts_with("2028-02-29"));
    let m = read("<1>Feb 30 12:00:00 h t: x");
    assert_eq!((m.time, m.faults.len()), (None, 1));
    let m = read("<1>Nov 23 17:00:00 h t: x");
    assert_eq!((m.year_given, m.zone_given), (false, false));
    let m = read("<1>Nov 23 2026 17:00:00 CST: x");
    assert_eq!((m.year_given, m.zone_given, m.text.as_str()), (true, false, "x"), "nobody knows which zone CST is");
}

#[test]
fn nothing_is_hidden_in_the_text() {
    let m = parse(b"<1>Nov 23 17:00:00 h t: a\x1b[31m\xff\r\n\x00 b\xe2\x80\xae\\", RECEIVED);
    assert_eq!(m.text, "a\\u{1b}[31m\u{fffd}\\u{d}\\u{a}\\u{0} b\\u{202e}\\\\");
    assert_eq!(visible("Grüße 東京".as_bytes()), "Grüße 東京");
    assert_eq!(read("<1>Nov 23 17:00:00 h t: x\r\n").text, "x", "the end of a line is no text");
}

/// Another parser of the same formats, where both say something.
fn agrees_with_syslog_loose(text: &str) {
    let (ours, theirs) = (read(text), syslog_loose::parse_message(text, syslog_loose::Variant::Either));
    assert_eq!(ours.severity, theirs.severity.map(|s| s as u8), "{text}");
    assert_eq!(ours.host.as_deref(), theirs.hostname, "{text}");
    assert_eq!(ours.app.as_deref(), theirs.appname, "{text}");
    assert_eq!(ours.message_id.as_deref(), theirs.msgid, "{text}");
    assert_eq!(ours.text.replace("\\\\", "\\").trim(), theirs.msg.trim_start_matches('\u{feff}').trim(), "{text}");
    if ours.zone_given {
        assert_eq!(ours.time, theirs.timestamp.and_then(|t| t.timestamp_nanos_opt()), "{text}");
    }
    let values = |e: &syslog::Element| e.params.len();
    assert_eq!(
        ours.structured.iter().map(values).collect::<Vec<_>>(),
        theirs.structured_data.iter().map(|e| e.params().count()).collect::<Vec<_>>()
    );
}

#[test]
fn another_parser_reads_the_same() {
    for text in [
        "<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - 'su root' failed for lonvick on /dev/pts/8",
        "<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time to make the do-nuts.",
        "<165>1 2003-10-11T22:14:15.003Z m evntslog - ID47 [exampleSDID@32473 iut=\"3\" eventID=\"1011\"] An event",
        "<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8",
        "<30>Nov  5 18:51:01 r1 bgpd[812]: %ADJCHANGE: neighbor 10.0.0.2(r2) in vrf default Up",
        "<28>1 2026-11-23T17:00:00.123+00:00 mx1 mgd 3046 UI_COMMIT [junos@2636.1.1.1.2.18 username=\"lab\" command=\"commit\"] User 'lab'",
    ] {
        agrees_with_syslog_loose(text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn junk_never_panics_and_faults_point_into_it(bytes in prop::collection::vec(any::<u8>(), 0..300), received in any::<i64>()) {
        let m = parse(&bytes, received);
        prop_assert!(m.faults.iter().all(|f| f.offset <= bytes.len()));
        prop_assert!(!m.text.chars().any(char::is_control));
        let _ = syslog::classify(&m);
    }

    #[test]
    fn broken_messages_never_panic_and_hide_nothing(
        start in prop::sample::select(vec!["<13>1 2026-11-23T17:00:00.1Z h a p m [a b=\"c\"] \u{feff}t", "<13>45: *Nov 23 17:00:00.4 UTC: %A-1-B: c", "<1>Feb 29 00:00:00 h t[1]: x"]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = start.as_bytes().to_vec();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.index(bytes.len() + 1));
        let m = parse(&bytes, RECEIVED);
        let fields = [&m.host, &m.app, &m.process, &m.message_id].into_iter().flatten().chain([&m.text]);
        let params = m.structured.iter().flat_map(|e| e.params.iter().flat_map(|(k, v)| [k, v]));
        prop_assert!(!fields.chain(params).any(|f| f.chars().any(char::is_control)));
        prop_assert!(m.faults.iter().all(|f| f.offset <= bytes.len()));
    }
}
