use super::*;
use network::{DeviceRole, DeviceSpec, Inventory, Network};
use pilot::{Input, Mode, Pilot, Resume};
use units::Timestamp;

fn t(second: i64) -> Timestamp {
    Timestamp::from_millis(1_785_578_400_000 + second * 1000)
}

/// A pilot whose one device reported an interface that then went down.
fn pilot() -> Pilot {
    let device = DeviceSpec {
        id: "r1".into(),
        hostname: "edge-router-01".into(),
        role: DeviceRole::Edge,
        router_id: core::net::Ipv4Addr::LOCALHOST,
        bmp: None,
        gnmi: None,
        netconf: None,
    };
    let inventory = Inventory {
        name: "one".into(),
        lab: None,
        own_asn: bgp::Asn(65001),
        own_prefixes: vec![],
        public_space: vec![],
        devices: vec![device],
        providers: vec![],
        exits: vec![],
        groups: vec![],
        ..Inventory::empty("")
    };
    let state = PilotState::new(Mode::Shadow, Network::new(inventory), &Resume::default(), t(0));
    let mut pilot = Pilot::default();
    drop(pilot.handle(1, t(0), Input::State { state: Box::new(state) }));
    for (seq, second, status) in [(2, 1, "UP"), (3, 2, "DOWN"), (4, 5, "DOWN")] {
        let path = "/interfaces/interface[name=eth0]/state/oper-status".parse().unwrap();
        let update = gnmi::Update { path, value: gnmi::Value::String(status.into()) };
        let notification = gnmi::Notification { timestamp: t(second).nanos(), updates: vec![update], ..gnmi::Notification::default() };
        let event = network::GnmiEvent::Notification { notification };
        let observation = network::Observation::Gnmi { device: "r1".into(), event };
        drop(pilot.handle(seq, t(second), Input::Observed { observation }));
    }
    pilot
}

#[test]
fn an_agent_shows_summary_health_and_the_open_alert_with_its_samples() {
    let pilot = pilot();
    let all = agents(pilot.state());
    assert_eq!(all.len(), 1);
    let view = agent(pilot.state(), "edge-router-01").unwrap();
    assert_eq!(view, all[0]);
    assert_eq!((view.health, view.healthy, view.fresh), (Some(0.9), Some(true), true));
    assert_eq!(view.penalties, [("interface eth0 down".to_owned(), 0.1)]);
    assert!(view.summary.starts_with("Device: edge-router-01 (os unknown, edge)\n"), "{}", view.summary);
    assert_eq!(view.alerts.len(), 1);
    assert_eq!(view.alerts[0].text, "Interface Down on r1: eth0 went down since 10:00:02Z");
    assert_eq!(view.alerts[0].samples[0].source, "/interfaces/interface[name=eth0]/state/oper-status");
    assert_eq!(view.past, view.alerts);
    assert_eq!(view.rules.len(), 5);
    assert_eq!(agent(pilot.state(), "r7").unwrap_err().code, "PH-API-404");
}

#[test]
fn a_question_is_answered_from_the_picture_or_with_what_can_be_asked() {
    let pilot = pilot();
    let chat =
        |question: &str| ask(pilot.state(), ChatArguments { agent: "r1".into(), question: question.into() }).unwrap().answer().unwrap();
    let said = chat("how are your interfaces?");
    assert_eq!((said.text.as_str(), said.tool.as_deref()), ("eth0 is DOWN, load unknown", Some("device_state")));
    let unknown = chat("please reboot");
    assert!(!unknown.understood && unknown.tool.is_none() && !unknown.can_ask.is_empty());
    let nobody = ask(pilot.state(), ChatArguments { agent: "x".into(), question: String::new() });
    assert_eq!(nobody.err().map(|e| e.code).as_deref(), Some("PH-API-404"));
}
