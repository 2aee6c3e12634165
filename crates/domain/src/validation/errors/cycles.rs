use petgraph::graph::{DiGraph, NodeIndex};

use crate::graph::Level;

/// A cycle among the links of a level.
pub(super) struct Cycle {
    /// The node ids in link order, with the first repeated at the end.
    pub(super) path: Vec<String>,
    /// The index of one of its links in the definition.
    pub(super) link: usize,
}

/// Finds one cycle in each strongly connected component.
pub(super) fn find(level: &Level<'_>) -> Vec<Cycle> {
    let mut graph: DiGraph<(), usize, usize> = DiGraph::with_capacity(level.nodes.len(), level.links.len());
    for _ in &level.nodes {
        graph.add_node(());
    }
    for (index, link) in level.links.iter().enumerate() {
        graph.add_edge(NodeIndex::new(link.source), NodeIndex::new(link.target), index);
    }
    if petgraph::algo::toposort(&graph, None).is_ok() {
        return Vec::new();
    }
    petgraph::algo::kosaraju_scc(&graph)
        .iter()
        .filter_map(|group| find_in_component(&graph, group, level))
        .collect()
}

fn find_in_component(
    graph: &DiGraph<(), usize, usize>,
    group: &[NodeIndex<usize>],
    level: &Level<'_>,
) -> Option<Cycle> {
    use petgraph::visit::EdgeRef;
    let members: std::collections::HashSet<_> = group.iter().copied().collect();
    let mut walk: Vec<(NodeIndex<usize>, usize)> = Vec::new();
    let mut seen = std::collections::HashMap::new();
    let mut current = *group.iter().min()?;
    // In a strongly connected component every node has a successor, so the walk returns to a node it has seen.
    while !seen.contains_key(&current) {
        let edge = graph
            .edges(current)
            .filter(|edge| members.contains(&edge.target()))
            .min_by_key(|e| *e.weight())?;
        seen.insert(current, walk.len());
        walk.push((current, *edge.weight()));
        current = edge.target();
    }
    let start = *seen.get(&current)?;
    let id = |index: NodeIndex<usize>| level.nodes[index.index()].1.id.clone();
    let mut path: Vec<String> = walk[start..].iter().map(|(index, _)| id(*index)).collect();
    path.push(id(current));
    Some(Cycle { path, link: level.links[walk[start].1].index })
}
