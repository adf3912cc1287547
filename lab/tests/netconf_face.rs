//! The NETCONF server of a node face against the engine's executor, with a real bgpd behind it.
//!
//! Nothing leaves loopback. Needs FRR (Debian: `frr`) and root; skipped with a printed line elsewhere.

mod netconf_bench;

use bgp::{Community, PathAttributes};
use change::{DeviceState, WireFault, WireOp};
use config::{PolicyEdit, edit, frr};
use lab::face::netconf::Router;
use netconf_bench::{Bench, device};
use sha2::{Digest, Sha256};
use std::time::Duration;
use tokio::time::Instant;

const LONG: Duration = Duration::from_secs(600);
const SOON: Duration = Duration::from_secs(20);
/// Time to confirm that is waited out.
const EXPIRES: Duration = Duration::from_secs(3);

/// Gives two prefixes of the east another local preference, as a proposal would.
async fn payload(bench: &Bench, local_pref: u32) -> (Vec<PolicyEdit>, String) {
    let policy = frr::parse(&bench.text().await).policy;
    let attributes = PathAttributes { communities: vec![Community(64500 << 16 | 1)], ..PathAttributes::default() };
    let routes = ["203.0.113.0/24", "198.18.0.0/24"].map(|p| (p.parse().unwrap(), &attributes));
    let edits = edit::local_pref_terms(&policy, "ISPA-IN", &routes, local_pref, "t").unwrap();
    let xml = config::openconfig::render_edits(&edits);
    (edits, xml)
}

fn confirm(token: &str, payload: &str) -> WireOp {
    WireOp::Confirm { token: token.to_owned(), payload: payload.to_owned() }
}

fn cancel(token: &str, payload: &str) -> WireOp {
    WireOp::Cancel { token: token.to_owned(), payload: payload.to_owned() }
}

/// Commits and confirms; returns what was answered, and when its timer would have ended. On a machine that does much else the timer may end
/// before the confirmation comes: then the change is undone, and tried again with twice the time.
async fn confirmed_in_time(bench: &Bench, payload: &str, token: &str) -> (DeviceState, Instant) {
    let mut expires = EXPIRES;
    loop {
        assert!(expires < LONG, "no confirmation came in time");
        let begun = Instant::now();
        bench.commit(payload, token, expires).await.unwrap();
        let expired = Instant::now() + expires;
        let kept = bench.step(confirm(token, payload)).await.unwrap();
        if kept.in_effect && !kept.nothing_pending {
            return (kept, expired);
        }
        assert!(kept.nothing_pending && begun.elapsed() >= expires, "not confirmed, though it was in time: {kept:?}");
        expires *= 2;
    }
}

#[tokio::test]
async fn an_unconfirmed_change_runs_and_is_undone_to_the_last_byte() {
    let Some(bench) = Bench::start().await else { return };
    let before = bench.text().await;
    let (edits, payload) = payload(&bench, 300).await;
    let after = bench.commit(&payload, "ph-0", LONG).await.unwrap();
    let text = bench.text().await;
    assert!(after.in_effect && text.contains(" set local-preference 300"), "{after:?}\n{text}");
    assert!(text.contains(" set community 65001:100 additive\n set local-preference 300"), "the term keeps what it did before\n{text}");
    assert!(edit::in_effect(&frr::parse(&text), &edits));
    assert_eq!(after.digest, hex::encode(Sha256::digest(&text)), "the digest is that of the router's own text");
    bench.step(cancel("ph-0", &payload)).await.unwrap();
    assert_eq!(bench.text().await, before);
    // the same again, and nobody confirms; what was looked at above may be over here before a busy machine looks
    bench.commit(&payload, "ph-1", EXPIRES).await.unwrap();
    bench.until(&before, SOON).await;
    let late = bench.step(confirm("ph-1", &payload)).await.unwrap();
    assert!(late.nothing_pending && !late.in_effect, "{late:?}");
}

#[tokio::test]
async fn a_confirmed_change_stays_and_a_cancelled_one_leaves_nothing() {
    let Some(bench) = Bench::start().await else { return };
    let (_, first) = payload(&bench, 300).await;
    let (kept, expired) = confirmed_in_time(&bench, &first, "ph-2").await;
    let confirmed = bench.text().await;
    let (_, second) = payload(&bench, 400).await;
    assert!(bench.commit(&second, "ph-3", LONG).await.unwrap().in_effect);
    let wrong = bench.step(cancel("ph-2", &second)).await.unwrap();
    assert!(wrong.in_effect, "a token of another change cancels nothing: {wrong:?}");
    let gone = bench.step(cancel("ph-3", &second)).await.unwrap();
    assert!(!gone.in_effect && gone.digest == kept.digest);
    assert_eq!(bench.text().await, confirmed);
    assert!(bench.step(cancel("ph-3", &second)).await.unwrap().nothing_pending);
    tokio::time::sleep_until(expired).await;
    assert_eq!(bench.text().await, confirmed, "the timer of the confirmed change is dead");
}

#[tokio::test]
async fn what_an_operator_configures_meanwhile_survives_the_undo() {
    let Some(bench) = Bench::start().await else { return };
    let before = bench.text().await;
    let (_, payload) = payload(&bench, 300).await;
    bench.commit(&payload, "ph-4", LONG).await.unwrap();
    let line = "ip prefix-list OPERATOR seq 5 permit 192.0.2.0/24";
    bench.router().configure(&[line.to_owned()]).await.unwrap();
    bench.step(cancel("ph-4", &payload)).await.unwrap();
    let text = bench.text().await;
    assert!(text.contains(line));
    assert_eq!(text.replace(&format!("{line}\n"), "").replace("!\n", ""), before.replace("!\n", ""));
}

#[tokio::test]
async fn a_restart_undoes_what_was_not_confirmed() {
    let Some(mut bench) = Bench::start().await else { return };
    let before = bench.text().await;
    let (_, payload) = payload(&bench, 300).await;
    bench.commit(&payload, "ph-5", LONG).await.unwrap();
    assert_ne!(bench.text().await, before);
    bench.restart().await;
    bench.until(&before, SOON).await;
    assert!(bench.step(confirm("ph-5", &payload)).await.unwrap().nothing_pending);
}

#[tokio::test]
async fn the_router_refuses_lines_out_loud() {
    let Some(bench) = Bench::start().await else { return };
    let before = bench.text().await;
    for lines in
        [&["no such command"][..], &["ip prefix-list X seq 5 permit 300.0.0.0/8"], &["route-map M permit 5", " set local-preference many"]]
    {
        let refused = bench.router().configure(&lines.iter().map(|l| (*l).to_owned()).collect::<Vec<_>>()).await;
        assert!(refused.is_err(), "{lines:?} is taken");
    }
    bench.router().configure(&["no route-map M permit 5".to_owned()]).await.unwrap();
    assert_eq!(bench.text().await, before);
}

#[tokio::test]
async fn a_wrong_password_sends_nothing_and_a_lying_device_is_found_out() {
    let Some(bench) = Bench::start().await else { return };
    let before = bench.text().await;
    let refused = bench.executor("wrong").read(&device(), SOON).await;
    assert!(matches!(refused, Err(WireFault::NotSent { .. })), "{refused:?}");
    let (_, payload) = payload(&bench, 300).await;
    bench.fault("drop_writes");
    assert!(!bench.commit(&payload, "ph-6", LONG).await.unwrap().in_effect);
    bench.fault("wrong_state");
    assert!(!bench.commit(&payload, "ph-7", LONG).await.unwrap().in_effect);
    bench.fault("");
    bench.step(cancel("ph-7", &payload)).await.unwrap();
    bench.fault("hang_up_after_commit");
    let unknown = bench.commit(&payload, "ph-8", LONG).await;
    assert!(matches!(unknown, Err(WireFault::Unknown { .. })), "{unknown:?}");
    bench.fault("");
    bench.step(cancel("ph-8", &payload)).await.unwrap();
    assert_eq!(bench.text().await, before);
}
