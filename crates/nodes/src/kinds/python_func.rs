//! `PythonFuncNode`: code of the author, run outside of the log.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sluice_domain::run::{Behaviour, Effect, LoopBody};
use validator::Validate;

use crate::builtin::NodeKind;
use crate::{Policies, PolicyConfig, config, field_type, wording};

/// The node type whose [`Behaviour::Effect`] is to run Python code.
pub const PYTHON_FUNC: &str = "PythonFuncNode";

/// The kind.
pub(crate) struct PythonFunc;

/// Runs Python code on what arrives.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default)]
pub struct PythonFuncConfig {
    /// The body of a function that is given `input_model` and returns a dictionary.
    pub code: String,
    /// The fields that the code returns: {name: type}. They are checked, others are dropped. Without any
    /// field, everything that the code returns passes.
    pub output_schema: Map<String, Value>,
    /// How long the code may run and how often it is tried. The server has defaults and caps.
    #[validate(nested)]
    pub policy: PolicyConfig,
}

impl Default for PythonFuncConfig {
    fn default() -> Self {
        let code = "# What arrives is in input_model: input_model.some_node.some_field\n\
                    # Return what the node shall give:\n\
                    return {}\n";
        Self { code: code.to_owned(), output_schema: Map::new(), policy: PolicyConfig::default() }
    }
}

impl PythonFuncConfig {
    /// The config in the fields that a [`Behaviour::Effect`] carries.
    ///
    /// # Errors
    /// A sentence when they don't fit, as those of an older version of this program might.
    pub fn from_fields(fields: &Map<String, Value>) -> Result<Self, String> {
        let problems = |found: Vec<sluice_domain::validation::ConfigProblem>| {
            found.into_iter().map(|problem| problem.message).collect::<Vec<_>>().join(" ")
        };
        config::read(config::present(fields.clone())).map_err(problems)
    }
}

impl NodeKind for PythonFunc {
    const NAME: &'static str = PYTHON_FUNC;
    type Config = PythonFuncConfig;

    fn behaviour(config: PythonFuncConfig, fields: Map<String, Value>, server: &Policies) -> LoopBody {
        let effect = Effect { config: fields, policy: config.policy.within(server) };
        LoopBody::None(Behaviour::Effect(Arc::new(effect)))
    }
}

/// What the node gives when its code returned `output`: the declared fields, each of its type. As in
/// Pydantic's lax mode, `4.0` and `"4"` pass for an integer, `1` and `"yes"` for a truth value, and so on.
///
/// # Errors
/// A sentence that names each field that is missing or doesn't fit.
pub fn check_output(config: &PythonFuncConfig, output: Value) -> Result<Value, String> {
    let fields = match output {
        Value::Object(fields) => fields,
        Value::Null => {
            return Err("The code returned nothing. End it with \"return\" and a dictionary.".to_owned());
        }
        other => {
            let found = wording::noun(&other);
            return Err(format!("The code returned {found}, but has to return a dictionary."));
        }
    };
    if config.output_schema.is_empty() {
        return Ok(Value::Object(fields));
    }
    field_type::conform(&config.output_schema, fields)
        .map_err(|wrong| format!("What the code returned doesn't fit the output_schema: {}", wrong.join(" ")))
}
