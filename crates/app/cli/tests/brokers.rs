//! The ways out against real programs: Kafka, InfluxDB, Prometheus. `make test-brokers` starts it with what it needs; and, in every run, a
//! receiver that never reads, which no real program can be made to be.

use serde_json::Value;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(90);

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/peers").join(name)
}

/// Runs a peer's script; `false`: this machine has no such program, and that was said.
fn peer(name: &str, work: &Path, arguments: &[&str]) -> (bool, String) {
    let out = Command::new(script(name)).arg(work).args(arguments).stdin(Stdio::null()).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    if out.status.code() == Some(77) {
        println!("{said}");
        return (false, said);
    }
    assert!(out.status.success(), "{name} {arguments:?}: {said}");
    (true, said)
}

/// A program that ends with the test.
struct Peer(&'static str, PathBuf);

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = Command::new(script(self.0)).arg(&self.1).arg("stop").output();
    }
}

/// An engine on a simulated lab, so that there are measurements.
struct Scene {
    data: tempfile::TempDir,
    lab: String,
    engine: Option<Child>,
}

impl Scene {
    fn new() -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut scene = Self { data, lab: String::new(), engine: None };
        let up = scene.json(&["lab", "up", "--driver", "sim"]).expect("the simulated lab does not come up");
        scene.lab = up["id"].as_str().unwrap().to_owned();
        scene
    }

    fn pilotctl(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_pilotctl")).arg("--data").arg(self.data.path()).args(arguments).output().unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Option<Value> {
        serde_json::from_slice(&self.pilotctl(&[&["--json"], arguments].concat()).stdout).ok()
    }

    fn serve(&mut self, arguments: &[&str]) {
        let log = std::fs::File::create(self.data.path().join("engine.log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_pilotctl"));
        command.arg("--data").arg(self.data.path()).args(["serve", "--lab", &self.lab, "--mode", "lab", "--bmp"]);
        // any port: one that was free a moment ago may be the second one of a broker by now
        command.arg("127.0.0.1:0").args(arguments).stdout(Stdio::null()).stderr(log);
        self.engine = Some(command.spawn().unwrap());
        self.until("the engine", || self.json(&["status"]).map(drop));
    }

    fn until<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look() {
                return found;
            }
            let log = || std::fs::read_to_string(self.data.path().join("engine.log")).unwrap_or_default();
            assert!(
                Instant::now() < end,
                "{what} did not happen within {PATIENCE:?}: {:?}\n{}",
                self.json(&["status", "--exports"]),
                log()
            );
            std::thread::sleep(Duration::from_millis(300));
        }
    }

    fn export(&self) -> Option<Value> {
        self.json(&["status", "--exports"])?.as_array()?.first().cloned()
    }

    fn published(&self, topic: &str) -> u64 {
        let topics = self.json(&["status", "--topics"]).unwrap();
        topics.as_array().unwrap().iter().find(|t| t["topic"] == topic).unwrap()["published"].as_u64().unwrap()
    }

    fn tick(&self) -> u64 {
        self.json(&["status"]).unwrap()["seq"].as_u64().unwrap()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if let Some(mut engine) = self.engine.take() {
            let _ = engine.kill();
            let _ = engine.wait();
        }
        let _ = self.pilotctl(&["lab", "down", &self.lab]);
    }
}

/// One request over HTTP/1.0; returns the body.
fn http(port: u16, request: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.write_all(format!("{request} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n").as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned())
}

#[test]
fn a_receiver_that_never_reads_holds_nothing_up() {
    let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = deaf.local_addr().unwrap();
    let mut scene = Scene::new();
    scene.serve(&["--influx", &format!("http://{at}/write?db=noc&p=hush-hush"), "--kafka", &at.to_string()]);
    // it takes the connection and no more; the loop goes on, and what waits is shown
    let before = scene.tick();
    let waits = scene.until("points that wait", || scene.json(&["status", "--exports"]).filter(|v| v[0]["last_error"].is_string()));
    assert_eq!((&waits[0]["name"], &waits[0]["connected"], &waits[0]["sent"]), (&"influx".into(), &false.into(), &0.into()), "{waits:#}");
    scene.until("the loop", || (scene.tick() > before + 50).then_some(()));
    assert!(scene.until("the queue", || scene.export().and_then(|e| e["queued"].as_u64()).filter(|n| *n > 0)) > 0);
    let said = scene.pilotctl(&["status", "--exports"]);
    let log = std::fs::read_to_string(scene.data.path().join("engine.log")).unwrap();
    assert!(!String::from_utf8_lossy(&said.stdout).contains("hush") && !log.contains("hush"), "{log}");
}

#[test]
fn the_page_for_prometheus_holds_the_measurements_and_others_get_none() {
    let mut scene = Scene::new();
    let refused = scene.pilotctl(&["serve", "--lab", &scene.lab, "--mode", "lab", "--bmp", "127.0.0.1:0", "--prometheus", "0.0.0.0:1"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("PH-EXP-006"), "{refused:?}");
    // whichever port is free; which it is, is told
    scene.serve(&["--prometheus", "127.0.0.1:0"]);
    let port = scene.until("the port", || {
        let told = scene.pilotctl(&["status", "--exports"]);
        let text = String::from_utf8_lossy(&told.stdout).into_owned();
        text.split("http://127.0.0.1:").nth(1)?.split('/').next()?.parse::<u16>().ok().filter(|port| *port != 0)
    });
    let page = scene.until("a measured delay", || http(port, "GET /metrics").filter(|p| p.contains("bgp_latency_ms{")));
    assert!(
        page.contains("# TYPE bgp_latency_ms gauge") && page.contains("pilothouse_topic_published_total{topic=\"bgp.telemetry.bmp\"}"),
        "{page}"
    );
}

#[test]
#[ignore = "needs Prometheus: make test-brokers"]
fn prometheus_scrapes_and_answers_with_the_value() {
    let mut scene = Scene::new();
    let (page, port) = (free_port(), free_port());
    let work = scene.data.path().join("prometheus");
    if !peer("prometheus.sh", &work, &["start", &format!("127.0.0.1:{page}"), &port.to_string()]).0 {
        return;
    }
    let _peer = Peer("prometheus.sh", work);
    scene.serve(&["--prometheus", &format!("127.0.0.1:{page}")]);
    let rows = scene.until("a scraped delay", || {
        let answer: Value = serde_json::from_str(&http(port, "GET /api/v1/query?query=bgp_latency_ms")?).ok()?;
        answer["data"]["result"].as_array().filter(|r| r.len() > 10).cloned()
    });
    for row in &rows {
        let value: f64 = row["value"][1].as_str().unwrap().parse().unwrap();
        assert!(value > 1.0 && value < 200.0 && row["metric"]["router"].is_string(), "{row}");
    }
    println!("{} series of bgp_latency_ms", rows.len());
}

#[test]
#[ignore = "needs InfluxDB: make test-brokers"]
fn influxdb_answers_with_the_points_also_after_it_was_away() {
    let mut scene = Scene::new();
    let port = free_port();
    let work = scene.data.path().join("influx");
    if !peer("influx.sh", &work, &["start", &port.to_string()]).0 {
        return;
    }
    let _peer = Peer("influx.sh", work.clone());
    scene.serve(&["--influx", &format!("http://127.0.0.1:{port}/write?db=noc")]);
    let count = || -> Option<u64> {
        let answer: Value = serde_json::from_str(&http(port, "GET /query?db=noc&q=SELECT%20COUNT(value)%20FROM%20bgp_latency_ms")?).ok()?;
        answer["results"][0]["series"][0]["values"][0][1].as_u64()
    };
    let first = scene.until("points", || count().filter(|n| *n > 20));
    peer("influx.sh", &work, &["stop"]);
    scene.until("points that wait", || scene.export().and_then(|e| e["queued"].as_u64()).filter(|n| *n > 0));
    peer("influx.sh", &work, &["start", &port.to_string()]);
    let then = scene.until("what waited", || count().filter(|n| *n > first + 20 && scene.export().is_some_and(|e| e["queued"] == 0)));
    let export = scene.export().unwrap();
    assert_eq!(export["dropped"], 0, "{export:#}");
    println!("{first} points, {then} after it came back; {export}");
}

#[test]
#[ignore = "needs Kafka: make test-brokers"]
fn kafka_has_what_the_topics_held_each_once_and_in_order_through_a_broker_that_dies() {
    let Some(jars) = std::env::var_os("PILOTHOUSE_KAFKA").map(PathBuf::from) else {
        println!("skipped: PILOTHOUSE_KAFKA names no folder with Kafka's jars");
        return;
    };
    let mut scene = Scene::new();
    let port = free_port();
    let work = scene.data.path().join("kafka");
    std::fs::create_dir(&work).unwrap();
    std::os::unix::fs::symlink(jars.join("lib"), work.join("lib")).unwrap();
    peer("kafka.sh", &work, &["start", &port.to_string()]);
    let _peer = Peer("kafka.sh", work.clone());
    let broker = format!("127.0.0.1:{port}");
    scene.serve(&["--kafka", &broker]);
    scene.until("messages", || scene.export().and_then(|e| e["sent"].as_u64()).filter(|n| *n > 500));
    peer("kafka.sh", &work, &["kill"]);
    let before = scene.tick();
    scene.until("the loop", || (scene.tick() > before + 50).then_some(()));
    peer("kafka.sh", &work, &["start", &port.to_string()]);
    // a topic that no longer grows can be counted: sessions of the routers stand
    let topic = "bgp.events.prefix";
    let sent = |scene: &Scene| -> Option<Vec<Value>> {
        let out = scene.pilotctl(&["events", "--kafka", &broker, "--topic", topic]);
        let lines: Option<Vec<Value>> = String::from_utf8_lossy(&out.stdout).lines().map(|l| serde_json::from_str(l).ok()).collect();
        lines.filter(|l| l.len() as u64 >= scene.published(topic))
    };
    let records = scene.until("every prefix event at the broker", || sent(&scene));
    let offsets: Vec<u64> = records.iter().map(|r| r["offset"].as_u64().unwrap()).collect();
    let expected: Vec<u64> = (offsets[0]..offsets[0] + offsets.len() as u64).collect();
    assert_eq!(offsets, expected, "each once, in order");
    // Kafka's own consumer sees the same values
    let (_, theirs) = peer("kafka.sh", &work, &["read", &port.to_string(), topic]);
    let theirs: Vec<Value> = theirs.lines().filter_map(|l| serde_json::from_str(l).ok()).collect();
    let ours: Vec<&Value> = records.iter().map(|r| &r["value"]).collect();
    assert_eq!(theirs[..ours.len()].iter().collect::<Vec<_>>(), ours);
    println!("{} records of {topic}, {}", records.len(), scene.export().unwrap());
    the_topics_come_back(&scene, &broker, topic, records.len() as u64);
}

/// All six topics of the broker become a file, whose messages are those of the engine's own topics.
fn the_topics_come_back(scene: &Scene, broker: &str, still: &str, records: u64) {
    let path = scene.data.path().join("topics.jsonl");
    let file = path.to_str().unwrap();
    let done = scene.pilotctl(&["--json", "import", "--kafka", broker, "--topics", file]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let told: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(told["messages"][still].as_u64(), Some(records), "{told:#}");
    let lines = |arguments: &[&str]| -> std::collections::BTreeMap<u64, Value> {
        let out = scene.pilotctl(arguments);
        let lines = String::from_utf8_lossy(&out.stdout).lines().map(|l| serde_json::from_str(l).unwrap()).collect::<Vec<Value>>();
        lines.into_iter().map(|l| (l["offset"].as_u64().unwrap(), l)).collect()
    };
    let mut compared = 0;
    for topic in bus::TOPICS {
        let imported = lines(&["events", "--file", file, "--topic", topic, "--last", "1000"]);
        let live = lines(&["events", "--topic", topic, "--last", "1000"]);
        let both: Vec<u64> = imported.keys().filter(|o| live.contains_key(*o)).copied().collect();
        both.iter().for_each(|o| assert_eq!(imported[o], live[o], "{topic}"));
        let wanted = told["messages"][topic].as_u64().unwrap_or(0);
        assert!(imported.len() as u64 == wanted.min(1000), "{topic}: {} of {wanted}", imported.len());
        assert!(wanted == 0 || !both.is_empty(), "{topic}: nothing to compare");
        compared += both.len();
    }
    assert!(compared > 500, "{compared}");
    // it is not written over, and nothing is left of what could not be done
    assert_eq!(scene.pilotctl(&["import", "--kafka", broker, "--topics", file]).status.code(), Some(2));
    assert!(path.exists());
    println!("{compared} messages of six topics are the engine's own: {}", told["messages"]);
}

/// A message as OpenBMP's collector puts it into a topic.
fn wrapped(router: u8, at_s: u32, message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    let fixed = [&b"OBMP"[..], &[1, 7, 0, 78], &length, &[0, 12], &at_s.to_be_bytes(), &[0; 4], &[1; 16], &[0, 0]].concat();
    [&fixed[..], &[2; 16], &[10, 0, 0, router], &[0; 12], &[0, 0], &[0, 0, 0, 1], message].concat()
}

fn recorded(router: &str) -> Vec<Vec<u8>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../../tests/recordings/seed/bmp/{router}.bmp"));
    let mut framer = bmp::Framer::new();
    framer.push(&std::fs::read(file).unwrap());
    std::iter::from_fn(|| framer.next()).map(|frame| frame.unwrap().bytes).collect()
}

#[test]
#[ignore = "needs Kafka: make test-brokers"]
fn a_topic_of_openbmp_becomes_a_capture_with_every_message_of_every_partition_in_time() {
    use rskafka::client::partition::{Compression, UnknownTopicHandling};
    use rskafka::record::Record;
    let Some(jars) = std::env::var_os("PILOTHOUSE_KAFKA").map(PathBuf::from) else {
        println!("skipped: PILOTHOUSE_KAFKA names no folder with Kafka's jars");
        return;
    };
    let (dir, port) = (tempfile::tempdir().unwrap(), free_port());
    let work = dir.path().join("kafka");
    std::fs::create_dir(&work).unwrap();
    std::os::unix::fs::symlink(jars.join("lib"), work.join("lib")).unwrap();
    peer("kafka.sh", &work, &["start", &port.to_string()]);
    let _peer = Peer("kafka.sh", work);
    let (broker, topic) = (format!("127.0.0.1:{port}"), "openbmp.bmp_raw");
    let all = [recorded("r1"), recorded("r2")];
    // of this hour: a broker forgets what is older than a week
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let begun = u32::try_from(now).unwrap() - 3600;
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let client = rskafka::client::ClientBuilder::new(vec![broker.clone()]).build().await.unwrap();
        client.controller_client().unwrap().create_topic(topic, 2, 1, 10_000).await.unwrap();
        for (number, messages) in (0..).zip(&all) {
            let way = client.partition_client(topic, number, UnknownTopicHandling::Retry).await.unwrap();
            for (part, messages) in (0_u32..).zip(messages.chunks(100)) {
                // a part of the other router's lies between any two of this one's
                let at_s = begun + 2 * part + u32::try_from(number).unwrap();
                let timestamp = rskafka::chrono::DateTime::from_timestamp(i64::from(at_s), 0).unwrap();
                let value = |m: &Vec<u8>| Some(wrapped(u8::try_from(number).unwrap() + 1, at_s, m));
                let records = messages.iter().map(|m| Record { key: None, value: value(m), headers: Default::default(), timestamp });
                way.produce(records.collect(), Compression::NoCompression).await.unwrap();
            }
        }
        let stray = Record {
            key: None,
            value: Some(b"{}".to_vec()),
            headers: Default::default(),
            timestamp: rskafka::chrono::DateTime::from_timestamp(i64::from(begun), 0).unwrap(),
        };
        let way = client.partition_client(topic, 0, UnknownTopicHandling::Retry).await.unwrap();
        way.produce(vec![stray], Compression::NoCompression).await.unwrap();
    });
    let capture = dir.path().join("kafka.capture");
    let import = |topic: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pilotctl"));
        command.args(["--json", "import", "--kafka", &broker, "--topic", topic, "--capture"]).arg(&capture).output().unwrap()
    };
    let missing = import("nothing.here");
    assert!(String::from_utf8_lossy(&missing.stderr).contains("PH-EXP-005") && !capture.exists(), "{missing:?}");
    let done = import(topic);
    assert_eq!(done.status.code(), Some(3), "one record is none of OpenBMP: {}", String::from_utf8_lossy(&done.stderr));
    let told: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(told["messages"].as_u64().unwrap(), all.iter().map(Vec::len).sum::<usize>() as u64, "{told:#}");
    let (mut came, mut turns, mut last) = (std::collections::BTreeMap::<String, Vec<Vec<u8>>>::new(), 0, String::new());
    for entry in capture::Reader::<pilot::Input>::open(&capture).unwrap() {
        let pilot::Input::Observed { observation } = entry.unwrap().body else { continue };
        let network::Observation::Bmp { device, event: network::BmpEvent::Message { bytes } } = observation else { continue };
        turns += u32::from(device.as_str() != last);
        last = device.to_string();
        came.entry(last.clone()).or_default().push(bytes);
    }
    assert!(came.into_values().collect::<Vec<_>>() == all, "a message was lost, changed or moved");
    assert!(turns > 4, "the partitions were put one behind the other: {turns}");
    let left =
        std::fs::read_dir(dir.path()).unwrap().filter(|f| f.as_ref().unwrap().path().extension().is_some_and(|e| e == "obmp")).count();
    assert_eq!(left, 0, "the spool is left behind");
    println!("{} messages of {} from {topic}, {turns} turns", told["messages"], told["routers"]);
}
