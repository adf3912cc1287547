//! `pilotctl collect --syslog`: from a datagram to a line.

use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, UdpSocket};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

struct Collector {
    child: Child,
    at: SocketAddr,
    lines: mpsc::Receiver<String>,
}

impl Drop for Collector {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines(out: ChildStdout) -> mpsc::Receiver<String> {
    let (tx, rx) = mpsc::channel();
    std::thread::spawn(move || BufReader::new(out).lines().map_while(Result::ok).for_each(|l| drop(tx.send(l))));
    rx
}

fn start(json: bool) -> Collector {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pilotctl"));
    if json {
        command.arg("--json");
    }
    command.args(["collect", "--syslog", "127.0.0.1:0"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut said = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut said).unwrap();
    let at = said.split_whitespace().nth(2).and_then(|a| a.parse().ok()).unwrap_or_else(|| panic!("no address: {said}"));
    let lines = lines(child.stdout.take().unwrap());
    Collector { child, at, lines }
}

fn sent(to: &Collector, message: &str) -> String {
    UdpSocket::bind("127.0.0.1:0").unwrap().send_to(message.as_bytes(), to.at).unwrap();
    to.lines.recv_timeout(Duration::from_secs(20)).unwrap()
}

const COMMIT: &str = "<190>Mar  5 14:47:45 mx1 mgd[91373]: UI_COMMIT: User 'lab' requested 'commit' operation (comment: \"\x1b[31mx\")";

#[test]
fn a_commit_is_one_json_object_with_its_user() {
    let collector = start(true);
    let v: Value = serde_json::from_str(&sent(&collector, COMMIT)).unwrap();
    assert_eq!((&v["event"]["kind"], &v["event"]["user"]), (&"config_committed".into(), &"lab".into()), "{v:#}");
    assert_eq!((&v["host"], &v["app"], &v["process"], &v["transport"]), (&"mx1".into(), &"mgd".into(), &"91373".into(), &"udp".into()));
    assert_eq!((&v["device"], &v["year_given"], &v["severity"]), (&"127.0.0.1".into(), &false.into(), &6.into()));
    assert!(v["time"].as_str().is_some_and(|t| t.contains("-03-05T14:47:45")), "{v:#}");
    let v: Value = serde_json::from_str(&sent(&collector, "junk")).unwrap();
    assert_eq!((&v["format"], &v["text"], &v["event"]), (&"bare".into(), &"junk".into(), &Value::Null));
}

#[test]
fn as_text_the_device_s_words_are_quoted_and_cannot_steer_the_terminal() {
    let collector = start(false);
    let line = sent(&collector, COMMIT);
    assert!(!line.contains('\x1b') && line.contains(r#"(comment: \"\u{1b}[31mx\")" => config_committed by "lab""#), "{line}");
}
