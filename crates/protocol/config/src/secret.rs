//! Secrets in a router's configuration: found and hidden before a text goes anywhere but back to its router.
//!
//! Passwords, keys and SNMP communities of FRR, IOS, IOS-XR, EOS and Junos, in whatever hashed or plain form. What is hidden is the rest of the
//! line behind the word that announces it: nothing that the twin computes stands there.

use std::borrow::Cow;

/// Stands where a secret stood.
pub const HIDDEN: &str = "(hidden)";

/// Words behind which a secret stands, wherever they occur.
const ANNOUNCING: [&str; 19] = [
    "password",
    "secret",
    "authentication-key",
    "authentication-password",
    "privacy-password",
    "privacy-key",
    "encrypted-password",
    "plain-text-password-value",
    "pre-shared-key",
    "shared-secret",
    "key-string",
    "md5-key",
    "keychain-secret",
    "area-password",
    "domain-password",
    "key-chain-secret",
    "auth-password",
    "simple-password",
    "hello-password",
];

/// Says whether a leaf of this name holds a secret, as YANG models name theirs.
#[must_use]
pub fn is_named(leaf: &str) -> bool {
    ANNOUNCING.contains(&leaf)
        || leaf.starts_with("password")
        || ["-password", "-secret", "secret-key", "password-hashed", "community-string", "auth-key"].iter().any(|end| leaf.ends_with(end))
}

/// Hides the secrets of a configuration; says how many there were.
#[must_use]
pub fn hide(text: &str) -> (Cow<'_, str>, usize) {
    let (mut out, mut count) = (String::new(), 0);
    // in Junos' braces a community under `snmp` is a secret, one under `policy-options` is not
    let (mut depth, mut snmp) = (0_usize, None);
    for line in text.split_inclusive('\n') {
        let words = line.trim();
        if snmp.is_none() && words == "snmp {" {
            snmp = Some(depth);
        }
        let kept = kept(line, snmp.is_some());
        if let Some(kept) = kept {
            count += 1;
            let end = line.trim_end_matches(['\n', '\r']);
            let tail = if end.ends_with('{') {
                " {"
            } else if end.ends_with(';') {
                ";"
            } else {
                ""
            };
            out.push_str(kept.trim_end());
            out.push(' ');
            out.push_str(HIDDEN);
            out.push_str(tail);
            out.push_str(&line[end.len()..]);
        } else {
            out.push_str(line);
        }
        if words.ends_with('{') {
            depth += 1;
        } else if words.starts_with('}') {
            depth = depth.saturating_sub(1);
            if snmp == Some(depth) {
                snmp = None;
            }
        }
    }
    if count == 0 { (Cow::Borrowed(text), 0) } else { (Cow::Owned(out), count) }
}

/// What of a line may stay; `None`: all of it.
fn kept(line: &str, snmp: bool) -> Option<&str> {
    let mut before = ["", ""];
    for (end, word) in words(line) {
        let bare = word.trim_end_matches([';', '{']);
        let announces = ANNOUNCING.contains(&bare)
            // `snmp-server community NAME`, `set snmp community NAME`, `community NAME {` under `snmp`
            || (bare == "community" && (snmp || matches!(before[1], "snmp-server" | "snmp")))
            // `message-digest-key 1 md5 KEY`, `authentication md5 KEY`
            || (bare == "md5" && matches!(before[0], "message-digest-key" | "authentication"))
            || (bare == "md5" && before[1] == "authentication")
            // `tacacs-server key KEY`, `radius-server host X key KEY`, ` key 7 KEY` of a server
            || (bare == "key" && line.contains("-server"))
            // `key 7 KEY`: the number says how it is hidden; `key 1` alone opens a key of a chain
            || (matches!(before[1], "key") && matches!(bare, "0" | "5" | "7") && line.get(end..).is_some_and(|rest| !rest.trim().is_empty()));
        if announces {
            let rest = line.get(end..).unwrap_or_default().trim();
            let said = !matches!(rest, "" | ";" | "{") && !rest.starts_with(HIDDEN);
            return said.then(|| &line[..end]);
        }
        before = [before[1], bare];
    }
    None
}

/// Words of a line, each with where it ends.
fn words(line: &str) -> impl Iterator<Item = (usize, &str)> {
    let begin = line.as_ptr() as usize;
    line.split_whitespace().map(move |w| (w.as_ptr() as usize - begin + w.len(), w))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_every_vendor_are_hidden_and_nothing_else() {
        let cases = [
            ("password zebra\n", "password (hidden)\n"),
            ("enable password 8 $1$abc\n", "enable password (hidden)\n"),
            ("enable secret 5 $1$abc$def\n", "enable secret (hidden)\n"),
            (" neighbor 10.0.0.1 password s3cret\n", " neighbor 10.0.0.1 password (hidden)\n"),
            (" neighbor 10.0.0.1 password 7 0A1B2C\n", " neighbor 10.0.0.1 password (hidden)\n"),
            ("username noc privilege 15 secret sha512 $6$x\r\n", "username noc privilege 15 secret (hidden)\r\n"),
            (" ip ospf message-digest-key 1 md5 topsecret\n", " ip ospf message-digest-key 1 md5 (hidden)\n"),
            (" ip ospf authentication-key plain\n", " ip ospf authentication-key (hidden)\n"),
            (" isis password clear hello\n", " isis password (hidden)\n"),
            (" area-password md5 hello\n", " area-password (hidden)\n"),
            ("snmp-server community pub1ic ro\n", "snmp-server community (hidden)\n"),
            ("tacacs-server host 10.0.0.9 key 7 0A1B\n", "tacacs-server host 10.0.0.9 key (hidden)\n"),
            ("  key-string password 13061E\n", "  key-string (hidden)\n"),
            ("set snmp community pub1ic authorization read-only\n", "set snmp community (hidden)\n"),
            ("set protocols bgp group UP authentication-key \"$9$abc\"\n", "set protocols bgp group UP authentication-key (hidden)\n"),
            ("            authentication-key \"$9$abc\"; ## SECRET-DATA", "            authentication-key (hidden)"),
            ("        encrypted-password \"$6$abc\";", "        encrypted-password (hidden);"),
            ("snmp {\n    community pub1ic {\n    }\n}\n", "snmp {\n    community (hidden) {\n    }\n}\n"),
        ];
        for (from, wanted) in cases {
            assert_eq!(hide(from), (Cow::Borrowed(wanted), 1), "{from}");
            assert_eq!(hide(wanted).1, 0, "{wanted}");
        }
        for plain in [
            "service password-encryption\n",
            " set community 65001:100 additive\n",
            "ip community-list standard GOLD permit 65001:100\n",
            "no neighbor 10.0.0.1 password\n",
            "key chain UP\n key 1\n",
            "policy-options {\n    community GOLD members 65001:100;\n}\n",
            "route-map secret-in permit 10\n",
            " description the password is at reception\n",
        ] {
            let hidden = hide(plain);
            if plain.contains("description") {
                // words in a description are not told from a setting: better hidden once too often
                assert_eq!(hidden.1, 1);
            } else {
                assert_eq!(hidden, (Cow::Borrowed(plain), 0), "{plain}");
            }
        }
    }
}
