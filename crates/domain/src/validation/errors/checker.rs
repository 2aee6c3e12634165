use std::collections::HashMap;

use serde_json::Value;

use super::numbers::{MAX_SAFE_INTEGER, unsafe_integers};
use super::routes::Routes;
use super::{chatbot, cycles};
use crate::graph::{GraphIndex, Level, MAX_LINKS, MAX_NODE_NAME_LENGTH, MAX_NODES, node_type};
use crate::run::MAX_NESTING;
use crate::validation::{Catalog, Code, Diagnostic, MAX_DIAGNOSTICS, suggest};
use crate::{Definition, Node};

/// Finds the errors of `definition`, at most one more than [`MAX_DIAGNOSTICS`].
pub(in crate::validation) fn find(definition: &Definition, catalog: &dyn Catalog) -> Vec<Diagnostic> {
    let mut checker = Checker { catalog, type_names: catalog.names(), diagnostics: Vec::new() };
    checker.check_definition(definition, "", 0);
    checker.diagnostics
}

struct Checker<'c> {
    catalog: &'c dyn Catalog,
    type_names: Vec<&'static str>,
    diagnostics: Vec<Diagnostic>,
}

impl Checker<'_> {
    fn report(&mut self, diagnostic: Diagnostic) {
        if !self.is_full() {
            self.diagnostics.push(diagnostic);
        }
    }

    fn is_full(&self) -> bool {
        self.diagnostics.len() > MAX_DIAGNOSTICS
    }

    /// Checks the definition at the pointer `prefix`, inside `depth` bodies.
    fn check_definition(&mut self, definition: &Definition, prefix: &str, depth: usize) {
        if depth > MAX_NESTING {
            return self.report(nesting_too_deep(prefix));
        }
        if !self.check_size(definition, prefix) {
            return;
        }
        let index = GraphIndex::new(definition);
        self.check_ids(definition, &index, prefix);
        self.check_parents(definition, &index, prefix, depth);
        self.check_links(definition, &index, prefix);
        for level in &index.levels {
            self.check_level(level, prefix);
        }
        for (position, node) in definition.nodes.iter().enumerate() {
            if self.is_full() {
                return;
            }
            let bodies = depth + index.ancestors(position).take(MAX_NESTING + 1).count();
            self.check_node(node, &format!("{prefix}/nodes/{position}"), bodies);
        }
        chatbot::check(definition, prefix, &mut self.diagnostics);
    }

    fn check_size(&mut self, definition: &Definition, prefix: &str) -> bool {
        let (nodes, links) = (definition.nodes.len(), definition.links.len());
        let max_nodes = self.catalog.max_nodes().min(MAX_NODES);
        if nodes > max_nodes {
            let message =
                format!("The definition has {nodes} nodes, the limit is {max_nodes}. Split the workflow.");
            self.report(Diagnostic::new(Code::TooManyNodes, format!("{prefix}/nodes"), message));
        }
        if links > MAX_LINKS {
            let message =
                format!("The definition has {links} links, the limit is {MAX_LINKS}. Split the workflow.");
            self.report(Diagnostic::new(Code::TooManyLinks, format!("{prefix}/links"), message));
        }
        nodes <= max_nodes && links <= MAX_LINKS
    }

    fn check_ids(&mut self, definition: &Definition, index: &GraphIndex<'_>, prefix: &str) {
        for (position, node) in definition.nodes.iter().enumerate() {
            let pointer = format!("{prefix}/nodes/{position}/id");
            if node.id.is_empty() {
                let message = "The node has an empty id. Give it an id that no other node has.";
                self.report(Diagnostic::new(Code::NodeIdEmpty, pointer, message));
                continue;
            }
            let Some(first) = index.position(&node.id).filter(|first| *first != position) else { continue };
            let message = format!(
                "The id \"{}\" is already used by the node at {prefix}/nodes/{first}. Give this node another id.",
                node.id
            );
            self.report(
                Diagnostic::new(Code::NodeIdDuplicate, pointer, message)
                    .with_node(&node.id)
                    .with_related(format!("{prefix}/nodes/{first}/id"), "The id is used here."),
            );
        }
    }

    fn check_parents(&mut self, definition: &Definition, index: &GraphIndex<'_>, prefix: &str, depth: usize) {
        for (position, node) in definition.nodes.iter().enumerate() {
            let Some(parent) = node.parent_id.as_deref() else { continue };
            let pointer = format!("{prefix}/nodes/{position}/parent_id");
            if index.parents[position].is_none() {
                let message = format!(
                    "The node \"{}\" has the parent \"{parent}\", but no node has this id. Use the id of an existing \
                     node, or null.",
                    node.id
                );
                self.report(Diagnostic::new(Code::ParentUnknown, pointer, message).with_node(&node.id));
                continue;
            }
            let ancestors: Vec<usize> = index.ancestors(position).take(MAX_NESTING + 1).collect();
            if ancestors.contains(&position) {
                let message = format!(
                    "The node \"{}\" is among its own ancestors. Change a parent_id to break the cycle.",
                    node.id
                );
                self.report(Diagnostic::new(Code::ParentCycle, pointer, message).with_node(&node.id));
            } else if ancestors.len() + depth > MAX_NESTING {
                self.report(nesting_too_deep(&pointer).with_node(&node.id));
            }
        }
    }

    fn check_links(&mut self, definition: &Definition, index: &GraphIndex<'_>, prefix: &str) {
        let catalog = self.catalog;
        // Cached for routers only: a large graph has many links and few routers.
        let mut routes: HashMap<usize, Routes> = HashMap::new();
        for (position, (link, ends)) in definition.links.iter().zip(&index.ends).enumerate() {
            let pointer = format!("{prefix}/links/{position}");
            if ends.source.is_none() {
                self.report(
                    unknown_end(Code::LinkSourceUnknown, format!("{pointer}/source_id"), &link.source_id)
                        .with_link(position),
                );
            }
            if ends.target.is_none() {
                self.report(
                    unknown_end(Code::LinkTargetUnknown, format!("{pointer}/target_id"), &link.target_id)
                        .with_link(position),
                );
            }
            let Some(source) = ends.source else { continue };
            let node = &definition.nodes[source];
            if node.node_type != node_type::ROUTER {
                continue;
            }
            let routes = routes.entry(source).or_insert_with(|| Routes::new(catalog, node));
            if let Err((code, message)) = routes.check(&node.id, link.source_handle.as_deref()) {
                let diagnostic = Diagnostic::new(code, format!("{pointer}/source_handle"), message);
                self.report(diagnostic.with_link(position).with_node(&node.id));
            }
        }
    }

    fn check_level(&mut self, level: &Level<'_>, prefix: &str) {
        if level.parent.is_none_or(|parent| parent.node_type == node_type::FOR_LOOP) {
            self.check_input_and_output(level, prefix);
        }
        for cycle in cycles::find(level) {
            let message = format!("The links form a cycle: {}. Remove one of them.", cycle.path.join(" → "));
            let pointer = format!("{prefix}/links/{}", cycle.link);
            let mut diagnostic = Diagnostic::new(Code::Cycle, pointer, message).with_link(cycle.link);
            diagnostic.node_id = cycle.path.into_iter().next();
            self.report(diagnostic);
        }
    }

    fn check_input_and_output(&mut self, level: &Level<'_>, prefix: &str) {
        let parent = level.parent.map(|parent| parent.id.as_str());
        let subject = parent.map_or_else(|| "The workflow".to_owned(), |id| format!("The body of \"{id}\""));
        let (inputs, outputs) =
            (nodes_of_type(level, node_type::INPUT), nodes_of_type(level, node_type::OUTPUT));
        if inputs.is_empty() && !level.nodes.is_empty() {
            let message = format!("{subject} has no InputNode. Add exactly one.");
            let mut diagnostic = Diagnostic::new(Code::InputNodeMissing, format!("{prefix}/nodes"), message);
            diagnostic.node_id = parent.map(str::to_owned);
            self.report(diagnostic);
        }
        let extra_inputs = inputs.iter().skip(1).map(|node| (node, Code::InputNodeDuplicate));
        let extra_outputs = outputs.iter().skip(1).map(|node| (node, Code::OutputNodeDuplicate));
        for ((position, node), code) in extra_inputs.chain(extra_outputs) {
            let message = format!("{subject} has more than one {}. Keep one of them.", node.node_type);
            let pointer = format!("{prefix}/nodes/{position}");
            self.report(Diagnostic::new(code, pointer, message).with_node(&node.id));
        }
    }

    fn check_lengths(&mut self, node: &Node, pointer: &str) {
        for (field, text) in [("id", &node.id), ("title", &node.title)] {
            // The byte length is cheap and rules out most texts.
            if text.len() > MAX_NODE_NAME_LENGTH && text.chars().count() > MAX_NODE_NAME_LENGTH {
                let message = format!(
                    "The {field} has more than {MAX_NODE_NAME_LENGTH} characters. Shorten it, or put the \
                     text into the config."
                );
                let diagnostic = Diagnostic::new(Code::TextTooLong, format!("{pointer}/{field}"), message);
                // A diagnostic must not repeat an id that is too long.
                self.report(if field == "id" { diagnostic } else { diagnostic.with_node(&node.id) });
            }
        }
    }

    fn check_node(&mut self, node: &Node, pointer: &str, depth: usize) {
        self.check_lengths(node, pointer);
        if !self.type_names.contains(&node.node_type.as_str()) {
            let message = self.unknown_type_message(&node.node_type);
            let diagnostic = Diagnostic::new(Code::NodeTypeUnknown, format!("{pointer}/node_type"), message);
            return self.report(diagnostic.with_node(&node.id));
        }
        for inner in unsafe_integers(&Value::Object(node.config.to_map())) {
            let message = format!(
                "Many JSON parsers can't represent integers beyond {MAX_SAFE_INTEGER} exactly. Write the number as a \
                 string."
            );
            let diagnostic = Diagnostic::new(Code::NumberUnsafe, format!("{pointer}/config{inner}"), message);
            self.report(diagnostic.with_node(&node.id));
        }
        for problem in self.catalog.config_problems(node) {
            let pointer = format!("{pointer}/config{}", problem.pointer);
            self.report(Diagnostic::new(Code::ConfigInvalid, pointer, problem.message).with_node(&node.id));
        }
        if let Some(body) = self.catalog.body(node).filter(|body| !body.nodes.is_empty()) {
            self.check_definition(&body, &format!("{pointer}/config/subworkflow"), depth + 1);
        }
        if let Some(body) = node.subworkflow.as_ref().filter(|body| !body.nodes.is_empty()) {
            self.check_definition(body, &format!("{pointer}/subworkflow"), depth + 1);
        }
    }

    fn unknown_type_message(&self, name: &str) -> String {
        match suggest(name, self.type_names.iter().copied()) {
            Some(similar) => format!("Unknown node type \"{name}\". Did you mean \"{similar}\"?"),
            None => format!("Unknown node type \"{name}\". GET /node/supported_types/ lists the node types."),
        }
    }
}

fn nesting_too_deep(pointer: &str) -> Diagnostic {
    let message = format!("Loops are nested more than {MAX_NESTING} levels deep. Flatten the workflow.");
    Diagnostic::new(Code::NestingTooDeep, pointer, message)
}

fn unknown_end(code: Code, pointer: String, id: &str) -> Diagnostic {
    let verb = if code == Code::LinkSourceUnknown { "starts" } else { "ends" };
    let message = format!(
        "The link {verb} at \"{id}\", but no node has this id. Use the id of an existing node, or remove the link."
    );
    Diagnostic::new(code, pointer, message).with_node(id)
}

fn nodes_of_type<'a>(level: &Level<'a>, node_type: &str) -> Vec<(usize, &'a Node)> {
    level.nodes.iter().filter(|(_, node)| node.node_type == node_type).copied().collect()
}
