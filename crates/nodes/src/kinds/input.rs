//! `InputNode`: the input of a workflow or of the body of a loop.

use std::collections::HashSet;
use std::sync::Arc;

use jsonschema::Validator;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sluice_domain::graph::node_type;
use sluice_domain::run::{Behavior, CheckInput, NodeBehavior};
use sluice_domain::validation::{ConfigProblem, DataFlow, Fields, OutputShape, pointer_steps};
use validator::Validate;

use super::listing::{Category, Listing};
use super::node_kind::NodeKind;
use crate::config::author_schema;
use crate::config::common::SchemaText;
use crate::config::field_type::{FieldType, missing_field, wrong_type};
use crate::config::policy::Policies;
use crate::config::schema_errors::add_problems;
use crate::data_flow::{output_shape, schema_check};
use crate::text::value_text::describe;

/// The input field with the files of a run.
const FILES: &str = "files";

/// The kind.
pub(crate) struct InputNode;

/// Returns the input of the run or, in the body of a loop, of the iteration.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default)]
pub(crate) struct InputConfig {
    /// If true, the node fails if its input doesn't match `output_schema` and `output_json_schema`. If false, runs do
    /// not check the input. Validation, conversion of CSV rows and listOutputVariables still use the schemas.
    enforce_schema: bool,
    /// Fields of the input: {name: type}. Types: `string`, `integer`, `number`, `boolean`, `list`, `object`.
    /// Any other type accepts every value.
    output_schema: Map<String, Value>,
    /// JSON Schema of the input, as text or as an object. With a `required` list, only the fields in that
    /// list are required. Without one, all fields in `output_schema` are required.
    output_json_schema: SchemaText,
}

impl NodeKind for InputNode {
    const NAME: &'static str = node_type::INPUT;
    const LISTING: Listing = Listing::new(Category::InputOutput, "Input", "IN", "#6F42C1");
    type Config = InputConfig;

    fn behavior(config: InputConfig, _: Map<String, Value>, _: &Policies) -> NodeBehavior {
        let check: Arc<dyn CheckInput> =
            if config.enforce_schema { Arc::new(SchemaCheck::new(&config)) } else { Arc::new(NoCheck) };
        NodeBehavior::Complete(Behavior::Input(check))
    }

    fn data_flow(config: &InputConfig) -> DataFlow {
        let mut output = output_shape::from_schemas(&config.output_schema, &config.output_json_schema);
        if let OutputShape::Fields(Fields(fields)) = &mut output {
            fields.entry(FILES.to_owned()).or_insert(None);
        }
        let finding = config.enforce_schema.then(|| schema_check::check_enforced(&config.output_json_schema));
        DataFlow { output, findings: finding.flatten().into_iter().collect(), ..DataFlow::default() }
    }
}

/// Accepts every input.
#[derive(Debug)]
struct NoCheck;

impl CheckInput for NoCheck {
    fn check(&self, _: &Value) -> Result<(), String> {
        Ok(())
    }
}

/// Accepts inputs that match the schemas of the config.
#[derive(Debug)]
struct SchemaCheck {
    fields: Vec<(String, FieldType)>,
    /// False if the JSON Schema has a `required` list.
    requires_fields: bool,
    /// The compiled JSON Schema. An invalid schema fails the node, but doesn't prevent saving the workflow.
    schema: Result<Option<Validator>, String>,
}

impl SchemaCheck {
    fn new(config: &InputConfig) -> Self {
        let schema = author_schema::compile(&config.output_json_schema);
        let has_required =
            matches!(&schema, Ok(Some((schema, _))) if schema.get("required").is_some_and(Value::is_array));
        let fields = config.output_schema.iter();
        Self {
            fields: fields.map(|(name, type_name)| (name.clone(), FieldType::from_name(type_name))).collect(),
            requires_fields: !has_required,
            schema: schema.map(|compiled| compiled.map(|(_, validator)| validator)),
        }
    }

    /// Returns the problems of the fields in `output_schema`, except for the fields in `reported`.
    fn field_problems(&self, input: &Map<String, Value>, reported: &HashSet<String>) -> Vec<String> {
        let mut problems = Vec::new();
        for (name, field_type) in self.fields.iter().filter(|(name, _)| !reported.contains(name)) {
            match input.get(name) {
                None if self.requires_fields => problems.push(missing_field(name, *field_type)),
                Some(value) if !field_type.matches(value) => {
                    problems.push(wrong_type(name, *field_type, &describe(value)));
                }
                _ => {}
            }
        }
        problems
    }
}

impl CheckInput for SchemaCheck {
    fn check(&self, input: &Value) -> Result<(), String> {
        let schema = self.schema.as_ref().map_err(Clone::clone)?;
        let Value::Object(fields) = input else {
            return Err(format!("The input must be an object, got {}.", describe(input)));
        };
        let mut problems: Vec<ConfigProblem> = Vec::new();
        for error in schema.iter().flat_map(|schema| schema.iter_errors(input)) {
            add_problems(&error, "The input", &mut problems);
        }
        let reported = problems.iter().filter_map(|problem| pointer_steps(&problem.pointer).next()).collect();
        let mut messages: Vec<String> = problems.into_iter().map(|problem| problem.message).collect();
        messages.extend(self.field_problems(fields, &reported));
        if messages.is_empty() {
            return Ok(());
        }
        Err(format!("The input doesn't match the schema of the input node: {}", messages.join(" ")))
    }

    fn is_slow(&self) -> bool {
        true
    }
}
