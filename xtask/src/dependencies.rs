//! Dependency direction, direct and transitive: `src-tauri → app → lab → io → core → protocol` (ARCHITECTURE.md §2).

use crate::{Outcome, Workspace, verdict};
use anyhow::Context;
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package, PackageId};
use std::collections::{BTreeMap, BTreeSet};

/// Where a package stands; an arrow may only point down or stay level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Layer {
    /// Quantities that every layer speaks of; depends on nothing of ours.
    Units,
    Protocol,
    Core,
    Io,
    Lab,
    App,
    Desktop,
    /// Tests and tools: may use everything, used by nobody.
    Outside,
}

/// What the pure layers may not have below them, at any depth.
const NOT_IN_PURE: [&str; 4] = ["tokio", "rusqlite", "tonic", "reqwest"];

/// Packages that may not reach other packages of ours.
const FORBIDDEN: [(&str, &str, &str); 5] = [
    ("lab", "twin", "agreement with the laboratory would mean nothing"),
    ("agent", "executor", "what talks to a model writes nothing to a device"),
    ("agent", "vault", "what talks to a model reads no secret"),
    ("llm", "executor", "what talks to a model writes nothing to a device"),
    ("llm", "vault", "what talks to a model reads no secret"),
];

/// Checks every arrow between our packages and what the pure ones pull in.
pub fn check(workspace: &Workspace) -> Outcome {
    let metadata = MetadataCommand::new().manifest_path(workspace.root.join("Cargo.toml")).exec().context("reading cargo metadata")?;
    let graph = Graph::of(&metadata)?;
    let ours: BTreeMap<&PackageId, (&Package, Layer)> =
        metadata.workspace_packages().into_iter().filter_map(|p| layer(workspace, p).map(|l| (&p.id, (p, l)))).collect();
    let mut findings = Vec::new();
    for (package, layer) in ours.values() {
        for (id, path) in graph.reachable(&package.id) {
            let name = graph.name(id);
            if let Some((target, below)) = ours.get(id)
                && (below > layer || (*below == Layer::Outside && target.id != package.id))
            {
                findings.push(format!("{} ({layer:?}) reaches {name} ({below:?}): {path}", package.name));
            }
            if *layer <= Layer::Core && NOT_IN_PURE.contains(&name) {
                findings.push(format!("{} ({layer:?}) reaches {name}: {path}", package.name));
            }
            for (from, to, why) in FORBIDDEN {
                if package.name.as_str() == from && name == to {
                    findings.push(format!("{from} reaches {to}: {path}; {why}"));
                }
            }
        }
    }
    findings.extend(git_sources(&metadata));
    Ok(verdict(format!("{} packages, every arrow points down", ours.len()), findings))
}

fn layer(workspace: &Workspace, package: &Package) -> Option<Layer> {
    let directory = package.manifest_path.parent()?.as_std_path().strip_prefix(&workspace.root).ok()?;
    Some(match directory.to_str()? {
        "" => Layer::Desktop,
        "lab" => Layer::Lab,
        "crates/core/units" => Layer::Units,
        path if path.starts_with("crates/protocol/") => Layer::Protocol,
        path if path.starts_with("crates/core/") => Layer::Core,
        path if path.starts_with("crates/io/") => Layer::Io,
        path if path.starts_with("crates/app/") => Layer::App,
        _ => Layer::Outside,
    })
}

/// Dependencies that are not from the registry and not ours.
fn git_sources(metadata: &Metadata) -> Vec<String> {
    let foreign = metadata.packages.iter().filter(|p| p.source.as_ref().is_some_and(|s| s.repr.starts_with("git+")));
    foreign.map(|p| format!("{} comes from a git repository; only the registry is used", p.name)).collect()
}

/// Normal dependencies, as resolved.
struct Graph<'m> {
    below: BTreeMap<&'m PackageId, Vec<&'m PackageId>>,
    names: BTreeMap<&'m PackageId, &'m str>,
}

impl<'m> Graph<'m> {
    fn of(metadata: &'m Metadata) -> anyhow::Result<Self> {
        let resolve = metadata.resolve.as_ref().context("cargo metadata resolved nothing")?;
        let normal = |d: &&cargo_metadata::NodeDep| d.dep_kinds.iter().any(|k| k.kind == DependencyKind::Normal);
        let below = resolve.nodes.iter().map(|n| (&n.id, n.deps.iter().filter(normal).map(|d| &d.pkg).collect())).collect();
        let names = metadata.packages.iter().map(|p| (&p.id, p.name.as_str())).collect();
        Ok(Self { below, names })
    }

    fn name(&self, id: &PackageId) -> &'m str {
        self.names.get(id).copied().unwrap_or_default()
    }

    /// Returns everything below a package, each with one way to it.
    fn reachable(&self, from: &'m PackageId) -> Vec<(&'m PackageId, String)> {
        let (mut seen, mut found) = (BTreeSet::from([from]), Vec::new());
        let mut open = vec![(from, self.name(from).to_owned())];
        while let Some((id, path)) = open.pop() {
            for next in self.below.get(id).into_iter().flatten().copied() {
                if seen.insert(next) {
                    let path = format!("{path} → {}", self.name(next));
                    found.push((next, path.clone()));
                    open.push((next, path));
                }
            }
        }
        found
    }
}
