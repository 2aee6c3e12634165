use std::collections::HashMap;

use super::{Definition, Link, Node};

/// The shape of a definition: its ids looked up once, its nodes and links sorted into levels.
#[derive(Debug)]
pub struct Outline<'a> {
    /// The levels: the top first, then one for each node that has children.
    pub levels: Vec<Level<'a>>,
    /// For every link of the definition, in its order, the indices of the nodes where it begins and ends.
    pub ends: Vec<(Option<usize>, Option<usize>)>,
    /// For every node of the definition, in its order, the index of its parent.
    pub parents: Vec<Option<usize>>,
    places: HashMap<&'a str, usize>,
}

/// The nodes that run side by side: those at the top of a definition, or the children of one node.
#[derive(Debug)]
pub struct Level<'a> {
    /// The node whose children these are; none at the top.
    pub parent: Option<&'a Node>,
    /// The nodes of the level, with their index in the definition, in its order.
    pub nodes: Vec<(usize, &'a Node)>,
    /// The links between two nodes of the level, in the order of the definition.
    pub links: Vec<LevelLink<'a>>,
}

/// A link between two nodes of a level.
#[derive(Clone, Copy, Debug)]
pub struct LevelLink<'a> {
    /// Its index in the definition.
    pub index: usize,
    /// The link.
    pub link: &'a Link,
    /// Where among the nodes of the level it begins.
    pub source: usize,
    /// Where among the nodes of the level it ends.
    pub target: usize,
}

impl<'a> Outline<'a> {
    /// Looks up every id of `definition`. Where several nodes have an id, it means the first; a parent
    /// that doesn't exist counts as none; a link between two levels belongs to none of them.
    #[must_use]
    pub fn of(definition: &'a Definition) -> Self {
        let mut places = HashMap::with_capacity(definition.nodes.len());
        for (index, node) in definition.nodes.iter().enumerate() {
            places.entry(node.id.as_str()).or_insert(index);
        }
        let place = |id: &str| places.get(id).copied();
        let parents: Vec<_> =
            definition.nodes.iter().map(|node| node.parent_id.as_deref().and_then(place)).collect();
        let ends: Vec<_> =
            definition.links.iter().map(|link| (place(&link.source_id), place(&link.target_id))).collect();
        let levels = levels(definition, &parents, &ends);
        Self { levels, ends, parents, places }
    }

    /// The index of the first node with this id.
    #[must_use]
    pub fn place(&self, id: &str) -> Option<usize> {
        self.places.get(id).copied()
    }

    /// The indices of the nodes around the node at `index`, the nearest first. Endless where parents form
    /// a circle.
    pub fn around(&self, index: usize) -> impl Iterator<Item = usize> + '_ {
        std::iter::successors(self.parents[index], |parent| self.parents[*parent])
    }
}

fn levels<'a>(
    definition: &'a Definition,
    parents: &[Option<usize>],
    ends: &[(Option<usize>, Option<usize>)],
) -> Vec<Level<'a>> {
    let mut levels = vec![Level { parent: None, nodes: Vec::new(), links: Vec::new() }];
    let mut level_below: HashMap<usize, usize> = HashMap::new();
    // For every node its level and its place there.
    let mut places = Vec::with_capacity(definition.nodes.len());
    for (index, (node, parent)) in definition.nodes.iter().zip(parents).enumerate() {
        let level = parent.map_or(0, |parent| {
            *level_below.entry(parent).or_insert_with(|| {
                let parent = Some(&definition.nodes[parent]);
                levels.push(Level { parent, nodes: Vec::new(), links: Vec::new() });
                levels.len() - 1
            })
        });
        places.push((level, levels[level].nodes.len()));
        levels[level].nodes.push((index, node));
    }
    for (index, (link, ends)) in definition.links.iter().zip(ends).enumerate() {
        let (Some(source), Some(target)) = *ends else { continue };
        let ((level, source), (other, target)) = (places[source], places[target]);
        if level == other {
            levels[level].links.push(LevelLink { index, link, source, target });
        }
    }
    levels
}
