//! What BMP tells of a peer beside its routes: its session, the words of its Peer Up, statistics, mirrored messages.

use crate::{Opened, Session, SessionState};
use bmp::{AfiSafi, Mirroring, PeerDown, PeerUp, Statistics, Tlv};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use units::Timestamp;

/// Peers kept per device: more than any router has.
pub(crate) const PEERS_MAX: usize = 16_384;
/// Counters kept per peer: types that the registry has, for a dozen families.
const STATISTICS_MAX: usize = 256;
/// Words kept of one Peer Up.
const TLVS_MAX: usize = 64;
/// Route Mirroring: TLV "information", and its code "messages lost" (RFC 7854 §4.7).
const MIRROR_INFORMATION: u16 = 1;
const MESSAGES_LOST: [u8; 2] = [0, 1];

/// One peer as BMP tells of it. The key that it stands under says which (RFC 7854 §4.2).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BmpPeer {
    /// Network instance by the router's own name, where its Peer Up gave one (RFC 9069 §4.4).
    pub instance: Option<String>,
    /// Its session; `since` is zero before a Peer Up or Peer Down was told.
    pub session: Session,
    /// Information of the last Peer Up, in the router's words (tainted).
    pub tlvs: Vec<Tlv>,
    /// Last value of each statistic, by type number and family.
    #[serde(with = "crate::picture::as_pairs")]
    pub statistics: BTreeMap<(u16, Option<AfiSafi>), Statistic>,
    /// Route Mirroring messages.
    pub mirrored: u64,
    /// Those that say that others were lost.
    pub mirrored_lost: u64,
}

/// The last value of a statistic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statistic {
    /// Name by its registry (`adj_rib_in_routes`).
    pub name: String,
    /// Value.
    pub value: u64,
    /// When it came.
    pub at: Timestamp,
}

impl BmpPeer {
    pub(crate) fn up(&mut self, up: &PeerUp, now: Timestamp) {
        self.session.came_up(up, now);
        self.instance = up.tlvs.iter().find(|t| t.name == "vrf_table_name").map(|t| t.value.clone());
        self.tlvs = up.tlvs.iter().take(TLVS_MAX).cloned().collect();
    }

    pub(crate) fn down(&mut self, down: &PeerDown, now: Timestamp) {
        self.session.went_down(down, now);
    }

    pub(crate) fn counted(&mut self, report: &Statistics, now: Timestamp) {
        self.session.remote_as = Some(report.peer.asn);
        for counter in &report.counters {
            let key = (counter.kind, counter.family);
            if self.statistics.len() < STATISTICS_MAX || self.statistics.contains_key(&key) {
                self.statistics.insert(key, Statistic { name: counter.name.clone(), value: counter.value, at: now });
            }
        }
    }

    pub(crate) fn mirrored(&mut self, message: &Mirroring) {
        self.mirrored += 1;
        let lost = |(kind, value): &(u16, Vec<u8>)| *kind == MIRROR_INFORMATION && value[..] == MESSAGES_LOST;
        self.mirrored_lost += u64::from(message.tlvs.iter().any(lost));
    }
}

impl Session {
    /// Takes a Peer Up.
    pub(crate) fn came_up(&mut self, up: &PeerUp, now: Timestamp) {
        self.remote_as = Some(up.peer.asn);
        self.opened = Some(Opened::of(up));
        self.enter(SessionState::Established, now);
    }

    /// Takes a Peer Down.
    pub(crate) fn went_down(&mut self, down: &PeerDown, now: Timestamp) {
        self.remote_as = Some(down.peer.asn);
        self.last_down = Some(words(&down.reason));
        self.enter(SessionState::Idle, now);
    }

    /// The router was heard to its end and did not tell of the session.
    pub(crate) fn went_untold(&mut self, now: Timestamp) {
        if self.state == SessionState::Established {
            self.last_down = Some("the router told nothing of it when BMP came back".to_owned());
            self.enter(SessionState::Idle, now);
        }
    }
}

/// A reason as an operator reads it; codes by RFC 4271 §4.5.
fn words(reason: &bmp::DownReason) -> String {
    use bmp::DownReason;
    match reason {
        DownReason::LocalNotification(n) => format!("we sent NOTIFICATION {}/{}", n.code, n.subcode),
        DownReason::RemoteNotification(n) => format!("the peer sent NOTIFICATION {}/{}", n.code, n.subcode),
        DownReason::LocalFsmEvent(event) => format!("closed by us, FSM event {event}"),
        DownReason::RemoteNoNotification => "the peer closed without a NOTIFICATION".to_owned(),
        DownReason::Deconfigured => "no longer configured".to_owned(),
        DownReason::LocalTlv(_) => "closed by us".to_owned(),
        DownReason::Unknown(code) => format!("reason {code}"),
    }
}
