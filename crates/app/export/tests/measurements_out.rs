//! Whatever is measured goes out under its own name, type and help, without a list of measurements in the exports.

use export::{exposition, line};
use runtime::{Kind, measurements};
use store::Point;
use units::Timestamp;

fn point(measurement: &str, tags: &str) -> Point {
    Point { measurement: measurement.to_owned(), tags: tags.to_owned(), at: Timestamp::from_nanos(1_800_000_000_000_000_001), value: 1.5 }
}

#[test]
fn every_measurement_is_told_to_prometheus_with_its_type_and_help() {
    let is_name =
        |text: &str| text.starts_with(|c: char| c.is_ascii_lowercase()) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    for m in measurements() {
        assert!(is_name(m.name) && m.tags.iter().all(|tag| is_name(tag)), "{m:?}");
        let tags: Vec<String> = m.tags.iter().map(|tag| format!("{tag}=x")).collect();
        let labels: Vec<String> = m.tags.iter().map(|tag| format!("{tag}=\"x\"")).collect();
        let head = format!("# HELP {0} {1}\n# TYPE {0} {2}\n{0}{{{3}}} 1.5\n", m.name, m.help, m.kind.name(), labels.join(","));
        let text = exposition(&[point(m.name, &tags.join(","))], 0, &[], &[]);
        assert!(text.starts_with(&head), "{text}");
        assert_eq!(m.kind == Kind::Counter, m.name.ends_with("_total"), "{m:?}");
    }
}

#[test]
fn names_of_devices_stay_one_tag_in_the_line_protocol() {
    let temperature = point("temperature_c", "channel=,component=FPC 0%2C1,router=r1");
    assert_eq!(line(&temperature), "temperature_c,component=FPC\\ 0%2C1,router=r1 value=1.5 1800000000000000001\n");
    let changes = point("bgp_path_changes", "field=withdrawn,instance=,peer=10.0.0.2,router=r1,view=loc_rib");
    assert_eq!(line(&changes), "bgp_path_changes,peer=10.0.0.2,router=r1,view=loc_rib withdrawn=1.5 1800000000000000001\n");
}
