//! `RouterNode`: opens the routes whose conditions hold.

mod condition;

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sluice_domain::graph::node_type;
use sluice_domain::run::{Behaviour, Compute, Inputs, LoopBody};
use validator::Validate;

use crate::Policies;
use crate::builtin::NodeKind;
use crate::config::null_as_default;
use crate::ordered::Ordered;
use condition::Condition;

/// The kind.
pub(crate) struct Router;

/// Lets what arrives through on each route whose conditions hold.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default)]
pub(crate) struct RouterConfig {
    /// The routes by their names. Every route whose conditions hold is open, not only the first.
    route_map: Ordered<Route>,
}

/// One way out of the router.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Route {
    /// Read from left to right. Without any, the route is always open.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<Condition>>")]
    conditions: Vec<Condition>,
}

/// An editor starts from one route with one condition that isn't filled in yet, and so never holds.
impl Default for RouterConfig {
    fn default() -> Self {
        let route = Route { conditions: vec![Condition::default()] };
        Self { route_map: Ordered(vec![("route1".to_owned(), route)]) }
    }
}

impl NodeKind for Router {
    const NAME: &'static str = node_type::ROUTER;
    type Config = RouterConfig;

    fn behaviour(config: RouterConfig, _: Map<String, Value>, _: &Policies) -> LoopBody {
        LoopBody::None(Behaviour::Compute(Arc::new(config)))
    }
}

/// The names of the routes in a config, also in one that doesn't fit otherwise.
pub(crate) fn routes(config: &Map<String, Value>) -> Vec<String> {
    match config.get("route_map") {
        None | Some(Value::Null) => {
            RouterConfig::default().route_map.0.into_iter().map(|(name, _)| name).collect()
        }
        Some(Value::Object(routes)) => routes.keys().cloned().collect(),
        Some(_) => Vec::new(),
    }
}

impl Compute for RouterConfig {
    fn compute(&self, inputs: &Inputs) -> Result<Value, String> {
        let input = Value::Object(inputs.to_map());
        let through = |(name, route): &(String, Route)| {
            let open = condition::all_hold(&route.conditions, &input);
            (name.clone(), if open { input.clone() } else { Value::Null })
        };
        Ok(Value::Object(self.route_map.0.iter().map(through).collect()))
    }
}
