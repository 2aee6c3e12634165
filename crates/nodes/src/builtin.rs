//! The set of kinds that this program comes with.

use std::sync::{Arc, LazyLock};

use serde_json::{Map, Value};
use sluice_domain::run::{Behaviour, Kinds, LoopBody};
use sluice_domain::validation::{Catalog, ConfigProblem, DataFlow, MAX_NODES};
use sluice_domain::{Definition, Node};

use crate::config::{self, Config, ConfigSchema};
use crate::{Policies, facts, kinds, known};

/// The kinds of nodes that this program comes with.
#[derive(Clone, Debug)]
pub struct Builtin {
    /// What nodes that work outside of the log get of the server.
    pub policies: Policies,
    /// See [`Catalog::max_nodes`].
    pub max_nodes: usize,
}

impl Default for Builtin {
    fn default() -> Self {
        Self { policies: Policies::default(), max_nodes: MAX_NODES }
    }
}

/// A kind that this program can run.
pub(crate) trait NodeKind {
    /// The name of the kind in definitions.
    const NAME: &'static str;

    /// What a node of this kind can be told.
    type Config: Config;

    /// Takes out of a config what stands for nothing, before it is read.
    fn tidy(_config: &mut Map<String, Value>) {}

    /// What a node with this config does.
    fn behaviour(config: Self::Config, fields: Map<String, Value>, server: &Policies) -> LoopBody;
}

/// Reads a config and says what a node with it does.
type ReadBehaviour = fn(Map<String, Value>, &Policies) -> Result<LoopBody, Vec<ConfigProblem>>;

/// A [`NodeKind`] as a value, so that kinds can stand in a table.
pub(crate) struct Runnable {
    /// See [`NodeKind::NAME`].
    pub(crate) name: &'static str,
    /// The schema of the config.
    pub(crate) schema: ConfigSchema,
    tidy: fn(&mut Map<String, Value>),
    behaviour: ReadBehaviour,
}

impl Runnable {
    fn of<K: NodeKind>() -> Self {
        Self {
            name: K::NAME,
            schema: ConfigSchema::of::<K::Config>(),
            tidy: K::tidy,
            behaviour: |fields, server| Ok(K::behaviour(config::read(fields.clone())?, fields, server)),
        }
    }

    fn fields(&self, node: &Node) -> Map<String, Value> {
        let mut fields = config::present(node.config.to_map());
        (self.tidy)(&mut fields);
        fields
    }

    /// What a node with this config does, or every place where the config is wrong.
    fn read(&self, node: &Node, server: &Policies) -> Result<LoopBody, Vec<ConfigProblem>> {
        let fields = self.fields(node);
        let read = (self.behaviour)(fields.clone(), server);
        // Reading stops at the first problem, and takes lists for objects; the schema sees every place.
        let problems = self.schema.problems(fields);
        if problems.is_empty() { read } else { Err(problems) }
    }
}

static RUNNABLE: LazyLock<Vec<Runnable>> = LazyLock::new(|| {
    vec![
        Runnable::of::<kinds::input::Input>(),
        Runnable::of::<kinds::output::Output>(),
        Runnable::of::<kinds::static_value::StaticValue>(),
        Runnable::of::<kinds::router::Router>(),
        Runnable::of::<kinds::coalesce::Coalesce>(),
        Runnable::of::<kinds::merge::Merge>(),
        Runnable::of::<kinds::human_intervention::HumanIntervention>(),
        Runnable::of::<kinds::for_loop::ForLoop>(),
        Runnable::of::<kinds::python_func::PythonFunc>(),
    ]
});

/// The names of the kinds that this program can run.
pub fn runnable_kinds() -> impl Iterator<Item = &'static str> {
    RUNNABLE.iter().map(|kind| kind.name)
}

/// The kind `name`, when this program can run it.
pub(crate) fn runnable(name: &str) -> Option<&'static Runnable> {
    RUNNABLE.iter().find(|kind| kind.name == name)
}

impl Kinds for Builtin {
    fn behaviour(&self, node: &Node) -> LoopBody {
        let name = node.node_type.as_str();
        let Some(kind) = runnable(name) else {
            return broken(if known::NAMES.contains(&name) {
                format!("The node type \"{name}\" can't be run by this server yet.")
            } else {
                format!("There is no node type \"{name}\".")
            });
        };
        kind.read(node, &self.policies).unwrap_or_else(|problems| {
            let problems: Vec<String> =
                problems.into_iter().map(|p| format!("{} ({})", p.message, p.pointer)).collect();
            broken(format!("The config of the node doesn't fit its kind: {}", problems.join(" ")))
        })
    }
}

fn broken(sentence: String) -> LoopBody {
    LoopBody::None(Behaviour::Broken(Arc::from(sentence)))
}

impl Catalog for Builtin {
    fn max_nodes(&self) -> usize {
        self.max_nodes
    }

    fn names(&self) -> Vec<&'static str> {
        known::NAMES.to_vec()
    }

    fn config_problems(&self, node: &Node) -> Vec<ConfigProblem> {
        runnable(&node.node_type)
            .and_then(|kind| kind.read(node, &Policies::default()).err())
            .unwrap_or_default()
    }

    fn routes(&self, node: &Node) -> Option<Vec<String>> {
        (node.node_type == kinds::router::Router::NAME).then(|| kinds::router::routes(&node.config.to_map()))
    }

    fn body(&self, node: &Node) -> Option<Definition> {
        let kind = runnable(&node.node_type).filter(|kind| kind.name == kinds::for_loop::ForLoop::NAME)?;
        kinds::for_loop::body(kind.fields(node))
    }

    fn data_flow(&self, node: &Node) -> DataFlow {
        facts::of(node)
    }
}
