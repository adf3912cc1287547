//! One message.
//!
//! ```text
//! RFC 5424  <165>1 2026-11-23T18:00:00.003Z r1 mgd 3046 UI_COMMIT [junos@2636.1.1.1.2.18 username="lab"] BOM text
//! RFC 3164  <30>Nov 23 18:00:00 r1 bgpd[812]: text
//! Cisco     <189>45: *Nov 23 18:00:00.483 UTC: %SYS-5-CONFIG_I: text
//! IOS-XR    <189>58: RP/0/RP0/CPU0:Nov 23 18:00:00.483 UTC: config[65873]: %MGBL-CONFIG-6-DB_COMMIT : text
//! ```

use crate::date::{self, Scan};
use crate::text::visible;
use serde::Serialize;

/// Elements of structured data, and parameters of each, that are kept.
pub const STRUCTURED_MAX: usize = 64;
/// Bytes of a tag: RFC 3164 §4.1.3 says 32, real ones are longer.
const TAG_BYTES_MAX: usize = 64;
/// Bytes of a host name (RFC 5424 §6.2.4).
const HOST_BYTES_MAX: usize = 255;
/// UTF-8 byte order mark before the text (RFC 5424 §6.4).
const BOM: &[u8] = &[0xEF, 0xBB, 0xBF];

/// How a message was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// RFC 5424.
    Rfc5424,
    /// RFC 3164 or one of its relatives.
    Rfc3164,
    /// Neither: all of it is text.
    Bare,
}

/// What could not be read; everything else was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// Offset of the first byte that does not read.
    pub offset: usize,
    /// What was expected there.
    pub what: &'static str,
}

/// One element of structured data (RFC 5424 §6.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Element {
    /// Its id (`junos@2636.1.1.1.2.18`).
    pub id: String,
    /// Its parameters in order, escapes resolved.
    pub params: Vec<(String, String)>,
}

/// One message. All text is of the device: tainted, with control characters visible.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Message {
    /// How it was written.
    pub format: Format,
    /// Facility, 0–23 (RFC 5424 table 1).
    pub facility: Option<u8>,
    /// Severity, 0 emergency to 7 debug (RFC 5424 table 2).
    pub severity: Option<u8>,
    /// The device's time, nanoseconds since the Unix epoch.
    pub time: Option<i64>,
    /// The year stood in it; else it is the one nearest to the receipt.
    pub year_given: bool,
    /// The zone stood in it; else it was taken for UTC.
    pub zone_given: bool,
    /// Host name as the message has it.
    pub host: Option<String>,
    /// Program (APP-NAME, or the tag).
    pub app: Option<String>,
    /// Process.
    pub process: Option<String>,
    /// MSGID (RFC 5424 §6.2.7).
    pub message_id: Option<String>,
    /// Structured data.
    pub structured: Vec<Element>,
    /// The text.
    pub text: String,
    /// What did not read.
    pub faults: Vec<Fault>,
}

/// Reads one datagram or frame that came at `received`, nanoseconds since the Unix epoch. Never fails: what does not read is text.
#[must_use]
pub fn parse(bytes: &[u8], received: i64) -> Message {
    let mut m = Message {
        format: Format::Bare,
        facility: None,
        severity: None,
        time: None,
        year_given: false,
        zone_given: false,
        host: None,
        app: None,
        process: None,
        message_id: None,
        structured: Vec::new(),
        text: String::new(),
        faults: Vec::new(),
    };
    // some senders end a datagram as if it were a line
    let end = bytes.iter().rposition(|b| !matches!(b, b'\n' | b'\r' | 0)).map_or(0, |i| i + 1);
    let bytes = bytes.get(..end).unwrap_or_default();
    let Some((priority, after)) = priority(bytes) else {
        m.faults.push(Fault { offset: 0, what: "a priority in angle brackets, 0 to 191 (RFC 5424 §6.2.1)" });
        m.text = visible(bytes);
        return m;
    };
    (m.facility, m.severity) = (Some(priority / 8), Some(priority % 8));
    let rest = bytes.get(after..).unwrap_or_default();
    let text = match rest.strip_prefix(b"1 ") {
        Some(rest) => rfc5424(&mut m, rest, after + 2),
        None => rfc3164(&mut m, rest, after, received),
    };
    m.text = visible(text);
    m
}

fn priority(bytes: &[u8]) -> Option<(u8, usize)> {
    let mut s = Scan { rest: bytes };
    let number = s.eat(b'<').then(|| s.number(1, 3)).flatten().filter(|n| *n <= 191)?;
    let closed = s.eat(b'>');
    u8::try_from(number).ok().filter(|_| closed).map(|n| (n, bytes.len() - s.rest.len()))
}

fn field(word: &[u8]) -> Option<String> {
    (!word.is_empty() && word != b"-").then(|| visible(word))
}

/// Reads what follows `<PRI>1 `; returns the text.
fn rfc5424<'a>(m: &mut Message, bytes: &'a [u8], base: usize) -> &'a [u8] {
    m.format = Format::Rfc5424;
    let mut s = Scan { rest: bytes };
    let at = |s: &Scan<'_>| base + (bytes.len() - s.rest.len());
    let (start, word) = (at(&s), s.word());
    match date::rfc3339(word) {
        Some((time, n)) if n == word.len() => (m.time, m.year_given, m.zone_given) = (Some(time), true, true),
        _ if word == b"-" => {}
        _ => m.faults.push(Fault { offset: start, what: "a time (RFC 5424 §6.2.3)" }),
    }
    for slot in [&mut m.host, &mut m.app, &mut m.process, &mut m.message_id] {
        if !s.eat(b' ') {
            m.faults.push(Fault { offset: at(&s), what: "a space and the next field of the header (RFC 5424 §6)" });
            return s.rest;
        }
        *slot = field(s.word());
    }
    if !s.eat(b' ') {
        m.faults.push(Fault { offset: at(&s), what: "a space and structured data (RFC 5424 §6.3)" });
        return s.rest;
    }
    if !s.eat(b'-') {
        let before = s;
        if let Err((rest, what)) = structured(&mut s, &mut m.structured) {
            m.faults.push(Fault { offset: base + (bytes.len() - rest), what });
            // as if it were text: nothing of it is hidden
            m.structured.clear();
            return before.rest;
        }
    }
    if !s.rest.is_empty() && !s.eat(b' ') {
        m.faults.push(Fault { offset: at(&s), what: "a space before the text (RFC 5424 §6)" });
    }
    s.rest.strip_prefix(BOM).unwrap_or(s.rest)
}

/// Reads elements; on failure returns how many bytes were left, and what was expected.
fn structured(s: &mut Scan<'_>, out: &mut Vec<Element>) -> Result<(), (usize, &'static str)> {
    if s.rest.first() != Some(&b'[') {
        return Err((s.rest.len(), "`-` or an element of structured data (RFC 5424 §6.3)"));
    }
    while s.eat(b'[') {
        let id = name(s).ok_or((s.rest.len(), "the id of an element (RFC 5424 §6.3.2)"))?;
        let mut element = Element { id, params: Vec::new() };
        while s.spaces() > 0 && s.rest.first() != Some(&b']') {
            let key = name(s).ok_or((s.rest.len(), "the name of a parameter (RFC 5424 §6.3.3)"))?;
            if !(s.eat(b'=') && s.eat(b'"')) {
                return Err((s.rest.len(), "`=\"` behind the name of a parameter (RFC 5424 §6.3.3)"));
            }
            let value = quoted(s).ok_or((s.rest.len(), "the closing quote of a value (RFC 5424 §6.3.3)"))?;
            if element.params.len() < STRUCTURED_MAX {
                element.params.push((key, value));
            }
        }
        if !s.eat(b']') {
            return Err((s.rest.len(), "`]` behind an element (RFC 5424 §6.3.1)"));
        }
        if out.len() < STRUCTURED_MAX {
            out.push(element);
        }
    }
    Ok(())
}

fn name(s: &mut Scan<'_>) -> Option<String> {
    let n = s.rest.iter().take_while(|b| b.is_ascii_graphic() && !matches!(b, b'=' | b']' | b'"')).count();
    let name = s.rest.get(..n).filter(|_| n > 0)?;
    s.skip(n);
    Some(visible(name))
}

/// Reads up to the closing quote; `\"`, `\\` and `\]` are escapes, any other backslash is itself (RFC 5424 §6.3.3).
fn quoted(s: &mut Scan<'_>) -> Option<String> {
    let mut value = Vec::new();
    let mut bytes = s.rest.iter().enumerate();
    while let Some((i, b)) = bytes.next() {
        match (b, s.rest.get(i + 1)) {
            (b'"', _) => {
                s.skip(i + 1);
                return Some(visible(&value));
            }
            (b'\\', Some(next @ (b'"' | b'\\' | b']'))) => {
                value.push(*next);
                bytes.next();
            }
            _ => value.push(*b),
        }
    }
    None
}

/// Reads what follows `<PRI>`; returns the text.
fn rfc3164<'a>(m: &mut Message, bytes: &'a [u8], base: usize, received: i64) -> &'a [u8] {
    m.format = Format::Rfc3164;
    let mut s = Scan { rest: bytes };
    prelude(m, &mut s);
    let mut ahead = s;
    // a clock that is not synchronised is marked (Cisco IOS: `*`, `.`)
    let _ = ahead.eat(b'*') || ahead.eat(b'.');
    if let Some(found) = date::legacy(ahead.rest, received) {
        (m.time, m.year_given, m.zone_given) = (Some(found.time), found.year_given, found.zone_given);
        ahead.skip(found.length);
    } else if let Some((time, n)) = date::rfc3339(ahead.rest) {
        (m.time, m.year_given, m.zone_given) = (Some(time), true, true);
        ahead.skip(n);
    } else {
        m.faults.push(Fault { offset: base + (bytes.len() - s.rest.len()), what: "a time (RFC 3164 §4.1.2)" });
        tag(m, &mut s);
        return s.rest;
    }
    s = ahead;
    let mut colon = s;
    colon.spaces();
    if colon.eat(b':') {
        // Cisco: the time ends with a colon and no host follows
        s = colon;
        s.spaces();
    } else {
        s.spaces();
        host(m, &mut s);
    }
    tag(m, &mut s);
    s.rest
}

/// What some put before the time: a number and a colon (Cisco IOS), a host (IOS-XR), a node and a colon (IOS-XR).
fn prelude(m: &mut Message, s: &mut Scan<'_>) {
    let mut ahead = *s;
    ahead.number(1, 12);
    if ahead.eat(b':') {
        ahead.spaces();
        *s = ahead;
    }
    let mut ahead = *s;
    let first = ahead.word();
    if !is_node(first) && ahead.spaces() == 1 && is_node(ahead.word()) && is_host(first) {
        m.host = field(first);
        s.skip(first.len() + 1);
    }
    let node = { *s }.word();
    if is_node(node)
        && let Some(colon) = node.iter().position(|b| *b == b':')
    {
        s.skip(colon + 1);
    }
}

/// `RP/0/RP0/CPU0:Nov`: the node that speaks, of a chassis.
fn is_node(word: &[u8]) -> bool {
    let node = word.split(|b| *b == b':').next().unwrap_or_default();
    word.contains(&b':') && node.iter().filter(|b| **b == b'/').count() == 3 && node.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'/')
}

fn is_host(word: &[u8]) -> bool {
    !word.is_empty()
        && word.len() <= HOST_BYTES_MAX
        && word.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':'))
        && word.last() != Some(&b':')
}

fn host(m: &mut Message, s: &mut Scan<'_>) {
    let mut ahead = *s;
    let word = ahead.word();
    if is_host(word) && ahead.spaces() > 0 {
        m.host = field(word);
        *s = ahead;
    }
}

/// Reads `program[process]:` off, or `program:`.
fn tag(m: &mut Message, s: &mut Scan<'_>) {
    let in_tag = |b: &&u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'/' | b'#' | b'@');
    let n = s.rest.iter().take(TAG_BYTES_MAX + 1).take_while(in_tag).count();
    let program = s.rest.get(..n).unwrap_or_default();
    if n == 0 || n > TAG_BYTES_MAX {
        return;
    }
    let mut ahead = *s;
    ahead.skip(n);
    let mut process = None;
    if ahead.eat(b'[') {
        let n = ahead.rest.iter().take(TAG_BYTES_MAX).take_while(|b| b.is_ascii_graphic() && **b != b']').count();
        process = ahead.rest.get(..n).and_then(field);
        ahead.skip(n);
        if !ahead.eat(b']') {
            return;
        }
    }
    if ahead.eat(b':') {
        ahead.spaces();
        (m.app, m.process) = (field(program), process);
        *s = ahead;
    }
}
