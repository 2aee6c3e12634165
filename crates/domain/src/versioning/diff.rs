use serde::Serialize;
use serde_json::Value;

use super::align::Matching;
use super::changes::{Change, changes};
use super::{executable, json};
use crate::{Definition, Link, Node};

/// What is different between two definitions.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Diff {
    /// The nodes; what happened inside of a subworkflow is a change of the node that runs it.
    pub nodes: NodesDiff,
    /// The links.
    pub links: LinksDiff,
    /// The fields of the definition itself: its type, and its test inputs where layout counts.
    pub definition: Vec<Change>,
}

/// What happened to the nodes, which are known by their ids.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct NodesDiff {
    /// Those that came, in the order of the definition after.
    pub added: Vec<NodeRef>,
    /// Those that went, in the order of the definition before.
    pub removed: Vec<NodeRef>,
    /// Those that stayed and are different, in the order of the definition after.
    pub changed: Vec<ChangedNode>,
    /// Whether those that stayed stand in another order.
    pub reordered: bool,
}

/// A node by its names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct NodeRef {
    /// Its id.
    pub node_id: String,
    /// Its title.
    pub title: String,
    /// Its kind.
    pub node_type: String,
}

/// A node that is in both definitions and different.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ChangedNode {
    /// Its id.
    pub node_id: String,
    /// Its title, as it is after.
    pub title: String,
    /// Its fields that are different; the pointers begin at the node.
    pub changes: Vec<Change>,
}

/// What happened to the links, which have no ids: a link of which anything changed went, and another came.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LinksDiff {
    /// Those that came, in the order of the definition after.
    pub added: Vec<Link>,
    /// Those that went, in the order of the definition before.
    pub removed: Vec<Link>,
    /// Whether those that stayed stand in another order.
    pub reordered: bool,
}

/// What is different between `before` and `after`; coordinates, dimensions and test inputs, also those of
/// subworkflows, only if `layout`.
///
/// Without layout it is empty exactly if [`super::definition_hash`] is the same for both. With layout it is
/// empty exactly if the RFC 8785 canonical forms of both are the same. The cost grows a little faster than
/// the size of both together.
#[must_use]
pub fn diff(before: &Definition, after: &Definition, layout: bool) -> Diff {
    let value = if layout { json } else { executable };
    let (mut old, mut new) = (value(before), value(after));
    let nodes = nodes((before, old["nodes"].take()), (after, new["nodes"].take()));
    // Links are compared as they are; null on both sides is no difference.
    old["links"].take();
    new["links"].take();
    Diff { nodes, links: links(&before.links, &after.links), definition: changes(&old, &new) }
}

impl Diff {
    /// Whether nothing is different.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Compares nodes by their JSON, which stands in the order of the nodes.
fn nodes((before, old): (&Definition, Value), (after, new): (&Definition, Value)) -> NodesDiff {
    let matching = Matching::of(before.nodes.iter().map(id), after.nodes.iter().map(id));
    let changed = matching.kept.iter().filter_map(|&(was, is)| {
        let changes = changes(&old[was], &new[is]);
        let Node { id, title, .. } = &after.nodes[is];
        let changed = ChangedNode { node_id: id.clone(), title: title.clone(), changes };
        (!changed.changes.is_empty()).then_some(changed)
    });
    NodesDiff {
        changed: changed.collect(),
        added: matching.added.iter().map(|place| NodeRef::of(&after.nodes[*place])).collect(),
        removed: matching.removed.iter().map(|place| NodeRef::of(&before.nodes[*place])).collect(),
        reordered: matching.is_reordered(),
    }
}

fn id(node: &Node) -> &str {
    &node.id
}

fn links(before: &[Link], after: &[Link]) -> LinksDiff {
    let key = |link| {
        let Link { source_id, target_id, source_handle, target_handle }: &Link = link;
        (source_id, target_id, source_handle, target_handle)
    };
    let matching = Matching::of(before.iter().map(key), after.iter().map(key));
    LinksDiff {
        added: matching.added.iter().map(|place| after[*place].clone()).collect(),
        removed: matching.removed.iter().map(|place| before[*place].clone()).collect(),
        reordered: matching.is_reordered(),
    }
}

impl NodeRef {
    fn of(node: &Node) -> Self {
        Self { node_id: node.id.clone(), title: node.title.clone(), node_type: node.node_type.clone() }
    }
}
