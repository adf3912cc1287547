//! `pilotctl serve`, `status`, `events`: the live engine.

use crate::client::Client;
use crate::exit::{Context, Ended, Failure, Outcome};
use crate::syslog::SyslogTlsArguments;
use crate::{series, topics};
use api::{Api, IntakeView, LabControl, Laboratory, StatusView, TimelineEntry};
use lab::relay::EngineDoors;
use serde::Serialize;
use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Arguments of `status`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: pilotctl status --json\n         pilotctl status --series bgp_latency_ms --last 20")]
#[command(group(clap::ArgGroup::new("instead").multiple(false)))]
pub struct StatusArguments {
    /// What came in instead: routers, routes, delay, loss, sessions, scores, BMP, topics.
    #[arg(long, group = "instead")]
    intake: bool,
    /// Every gNMI subscription of this router instead: its mode, its last message (by the last report, up to half a minute old), what it owes.
    #[arg(long, value_name = "DEVICE", group = "instead")]
    subscriptions: Option<String>,
    /// The BGP sessions of this router instead.
    #[arg(long, value_name = "DEVICE", group = "instead")]
    peers: Option<String>,
    /// How much goes where instead: per exit and direction, with the largest prefixes, and what the doors for flow export and syslog took.
    #[arg(long, group = "instead")]
    volumes: bool,
    /// The exports instead: Prometheus, InfluxDB, Kafka; what was sent, waits, was lost.
    #[arg(long, group = "instead")]
    exports: bool,
    /// The topics instead: what was published, is held, was lost.
    #[arg(long, group = "instead")]
    topics: bool,
    /// The stored series instead: how full, which; or the newest points of this measurement, or of one series as the
    /// list has it (`'NAME TAGS'`).
    #[arg(long, value_name = "MEASUREMENT", num_args = 0..=1, group = "instead")]
    series: Option<Option<String>>,
    /// How many points.
    #[arg(long, value_name = "N", default_value_t = 10, requires = "series", value_parser = clap::value_parser!(u32).range(1..=2000))]
    last: u32,
    /// Instead of points: the last so many seconds in buckets of a minute or a quarter of an hour, with their extremes; at least the bucket
    /// that runs.
    #[arg(long, value_name = "SECONDS", requires = "series")]
    seconds: Option<u64>,
}

/// Arguments of `events`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: pilotctl events --json\n         pilotctl events --topic bgp.agent.actions --last 20\n         pilotctl events --file night.jsonl --past"
)]
pub struct EventsArguments {
    /// What is remembered of the past instead, and the end.
    #[arg(long, conflicts_with = "topic")]
    past: bool,
    /// Messages of this topic instead, one JSON object a line, and the end; see `status --topics`.
    #[arg(long, value_name = "NAME")]
    topic: Option<String>,
    /// Of a Kafka broker instead of the live engine: every message of the topic that it has.
    #[arg(long, value_name = "HOST:PORT", requires = "topic", conflicts_with_all = ["last", "from"])]
    kafka: Option<String>,
    /// Of a file that `import --kafka --topics` wrote instead of the live engine; without `--topic` and `--past` all of it.
    #[arg(long, value_name = "FILE", conflicts_with = "kafka")]
    file: Option<PathBuf>,
    /// How many messages at most, the newest ones, or those from `--from` on; unless told 20 of BMP messages and 10 of others.
    #[arg(long, value_name = "N", requires = "topic", value_parser = clap::value_parser!(u32).range(1..=1000))]
    last: Option<u32>,
    /// From this offset on.
    #[arg(long, value_name = "OFFSET", requires = "topic")]
    from: Option<u64>,
}

/// Arguments of `serve`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: pilotctl serve --inventory site.json --bmp 127.0.0.1:17442\nOwn gNMI profiles: TOML files in gnmi-profiles of the data folder."
)]
pub struct ServeArguments {
    /// Inventory (JSON): devices, providers, exits, target groups; docs/inventory.md has every field.
    #[arg(long, value_name = "FILE")]
    inventory: Option<PathBuf>,
    /// Take the inventory and secrets of a running lab.
    #[arg(long, value_name = "ID", conflicts_with = "inventory")]
    lab: Option<String>,
    /// Play a capture instead of watching devices: the same decisions again, and nothing is sent.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["inventory", "lab", "mode", "bmp", "flow", "syslog", "vrps", "rtr", "slurm", "prometheus", "influx", "kafka"])]
    replay: Option<PathBuf>,
    /// SHADOW sends nothing; LAB writes to the lab's own devices only.
    #[arg(long, value_enum, default_value_t = ModeWord::Shadow)]
    mode: ModeWord,
    /// Where routers send BMP.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:17442")]
    bmp: SocketAddr,
    /// Where routers send flow export (NetFlow v5 and v9, IPFIX, sFlow), UDP; closed without it.
    #[arg(long, value_name = "ADDR")]
    flow: Option<SocketAddr>,
    /// Where routers send syslog, UDP and TCP; closed without it.
    #[arg(long, value_name = "ADDR")]
    syslog: Option<SocketAddr>,
    #[command(flatten)]
    syslog_tls: SyslogTlsArguments,
    #[command(flatten)]
    validation: crate::twin::validation::Validation,
    /// Let Prometheus ask here, at /metrics.
    #[arg(long, value_name = "ADDR")]
    prometheus: Option<SocketAddr>,
    /// Write measurements to InfluxDB: the whole URL, …/api/v2/write?org=ORG&bucket=BUCKET, or …/write?db=DB before version 2.
    #[arg(long, value_name = "URL")]
    influx: Option<String>,
    /// File with InfluxDB's token, readable by its owner only.
    #[arg(long, value_name = "FILE", requires = "influx")]
    influx_token: Option<PathBuf>,
    /// Send the topics to Kafka, by any broker of the cluster.
    #[arg(long, value_name = "HOST:PORT")]
    kafka: Option<String>,
    /// How long a proposal may wait for an answer, seconds; 300 unless told.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(10..=3600))]
    approval_ttl: Option<u64>,
    /// Also serve the window and the commands over HTTP here; needs the token of `<data>/token`.
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Folder with the built window; without it looked for beside the program (`ui/dist`).
    #[arg(long, value_name = "DIR", requires = "listen")]
    ui: Option<PathBuf>,
}

/// Modes that an engine can be started in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum ModeWord {
    /// Sends nothing.
    Shadow,
    /// Writes to the lab's own devices.
    Lab,
}

impl From<ModeWord> for pilot::Mode {
    fn from(word: ModeWord) -> Self {
        match word {
            ModeWord::Shadow => Self::Shadow,
            ModeWord::Lab => Self::Lab,
        }
    }
}

/// Runs a future on a runtime of its own.
pub fn blocking<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|e| Failure::from_error("PH-CLI-005", &e))?
        .block_on(work)
}

/// Prints one JSON document.
pub fn print_json(value: &impl Serialize) {
    match serde_json::to_string_pretty(value) {
        Ok(text) => println!("{text}"),
        Err(e) => eprintln!("PH-CLI-006 cannot print as JSON: {e}"),
    }
}

/// Runs `status`.
pub fn status(context: &Context, arguments: &StatusArguments) -> Ended {
    let client = Client::new(context)?;
    if arguments.intake {
        let view: IntakeView = blocking(client.call("intake", &()))?;
        if context.json {
            print_json(&view)
        } else {
            print!("{view}")
        }
        return Ok(Outcome::Done);
    }
    if arguments.exports {
        return crate::exports::print(context, &client);
    }
    if arguments.volumes {
        return crate::volumes::print(context, &client);
    }
    if let Some(device) = &arguments.subscriptions {
        return crate::subscriptions::print(context, &client, device);
    }
    if let Some(device) = &arguments.peers {
        return crate::peers::print(context, &client, device);
    }
    if arguments.topics {
        return topics::all(context, &client);
    }
    match &arguments.series {
        Some(None) => return series::all(context, &client),
        Some(Some(name)) => return series::one(context, &client, name, arguments.last, arguments.seconds),
        None => {}
    }
    let view: StatusView = blocking(client.call("status", &()))?;
    if context.json {
        print_json(&view)
    } else {
        print!("{view}")
    }
    Ok(Outcome::Done)
}

impl EventsArguments {
    fn last(&self) -> u32 {
        let unless_told = || bus::recent_default(self.topic.as_deref().unwrap_or_default());
        self.last.unwrap_or_else(|| u32::try_from(unless_told()).unwrap_or(u32::MAX))
    }
}

/// Runs `events`.
pub fn events(context: &Context, arguments: &EventsArguments) -> Ended {
    if let (Some(broker), Some(topic)) = (&arguments.kafka, &arguments.topic) {
        let print = |r: export::Imported| {
            println!("{}", r.to_json());
            Ok(())
        };
        let read = async { export::import(broker, &[topic.as_str()], print).await.map_err(|e| Failure::from_error("", &e)) };
        return blocking(read).map(|_| Outcome::Done);
    }
    if let Some(file) = &arguments.file {
        let wanted =
            topics::Wanted { past: arguments.past, topic: arguments.topic.as_deref(), last: arguments.last(), from: arguments.from };
        return topics::of_file(context, file, &wanted);
    }
    let client = Client::new(context)?;
    if arguments.past {
        let entries: Vec<TimelineEntry> = blocking(client.call("timeline", &0_u64))?;
        if context.json {
            print_json(&entries);
        } else {
            entries.iter().for_each(|e| println!("{} {}", e.time, e.text));
        }
        return Ok(Outcome::Done);
    }
    if let Some(name) = &arguments.topic {
        return topics::one(&client, name, arguments.last(), arguments.from);
    }
    blocking(client.follow(|line| {
        if context.json {
            println!("{line}");
        } else {
            match serde_json::from_str::<pilot::Event>(line) {
                Ok(event) => println!("{} {}", event.at, api::sentence(&event)),
                Err(_) => println!("{line}"),
            }
        }
        true
    }))?;
    Ok(Outcome::Done)
}

/// What an engine may be started on.
const NOTHING_TO_SERVE: &str = "nothing to watch: give --inventory FILE, --lab ID of a running lab (`pilotctl lab up`), or \
    --replay FILE to play a capture";

/// Finds the built window above the program, as in a checkout.
fn built_window() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    program.ancestors().map(|dir| dir.join("ui/dist")).find(|dir| dir.join("index.html").exists())
}

/// Says what a browser opens, or why there is nothing to open.
fn say_doors(server: &server::Server, folder: &Path) {
    match (&server.link, server.tcp) {
        (Some(link), _) => eprintln!("open {link}"),
        (None, Some(address)) => {
            let token = folder.join("token");
            eprintln!(
                "commands at http://{address}/rpc, with the token in {}; no window: `make ui` builds it, or --ui names one",
                token.display()
            );
        }
        (None, None) => {}
    }
}

/// Runs `serve --replay` until Ctrl-C. Its socket is not the live engine's: both may run on one data folder.
fn play(data: &Path, capture: &Path, listen: Option<SocketAddr>, ui: Option<PathBuf>) -> Ended {
    let folder = data.join("replay");
    // as the live engine's: the token of its API lies there
    let made = std::os::unix::fs::DirBuilderExt::mode(std::fs::DirBuilder::new().recursive(true), 0o700).create(&folder);
    made.map_err(|e| Failure::from_error("PH-RUN-001", &e))?;
    blocking(async move {
        let api = Api::replaying(capture).await.map_err(|e| Failure::from_error("", &e))?.with_captures(data.join("captures"));
        let view = api.call("", "replay", b"{}").await.map_err(|e| Failure::new("", format!("{} {}", e.code, e.why)))?;
        let flaws: Vec<String> = ["damaged", "no_index"].iter().filter_map(|key| Some(view[key].as_str()?.to_owned())).collect();
        let listen = listen.map(|address| server::Listen { address, ui: ui.or_else(built_window) });
        let server = server::Server::start(api, &folder, listen).await.map_err(|e| Failure::from_error("PH-RUN-002", &e))?;
        let mut stop = Stop::new();
        eprintln!("replays {}; commands reach it with --data {}", capture.display(), folder.display());
        eprintln!("it stands at its beginning; the window's Replay screen plays, steps and seeks (`pilotctl replay` plays all of it)");
        for flaw in flaws {
            eprintln!("{}: {flaw}", capture.display());
        }
        say_doors(&server, &folder);
        stop.told().await;
        server.stop().await;
        Ok(Outcome::Done)
    })
}

/// Ctrl-C and SIGTERM, by which services and containers are stopped. Both are kept from the moment this is made: a loop that looks at it only
/// between two pieces of work misses none.
pub struct Stop([std::io::Result<Signal>; 2]);

impl Stop {
    /// Begins to listen. From here on neither signal ends the process by itself.
    pub fn new() -> Self {
        Self([SignalKind::interrupt(), SignalKind::terminate()].map(signal))
    }

    /// Waits for one of them. One that cannot be waited for would leave no way to stop: then this ends at once.
    pub async fn told(&mut self) {
        let [Ok(interrupted), Ok(terminated)] = &mut self.0 else { return };
        tokio::select! {
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
        }
    }
}

/// Runs `serve` until Ctrl-C or SIGTERM.
pub fn serve(context: &Context, arguments: ServeArguments) -> Ended {
    let data = context.data_folder();
    if let Some(capture) = &arguments.replay {
        return play(&data, capture, arguments.listen, arguments.ui);
    }
    let (inventory, secrets, instance) = match (&arguments.inventory, &arguments.lab) {
        (_, Some(id)) => {
            let instance = crate::lab::load(&data, id)?;
            (instance.inventory.clone(), instance.dir.join("secrets.json"), Some(instance))
        }
        (Some(file), None) => {
            let text = std::fs::read_to_string(file)
                .map_err(|e| Failure::new("PH-CLI-011", format!("cannot read inventory {}: {e}", file.display())))?;
            let inventory = serde_json::from_str(&text).map_err(|e| Failure::new("PH-CLI-012", format!("{}: {e}", file.display())))?;
            (inventory, data.join("secrets.json"), None)
        }
        (None, None) => return Err(Failure::new("PH-CLI-013", NOTHING_TO_SERVE)),
    };
    let vrps = arguments.validation.source()?;
    blocking(async move {
        let approval_ttl = arguments.approval_ttl.map(Duration::from_secs);
        let influx = arguments.influx.map(|url| export::Influx::new(&url, arguments.influx_token.as_deref()));
        let exports = export::Options {
            prometheus: arguments.prometheus,
            influx: influx.transpose().map_err(|e| Failure::from_error("", &e))?,
            kafka: arguments.kafka.map(|broker| export::Kafka { broker }),
        };
        let doors = runtime::Doors { flow: arguments.flow, syslog: arguments.syslog, syslog_tls: arguments.syslog_tls.door(), vrps };
        // a lab makes its own secrets
        let key_store = instance.is_none();
        let (mode, bmp) = (arguments.mode.into(), arguments.bmp);
        let options = runtime::Options { data, inventory, secrets, key_store, mode, bmp, doors, approval_ttl };
        let engine = runtime::Engine::start(options).await.map_err(|e| Failure::from_error("PH-RUN-001", &e))?;
        if let Some(instance) = &instance {
            let doors = engine.doors();
            let doors = EngineDoors { bmp: Some(engine.bmp_address()), flow: doors.flow_address(), syslog: doors.syslog_address() };
            instance.attach_engine(doors).map_err(|e| Failure::from_error("PH-LAB-001", &e))?;
        }
        let laboratory = instance.map(|i| Arc::new(Laboratory::new(i, false)) as Arc<dyn LabControl>);
        let exports = export::start(&engine.handle(), exports).await.map_err(|e| Failure::from_error("", &e))?;
        let api = Api::new(engine.handle()).with_lab(laboratory).with_exports(exports.looker());
        let ui = arguments.ui.or_else(built_window);
        let listen = arguments.listen.map(|address| server::Listen { address, ui });
        let server = server::Server::start(api, engine.folder(), listen).await.map_err(|e| Failure::from_error("PH-RUN-002", &e))?;
        // before anybody is told that it runs
        let mut stop = Stop::new();
        eprintln!(
            "engine is running on {} ({}), BMP on {}",
            engine.folder().display(),
            pilot::Mode::from(arguments.mode),
            engine.bmp_address()
        );
        for door in engine.doors().counts() {
            eprintln!("{} on {}", door.name, door.address);
        }
        say_doors(&server, engine.folder());
        stop.told().await;
        server.stop().await;
        drop(exports);
        let digest = engine.stop().await.map_err(|e| Failure::from_error("PH-RUN-003", &e))?;
        eprintln!("stopped; state {digest}");
        Ok(Outcome::Done)
    })
}
