//! `HumanInterventionNode`: a gate that pauses the run until a user decides.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sluice_domain::pause::PausePolicy;
use sluice_domain::run::{Behavior, NodeBehavior};
use sluice_domain::validation::{DataFlow, OutputShape};
use validator::Validate;

use super::listing::{Category, Listing};
use super::node_kind::NodeKind;
use crate::config::policy::Policies;

/// The kind.
pub(crate) struct HumanInterventionNode;

/// A gate: waits until a person approves, declines or overrides its input.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default)]
pub(crate) struct HumanInterventionConfig {
    /// Message for the person who decides.
    message: String,
    /// `true`: only nodes that depend on this one wait. `false`: no other node starts before the decision.
    block_only_dependent_nodes: bool,
}

impl Default for HumanInterventionConfig {
    fn default() -> Self {
        Self { message: "Human intervention required".to_owned(), block_only_dependent_nodes: true }
    }
}

impl NodeKind for HumanInterventionNode {
    const NAME: &'static str = "HumanInterventionNode";
    const LISTING: Listing = Listing::new(Category::Logic, "HumanIntervention", "HIN", "#6610F2");
    type Config = HumanInterventionConfig;

    fn behavior(config: HumanInterventionConfig, _: Map<String, Value>, _: &Policies) -> NodeBehavior {
        let HumanInterventionConfig { message, block_only_dependent_nodes } = config;
        NodeBehavior::Complete(Behavior::Gate(PausePolicy { message, block_only_dependent_nodes }))
    }

    fn data_flow(_: &HumanInterventionConfig) -> DataFlow {
        DataFlow { output: OutputShape::ExtendedInputs, is_gate: true, ..DataFlow::default() }
    }
}
