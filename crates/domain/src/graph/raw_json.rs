use serde::de::{Error as _, Unexpected};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// A JSON object as the text that the client sent: the order of keys and the form of numbers are preserved.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "json-schema", schemars(inline, description = "Values by field."))]
#[cfg_attr(
    feature = "openapi",
    schema(
        as = Fields,
        value_type = HashMap<String, Value>,
        description = "Input or output of a node: values by field. The workflow determines the fields."
    )
)]
pub struct RawObject(
    #[cfg_attr(feature = "json-schema", schemars(with = "Map<String, Value>"))] Box<RawValue>,
);

impl RawObject {
    /// Returns the text of the object.
    #[must_use]
    pub fn get(&self) -> &str {
        self.0.get()
    }

    /// Returns the parsed object. Numbers that fit no integer type become the nearest double, as RFC 8259 permits.
    #[must_use]
    pub fn to_map(&self) -> Map<String, Value> {
        serde_json::from_str(self.0.get()).unwrap_or_default()
    }

    /// Serializes `map`.
    #[must_use]
    pub fn from_map(map: &Map<String, Value>) -> Self {
        let text = serde_json::to_string(map).unwrap_or_else(|_| "{}".to_owned());
        Self(RawValue::from_string(text).unwrap_or_else(|_| RawValue::NULL.to_owned()))
    }
}

impl Default for RawObject {
    fn default() -> Self {
        Self::from_map(&Map::new())
    }
}

impl PartialEq for RawObject {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get() || self.to_map() == other.to_map()
    }
}

impl Serialize for RawObject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for RawObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        if raw.get().starts_with('{') {
            return Ok(Self(raw));
        }
        let unexpected = match raw.get().as_bytes().first() {
            Some(b'[') => Unexpected::Seq,
            Some(b'"') => Unexpected::Other("a string"),
            Some(b't' | b'f') => Unexpected::Other("a boolean"),
            Some(b'n') => Unexpected::Unit,
            _ => Unexpected::Other("a number"),
        };
        Err(D::Error::invalid_type(unexpected, &"an object"))
    }
}
