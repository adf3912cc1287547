//! YANG module prefixes, and where they are none: a MAC address as an element, an IPv6 address as a key, an interface called `a:b`.

/// Families of module names that stand before identities in key values (seen with OpenConfig, SR Linux, IOS-XR, EOS, Ciena).
const MODULES: [&str; 8] = ["openconfig-", "oc-", "ietf-", "iana-", "srl_nokia-", "nokia-", "Cisco-IOS-", "arista-"];
/// Keys whose type is an identity in OpenConfig and in SR Linux: whatever stands before the colon is a module.
const IDENTITY_KEYS: [&str; 4] = ["identifier", "afi-safi-name", "afi-safi", "protocol-identifier"];

/// Says whether `text` is an identifier of YANG (RFC 7950 §6.2).
fn is_identifier(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

/// Splits `module:name`; `None` when the colon is no module's.
fn split(text: &str) -> Option<(&str, &str)> {
    text.split_once(':').filter(|(module, name)| is_identifier(module) && (is_identifier(name) || matches!(*name, "*" | "...")))
}

/// Returns the name of an element or of a key without its module (`openconfig-interfaces:interface`, RFC 7951 §4).
#[must_use]
pub fn bare_name(name: &str) -> &str {
    split(name).map_or(name, |(_, name)| name)
}

/// Returns the value of `key` without the module, where it is an identity (`openconfig-policy-types:BGP`, RFC 7951 §6.8).
#[must_use]
pub fn bare_key_value<'a>(key: &str, value: &'a str) -> &'a str {
    match split(value) {
        Some((module, name)) if IDENTITY_KEYS.contains(&key) || is_module(module) => name,
        _ => value,
    }
}

/// Returns an identity without its module; text that has no module of a known family is returned as it is.
#[must_use]
pub fn bare_identity(value: &str) -> &str {
    split(value).filter(|(module, _)| is_module(module)).map_or(value, |(_, name)| name)
}

fn is_module(text: &str) -> bool {
    MODULES.iter().any(|m| text.starts_with(m))
}

/// Splits the origin off a path in text (`eos_native:/Kernel/proc`).
#[must_use]
pub fn split_origin(text: &str) -> (&str, &str) {
    match text.split_once(":/") {
        Some((origin, _)) if is_identifier(origin) => (origin, &text[origin.len() + 1..]),
        _ => ("", text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_modules_are_stripped() {
        assert_eq!(bare_name("oc-if:interfaces"), "interfaces");
        assert_eq!(bare_name("oc-if:*"), "*");
        for kept in ["01:00:5e:1e:1e:1e", "aa:bb:cc:dd:ee:ff", "interfaces", "fe80::1", "a:", ":a", "vlan:900"] {
            assert_eq!(bare_name(kept), kept);
        }
    }

    #[test]
    fn identities_lose_their_module_and_names_keep_their_colons() {
        assert_eq!(bare_key_value("identifier", "oc-pol-types:BGP"), "BGP");
        assert_eq!(bare_key_value("afi-safi-name", "srl_nokia-common:ipv4-unicast"), "ipv4-unicast");
        assert_eq!(bare_key_value("identifier", "x:BGP"), "BGP");
        assert_eq!(bare_key_value("name", "Local:Mgmt"), "Local:Mgmt");
        assert_eq!(bare_key_value("neighbor-address", "2001:db8::1"), "2001:db8::1");
        assert_eq!(bare_identity("openconfig-bgp-types:IPV4_UNICAST"), "IPV4_UNICAST");
        assert_eq!(bare_identity("Core:GRE"), "Core:GRE");
    }

    #[test]
    fn an_origin_is_told_from_a_module() {
        assert_eq!(split_origin("eos_native:/Kernel/proc"), ("eos_native", "/Kernel/proc"));
        assert_eq!(split_origin("openconfig-interfaces:interfaces/interface"), ("", "openconfig-interfaces:interfaces/interface"));
        assert_eq!(split_origin("/a[k=x:/y]"), ("", "/a[k=x:/y]"));
    }
}
