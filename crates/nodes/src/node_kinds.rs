//! The implementations of the domain's traits for all node kinds.

use std::sync::Arc;

use serde_json::{Map, Value};
use sluice_domain::graph::MAX_NODES;
use sluice_domain::run::{Behavior, Behaviors, NodeBehavior};
use sluice_domain::validation::{Catalog, Code, ConfigProblem, DataFlow, ExternalEffects, InputUse};
use sluice_domain::{Definition, Node};

use crate::config::policy::Policies;
use crate::data_flow::{schema_check, unknown_keys};
use crate::kinds::node_kind::RunnableKind;
use crate::kinds::planned;
use crate::registry::{self, Kind};

/// The node kinds with the settings of a server.
#[derive(Clone, Debug)]
pub struct NodeKinds {
    /// Timeouts and retries of nodes with side effects.
    pub policies: Policies,
    /// See [`Catalog::max_nodes`].
    pub max_nodes: usize,
}

impl Default for NodeKinds {
    fn default() -> Self {
        Self { policies: Policies::default(), max_nodes: MAX_NODES }
    }
}

impl Behaviors for NodeKinds {
    fn behavior(&self, node: &Node) -> NodeBehavior {
        let name = node.node_type.as_str();
        match registry::find(name) {
            Some(Kind::Runnable(kind)) => {
                kind.behavior(node.config.to_map(), &self.policies).unwrap_or_else(|problems| {
                    let problems: Vec<String> =
                        problems.into_iter().map(|p| format!("{} ({})", p.message, p.pointer)).collect();
                    invalid(format!("The config of the node is invalid: {}", problems.join(" ")))
                })
            }
            Some(Kind::Planned(_)) => {
                invalid(format!("This version of Sluice can't run nodes of type \"{name}\" yet."))
            }
            None => invalid(format!("There is no node type \"{name}\".")),
        }
    }
}

fn invalid(reason: String) -> NodeBehavior {
    NodeBehavior::Complete(Behavior::Invalid(Arc::from(reason)))
}

impl Catalog for NodeKinds {
    fn max_nodes(&self) -> usize {
        self.max_nodes
    }

    fn names(&self) -> Vec<&'static str> {
        registry::node_types().to_vec()
    }

    fn config_problems(&self, node: &Node) -> Vec<ConfigProblem> {
        let kind = registry::find_runnable(&node.node_type);
        let behavior = kind.map(|kind| kind.behavior(node.config.to_map(), &Policies::default()));
        behavior.and_then(Result::err).unwrap_or_default()
    }

    fn routes(&self, node: &Node) -> Option<Vec<String>> {
        registry::find_runnable(&node.node_type)?.routes(node.config.to_map())
    }

    fn body(&self, node: &Node) -> Option<Definition> {
        registry::find_runnable(&node.node_type)?.body(node.config.to_map())
    }

    fn data_flow(&self, node: &Node) -> DataFlow {
        let config = node.config.to_map();
        let mut data_flow = match registry::find(&node.node_type) {
            Some(Kind::Runnable(kind)) => runnable_data_flow(kind, &config),
            Some(Kind::Planned(kind)) => planned::data_flow(Some(kind), &config),
            None => planned::data_flow(None, &config),
        };
        if !data_flow.findings.iter().any(|finding| finding.code == Code::SchemaInvalid) {
            data_flow.findings.extend(schema_check::check(&config));
        }
        data_flow
    }
}

fn runnable_data_flow(kind: &RunnableKind, config: &Map<String, Value>) -> DataFlow {
    // If the config is invalid, the data flow is unknown, and lints report nothing about the node.
    let mut data_flow = kind.data_flow(config.clone()).unwrap_or_else(|| DataFlow {
        inputs: InputUse { uses_all: true, ..InputUse::default() },
        external_effects: ExternalEffects::Possible,
        ..DataFlow::default()
    });
    // Don't report problems of default values, which the author didn't write.
    let config_value = Value::Object(config.clone());
    data_flow.references.retain(|reference| config_value.pointer(&reference.pointer).is_some());
    data_flow.findings.retain(|finding| config_value.pointer(&finding.pointer).is_some());
    data_flow.findings.extend(unknown_keys::findings(&kind.schema.json, config));
    data_flow
}
