use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::compute::{CheckInput, Compute};
use crate::Definition;
use crate::pause::PausePolicy;
use crate::run::{LoopIteration, Policy};

/// The maximum nesting depth of loops.
pub const MAX_NESTING: usize = 16;

/// A plan with more nodes than this counts as heavy.
const HEAVY_NODES: usize = 500;

/// A definition compiled for runs: dense indices, resolved links and node behaviors. Built once per version and
/// immutable.
#[derive(Debug)]
pub struct Plan {
    /// The nodes, in the order of the definition.
    pub nodes: Vec<PlanNode>,
    index: HashMap<Arc<str>, usize>,
}

/// A node of a plan.
#[derive(Clone, Debug)]
pub struct PlanNode {
    /// The node id.
    pub id: Arc<str>,
    /// The key of its output among the outputs of the run: the title, or the id if an earlier node of the level has
    /// that title.
    pub label: Arc<str>,
    /// The node type.
    pub node_type: Arc<str>,
    /// The behavior.
    pub behavior: Behavior,
    /// The incoming links, in link order.
    pub incoming: Vec<Edge>,
    /// The indices of the dependent nodes, each once, ascending.
    pub outgoing: Vec<usize>,
}

/// An incoming link of a node.
#[derive(Clone, Debug)]
pub struct Edge {
    /// The index of the source node.
    pub source: usize,
    /// The key of the output among the inputs: the title of the source, or its id if an earlier source of the same
    /// node has that title.
    pub label: Arc<str>,
    /// True if an earlier link has the same source.
    pub repeats: bool,
    /// The route by which the link leaves a router.
    pub route: Option<Arc<str>>,
}

/// The behavior of a node in a run.
#[derive(Clone, Debug)]
pub enum Behavior {
    /// Outputs the input of its level.
    Input(Arc<dyn CheckInput>),
    /// Computes its output from its inputs alone.
    Compute(Arc<dyn Compute>),
    /// Like `Compute`, but one input that is not null is enough.
    ComputeAny(Arc<dyn Compute>),
    /// A side effect, executed by the engine.
    Effect(Arc<Effect>),
    /// Waits for a person.
    Gate(PausePolicy),
    /// Runs a body several times.
    Loop(Arc<LoopPlan>),
    /// Fails with this message.
    Invalid(Arc<str>),
}

/// A side effect: work that the engine executes outside of the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Effect {
    /// The configuration of the node.
    pub config: Map<String, Value>,
    /// Timeout and retries.
    pub policy: Policy,
}

/// A loop of a plan.
#[derive(Debug)]
pub struct LoopPlan {
    /// The number of iterations.
    pub iterations: u32,
    /// {field of the body's input: dotted path into the inputs of the loop}. Empty: all inputs as they are.
    pub input_map: Vec<(String, String)>,
    /// The body.
    pub body: Plan,
    /// The index of the output node in the body.
    pub output: usize,
    /// The definition of the body in the API.
    pub definition: Definition,
}

impl Plan {
    /// Returns true if decisions on its runs may take long because of many nodes, loops, or schemas to check.
    #[must_use]
    pub fn is_heavy(&self) -> bool {
        let is_slow = |node: &PlanNode| match &node.behavior {
            Behavior::Loop(_) => true,
            Behavior::Input(check) => check.is_slow(),
            _ => false,
        };
        self.nodes.len() > HEAVY_NODES || self.nodes.iter().any(is_slow)
    }

    /// Returns the index of the node `id`.
    #[must_use]
    pub fn index(&self, id: &str) -> Option<usize> {
        self.index.get(id).copied()
    }

    /// Returns the indices of the nodes that `target` depends on, in topological order.
    #[must_use]
    pub fn upstream_of(&self, target: usize) -> Vec<usize> {
        let mut upstream = Vec::new();
        let mut seen = HashSet::from([target]);
        // A node, and the number of its links already followed.
        let mut path = vec![(target, 0)];
        while let Some((index, followed)) = path.pop() {
            match self.nodes[index].incoming.get(followed) {
                Some(edge) => {
                    path.push((index, followed + 1));
                    if seen.insert(edge.source) {
                        path.push((edge.source, 0));
                    }
                }
                None if index != target => upstream.push(index),
                None => {}
            }
        }
        upstream
    }

    /// Returns the plan reduced to `target` and the nodes that it depends on. Input nodes are kept, because they hold
    /// the inputs of the run.
    #[must_use]
    pub fn up_to(&self, target: usize) -> Self {
        let mut kept: HashSet<usize> = self.upstream_of(target).into_iter().collect();
        kept.insert(target);
        kept.extend(self.nodes.iter().enumerate().filter_map(|(index, node)| {
            (matches!(node.behavior, Behavior::Input(_)) && node.incoming.is_empty()).then_some(index)
        }));
        let mut order: Vec<usize> = kept.into_iter().collect();
        order.sort_unstable();
        let new_index: HashMap<usize, usize> =
            order.iter().enumerate().map(|(new, old)| (*old, new)).collect();
        let nodes = order.iter().map(|old| {
            let mut node = self.nodes[*old].clone();
            node.incoming.iter_mut().for_each(|edge| edge.source = new_index[&edge.source]);
            node.outgoing = node.outgoing.iter().filter_map(|old| new_index.get(old).copied()).collect();
            node
        });
        Self::from_nodes(nodes.collect())
    }

    pub(super) fn from_nodes(nodes: Vec<PlanNode>) -> Self {
        let index = nodes.iter().enumerate().map(|(i, node)| (Arc::clone(&node.id), i)).collect();
        Self { nodes, index }
    }

    /// Returns the level of an iteration: the plan itself, or the body of a loop.
    #[must_use]
    pub fn level(&self, scope: &[LoopIteration]) -> Option<&Self> {
        scope.iter().try_fold(self, |level, step| match &level.nodes[level.index(&step.loop_id)?].behavior {
            Behavior::Loop(body) => Some(&body.body),
            _ => None,
        })
    }
}
