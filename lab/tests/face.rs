//! A node face in front of a real bgpd, driven by real gNMI and NETCONF clients over loopback.
//!
//! Two bgpd without zebra peer over 127.0.0.0/8; nothing outside this machine is reached. Needs FRR (Debian: `frr`).

#[allow(dead_code, unused_imports, reason = "each test file uses a part of it")]
mod face_bench;

use config::edit::in_effect;
use config::openconfig::render_edits;
use config::{PolicyEdit, RouteAction, frr};
use face_bench::{Bench, Client, Subscription};
use gnmi::Value;
use netconf::{Datastore, Reply, request};
use std::time::Duration;

const BGP: &str = "/network-instances/network-instance[name=default]/protocols/protocol[identifier=BGP][name=BGP]/bgp";
/// Patience with a router that is asked to do something.
const SOON: Duration = Duration::from_secs(15);

fn prefer(running: &str, value: u32) -> PolicyEdit {
    let mut statement = frr::parse(running).policy.definitions["IN"].statements[0].clone();
    statement.actions.retain(|a| !matches!(a, RouteAction::SetLocalPref(_)));
    statement.actions.push(RouteAction::SetLocalPref(value));
    PolicyEdit::ReplaceStatement { policy: "IN".into(), statement }
}

/// Locks, edits and commits; `persist` makes the commit confirmed within `seconds`.
async fn commit(client: &mut Client, edits: &[PolicyEdit], confirmed: Option<(u64, &str)>) -> anyhow::Result<Reply> {
    client.ok(&request::lock(Datastore::Candidate)).await?;
    client.ok(&request::edit_config(Datastore::Candidate, &render_edits(edits))).await?;
    let reply = match confirmed {
        Some((seconds, token)) => client.rpc(&request::commit_confirmed(seconds, token)).await,
        None => client.rpc(&request::commit()).await,
    };
    client.ok(&request::unlock(Datastore::Candidate)).await?;
    reply
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_and_routes_are_pushed_as_the_router_has_them() -> anyhow::Result<()> {
    let Some(mut bench) = Bench::start("gnmi").await? else { return Ok(()) };
    let mut stream = Subscription::open(&bench, &[BGP]).await?;
    let state = format!("{BGP}/neighbors/neighbor[neighbor-address={}]/state/session-state", bench.peer());
    stream.until(SOON, |t| t.get(&state) == Some(&Value::Json("ESTABLISHED".into()))).await?;
    let route = |p: &str| {
        format!(
            "{BGP}/rib/afi-safis/afi-safi[afi-safi-name=IPV4_UNICAST]/ipv4-unicast/loc-rib/routes/route[origin=BGP][path-id=0][prefix={p}]"
        )
    };
    let learned = route("192.0.2.0/24");
    stream.until(SOON, |t| t.contains_key(&learned)).await?;
    let index = stream.told(&learned)["state"]["attr-index"].as_str().unwrap_or_default().to_owned();
    let set = stream.told(&format!("{BGP}/rib/attr-sets/attr-set[index={index}]"));
    assert_eq!(set["state"]["local-pref"], 120);
    assert_eq!(set["state"]["next-hop"], "10.99.0.12");
    assert_eq!(set["as-path"]["as-segment"][0]["state"]["member"], serde_json::json!([65002]));
    let index = stream.told(&learned)["state"]["community-index"].as_str().unwrap_or_default().to_owned();
    let set = stream.told(&format!("{BGP}/rib/communities/community[index={index}]"));
    assert_eq!(set["state"]["community"], serde_json::json!(["65002:7"]));
    // by policy of the router itself: FRR 8.4.4 loses a withdraw that comes within a second of the first announcement
    bench.vtysh("a", &["configure terminal", "route-map IN deny 5"])?;
    stream.until(SOON, |t| !t.contains_key(&learned)).await?;
    bench.kill("a");
    stream.until(SOON, |t| t.keys().all(|p| !p.contains("/neighbors/"))).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_passwords_and_foreign_writes_are_refused() -> anyhow::Result<()> {
    let Some(bench) = Bench::start("doors").await? else { return Ok(()) };
    assert_eq!(bench.capabilities("wrong").await.unwrap_err().code(), tonic::Code::Unauthenticated);
    assert!(bench.capabilities(face_bench::PASSWORD).await.is_ok());
    assert!(Client::login(&bench, "wrong").await.is_err());
    let denied = bench.set("/system/config/hostname", 1).await.unwrap_err();
    assert_eq!(denied.code(), tonic::Code::PermissionDenied);
    let probe = |leaf: &str| format!("/probes/probe[name=a-b:east:ipv4]/tests/test[name=a-b:east:ipv4]/config/{leaf}");
    assert_eq!(bench.set(&probe("rate-hz"), 21).await.unwrap_err().code(), tonic::Code::InvalidArgument);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn probes_count_only_packets_whose_fate_is_known() -> anyhow::Result<()> {
    let Some(bench) = Bench::start("probes").await? else { return Ok(()) };
    let mut stream = Subscription::open(&bench, &["/probes"]).await?;
    let path = |p: &str| format!("/probes/probe[name={p}]/tests/test[name={p}]/state");
    let (alive, dead) = (path("a-b:east:ipv4"), path("a-b:west:ipv4"));
    stream.until(SOON, |t| t.get(&dead).and_then(Value::as_json).is_some_and(|v| v["sent"].as_u64() > Some(0))).await?;
    assert_eq!(stream.told(&dead)["received"], 0);
    stream.until(SOON, |t| t.get(&alive).and_then(Value::as_json).is_some_and(|v| v["received"].as_u64() > Some(0))).await?;
    assert!(stream.told(&alive)["forward-delay-ms"].as_f64().is_some_and(|d| (0.0..500.0).contains(&d)));
    let rate = "/probes/probe[name=a-b:east:ipv4]/tests/test[name=a-b:east:ipv4]/config/rate-hz";
    bench.set(rate, 20).await?;
    stream.until(SOON, |t| t.get(&alive).and_then(Value::as_json).is_some_and(|v| v["sent"].as_u64() > Some(10))).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unconfirmed_commit_runs_and_is_undone_to_the_last_byte() -> anyhow::Result<()> {
    let Some(bench) = Bench::start("confirm").await? else { return Ok(()) };
    let mut client = Client::login(&bench, face_bench::PASSWORD).await?;
    let before = client.running().await?;
    let edits = [prefer(&before, 250)];
    // long enough for a busy machine to look at what runs before it is undone
    assert!(matches!(commit(&mut client, &edits, Some((10, "first"))).await?, Reply::Ok(_)));
    let during = bench.running("a")?;
    assert!(during.contains(" set local-preference 250"), "{during}");
    assert!(in_effect(&frr::parse(&during), &edits));
    client.until(2 * SOON, |text| text == before).await?;
    assert!(matches!(commit(&mut client, &edits, Some((60, "second"))).await?, Reply::Ok(_)));
    let mut other = Client::login(&bench, face_bench::PASSWORD).await?;
    assert!(matches!(other.rpc(&request::confirm("first")).await?, Reply::Errors(_)));
    other.ok(&request::confirm("second")).await?;
    assert!(other.running().await?.contains(" set local-preference 250"));
    assert!(matches!(commit(&mut client, &[prefer(&before, 300)], Some((60, "third"))).await?, Reply::Ok(_)));
    other.ok(&request::cancel_commit("third")).await?;
    assert!(other.running().await?.contains(" set local-preference 250"));
    assert!(matches!(commit(&mut client, &[prefer(&before, 120)], None).await?, Reply::Ok(_)));
    assert_eq!(client.running().await?, before);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_that_hangs_up_after_the_commit_has_carried_it_out() -> anyhow::Result<()> {
    let Some(bench) = Bench::start("fault").await? else { return Ok(()) };
    let mut client = Client::login(&bench, face_bench::PASSWORD).await?;
    let before = client.running().await?;
    bench.fault("hang_up_after_commit")?;
    assert!(commit(&mut client, &[prefer(&before, 250)], Some((60, "t"))).await.is_err());
    bench.fault("")?;
    let mut other = Client::login(&bench, face_bench::PASSWORD).await?;
    assert!(other.running().await?.contains(" set local-preference 250"));
    other.ok(&request::cancel_commit("t")).await?;
    assert_eq!(other.running().await?, before);
    Ok(())
}
