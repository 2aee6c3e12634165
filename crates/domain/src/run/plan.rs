use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt::Debug;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::Policy;
use crate::graph::{GraphIndex, Level, LevelLink, node_type};
use crate::pause::PausePolicy;
use crate::{Definition, Node};

/// How deep loops may stand in loops.
pub const MAX_NESTING: usize = 16;

/// A definition made ready to run: dense indices, links resolved, behaviours compiled. Built once a
/// version and never changed.
#[derive(Debug)]
pub struct Plan {
    /// The nodes, in the order of the definition.
    pub nodes: Vec<PlanNode>,
    index: HashMap<Arc<str>, usize>,
}

/// A node, made ready to run.
#[derive(Clone, Debug)]
pub struct PlanNode {
    /// Its id.
    pub id: Arc<str>,
    /// The key of its output among the outputs of the run: its title, or its id where an earlier node of
    /// the level has that title.
    pub label: Arc<str>,
    /// The kind, as named by the catalog.
    pub node_type: Arc<str>,
    /// What it does.
    pub behaviour: Behaviour,
    /// The links that arrive, in link order.
    pub incoming: Vec<Edge>,
    /// The indices of the nodes that depend on this one, each once, ascending.
    pub outgoing: Vec<usize>,
}

/// A link, seen from the node where it arrives.
#[derive(Clone, Debug)]
pub struct Edge {
    /// The index of the node where it begins.
    pub source: usize,
    /// The key under which the output arrives: the title of the source, or its id where an earlier source
    /// of the same node has that title.
    pub label: Arc<str>,
    /// Whether an earlier link comes from the same source.
    pub repeats: bool,
    /// The route by which it leaves a router.
    pub route: Option<Arc<str>>,
}

/// What a node does.
#[derive(Clone, Debug)]
pub enum Behaviour {
    /// Gives what its level was given.
    Input(Arc<dyn CheckInput>),
    /// Computes its output from its inputs alone.
    Compute(Arc<dyn Compute>),
    /// As `Compute`, but runs as long as one input is not null.
    ComputeAny(Arc<dyn Compute>),
    /// Works outside of the log: the engine performs it.
    Effect(Arc<Effect>),
    /// Waits for a person.
    Gate(PausePolicy),
    /// Runs a body several times.
    Loop(Arc<LoopPlan>),
    /// Fails with this sentence.
    Broken(Arc<str>),
}

/// Work outside of the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Effect {
    /// The configuration of the node.
    pub config: Map<String, Value>,
    /// How long it may take and how often it is tried.
    pub policy: Policy,
}

/// The work of a node without effects on the outside.
pub trait Compute: Debug + Send + Sync {
    /// The output for these inputs; null when the node gives nothing.
    ///
    /// # Errors
    /// A sentence for the author of the workflow.
    fn compute(&self, inputs: &Inputs) -> Result<Value, String>;
}

/// What an input node demands of what it is given.
pub trait CheckInput: Debug + Send + Sync {
    /// Accepts `input` or says what is wrong with it.
    ///
    /// # Errors
    /// A sentence for whoever started the run.
    fn check(&self, input: &Value) -> Result<(), String>;

    /// Whether checking can take longer than a moment.
    fn is_slow(&self) -> bool {
        false
    }
}

/// What arrived at a node, in link order, nulls left out.
#[derive(Clone, Debug, Default)]
pub struct Inputs(pub Vec<Arrival>);

/// The output of one predecessor.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The key under which it arrives.
    pub label: Arc<str>,
    /// The id of the predecessor.
    pub node_id: Arc<str>,
    /// The output, or of a router's output the part of one route.
    pub value: Arc<Value>,
}

impl Inputs {
    /// {label: output}.
    #[must_use]
    pub fn to_map(&self) -> Map<String, Value> {
        self.0.iter().map(|a| (a.label.to_string(), (*a.value).clone())).collect()
    }

    /// What arrived under `label`.
    #[must_use]
    pub fn get(&self, label: &str) -> Option<&Value> {
        self.0.iter().find(|a| &*a.label == label).map(|a| &*a.value)
    }
}

/// A loop, made ready to run.
#[derive(Debug)]
pub struct LoopPlan {
    /// How often the body runs.
    pub iterations: u32,
    /// {field of the body's input: dotted path into what arrives}; empty: everything as it arrives.
    pub input_map: Vec<(String, String)>,
    /// The body.
    pub body: Plan,
    /// The index, in the body, of the node whose output the loop gives.
    pub output: usize,
    /// The definition of the body, as clients see it.
    pub definition: Definition,
}

/// What the configuration of a loop says.
#[derive(Clone, Debug)]
pub struct LoopSpec {
    /// How often the body runs.
    pub iterations: u32,
    /// See [`LoopPlan::input_map`].
    pub input_map: Vec<(String, String)>,
    /// The body, where it stands in the configuration.
    pub body: Option<Definition>,
}

/// What [`Kinds`] make of a node: everything but a loop is complete, a loop still needs its body.
#[derive(Clone, Debug)]
pub enum LoopBody {
    /// The node is no loop.
    None(Behaviour),
    /// The node is a loop.
    Needed(LoopSpec),
}

/// The kinds of nodes, as the plan needs them. Implemented by the `nodes` crate.
pub trait Kinds {
    /// What this node does.
    fn behaviour(&self, node: &Node) -> LoopBody;
}

/// Why a definition can't be run. Validation at save finds all of these first.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The links of a level form a cycle.
    #[error("The links form a cycle.")]
    Cycle,
    /// Loops stand too deep in loops.
    #[error("Loops are nested more than {MAX_NESTING} deep.")]
    TooDeep,
}

impl Plan {
    /// Makes `definition` ready to run.
    ///
    /// # Errors
    /// When its links form a cycle or its loops are nested too deep.
    pub fn build(definition: &Definition, kinds: &dyn Kinds) -> Result<Self, PlanError> {
        Self::build_at(definition, kinds, 0)
    }

    fn build_at(definition: &Definition, kinds: &dyn Kinds, depth: usize) -> Result<Self, PlanError> {
        let levels = GraphIndex::new(definition).levels;
        let children: HashMap<&str, &Level<'_>> =
            levels.iter().filter_map(|level| Some((level.parent?.id.as_str(), level))).collect();
        Builder { kinds, children }.level(&levels[0], depth)
    }

    /// Whether deciding on its runs can take longer than a moment: many nodes, loops, schemas to check.
    #[must_use]
    pub fn is_heavy(&self) -> bool {
        const MANY: usize = 500;
        let is_slow = |node: &PlanNode| match &node.behaviour {
            Behaviour::Loop(_) => true,
            Behaviour::Input(check) => check.is_slow(),
            _ => false,
        };
        self.nodes.len() > MANY || self.nodes.iter().any(is_slow)
    }

    /// The index of the node `id`.
    #[must_use]
    pub fn index(&self, id: &str) -> Option<usize> {
        self.index.get(id).copied()
    }

    /// The indices of the nodes that `target` depends on, each behind those that it depends on itself.
    #[must_use]
    pub fn upstream_of(&self, target: usize) -> Vec<usize> {
        let mut upstream = Vec::new();
        let mut seen = HashSet::from([target]);
        // A node, and how many of its links have been followed.
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

    /// The plan without what `target` doesn't depend on. Inputs of runs stay reachable: input nodes are kept.
    #[must_use]
    pub fn up_to(&self, target: usize) -> Self {
        let mut kept: HashSet<usize> = self.upstream_of(target).into_iter().collect();
        kept.insert(target);
        kept.extend(self.nodes.iter().enumerate().filter_map(|(index, node)| {
            (matches!(node.behaviour, Behaviour::Input(_)) && node.incoming.is_empty()).then_some(index)
        }));
        let mut order: Vec<usize> = kept.into_iter().collect();
        order.sort_unstable();
        let place: HashMap<usize, usize> = order.iter().enumerate().map(|(new, old)| (*old, new)).collect();
        let nodes = order.iter().map(|old| {
            let mut node = self.nodes[*old].clone();
            node.incoming.iter_mut().for_each(|edge| edge.source = place[&edge.source]);
            node.outgoing = node.outgoing.iter().filter_map(|old| place.get(old).copied()).collect();
            node
        });
        Self::from_nodes(nodes.collect())
    }

    fn from_nodes(nodes: Vec<PlanNode>) -> Self {
        let index = nodes.iter().enumerate().map(|(i, node)| (Arc::clone(&node.id), i)).collect();
        Self { nodes, index }
    }
}

struct Builder<'a> {
    kinds: &'a dyn Kinds,
    children: HashMap<&'a str, &'a Level<'a>>,
}

impl Builder<'_> {
    fn level(&self, level: &Level<'_>, depth: usize) -> Result<Plan, PlanError> {
        if depth > MAX_NESTING {
            return Err(PlanError::TooDeep);
        }
        let labels = labels(level);
        let mut nodes = Vec::with_capacity(level.nodes.len());
        // A large graph has few kinds.
        let mut kinds: HashMap<&str, Arc<str>> = HashMap::new();
        for ((_, node), label) in level.nodes.iter().zip(labels) {
            nodes.push(PlanNode {
                id: Arc::from(node.id.as_str()),
                label,
                node_type: Arc::clone(
                    kinds.entry(&node.node_type).or_insert_with(|| Arc::from(node.node_type.as_str())),
                ),
                behaviour: self.behaviour(node, depth)?,
                incoming: Vec::new(),
                outgoing: Vec::new(),
            });
        }
        let mut plan = Plan::from_nodes(nodes);
        connect(&mut plan, level);
        label_arrivals(&mut plan, level);
        if is_cyclic(&plan) { Err(PlanError::Cycle) } else { Ok(plan) }
    }

    fn behaviour(&self, node: &Node, depth: usize) -> Result<Behaviour, PlanError> {
        let spec = match self.kinds.behaviour(node) {
            LoopBody::None(behaviour) => return Ok(behaviour),
            LoopBody::Needed(spec) => spec,
        };
        let (definition, body) = match (self.children.get(node.id.as_str()), spec.body, &node.subworkflow) {
            (Some(level), _, _) => (detached(level), self.level(level, depth + 1)?),
            (None, Some(body), _) => {
                let plan = Plan::build_at(&body, self.kinds, depth + 1)?;
                (body, plan)
            }
            (None, None, Some(body)) => ((**body).clone(), Plan::build_at(body, self.kinds, depth + 1)?),
            (None, None, None) => return Ok(broken("has no body: put nodes into it, or a subworkflow")),
        };
        let is_output = |n: &PlanNode| &*n.node_type == node_type::OUTPUT;
        let Some(output) = body.nodes.iter().position(is_output) else {
            return Ok(broken("has a body without an OutputNode: add one, it gives what an iteration gives"));
        };
        let LoopSpec { iterations, input_map, body: _ } = spec;
        Ok(Behaviour::Loop(Arc::new(LoopPlan { iterations, input_map, body, output, definition })))
    }
}

fn broken(why: &str) -> Behaviour {
    Behaviour::Broken(Arc::from(format!("The loop {why}.")))
}

/// The children of a node as a definition of their own.
fn detached(level: &Level<'_>) -> Definition {
    Definition {
        nodes: level.nodes.iter().map(|(_, node)| (*node).clone()).collect(),
        links: level.links.iter().map(|link| link.link.clone()).collect(),
        ..Definition::default()
    }
}

/// The key of every node among the outputs of the run.
fn labels(level: &Level<'_>) -> Vec<Arc<str>> {
    let mut taken = HashSet::with_capacity(level.nodes.len());
    level.nodes.iter().map(|(_, node)| Arc::from(unique(node, &mut taken))).collect()
}

/// The title of a node; its id where the title is taken; with a number behind it where even that is.
fn unique<'n>(node: &'n Node, taken: &mut HashSet<Cow<'n, str>>) -> Cow<'n, str> {
    let numbered = (2..).map(|n| Cow::Owned(format!("{} {n}", node.id)));
    let own = [&node.title, &node.id].map(|name| Cow::Borrowed(name.as_str()));
    let mut names = own.into_iter().chain(numbered);
    let free = names.find(|name| !name.is_empty() && taken.insert(name.clone()));
    free.unwrap_or_default()
}

fn connect(plan: &mut Plan, level: &Level<'_>) {
    for LevelLink { source, target, link, .. } in level.links.iter().copied() {
        let from_router = &*plan.nodes[source].node_type == node_type::ROUTER;
        let route = link.source_handle.as_deref().filter(|_| from_router).map(Arc::from);
        // Labels come last, when all links are there.
        plan.nodes[target].incoming.push(Edge { source, label: Arc::default(), repeats: false, route });
        plan.nodes[source].outgoing.push(target);
    }
    for node in &mut plan.nodes {
        node.outgoing.sort_unstable();
        node.outgoing.dedup();
    }
}

/// Gives the links of each node the keys under which outputs arrive there.
fn label_arrivals(plan: &mut Plan, level: &Level<'_>) {
    for target in 0..plan.nodes.len() {
        let mut incoming = std::mem::take(&mut plan.nodes[target].incoming);
        let mut of_source: HashMap<usize, Arc<str>> = HashMap::new();
        let mut taken = HashSet::new();
        for edge in &mut incoming {
            if let Some(label) = of_source.get(&edge.source) {
                edge.label = Arc::clone(label);
                edge.repeats = true;
                continue;
            }
            let label = unique(level.nodes[edge.source].1, &mut taken);
            let usual = &plan.nodes[edge.source].label;
            edge.label = if **usual == *label { Arc::clone(usual) } else { Arc::from(label) };
            of_source.insert(edge.source, Arc::clone(&edge.label));
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
