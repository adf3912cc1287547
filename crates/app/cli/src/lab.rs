//! `pilotctl lab`: labs up and down, scenarios.

mod journey;
mod report;
mod tables;

use crate::exit::{Context, Ended, Failure, Outcome};
use clap::{Subcommand, ValueEnum};
use lab::netns::{self, LabInstance, Options};
use lab::sim::{Sim, Tuning};
use std::path::{Path, PathBuf};

/// Arguments of `lab`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: pilotctl lab scenario degrade --driver netns --headless --auto-approve")]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// The labs of this data folder.
    List,
    /// Boots a lab.
    Up {
        /// What builds it.
        #[arg(long, value_enum, default_value_t = Driver::Netns)]
        driver: Driver,
        /// Which network.
        #[arg(long, value_enum, default_value_t = Variant::Seed)]
        variant: Variant,
        /// Stay: the lab ends with this command (Ctrl-C).
        #[arg(long)]
        foreground: bool,
    },
    /// Ends a lab; the only one, unless named.
    Down {
        /// Lab id.
        id: Option<String>,
    },
    /// State of a lab.
    Status {
        /// Lab id.
        id: Option<String>,
    },
    /// Undoes every fault in a running lab.
    Restore {
        /// Lab id.
        id: Option<String>,
    },
    /// Plays a scenario, with an engine of its own to the end, or into a running lab.
    Scenario(ScenarioArguments),
}

/// What builds a lab.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Driver {
    /// FRR, BIRD and GoBGP in network namespaces (needs root).
    Netns,
    /// Simulated routers in one process.
    Sim,
}

impl From<Driver> for netns::Driver {
    fn from(driver: Driver) -> Self {
        match driver {
            Driver::Netns => Self::Netns,
            Driver::Sim => Self::Sim,
        }
    }
}

/// Which network is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Variant {
    /// Two edges, each with sessions to two providers.
    Seed,
    /// The same with a second session to AS 1234, at the other edge, so that MED is compared.
    SeedPlus,
}

/// What happens to the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Name {
    /// The paths by a provider become slow or lossy; every session stays up.
    Degrade,
    /// One strand of a fibre pair is cut: what we send vanishes, nothing reports it.
    CutSilent,
    /// A fibre is cut with loss of light: the interface goes down.
    Cut,
    /// The paths degrade, and the way that is chosen instead becomes worse once the change is applied.
    Turncoat,
    /// Traffic is added until the links of a provider are full.
    Fill,
    /// The provider resets its sessions again and again.
    Flap,
    /// A router loses its power, in a simulated lab.
    Unplug,
}

/// A number between 0 and `max`.
fn within(text: &str, max: f64) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if (0.0..=max).contains(&value) => Ok(value),
        _ => Err(format!("it must be a number from 0 to {max}")),
    }
}

fn added_ms(text: &str) -> Result<f64, String> {
    within(text, 5000.0)
}

fn share(text: &str) -> Result<f64, String> {
    within(text, 1.0)
}

/// How the routers treat what is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DropWrites {
    /// They answer `<ok/>`, show the change when it is read back, and do not run it: only a measurement tells.
    Unseen,
    /// They answer `<ok/>` and do nothing: the read-back tells.
    Seen,
}

impl DropWrites {
    /// The word of a face's fault file.
    const fn fault(self) -> &'static str {
        match self {
            Self::Unseen => "pretend_writes",
            Self::Seen => "drop_writes",
        }
    }
}

/// Arguments of `lab scenario`.
#[derive(Clone, Debug, clap::Args)]
pub struct ScenarioArguments {
    /// Which.
    #[arg(value_enum)]
    pub name: Name,
    /// What builds the lab.
    #[arg(long, value_enum, default_value_t = Driver::Netns)]
    pub driver: Driver,
    /// Seed of a simulated lab's random numbers.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Packets a second of each probe of a simulated lab while nobody asks for more; baselines take 20 results.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=20))]
    pub probe_hz: u64,
    /// Boot a lab, run an engine, play to the end, take both down.
    #[arg(long)]
    pub headless: bool,
    /// Approve what is proposed (LAB mode only; audited as automatic).
    #[arg(long, requires = "headless")]
    pub auto_approve: bool,
    /// Router that loses its power.
    #[arg(long, default_value = "r2")]
    pub router: String,
    /// Provider whose links are hit.
    #[arg(long, default_value = "isp-a")]
    pub provider: String,
    /// Added one-way delay, both ways, milliseconds.
    #[arg(long, default_value_t = 40.0, value_parser = added_ms, allow_negative_numbers = true)]
    pub delay_ms: f64,
    /// Loss, 0–1.
    #[arg(long, default_value_t = 0.0, value_parser = share, allow_negative_numbers = true)]
    pub loss: f64,
    /// Only these exits, not all of the provider.
    #[arg(long, value_name = "EXIT")]
    pub exit: Vec<String>,
    /// Also make every other provider as slow as the one that is hit: no alternative is better.
    #[arg(long)]
    pub everywhere: bool,
    /// The routers answer `<ok/>` to a commit and do not run it; `seen`: and do not even show it when it is read back.
    #[arg(long, value_enum, num_args = 0..=1, require_equals = true, default_missing_value = "unseen")]
    pub drop_writes: Option<DropWrites>,
    /// Traffic that `fill` adds to each exit, Mbit/s.
    #[arg(long, default_value_t = 95, value_parser = clap::value_parser!(u64).range(1..=lab::scenario::MAX_FILL_MBIT))]
    pub mbit: u64,
    /// Resets of `flap`, six seconds apart.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=i64::from(lab::scenario::MAX_FLAPS)))]
    pub times: u32,
    /// Exit status 1 unless it ends so: confirmed, rolled_back, failed, no_action, no_finding.
    #[arg(long, value_name = "OUTCOME")]
    pub expect: Option<String>,
    /// Keep the lab and the data folder.
    #[arg(long)]
    pub keep: bool,
    /// Play into this lab instead of one of its own.
    #[arg(long, value_name = "ID")]
    pub lab: Option<String>,
}

/// Runs `lab`.
pub fn run(context: &Context, arguments: Arguments) -> Ended {
    let data = context.data_folder();
    match arguments.verb {
        Verb::List => list(context, &data),
        Verb::Up { driver, variant, foreground: false } => up(context, &data, (driver, variant)),
        Verb::Up { driver, variant, foreground: true } => stay(context, &data, (driver, variant)),
        Verb::Down { id } => {
            let dir = find(&data, id.as_deref())?;
            netns::down(&dir).map_err(|e| Failure::from_error("PH-LAB-003", &e))?;
            println!("down");
            Ok(Outcome::Done)
        }
        Verb::Status { id } => status(context, &find(&data, id.as_deref())?),
        Verb::Restore { id } => {
            let lab = LabInstance::load(&find(&data, id.as_deref())?).map_err(|e| Failure::from_error("PH-LAB-004", &e))?;
            lab::scenario::restore_all(&lab).map_err(|e| Failure::from_error("PH-LAB-008", &e))?;
            println!("every fault is undone");
            Ok(Outcome::Done)
        }
        Verb::Scenario(scenario) if scenario.headless => journey::play(context, &scenario),
        Verb::Scenario(scenario) => inject(&data, &scenario),
    }
}

/// A lab that was booted to play in.
pub struct Booted {
    lab: LabInstance,
    /// A simulated lab lives in this process.
    sim: Option<Sim>,
}

impl Booted {
    /// Returns the lab.
    pub const fn lab(&self) -> &LabInstance {
        &self.lab
    }

    /// Ends it, unless it is to be kept; a lab inside this process ends with it anyway.
    pub fn end(self, keep: bool) -> Result<(), Failure> {
        match self.sim {
            Some(sim) => {
                drop(sim);
                Ok(())
            }
            None if keep => Ok(()),
            None => netns::down(&self.lab.dir).map_err(|e| Failure::from_error("PH-LAB-003", &e)),
        }
    }
}

/// Boots a lab to play in, with progress on standard error.
pub fn boot_here(labs: &Path, what: (Driver, Variant), tuning: Tuning, quiet: bool) -> Result<Booted, Failure> {
    if what.0 == Driver::Netns {
        return Ok(Booted { lab: boot(labs, what, quiet)?, sim: None });
    }
    let options = options(labs, what)?;
    let sim = lab::sim::start(&options, tuning, &mut |_| {}).map_err(|e| Failure::from_error("PH-LAB-002", &e))?;
    Ok(Booted { lab: sim.instance().clone(), sim: Some(sim) })
}

/// Boots a lab that outlives us, with progress on standard error.
pub fn boot(labs: &Path, what: (Driver, Variant), quiet: bool) -> Result<LabInstance, Failure> {
    let options = options(labs, what)?;
    let mut progress = |p: &netns::Progress| {
        if !quiet {
            eprintln!("{:7.1} s  {}", p.after.as_secs_f64(), p.what);
        }
    };
    netns::up(&options, &mut progress).map_err(|e| Failure::from_error("PH-LAB-002", &e))
}

fn options(labs: &Path, (driver, variant): (Driver, Variant)) -> Result<Options, Failure> {
    let failed = |e: &dyn std::error::Error| Failure::from_error("PH-LAB-001", e);
    let mut out = Options { driver: driver.into(), ..Options::under(labs).map_err(|e| failed(&e))? };
    if variant == Variant::SeedPlus {
        out.topology = lab::topology::Topology::seed_plus().map_err(|e| failed(&e))?;
    }
    Ok(out)
}

/// Loads a lab by id.
pub fn load(data: &Path, id: &str) -> Result<LabInstance, Failure> {
    let dir = find(data, Some(id))?;
    LabInstance::load(&dir).map_err(|e| Failure::from_error("PH-LAB-004", &e))
}

fn labs(data: &Path) -> PathBuf {
    data.join("labs")
}

fn find(data: &Path, id: Option<&str>) -> Result<PathBuf, Failure> {
    let all = netns::list(&labs(data)).map_err(|e| Failure::from_error("PH-LAB-004", &e))?;
    if let Some(id) = id {
        let dir = labs(data).join(id);
        if dir.is_dir() {
            return Ok(dir);
        }
        let names: Vec<String> = all.iter().filter_map(|(dir, _)| Some(dir.file_name()?.to_string_lossy().into_owned())).collect();
        let there = if names.is_empty() {
            "none is there; boot one with `pilotctl lab up`".to_owned()
        } else {
            format!("there are: {}", names.join(", "))
        };
        return Err(Failure::new("PH-LAB-005", format!("there is no lab {id:?} in {}; {there}", data.display())));
    }
    match &all[..] {
        [(dir, _)] => Ok(dir.clone()),
        [] => Err(Failure::new("PH-LAB-005", "there is no lab; boot one with `pilotctl lab up`")),
        many => Err(Failure::new("PH-LAB-006", format!("there are {} labs; name one of `pilotctl lab list`", many.len()))),
    }
}

fn list(context: &Context, data: &Path) -> Ended {
    let all = netns::list(&labs(data)).map_err(|e| Failure::from_error("PH-LAB-004", &e))?;
    if context.json {
        let rows: Vec<_> = all.iter().map(|(dir, s)| serde_json::json!({"dir": dir, "id": s.as_ref().ok().map(|s| &s.lab.id)})).collect();
        crate::engine::print_json(&rows);
        return Ok(Outcome::Done);
    }
    for (dir, status) in &all {
        match status {
            Ok(s) => println!(
                "{}  {:?}  {} processes, {} dead, {} MB",
                s.lab.id,
                s.lab.phase,
                s.lab.processes.len(),
                s.dead.len(),
                s.memory_bytes >> 20
            ),
            Err(error) => println!("{}  cannot be read: {error}", dir.display()),
        }
    }
    if all.is_empty() {
        println!("no lab");
    }
    Ok(Outcome::Done)
}

fn up(context: &Context, data: &Path, what: (Driver, Variant)) -> Ended {
    let lab = boot(&labs(data), what, context.json)?;
    if context.json {
        crate::engine::print_json(&serde_json::json!({"id": lab.id, "dir": lab.dir}));
    } else {
        println!("lab {} is up; watch it with `pilotctl serve --lab {} --mode lab`", lab.id, lab.id);
    }
    Ok(Outcome::Done)
}

/// Boots a lab that ends with us.
fn stay(context: &Context, data: &Path, what: (Driver, Variant)) -> Ended {
    let booted = boot_here(&labs(data), what, Tuning::default(), context.json)?;
    let id = &booted.lab().id;
    crate::engine::blocking(async {
        // before anybody is told that it is up: who stops it at once must not leave its processes behind
        let mut stop = crate::engine::Stop::new();
        if context.json {
            crate::engine::print_json(&serde_json::json!({"id": id, "dir": booted.lab().dir}));
        } else {
            println!("lab {id} is up until Ctrl-C; watch it with `pilotctl serve --lab {id} --mode lab`");
        }
        stop.told().await;
        Ok(())
    })?;
    booted.end(false)?;
    Ok(Outcome::Done)
}

fn status(context: &Context, dir: &Path) -> Ended {
    let s = netns::status(dir).map_err(|e| Failure::from_error("PH-LAB-004", &e))?;
    if context.json {
        let value = serde_json::json!({"id": s.lab.id, "dead": s.dead, "memory_bytes": s.memory_bytes, "processes": s.lab.processes.len()});
        crate::engine::print_json(&value);
    } else {
        println!("lab {}: {} processes, {} MB", s.lab.id, s.lab.processes.len(), s.memory_bytes >> 20);
        s.dead.iter().for_each(|d| println!("dead: {d}"));
    }
    Ok(if s.dead.is_empty() { Outcome::Done } else { Outcome::No })
}

/// Plays a fault into a running lab; the engine that watches it is somebody else's.
fn inject(data: &Path, scenario: &ScenarioArguments) -> Ended {
    let dir = find(data, scenario.lab.as_deref())?;
    let lab = LabInstance::load(&dir).map_err(|e| Failure::from_error("PH-LAB-004", &e))?;
    let done = journey::disturb(&lab, scenario)?;
    println!("{done}; undo it with `pilotctl lab restore`");
    Ok(Outcome::Done)
}
