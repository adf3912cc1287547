use super::*;
use crate::generate::{config, edit, fitting, policy};
use crate::{Condition, PolicyEdit, PolicyResult, RouteAction, Statement, edit as edits_of};
use proptest::prelude::*;

fn insertion() -> PolicyEdit {
    let statement = Statement {
        sequence: 60,
        result: PolicyResult::Accept,
        conditions: vec![Condition::PrefixSet("PH-1".to_owned()), Condition::CommunitySet("EAST".to_owned())],
        actions: vec![RouteAction::SetLocalPref(210), RouteAction::AddCommunities(vec!["65001:100".parse().unwrap()])],
    };
    PolicyEdit::InsertStatement { policy: "ISPA-IN".to_owned(), statement, before: Some(100) }
}

#[test]
fn an_inserted_term_reads_as_openconfig_says() {
    let text = render_edits(&[insertion()]);
    let expected = concat!(
        r#"<routing-policy xmlns="http://openconfig.net/yang/routing-policy" xmlns:rpol="http://openconfig.net/yang/routing-policy""#,
        r#" xmlns:nc="urn:ietf:params:xml:ns:netconf:base:1.0" xmlns:yang="urn:ietf:params:xml:ns:yang:1"><policy-definitions>"#,
        r#"<policy-definition><name>ISPA-IN</name><config><name>ISPA-IN</name></config><statements>"#,
        r#"<statement nc:operation="create" yang:insert="before" yang:key="[rpol:name=&apos;100&apos;]"><name>60</name><config><name>60</name></config>"#,
        r#"<conditions><match-prefix-set><config><prefix-set>PH-1</prefix-set><match-set-options>ANY</match-set-options></config></match-prefix-set>"#,
        r#"<bgp-conditions xmlns="http://openconfig.net/yang/bgp-policy"><match-community-set><config><community-set>EAST</community-set>"#,
        r#"<match-set-options>ANY</match-set-options></config></match-community-set></bgp-conditions></conditions>"#,
        r#"<actions><config><policy-result>ACCEPT_ROUTE</policy-result></config><bgp-actions xmlns="http://openconfig.net/yang/bgp-policy">"#,
        r#"<config><set-local-pref>210</set-local-pref></config><set-community><config><method>INLINE</method><options>ADD</options></config>"#,
        r#"<inline><config><communities>65001:100</communities></config></inline></set-community></bgp-actions></actions></statement>"#,
        r#"</statements></policy-definition></policy-definitions></routing-policy>"#,
    );
    assert_eq!(text, expected.replace("&apos;", "'"));
    assert_eq!(parse_edits(&text).unwrap(), [insertion()]);
}

#[test]
fn a_plain_local_pref_term_needs_no_namespace_of_ours() {
    let statement =
        Statement { sequence: 10, result: PolicyResult::Accept, conditions: Vec::new(), actions: vec![RouteAction::SetLocalPref(200)] };
    let text = render_edits(&[PolicyEdit::InsertStatement { policy: "PH-STEER".to_owned(), statement, before: None }]);
    assert!(!text.contains("pilothouse"), "{text}");
    assert!(text.contains(r#"yang:insert="last""#));
}

#[test]
fn a_neighbour_is_switched_by_its_enabled_leaf() {
    let edit = PolicyEdit::SetNeighborEnabled { neighbor: "2001:db8::1".parse().unwrap(), enabled: false };
    let text = render_edits(core::slice::from_ref(&edit));
    assert!(text.contains("<neighbor-address>2001:db8::1</neighbor-address><enabled>false</enabled>"), "{text}");
    assert_eq!(parse_edits(&text).unwrap(), [edit]);
}

fn fails(xml: &str) -> XmlError {
    parse_edits(xml).unwrap_err()
}

#[test]
fn what_is_not_understood_is_an_error_with_path_and_offset() {
    let policy = r#"<routing-policy xmlns="http://openconfig.net/yang/routing-policy" xmlns:nc="urn:ietf:params:xml:ns:netconf:base:1.0">"#;
    let error = fails(&format!("{policy}<surprise/></routing-policy>"));
    assert_eq!((error.path.as_str(), error.offset), ("/routing-policy/surprise", policy.len() as u64));
    let body = r#"<policy-definitions><policy-definition><name>P</name><statements><statement nc:operation="create"><name>ten</name>"#;
    let error = fails(&format!("{policy}{body}</statement></statements></policy-definition></policy-definitions></routing-policy>"));
    assert_eq!(error.path, "/routing-policy/policy-definitions/policy-definition/statements/statement");
    assert!(error.why.contains("\"ten\""), "{error}");
    let removal = format!(r#"{policy}<policy-definitions nc:operation="delete"/></routing-policy>"#);
    assert!(fails(&removal).why.contains("merge here"), "an operation on a container would take everything below it");
    assert!(fails("<other/>").why.contains("neither"));
}

#[test]
fn hostile_documents_are_refused_within_bounds() {
    assert!(fails("<!DOCTYPE a [<!ENTITY x \"y\">]><a/>").why.contains("document type"));
    let error = fails("<routing-policy xmlns=\"http://openconfig.net/yang/routing-policy\">&x;</routing-policy>");
    assert!(error.why.contains("entities"), "{error}");
    assert_eq!(error.offset, 66);
    let deep = "<a>".repeat(DEPTH_MAX + 1);
    let error = fails(&deep);
    assert_eq!((error.why.as_str(), error.offset), ("deeper than 64 levels", 64 * 3));
    let wide: String = (0..=ATTRIBUTES_MAX).map(|n| format!(" a{n}=''")).collect();
    assert_eq!(fails(&format!("<x><a{wide}/></x>")).why, "more than 32 attributes");
    assert!(fails("<a><b></a>").offset > 0);
    assert_eq!(fails("<a><b>").why, "the document ends inside an element");
    assert!(fails("text").why.contains("outside"));
    assert!(fails(&" ".repeat(DOCUMENT_BYTES_MAX + 1)).why.contains("at most"));
}

#[test]
fn a_reply_keeps_what_it_cannot_model_as_such() {
    let xml = r#"<data xmlns="urn:ietf:params:xml:ns:netconf:base:1.0"><routing-policy xmlns="http://openconfig.net/yang/routing-policy">
      <policy-definitions><policy-definition><name>P</name><statements><statement><name>10</name>
      <conditions><match-tag-set><config><tag-set>T</tag-set></config></match-tag-set><state/></conditions>
      <actions><config><policy-result>ACCEPT_ROUTE</policy-result></config></actions></statement></statements></policy-definition>
      </policy-definitions></routing-policy></data>"#;
    let policy = parse_policy(xml).unwrap();
    assert_eq!(policy.definitions["P"].statements[0].conditions, [Condition::Unmodelled("match-tag-set".to_owned())]);
    assert_eq!(parse_policy("<data/>").unwrap(), RoutingPolicy::default());
}

use crate::RoutingPolicy;

proptest! {
    #[test]
    fn edits_come_back_in_transmission_order(config in config(), wishes in prop::collection::vec(edit(), 0..8)) {
        let edits = fitting(&config, wishes);
        let back = parse_edits(&render_edits(&edits)).unwrap();
        prop_assert_eq!(&back, &transmission_order(&edits));
        let (mut one, mut other) = (config.clone(), config);
        edits_of::apply(&mut one, &edits).unwrap();
        edits_of::apply(&mut other, &back).unwrap();
        prop_assert_eq!(one, other, "the order of transmission changes nothing");
    }

    #[test]
    fn a_policy_comes_back_whole(policy in policy(true)) {
        prop_assert_eq!(parse_policy(&render_policy(&policy)).unwrap(), policy);
    }

    #[test]
    fn no_text_makes_the_reader_fall_over(text in ".{0,200}") {
        let _ = (parse_edits(&text), parse_policy(&text));
    }

    #[test]
    fn no_damaged_document_makes_the_reader_fall_over(policy in policy(true), at in any::<prop::sample::Index>(), byte in 0u8..128) {
        let mut bytes = render_policy(&policy).into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(text) = String::from_utf8(bytes) {
            let _ = (parse_edits(&text), parse_policy(&text));
        }
    }
}
