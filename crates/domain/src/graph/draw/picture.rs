use std::borrow::Cow;
use std::collections::HashMap;

use crate::graph::{Definition, Link, Node, Outline, RawObject, node_type};
use crate::run::{MAX_NESTING, TaskStatus};

/// What is drawn in every format: shapes inside of each other, and arrows between them.
#[derive(Debug, Default)]
pub(super) struct Picture {
    /// The nodes; those inside of another come behind it.
    pub(super) shapes: Vec<Shape>,
    /// The links.
    pub(super) arrows: Vec<Arrow>,
    /// The indices of the shapes that stand in no other.
    pub(super) top: Vec<usize>,
}

/// A node.
#[derive(Debug)]
pub(super) struct Shape {
    /// The id of the node.
    pub(super) id: String,
    /// Its title.
    pub(super) title: String,
    /// Its kind.
    pub(super) node_type: String,
    /// How far its task has come.
    pub(super) state: Option<TaskStatus>,
    /// The index of the shape around it.
    pub(super) around: Option<usize>,
    /// The indices of the shapes right inside of it.
    pub(super) inside: Vec<usize>,
}

/// A link between two shapes that stand side by side.
#[derive(Debug)]
pub(super) struct Arrow {
    /// Where it begins, as the index of a shape.
    pub(super) source: usize,
    /// Where it ends.
    pub(super) target: usize,
    /// The route by which it leaves a router.
    pub(super) label: Option<String>,
}

/// A step of a walk through the shapes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step<'a> {
    /// A shape with none inside, and its index.
    Node(usize, &'a Shape),
    /// The begin of a shape with others inside, and its index.
    Open(usize, &'a Shape),
    /// Its end.
    Close,
}

impl Picture {
    /// The picture of a definition. Parents that form a circle are drawn as if one of them had none.
    pub(super) fn of(definition: &Definition, states: &HashMap<String, TaskStatus>) -> Self {
        let mut painter = Painter { picture: Self::default(), states, keys: Vec::new() };
        painter.add(definition, None);
        painter.picture
    }

    /// Tells every step and how deep it is, from 1. Children may be nested as deep as there are nodes,
    /// so nothing here calls itself.
    pub(super) fn walk(&self, mut tell: impl FnMut(Step<'_>, usize)) {
        let mut levels = vec![self.top.iter()];
        while let Some(level) = levels.last_mut() {
            let Some(&index) = level.next() else {
                levels.pop();
                if !levels.is_empty() {
                    tell(Step::Close, levels.len());
                }
                continue;
            };
            let shape = &self.shapes[index];
            if shape.inside.is_empty() {
                tell(Step::Node(index, shape), levels.len());
            } else {
                tell(Step::Open(index, shape), levels.len());
                levels.push(shape.inside.iter());
            }
        }
    }
}

struct Painter<'a> {
    picture: Picture,
    states: &'a HashMap<String, TaskStatus>,
    /// For every shape what leads to it, and how deep it is.
    keys: Vec<(String, usize)>,
}

impl Painter<'_> {
    fn add(&mut self, definition: &Definition, around: Option<usize>) {
        let outline = Outline::of(definition);
        let mut children = vec![Vec::new(); definition.nodes.len()];
        for (index, parent) in outline.parents.iter().enumerate() {
            if let Some(parent) = *parent {
                children[parent].push(index);
            }
        }
        let mut shapes = vec![None; definition.nodes.len()];
        let roots = (0..shapes.len()).filter(|index| outline.parents[*index].is_none());
        // What no root leads to is part of a circle; it begins anywhere.
        for root in roots.chain(0..definition.nodes.len()) {
            let mut open = vec![(root, around)];
            while let Some((index, around)) = open.pop() {
                if shapes[index].is_some() {
                    continue;
                }
                let shape = self.shape(&definition.nodes[index], around, children[index].is_empty());
                shapes[index] = Some(shape);
                open.extend(children[index].iter().rev().map(|child| (*child, Some(shape))));
            }
        }
        for (link, ends) in definition.links.iter().zip(&outline.ends) {
            if let (Some(source), Some(target)) = *ends {
                let is_router = definition.nodes[source].node_type == node_type::ROUTER;
                self.arrow(link, shapes[source], shapes[target], is_router);
            }
        }
    }

    /// Adds a node, with its body if it has one and no children.
    fn shape(&mut self, node: &Node, around: Option<usize>, is_childless: bool) -> usize {
        let index = self.picture.shapes.len();
        let (key, depth) = self.key(node, around);
        self.picture.shapes.push(Shape {
            id: node.id.clone(),
            title: if node.title.trim().is_empty() { &node.id } else { &node.title }.clone(),
            node_type: node.node_type.clone(),
            state: self.states.get(&key).copied(),
            around,
            inside: Vec::new(),
        });
        self.keys.push((key, depth));
        match around {
            Some(around) => self.picture.shapes[around].inside.push(index),
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

    /// What leads to a node, and its depth. Deeper than any run goes there are no states to look up.
    fn key(&self, node: &Node, around: Option<usize>) -> (String, usize) {
        match around.map(|around| &self.keys[around]) {
            None => (node.id.clone(), 0),
            Some((key, depth)) if *depth < MAX_NESTING => (format!("{key}/{}", node.id), depth + 1),
            Some((_, depth)) => (String::new(), depth + 1),
        }
    }

    fn arrow(&mut self, link: &Link, source: Option<usize>, target: Option<usize>, is_router: bool) {
        let (Some(source), Some(target)) = (source, target) else { return };
        let around = |shape: usize| self.picture.shapes[shape].around;
        if source != target && around(source) == around(target) {
            let label = link.source_handle.clone().filter(|handle| is_router && !handle.trim().is_empty());
            self.picture.arrows.push(Arrow { source, target, label });
        }
    }
}

/// The definition that a node runs as its body.
fn body(node: &Node) -> Option<Cow<'_, Definition>> {
    let is_loop = node.node_type == node_type::FOR_LOOP;
    let in_config = is_loop.then(|| body_in(&node.config)).flatten().map(Cow::Owned);
    let body = in_config.or_else(|| node.subworkflow.as_deref().map(Cow::Borrowed));
    body.filter(|body| !body.nodes.is_empty())
}

fn body_in(config: &RawObject) -> Option<Definition> {
    let mut body: Definition = serde_json::from_value(config.to_map().shift_remove("subworkflow")?).ok()?;
    body.normalise();
    (!body.nodes.is_empty()).then_some(body)
}
