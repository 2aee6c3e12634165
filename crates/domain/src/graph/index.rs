use std::collections::HashMap;

use super::{Definition, Link, Node};

/// An index of a definition: positions by id, and nodes and links grouped into levels.
#[derive(Debug)]
pub struct GraphIndex<'a> {
    /// The levels: the top first, then one for each node that has children.
    pub levels: Vec<Level<'a>>,
    /// The source and target of every link, in the order of the definition.
    pub ends: Vec<LinkEnds>,
    /// The index of every node's parent, in the order of the definition.
    pub parents: Vec<Option<usize>>,
    positions: HashMap<&'a str, usize>,
}

/// The nodes that a link connects, by index in the definition. `None` if no node has the id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkEnds {
    /// The source node.
    pub source: Option<usize>,
    /// The target node.
    pub target: Option<usize>,
}

/// The nodes that run side by side: those at the top of a definition, or the children of one node.
#[derive(Debug)]
pub struct Level<'a> {
    /// The parent of these nodes, or `None` at the top.
    pub parent: Option<&'a Node>,
    /// The nodes of the level with their index in the definition, in its order.
    pub nodes: Vec<(usize, &'a Node)>,
    /// The links between two nodes of the level, in the order of the definition.
    pub links: Vec<LevelLink<'a>>,
}

/// A link between two nodes of a level.
#[derive(Clone, Copy, Debug)]
pub struct LevelLink<'a> {
    /// The index in the definition.
    pub index: usize,
    /// The link.
    pub link: &'a Link,
    /// The position of the source among the nodes of the level.
    pub source: usize,
    /// The position of the target among the nodes of the level.
    pub target: usize,
}

impl<'a> GraphIndex<'a> {
    /// Indexes `definition`. If several nodes have the same id, it refers to the first. An unknown parent is ignored. A link between two levels belongs to neither.
    #[must_use]
    pub fn new(definition: &'a Definition) -> Self {
        let mut positions = HashMap::with_capacity(definition.nodes.len());
        for (index, node) in definition.nodes.iter().enumerate() {
            positions.entry(node.id.as_str()).or_insert(index);
        }
        let position = |id: &str| positions.get(id).copied();
        let parents: Vec<_> =
            definition.nodes.iter().map(|node| node.parent_id.as_deref().and_then(position)).collect();
        let ends: Vec<_> = definition
            .links
            .iter()
            .map(|link| LinkEnds { source: position(&link.source_id), target: position(&link.target_id) })
            .collect();
        let levels = group_levels(definition, &parents, &ends);
        Self { levels, ends, parents, positions }
    }

    /// Returns the index of the first node with this id.
    #[must_use]
    pub fn position(&self, id: &str) -> Option<usize> {
        self.positions.get(id).copied()
    }

    /// Returns the indices of the ancestors of the node at `index`, the parent first. The iterator is endless if
    /// parents form a cycle.
    pub fn ancestors(&self, index: usize) -> impl Iterator<Item = usize> + '_ {
        std::iter::successors(self.parents[index], |parent| self.parents[*parent])
    }
}

fn group_levels<'a>(
    definition: &'a Definition,
    parents: &[Option<usize>],
    ends: &[LinkEnds],
) -> Vec<Level<'a>> {
    let mut levels = vec![Level { parent: None, nodes: Vec::new(), links: Vec::new() }];
    let mut level_below: HashMap<usize, usize> = HashMap::new();
    // The level of every node, and the position of the node there.
    let mut positions = Vec::with_capacity(definition.nodes.len());
    for (index, (node, parent)) in definition.nodes.iter().zip(parents).enumerate() {
        let level = parent.map_or(0, |parent| {
            *level_below.entry(parent).or_insert_with(|| {
                let parent = Some(&definition.nodes[parent]);
                levels.push(Level { parent, nodes: Vec::new(), links: Vec::new() });
                levels.len() - 1
            })
        });
        positions.push((level, levels[level].nodes.len()));
        levels[level].nodes.push((index, node));
    }
    for (index, (link, ends)) in definition.links.iter().zip(ends).enumerate() {
        let LinkEnds { source: Some(source), target: Some(target) } = *ends else { continue };
        let ((level, source), (other, target)) = (positions[source], positions[target]);
        if level == other {
            levels[level].links.push(LevelLink { index, link, source, target });
        }
    }
    levels
}
