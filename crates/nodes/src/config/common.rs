//! Fields that every config may have, and helpers to deserialize fields.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Number, Value};
use validator::Validate;

/// The config field with the fields of the output and their types.
pub(crate) const OUTPUT_SCHEMA: &str = "output_schema";

/// The config field with the JSON Schema of the output.
pub(crate) const OUTPUT_JSON_SCHEMA: &str = "output_json_schema";

/// Fields that the config of every kind may have.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default)]
pub(crate) struct CommonConfig {
    /// Fields of the output: {name: type}. Runs do not check outputs against it. listOutputVariables returns its
    /// fields.
    output_schema: Map<String, Value>,
    /// JSON Schema of the output, as text or as an object.
    output_json_schema: SchemaText,
    /// True if the node type determines the fields of the output. Set by editors, without effect on the
    /// server.
    has_fixed_output: bool,
}

/// A JSON Schema as text, which editors send, or as an object.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum SchemaText {
    /// The schema as text. Empty if there is no schema.
    Text(String),
    /// The schema itself. Empty if there is no schema.
    Object(Map<String, Value>),
}

impl Default for SchemaText {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

impl JsonSchema for SchemaText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "SchemaText".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["string", "object"]})
    }
}

/// Deserializes `null` as the default, like an absent field.
pub(crate) fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// Deserializes a whole number. Accepts floats such as `3.0`.
pub(crate) fn whole_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let number = Number::deserialize(deserializer)?;
    let whole = number.as_i64().or_else(|| {
        let float = number.as_f64().filter(|float| number.is_f64() && float.fract() == 0.0)?;
        format!("{float:.0}").parse().ok()
    });
    whole.ok_or_else(|| D::Error::custom("it is not a whole number, or it is too large"))
}
