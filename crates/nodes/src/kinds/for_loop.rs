//! `ForLoopNode`: runs its body several times.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sluice_domain::Definition;
use sluice_domain::graph::node_type;
use sluice_domain::run::{LoopSpec, NodeBehavior};
use sluice_domain::validation::{DataFlow, OutputShape};
use validator::Validate;

use super::listing::{Category, Listing};
use super::node_kind::NodeKind;
use super::output;
use crate::config::common;
use crate::config::policy::Policies;
use crate::data_flow::paths;

/// Maximum number of iterations.
const MAX_ITERATIONS: i64 = 1_000;

/// The config field with the body.
const BODY: &str = "subworkflow";

/// The kind.
pub(crate) struct ForLoopNode;

/// Runs its body several times. The output of an iteration is the output of the OutputNode in the body, which is
/// required. The input of an iteration has the fields of the loop's input, extended or replaced by those of earlier
/// outputs, and `loop_history`: {node id: [earlier output]}. The loop outputs the merged outputs.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default)]
pub(crate) struct ForLoopConfig {
    /// Number of iterations.
    #[serde(deserialize_with = "common::whole_number")]
    #[validate(range(min = 0, max = MAX_ITERATIONS))]
    num_iterations: i64,
    /// Input of the body: {field: dotted path into the inputs of the node}. If empty, the body receives all inputs of
    /// the node by title.
    input_map: IndexMap<String, String>,
    /// Body of the loop. Ignored if any node has the loop as its `parent_id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Definition")]
    subworkflow: Option<Definition>,
}

impl Default for ForLoopConfig {
    fn default() -> Self {
        Self { num_iterations: 1, input_map: IndexMap::new(), subworkflow: None }
    }
}

impl NodeKind for ForLoopNode {
    const NAME: &'static str = node_type::FOR_LOOP;
    const LISTING: Listing = Listing::new(Category::Experimental, "ForLoopNode", "FL", "#00BFFF");
    type Config = ForLoopConfig;

    /// Editors write `{}` for an absent body.
    fn remove_placeholders(fields: &mut Map<String, Value>) {
        if fields.get(BODY).and_then(Value::as_object).is_some_and(Map::is_empty) {
            fields.shift_remove(BODY);
        }
    }

    fn behavior(config: ForLoopConfig, _: Map<String, Value>, _: &Policies) -> NodeBehavior {
        NodeBehavior::Loop(LoopSpec {
            iterations: u32::try_from(config.num_iterations).unwrap_or_default(),
            input_map: config.input_map.into_iter().collect(),
            body: config.subworkflow.and_then(non_empty),
        })
    }

    fn data_flow(config: &ForLoopConfig) -> DataFlow {
        let references = paths::references("input_map", &config.input_map);
        let nodes = config.subworkflow.iter().flat_map(|body| &body.nodes);
        let mut output_nodes = nodes.filter(|node| node.node_type == node_type::OUTPUT);
        let body_output = output_nodes.next().and_then(output::declared_fields);
        let mut data_flow = DataFlow {
            output: OutputShape::Body(body_output),
            body_input: paths::fields(&config.input_map),
            ..DataFlow::default()
        };
        data_flow.inputs.uses_all = references.is_empty();
        data_flow.references = references;
        data_flow
    }

    fn body(mut fields: Map<String, Value>) -> Option<Definition> {
        non_empty(serde_json::from_value(fields.shift_remove(BODY)?).ok()?)
    }
}

/// Normalizes a body. Returns `None` if it has no nodes.
fn non_empty(mut body: Definition) -> Option<Definition> {
    body.normalize();
    (!body.nodes.is_empty()).then_some(body)
}
