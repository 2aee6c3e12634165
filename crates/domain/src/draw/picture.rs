use std::borrow::Cow;
use std::collections::HashMap;

use crate::graph::{Definition, GraphIndex, Link, LinkEnds, Node, RawObject, node_type};
use crate::run::{MAX_NESTING, TaskStatus};

/// The content of a drawing in any format: nested shapes, and arrows between them.
#[derive(Debug, Default)]
pub(super) struct Picture {
    /// The nodes; a parent comes before its children.
    pub(super) shapes: Vec<Shape>,
    /// The links.
    pub(super) arrows: Vec<Arrow>,
    /// The indices of the shapes without a parent.
    pub(super) top: Vec<usize>,
}

/// A node.
#[derive(Debug)]
pub(super) struct Shape {
    /// The node id.
    pub(super) id: String,
    /// The title.
    pub(super) title: String,
    /// The node type.
    pub(super) node_type: String,
    /// The status of its task.
    pub(super) state: Option<TaskStatus>,
    /// The index of the parent.
    pub(super) parent: Option<usize>,
    /// The indices of the direct children.
    pub(super) children: Vec<usize>,
}

/// A link between two shapes of the same level.
#[derive(Debug)]
pub(super) struct Arrow {
    /// The index of the source shape.
    pub(super) source: usize,
    /// The index of the target shape.
    pub(super) target: usize,
    /// The route by which the link leaves a router.
    pub(super) label: Option<String>,
}

/// A step of a traversal.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step<'a> {
    /// A shape without children, and its index.
    Node(usize, &'a Shape),
    /// The start of a shape with children, and its index.
    Open(usize, &'a Shape),
    /// The end of that shape.
    Close,
}

impl Picture {
    /// Builds the picture of a definition. Parents that form a cycle are drawn as if one of them had no parent.
    pub(super) fn new(definition: &Definition, states: &HashMap<String, TaskStatus>) -> Self {
        let mut builder = PictureBuilder { picture: Self::default(), states, keys: Vec::new() };
        builder.add(definition, None);
        builder.picture
    }

    /// Calls `visitor` with every step and its depth, from 1. Iterative: children may be nested as deep as there are
    /// nodes.
    pub(super) fn visit(&self, mut visitor: impl FnMut(Step<'_>, usize)) {
        let mut levels = vec![self.top.iter()];
        while let Some(level) = levels.last_mut() {
            let Some(&index) = level.next() else {
                levels.pop();
                if !levels.is_empty() {
                    visitor(Step::Close, levels.len());
                }
                continue;
            };
            let shape = &self.shapes[index];
            if shape.children.is_empty() {
                visitor(Step::Node(index, shape), levels.len());
            } else {
                visitor(Step::Open(index, shape), levels.len());
                levels.push(shape.children.iter());
            }
        }
    }
}

struct PictureBuilder<'a> {
    picture: Picture,
    states: &'a HashMap<String, TaskStatus>,
    /// The key and depth of every shape.
    keys: Vec<(String, usize)>,
}

impl PictureBuilder<'_> {
    fn add(&mut self, definition: &Definition, parent: Option<usize>) {
        let index = GraphIndex::new(definition);
        let mut children = vec![Vec::new(); definition.nodes.len()];
        for (child, parent) in index.parents.iter().enumerate() {
            if let Some(parent) = *parent {
                children[parent].push(child);
            }
        }
        let mut shapes = vec![None; definition.nodes.len()];
        let roots = (0..shapes.len()).filter(|node| index.parents[*node].is_none());
        // A node that no root leads to is part of a cycle or below one. A cycle is drawn from its first node.
        for root in roots.chain(0..definition.nodes.len()) {
            let mut open = vec![(root, parent)];
            while let Some((node, parent)) = open.pop() {
                if shapes[node].is_some() {
                    continue;
                }
                let shape = self.shape(&definition.nodes[node], parent, children[node].is_empty());
                shapes[node] = Some(shape);
                open.extend(children[node].iter().rev().map(|child| (*child, Some(shape))));
            }
        }
        for (link, ends) in definition.links.iter().zip(&index.ends) {
            if let LinkEnds { source: Some(source), target: Some(target) } = *ends {
                let is_router = definition.nodes[source].node_type == node_type::ROUTER;
                self.arrow(link, shapes[source], shapes[target], is_router);
            }
        }
    }

    /// Adds a node, and its body if it has no children.
    fn shape(&mut self, node: &Node, parent: Option<usize>, is_childless: bool) -> usize {
        let index = self.picture.shapes.len();
        let (key, depth) = self.key(node, parent);
        self.picture.shapes.push(Shape {
            id: node.id.clone(),
            title: if node.title.trim().is_empty() { &node.id } else { &node.title }.clone(),
            node_type: node.node_type.clone(),
            state: self.states.get(&key).copied(),
            parent,
            children: Vec::new(),
        });
        self.keys.push((key, depth));
        match parent {
            Some(parent) => self.picture.shapes[parent].children.push(index),
            None => self.picture.top.push(index),
        }
        if is_childless
            && depth <= MAX_NESTING
            && let Some(body) = body(node)
        {
            self.add(&body, Some(index));
        }
        index
    }

    /// Returns the state key of a node, and its depth. The key is empty below the maximum nesting depth of runs, where
    /// no task has a state.
    fn key(&self, node: &Node, parent: Option<usize>) -> (String, usize) {
        match parent.map(|parent| &self.keys[parent]) {
            None => (node.id.clone(), 0),
            Some((key, depth)) if *depth < MAX_NESTING => (format!("{key}/{}", node.id), depth + 1),
            Some((_, depth)) => (String::new(), depth + 1),
        }
    }

    fn arrow(&mut self, link: &Link, source: Option<usize>, target: Option<usize>, is_router: bool) {
        let (Some(source), Some(target)) = (source, target) else { return };
        let parent = |shape: usize| self.picture.shapes[shape].parent;
        if source != target && parent(source) == parent(target) {
            let label = link.source_handle.clone().filter(|handle| is_router && !handle.trim().is_empty());
            self.picture.arrows.push(Arrow { source, target, label });
        }
    }
}

/// Returns the definition that a node runs as its body.
fn body(node: &Node) -> Option<Cow<'_, Definition>> {
    let is_loop = node.node_type == node_type::FOR_LOOP;
    let in_config = is_loop.then(|| body_in(&node.config)).flatten().map(Cow::Owned);
    let body = in_config.or_else(|| node.subworkflow.as_deref().map(Cow::Borrowed));
    body.filter(|body| !body.nodes.is_empty())
}

fn body_in(config: &RawObject) -> Option<Definition> {
    let mut body: Definition = serde_json::from_value(config.to_map().shift_remove("subworkflow")?).ok()?;
    body.normalize();
    (!body.nodes.is_empty()).then_some(body)
}
