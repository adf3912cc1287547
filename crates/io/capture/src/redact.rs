//! What of a capture may leave the house: descriptions and names that people wrote are replaced, everything else stays as it came.
//!
//! Secrets never enter a capture; this is for what an operator would rather not tell a colleague elsewhere: descriptions of interfaces and
//! neighbours, and what a router says of itself in BMP. Prefixes, AS numbers and addresses stay: without them there is nothing to look at.

use serde_json::Value;

/// Stands where a text stood.
const INSTEAD: &str = "(redacted)";

/// BMP message type (RFC 7854 §4.3).
const INITIATION: u8 = 4;
/// Information TLVs `sysDescr` and `sysName` (RFC 7854 §4.4).
const SYS_WORDS: [u16; 2] = [1, 2];

/// Replaces the texts in one input; returns how many were replaced.
pub fn redact(input: &mut Value) -> u64 {
    match input {
        Value::Object(map) => {
            // one leaf of a device: {"path": "…/description", "value": {…}}
            let leaf = map.get("path").and_then(Value::as_str).is_some_and(|p| p.ends_with("/description"));
            let message = map.get("event").and_then(Value::as_str) == Some("message");
            let syslog = map.get("source").and_then(Value::as_str) == Some("syslog");
            // what a router said by syslog, as a state keeps it
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

/// `description WORDS` at the end of a line, as FRR, EOS and IOS write it.
fn configuration(text: &mut String) -> u64 {
    let mut count = 0;
    let lines: Vec<String> = text
        .split('\n')
        .map(|line| match line.split_once("description ") {
            Some((before, words)) if words != INSTEAD && (before.is_empty() || before.ends_with(' ')) => {
                count += 1;
                format!("{before}description {INSTEAD}")
            }
            _ => line.to_owned(),
        })
        .collect();
    if count > 0 {
        *text = lines.join("\n");
    }
    count
}

/// `sysDescr` and `sysName` of an Initiation message become as many `x`: lengths stay, so that every other byte stays where it was.
fn bmp(text: &mut String) -> u64 {
    let Ok(mut bytes) = hex::decode(text.as_str()) else { return 0 };
    if bytes.get(5) != Some(&INITIATION) {
        return 0;
    }
    let (mut at, mut count) = (6, 0);
    while let Some(&[a, b, c, d]) = bytes.get(at..at + 4) {
        let (kind, length) = (u16::from_be_bytes([a, b]), usize::from(u16::from_be_bytes([c, d])));
        at += 4;
        let Some(value) = bytes.get_mut(at..at + length) else { break };
        if SYS_WORDS.contains(&kind) {
            value.fill(b'x');
            count += 1;
        }
        at += length;
    }
    if count > 0 {
        *text = hex::encode(bytes);
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_people_wrote_is_replaced_and_the_rest_stays() {
        let initiation = format!("03{:08x}04{}{}", 6 + 4 + 2 + 4 + 3, "000200027231", "000000036f6c61");
        let mut input = json!({
            "observation": {"updates": [
                {"path": "/interfaces/interface[name=eth0]/config/description", "value": {"json": "to Ruben's house"}},
                {"path": "/interfaces/interface[name=eth0]/state", "value": {"json": {"description": "secret site", "mtu": 1500}}},
            ]},
            "event": "message",
            "bytes": initiation,
            "bmp_session": {"sys_name": "core-of-Foo"},
            "said": {"source": "syslog", "device": "r1", "bytes": hex::encode("<189>1: user Foo did it")},
            "recent": [{"kind": "config_committed", "user": "Foo", "from": null, "text": "user Foo did it", "device": "r1"}],
            "text": "interface eth0\n description customer Foo\n mtu 9000\nrouter bgp 65001\n neighbor 10.0.0.1 description Foo\n",
        });
        assert_eq!(redact(&mut input), 9);
        let text = input.to_string();
        let syslog = hex::encode("Foo");
        for word in ["Ruben", "secret site", "Foo", "7231", &syslog] {
            assert!(!text.contains(word), "{word}: {text}");
        }
        for word in ["eth0", "1500", "mtu 9000", "65001", "6f6c61", "10.0.0.1"] {
            assert!(text.contains(word), "{word}: {text}");
        }
        assert_eq!(input["bytes"].as_str().unwrap().len(), initiation.len());
        assert_eq!(redact(&mut input), 1, "only the router's name, which is x already, is written again");
    }
}
