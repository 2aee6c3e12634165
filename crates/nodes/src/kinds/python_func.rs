//! `PythonFuncNode`: Python code of the workflow's author. Its executor in the engine runs the code.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sluice_domain::run::{Behavior, Effect, NodeBehavior};
use sluice_domain::validation::DataFlow;
use validator::Validate;

use super::listing::{Category, Listing};
use super::node_kind::NodeKind;
use crate::config::field_type;
use crate::config::parse;
use crate::config::policy::{Policies, PolicyConfig};
use crate::data_flow::{output_shape, python};
use crate::text::value_text::describe;

/// The node type, for the registration of the executor.
pub const NODE_TYPE: &str = "PythonFuncNode";

/// The kind.
pub(crate) struct PythonFuncNode;

/// Runs Python code on the inputs of the node.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default)]
pub struct PythonFuncConfig {
    /// The body of a Python function. Its parameter `input_model` has the inputs of the node by title. It returns a
    /// dictionary, the output of the node.
    pub code: String,
    /// Fields of the output: {name: type}. Types: `string`, `integer`, `number`, `boolean`, `list`, `object`.
    /// Any other type accepts every value. The node converts returned values to these types, fails if a field
    /// is missing or can't be converted, and drops other fields. If empty, the output has all returned fields
    /// unchanged.
    pub output_schema: Map<String, Value>,
    /// Timeout and retries of the code.
    #[validate(nested)]
    pub policy: PolicyConfig,
}

impl Default for PythonFuncConfig {
    fn default() -> Self {
        let code = "# Read inputs as input_model.some_node.some_field\n\
                    # and return a dictionary:\n\
                    return {}\n";
        Self { code: code.to_owned(), output_schema: Map::new(), policy: PolicyConfig::default() }
    }
}

impl PythonFuncConfig {
    /// Parses the config in a [`Behavior::Effect`].
    ///
    /// # Errors
    /// The problems of the config, which another version of the server may have accepted.
    pub fn from_fields(fields: &Map<String, Value>) -> Result<Self, String> {
        parse::parse(parse::without_nulls(fields.clone())).map_err(|problems| {
            problems.into_iter().map(|problem| problem.message).collect::<Vec<_>>().join(" ")
        })
    }

    /// Converts the returned value of the code to the output of the node, which has exactly the declared fields and
    /// types. As in Pydantic's lax mode, `4.0` and `"4"` are converted to integers, `1` and `"yes"` to booleans, for
    /// example.
    ///
    /// # Errors
    /// All fields that are missing or can't be converted.
    pub fn check_output(&self, returned: Value) -> Result<Value, String> {
        let fields = match returned {
            Value::Object(fields) => fields,
            Value::Null => {
                return Err("The code returned nothing. End it with \"return\" and a dictionary.".to_owned());
            }
            other => return Err(format!("The code must return a dictionary, got {}.", describe(&other))),
        };
        if self.output_schema.is_empty() {
            return Ok(Value::Object(fields));
        }
        field_type::conform(&self.output_schema, fields).map_err(|problems| {
            format!("The returned value doesn't match output_schema: {}", problems.join(" "))
        })
    }
}

impl NodeKind for PythonFuncNode {
    const NAME: &'static str = NODE_TYPE;
    const LISTING: Listing = Listing::new(Category::CodeExecution, "Python Function", "PFN", "#6610F2");
    type Config = PythonFuncConfig;

    fn behavior(config: PythonFuncConfig, fields: Map<String, Value>, policies: &Policies) -> NodeBehavior {
        let effect = Effect { config: fields, policy: config.policy.into_policy(policies) };
        NodeBehavior::Complete(Behavior::Effect(Arc::new(effect)))
    }

    fn data_flow(config: &PythonFuncConfig) -> DataFlow {
        let mut data_flow = DataFlow {
            references: python::references(&config.code),
            output: output_shape::from_output_schema(&config.output_schema),
            ..DataFlow::default()
        };
        data_flow.inputs.uses_all = python::uses_all_inputs(&config.code);
        data_flow
    }
}
