//! The checksum of a document, which detects truncated and edited files.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserializer as _, Error as _, MapAccess, SeqAccess, Visitor};
use serde::ser::{Error as _, SerializeMap as _, SerializeSeq as _};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

/// The checksum of a document: `sha256:` and the SHA-256 (hex) of its RFC 8785 canonical JSON without the member
/// `checksum`.
///
/// # Errors
/// If the text is not an object.
pub(super) fn checksum(json: &str) -> Result<String, serde_json::Error> {
    let mut members: BTreeMap<Key<'_>, &RawValue> = serde_json::from_str(json)?;
    members.remove("checksum");
    let members: BTreeMap<_, _> = members.iter().map(|(Key(key), value)| (key, Canonical(value))).collect();
    let canonical = serde_json_canonicalizer::to_vec(&members)?;
    let hex: String = Sha256::digest(&canonical).iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("sha256:{hex}"))
}

/// The name of a member, borrowed from the input if it has no escapes.
#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl std::borrow::Borrow<str> for Key<'_> {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// A JSON text that is serialized value by value. A tree of all values would take many times more memory.
struct Canonical<'a>(&'a RawValue);

impl Serialize for Canonical<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = serde_json::Deserializer::from_str(self.0.get());
        text.deserialize_any(Forward(serializer)).map_err(S::Error::custom)
    }
}

struct Forward<S>(S);

impl<'de, S: Serializer> Visitor<'de> for Forward<S> {
    type Value = S::Ok;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<S::Ok, E> {
        self.0.serialize_unit().map_err(E::custom)
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<S::Ok, E> {
        self.0.serialize_bool(value).map_err(E::custom)
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<S::Ok, E> {
        self.0.serialize_i64(value).map_err(E::custom)
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<S::Ok, E> {
        self.0.serialize_u64(value).map_err(E::custom)
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<S::Ok, E> {
        self.0.serialize_f64(value).map_err(E::custom)
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<S::Ok, E> {
        self.0.serialize_str(value).map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<S::Ok, A::Error> {
        let mut out = self.0.serialize_seq(None).map_err(A::Error::custom)?;
        while let Some(item) = items.next_element::<&RawValue>()? {
            out.serialize_element(&Canonical(item)).map_err(A::Error::custom)?;
        }
        out.end().map_err(A::Error::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<S::Ok, A::Error> {
        let mut out = self.0.serialize_map(None).map_err(A::Error::custom)?;
        while let Some((Key(key), value)) = members.next_entry::<Key<'de>, &RawValue>()? {
            out.serialize_entry(&key, &Canonical(value)).map_err(A::Error::custom)?;
        }
        out.end().map_err(A::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn checksum_hashes_the_canonical_text() {
        let text = r#" {"b": [1.0, -0e1, 1e21, 0.1, -7, 18446744073709551615, {}, [ ]], "checksum": "x",
            "\u20ac": "\u0007\"\\ü", "\ud83d\ude00": null, "a": {"z": true, "\u0061": {"k": [[false]]}}} "#;
        let mut value: Value = serde_json::from_str(text).unwrap();
        value.as_object_mut().unwrap().remove("checksum");
        let canonical = serde_json_canonicalizer::to_vec(&value).unwrap();
        let hex: String = Sha256::digest(&canonical).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(checksum(text).unwrap(), format!("sha256:{hex}"));
        assert!(checksum("[]").is_err());
        assert_eq!(checksum(&json!({}).to_string()).unwrap().len(), 71);
    }
}
