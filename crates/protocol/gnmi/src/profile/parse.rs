//! Profiles from text, with bounds.

use super::mapping::wildcards;
use super::{Encoding, Mapped, Mode, Profile, ProfileError, Subscription, Unit};
use crate::{Path, Repair};
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::Spanned;

/// Longest file, in bytes: the longest of ours has a tenth.
const FILE_MAX: usize = 64 << 10;
/// Subscriptions of one profile; targets refuse lists of a few hundred.
const ROWS_MAX: usize = 64;
/// Ports that are tried one after the other.
const PORTS_MAX: usize = 8;
/// Leaves of one subscription with paths of their own: no platform tells more of one path than this picture has places for.
const MAPPED_MAX: usize = 32;
/// Interval of a sample, milliseconds.
const INTERVAL_MS: core::ops::RangeInclusive<u64> = 1000..=3_600_000;
/// Interval of a sample that stands in for changes, where the profile names none.
const FALLBACK_INTERVAL_MS: u64 = 10_000;
/// Levels of the depth extension: no tree of ours is deeper.
const DEPTH: core::ops::RangeInclusive<u32> = 1..=64;
/// Interval of a heartbeat, milliseconds.
const HEARTBEAT_MS: core::ops::RangeInclusive<u64> = 1000..=86_400_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    title: String,
    #[serde(default)]
    organisations: Vec<String>,
    #[serde(default)]
    models: Vec<String>,
    #[serde(default)]
    is_default: bool,
    #[serde(default)]
    is_by_hand: bool,
    encodings: Vec<Encoding>,
    ports: Vec<u16>,
    #[serde(default)]
    origin: String,
    #[serde(default)]
    target: String,
    #[serde(default)]
    whole: bool,
    #[serde(default)]
    updates_only: bool,
    depth: Option<u32>,
    fallback_interval_ms: Option<u64>,
    #[serde(default)]
    repairs: Vec<Repair>,
    #[serde(default)]
    without: BTreeMap<String, String>,
    subscription: Vec<Spanned<Row>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    set: String,
    path: String,
    or_path: Option<String>,
    origin: Option<String>,
    mode: Mode,
    #[serde(default)]
    interval_ms: u64,
    #[serde(default)]
    heartbeat_interval_ms: u64,
    #[serde(default)]
    suppress_redundant: bool,
    encoding: Option<Encoding>,
    canonical: Option<String>,
    #[serde(default)]
    values: BTreeMap<String, String>,
    #[serde(default)]
    leaves: BTreeMap<String, String>,
    #[serde(default)]
    mapped: Vec<MappedRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MappedRow {
    path: String,
    canonical: String,
    unit: Option<Unit>,
}

impl Profile {
    /// Reads a profile; `file` names it.
    ///
    /// # Errors
    /// [`ProfileError`] with file, line, row and field.
    pub fn parse(file: &str, text: &str) -> Result<Self, ProfileError> {
        let wrong =
            |field, what: &str| ProfileError::Field { file: file.to_owned(), line: line_of(text, 0, field), field, what: what.to_owned() };
        if text.len() > FILE_MAX {
            return Err(wrong("file", "is longer than 64 KiB"));
        }
        let read: File = toml::from_str(text).map_err(|e| ProfileError::Text { file: file.to_owned(), what: e.to_string() })?;
        let checks = [
            ("title", read.title.trim().is_empty(), "is empty"),
            ("encodings", read.encodings.is_empty(), "names none"),
            (
                "ports",
                read.ports.is_empty() || read.ports.len() > PORTS_MAX || read.ports.contains(&0),
                "wants 1 to 8 ports from 1 to 65535",
            ),
            ("depth", read.depth.is_some_and(|d| !DEPTH.contains(&d)), "wants 1 to 64, or nothing for all"),
            (
                "fallback_interval_ms",
                read.fallback_interval_ms.is_some_and(|ms| !INTERVAL_MS.contains(&ms)),
                "wants 1000 to 3600000, or nothing for 10000",
            ),
            ("subscription", read.subscription.is_empty() || read.subscription.len() > ROWS_MAX, "wants 1 to 64 rows"),
            ("models", read.models.iter().chain(&read.organisations).any(|m| m.trim().is_empty()), "an empty name would fit every target"),
            (
                "models",
                read.models.is_empty() && read.organisations.is_empty() && !read.is_default && !read.is_by_hand,
                "nothing tells this platform",
            ),
            (
                "is_by_hand",
                read.is_by_hand && (read.is_default || !read.models.is_empty() || !read.organisations.is_empty()),
                "is for a profile that nothing else points to",
            ),
            (
                "without",
                read.without.iter().any(|(set, why)| !Self::SETS.contains(&set.as_str()) || why.trim().is_empty()),
                "wants names of sets and why each is not asked for",
            ),
            ("without", read.subscription.iter().any(|s| read.without.contains_key(&s.get_ref().set)), "names a set that is asked for"),
        ];
        if let Some((field, _, what)) = checks.into_iter().find(|(_, bad, _)| *bad) {
            return Err(wrong(field, what));
        }
        let row = |(i, row): (usize, Spanned<Row>)| {
            let begins = row.span().start;
            subscription(row.into_inner(), &read.origin).map_err(|(field, what)| ProfileError::Row {
                file: file.to_owned(),
                line: line_of(text, begins, field),
                row: i + 1,
                field,
                what,
            })
        };
        Ok(Self {
            name: file.to_owned(),
            title: read.title,
            organisations: read.organisations,
            models: read.models,
            is_default: read.is_default,
            is_by_hand: read.is_by_hand,
            encodings: read.encodings,
            ports: read.ports,
            target: read.target,
            whole: read.whole,
            updates_only: read.updates_only,
            depth: read.depth,
            fallback_interval_ms: read.fallback_interval_ms.unwrap_or(FALLBACK_INTERVAL_MS),
            repairs: read.repairs,
            without: read.without,
            subscriptions: read.subscription.into_iter().enumerate().map(row).collect::<Result<_, _>>()?,
        })
    }
}

fn subscription(row: Row, origin: &str) -> Result<Subscription, (&'static str, String)> {
    let path = |field, text: &str| text.parse::<Path>().map_err(|e| (field, e.to_string()));
    let own = path("path", &row.path)?;
    let or_path = row.or_path.as_deref().map(|text| path("or_path", text)).transpose()?;
    let canonical = row.canonical.as_deref().map(|text| path("canonical", text)).transpose()?;
    let leaf =
        |leaf: &MappedRow| Ok(Mapped { path: path("mapped", &leaf.path)?, canonical: path("mapped", &leaf.canonical)?, unit: leaf.unit });
    let mapped = row.mapped.iter().map(leaf).collect::<Result<Vec<Mapped>, _>>()?;
    let sampled = row.mode == Mode::Sample;
    let checks = [
        ("set", row.set.trim().is_empty(), "is empty"),
        ("path", own.elems.is_empty(), "the root would ask for everything"),
        ("or_path", or_path.as_ref().is_some_and(|part| *part == own || !own.covers(part)), "wants a part of the path"),
        ("interval_ms", sampled && !INTERVAL_MS.contains(&row.interval_ms), "a sample wants 1000 to 3600000"),
        ("interval_ms", !sampled && row.interval_ms != 0, "is for samples only"),
        (
            "heartbeat_interval_ms",
            row.heartbeat_interval_ms != 0 && !HEARTBEAT_MS.contains(&row.heartbeat_interval_ms),
            "wants 1000 to 86400000, or nothing",
        ),
        ("suppress_redundant", row.suppress_redundant && !sampled, "is for samples only"),
        (
            "canonical",
            canonical.as_ref().is_some_and(|c| wildcards(c) > wildcards(&own)),
            "has more wildcards than the path, nothing would fill them",
        ),
        (
            "values",
            canonical.is_none() && (!row.values.is_empty() || !row.leaves.is_empty()),
            "words are mapped with a canonical path only",
        ),
        ("mapped", mapped.len() > MAPPED_MAX, "wants at most 32 leaves"),
        ("mapped", mapped.iter().any(|m| !own.covers(&m.path)), "a leaf is not below the path"),
        (
            "mapped",
            mapped.iter().any(|m| wildcards(&m.canonical) > wildcards(&m.path)),
            "a canonical path has more wildcards than the native one, nothing would fill them",
        ),
    ];
    if let Some((field, _, what)) = checks.into_iter().find(|(_, bad, _)| *bad) {
        return Err((field, what.to_owned()));
    }
    Ok(Subscription {
        set: row.set,
        origin: row.origin.unwrap_or_else(|| origin.to_owned()),
        path: own,
        or_path,
        mode: row.mode,
        interval_ms: row.interval_ms,
        heartbeat_interval_ms: row.heartbeat_interval_ms,
        suppress_redundant: row.suppress_redundant,
        encoding: row.encoding,
        canonical,
        values: row.values,
        leaves: row.leaves,
        mapped,
    })
}

/// Returns the line, from 1, on which `field` is set in the table that begins at a byte of the text; its first line where it is not.
fn line_of(text: &str, begins: usize, field: &str) -> usize {
    let sets = |line: &str| line.trim_start().strip_prefix(field).is_some_and(|rest| rest.trim_start().starts_with('='));
    let (before, table) = text.split_at_checked(begins).unwrap_or((text, ""));
    let first = before.matches('\n').count() + 1;
    let mut lines = table.lines().enumerate();
    let within = lines.by_ref().take_while(|(i, line)| *i == 0 || !line.trim_start().starts_with('[')).find(|(_, line)| sets(line));
    first + within.map_or(0, |(i, _)| i)
}
