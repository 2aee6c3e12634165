//! `ForLoopNode`: a body that runs several times.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sluice_domain::Definition;
use sluice_domain::graph::node_type;
use sluice_domain::run::{LoopBody, LoopSpec};
use validator::Validate;

use crate::Policies;
use crate::builtin::NodeKind;
use crate::config;
use crate::ordered::Ordered;

/// The kind.
pub(crate) struct ForLoop;

/// The field of the config that holds the body.
const BODY: &str = "subworkflow";

/// Runs its body several times; each iteration is given the input with what the one before gave laid
/// over it, and every earlier output as `loop_history`.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default)]
pub(crate) struct ForLoopConfig {
    /// How often the body runs.
    #[serde(deserialize_with = "config::whole_number")]
    #[validate(range(min = 0, max = 1_000))]
    num_iterations: i64,
    /// {field of the body's input: dotted path into what arrives}. Without any field, everything passes as
    /// it arrives.
    input_map: Ordered<String>,
    /// The body, for a loop without children: a workflow with an input node and an output node.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "WorkflowDefinition")]
    subworkflow: Option<Definition>,
}

impl Default for ForLoopConfig {
    fn default() -> Self {
        Self { num_iterations: 1, input_map: Ordered::default(), subworkflow: None }
    }
}

impl NodeKind for ForLoop {
    const NAME: &'static str = node_type::FOR_LOOP;
    type Config = ForLoopConfig;

    /// Editors write `{}` for a body that isn't there yet.
    fn tidy(config: &mut Map<String, Value>) {
        if config.get(BODY).and_then(Value::as_object).is_some_and(Map::is_empty) {
            config.shift_remove(BODY);
        }
    }

    fn behaviour(config: ForLoopConfig, _: Map<String, Value>, _: &Policies) -> LoopBody {
        LoopBody::Needed(LoopSpec {
            iterations: u32::try_from(config.num_iterations).unwrap_or_default(),
            input_map: config.input_map.0,
            body: config.subworkflow.and_then(usable),
        })
    }
}

/// The body that the fields of a config hold.
pub(crate) fn body(mut fields: Map<String, Value>) -> Option<Definition> {
    usable(serde_json::from_value(fields.shift_remove(BODY)?).ok()?)
}

/// The body in the form in which definitions are stored; none when there is nothing in it.
fn usable(mut body: Definition) -> Option<Definition> {
    body.normalise();
    (!body.nodes.is_empty()).then_some(body)
}

/// The schema of [`Definition`], which itself is free of the business of schemas.
struct WorkflowDefinition;

impl JsonSchema for WorkflowDefinition {
    fn schema_name() -> Cow<'static, str> {
        "WorkflowDefinition".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let body = generator.subschema_for::<Self>();
        let text = json_schema!({"type": "string"});
        let maybe_text = json_schema!({"type": ["string", "null"]});
        let number = json_schema!({"type": "number"});
        json_schema!({
            "type": "object",
            "required": ["nodes", "links"],
            "properties": {
                "nodes": {"type": "array", "items": {
                    "type": "object",
                    "required": ["id", "node_type"],
                    "properties": {
                        "id": text,
                        "title": maybe_text,
                        "parent_id": maybe_text,
                        "node_type": text,
                        "config": {"type": ["object", "null"]},
                        "coordinates": {
                            "type": ["object", "null"],
                            "required": ["x", "y"],
                            "properties": {"x": number, "y": number},
                        },
                        "dimensions": {
                            "type": ["object", "null"],
                            "required": ["width", "height"],
                            "properties": {"width": number, "height": number},
                        },
                        "subworkflow": {"anyOf": [body, {"type": "null"}]},
                    },
                }},
                "links": {"type": "array", "items": {
                    "type": "object",
                    "required": ["source_id", "target_id"],
                    "properties": {
                        "source_id": text,
                        "target_id": text,
                        "source_handle": maybe_text,
                        "target_handle": maybe_text,
                    },
                }},
                "test_inputs": {"type": ["array", "null"], "items": {"type": "object"}},
                "spur_type": {"enum": ["workflow", "chatbot", "agent", null]},
            },
        })
    }
}
