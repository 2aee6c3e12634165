//! `RouterNode`: opens the routes whose conditions hold.

mod condition;
mod lint;
mod route;

use std::sync::Arc;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sluice_domain::graph::node_type;
use sluice_domain::run::{Behavior, Compute, Inputs, NodeBehavior};
use sluice_domain::validation::{DataFlow, OutputShape, Reference};
use validator::Validate;

use self::condition::Condition;
use self::route::Route;
use super::listing::{Category, Listing};
use super::node_kind::NodeKind;
use crate::config::policy::Policies;

/// The kind.
pub(crate) struct RouterNode;

/// Passes its inputs to every route whose conditions hold.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default)]
pub(crate) struct RouterConfig {
    /// Routes by name. Every route whose conditions hold is open, not only the first.
    route_map: IndexMap<String, Route>,
}

/// One route with one empty condition, which never holds. Editors create routers in this form.
impl Default for RouterConfig {
    fn default() -> Self {
        let route = Route { conditions: vec![Condition::default()] };
        Self { route_map: IndexMap::from([("route1".to_owned(), route)]) }
    }
}

impl NodeKind for RouterNode {
    const NAME: &'static str = node_type::ROUTER;
    const LISTING: Listing = Listing::new(Category::Logic, "Router", "RN", "#FF7F50");
    type Config = RouterConfig;

    fn behavior(config: RouterConfig, _: Map<String, Value>, _: &Policies) -> NodeBehavior {
        NodeBehavior::Complete(Behavior::Compute(Arc::new(config)))
    }

    fn data_flow(config: &RouterConfig) -> DataFlow {
        DataFlow {
            references: config.references(),
            output: OutputShape::Inputs,
            findings: lint::findings(&config.route_map),
            exclusive_routes: lint::exclusive_routes(&config.route_map),
            ..DataFlow::default()
        }
    }

    fn routes(fields: &Map<String, Value>) -> Option<Vec<String>> {
        Some(match fields.get("route_map") {
            None => RouterConfig::default().route_map.into_keys().collect(),
            Some(Value::Object(routes)) => routes.keys().cloned().collect(),
            Some(_) => Vec::new(),
        })
    }
}

impl RouterConfig {
    fn references(&self) -> Vec<Reference> {
        let mut references = Vec::new();
        for (name, route) in &self.route_map {
            for (index, condition) in route.conditions.iter().enumerate() {
                if !condition.variable.is_empty() {
                    let pointer = format!("{}/{index}/variable", lint::conditions_pointer(name));
                    references.push(Reference::field(pointer, &condition.variable));
                }
            }
        }
        references
    }
}

impl Compute for RouterConfig {
    fn compute(&self, inputs: &Inputs) -> Result<Value, String> {
        let inputs = Value::Object(inputs.to_map());
        let mut output = Map::new();
        for (name, route) in &self.route_map {
            let value = if route.is_open(&inputs) { inputs.clone() } else { Value::Null };
            output.insert(name.clone(), value);
        }
        Ok(Value::Object(output))
    }
}
