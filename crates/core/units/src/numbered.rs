//! Maps whose keys are numbers, read from JSON.

use core::fmt;
use core::marker::PhantomData;
use core::str::FromStr;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use std::collections::BTreeMap;

/// Reads a map whose keys are numbers. For `#[serde(deserialize_with = "units::numbered")]`.
///
/// JSON writes such keys as strings. Inside an enum with a tag serde hands them on as strings, which its numbers refuse.
///
/// # Errors
/// Of the reader, or a key that is no number of this kind.
pub fn numbered<'de, K, V, D>(from: D) -> Result<BTreeMap<K, V>, D::Error>
where
    K: FromStr + Ord,
    V: Deserialize<'de>,
    D: Deserializer<'de>,
{
    from.deserialize_map(Entries(PhantomData))
}

struct Entries<K, V>(PhantomData<(K, V)>);

impl<'de, K: FromStr + Ord, V: Deserialize<'de>> Visitor<'de> for Entries<K, V> {
    type Value = BTreeMap<K, V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map with numbers as its keys")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut out = BTreeMap::new();
        while let Some((key, value)) = entries.next_entry::<String, V>()? {
            let number = key.parse().map_err(|_| A::Error::custom(format_args!("the key {key:?} is not such a number")))?;
            out.insert(number, value);
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};
    use std::collections::BTreeMap;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "kind")]
    enum Tagged {
        Counted {
            #[serde(deserialize_with = "super::numbered")]
            minutes: BTreeMap<i64, u64>,
        },
    }

    #[test]
    fn numbers_as_keys_come_back_from_inside_a_tagged_enum() {
        let written = Tagged::Counted { minutes: BTreeMap::from([(-1, 5), (29_932_333, 7)]) };
        let text = serde_json::to_string(&written).unwrap();
        assert_eq!(text, r#"{"kind":"Counted","minutes":{"-1":5,"29932333":7}}"#);
        assert_eq!(serde_json::from_str::<Tagged>(&text).unwrap(), written);
        let wrong = serde_json::from_str::<Tagged>(r#"{"kind":"Counted","minutes":{"soon":5}}"#).unwrap_err().to_string();
        assert!(wrong.contains(r#"the key "soon" is not such a number"#), "{wrong}");
    }
}
