//! JSON Schemas of config structs.

use jsonschema::Validator;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};
use sluice_domain::validation::ConfigProblem;

use super::common::CommonConfig;
use super::parse::Config;
use super::schema_errors::add_problems;

/// The JSON Schema of the config of a kind.
#[derive(Debug)]
pub(crate) struct ConfigSchema {
    /// The schema.
    pub(crate) json: Map<String, Value>,
    validator: Option<Validator>,
}

impl ConfigSchema {
    /// Returns the schema of `C`, with the fields that every config may have.
    pub(crate) fn of<C: Config>() -> Self {
        let mut json = object_schema::<C>();
        let mut properties = match object_schema::<CommonConfig>().remove("properties") {
            Some(Value::Object(properties)) => properties,
            _ => Map::new(),
        };
        if let Some(Value::Object(own)) = json.remove("properties") {
            properties.extend(own);
        }
        json.insert("properties".to_owned(), Value::Object(properties));
        let validator = jsonschema::validator_for(&Value::Object(json.clone())).ok();
        Self { json, validator }
    }

    /// Returns all violations of the schema in a config.
    pub(crate) fn problems(&self, fields: Map<String, Value>) -> Vec<ConfigProblem> {
        let config = Value::Object(fields);
        let mut problems = Vec::new();
        for error in self.validator.iter().flat_map(|validator| validator.iter_errors(&config)) {
            add_problems(&error, "The config", &mut problems);
        }
        problems
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
