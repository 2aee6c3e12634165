//! Deserialization of structs from JSON objects only. Serde's derive also accepts an array of the fields in order.

use serde::Deserializer;
use serde::de::Visitor;

/// A deserializer that accepts only an object.
pub(crate) struct ObjectOnly<D>(pub(crate) D);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for ObjectOnly<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_map(visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// Implements `Deserialize`, and `Serialize` if asked, for structs that derive them with `#[serde(remote = "Self")]`.
/// Only objects are accepted.
macro_rules! strict_object {
    (deserialize $($name:ty),+) => {$(
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::deserialize($crate::strict_object::ObjectOnly(deserializer))
            }
        }
    )+};
    (serialize and deserialize $($name:ty),+) => {
        $crate::strict_object::strict_object!(deserialize $($name),+);
        $(
            impl serde::Serialize for $name {
                fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    Self::serialize(self, serializer)
                }
            }
        )+
    };
}

pub(crate) use strict_object;

#[cfg(test)]
mod tests {
    use crate::Definition;

    fn parse(json: &str) -> Result<Definition, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn rejects_arrays_in_place_of_objects() {
        let node = r#"{"id":"a","node_type":"X"}"#;
        parse(&format!(r#"{{"nodes":[{node}],"links":[{{"source_id":"a","target_id":"a"}}]}}"#)).unwrap();
        for bad in [
            r#"[[],[]]"#.to_owned(),
            r#"{"nodes":[["a","t",null,"X"]],"links":[]}"#.to_owned(),
            format!(r#"{{"nodes":[{node}],"links":[["a","a"]]}}"#),
            r#"{"nodes":[{"id":"a","node_type":"X","coordinates":[1,2]}],"links":[]}"#.to_owned(),
            r#"{"nodes":[{"id":"a","node_type":"X","dimensions":[1,2]}],"links":[]}"#.to_owned(),
            r#"{"nodes":[{"id":"a","node_type":"X","subworkflow":[[],[]]}],"links":[]}"#.to_owned(),
        ] {
            let error = parse(&bad).unwrap_err();
            assert!(error.contains("invalid type: sequence"), "{bad}: {error}");
        }
    }
}
