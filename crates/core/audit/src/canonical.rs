//! One spelling of each JSON value.
//!
//! RFC 8785 (JSON Canonicalization Scheme) with one difference: integers keep all their digits (JCS would round those above 2^53).

use serde_json::{Number, Value};

/// Appends the canonical text of `value`.
pub fn write(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Number(n) => write_number(n, out),
        Value::String(s) => write_string(s, out),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write(item, out);
            }
            out.push(']');
        }
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort_by(|a, b| a.encode_utf16().cmp(b.encode_utf16()));
            out.push('{');
            for (i, key) in keys.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_string(key, out);
                out.push(':');
                write(&map[key], out);
            }
            out.push('}');
        }
    }
}

/// Escapes as RFC 8785 §3.2.2.2 does.
fn write_string(s: &str, out: &mut String) {
    out.push('"');
    for c in s.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

fn write_number(n: &Number, out: &mut String) {
    match (n.as_u64(), n.as_i64(), n.as_f64()) {
        (Some(u), _, _) => out.push_str(&u.to_string()),
        (_, Some(i), _) => out.push_str(&i.to_string()),
        (_, _, Some(f)) => write_float(f, out),
        _ => out.push_str("null"),
    }
}

/// Writes a double as ECMAScript's `Number::toString` does (ECMA-262 §6.1.6.1.20), from the shortest digits that read back.
fn write_float(f: f64, out: &mut String) {
    if f == 0.0 {
        out.push('0');
        return;
    }
    let scientific = format!("{f:e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return out.push_str(&scientific) };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let (count, point) = (i32::try_from(digits.len()).unwrap_or(i32::MAX), exponent + 1);
    if f < 0.0 {
        out.push('-');
    }
    let zeros = |n: i32| "0".repeat(usize::try_from(n).unwrap_or(0));
    let split = |at: i32| digits.split_at(usize::try_from(at).unwrap_or(0).min(digits.len()));
    match point {
        p if (count..=21).contains(&p) => out.push_str(&format!("{digits}{}", zeros(p - count))),
        p if (1..=21).contains(&p) => out.push_str(&format!("{}.{}", split(p).0, split(p).1)),
        p if (-5..=0).contains(&p) => out.push_str(&format!("0.{}{digits}", zeros(-p))),
        _ => {
            let sign = if exponent < 0 { '-' } else { '+' };
            let (first, rest) = split(1);
            let dot = if rest.is_empty() { "" } else { "." };
            out.push_str(&format!("{first}{dot}{rest}e{sign}{}", exponent.abs()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(json: &str) -> String {
        let mut out = String::new();
        write(&serde_json::from_str(json).unwrap(), &mut out);
        out
    }

    /// The example of RFC 8785 §3.2.4.
    #[test]
    fn the_example_of_the_rfc_comes_out_as_printed_there() {
        let input = r#"{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],
            "string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}"#;
        let expected = "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],\
                        \"string\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}";
        assert_eq!(text(input), expected);
    }

    #[test]
    fn keys_sort_by_utf16_units_and_integers_keep_their_digits() {
        assert_eq!(text("{\"\u{fb33}\":1,\"\u{1f600}\":2,\"a\":3}"), "{\"a\":3,\"\u{1f600}\":2,\"\u{fb33}\":1}");
        assert_eq!(text("[18446744073709551615,-9223372036854775808]"), "[18446744073709551615,-9223372036854775808]");
    }

    #[test]
    fn floats_are_spelled_as_ecmascript_spells_them() {
        for (input, expected) in [
            ("-0.0", "0"),
            ("5.0", "5"),
            ("1e21", "1e+21"),
            ("1e20", "100000000000000000000"),
            ("1e-6", "0.000001"),
            ("1e-7", "1e-7"),
            ("-123.456", "-123.456"),
            ("5e-324", "5e-324"),
            ("1.7976931348623157e308", "1.7976931348623157e+308"),
        ] {
            assert_eq!(text(input), expected, "{input}");
        }
    }
}
