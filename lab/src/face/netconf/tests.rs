//! The datastores over a router made of text, with time as argument.

use super::answer::Answer;
use super::device::Device;
use super::fault::FaultSwitch;
use super::pending::StateFile;
use super::router::{Router, RouterError};
use config::edit::apply;
use config::openconfig::render_edits;
use config::{PolicyEdit, frr};
use netconf::{Datastore, Rpc, RpcError};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use units::Timestamp;

mod rules;

const BEFORE: &str = "\
hostname r1
ip prefix-list OWN seq 5 permit 192.0.2.0/24
!
route-map IN permit 100
 set local-preference 200
exit
!
route-map IN permit 200
 set local-preference 150
exit
!
";

/// A router that knows route-maps, as far as the edits of these tests need them.
#[derive(Debug)]
struct TextRouter {
    text: Mutex<String>,
    /// A line that is refused.
    refuses: Mutex<Option<&'static str>>,
    /// Takes lines and does nothing.
    deaf: Mutex<bool>,
    down: Mutex<bool>,
}

impl TextRouter {
    fn new() -> Arc<Self> {
        let (text, refuses) = (Mutex::new(BEFORE.to_owned()), Mutex::new(None));
        Arc::new(Self { text, refuses, deaf: Mutex::new(false), down: Mutex::new(false) })
    }

    fn text(&self) -> String {
        self.text.lock().unwrap().clone()
    }

    fn set(&self, text: String) {
        *self.text.lock().unwrap() = text;
    }

    /// Carries out one line inside the block that is open.
    fn line(&self, block: &mut Option<String>, line: &str) {
        let text = self.text();
        let mut blocks: Vec<String> = text.split_inclusive("!\n").map(str::to_owned).collect();
        let trimmed = line.trim();
        if let Some(gone) = trimmed.strip_prefix("no route-map ") {
            blocks.retain(|b| !b.starts_with(&format!("route-map {gone}\n")));
        } else if trimmed.starts_with("route-map ") {
            if !blocks.iter().any(|b| b.starts_with(&format!("{trimmed}\n"))) {
                blocks.push(format!("{trimmed}\nexit\n!\n"));
                blocks[1..].sort_by_key(|b| b.lines().next().and_then(|l| l.split(' ').nth(3)).and_then(|s| s.parse::<u32>().ok()));
            }
            *block = Some(trimmed.to_owned());
        } else if trimmed == "exit" {
            *block = None;
        } else if let Some(heading) = block {
            let at = blocks.iter().position(|b| b.starts_with(heading.as_str())).unwrap();
            let slot = trimmed.trim_start_matches("no ").split(' ').take(2).collect::<Vec<_>>().join(" ");
            let mut inner: Vec<&str> = blocks[at].lines().filter(|l| !l.trim().starts_with(&slot)).collect();
            let owned = format!(" {trimmed}");
            if !trimmed.starts_with("no ") {
                inner.insert(inner.len() - 2, &owned);
            }
            blocks[at] = inner.join("\n") + "\n";
        }
        self.set(blocks.concat());
    }
}

impl Router for TextRouter {
    async fn running(&self) -> Result<String, RouterError> {
        if *self.down.lock().unwrap() { Err(RouterError::Vtysh("it is down".into())) } else { Ok(self.text()) }
    }

    async fn configure(&self, lines: &[String]) -> Result<(), RouterError> {
        let mut block = None;
        for line in lines {
            if self.refuses.lock().unwrap().is_some_and(|r| line.contains(r)) {
                return Err(RouterError::Refused(format!("% Unknown command: {line}")));
            }
            if !*self.deaf.lock().unwrap() {
                self.line(&mut block, line);
            }
        }
        Ok(())
    }
}

/// A device in a directory of its own.
struct Bench {
    router: Arc<TextRouter>,
    device: Device<TextRouter>,
    dir: PathBuf,
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + seconds * 1000)
}

impl Bench {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("pilothouse-face-{}-{n}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let router = TextRouter::new();
        let device = Self::device(&router, &dir, at(0));
        Self { router, device, dir }
    }

    fn device(router: &Arc<TextRouter>, dir: &std::path::Path, now: Timestamp) -> Device<TextRouter> {
        Device::new(router.clone(), FaultSwitch::new(dir.join("fault")), StateFile::new(dir.join("pending.json")), now).unwrap()
    }

    /// As after a crash of the process.
    fn restart(&mut self, now: Timestamp) {
        self.device = Self::device(&self.router, &self.dir, now);
    }

    async fn edit(&mut self, session: u32, edits: &[PolicyEdit]) -> Answer {
        let config = render_edits(edits);
        let (default_operation, error_option) = ("merge".to_owned(), "rollback-on-error".to_owned());
        self.device.handle(session, Rpc::EditConfig { target: Datastore::Candidate, default_operation, error_option, config }, at(0)).await
    }

    async fn commit(&mut self, session: u32, confirmed: Option<(u64, Option<&str>)>, id: Option<&str>, now: Timestamp) -> Answer {
        let timeout_s = confirmed.map_or(600, |c| c.0);
        let persist = confirmed.and_then(|c| c.1).map(str::to_owned);
        let rpc = Rpc::Commit { confirmed: confirmed.is_some(), timeout_s, persist, persist_id: id.map(str::to_owned) };
        self.device.handle(session, rpc, now).await
    }

    /// Commits local preference 250 in term 100, to be confirmed within 60 s.
    async fn pending(&mut self, session: u32, persist: Option<&str>) {
        assert_eq!(self.edit(session, &[prefer(250)]).await, Answer::Ok);
        assert_eq!(self.commit(session, Some((60, persist)), None, at(0)).await, Answer::Ok);
        assert!(self.router.text().contains("local-preference 250"));
    }

    async fn state(&mut self, now: Timestamp) -> String {
        match self.device.handle(9, Rpc::Get { filter: None }, now).await {
            Answer::Data(xml) => xml,
            other => panic!("{other:?}"),
        }
    }
}

fn prefer(value: u32) -> PolicyEdit {
    let mut statement = frr::parse(BEFORE).policy.definitions["IN"].statements[0].clone();
    statement.actions = vec![config::RouteAction::SetLocalPref(value)];
    PolicyEdit::ReplaceStatement { policy: "IN".into(), statement }
}

fn error(answer: Answer) -> RpcError {
    match answer {
        Answer::Error(e) => e,
        other => panic!("no error: {other:?}"),
    }
}

#[tokio::test]
async fn the_edits_of_these_tests_do_what_the_model_says() {
    let mut bench = Bench::new();
    bench.pending(1, Some("t")).await;
    let mut model = frr::parse(BEFORE);
    apply(&mut model, &[prefer(250)]).unwrap();
    assert_eq!(frr::parse(&bench.router.text()).policy, model.policy);
}

#[tokio::test]
async fn an_unconfirmed_commit_is_undone_to_the_last_byte() {
    let mut bench = Bench::new();
    bench.pending(1, Some("t")).await;
    bench.device.wake(at(59)).await;
    assert!(bench.router.text().contains("250"));
    assert_eq!(bench.device.deadline(), Some(at(60)));
    bench.device.wake(at(60)).await;
    assert_eq!(bench.router.text(), BEFORE);
    assert_eq!(bench.device.deadline(), None);
    assert!(bench.state(at(61)).await.contains("<outcome>exact</outcome>"));
}

#[tokio::test]
async fn another_session_confirms_by_the_token_and_only_by_it() {
    let mut bench = Bench::new();
    bench.pending(1, Some("t")).await;
    bench.device.session_ended(1, at(1)).await;
    assert_eq!(error(bench.commit(2, None, Some("x"), at(2)).await).tag, "invalid-value");
    assert_eq!(error(bench.commit(2, None, None, at(2)).await).tag, "in-use");
    assert_eq!(bench.commit(2, None, Some("t"), at(3)).await, Answer::Ok);
    bench.device.wake(at(1000)).await;
    assert!(bench.router.text().contains("250"));
    assert_eq!(error(bench.commit(2, None, Some("t"), at(4)).await).tag, "invalid-value");
}

#[tokio::test]
async fn cancel_undoes_at_once_and_a_second_cancel_finds_nothing() {
    let mut bench = Bench::new();
    bench.pending(1, Some("t")).await;
    let cancel = |id: Option<&str>| Rpc::CancelCommit { persist_id: id.map(str::to_owned) };
    assert_eq!(error(bench.device.handle(2, cancel(None), at(1)).await).tag, "in-use");
    assert_eq!(bench.device.handle(2, cancel(Some("t")), at(1)).await, Answer::Ok);
    assert_eq!(bench.router.text(), BEFORE);
    assert_eq!(error(bench.device.handle(2, cancel(Some("t")), at(1)).await).tag, "invalid-value");
    assert_eq!(error(bench.device.handle(2, cancel(None), at(1)).await).app_tag.as_deref(), Some("pilothouse:nothing-pending"));
}

#[tokio::test]
async fn a_commit_without_token_ends_with_its_session() {
    let mut bench = Bench::new();
    bench.pending(1, None).await;
    bench.device.session_ended(2, at(1)).await;
    assert!(bench.router.text().contains("250"));
    bench.device.session_ended(1, at(1)).await;
    assert_eq!(bench.router.text(), BEFORE);
}

#[tokio::test]
async fn a_second_confirmed_commit_moves_the_deadline_and_keeps_the_first_snapshot() {
    let mut bench = Bench::new();
    bench.pending(1, Some("t")).await;
    assert_eq!(bench.edit(1, &[prefer(300)]).await, Answer::Ok);
    assert_eq!(bench.commit(1, Some((60, None)), Some("t"), at(50)).await, Answer::Ok);
    assert_eq!(bench.device.deadline(), Some(at(110)));
    bench.device.wake(at(110)).await;
    assert_eq!(bench.router.text(), BEFORE);
}

#[tokio::test]
async fn what_somebody_else_changed_meanwhile_is_named_and_kept() {
    let mut bench = Bench::new();
    bench.pending(1, Some("t")).await;
    bench.router.set(bench.router.text().replace("preference 150", "preference 155"));
    assert!(bench.state(at(1)).await.contains("<foreign-change>+ set local-preference 155</foreign-change>"));
    bench.device.wake(at(60)).await;
    assert_eq!(bench.router.text(), BEFORE.replace("preference 150", "preference 155"));
    let state = bench.state(at(61)).await;
    assert!(state.contains("foreign-change-kept") && state.contains("<difference>+ set local-preference 155</difference>"), "{state}");
}

#[tokio::test]
async fn a_foreign_change_of_the_same_term_gives_way_to_what_was_before() {
    let mut bench = Bench::new();
    bench.pending(1, Some("t")).await;
    bench.router.set(bench.router.text().replace("preference 250", "preference 999"));
    bench.device.wake(at(60)).await;
    assert_eq!(bench.router.text(), BEFORE);
}

#[tokio::test]
async fn a_refused_line_is_an_error_with_the_routers_words_and_leaves_nothing_behind() {
    let mut bench = Bench::new();
    let mut later = prefer(250);
    if let PolicyEdit::ReplaceStatement { statement, .. } = &mut later {
        statement.sequence = 200;
    }
    assert_eq!(bench.edit(1, &[prefer(250), later]).await, Answer::Ok);
    *bench.router.refuses.lock().unwrap() = Some("route-map IN permit 200");
    let e = error(bench.commit(1, Some((60, Some("t"))), None, at(0)).await);
    let message = e.message.unwrap();
    assert!(message.contains("Unknown command") && message.contains("runs what it ran before"), "{message}");
    assert_eq!(bench.router.text(), BEFORE);
    assert_eq!(bench.device.deadline(), None);
}

#[tokio::test]
async fn a_router_that_does_not_show_the_edit_is_never_answered_ok() {
    let mut bench = Bench::new();
    assert_eq!(bench.edit(1, &[prefer(250)]).await, Answer::Ok);
    *bench.router.deaf.lock().unwrap() = true;
    let e = error(bench.commit(1, Some((60, Some("t"))), None, at(0)).await);
    assert!(e.message.unwrap().contains("does not show them"));
    assert_eq!(bench.device.deadline(), None);
}

#[tokio::test]
async fn an_undo_that_fails_is_told_and_tried_again() {
    let mut bench = Bench::new();
    bench.pending(1, Some("t")).await;
    *bench.router.down.lock().unwrap() = true;
    bench.device.wake(at(60)).await;
    assert_eq!(bench.device.deadline(), Some(at(65)));
    *bench.router.down.lock().unwrap() = false;
    assert!(bench.state(at(61)).await.contains("<outcome>failed</outcome>"));
    bench.device.wake(at(65)).await;
    assert_eq!(bench.router.text(), BEFORE);
}

#[tokio::test]
async fn a_restart_of_the_node_undoes_a_pending_commit_at_once() {
    let mut bench = Bench::new();
    bench.pending(1, Some("t")).await;
    bench.restart(at(10));
    assert_eq!(error(bench.commit(2, None, Some("t"), at(10)).await).app_tag.as_deref(), Some("pilothouse:nothing-pending"));
    assert_eq!(bench.router.text(), BEFORE);
    assert!(bench.state(at(11)).await.contains("the node restarted"));
    bench.restart(at(70));
    assert_eq!(bench.device.deadline(), None);
}

#[tokio::test]
async fn after_a_crash_a_commit_without_token_is_undone_at_once() {
    let mut bench = Bench::new();
    bench.pending(1, None).await;
    bench.restart(at(10));
    bench.device.wake(at(10)).await;
    assert_eq!(bench.router.text(), BEFORE);
}

#[tokio::test]
async fn locks_keep_others_out_and_end_with_their_session() {
    let mut bench = Bench::new();
    assert_eq!(bench.device.handle(1, Rpc::Lock(Datastore::Candidate), at(0)).await, Answer::Ok);
    let denied = error(bench.device.handle(2, Rpc::Lock(Datastore::Candidate), at(0)).await);
    assert_eq!((denied.tag.as_str(), denied.session_id.as_deref()), ("lock-denied", Some("1")));
    assert_eq!(error(bench.edit(2, &[prefer(250)]).await).tag, "in-use");
    assert_eq!(error(bench.commit(2, None, None, at(0)).await).tag, "in-use");
    assert_eq!(bench.edit(1, &[prefer(250)]).await, Answer::Ok);
    bench.device.session_ended(1, at(0)).await;
    assert_eq!(bench.device.handle(2, Rpc::Lock(Datastore::Candidate), at(0)).await, Answer::Ok);
    assert_eq!(bench.commit(2, None, None, at(0)).await, Answer::Ok);
    assert_eq!(bench.router.text(), BEFORE, "a candidate goes with the session that had it locked");
}

#[tokio::test]
async fn broken_devices_are_played_as_the_file_says() {
    let mut bench = Bench::new();
    let fault = bench.dir.join("fault");
    std::fs::write(&fault, "drop_writes\n").unwrap();
    assert_eq!(bench.edit(1, &[prefer(250)]).await, Answer::Ok);
    assert_eq!(bench.commit(1, Some((60, Some("t"))), None, at(0)).await, Answer::Ok);
    assert_eq!(bench.router.text(), BEFORE);
    for (word, answer) in [("no_reply_to_commit", Answer::Silence), ("hang_up_after_commit", Answer::HangUp), ("wrong_state", Answer::Ok)] {
        std::fs::write(&fault, word).unwrap();
        assert_eq!(bench.edit(1, &[prefer(250)]).await, Answer::Ok);
        assert_eq!(bench.commit(1, Some((60, Some("t"))), None, at(0)).await, answer, "{word}");
        assert!(bench.router.text().contains("250"));
        let shown = bench.state(at(1)).await;
        assert_eq!(shown.contains("local-preference 200"), word == "wrong_state", "{word}");
        bench.device.wake(at(60)).await;
        assert_eq!(bench.router.text(), BEFORE);
    }
}

#[tokio::test]
async fn a_device_that_pretends_shows_what_it_does_not_run() {
    let mut bench = Bench::new();
    std::fs::write(bench.dir.join("fault"), "pretend_writes").unwrap();
    assert_eq!(bench.edit(1, &[prefer(250)]).await, Answer::Ok);
    assert_eq!(bench.commit(1, Some((60, Some("t"))), None, at(0)).await, Answer::Ok);
    assert_eq!(bench.router.text(), BEFORE);
    assert!(bench.state(at(1)).await.contains("local-preference 250"));
    bench.device.wake(at(60)).await;
    assert_eq!(bench.router.text(), BEFORE);
    assert!(!bench.state(at(61)).await.contains("local-preference 250"), "what was undone is still shown");
}

#[tokio::test]
async fn an_edit_that_does_not_apply_leaves_the_candidate_as_it_was() {
    let mut bench = Bench::new();
    assert_eq!(bench.edit(1, &[prefer(250)]).await, Answer::Ok);
    let unknown = PolicyEdit::DeleteStatement { policy: "NOPE".into(), sequence: 5 };
    assert!(error(bench.edit(1, &[prefer(300), unknown]).await).message.unwrap().contains("NOPE"));
    assert_eq!(bench.commit(1, None, None, at(0)).await, Answer::Ok);
    assert!(bench.router.text().contains("local-preference 250"));
}
