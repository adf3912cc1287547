use super::*;

fn drain(decoder: &mut Decoder) -> Vec<String> {
    let mut out = Vec::new();
    while let Some(m) = decoder.next_message().unwrap() {
        out.push(m);
    }
    out
}

#[test]
fn messages_survive_any_cutting_of_the_stream() {
    for framing in [Framing::EndOfMessage, Framing::Chunked] {
        let stream = [framing.frame("<a>ä</a>"), framing.frame("<b/>")].concat();
        for cut in 0..stream.len() {
            let mut d = Decoder::default();
            d.set_framing(framing);
            d.push(&stream[..cut]);
            let mut got = drain(&mut d);
            d.push(&stream[cut..]);
            got.extend(drain(&mut d));
            assert_eq!(got, ["<a>ä</a>", "<b/>"], "{framing:?} cut at {cut}");
        }
    }
}

#[test]
fn several_chunks_make_one_message() {
    let mut d = Decoder::default();
    d.set_framing(Framing::Chunked);
    d.push(b"\n#4\n<rpc\n#19\n message-id=\"102\"/>\n##\n");
    assert_eq!(drain(&mut d), ["<rpc message-id=\"102\"/>"]);
}

#[test]
fn wrong_framing_names_the_byte() {
    let mut d = Decoder::default();
    d.set_framing(Framing::Chunked);
    d.push(&[Framing::Chunked.frame("<a/>"), b"]]>]]>".to_vec()].concat());
    assert_eq!(d.next_message().unwrap().as_deref(), Some("<a/>"));
    assert_eq!(d.next_message(), Err(FramingError::Header { offset: 12 }));
    for bad in [&b"\n#0\n"[..], b"\n#99999999999\n", b"\n#-1\n", b"x", b"\n##\n"] {
        let mut d = Decoder::default();
        d.set_framing(Framing::Chunked);
        d.push(bad);
        assert!(d.next_message().is_err(), "{:?}", String::from_utf8_lossy(bad));
    }
}

#[test]
fn a_chunk_longer_than_the_bound_is_refused_before_it_is_stored() {
    let mut d = Decoder::default();
    d.set_framing(Framing::Chunked);
    d.push(b"\n#4294967295\n");
    assert_eq!(d.next_message(), Err(FramingError::TooLong { offset: 0 }));
}

#[test]
fn bombs_and_depth_are_refused() {
    let bomb = "<!DOCTYPE x [<!ENTITY a \"aaaa\">]><x>&a;</x>";
    assert!(Element::parse(bomb).unwrap_err().why.contains("document type"));
    assert!(Element::parse("<x>&foo;</x>").unwrap_err().why.contains("entity"));
    let deep = format!("{}{}", "<x>".repeat(10_000), "</x>".repeat(10_000));
    assert!(Element::parse(&deep).unwrap_err().why.contains("levels"));
    assert!(Element::parse("<x></y>").is_err() && Element::parse("").is_err() && Element::parse("<a/><b/>").is_err());
}

#[test]
fn an_edit_is_read_with_the_namespaces_it_had_outside() {
    let text = r#"<nc:rpc xmlns:nc="urn:ietf:params:xml:ns:netconf:base:1.0" message-id="7"><nc:edit-config><nc:target><nc:candidate/></nc:target><nc:config><top xmlns="urn:t"><x nc:operation="delete">1 &lt; 2</x></top></nc:config></nc:edit-config></nc:rpc>"#;
    let request = Rpc::parse(text).unwrap();
    assert_eq!(request.message_id, "7");
    let Ok(Rpc::EditConfig { target, config, .. }) = request.rpc else { panic!("{request:?}") };
    assert_eq!(target, Datastore::Candidate);
    let top = Element::parse(&config).unwrap();
    assert_eq!((top.namespace.as_str(), top.children[0].text.as_str()), ("urn:t", "1 < 2"));
    assert_eq!(top.children[0].attributes["operation"], "delete");
}

#[test]
fn requests_are_read_as_they_were_made() {
    let cases = [
        (
            request::commit_confirmed(120, "t&1"),
            Rpc::Commit { confirmed: true, timeout_s: 120, persist: Some("t&1".into()), persist_id: None },
        ),
        (request::confirm("t"), Rpc::Commit { confirmed: false, timeout_s: 600, persist: None, persist_id: Some("t".into()) }),
        (request::cancel_commit("t"), Rpc::CancelCommit { persist_id: Some("t".into()) }),
        (request::lock(Datastore::Candidate), Rpc::Lock(Datastore::Candidate)),
        (request::discard_changes(), Rpc::DiscardChanges),
        (
            request::get_config(Datastore::Running, Some("<routing-policy xmlns=\"urn:p\"/>")),
            Rpc::GetConfig { source: Datastore::Running, filter: Some(vec![("routing-policy".into(), "urn:p".into())]) },
        ),
    ];
    for (xml, expected) in cases {
        assert_eq!(Rpc::parse(&request::rpc(1, &xml)).unwrap().rpc, Ok(expected));
    }
    assert!(Rpc::parse(&request::rpc(1, "<commit><confirmed/><confirm-timeout>0</confirm-timeout></commit>")).unwrap().rpc.is_err());
}

#[test]
fn an_answer_with_an_error_and_ok_is_an_error() {
    let text = format!(
        "<rpc-reply xmlns=\"{BASE_NS}\" message-id=\"3\"><rpc-error><error-tag>x</error-tag><error-severity>error</error-severity></rpc-error><ok/></rpc-reply>"
    );
    assert!(matches!(Reply::parse(&text).unwrap(), (Some(3), Reply::Errors(_))));
}

#[test]
fn errors_keep_the_servers_words() {
    let error = RpcError {
        kind: "protocol".into(),
        tag: "lock-denied".into(),
        message: Some("<held> & locked".into()),
        session_id: Some("12".into()),
        ..RpcError::default()
    };
    let (_, reply) = Reply::parse(&reply::error("5", &error)).unwrap();
    let Reply::Errors(list) = reply else { panic!() };
    assert_eq!(list[0], error);
    assert_eq!(list[0].to_string(), "lock-denied: \"<held> & locked\" (held by session 12)");
}

#[test]
fn framing_is_the_best_that_both_speak() {
    let old = Capabilities(vec![BASE_10.into()]);
    let new = Capabilities(vec![BASE_10.into(), format!("{BASE_11}?x=y")]);
    assert_eq!(new.framing_with(&new), Some(Framing::Chunked));
    assert_eq!(new.framing_with(&old), Some(Framing::EndOfMessage));
    assert_eq!(Capabilities::default().framing_with(&old), None);
}

#[test]
fn text_outside_and_undeclared_prefixes_are_refused_at_their_byte() {
    assert_eq!(Element::parse("<a/>junk").unwrap_err().offset, 4);
    assert_eq!(Element::parse("<a><b:c/></a>").unwrap_err().offset, 3);
    assert_eq!(Element::parse("<a>&foo;</a>").unwrap_err().offset, 3);
    assert_eq!(Element::parse("<a><b></a>").unwrap_err().offset, 6);
    assert_eq!(Element::parse("<a>").unwrap_err().offset, 3);
    assert_eq!(Element::parse("<?xml version=\"1.0\"?><!DOCTYPE a><a/>").unwrap_err().offset, 21);
}

#[test]
fn a_declaration_with_blanks_is_not_made_twice() {
    let text = "<r xmlns=\"urn:r\" xmlns:p=\"urn:p\"><t xmlns = 'urn:t'><p:x/></t><u>xmlns=\"no\"</u></r>";
    let root = Element::parse(text).unwrap();
    assert_eq!(root.inner_xml(text), "<t xmlns:p=\"urn:p\" xmlns = 'urn:t'><p:x/></t><u xmlns=\"urn:r\">xmlns=\"no\"</u>");
}

#[test]
fn many_small_chunks_cost_no_more_than_their_bytes() {
    // 400,000 chunks of one byte in one push: quadratic work would take minutes
    let mut stream = "\n#1\nx".repeat(400_000).into_bytes();
    stream.extend_from_slice(b"\n##\n");
    let mut d = Decoder::default();
    d.set_framing(Framing::Chunked);
    d.push(&stream);
    assert_eq!(d.next_message().unwrap().unwrap().len(), 400_000);
    assert_eq!(d.next_message(), Ok(None));
}

#[test]
fn a_message_that_is_not_utf8_or_too_long_names_where_it_starts() {
    let mut d = Decoder::default();
    d.push(b"<a/>]]>]]>\xff]]>]]>");
    assert_eq!(d.next_message().unwrap().as_deref(), Some("<a/>"));
    assert_eq!(d.next_message(), Err(FramingError::NotUtf8 { offset: 10 }));
    let mut d = Decoder::default();
    d.push(&vec![b'x'; MESSAGE_MAX + 1]);
    assert_eq!(d.next_message(), Err(FramingError::TooLong { offset: 0 }));
    let mut d = Decoder::default();
    d.set_framing(Framing::Chunked);
    d.push(b"\n#2\nab\n#16777215\n");
    assert_eq!(d.next_message(), Err(FramingError::TooLong { offset: 6 }));
}

mod properties {
    use super::*;
    use proptest::prelude::*;

    fn document() -> impl Strategy<Value = String> {
        let leaf = "[ -~äß]{0,12}".prop_map(|t| quick_xml::escape::escape(t).into_owned());
        leaf.prop_recursive(5, 40, 4, |inner| {
            ("[a-z][a-z0-9-]{0,6}", proptest::option::of("[a-z]{1,5}"), proptest::collection::vec(inner, 0..4)).prop_map(
                |(name, ns, inner)| {
                    let ns = ns.map(|n| format!(" xmlns=\"urn:{n}\"")).unwrap_or_default();
                    format!("<{name}{ns}>{}</{name}>", inner.concat())
                },
            )
        })
    }

    proptest! {
        /// What is cut out stands alone and says the same.
        #[test]
        fn every_element_stands_alone(inner in document()) {
            let text = format!("<root xmlns=\"urn:root\">{inner}</root>");
            let root = Element::parse(&text).unwrap();
            for child in &root.children {
                let alone = child.outer_xml(&text);
                let again = Element::parse(&alone).unwrap();
                prop_assert_eq!(shape(&again), shape(child));
            }
        }

        /// No input makes the readers panic or loop.
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,200}", bytes in proptest::collection::vec(any::<u8>(), 0..200), chunked: bool) {
            let _ = (Element::parse(&text), Reply::parse(&text), Rpc::parse(&text), Hello::parse(&text));
            let mut d = Decoder::default();
            d.set_framing(if chunked { Framing::Chunked } else { Framing::EndOfMessage });
            d.push(&bytes);
            while let Ok(Some(_)) = d.next_message() {}
        }

        /// Framing loses and adds nothing, however the stream is cut.
        #[test]
        fn frames_carry_any_message(messages in proptest::collection::vec("[a-z<>/#\n]{1,30}", 1..5), cut in 1usize..20, chunked: bool) {
            let framing = if chunked { Framing::Chunked } else { Framing::EndOfMessage };
            let stream: Vec<u8> = messages.iter().flat_map(|m| framing.frame(m)).collect();
            let mut d = Decoder::default();
            d.set_framing(framing);
            let mut got = Vec::new();
            for piece in stream.chunks(cut) {
                d.push(piece);
                got.extend(drain(&mut d));
            }
            prop_assert_eq!(got, messages);
        }
    }

    /// Names, namespaces and texts, without the places in the message.
    fn shape(e: &Element) -> String {
        let children: Vec<String> = e.children.iter().map(shape).collect();
        format!("{{{}}}{}({:?})[{}]", e.namespace, e.name, e.text, children.join(","))
    }
}
