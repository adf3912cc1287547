//! For tests: the picture after what the laboratory's routers sent, counted beside it.

use action::DeviceId;
use bmp::{Framer, Message};
use network::{BmpEvent, DeviceRole, DeviceSpec, Inventory, Network, Observation};
use pilot::{Mode, PilotState, Resume};
use units::Timestamp;

pub struct Recorded {
    pub state: PilotState,
    pub messages: u64,
    pub routes: u64,
    pub peers: u64,
}

fn device(id: &str) -> DeviceSpec {
    DeviceSpec {
        id: id.into(),
        hostname: id.to_owned(),
        role: DeviceRole::Edge,
        router_id: core::net::Ipv4Addr::UNSPECIFIED,
        bmp: None,
        gnmi: None,
        netconf: None,
    }
}

impl Recorded {
    /// Streams of r1, r2 and r3; r4 said nothing.
    pub fn seed() -> Self {
        let mut inventory = Inventory::empty("recorded");
        inventory.own_asn = bgp::Asn(65_001);
        inventory.devices = ["r1", "r2", "r3", "r4"].map(device).to_vec();
        let mut network = Network::new(inventory);
        let (mut messages, mut routes, mut peers, mut at) = (0, 0, 0, 0);
        for name in ["r1", "r2", "r3"] {
            let (mut framer, mut codec) = (Framer::new(), bmp::Codec::new(Some(bgp::Asn(65_001))));
            framer.push(&std::fs::read(format!("../../../tests/recordings/seed/bmp/{name}.bmp")).unwrap());
            while let Some(frame) = framer.next() {
                let bytes = frame.unwrap().bytes;
                messages += 1;
                match bmp::decode(&bytes, &mut codec) {
                    Ok(Message::RouteMonitoring(_)) => routes += 1,
                    Ok(Message::PeerUp(_) | Message::PeerDown(_)) => peers += 1,
                    _ => {}
                }
                at += 1;
                let observation = Observation::Bmp { device: DeviceId::new(name), event: BmpEvent::Message { bytes } };
                network.observe(&observation, Timestamp::from_millis(at));
            }
        }
        let now = Timestamp::from_millis(at);
        let mut state = PilotState::new(Mode::Shadow, network, &Resume::default(), now);
        state.now = now;
        Self { state, messages, routes, peers }
    }
}
