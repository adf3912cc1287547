//! Telemetry in files, one record an update: protobuf's JSON of SubscribeResponse, GetResponse and Notification, and what gnmic prints.

use crate::entries::{Piece, entries};
use crate::protojson::{self, Fault, field, list, number, object, text};
use crate::{path_from_wire, value_from_wire, wire};
use gnmi::{Path, Repair, Repairs, Value, module};
use serde_json::{Map, Value as Json, json};
use units::Timestamp;

/// Bytes of a bad entry that are shown.
const RAW_MAX: usize = 256;

/// What a file says, in its order. Paths are canonical, values are leaves.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// A leaf has a value.
    Update {
        /// Whose and when.
        head: Head,
        /// The leaf.
        path: Path,
        /// Its value.
        value: Value,
        /// Values that the device left out before this one.
        duplicates: u32,
        /// What was corrected.
        repairs: Vec<Repair>,
    },
    /// Everything at and below a path is gone.
    Delete {
        /// Whose and when.
        head: Head,
        /// The path; may hold wildcards.
        path: Path,
    },
    /// The updates that follow with the same head replace everything below a path.
    Atomic {
        /// Whose and when.
        head: Head,
        /// The notification's prefix.
        path: Path,
    },
    /// All that was there at the beginning has been sent.
    Sync {
        /// Target, where the file says it.
        target: Option<String>,
    },
    /// A notification without content.
    KeepAlive {
        /// Whose and when.
        head: Head,
    },
    /// Part of the file that could not be read.
    Malformed {
        /// First byte of the entry.
        offset: usize,
        /// Its length in bytes.
        length: usize,
        /// Field and fault.
        fault: Fault,
        /// The entry's beginning, at most 256 bytes.
        raw: Vec<u8>,
    },
}

/// Whose a record is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// Target (prefix) or source (gnmic).
    pub target: Option<String>,
    /// Nanoseconds since the Unix epoch; `None` where the device gave none.
    pub time: Option<i64>,
    /// Origin of the path; empty where none was given.
    pub origin: String,
}

impl Record {
    /// Returns the object that `pilotctl decode gnmi` prints.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let at = |head: &Head, kind: &str| {
            json!({
                "type": kind, "target": head.target, "origin": Some(&head.origin).filter(|o| !o.is_empty()),
                "time": head.time.map(|t| Timestamp::from_nanos(t).to_string()),
            })
        };
        let with = |mut object: Json, more: Json| {
            if let (Json::Object(object), Json::Object(more)) = (&mut object, more) {
                object.extend(more);
            }
            object
        };
        match self {
            Self::Update { head, path, value, duplicates, repairs } => with(
                at(head, "update"),
                json!({
                    "path": path.to_string(), "value": plain(value), "value_type": gnmi::value_type(path, value),
                    "duplicates": duplicates, "repairs": repairs.iter().map(|r| r.name()).collect::<Vec<_>>(),
                }),
            ),
            Self::Delete { head, path } => with(at(head, "delete"), json!({"path": path.to_string()})),
            Self::Atomic { head, path } => with(at(head, "atomic"), json!({"path": path.to_string()})),
            Self::Sync { target } => json!({"type": "sync", "target": target}),
            Self::KeepAlive { head } => at(head, "keep_alive"),
            Self::Malformed { offset, length, fault, raw } => {
                let hex: String = raw.iter().map(|b| format!("{b:02x}")).collect();
                json!({"type": "malformed", "offset": offset, "length": length, "place": fault.place, "error": fault.what, "raw": hex})
            }
        }
    }
}

/// Returns a value as plain JSON; bytes become base64.
fn plain(value: &Value) -> Json {
    match value {
        Value::String(s) => Json::String(s.clone()),
        Value::Int(n) => (*n).into(),
        Value::Uint(n) => (*n).into(),
        Value::Bool(b) => (*b).into(),
        Value::Double(d) => serde_json::Number::from_f64(*d).map_or(Json::Null, Json::Number),
        Value::Bytes(b) => Json::String(base64::Engine::encode(&base64::engine::general_purpose::STANDARD, b)),
        Value::LeafList(list) => list.iter().map(plain).collect(),
        Value::Json(json) => json.clone(),
    }
}

/// Reads a file's text; every record goes to `each`, in order. Never fails: what cannot be read is [`Record::Malformed`].
pub fn read(bytes: &[u8], repairs: &mut Repairs, mut each: impl FnMut(Record)) {
    for (offset, piece) in entries(bytes) {
        let (Piece::Entry(raw) | Piece::Other(raw) | Piece::Open(raw)) = piece;
        let mut reader = Reader { repairs, each: &mut each, offset, raw };
        match piece {
            Piece::Entry(raw) => match serde_json::from_slice::<Json>(raw) {
                Ok(Json::Object(entry)) => reader.entry(&entry),
                Ok(_) => reader.bad("", "is no object".to_owned()),
                Err(e) => reader.bad("", format!("JSON is broken at line {}, column {}: {e}", e.line(), e.column())),
            },
            Piece::Other(_) => reader.bad("", "text that is no JSON object".to_owned()),
            Piece::Open(_) => reader.bad("", "an object that does not end".to_owned()),
        }
    }
}

/// Returns the records of a message from the wire. `received` is nanoseconds since the Unix epoch.
#[must_use]
pub fn records(response: &wire::SubscribeResponse, repairs: &mut Repairs, received: Option<i64>) -> Vec<Record> {
    let mut out = Vec::new();
    let mut push = |record| out.push(record);
    let mut reader = Reader { repairs, each: &mut push, offset: 0, raw: &[] };
    match &response.response {
        Some(wire::subscribe_response::Response::Update(n)) => reader.notification(n, None, received, "update"),
        Some(wire::subscribe_response::Response::SyncResponse(true)) => push(Record::Sync { target: None }),
        _ => reader.bad("response", "holds neither an update nor a sync_response".to_owned()),
    }
    out
}

/// Returns the records of the bytes of one SubscribeResponse.
///
/// # Errors
/// [`prost::DecodeError`] when they are none.
pub fn records_from_bytes(bytes: &[u8]) -> Result<Vec<Record>, prost::DecodeError> {
    let response = <wire::SubscribeResponse as prost::Message>::decode(bytes)?;
    Ok(records(&response, &mut Repairs::default(), None))
}

struct Reader<'a> {
    repairs: &'a mut Repairs,
    each: &'a mut dyn FnMut(Record),
    offset: usize,
    raw: &'a [u8],
}

impl Reader<'_> {
    fn bad(&mut self, place: &str, what: String) {
        self.fault(Fault { place: place.to_owned(), what });
    }

    fn fault(&mut self, fault: Fault) {
        let raw = self.raw.iter().copied().take(RAW_MAX).collect();
        (self.each)(Record::Malformed { offset: self.offset, length: self.raw.len(), fault, raw });
    }

    fn entry(&mut self, entry: &Map<String, Json>) {
        if let Err(fault) = self.known(entry) {
            self.fault(fault);
        }
    }

    /// Tells the shapes apart by their fields.
    fn known(&mut self, entry: &Map<String, Json>) -> Result<(), Fault> {
        if let Some(sync) = field(entry, "sync_response").or_else(|| entry.get("sync-response")) {
            if protojson::boolean(Some(sync), "sync_response")? {
                (self.each)(Record::Sync { target: source(entry)? });
            }
            return Ok(());
        }
        if let Some(Json::Object(update)) = field(entry, "update") {
            return self.proto(update, "update");
        }
        if let Some(all) = field(entry, "notification") {
            for (i, n) in list(Some(all), "notification")?.iter().enumerate() {
                let place = format!("notification[{i}]");
                if let Err(fault) = object(n, &place).and_then(|n| self.proto(n, &place)) {
                    self.fault(fault);
                }
            }
            return Ok(());
        }
        if ["updates", "deletes"].iter().any(|f| entry.contains_key(*f)) {
            return self.gnmic(entry);
        }
        if ["update", "delete", "prefix", "timestamp"].iter().any(|f| entry.contains_key(*f)) {
            return self.proto(entry, "notification");
        }
        Err(Fault {
            place: String::new(),
            what: "is neither a SubscribeResponse, a GetResponse, a Notification nor a gnmic message".to_owned(),
        })
    }

    fn proto(&mut self, json: &Map<String, Json>, place: &str) -> Result<(), Fault> {
        let (notification, faults) = protojson::notification(json, place)?;
        for fault in faults {
            self.fault(fault);
        }
        self.notification(&notification, None, None, place);
        Ok(())
    }

    fn notification(&mut self, n: &wire::Notification, target: Option<String>, received: Option<i64>, place: &str) {
        let prefix = n.prefix.as_ref();
        let (time, late) = self.repairs.time(n.timestamp, received);
        let target = target.or_else(|| prefix.map(|p| p.target.clone())).filter(|t| !t.is_empty());
        let origin = |path: Option<&wire::Path>| {
            let origins = [path, prefix].into_iter().flatten().map(|p| &p.origin);
            origins.into_iter().find(|o| !o.is_empty()).cloned().unwrap_or_default()
        };
        let head = |path: Option<&wire::Path>| Head { target: target.clone(), time, origin: origin(path) };
        if n.atomic {
            let path = self.path(prefix, None).0;
            (self.each)(Record::Atomic { head: head(None), path });
        } else if n.update.is_empty() && n.delete.is_empty() {
            (self.each)(Record::KeepAlive { head: head(None) });
        }
        for wire in &n.delete {
            let path = self.path(prefix, Some(wire)).0;
            (self.each)(Record::Delete { head: head(Some(wire)), path });
        }
        for (i, update) in n.update.iter().enumerate() {
            let (path, underscored) = self.path(prefix, update.path.as_ref());
            let repairs: Vec<Repair> = late.into_iter().chain(underscored).collect();
            match value_from_wire(update.val.as_ref(), &path) {
                Ok(value) => self.leaves(&head(update.path.as_ref()), path, value, update.duplicates, &repairs),
                Err(e) => self.bad(&format!("{place}.update[{i}].val"), e.to_string()),
            }
        }
    }

    fn path(&mut self, prefix: Option<&wire::Path>, path: Option<&wire::Path>) -> (Path, Option<Repair>) {
        let mut path = path_from_wire(prefix, path);
        let repair = self.repairs.path(&mut path);
        (path, repair)
    }

    /// One record a leaf; a container in JSON is opened.
    fn leaves(&mut self, head: &Head, path: Path, value: Value, duplicates: u32, before: &[Repair]) {
        let leaves = match &value {
            Value::Json(json) => gnmi::leaves(&path, json),
            _ => gnmi::Leaves { updates: vec![gnmi::Update { path, value }], cut: 0 },
        };
        for update in leaves.updates {
            let (value, repair) = self.repairs.value(&update.path, update.value);
            let repairs = before.iter().copied().chain(repair).collect();
            (self.each)(Record::Update { head: head.clone(), path: update.path, value, duplicates, repairs });
        }
        if leaves.cut > 0 {
            self.bad("val", format!("{} leaves are too many or too deep", leaves.cut));
        }
    }

    /// `{"source", "timestamp" | "time", "prefix", "updates": [{"Path", "values": {path: value}}], "deletes": [path]}`
    fn gnmic(&mut self, entry: &Map<String, Json>) -> Result<(), Fault> {
        let timestamp = match (field(entry, "timestamp"), entry.get("time").and_then(Json::as_str)) {
            (None, Some(time)) => Timestamp::parse(time)
                .map(Timestamp::nanos)
                .ok_or_else(|| Fault { place: "time".into(), what: "is no RFC 3339 time".into() })?,
            (timestamp, _) => number(timestamp, "timestamp")?,
        };
        let (time, late) = self.repairs.time(timestamp, None);
        let prefix = text(field(entry, "prefix"), "prefix")?;
        let target = source(entry)?;
        let parse = |own: &str, place: &str| -> Result<(String, Path), Fault> {
            let (origin, prefix) = module::split_origin(&prefix);
            let (own_origin, own) = module::split_origin(own);
            let mut joined: Path = prefix.parse().map_err(|e: gnmi::PathError| Fault { place: "prefix".into(), what: e.to_string() })?;
            let own: Path = own.parse().map_err(|e: gnmi::PathError| Fault { place: place.to_owned(), what: e.to_string() })?;
            joined.elems.extend(own.elems);
            Ok((if own_origin.is_empty() { origin } else { own_origin }.to_owned(), joined))
        };
        for (i, path) in list(entry.get("deletes"), "deletes")?.iter().enumerate() {
            let place = format!("deletes[{i}]");
            let (origin, mut path) = parse(&text(Some(path), &place)?, &place)?;
            self.repairs.path(&mut path);
            (self.each)(Record::Delete { head: Head { target: target.clone(), time, origin }, path });
        }
        for (i, update) in list(entry.get("updates"), "updates")?.iter().enumerate() {
            let place = format!("updates[{i}]");
            let read = object(update, &place).and_then(|u| {
                let path = parse(&text(u.get("Path"), &format!("{place}.Path"))?, &format!("{place}.Path"))?;
                let values = u.get("values").ok_or_else(|| Fault { place: place.clone(), what: "has no values".to_owned() })?;
                Ok((path, object(values, &format!("{place}.values"))?))
            });
            let ((origin, mut path), values) = match read {
                Ok(read) => read,
                Err(fault) => {
                    self.fault(fault);
                    continue;
                }
            };
            let underscored = self.repairs.path(&mut path);
            let head = Head { target: target.clone(), time, origin };
            let repairs: Vec<Repair> = late.into_iter().chain(underscored).collect();
            for value in values.values() {
                self.leaves(&head, path.clone(), Value::Json(value.clone()), 0, &repairs);
            }
        }
        Ok(())
    }
}

/// Whom gnmic names as the sender.
fn source(entry: &Map<String, Json>) -> Result<Option<String>, Fault> {
    let name = |field_name: &str| text(field(entry, field_name), field_name);
    let target = name("target")?;
    Ok(Some(if target.is_empty() { name("source")? } else { target }).filter(|t| !t.is_empty()))
}
