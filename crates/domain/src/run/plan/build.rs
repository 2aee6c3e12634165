use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::graph::{Behavior, Edge, LoopPlan, MAX_NESTING, Plan, PlanNode};
use crate::graph::{GraphIndex, Level, LevelLink, node_type};
use crate::{Definition, Node};

/// The configuration of a loop.
#[derive(Clone, Debug)]
pub struct LoopSpec {
    /// The number of iterations.
    pub iterations: u32,
    /// See [`LoopPlan::input_map`].
    pub input_map: Vec<(String, String)>,
    /// The body in the config, if it has one.
    pub body: Option<Definition>,
}

/// The behavior of a node as far as its type and config determine it. The body of a loop is added later.
#[derive(Clone, Debug)]
pub enum NodeBehavior {
    /// Any node but a loop.
    Complete(Behavior),
    /// A loop.
    Loop(LoopSpec),
}

/// The behavior of all node types. Implemented by the `nodes` crate.
pub trait Behaviors {
    /// Returns the behavior of a node.
    fn behavior(&self, node: &Node) -> NodeBehavior;
}

/// The reason why a definition can't be compiled. Validation reports all of these before a save.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The links of a level form a cycle.
    #[error("The links form a cycle. Remove one of them.")]
    Cycle,
    /// Loops are nested too deep.
    #[error("Loops are nested more than {MAX_NESTING} levels deep. Flatten the workflow.")]
    TooDeep,
}

impl Plan {
    /// Compiles `definition`.
    ///
    /// # Errors
    /// If its links form a cycle or its loops are nested too deep.
    pub fn build(definition: &Definition, behaviors: &dyn Behaviors) -> Result<Self, PlanError> {
        Self::build_at(definition, behaviors, 0)
    }

    fn build_at(definition: &Definition, behaviors: &dyn Behaviors, depth: usize) -> Result<Self, PlanError> {
        let levels = GraphIndex::new(definition).levels;
        let children: HashMap<&str, &Level<'_>> =
            levels.iter().filter_map(|level| Some((level.parent?.id.as_str(), level))).collect();
        Builder { behaviors, children }.level(&levels[0], depth)
    }
}

struct Builder<'a> {
    behaviors: &'a dyn Behaviors,
    children: HashMap<&'a str, &'a Level<'a>>,
}

impl Builder<'_> {
    fn level(&self, level: &Level<'_>, depth: usize) -> Result<Plan, PlanError> {
        if depth > MAX_NESTING {
            return Err(PlanError::TooDeep);
        }
        let labels = output_labels(level);
        let mut nodes = Vec::with_capacity(level.nodes.len());
        // Shared strings: a large graph has few node types.
        let mut node_types: HashMap<&str, Arc<str>> = HashMap::new();
        for ((_, node), label) in level.nodes.iter().zip(labels) {
            nodes.push(PlanNode {
                id: Arc::from(node.id.as_str()),
                label,
                node_type: Arc::clone(
                    node_types.entry(&node.node_type).or_insert_with(|| Arc::from(node.node_type.as_str())),
                ),
                behavior: self.behavior(node, depth)?,
                incoming: Vec::new(),
                outgoing: Vec::new(),
            });
        }
        let mut plan = Plan::from_nodes(nodes);
        add_edges(&mut plan, level);
        label_edges(&mut plan, level);
        if is_cyclic(&plan) { Err(PlanError::Cycle) } else { Ok(plan) }
    }

    fn behavior(&self, node: &Node, depth: usize) -> Result<Behavior, PlanError> {
        let spec = match self.behaviors.behavior(node) {
            NodeBehavior::Complete(behavior) => return Ok(behavior),
            NodeBehavior::Loop(spec) => spec,
        };
        let (definition, body) = match (self.children.get(node.id.as_str()), spec.body, &node.subworkflow) {
            (Some(level), _, _) => (body_definition(level), self.level(level, depth + 1)?),
            (None, Some(body), _) => {
                let plan = Plan::build_at(&body, self.behaviors, depth + 1)?;
                (body, plan)
            }
            (None, None, Some(body)) => ((**body).clone(), Plan::build_at(body, self.behaviors, depth + 1)?),
            (None, None, None) => return Ok(invalid_loop("has no body. Add child nodes, or a subworkflow")),
        };
        let is_output = |n: &PlanNode| &*n.node_type == node_type::OUTPUT;
        let Some(output) = body.nodes.iter().position(is_output) else {
            return Ok(invalid_loop(
                "has a body without an OutputNode. Add one; its output is the output of an iteration",
            ));
        };
        let LoopSpec { iterations, input_map, body: _ } = spec;
        Ok(Behavior::Loop(Arc::new(LoopPlan { iterations, input_map, body, output, definition })))
    }
}

fn invalid_loop(reason: &str) -> Behavior {
    Behavior::Invalid(Arc::from(format!("The loop {reason}.")))
}

/// Returns the children of a node as a definition of their own.
fn body_definition(level: &Level<'_>) -> Definition {
    Definition {
        nodes: level.nodes.iter().map(|(_, node)| (*node).clone()).collect(),
        links: level.links.iter().map(|link| link.link.clone()).collect(),
        ..Definition::default()
    }
}

/// Returns the key of every node's output among the outputs of the run.
fn output_labels(level: &Level<'_>) -> Vec<Arc<str>> {
    let mut taken = HashSet::with_capacity(level.nodes.len());
    level.nodes.iter().map(|(_, node)| Arc::from(unique_label(node, &mut taken))).collect()
}

/// Returns the first free name: the title of a node, its id, or its id with a number.
fn unique_label<'n>(node: &'n Node, taken: &mut HashSet<Cow<'n, str>>) -> Cow<'n, str> {
    let numbered = (2..).map(|n| Cow::Owned(format!("{} {n}", node.id)));
    let preferred = [&node.title, &node.id].map(|name| Cow::Borrowed(name.as_str()));
    let mut names = preferred.into_iter().chain(numbered);
    let free = names.find(|name| !name.is_empty() && taken.insert(name.clone()));
    free.unwrap_or_default()
}

fn add_edges(plan: &mut Plan, level: &Level<'_>) {
    for LevelLink { source, target, link, .. } in level.links.iter().copied() {
        let from_router = &*plan.nodes[source].node_type == node_type::ROUTER;
        let route = link.source_handle.as_deref().filter(|_| from_router).map(Arc::from);
        // Labels depend on all links, so they are set last.
        plan.nodes[target].incoming.push(Edge { source, label: Arc::default(), repeats: false, route });
        plan.nodes[source].outgoing.push(target);
    }
    for node in &mut plan.nodes {
        node.outgoing.sort_unstable();
        node.outgoing.dedup();
    }
}

/// Sets the labels of the incoming links of each node.
fn label_edges(plan: &mut Plan, level: &Level<'_>) {
    for target in 0..plan.nodes.len() {
        let mut incoming = std::mem::take(&mut plan.nodes[target].incoming);
        let mut labels_by_source: HashMap<usize, Arc<str>> = HashMap::new();
        let mut taken = HashSet::new();
        for edge in &mut incoming {
            if let Some(label) = labels_by_source.get(&edge.source) {
                edge.label = Arc::clone(label);
                edge.repeats = true;
                continue;
            }
            let label = unique_label(level.nodes[edge.source].1, &mut taken);
            let label_of_source = &plan.nodes[edge.source].label;
            edge.label =
                if **label_of_source == *label { Arc::clone(label_of_source) } else { Arc::from(label) };
            labels_by_source.insert(edge.source, Arc::clone(&edge.label));
        }
        plan.nodes[target].incoming = incoming;
    }
}

fn is_cyclic(plan: &Plan) -> bool {
    let edges =
        plan.nodes.iter().enumerate().flat_map(|(i, node)| node.outgoing.iter().map(move |t| (i, *t)));
    let links = plan.nodes.iter().map(|node| node.outgoing.len()).sum();
    let mut graph = petgraph::graph::DiGraph::<(), (), usize>::with_capacity(plan.nodes.len(), links);
    for _ in &plan.nodes {
        graph.add_node(());
    }
    graph.extend_with_edges(edges);
    petgraph::algo::toposort(&graph, None).is_err()
}
