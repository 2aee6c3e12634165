//! Parses configs into the structs of their kinds.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use sluice_domain::validation::{ConfigProblem, path_pointer, pointer_step};
use validator::{Validate, ValidationErrors, ValidationErrorsKind};

use super::common::CommonConfig;
use super::schema_errors::subject;

/// The requirements on the config struct of a kind.
pub(crate) trait Config: DeserializeOwned + JsonSchema + Validate {}

impl<T: DeserializeOwned + JsonSchema + Validate> Config for T {}

/// Removes fields that are `null`: they are equivalent to absent fields.
pub(crate) fn without_nulls(mut fields: Map<String, Value>) -> Map<String, Value> {
    fields.retain(|_, value| !value.is_null());
    fields
}

/// Parses a config.
///
/// # Errors
/// The first field of the wrong type, or all fields whose values are out of range.
pub(crate) fn parse<C: Config>(fields: Map<String, Value>) -> Result<C, Vec<ConfigProblem>> {
    parse_struct::<CommonConfig>(fields.clone())?;
    parse_struct(fields)
}

fn parse_struct<C: Config>(fields: Map<String, Value>) -> Result<C, Vec<ConfigProblem>> {
    let config: C = serde_path_to_error::deserialize(Value::Object(fields))
        .map_err(|error| vec![type_problem(&error)])?;
    match config.validate() {
        Ok(()) => Ok(config),
        Err(errors) => Err(value_problems(&errors, "")),
    }
}

fn type_problem(error: &serde_path_to_error::Error<serde_json::Error>) -> ConfigProblem {
    let pointer = path_pointer(error.path());
    let message = format!("{} is invalid: {}.", subject(&pointer, "The config"), error.inner());
    ConfigProblem { pointer, message }
}

fn value_problems(errors: &ValidationErrors, prefix: &str) -> Vec<ConfigProblem> {
    let mut problems = Vec::new();
    for (field, kind) in errors.errors() {
        let pointer = format!("{prefix}/{}", pointer_step(field));
        match kind {
            ValidationErrorsKind::Struct(inner) => problems.extend(value_problems(inner, &pointer)),
            ValidationErrorsKind::List(items) => {
                for (index, inner) in items {
                    problems.extend(value_problems(inner, &format!("{pointer}/{index}")));
                }
            }
            ValidationErrorsKind::Field(errors) => {
                for error in errors {
                    let message = format!("{} is invalid: {error}.", subject(&pointer, "The config"));
                    problems.push(ConfigProblem { pointer: pointer.clone(), message });
                }
            }
        }
    }
    problems.sort_by(|a, b| a.pointer.cmp(&b.pointer));
    problems
}
