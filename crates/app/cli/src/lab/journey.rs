//! A scenario from boot to the last audit record, headless.

use super::report::Report;
use super::{DropWrites, Name, ScenarioArguments};
use crate::exit::{Context, Ended, Failure, Outcome};
use api::{Api, ApproveArguments};
use lab::impair::Direction;
use lab::netns::LabInstance;
use lab::relay::EngineDoors;
use lab::scenario::{Cut, Fault, Place, Scenario};
use pilot::{Event, Happening, Mode};
use runtime::{Engine, Options};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tokio::sync::broadcast::Receiver;

/// Feeds, baselines and agreement must be there by then.
const READY_WITHIN: Duration = Duration::from_secs(120);
/// The scenario must have ended by then.
const ENDED_WITHIN: Duration = Duration::from_secs(300);
/// Nothing was found: the scenario is over.
const NO_FINDING_AFTER: Duration = Duration::from_secs(60);
/// An answer "nothing is better" must stand this long before the scenario ends with it.
const NO_ACTION_STANDS: Duration = Duration::from_secs(20);

/// Between two resets of `flap`: the sessions come up again in between.
const FLAP_EVERY_S: u32 = 6;

/// Two accounting intervals and a little: what left by the old exit is not counted any more.
const VOLUMES_SETTLE: Duration = Duration::from_secs(12);
/// A busy machine accounts late; what is still older then is told as it is.
const VOLUMES_PATIENCE: Duration = Duration::from_secs(60);

/// Plays a scenario to its end.
pub fn play(context: &Context, scenario: &ScenarioArguments) -> Ended {
    let folder = context.data.clone().unwrap_or_else(|| std::env::temp_dir().join(format!("pilothouse-{}", std::process::id())));
    let tuning = lab::sim::Tuning { seed: scenario.seed, probe_hz: scenario.probe_hz };
    let booted = super::boot_here(&folder.join("labs"), (scenario.driver, super::Variant::Seed), tuning, context.json)?;
    let played = crate::engine::blocking(run(context, scenario, &folder, booted.lab()));
    let ended = booted.end(scenario.keep);
    let report = played?;
    ended?;
    report.print(context.json);
    let audited = report.audit_ok;
    if !scenario.keep && context.data.is_none() && audited {
        // a folder that was made for this run and is not asked for
        let _ = std::fs::remove_dir_all(&folder);
    }
    let expected = scenario.expect.as_ref().is_none_or(|e| *e == report.outcome);
    Ok(if audited && expected && report.outcome != "in_doubt" && report.outcome != "timeout" { Outcome::Done } else { Outcome::No })
}

async fn run(context: &Context, scenario: &ScenarioArguments, folder: &std::path::Path, lab: &LabInstance) -> Result<Report, Failure> {
    let options = Options {
        data: folder.to_owned(),
        inventory: lab.inventory.clone(),
        secrets: lab.dir.join("secrets.json"),
        mode: Mode::Lab,
        bmp: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        doors: runtime::Doors::default(),
        approval_ttl: None,
        key_store: false,
    };
    let engine = Engine::start(options).await.map_err(|e| Failure::from_error("PH-RUN-001", &e))?;
    let bmp = engine.bmp_address();
    lab.attach_engine(EngineDoors { bmp: Some(bmp), ..EngineDoors::default() }).map_err(|e| Failure::from_error("PH-LAB-007", &e))?;
    let server =
        server::Server::start(Api::new(engine.handle()), engine.folder(), None).await.map_err(|e| Failure::from_error("PH-RUN-002", &e))?;
    let mut player = Player { context, scenario, lab, engine: &engine, report: Report::default(), started: Instant::now() };
    let played = player.play().await;
    let mut report = player.report;
    server.stop().await;
    let capture: PathBuf = engine.capture().to_owned();
    let topics = engine.handle().topics().cloned();
    report.state_hash = engine.stop().await.map_err(|e| Failure::from_error("PH-RUN-003", &e))?;
    report.capture = capture.display().to_string();
    report.topics = topics.iter().flat_map(runtime::Topics::stats).map(|t| (t.topic, t.published)).collect();
    played?;
    let records = store::read_audit(folder).map_err(|e| Failure::from_error("PH-AUD-001", &e))?;
    report.audit_records = records.len();
    report.audit_ok = ::audit::verify(records.iter(), None).is_ok();
    Ok(report)
}

/// Disturbs the lab as the scenario says; returns what was done.
pub fn disturb(lab: &LabInstance, scenario: &ScenarioArguments) -> Result<String, Failure> {
    let places: Vec<Place> = match &scenario.exit[..] {
        _ if scenario.name == Name::Unplug => vec![Place::Router(scenario.router.clone())],
        [] => vec![Place::Provider(scenario.provider.clone())],
        exits => exits.iter().map(|e| Place::Exit(e.clone())).collect(),
    };
    let mut done = Vec::new();
    for place in places {
        let fault = match scenario.name {
            Name::Degrade | Name::Turncoat => degraded(scenario.delay_ms, scenario.loss),
            // one strand of the pair: what we send vanishes, what we receive does not; so no session goes down before its hold timer
            Name::CutSilent => Fault::Degrade { added_us: 0, jitter_us: 0, loss_ppm: 1_000_000, direction: Direction::Ab },
            Name::Cut => Fault::Cut(Cut::Carrier),
            Name::Fill => Fault::Fill { mbit: scenario.mbit },
            Name::Unplug => Fault::Unplug,
            Name::Flap => Fault::Flap { times: scenario.times, every_s: FLAP_EVERY_S },
        };
        done.push(strike(lab, fault, place)?);
    }
    if scenario.everywhere {
        // as slow and as lossy in the end as the one that is hit: nobody gains by moving anywhere
        let of_hit = |e: &&network::ExitSpec| e.provider.as_str() == scenario.provider;
        let hit = lab.inventory.exits.iter().find(of_hit).map(|e| usual_ms(lab, e)).transpose()?.unwrap_or_default();
        for exit in lab.inventory.exits.iter().filter(|e| !of_hit(e)) {
            let added = hit + scenario.delay_ms - usual_ms(lab, exit)?;
            done.push(strike(lab, degraded(added, scenario.loss), Place::Exit(exit.id.to_string()))?);
        }
    }
    Ok(done.join(", "))
}

/// One-way delay of an exit's link when nothing is wrong, milliseconds.
fn usual_ms(lab: &LabInstance, exit: &network::ExitSpec) -> Result<f64, Failure> {
    let usual = lab.baseline(exit.id.as_str()).map_err(|e| Failure::from_error("PH-LAB-008", &e))?;
    Ok(f64::from(u32::try_from(usual.delay_us).unwrap_or(u32::MAX)) / 1000.0)
}

/// Providers that the scenario does not hit.
fn others(lab: &LabInstance, hit: &str) -> Vec<String> {
    lab.inventory.providers.iter().map(|p| p.id.to_string()).filter(|p| p != hit).collect()
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the bounds before")]
fn degraded(delay_ms: f64, loss: f64) -> Fault {
    Fault::Degrade {
        added_us: (delay_ms.clamp(0.0, 5000.0) * 1000.0) as u64,
        jitter_us: 0,
        loss_ppm: (loss.clamp(0.0, 1.0) * 1e6) as u32,
        direction: Direction::Both,
    }
}

fn strike(lab: &LabInstance, fault: Fault, place: Place) -> Result<String, Failure> {
    let scenario = Scenario { fault, place };
    scenario.apply(lab).map_err(|e| Failure::from_error("PH-LAB-008", &e))?;
    Ok(scenario.to_string())
}

struct Player<'a> {
    context: &'a Context,
    scenario: &'a ScenarioArguments,
    lab: &'a LabInstance,
    engine: &'a Engine,
    report: Report,
    started: Instant,
}

impl Player<'_> {
    async fn play(&mut self) -> Result<(), Failure> {
        let mut events = self.engine.handle().events();
        self.wait_ready(&mut events).await?;
        self.report.agreement_before = self.agreement().await?;
        if let Some(how) = self.scenario.drop_writes {
            self.drop_writes(how)?;
        }
        let (lab, scenario) = (self.lab.clone(), self.scenario.clone());
        let fault = Instant::now();
        // resets take their time, and the engine answers meanwhile
        let disturbing = tokio::task::spawn_blocking(move || disturb(&lab, &scenario));
        self.say(&format!("disturbs: {:?}", self.scenario.name));
        self.follow(&mut events, fault).await?;
        let what = disturbing.await.map_err(|e| Failure::from_error("PH-LAB-008", &e))??;
        self.say(&format!("disturbed: {what}"));
        self.settle(&mut events).await?;
        self.report.agreement_after = self.agreement().await?;
        if self.scenario.name == Name::Fill {
            self.report.outbound_bps = self.outbound().await?;
        }
        if self.lab.driver == lab::netns::Driver::Netns {
            // simulated routers have no tables but those that they tell
            self.report.tables = super::tables::compare(self.lab, &self.engine.handle()).await?;
        }
        if self.report.outcome == "confirmed" {
            self.report.exits = Some(self.exits().await?);
        }
        self.outcome().await?;
        Ok(())
    }

    /// Waits until every feed is synced, every baseline learned and the twin agrees everywhere.
    async fn wait_ready(&mut self, events: &mut Receiver<Event>) -> Result<(), Failure> {
        let deadline = Instant::now() + READY_WITHIN;
        let mut said = String::new();
        loop {
            let missing = self.engine.handle().read(|s| s.not_ready()).await.map_err(|e| Failure::from_error("PH-RUN-004", &e))?;
            while let Ok(event) = events.try_recv() {
                self.tell(&event);
            }
            if missing.is_empty() {
                self.say("every feed is synced, every baseline learned, the twin agrees with every router");
                return Ok(());
            }
            let now = missing.join(", ");
            if Instant::now() > deadline {
                return Err(Failure::new("PH-LAB-012", format!("not ready after {} s: {now}", READY_WITHIN.as_secs())));
            }
            if now != said && !self.context.json {
                eprintln!("{:7.1} s  waits for {now}", self.started.elapsed().as_secs_f64());
            }
            said = now;
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// Follows the engine until the change, or the answer that there is none, has come.
    async fn follow(&mut self, events: &mut Receiver<Event>, fault: Instant) -> Result<(), Failure> {
        let mut no_action: Option<Instant> = None;
        loop {
            let waited = fault.elapsed();
            if self.report.seconds.detect.is_none() && waited > NO_FINDING_AFTER {
                "no_finding".clone_into(&mut self.report.outcome);
                return Ok(());
            }
            if no_action.is_some_and(|at| at.elapsed() > NO_ACTION_STANDS) {
                "no_action".clone_into(&mut self.report.outcome);
                return Ok(());
            }
            if waited > ENDED_WITHIN {
                "timeout".clone_into(&mut self.report.outcome);
                return Ok(());
            }
            let Ok(received) = tokio::time::timeout(Duration::from_millis(500), events.recv()).await else { continue };
            let Ok(event) = received else { continue };
            self.tell(&event);
            let at = Some(fault.elapsed().as_secs_f64());
            match &event.what {
                Happening::FindingOpened { .. } => {
                    self.report.seconds.detect.get_or_insert(fault.elapsed().as_secs_f64());
                }
                Happening::Decided { chosen: action::ActionType::NoAction, rationale, .. } => {
                    no_action.get_or_insert_with(Instant::now);
                    self.report.why.clone_from(rationale);
                }
                Happening::Proposed { proposal, tier, plan_hash, predicted_delay_ms, predicted_loss, summary, .. } => {
                    no_action = None;
                    self.report.seconds.propose = at;
                    self.report.summary.clone_from(summary);
                    (self.report.predicted_delay_ms, self.report.predicted_loss) = (*predicted_delay_ms, *predicted_loss);
                    if self.scenario.auto_approve {
                        self.approve(ApproveArguments {
                            id: *proposal,
                            plan_hash: plan_hash.clone(),
                            typed_target: self.target(*proposal, *tier).await?,
                            override_reason: None,
                        })
                        .await;
                    }
                }
                Happening::Approved { .. } => self.report.seconds.approve = at,
                Happening::ChangeStep { step, .. }
                    if self.report.seconds.applied.is_none() && step.contains("in effect") && !step.contains("not in effect") =>
                {
                    self.report.seconds.applied = at;
                    self.betray()?;
                }
                Happening::Measured { delay_ms, loss, why, .. } => {
                    self.report.seconds.verified = at;
                    (self.report.delay_ms_before, self.report.delay_ms_after) = *delay_ms;
                    (self.report.loss_before, self.report.loss_after) = *loss;
                    self.report.why.clone_from(why);
                }
                Happening::ChangeFinished { outcome, why, .. } => {
                    self.report.seconds.ended = at;
                    self.report.outcome.clone_from(outcome);
                    if outcome != "confirmed" {
                        self.report.why.clone_from(why);
                    }
                    return Ok(());
                }
                _ => {}
            }
        }
    }

    /// Makes every face answer `<ok/>` to commits that the router does not run.
    fn drop_writes(&self, how: DropWrites) -> Result<(), Failure> {
        for device in &self.lab.inventory.devices {
            let file = self.lab.node_dir(device.id.as_str()).join("face-fault");
            std::fs::write(&file, how.fault()).map_err(|e| Failure::new("PH-LAB-011", format!("cannot write {}: {e}", file.display())))?;
        }
        Ok(())
    }

    /// What an operator would type who agrees to this.
    async fn target(&self, proposal: action::ProposalId, tier: action::AutonomyTier) -> Result<Option<String>, Failure> {
        if tier != action::AutonomyTier::Tier3Manual {
            return Ok(None);
        }
        let handle = self.engine.handle();
        let read = handle.read(move |s| s.queue.get(proposal).map(|i| i.submission.target.clone()));
        read.await.map_err(|e| Failure::from_error("PH-RUN-004", &e))
    }

    async fn approve(&mut self, arguments: ApproveArguments) {
        let api = Api::new(self.engine.handle());
        let operator = format!("auto-approve {}", runtime::operator_of_uid(runtime::own_uid()));
        // the events of the approval are followed like all others
        let task = async move { api.approve(&operator, arguments, true).await };
        tokio::spawn(async move {
            if let Err(error) = task.await {
                eprintln!("{error}");
            }
        });
    }

    /// The turncoat: the ways that were chosen become worse than what was left.
    fn betray(&self) -> Result<(), Failure> {
        if self.scenario.name != Name::Turncoat {
            return Ok(());
        }
        for other in others(self.lab, &self.scenario.provider) {
            strike(self.lab, degraded(self.scenario.delay_ms * 3.0, self.scenario.loss), Place::Provider(other))?;
        }
        self.say("the other providers degrade now, and more");
        Ok(())
    }

    /// After the end: waits until the twin agrees with every router again, or a while.
    async fn settle(&mut self, events: &mut Receiver<Event>) -> Result<(), Failure> {
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            while let Ok(event) = events.try_recv() {
                self.tell(&event);
                if let Happening::Learned { exits, .. } = &event.what {
                    self.report.exits_learned = *exits;
                }
            }
            let handle = self.engine.handle();
            let settled = handle
                .read(|s| s.agreement_seq >= s.routing_seq && s.jobs.is_empty() && s.agreement.values().all(|r| r.equal == r.compared));
            if settled.await.map_err(|e| Failure::from_error("PH-RUN-004", &e))? {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        Ok(())
    }

    /// Takes what the change's predictions were worth.
    async fn outcome(&mut self) -> Result<(), Failure> {
        let handle = self.engine.handle();
        let last = handle.read(|s| {
            let (id, change) = s.changes.iter().next_back()?;
            let lesson = s.lessons.latest().rev().find(|l| l.change == *id)?;
            Some((change.paths.clone(), change.paths_within(), lesson.delay_error_ms()))
        });
        if let Some((paths, within, error)) = last.await.map_err(|e| Failure::from_error("PH-RUN-004", &e))? {
            (self.report.paths, self.report.paths_within, self.report.delay_error_ms) = (paths, within, error);
        }
        Ok(())
    }

    /// Sums the measured volumes per exit, once all of them were measured after what is now.
    async fn outbound(&self) -> Result<BTreeMap<String, f64>, Failure> {
        let handle = self.engine.handle();
        let failed = |e| Failure::from_error("PH-RUN-004", &e);
        let settled = handle.read(|s| s.now.plus(VOLUMES_SETTLE)).await.map_err(failed)?;
        let end = Instant::now() + VOLUMES_PATIENCE;
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let read = handle.read(move |s| {
                let mut sums = BTreeMap::new();
                for ((exit, _), volume) in &s.network.volumes {
                    *sums.entry(exit.to_string()).or_default() += volume.bps;
                }
                (s.now >= settled && s.network.volumes.values().all(|v| v.at >= settled), sums)
            });
            let (is_settled, sums) = read.await.map_err(failed)?;
            if is_settled || Instant::now() >= end {
                return Ok(sums);
            }
        }
    }

    /// Compares where the moved prefixes were predicted to leave with where the spines' own tables send them.
    async fn exits(&self) -> Result<(usize, usize), Failure> {
        let handle = self.engine.handle();
        // what was carried out, and not what may have been proposed after it
        let moves = handle.read(|s| {
            let done = s.changes.values().next_back().and_then(|c| s.proposals.get(&c.proposal));
            done.or_else(|| s.proposals.values().next_back()).map(|p| p.proposal.prediction.moves.clone()).unwrap_or_default()
        });
        let moves = moves.await.map_err(|e| Failure::from_error("PH-RUN-004", &e))?;
        let mut actual: Vec<BTreeMap<bgp::Prefix, String>> = Vec::new();
        for spine in self.lab.inventory.devices.iter().filter(|d| d.role == network::DeviceRole::Spine) {
            let of = |family| self.lab.best_exits(spine.id.as_str(), family).map_err(|e| Failure::from_error("PH-LAB-004", &e));
            let mut table = of(bgp::Family::Ipv4Unicast)?;
            table.extend(of(bgp::Family::Ipv6Unicast)?);
            actual.push(table);
        }
        let as_predicted = |m: &&decision::PrefixMove| {
            actual.iter().all(|t| t.get(&m.prefix).is_some_and(|exit| m.to.iter().any(|to| to.as_str() == exit)))
        };
        Ok((moves.iter().filter(as_predicted).count(), moves.len()))
    }

    async fn agreement(&self) -> Result<Vec<(String, u64, u64)>, Failure> {
        let handle = self.engine.handle();
        let read = handle.read(|s| s.agreement.iter().map(|(d, r)| (d.to_string(), r.equal, r.compared)).collect());
        read.await.map_err(|e| Failure::from_error("PH-RUN-004", &e))
    }

    fn tell(&self, event: &Event) {
        if !self.context.json {
            eprintln!("{:7.1} s  {}", self.started.elapsed().as_secs_f64(), api::sentence(event));
        }
    }

    fn say(&self, text: &str) {
        if !self.context.json {
            eprintln!("{:7.1} s  {text}", self.started.elapsed().as_secs_f64());
        }
    }
}
