use std::collections::{HashMap, HashSet};

use super::{Definition, Link, Node};

/// The nodes that run side by side: those at the top of a definition, or the children of one node.
#[derive(Debug)]
pub struct Level<'a> {
    /// The node whose children these are; none at the top.
    pub parent: Option<&'a str>,
    /// The nodes of the level, with their index in the definition, in its order.
    pub nodes: Vec<(usize, &'a Node)>,
    /// The links between two nodes of the level, with their index in the definition, in its order.
    pub links: Vec<(usize, &'a Link)>,
}

/// Takes a definition apart into its levels: the top first, then one for each node that has children.
/// A link between two levels belongs to none of them.
#[must_use]
pub fn levels(definition: &Definition) -> Vec<Level<'_>> {
    let ids: HashSet<&str> = definition.nodes.iter().map(|n| n.id.as_str()).collect();
    let mut levels = vec![Level { parent: None, nodes: Vec::new(), links: Vec::new() }];
    let mut level_of_parent: HashMap<Option<&str>, usize> = HashMap::from([(None, 0)]);
    let mut level_of_node: HashMap<&str, usize> = HashMap::new();
    for (index, node) in definition.nodes.iter().enumerate() {
        let parent = node.parent_id.as_deref().filter(|id| ids.contains(id));
        let level = *level_of_parent.entry(parent).or_insert_with(|| {
            levels.push(Level { parent, nodes: Vec::new(), links: Vec::new() });
            levels.len() - 1
        });
        levels[level].nodes.push((index, node));
        level_of_node.entry(&node.id).or_insert(level);
    }
    for (index, link) in definition.links.iter().enumerate() {
        let source = level_of_node.get(link.source_id.as_str());
        if let Some(level) = source
            && level_of_node.get(link.target_id.as_str()) == Some(level)
        {
            levels[*level].links.push((index, link));
        }
    }
    levels
}
