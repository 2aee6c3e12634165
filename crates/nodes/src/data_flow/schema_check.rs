//! Findings about an `output_json_schema`.

use serde_json::{Map, Value};
use sluice_domain::validation::{Code, Finding};

use crate::config::author_schema;
use crate::config::common::{OUTPUT_JSON_SCHEMA, SchemaText};

/// Returns a finding if the `output_json_schema` of a config isn't a JSON Schema.
pub(crate) fn check(config: &Map<String, Value>) -> Option<Finding> {
    author_schema::problem(config.get(OUTPUT_JSON_SCHEMA)?).map(finding)
}

/// Returns a finding if values can't be checked against a schema.
pub(crate) fn check_enforced(schema: &SchemaText) -> Option<Finding> {
    author_schema::compile(schema).err().map(finding)
}

fn finding(message: String) -> Finding {
    Finding { code: Code::SchemaInvalid, pointer: format!("/{OUTPUT_JSON_SCHEMA}"), message, help: None }
}
