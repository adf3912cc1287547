//! JSON as RFC 7951 writes YANG, and the frames that gNMI tools put around it, as the same tree that XML becomes.

use super::tree::{Element, Namespace};
use super::{DEPTH_MAX, DOCUMENT_BYTES_MAX, ELEMENTS_MAX, XmlError};
use serde_json::{Map, Value};

/// Members that frame values: of gNMI responses in JSON, and of what tools print.
const FRAMES: [&str; 8] = ["notification", "notifications", "update", "updates", "val", "value", "data", "config"];

/// Reads a document.
///
/// # Errors
/// [`XmlError`] with the byte where reading stopped.
pub(super) fn read(text: &str) -> Result<Vec<Element>, XmlError> {
    let fail = |why: String, offset: u64| XmlError { path: "/".to_owned(), why, offset };
    if text.len() > DOCUMENT_BYTES_MAX {
        return Err(fail(format!("document of {} bytes, at most {DOCUMENT_BYTES_MAX} are read", text.len()), DOCUMENT_BYTES_MAX as u64));
    }
    let value: Value = serde_json::from_str(text).map_err(|e| {
        // the parser tells line and column
        let before: usize = text.split_inclusive('\n').take(e.line().saturating_sub(1)).map(str::len).sum();
        fail(e.to_string(), (before + e.column().saturating_sub(1)) as u64)
    })?;
    let mut out = Vec::new();
    let mut left = ELEMENTS_MAX;
    frame(&value, &mut out, &mut left, 0).map_err(|why| fail(why, 0))?;
    Ok(out)
}

fn frame(value: &Value, out: &mut Vec<Element>, left: &mut usize, depth: usize) -> Result<(), String> {
    match value {
        Value::Array(list) => list.iter().try_for_each(|v| frame(v, out, left, depth + 1)),
        Value::Object(map) => {
            for (key, inner) in map {
                if key == "values" {
                    // path: value, as gnmic prints
                    for (path, inner) in inner.as_object().into_iter().flatten() {
                        out.extend(at_path(path, inner, left)?);
                    }
                } else if FRAMES.contains(&key.as_str()) {
                    frame(inner, out, left, depth + 1)?;
                } else {
                    member(key, inner, Namespace::Other, out, left, depth + 1)?;
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// `a/b[k=v]/c` with the value of `c`, or of `b` when the value is an object.
fn at_path(path: &str, value: &Value, left: &mut usize) -> Result<Vec<Element>, String> {
    let parts: Vec<&str> = path.split('/').filter(|p| !p.is_empty()).take(DEPTH_MAX).collect();
    let mut names = Vec::new();
    let mut namespace = Namespace::Other;
    for part in &parts {
        let (step, keys) = part.split_once('[').unwrap_or((part, ""));
        let (module, name) = step.split_once(':').map_or((None, step), |(m, n)| (Some(m), n));
        namespace = Namespace::of_module(module, name, namespace);
        let keys = keys.split('[').filter_map(|k| k.trim_end_matches(']').split_once('='));
        names.push((namespace, name, keys.map(|(k, v)| (k.to_owned(), v.to_owned())).collect::<Vec<_>>()));
    }
    let mut below = Vec::new();
    let mut text = String::new();
    match value {
        Value::Object(map) => object(map, namespace, &mut below, left, parts.len())?,
        other => text = scalar(other),
    }
    for (namespace, name, keys) in names.into_iter().rev() {
        let mut children: Vec<Element> = keys.into_iter().map(|(k, v)| Element::new(namespace, &k, v, Vec::new())).collect();
        children.append(&mut below);
        below = vec![Element::new(namespace, name, core::mem::take(&mut text), children)];
    }
    Ok(below)
}

fn object(map: &Map<String, Value>, namespace: Namespace, out: &mut Vec<Element>, left: &mut usize, depth: usize) -> Result<(), String> {
    map.iter().try_for_each(|(key, value)| member(key, value, namespace, out, left, depth + 1))
}

fn member(key: &str, value: &Value, parent: Namespace, out: &mut Vec<Element>, left: &mut usize, depth: usize) -> Result<(), String> {
    if depth > DEPTH_MAX {
        return Err(format!("deeper than {DEPTH_MAX} levels"));
    }
    *left = left.checked_sub(1).ok_or_else(|| format!("more than {ELEMENTS_MAX} elements"))?;
    let (module, name) = key.split_once(':').map_or((None, key), |(m, n)| (Some(m), n));
    let namespace = Namespace::of_module(module, name, parent);
    match value {
        Value::Array(list) => list.iter().try_for_each(|v| match v {
            // a list of lists is no YANG
            Value::Array(_) => Ok(()),
            v => member(key, v, parent, out, left, depth),
        }),
        Value::Object(map) => {
            let mut children = Vec::new();
            object(map, namespace, &mut children, left, depth)?;
            out.push(Element::new(namespace, name, String::new(), children));
            Ok(())
        }
        other => {
            out.push(Element::new(namespace, name, scalar(other), Vec::new()));
            Ok(())
        }
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(s) => s.clone(),
        Value::Null | Value::Array(_) | Value::Object(_) => String::new(),
        other => other.to_string(),
    }
}
