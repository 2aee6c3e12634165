//! The trait of node kinds.

use serde_json::{Map, Value};
use sluice_domain::Definition;
use sluice_domain::run::NodeBehavior;
use sluice_domain::validation::{ConfigProblem, DataFlow};

use super::listing::Listing;
use crate::config::config_schema::ConfigSchema;
use crate::config::parse::{self, Config};
use crate::config::policy::Policies;

/// A kind of node that the server can run. To add one, implement this trait in a file of this folder and add the kind
/// to `runnable_kinds` in `mod.rs`. A kind with side effects also needs an executor in the engine.
pub(crate) trait NodeKind {
    /// The node type in definitions.
    const NAME: &'static str;

    /// The entry in the catalog.
    const LISTING: Listing;

    /// The config. Its JSON Schema and its doc comments are part of the API.
    type Config: Config;

    /// Removes placeholders that editors write for absent fields.
    fn remove_placeholders(_fields: &mut Map<String, Value>) {}

    /// Returns the behavior of a node. `fields` is the config as JSON.
    fn behavior(config: Self::Config, fields: Map<String, Value>, policies: &Policies) -> NodeBehavior;

    /// Returns the references of a config to other nodes, and the shape of the output of the node.
    fn data_flow(config: &Self::Config) -> DataFlow;

    /// Returns the names of the routes from which links can start, or `None` if the kind has no routes. Also called for
    /// invalid configs.
    fn routes(_fields: &Map<String, Value>) -> Option<Vec<String>> {
        None
    }

    /// Returns the workflow inside a config. Also called for invalid configs.
    fn body(_fields: Map<String, Value>) -> Option<Definition> {
        None
    }
}

/// The result of parsing a config.
type Parsed<T> = Result<T, Vec<ConfigProblem>>;

/// A [`NodeKind`] as a value.
#[derive(Debug)]
pub(crate) struct RunnableKind {
    /// See [`NodeKind::NAME`].
    pub(crate) name: &'static str,
    /// See [`NodeKind::LISTING`].
    pub(crate) listing: Listing,
    /// The JSON Schema of the config.
    pub(crate) schema: ConfigSchema,
    remove_placeholders: fn(&mut Map<String, Value>),
    behavior: fn(Map<String, Value>, &Policies) -> Parsed<NodeBehavior>,
    data_flow: fn(Map<String, Value>) -> Parsed<DataFlow>,
    routes: fn(&Map<String, Value>) -> Option<Vec<String>>,
    body: fn(Map<String, Value>) -> Option<Definition>,
}

impl RunnableKind {
    /// Creates the value for the kind `K`.
    pub(crate) fn new<K: NodeKind>() -> Self {
        Self {
            name: K::NAME,
            listing: K::LISTING,
            schema: ConfigSchema::of::<K::Config>(),
            remove_placeholders: K::remove_placeholders,
            behavior: |fields, policies| Ok(K::behavior(parse::parse(fields.clone())?, fields, policies)),
            data_flow: |fields| Ok(K::data_flow(&parse::parse(fields)?)),
            routes: K::routes,
            body: K::body,
        }
    }

    /// Returns the behavior of a node.
    ///
    /// # Errors
    /// All problems of the config.
    pub(crate) fn behavior(
        &self,
        config: Map<String, Value>,
        policies: &Policies,
    ) -> Result<NodeBehavior, Vec<ConfigProblem>> {
        let fields = self.present_fields(config);
        let behavior = (self.behavior)(fields.clone(), policies);
        // Parsing stops at the first problem, and accepts a list as an object. The schema check finds all problems.
        let problems = self.schema.problems(fields);
        if problems.is_empty() { behavior } else { Err(problems) }
    }

    /// Returns the data flow of a node, or `None` if its config is invalid.
    pub(crate) fn data_flow(&self, config: Map<String, Value>) -> Option<DataFlow> {
        (self.data_flow)(self.present_fields(config)).ok()
    }

    /// Returns [`NodeKind::routes`] of a node.
    pub(crate) fn routes(&self, config: Map<String, Value>) -> Option<Vec<String>> {
        (self.routes)(&self.present_fields(config))
    }

    /// Returns [`NodeKind::body`] of a node.
    pub(crate) fn body(&self, config: Map<String, Value>) -> Option<Definition> {
        (self.body)(self.present_fields(config))
    }

    fn present_fields(&self, config: Map<String, Value>) -> Map<String, Value> {
        let mut fields = parse::without_nulls(config);
        (self.remove_placeholders)(&mut fields);
        fields
    }
}
