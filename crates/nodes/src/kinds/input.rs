//! `InputNode`: where a level starts.

use std::collections::HashSet;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sluice_domain::graph::node_type;
use sluice_domain::run::{Behaviour, CheckInput, LoopBody};
use sluice_domain::validation::ConfigProblem;
use sluice_json_schema::Validator;
use validator::Validate;

use crate::Policies;
use crate::builtin::NodeKind;
use crate::config::SchemaText;
use crate::field_type::FieldType;
use crate::{json_schema, wording};

/// The kind.
pub(crate) struct Input;

/// Gives what the run, or the iteration of a loop, is given.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default)]
pub(crate) struct InputConfig {
    /// Whether an input that doesn't fit the schemas below is refused. Otherwise they only describe it.
    enforce_schema: bool,
    /// The fields of the input: {name: type}.
    output_schema: Map<String, Value>,
    /// The JSON Schema of the input, as text. When it has a `required` list, that list alone says which
    /// fields must be there.
    output_json_schema: SchemaText,
}

impl NodeKind for Input {
    const NAME: &'static str = node_type::INPUT;
    type Config = InputConfig;

    fn behaviour(config: InputConfig, _: Map<String, Value>, _: &Policies) -> LoopBody {
        let check: Arc<dyn CheckInput> =
            if config.enforce_schema { Arc::new(Enforced::new(&config)) } else { Arc::new(Anything) };
        LoopBody::None(Behaviour::Input(check))
    }
}

/// Accepts every input.
#[derive(Debug)]
struct Anything;

impl CheckInput for Anything {
    fn check(&self, _: &Value) -> Result<(), String> {
        Ok(())
    }
}

/// Accepts what fits the schemas.
#[derive(Debug)]
struct Enforced {
    fields: Vec<(String, FieldType)>,
    /// Whether the JSON Schema leaves it to `fields` what must be there.
    fields_required: bool,
    /// A schema that can't be used makes the node fail, not the saving of an unfinished workflow.
    schema: Result<Option<Validator>, String>,
}

impl Enforced {
    fn new(config: &InputConfig) -> Self {
        let named = |(name, type_name): (&String, &Value)| (name.clone(), FieldType::named(type_name));
        let compiled = json_schema::compile(&config.output_json_schema);
        let has_required =
            matches!(&compiled, Ok(Some((schema, _))) if schema.get("required").is_some_and(Value::is_array));
        Self {
            fields: config.output_schema.iter().map(named).collect(),
            fields_required: !has_required,
            schema: compiled.map(|compiled| compiled.map(|(_, validator)| validator)),
        }
    }

    /// What of the declared fields doesn't fit, but for those in `told`.
    fn field_problems(&self, input: &Map<String, Value>, told: &HashSet<String>) -> Vec<String> {
        let mut wrong = Vec::new();
        for (field, expected) in self.fields.iter().filter(|(field, _)| !told.contains(field)) {
            let (name, noun) = (wording::quoted(field), expected.noun());
            match input.get(field) {
                None if self.fields_required => {
                    wrong.push(format!("{name} is missing, it has to be {noun}."))
                }
                Some(value) if !expected.fits(value) => {
                    wrong.push(format!("{name} is {}, but has to be {noun}.", wording::shown(value)));
                }
                _ => {}
            }
        }
        wrong
    }
}

impl CheckInput for Enforced {
    fn check(&self, input: &Value) -> Result<(), String> {
        let schema = self.schema.as_ref().map_err(Clone::clone)?;
        let Value::Object(fields) = input else {
            return Err(format!("The input is {}, but has to be an object.", wording::noun(input)));
        };
        let mut found: Vec<ConfigProblem> = Vec::new();
        for error in schema.iter().flat_map(|schema| schema.errors(input)) {
            wording::describe(&error, "The input", &mut found);
        }
        let told = found.iter().filter_map(|problem| first_step(&problem.pointer)).collect();
        let mut wrong: Vec<String> = found.into_iter().map(|problem| problem.message).collect();
        wrong.extend(self.field_problems(fields, &told));
        if wrong.is_empty() {
            return Ok(());
        }
        Err(format!("The input doesn't fit the schema of the node: {}", wrong.join(" ")))
    }

    fn is_slow(&self) -> bool {
        true
    }
}

fn first_step(pointer: &str) -> Option<String> {
    let step = pointer.strip_prefix('/')?.split('/').next()?;
    Some(step.replace("~1", "/").replace("~0", "~"))
}
