use serde::Serialize;
use serde_json::Value;

use super::field_changes::{FieldChange, field_changes};
use super::layout::{executable_json, full_json};
use super::matching::Matching;
use crate::{Definition, Link, Node};

/// Differences between two definitions. Fields that do not affect execution (coordinates, dimensions, test inputs) are
/// compared only with `layout=true`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DefinitionDiff {
    /// Differences of the nodes. A difference inside a subworkflow is a change of the node that runs it.
    pub nodes: NodesDiff,
    /// Differences of the links.
    pub links: LinksDiff,
    /// Differences of the fields other than `nodes` and `links`.
    pub definition: Vec<FieldChange>,
}

/// Differences between the nodes of two definitions. Nodes are matched by id.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NodesDiff {
    /// Present only in the second definition, in its order.
    pub added: Vec<NodeReference>,
    /// Present only in the first definition, in its order.
    pub removed: Vec<NodeReference>,
    /// Present in both definitions, with differences. In the order of the second definition.
    pub changed: Vec<NodeChange>,
    /// True if the nodes that are present in both definitions have a different order.
    pub reordered: bool,
}

/// Id, title and type of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NodeReference {
    /// Id.
    pub node_id: String,
    /// Title.
    pub title: String,
    /// Node type.
    pub node_type: String,
}

/// A changed node.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NodeChange {
    /// Id.
    pub node_id: String,
    /// Title in the second definition.
    pub title: String,
    /// Changed fields. Pointers are relative to the node.
    pub changes: Vec<FieldChange>,
}

/// Differences between the links of two definitions. Links have no ids: a changed link is removed and added.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LinksDiff {
    /// Present only in the second definition, in its order.
    pub added: Vec<Link>,
    /// Present only in the first definition, in its order.
    pub removed: Vec<Link>,
    /// True if the links that are present in both definitions have a different order.
    pub reordered: bool,
}

/// Compares two definitions, with their layout (coordinates, dimensions and test inputs) if `layout` is set.
///
/// Without layout the result is empty exactly if both have the same [`super::definition_hash`]; with layout, if both
/// have the same RFC 8785 canonical form. The cost is slightly more than linear.
#[must_use]
pub fn diff(before: &Definition, after: &Definition, layout: bool) -> DefinitionDiff {
    let to_json = if layout { full_json } else { executable_json };
    let (mut old, mut new) = (to_json(before), to_json(after));
    let nodes = diff_nodes(
        NodeList { definition: before, json: old["nodes"].take() },
        NodeList { definition: after, json: new["nodes"].take() },
    );
    // Links are compared separately; null on both sides is not a difference.
    old["links"].take();
    new["links"].take();
    DefinitionDiff {
        nodes,
        links: diff_links(&before.links, &after.links),
        definition: field_changes(&old, &new),
    }
}

impl DefinitionDiff {
    /// Returns true if there is no difference.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The nodes of a definition, and their JSON in the same order.
struct NodeList<'a> {
    definition: &'a Definition,
    json: Value,
}

impl NodeList<'_> {
    fn ids(&self) -> impl Iterator<Item = &str> {
        self.definition.nodes.iter().map(|node| node.id.as_str())
    }
}

fn diff_nodes(before: NodeList<'_>, after: NodeList<'_>) -> NodesDiff {
    let matching = Matching::by_key(before.ids(), after.ids());
    let (old_nodes, new_nodes) = (&before.definition.nodes, &after.definition.nodes);
    let mut changed = Vec::new();
    for (old, new) in &matching.matched {
        let changes = field_changes(&before.json[*old], &after.json[*new]);
        if !changes.is_empty() {
            let Node { id, title, .. } = &new_nodes[*new];
            changed.push(NodeChange { node_id: id.clone(), title: title.clone(), changes });
        }
    }
    NodesDiff {
        added: matching.added.iter().map(|index| NodeReference::from(&new_nodes[*index])).collect(),
        removed: matching.removed.iter().map(|index| NodeReference::from(&old_nodes[*index])).collect(),
        changed,
        reordered: matching.is_reordered(),
    }
}

fn diff_links(before: &[Link], after: &[Link]) -> LinksDiff {
    let key = |link| {
        let Link { source_id, target_id, source_handle, target_handle }: &Link = link;
        (source_id, target_id, source_handle, target_handle)
    };
    let matching = Matching::by_key(before.iter().map(key), after.iter().map(key));
    LinksDiff {
        added: matching.added.iter().map(|index| after[*index].clone()).collect(),
        removed: matching.removed.iter().map(|index| before[*index].clone()).collect(),
        reordered: matching.is_reordered(),
    }
}

impl From<&Node> for NodeReference {
    fn from(node: &Node) -> Self {
        Self { node_id: node.id.clone(), title: node.title.clone(), node_type: node.node_type.clone() }
    }
}
