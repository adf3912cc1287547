//! What of a capture may leave the house: descriptions and names that people wrote are replaced, everything else stays as it came.
//!
//! Secrets never enter a capture (they are taken out again here, for captures of builds that let a configuration's passwords in); this is for
//! what an operator would rather not tell a colleague elsewhere: descriptions and remarks, what a router says of itself in BMP, what it says
//! when a session is shut down, the reasons that operators give, and who logs in to a device with which keys. Prefixes, AS numbers and
//! addresses stay: without them there is nothing to look at.

use serde_json::Value;

/// Stands where a text stood.
pub(crate) const INSTEAD: &str = "(redacted)";

/// BMP message types (RFC 7854 §4.1).
const PEER_DOWN: u8 = 2;
const PEER_UP: u8 = 3;
pub(crate) const INITIATION: u8 = 4;
const TERMINATION: u8 = 5;
/// Common header and per-peer header, bytes.
const PEER_HEADERS: usize = 48;
/// Addresses and ports of a Peer Up before its OPENs, bytes.
const PEER_UP_FIELDS: usize = 20;
/// BGP header, bytes.
const BGP_HEADER: usize = 19;
/// Version, AS, hold time and identifier of an OPEN, bytes (RFC 4271 §4.2).
const OPEN_FIELDS: usize = 9;
/// The optional parameter with capabilities (RFC 5492 §4), and what says that lengths have two bytes (RFC 9072 §2).
const CAPABILITIES: u8 = 2;
const EXTENDED: u8 = 255;
/// Capabilities with words: host and domain name (draft-walton-bgp-hostname-capability), software version
/// (draft-ietf-idr-software-version). Each is one or two texts behind their lengths.
const CAPABILITIES_WITH_WORDS: [u8; 2] = [73, 75];
/// Information TLVs with words (BMP registry "Initiation and Peer Up Information TLVs"): string, sysDescr, sysName, admin label. The name of a
/// VRF is none of them: it tells tables apart.
const INFORMATION: [u16; 4] = [0, 1, 2, 4];
const VRF_TABLE_NAME: &str = "vrf_table_name";
/// Peer Down that says so by TLVs (RFC 9069 §5.3).
const LOCAL_TLV: u8 = 6;
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
            // the inventory has the name of the site
            let inventory = map.contains_key("own_asn") && map.contains_key("devices");
            let message = map.get("event").and_then(Value::as_str) == Some("message");
            let syslog = map.get("source").and_then(Value::as_str) == Some("syslog");
            // what a router said by syslog, as a state keeps it
            let operator = map.contains_key("command");
            // how a device is reached: who logs in, and where on the collecting machine keys lie
            let login = map.contains_key("username") && map.contains_key("secret");
            let tls = map.contains_key("ca_file");
            let report = map.contains_key("kind") && map.contains_key("user") && map.contains_key("text");
            let mut count = 0;
            for (key, value) in map.iter_mut() {
                count += match (key.as_str(), &mut *value) {
                    // what a router says of itself stands in a state too
                    ("description" | "sys_name", Value::String(text)) => replace(text),
                    ("name", Value::String(text)) if inventory => replace(text),
                    ("username" | "secret", Value::String(text)) if login => replace(text),
                    ("ca_file", Value::String(text)) => replace(text),
                    ("client", Value::Array(files)) if tls => files.iter_mut().map(replace_all).sum(),
                    // of a Peer Up, as a state keeps it
                    ("tlvs", Value::Array(tlvs)) => tlvs.iter_mut().map(information).sum(),
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

/// One information TLV by name.
fn information(tlv: &mut Value) -> u64 {
    match (tlv.get("name").and_then(Value::as_str) == Some(VRF_TABLE_NAME), tlv.get_mut("value")) {
        (false, Some(Value::String(text))) => replace(text),
        _ => 0,
    }
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
        Some(&INITIATION) => tlvs(&mut bytes, 6, &INFORMATION),
        Some(&TERMINATION) => tlvs(&mut bytes, 6, &[0]),
        Some(&PEER_UP) => {
            let open = |at: usize| bytes.get(at + 16..at + 18).map(|l| at + usize::from(u16::from_be_bytes([l[0], l[1]])));
            let sent = PEER_HEADERS + PEER_UP_FIELDS;
            let received = open(sent);
            let behind = received.and_then(open);
            let mut count = 0;
            for (from, to) in [(Some(sent), received), (received, behind)] {
                let message = from.zip(to).and_then(|(from, to)| bytes.get_mut(from..to));
                count += message.map_or(0, open_words);
            }
            count + behind.map_or(0, |at| tlvs(&mut bytes, at, &INFORMATION))
        }
        Some(&PEER_DOWN) if bytes.get(PEER_HEADERS) == Some(&LOCAL_TLV) => tlvs(&mut bytes, PEER_HEADERS + 1, &INFORMATION),
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

/// Finds the value of the first information TLV of a kind, from `at` on.
pub(crate) fn tlv(bytes: &[u8], mut at: usize, wanted: u16) -> Option<&[u8]> {
    loop {
        let &[a, b, c, d] = bytes.get(at..at + 4)? else { return None };
        let (kind, length) = (u16::from_be_bytes([a, b]), usize::from(u16::from_be_bytes([c, d])));
        let value = bytes.get(at + 4..at + 4 + length)?;
        if kind == wanted {
            return Some(value);
        }
        at += 4 + length;
    }
}

/// Fills the names in the capabilities of one OPEN.
fn open_words(message: &mut [u8]) -> u64 {
    let Some((&mut length, parameters)) = message.get_mut(BGP_HEADER + OPEN_FIELDS..).and_then(<[u8]>::split_first_mut) else { return 0 };
    let extended = length == EXTENDED && parameters.first() == Some(&EXTENDED);
    let mut rest = if extended { parameters.get_mut(3..).unwrap_or_default() } else { parameters };
    let mut count = 0;
    while let Some((kind, value, behind)) = parameter(rest, extended) {
        let mut capabilities = if kind == CAPABILITIES { value } else { Default::default() };
        while let Some((code, value, behind)) = parameter(capabilities, false) {
            if CAPABILITIES_WITH_WORDS.contains(&code) {
                count += words(value);
            }
            capabilities = behind;
        }
        rest = behind;
    }
    count
}

/// Splits off one parameter or capability: type, value, what follows.
fn parameter(bytes: &mut [u8], wide: bool) -> Option<(u8, &mut [u8], &mut [u8])> {
    let (&mut kind, rest) = bytes.split_first_mut()?;
    let (length, rest) = if wide {
        let (length, rest) = rest.split_first_chunk_mut::<2>()?;
        (usize::from(u16::from_be_bytes(*length)), rest)
    } else {
        let (&mut length, rest) = rest.split_first_mut()?;
        (usize::from(length), rest)
    };
    let (value, behind) = rest.split_at_mut_checked(length)?;
    Some((kind, value, behind))
}

/// Fills texts that stand behind their lengths.
fn words(mut value: &mut [u8]) -> u64 {
    let mut count = 0;
    while let Some((&mut length, rest)) = value.split_first_mut() {
        let Some((text, behind)) = rest.split_at_mut_checked(usize::from(length)) else { break };
        if !text.is_empty() {
            text.fill(b'x');
            count += 1;
        }
        value = behind;
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

    /// The state at the head of a segment keeps what was said before it.
    #[test]
    fn words_of_a_peer_up_go_out_of_a_state_and_out_of_the_opens() {
        let tlv = |name: &str, value: &str| json!({"name": name, "value": value});
        let tlvs = [tlv("string", "Foo"), tlv("sys_descr", "Foo OS"), tlv("admin_label", "Foo"), tlv("vrf_table_name", "CUST-1")];
        let peer = json!({"instance": "CUST-1", "tlvs": tlvs});
        let mut input =
            json!({"input": "state", "state": {"devices": {"r1": {"bmp_session": {"sys_name": "Foo", "peers": [[{}, peer]]}}}}});
        assert_eq!(redact(&mut input), 4);
        let text = input.to_string();
        assert!(!text.contains("Foo") && text.matches("CUST-1").count() == 2, "{text}");
        assert_eq!(redact(&mut input), 0);

        // FQDN and software version beside 4-octet AS, in both forms of the parameters
        let capabilities = [&[65, 4, 0, 0, 0xFD, 0xE9, 73, 9, 4][..], b"edge", &[3], b"Foo", &[75, 5, 4], b"Foo1"].concat();
        let length = capabilities.len() as u8;
        let narrow = [&[length + 2, 2, length][..], &capabilities].concat();
        let wide = [&[255, 255, 0, length + 3, 2, 0, length][..], &capabilities].concat();
        let open = |parameters: &[u8]| {
            let total = 19 + 9 + parameters.len() as u8;
            [&[0xFF; 16][..], &[0, total, 1, 4, 0xFD, 0xE9, 0, 90, 10, 0, 0, 1], parameters].concat()
        };
        let up = [&[3, 0, 0, 0, 0, 3][..], &[0; 42], &[0; 20], &open(&narrow), &open(&wide), &[0, 2, 0, 3], b"Foo"].concat();
        let before = hex::encode(&up);
        let mut input = json!({"event": "message", "bytes": before});
        assert_eq!(redact(&mut input), 7);
        let after = hex::decode(input["bytes"].as_str().unwrap()).unwrap();
        let changed: Vec<u8> = up.iter().zip(&after).filter(|(a, b)| a != b).map(|(a, _)| *a).collect();
        assert_eq!((after.len(), changed.as_slice()), (up.len(), &b"edgeFooFoo1edgeFooFoo1Foo"[..]), "nothing but words");

        let down = [&[3, 0, 0, 0, 0, 2][..], &[0; 42], &[6, 0, 0, 0, 3], b"Foo", &[0, 3, 0, 1], b"V"].concat();
        let mut input = json!({"event": "message", "bytes": hex::encode(down)});
        assert_eq!(redact(&mut input), 1);
        // a length that leads nowhere costs nothing
        for cut in 60..up.len() {
            redact(&mut json!({"event": "message", "bytes": hex::encode(&up[..cut])}));
        }
    }

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
            "gnmi": {
                "tls": {"policy": "verify", "ca_file": "/etc/boris/ca.pem", "server_name": "r1", "client": ["/etc/boris/c.pem", "/etc/boris/k.pem"]},
                "credential": {"username": "boris", "secret": "gnmi-boris"},
            },
            "said": {"source": "syslog", "device": "r1", "bytes": hex::encode("<189>1: user Foo did it")},
            "recent": [{"kind": "config_committed", "user": "Foo", "from": null, "text": "user Foo did it", "device": "r1"}],
            "text": "interface eth0\n description customer Foo\n mtu 9000\nrouter bgp 65001\n neighbor 10.0.0.1 description Foo\n",
        });
        assert_eq!(redact(&mut input), 21);
        let text = input.to_string();
        let syslog = hex::encode("Foo");
        let hidden = [&hex::encode("Boris")[..], &hex::encode("Rack"), "Anna", "Otto", "pw123", "6f6c61", "boris"];
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
