//! The series of a running engine: points while something is measured, and none that would take the ledger's room.

use action::OperatorId;
use pilot::Command;
use runtime::Engine;
use store::{SeriesReader, Store};

mod beside;
use beside::{send, start, story, until};

const PEERS: &str = "bgp_peer_health";

async fn stand(engine: &Engine, holds: impl Fn(&runtime::SeriesState) -> bool) -> runtime::SeriesState {
    let handle = engine.handle();
    until("the state of the series", || holds(&handle.series().unwrap().0)).await;
    handle.series().unwrap().0
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_measured_is_written_and_read_beside_the_engine() {
    let folder = tempfile::tempdir().unwrap();
    let engine = start(folder.path()).await;
    let mut bytes = story();
    // without its end, the Peer Down: one session is up
    bytes.truncate(bytes.len() - 49);
    let _stream = send(&engine, &bytes).await;
    let state = stand(&engine, |s| s.written >= 2).await;
    assert_eq!((state.unwritten, state.refused, &state.fault), (0, 0, &None));
    assert!(state.free_bytes > 0 && state.bytes_max == store::BYTES_MAX, "{state:?}");
    let reader = SeriesReader::open(engine.folder()).unwrap();
    let newest = |field: &str| reader.last(PEERS, &format!("field={field},router=r1"), 10).unwrap().last().unwrap().value;
    // the first point may be older than the session
    until("a session in the series", || (newest("total"), newest("down")) == (1.0, 0.0)).await;
    let has = |name: &str| reader.series().unwrap().iter().any(|(m, _)| m == name);
    // counters are written once a minute, and the first look may have been before the first message
    for _ in 0..80 {
        if has("bmp_messages_total") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
    assert!(has("bmp_messages_total"), "{:?}", reader.series().unwrap());
    engine.stop().await.unwrap();
    let by_bmp = [PEERS, "bgp_session_up", "bgp_session_flaps_total", "bmp_messages_total", "prefixes_received"];
    let names = reader.series().unwrap();
    assert!(names.iter().all(|(m, _)| by_bmp.contains(&m.as_str())), "nothing else was measured, gaps are gaps: {names:?}");
    assert_eq!(state.crowded, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_without_room_stops_the_points_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let store = Store::open(&data).unwrap();
    let set = |name: &str, value: String| store.set_setting(&store::StoredSetting { name: name.into(), value, at: None, by: None });
    set("telemetry.disk_reserve_bytes", (1_u64 << 60).to_string()).unwrap();
    set("telemetry.bytes_max", "much".to_owned()).unwrap();
    drop(store);
    let engine = start(folder.path()).await;
    let _stream = send(&engine, &story()).await;
    let state = stand(&engine, |s| s.unwritten >= 2).await;
    assert_eq!((state.written, state.disk_reserve, state.bytes_max), (0, 1 << 60, store::BYTES_MAX));
    let told = engine.handle().submit(OperatorId::new("uid:0 root"), Command::Kill).await.unwrap();
    assert_eq!(told.len(), 1);
    engine.stop().await.unwrap();
    assert!(store::read_audit(&data).unwrap().iter().any(|r| r.kind == "killed"), "the ledger goes on");
}
