//! Messages in protobuf's JSON: names in either spelling (`syncResponse`, `sync_response`), 64-bit numbers as numbers or strings, bytes as
//! base64 of either alphabet. What is wrong is named with its place; an update that cannot be read does not cost its notification.

use crate::wire::{self, typed_value::Value as Wire};
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use core::str::FromStr;
use serde_json::{Map, Value as Json};

/// Bytes in base64, padded or not.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent));
/// Values in values (leaf-lists of leaf-lists).
const DEPTH_MAX: usize = 8;

/// A field that is not what it must be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {what}")]
pub struct Fault {
    /// Path of the field in the message (`update.update[2].val`).
    pub place: String,
    /// What is wrong.
    pub what: String,
}

impl Fault {
    fn new(place: &str, what: impl Into<String>) -> Self {
        Self { place: place.to_owned(), what: what.into() }
    }
}

/// Returns a field by its proto name, or by its lowerCamelCase one.
#[must_use]
pub fn field<'a>(object: &'a Map<String, Json>, name: &str) -> Option<&'a Json> {
    let mut camel = String::with_capacity(name.len());
    let mut upper = false;
    for c in name.chars() {
        match c {
            '_' => upper = true,
            c => {
                camel.push(if upper { c.to_ascii_uppercase() } else { c });
                upper = false;
            }
        }
    }
    object.get(name).or_else(|| object.get(&camel)).filter(|v| !v.is_null())
}

/// Reads a `Notification`. Updates that cannot be read are left out; their faults come beside it.
///
/// # Errors
/// [`Fault`] when the timestamp, the prefix or a deleted path cannot be read: nothing else in it would mean anything.
pub fn notification(object: &Map<String, Json>, place: &str) -> Result<(wire::Notification, Vec<Fault>), Fault> {
    let mut out = wire::Notification {
        timestamp: number(field(object, "timestamp"), &format!("{place}.timestamp"))?,
        prefix: field(object, "prefix").map(|p| path(p, &format!("{place}.prefix"))).transpose()?,
        atomic: boolean(field(object, "atomic"), &format!("{place}.atomic"))?,
        ..wire::Notification::default()
    };
    for (i, p) in list(field(object, "delete"), &format!("{place}.delete"))?.iter().enumerate() {
        out.delete.push(path(p, &format!("{place}.delete[{i}]"))?);
    }
    let mut faults = Vec::new();
    for (i, u) in list(field(object, "update"), &format!("{place}.update"))?.iter().enumerate() {
        match update(u, &format!("{place}.update[{i}]")) {
            Ok(update) => out.update.push(update),
            Err(fault) => faults.push(fault),
        }
    }
    Ok((out, faults))
}

fn update(json: &Json, place: &str) -> Result<wire::Update, Fault> {
    let object = object(json, place)?;
    let val = field(object, "val").ok_or_else(|| Fault::new(place, "has no val"))?;
    Ok(wire::Update {
        path: field(object, "path").map(|p| path(p, &format!("{place}.path"))).transpose()?,
        val: Some(typed_value(val, &format!("{place}.val"), 0)?),
        duplicates: number(field(object, "duplicates"), &format!("{place}.duplicates"))?,
    })
}

fn path(json: &Json, place: &str) -> Result<wire::Path, Fault> {
    let object = object(json, place)?;
    let mut out = wire::Path {
        origin: text(field(object, "origin"), &format!("{place}.origin"))?,
        target: text(field(object, "target"), &format!("{place}.target"))?,
        ..wire::Path::default()
    };
    for (i, e) in list(field(object, "elem"), &format!("{place}.elem"))?.iter().enumerate() {
        out.elem.push(elem(e, &format!("{place}.elem[{i}]"))?);
    }
    for (i, e) in list(field(object, "element"), &format!("{place}.element"))?.iter().enumerate() {
        #[allow(deprecated, reason = "old targets still send the deprecated form")]
        out.element.push(text(Some(e), &format!("{place}.element[{i}]"))?);
    }
    Ok(out)
}

fn elem(json: &Json, place: &str) -> Result<wire::PathElem, Fault> {
    let fields = object(json, place)?;
    let name = text(field(fields, "name"), &format!("{place}.name"))?;
    if name.is_empty() {
        return Err(Fault::new(place, "an element has no name"));
    }
    let mut out = wire::PathElem { name, ..wire::PathElem::default() };
    if let Some(keys) = field(fields, "key") {
        for (key, value) in object(keys, &format!("{place}.key"))? {
            out.key.insert(key.clone(), text(Some(value), &format!("{place}.key.{key}"))?);
        }
    }
    Ok(out)
}

fn typed_value(json: &Json, place: &str, depth: usize) -> Result<wire::TypedValue, Fault> {
    let fields = object(json, place)?;
    let Some((name, value)) = fields.iter().find(|(_, v)| !v.is_null()) else { return Err(Fault::new(place, "is empty")) };
    let place = &format!("{place}.{name}");
    let some = Some(value);
    let value = match name.as_str() {
        "stringVal" | "string_val" => Wire::StringVal(text(some, place)?),
        "asciiVal" | "ascii_val" => Wire::AsciiVal(text(some, place)?),
        "intVal" | "int_val" => Wire::IntVal(number(some, place)?),
        "uintVal" | "uint_val" => Wire::UintVal(number(some, place)?),
        "boolVal" | "bool_val" => Wire::BoolVal(boolean(some, place)?),
        "bytesVal" | "bytes_val" => Wire::BytesVal(bytes(value, place)?),
        "protoBytes" | "proto_bytes" => Wire::ProtoBytes(bytes(value, place)?),
        "doubleVal" | "double_val" => Wire::DoubleVal(float(value, place)?),
        #[allow(clippy::cast_possible_truncation, reason = "the field is a float")]
        "floatVal" | "float_val" => Wire::FloatVal(float(value, place)? as f32),
        "jsonVal" | "json_val" => Wire::JsonVal(json_bytes(value, place)?),
        "jsonIetfVal" | "json_ietf_val" => Wire::JsonIetfVal(json_bytes(value, place)?),
        "decimalVal" | "decimal_val" => {
            let decimal = object(value, place)?;
            Wire::DecimalVal(wire::Decimal64 {
                digits: number(field(decimal, "digits"), &format!("{place}.digits"))?,
                precision: number(field(decimal, "precision"), &format!("{place}.precision"))?,
            })
        }
        "leaflistVal" | "leaflist_val" if depth < DEPTH_MAX => {
            let elements = list(field(object(value, place)?, "element"), &format!("{place}.element"))?;
            let each = |(i, e)| typed_value(e, &format!("{place}.element[{i}]"), depth + 1);
            Wire::LeaflistVal(wire::ScalarArray { element: elements.iter().enumerate().map(each).collect::<Result<_, _>>()? })
        }
        _ => return Err(Fault::new(place, "is of a kind that is not read")),
    };
    Ok(wire::TypedValue { value: Some(value) })
}

/// Returns an object's fields.
pub(crate) fn object<'a>(json: &'a Json, place: &str) -> Result<&'a Map<String, Json>, Fault> {
    json.as_object().ok_or_else(|| Fault::new(place, "is no object"))
}

/// Returns an array; an absent one is empty.
pub(crate) fn list<'a>(json: Option<&'a Json>, place: &str) -> Result<&'a [Json], Fault> {
    json.map_or(Ok(&[]), |j| j.as_array().map(Vec::as_slice).ok_or_else(|| Fault::new(place, "is no array")))
}

pub(crate) fn text(json: Option<&Json>, place: &str) -> Result<String, Fault> {
    json.map_or_else(|| Ok(String::new()), |j| j.as_str().map(str::to_owned).ok_or_else(|| Fault::new(place, "is no string")))
}

pub(crate) fn boolean(json: Option<&Json>, place: &str) -> Result<bool, Fault> {
    json.map_or(Ok(false), |j| j.as_bool().ok_or_else(|| Fault::new(place, "is no boolean")))
}

/// Reads a whole number, as a number or as a string; an absent one is 0.
pub(crate) fn number<T: FromStr + Default>(json: Option<&Json>, place: &str) -> Result<T, Fault> {
    let wrong = || Fault::new(place, "is no whole number of the field's size");
    match json {
        None => Ok(T::default()),
        Some(Json::String(s)) => s.parse().map_err(|_| wrong()),
        Some(Json::Number(n)) => n.to_string().parse().map_err(|_| wrong()),
        Some(_) => Err(wrong()),
    }
}

fn float(json: &Json, place: &str) -> Result<f64, Fault> {
    let number = match json {
        Json::Number(n) => n.as_f64(),
        Json::String(s) => s.trim_start_matches('-').starts_with(|c: char| c.is_ascii_digit()).then(|| s.parse().ok()).flatten(),
        _ => None,
    };
    number.filter(|n: &f64| n.is_finite()).ok_or_else(|| Fault::new(place, "is no finite number"))
}

fn bytes(json: &Json, place: &str) -> Result<Vec<u8>, Fault> {
    let text = json.as_str().ok_or_else(|| Fault::new(place, "is no base64 text"))?;
    let standard: String = text
        .chars()
        .map(|c| match c {
            '-' => '+',
            '_' => '/',
            c => c,
        })
        .collect();
    BASE64.decode(standard).map_err(|e| Fault::new(place, format!("is no base64: {e}")))
}

/// JSON in bytes; some tools print it opened.
fn json_bytes(json: &Json, place: &str) -> Result<Vec<u8>, Fault> {
    if json.is_string() { bytes(json, place) } else { Ok(json.to_string().into_bytes()) }
}
