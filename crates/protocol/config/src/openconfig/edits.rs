//! Edits as the children of `<config>` in an `edit-config`.

use super::XmlError;
use super::policy::{Reading, read_prefix_set, read_sequence, read_statement, write_prefix_set, write_statement};
use super::tree::{At, BASE, NETWORK_INSTANCE, Namespace, ROUTING_POLICY, YANG, read, shorten};
use super::xml::{Xml, attribute};
use crate::PolicyEdit;
use core::net::IpAddr;

/// Prefix of the identities of openconfig-policy-types.
const POLICY_TYPES: &str = "http://openconfig.net/yang/policy-types";

/// Renders edits as the children of `<config>` in an `edit-config`. The same edits give the same bytes.
///
/// One `routing-policy` element, as servers expect it; so edits stand in [`transmission_order`].
#[must_use]
pub fn render_edits(edits: &[PolicyEdit]) -> String {
    let mut x = Xml::default();
    for block in blocks(edits) {
        write_block(&mut x, &block);
    }
    x.finish()
}

/// Returns the edits in the order in which they are written and read back: sets that are put, terms by policy, sets that go, neighbours.
///
/// Applying them in this order gives the same configuration: edits of different objects do not depend on each other, and where a list
/// names an object twice, everything before the second mention stays before it.
#[must_use]
pub fn transmission_order(edits: &[PolicyEdit]) -> Vec<PolicyEdit> {
    let mut out = Vec::with_capacity(edits.len());
    for block in blocks(edits) {
        out.extend(block.puts.into_iter().cloned());
        out.extend(block.terms.into_iter().flat_map(|(_, terms)| terms).cloned());
        out.extend(block.deletes.into_iter().cloned());
        out.extend(block.peers.into_iter().cloned());
    }
    out
}

/// Edits of objects that are all different, as one document.
#[derive(Default)]
struct Block<'a> {
    puts: Vec<&'a PolicyEdit>,
    /// By policy, in order of first mention.
    terms: Vec<(&'a str, Vec<&'a PolicyEdit>)>,
    deletes: Vec<&'a PolicyEdit>,
    peers: Vec<&'a PolicyEdit>,
}

#[derive(PartialEq, Eq)]
enum Object<'a> {
    Set(&'a str),
    Term(&'a str, u32),
    Peer(IpAddr),
}

fn object(edit: &PolicyEdit) -> Object<'_> {
    match edit {
        PolicyEdit::PutPrefixSet { name, .. } | PolicyEdit::DeletePrefixSet { name } => Object::Set(name),
        PolicyEdit::InsertStatement { policy, statement, .. } | PolicyEdit::ReplaceStatement { policy, statement } => {
            Object::Term(policy, statement.sequence)
        }
        PolicyEdit::DeleteStatement { policy, sequence } => Object::Term(policy, *sequence),
        PolicyEdit::SetNeighborEnabled { neighbor, .. } => Object::Peer(*neighbor),
    }
}

fn blocks(edits: &[PolicyEdit]) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let (mut block, mut seen) = (Block::default(), Vec::new());
    for edit in edits {
        let object = object(edit);
        if seen.contains(&object) {
            blocks.push(core::mem::take(&mut block));
            seen.clear();
        }
        seen.push(object);
        match edit {
            PolicyEdit::PutPrefixSet { .. } => block.puts.push(edit),
            PolicyEdit::DeletePrefixSet { .. } => block.deletes.push(edit),
            PolicyEdit::SetNeighborEnabled { .. } => block.peers.push(edit),
            PolicyEdit::InsertStatement { policy, .. }
            | PolicyEdit::ReplaceStatement { policy, .. }
            | PolicyEdit::DeleteStatement { policy, .. } => match block.terms.iter_mut().find(|(p, _)| p == policy) {
                Some((_, terms)) => terms.push(edit),
                None => block.terms.push((policy, vec![edit])),
            },
        }
    }
    if !seen.is_empty() {
        blocks.push(block);
    }
    blocks
}

fn write_block(x: &mut Xml, block: &Block<'_>) {
    let has_sets = !block.puts.is_empty() || !block.deletes.is_empty();
    if has_sets || !block.terms.is_empty() {
        let namespaces = attribute("xmlns", ROUTING_POLICY)
            + &attribute("xmlns:rpol", ROUTING_POLICY)
            + &attribute("xmlns:nc", BASE)
            + &attribute("xmlns:yang", YANG);
        x.within("routing-policy", &namespaces, |x| {
            if has_sets {
                x.within("defined-sets", "", |x| {
                    x.within("prefix-sets", "", |x| block.puts.iter().chain(&block.deletes).for_each(|e| write_set_edit(x, e)));
                });
            }
            if !block.terms.is_empty() {
                x.within("policy-definitions", "", |x| block.terms.iter().for_each(|(policy, terms)| write_definition(x, policy, terms)));
            }
        });
    }
    if !block.peers.is_empty() {
        write_neighbors(x, &block.peers);
    }
}

fn write_set_edit(x: &mut Xml, edit: &PolicyEdit) {
    match edit {
        PolicyEdit::PutPrefixSet { name, set } => write_prefix_set(x, name, set, &attribute("nc:operation", "replace")),
        PolicyEdit::DeletePrefixSet { name } => {
            x.within("prefix-set", &attribute("nc:operation", "delete"), |x| x.leaf("name", name));
        }
        _ => {}
    }
}

fn write_definition(x: &mut Xml, policy: &str, terms: &[&PolicyEdit]) {
    x.within("policy-definition", "", |x| {
        x.leaf("name", policy);
        x.within("config", "", |x| x.leaf("name", policy));
        x.within("statements", "", |x| terms.iter().for_each(|e| write_term(x, e)));
    });
}

fn write_term(x: &mut Xml, edit: &PolicyEdit) {
    match edit {
        PolicyEdit::InsertStatement { statement, before, .. } => {
            let place = match before {
                Some(anchor) => attribute("yang:insert", "before") + &attribute("yang:key", &format!("[rpol:name='{anchor}']")),
                None => attribute("yang:insert", "last"),
            };
            write_statement(x, statement, &(attribute("nc:operation", "create") + &place));
        }
        PolicyEdit::ReplaceStatement { statement, .. } => write_statement(x, statement, &attribute("nc:operation", "replace")),
        PolicyEdit::DeleteStatement { sequence, .. } => {
            x.within("statement", &attribute("nc:operation", "delete"), |x| x.leaf("name", &sequence.to_string()));
        }
        _ => {}
    }
}

fn write_neighbors(x: &mut Xml, peers: &[&PolicyEdit]) {
    x.within("network-instances", &attribute("xmlns", NETWORK_INSTANCE), |x| {
        x.within("network-instance", "", |x| {
            x.leaf("name", "default");
            x.within("protocols", "", |x| {
                x.within("protocol", "", |x| {
                    x.leaf_with("identifier", &attribute("xmlns:oc-pol-types", POLICY_TYPES), "oc-pol-types:BGP");
                    x.leaf("name", "BGP");
                    x.within("bgp", "", |x| x.within("neighbors", "", |x| peers.iter().for_each(|e| write_neighbor(x, e))));
                });
            });
        });
    });
}

fn write_neighbor(x: &mut Xml, edit: &PolicyEdit) {
    let PolicyEdit::SetNeighborEnabled { neighbor, enabled } = edit else { return };
    let address = neighbor.to_string();
    x.within("neighbor", "", |x| {
        x.leaf("neighbor-address", &address);
        x.within("config", "", |x| {
            x.leaf("neighbor-address", &address);
            x.leaf("enabled", if *enabled { "true" } else { "false" });
        });
    });
}

/// Reads the children of `<config>` back into edits. Everything that is not understood is an error: an edit is never half read.
///
/// # Errors
/// [`XmlError`] with the element path and byte offset.
pub fn parse_edits(xml: &str) -> Result<Vec<PolicyEdit>, XmlError> {
    let mut edits = Vec::new();
    for element in &read(xml)? {
        let root = At::root(element);
        if root.is(Namespace::RoutingPolicy, "routing-policy") {
            read_routing_policy(&root, &mut edits)?;
        } else if root.is(Namespace::NetworkInstance, "network-instances") {
            read_network_instances(&root, &mut edits)?;
        } else if root.is(Namespace::Base, "config") {
            return Err(root.error("is the container itself; its children are read".to_owned()));
        } else {
            return Err(root.error("is neither routing-policy nor network-instances".to_owned()));
        }
    }
    Ok(edits)
}

fn read_routing_policy(root: &At<'_>, edits: &mut Vec<PolicyEdit>) -> Result<(), XmlError> {
    use Namespace::RoutingPolicy as Rp;
    plain(root)?;
    let mut deletes = Vec::new();
    for part in root.all() {
        plain(&part)?;
        if part.is(Rp, "defined-sets") {
            for sets in part.all() {
                expect(&sets, Rp, "prefix-sets")?;
                for set in sets.all() {
                    read_set_edit(&set, edits, &mut deletes)?;
                }
            }
        } else {
            expect(&part, Rp, "policy-definitions")?;
            for definition in part.all() {
                read_definition(&definition, edits)?;
            }
        }
    }
    edits.append(&mut deletes);
    Ok(())
}

fn read_set_edit(set: &At<'_>, puts: &mut Vec<PolicyEdit>, deletes: &mut Vec<PolicyEdit>) -> Result<(), XmlError> {
    if !set.is(Namespace::RoutingPolicy, "prefix-set") {
        return Err(set.error("is not prefix-set".to_owned()));
    }
    let name = set.need(Namespace::RoutingPolicy, "name")?.to_owned();
    match operation(set) {
        Some("replace") => puts.push(PolicyEdit::PutPrefixSet { name, set: read_prefix_set(set)? }),
        Some("delete") => deletes.push(PolicyEdit::DeletePrefixSet { name }),
        other => return Err(unknown_operation(set, other, "replace or delete")),
    }
    Ok(())
}

fn read_definition(definition: &At<'_>, edits: &mut Vec<PolicyEdit>) -> Result<(), XmlError> {
    use Namespace::RoutingPolicy as Rp;
    expect(definition, Rp, "policy-definition")?;
    let policy = definition.need(Rp, "name")?;
    for part in definition.all() {
        plain(&part)?;
        match part.name() {
            "name" | "config" => {}
            "statements" => {
                for statement in part.all() {
                    edits.push(read_term(&statement, policy)?);
                }
            }
            _ => return Err(part.error("is not known".to_owned())),
        }
    }
    Ok(())
}

fn read_term(at: &At<'_>, policy: &str) -> Result<PolicyEdit, XmlError> {
    let policy = policy.to_owned();
    if !at.is(Namespace::RoutingPolicy, "statement") {
        return Err(at.error("is not statement".to_owned()));
    }
    match operation(at) {
        Some("create") => {
            let before = read_place(at)?;
            Ok(PolicyEdit::InsertStatement { policy, statement: read_statement(at, Reading::Edit)?, before })
        }
        Some("replace") => Ok(PolicyEdit::ReplaceStatement { policy, statement: read_statement(at, Reading::Edit)? }),
        Some("delete") => Ok(PolicyEdit::DeleteStatement { policy, sequence: read_sequence(at)? }),
        other => Err(unknown_operation(at, other, "create, replace or delete")),
    }
}

/// Reads `yang:insert` and `yang:key`.
fn read_place(at: &At<'_>) -> Result<Option<u32>, XmlError> {
    match at.attribute(Namespace::Yang, "insert") {
        None | Some("last") => Ok(None),
        Some("before") => {
            let key = at.attribute(Namespace::Yang, "key").ok_or_else(|| at.error("has insert=\"before\" but no yang:key".to_owned()))?;
            let bad = || at.error(format!("yang:key {:?} is not like [name='100']", shorten(key)));
            let (leaf, value) =
                key.trim().strip_prefix('[').and_then(|k| k.strip_suffix(']')).and_then(|k| k.split_once('=')).ok_or_else(bad)?;
            if leaf.trim().rsplit(':').next() != Some("name") {
                return Err(bad());
            }
            value.trim().trim_matches(['\'', '"']).parse().map(Some).map_err(|_| bad())
        }
        Some(other) => Err(at.error(format!("yang:insert {:?} is not before or last", shorten(other)))),
    }
}

fn read_network_instances(root: &At<'_>, edits: &mut Vec<PolicyEdit>) -> Result<(), XmlError> {
    use Namespace::NetworkInstance as Ni;
    plain(root)?;
    for instance in root.all() {
        expect(&instance, Ni, "network-instance")?;
        if instance.need(Ni, "name")? != "default" {
            return Err(instance.error("only the instance default is written".to_owned()));
        }
        for protocol in instance.children(Ni, "protocols").collect::<Vec<_>>().iter().flat_map(|list| list.all()) {
            expect(&protocol, Ni, "protocol")?;
            if protocol.need(Ni, "identifier")?.rsplit(':').next() != Some("BGP") {
                return Err(protocol.error("only BGP is written".to_owned()));
            }
            for bgp in protocol.children(Ni, "bgp") {
                for list in bgp.all() {
                    expect(&list, Ni, "neighbors")?;
                    for neighbor in list.all() {
                        edits.push(read_neighbor(&neighbor)?);
                    }
                }
            }
        }
    }
    Ok(())
}

fn read_neighbor(at: &At<'_>) -> Result<PolicyEdit, XmlError> {
    use Namespace::NetworkInstance as Ni;
    expect(at, Ni, "neighbor")?;
    let address = at.child(Ni, "neighbor-address").ok_or_else(|| at.error("has no neighbor-address".to_owned()))?;
    let config = at.child(Ni, "config").ok_or_else(|| at.error("has no config".to_owned()))?;
    if let Some(stranger) = config.all().find(|leaf| !matches!(leaf.name(), "neighbor-address" | "enabled")) {
        return Err(stranger.error("is not known".to_owned()));
    }
    let enabled = config.child(Ni, "enabled").ok_or_else(|| config.error("has no enabled".to_owned()))?;
    Ok(PolicyEdit::SetNeighborEnabled { neighbor: address.value("an address")?, enabled: enabled.value("true or false")? })
}

fn operation<'t>(at: &At<'t>) -> Option<&'t str> {
    at.attribute(Namespace::Base, "operation")
}

fn unknown_operation(at: &At<'_>, found: Option<&str>, wanted: &str) -> XmlError {
    at.error(format!("operation {:?} is not {wanted}", found.unwrap_or("(none)")))
}

fn expect(at: &At<'_>, namespace: Namespace, name: &str) -> Result<(), XmlError> {
    if !at.is(namespace, name) {
        return Err(at.error(format!("is not {name}")));
    }
    plain(at)
}

/// A container above the objects that are edited is merged; any other operation on it would take more than is meant.
fn plain(at: &At<'_>) -> Result<(), XmlError> {
    match operation(at) {
        None | Some("merge") => Ok(()),
        other => Err(unknown_operation(at, other, "merge here")),
    }
}
