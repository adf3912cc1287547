//! A capture that is played: its clock, its looks, and what it refuses.

use action::OperatorId;
use capture::{Moment, Replay, Writer};
use network::{Inventory, Network};
use pilot::{Command, Event, Happening, Input, Mode, Pilot, PilotState, Resume};
use runtime::{Audience, Order, PLAYED_MAX, Player};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use units::Timestamp;

const INPUTS: i64 = 121;

#[derive(Clone, Default)]
struct Heard(Arc<Mutex<(u32, u32)>>, Arc<Mutex<Vec<u64>>>);

impl Audience for Heard {
    fn rewound(&mut self, _: Timestamp) {
        self.0.lock().unwrap().0 += 1;
    }

    fn jumped(&mut self, _: Timestamp, inputs: u64) {
        self.1.lock().unwrap().push(inputs);
    }

    fn event(&mut self, _: &Event) {}

    fn second(&mut self, _: &PilotState) {
        self.0.lock().unwrap().1 += 1;
    }
}

fn at(index: i64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + index * 500)
}

/// One minute of an engine without devices: a state, then two ticks a second.
fn captured(folder: &Path) -> PathBuf {
    captured_of(folder, INPUTS)
}

fn captured_of(folder: &Path, inputs: i64) -> PathBuf {
    let file = folder.join("minute.capture");
    let mut writer = Writer::create(&file).unwrap();
    let state = PilotState::new(Mode::Shadow, Network::new(Inventory::empty("nowhere")), &Resume::default(), at(0));
    writer.append(1, at(0), &Input::State { state: Box::new(state) }).unwrap();
    for i in 1..inputs {
        writer.append(1 + i as u64, at(i), &Input::Tick).unwrap();
        // several frames, so that a cut file loses only the last
        if i % 40 == 0 {
            writer.flush_durable().unwrap();
        }
    }
    writer.flush_durable().unwrap();
    file
}

async fn until(player: &Player, holds: impl Fn(&runtime::Position) -> bool) -> runtime::Position {
    for _ in 0..500 {
        let position = player.position();
        if holds(&position) {
            return position;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{:?}", player.position());
}

#[tokio::test(flavor = "multi_thread")]
async fn it_plays_stops_seeks_and_ends_as_offline() {
    let folder = tempfile::tempdir().unwrap();
    let file = captured(folder.path());
    let heard = Heard::default();
    let player = Player::open(&file, heard.clone()).await.unwrap();
    let site = player.handle().read(|s| s.network.inventory.name.clone()).await.unwrap();
    assert_eq!(site, "nowhere", "the first input is the state, and it is there at once");
    assert!(!player.position().playing && player.position().inputs == (1, INPUTS as u64));

    player.order(Order::Speed(20.0)).await;
    player.order(Order::Play(true)).await;
    let on_its_way = until(&player, |p| p.at > at(4)).await;
    assert!(on_its_way.state_hash.is_none(), "a minute at twenty times its speed takes three seconds");
    player.order(Order::Play(false)).await;
    let stopped = player.position().at;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(player.position().at, stopped);

    player.order(Order::Seek(Moment::Time(at(INPUTS)))).await;
    let end = until(&player, |p| p.state_hash.is_some()).await;
    assert_eq!(end.state_hash, Some(Replay::run(&file, None, |_| {}).unwrap().state_hash()));
    assert_eq!((end.inputs, end.diverged.len(), end.playing), ((INPUTS as u64, INPUTS as u64), 0, false));
    assert!(heard.0.lock().unwrap().1 >= 60, "every second is told");

    player.order(Order::Seek(Moment::Time(at(30)))).await;
    let back = until(&player, |p| p.seeking.is_none()).await;
    assert_eq!((back.run, back.at, back.inputs.0), (1, at(30), 30), "inputs before that time, from the start again");
    assert_eq!(heard.0.lock().unwrap().0, 1);
    let now = player.handle().read(|s| s.now).await.unwrap();
    assert_eq!(now, at(29));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_goes_back_to_a_state_on_the_way_and_ends_the_same() {
    let folder = tempfile::tempdir().unwrap();
    const LONG: i64 = 5300;
    let file = captured_of(folder.path(), LONG);
    let player = Player::open(&file, Heard::default()).await.unwrap();
    player.order(Order::Seek(Moment::Time(at(LONG)))).await;
    let end = until(&player, |p| p.state_hash.is_some()).await;
    player.order(Order::Seek(Moment::Time(at(4100)))).await;
    assert!(player.position().inputs.0 >= 4000, "it went back to the start, not to a state on the way");
    let back = until(&player, |p| p.seeking.is_none()).await;
    assert_eq!((back.at, back.inputs.0), (at(4100), 4100));
    assert_eq!(player.handle().read(|s| s.now).await.unwrap(), at(4099));
    player.order(Order::Step).await;
    assert_eq!((player.position().at, player.position().inputs.0), (at(4100), 4101));
    player.order(Order::Seek(Moment::Time(at(LONG)))).await;
    let again = until(&player, |p| p.state_hash.is_some()).await;
    assert_eq!((again.state_hash, again.inputs), (end.state_hash, end.inputs));
    // nothing happens without devices: the next event is the end
    player.order(Order::Seek(Moment::Time(at(10)))).await;
    until(&player, |p| p.seeking.is_none()).await;
    player.order(Order::StepToEvent).await;
    assert_eq!(until(&player, |p| p.seeking.is_none()).await.inputs.0, LONG as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_refuses_every_command() {
    let folder = tempfile::tempdir().unwrap();
    let player = Player::open(&captured(folder.path()), Heard::default()).await.unwrap();
    let told = player.handle().submit(OperatorId::new("uid:0 root"), Command::Kill).await.unwrap();
    assert!(matches!(&told[..], [Event { what: Happening::Refused { code, .. }, .. }] if code == "PH-RUN-010"), "{told:?}");
    assert!(!player.handle().read(|s| s.killed).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_ends_early_is_played_so_far_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = captured(folder.path());
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() - 5]).unwrap();
    let player = Player::open(&file, Heard::default()).await.unwrap();
    let position = player.position();
    assert!(position.damaged.as_deref().is_some_and(|d| d.contains("no whole frame")), "{position:?}");
    assert!(position.inputs.1 > 0 && position.inputs.1 < INPUTS as u64);
    player.order(Order::Seek(Moment::Time(at(INPUTS)))).await;
    let end = until(&player, |p| p.state_hash.is_some()).await;
    assert_eq!(end.inputs.0, position.inputs.1);

    std::fs::write(&file, b"not a capture").unwrap();
    assert!(Player::open(&file, Heard::default()).await.is_err());
}

/// Three times as long as what a seek plays rather than jumps over, with a state kept in every tenth.
fn long(folder: &Path) -> (PathBuf, u64) {
    let file = folder.join("long.capture");
    let (mut writer, mut pilot, inputs) = (Writer::create(&file).unwrap(), Pilot::default(), 3 * PLAYED_MAX);
    let state = PilotState::new(Mode::Shadow, Network::new(Inventory::empty("nowhere")), &Resume::default(), at(1));
    for seq in 1..=inputs {
        let input = if seq == 1 { Input::State { state: Box::new(state.clone()) } } else { Input::Tick };
        let time = at(seq as i64);
        writer.append(seq, time, &input).unwrap();
        pilot.handle(seq, time, input);
        if seq % (PLAYED_MAX / 10) == 0 {
            writer.keep_state(seq, time, pilot.state()).unwrap();
        }
    }
    writer.finish().unwrap();
    (file, inputs)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_way_is_jumped_by_the_index_and_ends_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let (file, inputs) = long(folder.path());
    let hash = Replay::run(&file, None, |_| {}).unwrap().state_hash();
    let heard = Heard::default();
    let player = Player::open(&file, heard.clone()).await.unwrap();
    // the first input is taken by then
    player.handle().read(|s| s.seq).await.unwrap();
    let open = player.position();
    assert_eq!((open.inputs, open.no_index, open.damaged), ((1, inputs), None, None));
    // by number: the last state before it stands for all that was not played
    let wanted = inputs - 700;
    player.order(Order::Seek(Moment::Input(wanted))).await;
    let there = until(&player, |p| p.seeking.is_none()).await;
    let kept = inputs - PLAYED_MAX / 10;
    assert_eq!((there.seq, there.inputs.0, there.skipped, there.at), (wanted - 1, wanted - 1, kept, at(wanted as i64 - 1)));
    assert_eq!(*heard.1.lock().unwrap(), [kept - 1]);
    // the end, by time: near enough to be played
    player.order(Order::Seek(Moment::Time(at(inputs as i64 + 1)))).await;
    let end = until(&player, |p| p.state_hash.is_some()).await;
    assert_eq!((end.state_hash, end.inputs, end.diverged.len()), (Some(hash.clone()), (inputs, inputs), 0));
    assert_eq!(heard.1.lock().unwrap().len(), 1);
    // back by a little goes to a state of the file too, and on from there to the same end
    player.order(Order::Seek(Moment::Time(at(wanted as i64)))).await;
    let back = until(&player, |p| p.seeking.is_none()).await;
    assert_eq!((back.seq, back.skipped, back.run), (wanted - 1, kept, 1));
    player.order(Order::Step).await;
    assert_eq!(player.position().seq, wanted);
    // to the start, and only so far that all is played
    player.order(Order::Seek(Moment::Input(PLAYED_MAX))).await;
    let early = until(&player, |p| p.seeking.is_none()).await;
    assert_eq!((early.seq, early.skipped), (PLAYED_MAX - 1, 0));
    player.order(Order::Seek(Moment::Input(u64::MAX))).await;
    assert_eq!(until(&player, |p| p.state_hash.is_some()).await.state_hash, Some(hash));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_index_that_can_be_used_it_is_read_through_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let (file, inputs) = long(folder.path());
    let frames = capture::index(&file).unwrap().unwrap().frames;
    let third = usize::try_from(frames.iter().filter(|f| f.state).nth(2).unwrap().offset).unwrap();
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[third + 5] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let player = Player::open(&file, Heard::default()).await.unwrap();
    let position = player.position();
    assert!(position.no_index.as_deref().is_some_and(|why| why.contains("two lengths differ")), "{position:?}");
    assert!(position.damaged.as_deref().is_some_and(|why| why.contains("PH-CAP-004")) && position.inputs.1 < inputs, "{position:?}");
    player.order(Order::Seek(Moment::Input(u64::MAX))).await;
    let end = until(&player, |p| p.state_hash.is_some()).await;
    assert_eq!((end.inputs.0, end.skipped), (position.inputs.1, 0));
}
