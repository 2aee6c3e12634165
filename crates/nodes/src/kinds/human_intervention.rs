//! `HumanInterventionNode`: waits for a person.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sluice_domain::pause::PausePolicy;
use sluice_domain::run::{Behaviour, LoopBody};
use validator::Validate;

use crate::Policies;
use crate::builtin::NodeKind;

/// The kind.
pub(crate) struct HumanIntervention;

/// Stops the run until a person approves, declines or overrides what has arrived.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default)]
pub(crate) struct HumanInterventionConfig {
    /// What is shown to the person.
    message: String,
    /// `true`: only what depends on this node waits; `false`: nothing new starts before a person has
    /// decided.
    block_only_dependent_nodes: bool,
}

impl Default for HumanInterventionConfig {
    fn default() -> Self {
        Self { message: "Human intervention required".to_owned(), block_only_dependent_nodes: true }
    }
}

impl NodeKind for HumanIntervention {
    const NAME: &'static str = "HumanInterventionNode";
    type Config = HumanInterventionConfig;

    fn behaviour(config: HumanInterventionConfig, _: Map<String, Value>, _: &Policies) -> LoopBody {
        let HumanInterventionConfig { message, block_only_dependent_nodes } = config;
        LoopBody::None(Behaviour::Gate(PausePolicy { message, block_only_dependent_nodes }))
    }
}
