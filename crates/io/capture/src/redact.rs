//! What of a capture may leave the house: descriptions and names that people wrote are replaced, everything else stays as it came.
//!
//! Secrets never enter a capture (they are taken out again here, for captures of builds that let a configuration's passwords in); this is for
//! what an operator would rather not tell a colleague elsewhere: descriptions and remarks, what a router says of itself in BMP, what it says
//! when a session is shut down, and the reasons that operators give. Prefixes, AS numbers and addresses stay: without them there is nothing to
//! look at.

use serde_json::Value;

/// Stands where a text stood.
const INSTEAD: &str = "(redacted)";

/// BMP message types (RFC 7854 §4.1).
const PEER_DOWN: u8 = 2;
const PEER_UP: u8 = 3;
const INITIATION: u8 = 4;
const TERMINATION: u8 = 5;
/// Common header and per-peer header, bytes.
const PEER_HEADERS: usize = 48;
/// Addresses and ports of a Peer Up before its OPENs, bytes.
const PEER_UP_FIELDS: usize = 20;
/// BGP header, bytes.
const BGP_HEADER: usize = 19;
/// Cease, and its subcodes with words of an operator: administrative shutdown and reset (RFC 9003).
const CEASE: u8 = 6;
const WITH_WORDS: [u8; 2] = [2, 4];
/// Words before texts that people wrote, in configurations.
const BEFORE_WORDS: [&str; 4] = ["description ", "remark ", "snmp-server location ", "snmp-server contact "];

/// Replaces the texts in one input; returns how many were replaced.
pub fn redact(input: &mut Value) -> u64 {
    match input {
        Value::Object(map) => {
            // one leaf of a device: {"path": "…/description", "value": {…}}
            let leaf = map.get("path").and_then(Value::as_str).is_some_and(|p| p.ends_with("/description"));
            let message = map.get("event").and_then(Value::as_str) == Some("message");
            let syslog = map.get("source").and_then(Value::as_str) == Some("syslog");
            // what a router said by syslog, as a state keeps it
            let operator = map.contains_key("command");
            let report = map.contains_key("kind") && map.contains_key("user") && map.contains_key("text");
            let mut count = 0;
            for (key, value) in map.iter_mut() {
                count += match (key.as_str(), &mut *value) {
                    // what a router says of itself stands in a state too
                    ("description" | "sys_name", Value::String(text)) => replace(text),
                    ("value", value) if leaf => replace_all(value),
                    ("bytes", Value::String(hex)) if message => bmp(hex),
                    ("bytes", Value::String(bytes)) if syslog => {
                        let instead = hex::encode(INSTEAD);
                        u64::from(core::mem::replace(bytes, instead.clone()) != instead)
                    }
                    ("user" | "from" | "reason" | "what" | "text", Value::String(text)) if report => replace(text),
                    ("reason" | "note" | "text", Value::String(text)) if operator => replace(text),
                    // a running configuration, whole
                    ("text", Value::String(text)) => configuration(text),
                    (_, value) => redact(value),
                };
            }
            count
        }
        Value::Array(items) => items.iter_mut().map(redact).sum(),
        _ => 0,
    }
}

fn replace(text: &mut String) -> u64 {
    if text.is_empty() || text == INSTEAD {
        return 0;
    }
    INSTEAD.clone_into(text);
    1
}

fn replace_all(value: &mut Value) -> u64 {
    match value {
        Value::String(text) => replace(text),
        Value::Array(items) => items.iter_mut().map(replace_all).sum(),
        Value::Object(map) => map.values_mut().map(replace_all).sum(),
        _ => 0,
    }
}

/// Secrets, and `description WORDS` to the end of a line, as FRR, EOS, IOS and Junos write it.
fn configuration(text: &mut String) -> u64 {
    let (hidden, secrets) = config::secret::hide(text);
    let mut count = secrets as u64;
    let one = |line: &str| {
        let words = BEFORE_WORDS.iter().find_map(|word| line.split_once(word).map(|(before, said)| (before, *word, said)));
        match words {
            Some((before, word, said)) if !said.starts_with(INSTEAD) && (before.is_empty() || before.ends_with(' ')) => {
                let tail = if said.trim_end().ends_with(';') { ";" } else { "" };
                Some(format!("{before}{word}{INSTEAD}{tail}"))
            }
            _ => None,
        }
    };
    let lines: Vec<String> = hidden
        .split('\n')
        .map(|line| {
            let replaced = one(line);
            count += u64::from(replaced.is_some());
            replaced.unwrap_or_else(|| line.to_owned())
        })
        .collect();
    if count > 0 {
        *text = lines.join("\n");
    }
    count
}

/// Texts in a BMP message become as many `x`: lengths stay, so that every other byte stays where it was. Names of VRFs stay: they tell tables
/// apart.
fn bmp(text: &mut String) -> u64 {
    let Ok(mut bytes) = hex::decode(text.as_str()) else { return 0 };
    let count = match bytes.get(5) {
        Some(&INITIATION) => tlvs(&mut bytes, 6, &[0, 1, 2]),
        Some(&TERMINATION) => tlvs(&mut bytes, 6, &[0]),
        Some(&PEER_UP) => {
            let open = |at: usize| bytes.get(at + 16..at + 18).map(|l| at + usize::from(u16::from_be_bytes([l[0], l[1]])));
            // behind both OPENs
            match open(PEER_HEADERS + PEER_UP_FIELDS).and_then(open) {
                Some(at) => tlvs(&mut bytes, at, &[0, 4]),
                None => 0,
            }
        }
        Some(&PEER_DOWN) => shutdown_words(&mut bytes),
        _ => 0,
    };
    if count > 0 {
        *text = hex::encode(bytes);
    }
    count
}

/// Fills the values of these information TLVs from `at` on.
fn tlvs(bytes: &mut [u8], mut at: usize, kinds: &[u16]) -> u64 {
    let mut count = 0;
    while let Some(&[a, b, c, d]) = bytes.get(at..at + 4) {
        let (kind, length) = (u16::from_be_bytes([a, b]), usize::from(u16::from_be_bytes([c, d])));
        at += 4;
        let Some(value) = bytes.get_mut(at..at + length) else { break };
        if kinds.contains(&kind) && !value.is_empty() {
            value.fill(b'x');
            count += 1;
        }
        at += length;
    }
    count
}

/// The words of an operator in a Cease NOTIFICATION: subcode, length, text (RFC 9003 §2).
fn shutdown_words(bytes: &mut [u8]) -> u64 {
    let notification = PEER_HEADERS + 1 + BGP_HEADER;
    let Some(&[CEASE, subcode, length]) = bytes.get(notification..notification + 3) else { return 0 };
    let value = bytes.get_mut(notification + 3..notification + 3 + usize::from(length));
    match value.filter(|v| WITH_WORDS.contains(&subcode) && !v.is_empty()) {
        Some(value) => {
            value.fill(b'x');
            1
        }
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_people_wrote_is_replaced_and_the_rest_stays() {
        let initiation = format!("03{:08x}04{}{}", 6 + 4 + 2 + 4 + 3, "000200027231", "000000036f6c61");
        let down = [&[3, 0, 0, 0, 0, 2][..], &[0; 42], &[1], &[0xFF; 16], &[0, 27, 3, 6, 2, 5], b"Boris"].concat();
        let open = [&[0xFF; 16][..], &[0, 29, 1], &[4; 10]].concat();
        let up = [&[3, 0, 0, 0, 0, 3][..], &[0; 42], &[0; 20], &open, &open, &[0, 3, 0, 4], b"CUST", &[0, 4, 0, 4], b"Rack"].concat();
        let mut input = json!({
            "observation": {"updates": [
                {"path": "/interfaces/interface[name=eth0]/config/description", "value": {"json": "to Ruben's house"}},
                {"path": "/interfaces/interface[name=eth0]/state", "value": {"json": {"description": "secret site", "mtu": 1500}}},
            ]},
            "event": "message",
            "bytes": initiation,
            "bmp_session": {"sys_name": "core-of-Foo"},
            "down": {"event": "message", "bytes": hex::encode(&down)},
            "up": {"event": "message", "bytes": hex::encode(&up)},
            "operator": {"command": "reject", "proposal": "P-1", "reason": "ask Anna first"},
            "junos": {"text": "interfaces { ge-0/0/0 { description \"to Otto\"; } }\n remark Otto\n neighbor 10.0.0.1 password pw123\n"},
            "said": {"source": "syslog", "device": "r1", "bytes": hex::encode("<189>1: user Foo did it")},
            "recent": [{"kind": "config_committed", "user": "Foo", "from": null, "text": "user Foo did it", "device": "r1"}],
            "text": "interface eth0\n description customer Foo\n mtu 9000\nrouter bgp 65001\n neighbor 10.0.0.1 description Foo\n",
        });
        assert_eq!(redact(&mut input), 16);
        let text = input.to_string();
        let syslog = hex::encode("Foo");
        let hidden = [&hex::encode("Boris")[..], &hex::encode("Rack"), "Anna", "Otto", "pw123", "6f6c61"];
        for word in ["Ruben", "secret site", "Foo", "7231", &syslog].into_iter().chain(hidden) {
            assert!(!text.contains(word), "{word}: {text}");
        }
        for word in ["eth0", "1500", "mtu 9000", "65001", "10.0.0.1", "ge-0/0/0", &hex::encode("CUST")] {
            assert!(text.contains(word), "{word}: {text}");
        }
        assert_eq!(input["bytes"].as_str().unwrap().len(), initiation.len());
        assert_eq!(redact(&mut input), 4, "only what is x already is written again");
    }
}
