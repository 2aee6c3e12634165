use std::collections::{HashMap, HashSet};

use crate::Definition;
use crate::graph::{GraphIndex, Level};
use crate::validation::{Code, DataFlow, Diagnostic, Fields};

/// A definition with its index and the data flow of its nodes.
pub(super) struct DefinitionView<'v> {
    pub(super) definition: &'v Definition,
    pub(super) index: &'v GraphIndex<'v>,
    /// The data flow of every node, in the order of the definition.
    pub(super) data_flows: &'v [DataFlow],
    /// The level of each node's children among the levels of the index, by the index of the node.
    pub(super) bodies: &'v HashMap<usize, usize>,
    /// The pointer to the definition.
    pub(super) prefix: &'v str,
}

/// A level of a definition. Nodes are referred to by their position in the level.
pub(super) struct LevelView<'v> {
    pub(super) definition: &'v Definition,
    pub(super) index: &'v GraphIndex<'v>,
    pub(super) level: &'v Level<'v>,
    data_flows: &'v [DataFlow],
    bodies: &'v HashMap<usize, usize>,
    prefix: &'v str,
    /// True if the level is the body of a loop.
    pub(super) is_body: bool,
    /// Fields that the loop passes to the first iteration, if known.
    pub(super) loop_input: Option<&'v Fields>,
    /// The predecessors of every node, each once, in link order.
    pub(super) sources: Vec<Vec<usize>>,
    /// The targets of every node, once for each link.
    pub(super) targets: Vec<Vec<usize>>,
}

impl<'v> LevelView<'v> {
    pub(super) fn new(view: &DefinitionView<'v>, level: &'v Level<'v>) -> Self {
        let mut sources = vec![Vec::new(); level.nodes.len()];
        let mut targets = vec![Vec::new(); level.nodes.len()];
        for link in &level.links {
            sources[link.target].push(link.source);
            targets[link.source].push(link.target);
        }
        sources.iter_mut().for_each(remove_duplicates);
        let DefinitionView { definition, index, data_flows, bodies, prefix } = *view;
        Self {
            definition,
            index,
            level,
            data_flows,
            bodies,
            prefix,
            is_body: false,
            loop_input: None,
            sources,
            targets,
        }
    }

    /// Returns the data flow of a node.
    pub(super) fn data_flow(&self, position: usize) -> &'v DataFlow {
        &self.data_flows[self.level.nodes[position].0]
    }

    /// Returns the data flow of the first child of a node that has the type `node_type`.
    pub(super) fn data_flow_of_child(&self, position: usize, node_type: &str) -> Option<&'v DataFlow> {
        let body = &self.index.levels[*self.bodies.get(&self.level.nodes[position].0)?];
        let (index, _) = body.nodes.iter().find(|(_, node)| node.node_type == node_type)?;
        Some(&self.data_flows[*index])
    }

    /// Returns the pointer to a node.
    pub(super) fn pointer(&self, position: usize) -> String {
        format!("{}/nodes/{}", self.prefix, self.level.nodes[position].0)
    }

    /// Returns the positions of the nodes of a type.
    pub(super) fn nodes_of_type(&self, node_type: &'static str) -> impl Iterator<Item = usize> + '_ {
        let nodes = self.level.nodes.iter().enumerate();
        nodes.filter(move |(_, (_, node))| node.node_type == node_type).map(|(position, _)| position)
    }

    /// Returns a diagnostic about a field of a node. An empty `field` stands for the whole node.
    pub(super) fn diagnostic(&self, code: Code, position: usize, field: &str, message: String) -> Diagnostic {
        let pointer = format!("{}{field}", self.pointer(position));
        Diagnostic::new(code, pointer, message).with_node(&self.level.nodes[position].1.id)
    }

    /// Returns the title of a node, or its id if it has no title.
    pub(super) fn title(&self, position: usize) -> &'v str {
        let node = self.level.nodes[position].1;
        if node.title.is_empty() { &node.id } else { &node.title }
    }
}

/// Keeps the first of equal positions, in their order.
pub(super) fn remove_duplicates(positions: &mut Vec<usize>) {
    if positions.len() > 1 {
        let mut seen = HashSet::with_capacity(positions.len());
        positions.retain(|position| seen.insert(*position));
    }
}
