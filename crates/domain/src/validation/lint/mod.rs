//! What merely looks wrong in a definition that could be saved.

mod gates;
mod inputs;
mod paths;
mod reach;
mod references;
mod titles;

use std::collections::HashMap;

use super::{Catalog, DataFlow, Diagnostic, Fields, MAX_DIAGNOSTICS};
use crate::Definition;
use crate::graph::{Level, Outline, node_type};
use crate::run::MAX_NESTING;

/// Finds what looks wrong in `definition` and in the bodies that it holds.
pub(super) fn lint(definition: &Definition, catalog: &dyn Catalog) -> Vec<Diagnostic> {
    let mut linter = Linter { catalog, found: Vec::new() };
    linter.definition(definition, "", 0, None);
    linter.found
}

struct Linter<'c> {
    catalog: &'c dyn Catalog,
    found: Vec<Diagnostic>,
}

/// A level with what is known of its nodes.
struct View<'v> {
    definition: &'v Definition,
    outline: &'v Outline<'v>,
    level: &'v Level<'v>,
    /// Of every node of the definition, in its order.
    data_flows: &'v [DataFlow],
    /// For every node that has children, by its index, its level among those of the outline.
    bodies: &'v HashMap<usize, usize>,
    /// Where the definition stands.
    prefix: &'v str,
    /// Whether the level is the body of a loop.
    is_body: bool,
    /// What the loop gives its body in the first place, where that is known.
    loop_input: Option<&'v Fields>,
    /// For every node of the level the places of those that lead into it, each once, in the order of links.
    sources: Vec<Vec<usize>>,
    /// For every node of the level the places of those that it leads into.
    targets: Vec<Vec<usize>>,
}

impl Linter<'_> {
    /// Looks into a definition, which the loop around it loop_input so.
    fn definition(
        &mut self,
        definition: &Definition,
        prefix: &str,
        depth: usize,
        loop_input: Option<&Fields>,
    ) {
        if depth > MAX_NESTING {
            return;
        }
        let outline = Outline::of(definition);
        let mut findings = 0;
        let data_flows = definition.nodes.iter().map(|node| {
            let mut data_flow = self.catalog.data_flow(node);
            if findings > MAX_DIAGNOSTICS {
                data_flow.findings = Vec::new();
            }
            findings += data_flow.findings.len();
            data_flow
        });
        let data_flows: Vec<DataFlow> = data_flows.collect();
        self.findings(definition, &data_flows, prefix);
        let bodies = bodies(&outline);
        for level in &outline.levels {
            let is_body = depth > 0 || level.parent.is_some();
            if level.parent.is_some_and(|parent| parent.node_type != node_type::FOR_LOOP) {
                continue;
            }
            let mut view = View::of(definition, &outline, level, &data_flows, &bodies, prefix);
            view.is_body = is_body;
            view.loop_input = match level.parent.map(|parent| outline.place(&parent.id)) {
                Some(parent) => parent.and_then(|parent| data_flows[parent].body_input.as_ref()),
                None => loop_input,
            };
            self.level(&view);
        }
        for (index, node) in definition.nodes.iter().enumerate() {
            if self.found.len() > MAX_DIAGNOSTICS {
                return;
            }
            if let Some(body) = self.catalog.body(node) {
                let place = format!("{prefix}/nodes/{index}/config/subworkflow");
                self.definition(&body, &place, depth + 1, data_flows[index].body_input.as_ref());
            }
            if let Some(body) = &node.subworkflow {
                let place = format!("{prefix}/nodes/{index}/subworkflow");
                self.definition(body, &place, depth + 1, data_flows[index].body_input.as_ref());
            }
        }
    }

    fn findings(&mut self, definition: &Definition, data_flows: &[DataFlow], prefix: &str) {
        for (index, (node, data_flow)) in definition.nodes.iter().zip(data_flows).enumerate() {
            if self.found.len() > MAX_DIAGNOSTICS {
                return;
            }
            for finding in &data_flow.findings {
                let pointer = format!("{prefix}/nodes/{index}/config{}", finding.pointer);
                let found = Diagnostic::new(finding.code, pointer, finding.message.as_str());
                self.found.push(found.of_node(&node.id).with_help(finding.help.clone()));
            }
        }
    }

    fn level(&mut self, view: &View<'_>) {
        let lints = [reach::check, references::check, titles::check, gates::check, inputs::check];
        for lint in lints {
            if self.found.len() > MAX_DIAGNOSTICS {
                return;
            }
            lint(view, &mut self.found);
        }
    }
}

/// For every node that has children its level.
fn bodies(outline: &Outline<'_>) -> HashMap<usize, usize> {
    let of_parent = |(at, level): (usize, &Level<'_>)| Some((outline.place(&level.parent?.id)?, at));
    outline.levels.iter().enumerate().filter_map(of_parent).collect()
}

impl<'v> View<'v> {
    fn of(
        definition: &'v Definition,
        outline: &'v Outline<'v>,
        level: &'v Level<'v>,
        data_flows: &'v [DataFlow],
        bodies: &'v HashMap<usize, usize>,
        prefix: &'v str,
    ) -> Self {
        let (mut sources, mut targets) =
            (vec![Vec::new(); level.nodes.len()], vec![Vec::new(); level.nodes.len()]);
        for link in &level.links {
            sources[link.target].push(link.source);
            targets[link.source].push(link.target);
        }
        let (is_body, loop_input) = (false, None);
        let mut view = Self {
            definition,
            outline,
            level,
            data_flows,
            bodies,
            prefix,
            is_body,
            loop_input,
            sources,
            targets,
        };
        view.sources.iter_mut().for_each(each_once);
        view
    }

    /// What is known of the node at a place of the level.
    fn data_flow(&self, place: usize) -> &'v DataFlow {
        &self.data_flows[self.level.nodes[place].0]
    }

    /// Where the node at a place of the level stands.
    fn pointer(&self, place: usize) -> String {
        format!("{}/nodes/{}", self.prefix, self.level.nodes[place].0)
    }

    /// The places of the nodes of a type.
    fn of_type(&self, node_type: &'static str) -> impl Iterator<Item = usize> + '_ {
        let nodes = self.level.nodes.iter().enumerate();
        nodes.filter(move |(_, (_, node))| node.node_type == node_type).map(|(place, _)| place)
    }

    /// A diagnostic of the node at a place, at `field` of it.
    fn about(&self, code: super::Code, place: usize, field: &str, message: String) -> Diagnostic {
        let pointer = format!("{}{field}", self.pointer(place));
        Diagnostic::new(code, pointer, message).of_node(&self.level.nodes[place].1.id)
    }

    /// What people call the node at a place.
    fn title(&self, place: usize) -> &'v str {
        let node = self.level.nodes[place].1;
        if node.title.is_empty() { &node.id } else { &node.title }
    }
}

/// Keeps the first of equal places, in their order.
fn each_once(places: &mut Vec<usize>) {
    if places.len() > 1 {
        let mut seen = std::collections::HashSet::with_capacity(places.len());
        places.retain(|place| seen.insert(*place));
    }
}
