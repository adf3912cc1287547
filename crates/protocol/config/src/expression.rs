//! Regular expressions over AS paths and communities, from other dialects' form into FRR's: over text, `_` a delimiter.

/// AS numbers that a range in a Junos expression may name.
const RANGE_MAX: u32 = 1024;
/// Characters of an expression that is read.
const LENGTH_MAX: usize = 4096;

/// Turns a Junos AS-path expression (over whole AS numbers, always the whole path) into one over text. `None`: a form that is not modelled.
pub(crate) fn junos_as_path(text: &str) -> Option<String> {
    let text = text.trim();
    if text.len() > LENGTH_MAX {
        return None;
    }
    if text == "()" || text.is_empty() {
        return Some("^$".to_owned());
    }
    let body = text.strip_prefix('^').unwrap_or(text);
    let body = body.strip_suffix('$').unwrap_or(body);
    let mut out = String::from("^(?:");
    let mut rest = body.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            ' ' | ',' => {}
            '.' => out.push_str("(?:(?:^| )[0-9]+)"),
            '0'..='9' => {
                let mut number = c.to_string();
                while let Some(d) = rest.next_if(char::is_ascii_digit) {
                    number.push(d);
                }
                out.push_str(&format!("(?:(?:^| ){number})"));
            }
            '[' => {
                let inside: String = rest.by_ref().take_while(|c| *c != ']').collect();
                let mut all = Vec::new();
                for part in inside.split_whitespace() {
                    let (low, high) = part.split_once('-').unwrap_or((part, part));
                    let (low, high): (u32, u32) = (low.parse().ok()?, high.parse().ok()?);
                    if high < low || high - low > RANGE_MAX {
                        return None;
                    }
                    all.extend((low..=high).map(|n| n.to_string()));
                }
                out.push_str(&format!("(?:(?:^| )(?:{}))", all.join("|")));
            }
            '(' => out.push_str("(?:"),
            ')' | '|' | '*' | '+' | '?' => out.push(c),
            '{' => {
                let inside: String = rest.by_ref().take_while(|c| *c != '}').collect();
                if inside.is_empty() || !inside.chars().all(|c| c.is_ascii_digit() || c == ',') {
                    return None;
                }
                out.push_str(&format!("{{{inside}}}"));
            }
            _ => return None,
        }
    }
    out.push_str(")$");
    Some(out)
}

/// A path of `at_least..=at_most` AS numbers.
pub(crate) fn length(at_least: u32, at_most: Option<u32>) -> String {
    if at_most == Some(0) {
        return "^$".to_owned();
    }
    let more = |n: u32| n.saturating_sub(1);
    let upper = at_most.map(|n| more(n).to_string()).unwrap_or_default();
    let some = format!("[0-9]+( [0-9]+){{{},{upper}}}", more(at_least));
    if at_least == 0 { format!("^({some})?$") } else { format!("^{some}$") }
}

/// A community with `*` or a range in place of a number, as an expression over the text of all communities; `None` for other forms.
/// `separator` stands between the numbers.
pub(crate) fn community(text: &str) -> Option<String> {
    if text.len() > LENGTH_MAX {
        return None;
    }
    let parts: Vec<&str> = text.split(':').collect();
    let part = |p: &str| -> Option<String> {
        if p == "*" {
            return Some("[0-9]+".to_owned());
        }
        if let Some((low, high)) = p.strip_prefix('[').and_then(|p| p.strip_suffix(']')).and_then(|p| p.split_once("..")) {
            let (low, high): (u32, u32) = (low.parse().ok()?, high.parse().ok()?);
            if high < low || high - low > RANGE_MAX {
                return None;
            }
            let all: Vec<String> = (low..=high).map(|n| n.to_string()).collect();
            return Some(format!("({})", all.join("|")));
        }
        // Junos writes expressions for a part: digits and the usual signs
        p.chars().all(|c| c.is_ascii_digit() || ".*+?[]-()|".contains(c)).then(|| p.replace('.', "[0-9]"))
    };
    let parts = parts.into_iter().map(part).collect::<Option<Vec<_>>>()?;
    (parts.len() == 2).then(|| format!("_{}_", parts.join(":")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_junos_expression_speaks_of_whole_numbers() {
        assert_eq!(junos_as_path("()").unwrap(), "^$");
        assert_eq!(junos_as_path("65001 .*").unwrap(), "^(?:(?:(?:^| )65001)(?:(?:^| )[0-9]+)*)$");
        assert_eq!(junos_as_path("[64512-64513]").unwrap(), "^(?:(?:(?:^| )(?:64512|64513)))$");
        assert_eq!(junos_as_path("!65001"), None);
        assert_eq!(junos_as_path("[1-4000000000]"), None, "a range is written out, so it has a bound");
    }

    #[test]
    fn lengths_and_wildcards() {
        assert_eq!(length(3, None), "^[0-9]+( [0-9]+){2,}$");
        assert_eq!(length(0, Some(2)), "^([0-9]+( [0-9]+){0,1})?$");
        assert_eq!(community("65001:*").unwrap(), "_65001:[0-9]+_");
        assert_eq!(community("65001:[1..3]").unwrap(), "_65001:(1|2|3)_");
        assert_eq!(community("nonsense"), None);
    }
}
