//! Configs: from the JSON that clients send to the struct of a kind, with every problem on the way.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use serde_path_to_error::Segment;
use sluice_domain::validation::{ConfigProblem, pointer_step};
use sluice_json_schema::Validator;
use validator::{Validate, ValidationErrors, ValidationErrorsKind};

use crate::wording;

/// What a struct must be able to do to be the config of a kind.
pub(crate) trait Config: DeserializeOwned + JsonSchema + Validate {}

impl<T: DeserializeOwned + JsonSchema + Validate> Config for T {}

/// What the config of every kind may hold.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default)]
pub(crate) struct Common {
    /// The fields that the node gives: {name: type}.
    output_schema: Map<String, Value>,
    /// The JSON Schema of what the node gives, as text.
    output_json_schema: SchemaText,
    /// Whether what the node gives is fixed by its kind.
    has_fixed_output: bool,
}

/// A JSON Schema: as the text that editors send, or as the object itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum SchemaText {
    /// The text of the schema; empty where there is none.
    Text(String),
    /// The schema itself.
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

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SchemaText".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["string", "object"]})
    }
}

/// `null` stands for an absent field.
pub(crate) fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// A whole number, also when it is written as `3.0`.
pub(crate) fn whole_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let number = serde_json::Number::deserialize(deserializer)?;
    let from_float = |float: f64| {
        let text = format!("{float:.0}");
        (float.fract() == 0.0).then(|| text.parse().ok()).flatten()
    };
    let whole = number.as_i64().or_else(|| number.as_f64().filter(|_| number.is_f64()).and_then(from_float));
    whole.ok_or_else(|| serde::de::Error::custom("not a whole number of moderate size"))
}

/// The config without the fields that are `null`, which stands for an absent field.
pub(crate) fn present(mut config: Map<String, Value>) -> Map<String, Value> {
    config.retain(|_, value| !value.is_null());
    config
}

/// The struct for what a client wrote.
///
/// # Errors
/// The first problem of the form, or every problem of the values.
pub(crate) fn read<C: Config>(config: Map<String, Value>) -> Result<C, Vec<ConfigProblem>> {
    let common: Common = read_one(config.clone())?;
    drop(common);
    read_one(config)
}

fn read_one<C: Config>(config: Map<String, Value>) -> Result<C, Vec<ConfigProblem>> {
    let config: C =
        serde_path_to_error::deserialize(Value::Object(config)).map_err(|error| vec![at(&error)])?;
    match config.validate() {
        Ok(()) => Ok(config),
        Err(errors) => Err(of_values(&errors, "")),
    }
}

fn at(error: &serde_path_to_error::Error<serde_json::Error>) -> ConfigProblem {
    let mut pointer = String::new();
    for segment in error.path() {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } => pointer.push_str(&format!("/{}", pointer_step(key))),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    let message = format!("{} doesn't fit: {}.", wording::subject(&pointer, "The config"), error.inner());
    ConfigProblem { pointer, message }
}

fn of_values(errors: &ValidationErrors, prefix: &str) -> Vec<ConfigProblem> {
    let mut found = Vec::new();
    for (field, kind) in errors.errors() {
        let pointer = format!("{prefix}/{}", pointer_step(field));
        match kind {
            ValidationErrorsKind::Struct(inner) => found.extend(of_values(inner, &pointer)),
            ValidationErrorsKind::List(items) => {
                found.extend(items.iter().flat_map(|(i, inner)| of_values(inner, &format!("{pointer}/{i}"))));
            }
            ValidationErrorsKind::Field(errors) => found.extend(errors.iter().map(|error| {
                let message = format!("{} doesn't fit: {error}.", wording::subject(&pointer, "The config"));
                ConfigProblem { pointer: pointer.clone(), message }
            })),
        }
    }
    found.sort_by(|a, b| a.pointer.cmp(&b.pointer));
    found
}

/// The JSON Schema of a kind's config, and the same made ready to check configs with.
#[derive(Debug)]
pub(crate) struct ConfigSchema {
    /// The schema as the catalogue shows it, but for the title.
    pub(crate) json: Map<String, Value>,
    validator: Option<Validator>,
}

impl ConfigSchema {
    /// The schema of `C`, with the fields that every config may hold.
    pub(crate) fn of<C: Config>() -> Self {
        let mut json = object_schema::<C>();
        let mut properties = match object_schema::<Common>().remove("properties") {
            Some(Value::Object(properties)) => properties,
            _ => Map::new(),
        };
        if let Some(Value::Object(own)) = json.remove("properties") {
            properties.extend(own);
        }
        json.insert("properties".to_owned(), Value::Object(properties));
        let validator = Validator::new(&Value::Object(json.clone())).ok();
        Self { json, validator }
    }

    /// Every place where `config` breaks the schema.
    pub(crate) fn problems(&self, config: Map<String, Value>) -> Vec<ConfigProblem> {
        let config = Value::Object(config);
        let mut found = Vec::new();
        for error in self.validator.iter().flat_map(|validator| validator.errors(&config)) {
            wording::describe(&error, "The config", &mut found);
        }
        found
    }
}

fn object_schema<C: JsonSchema>() -> Map<String, Value> {
    let mut settings = SchemaSettings::draft2020_12();
    settings.meta_schema = None;
    match settings.into_generator().into_root_schema_for::<C>().to_value() {
        Value::Object(schema) => schema,
        _ => Map::new(),
    }
}
