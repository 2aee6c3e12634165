use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::{
    Catalog, Code, Diagnostic, MAX_DIAGNOSTICS, MAX_LINKS, MAX_NAME, MAX_NODES, chatbot, cycles, nearest,
    pointer_step,
};
use crate::graph::{Level, Outline, node_type};
use crate::run::MAX_NESTING;
use crate::{Definition, Node};

pub(super) struct Checker<'c> {
    catalog: &'c dyn Catalog,
    names: Vec<&'static str>,
    pub(super) found: Vec<Diagnostic>,
}

impl<'c> Checker<'c> {
    pub(super) fn new(catalog: &'c dyn Catalog) -> Self {
        Self { catalog, names: catalog.names(), found: Vec::new() }
    }

    fn report(&mut self, code: Code, pointer: String, node: Option<&str>, message: String) {
        if self.is_full() {
            return;
        }
        let found = Diagnostic::new(code, pointer, message);
        self.found.push(match node {
            Some(id) => found.of_node(id),
            None => found,
        });
    }

    /// Whether one more has been found than is told of.
    fn is_full(&self) -> bool {
        self.found.len() > MAX_DIAGNOSTICS
    }

    fn report_link(&mut self, code: Code, pointer: String, link: usize, node: Option<&str>, message: String) {
        if self.is_full() {
            return;
        }
        let found = Diagnostic::new(code, pointer, message).of_link(link);
        self.found.push(match node {
            Some(id) => found.of_node(id),
            None => found,
        });
    }

    /// Checks a definition that stands at `prefix`, `depth` bodies deep.
    pub(super) fn definition(&mut self, definition: &Definition, prefix: &str, depth: usize) {
        if depth > MAX_NESTING {
            let message = format!("Bodies are nested more than {MAX_NESTING} deep. Flatten the workflow.");
            return self.report(Code::NestingTooDeep, prefix.to_owned(), None, message);
        }
        if !self.is_bounded(definition, prefix) {
            return;
        }
        let outline = Outline::of(definition);
        self.ids(definition, &outline, prefix);
        self.parents(definition, &outline, prefix, depth);
        self.links(definition, &outline, prefix);
        for level in &outline.levels {
            self.level(level, prefix);
        }
        for (index, node) in definition.nodes.iter().enumerate() {
            if self.is_full() {
                return;
            }
            let bodies = depth + outline.around(index).take(MAX_NESTING + 1).count();
            self.node(node, &format!("{prefix}/nodes/{index}"), bodies);
        }
        chatbot::check(definition, prefix, &mut self.found);
    }

    fn is_bounded(&mut self, definition: &Definition, prefix: &str) -> bool {
        let (nodes, links) = (definition.nodes.len(), definition.links.len());
        let most = self.catalog.max_nodes().min(MAX_NODES);
        if nodes > most {
            let message = format!("There are {nodes} nodes, at most {most} are taken. Split the workflow.");
            self.report(Code::TooManyNodes, format!("{prefix}/nodes"), None, message);
        }
        if links > MAX_LINKS {
            let message =
                format!("There are {links} links, at most {MAX_LINKS} are taken. Split the workflow.");
            self.report(Code::TooManyLinks, format!("{prefix}/links"), None, message);
        }
        nodes <= most && links <= MAX_LINKS
    }

    fn ids(&mut self, definition: &Definition, outline: &Outline<'_>, prefix: &str) {
        for (index, node) in definition.nodes.iter().enumerate() {
            let pointer = || format!("{prefix}/nodes/{index}/id");
            if node.id.is_empty() {
                let message = "The node has an empty id. Give it one that no other node has.".to_owned();
                self.report(Code::NodeIdEmpty, pointer(), None, message);
            } else if let Some(earlier) = outline.place(&node.id).filter(|first| *first != index) {
                let message = format!(
                    "The id \"{}\" is already that of the node at {prefix}/nodes/{earlier}. Give this node another id.",
                    node.id
                );
                let found = Diagnostic::new(Code::NodeIdDuplicate, pointer(), message).of_node(&node.id);
                self.found.push(found.related_to(format!("{prefix}/nodes/{earlier}/id"), "It is used here."));
            }
        }
    }

    fn parents(&mut self, definition: &Definition, outline: &Outline<'_>, prefix: &str, depth: usize) {
        for (index, node) in definition.nodes.iter().enumerate() {
            let Some(parent) = node.parent_id.as_deref() else { continue };
            let pointer = format!("{prefix}/nodes/{index}/parent_id");
            if outline.parents[index].is_none() {
                let message = format!(
                    "There is no node \"{parent}\" to be the parent of \"{}\". Name an existing node, or null.",
                    node.id
                );
                self.report(Code::ParentUnknown, pointer, Some(&node.id), message);
                continue;
            }
            let line: Vec<usize> = outline.around(index).take(MAX_NESTING + 1).collect();
            if line.contains(&index) {
                let message = format!(
                    "The node \"{}\" is its own parent in the end. Break the circle of parents.",
                    node.id
                );
                self.report(Code::ParentCycle, pointer, Some(&node.id), message);
            } else if line.len() + depth > MAX_NESTING {
                let message =
                    format!("Bodies are nested more than {MAX_NESTING} deep. Flatten the workflow.");
                self.report(Code::NestingTooDeep, pointer, Some(&node.id), message);
            }
        }
    }

    fn links(&mut self, definition: &Definition, outline: &Outline<'_>, prefix: &str) {
        let catalog = self.catalog;
        // Of routers alone, by index: a large graph has many links and few routers.
        let mut routes: HashMap<usize, Routes> = HashMap::new();
        for (index, (link, (source, target))) in definition.links.iter().zip(&outline.ends).enumerate() {
            let ends = [
                (source, Code::LinkSourceUnknown, "source_id", "begins", &link.source_id),
                (target, Code::LinkTargetUnknown, "target_id", "ends", &link.target_id),
            ];
            for (_, code, field, verb, id) in ends.into_iter().filter(|end| end.0.is_none()) {
                let message = format!(
                    "The link {verb} at \"{id}\", but no node has this id. Name an existing node or remove the link."
                );
                self.report_link(code, format!("{prefix}/links/{index}/{field}"), index, Some(id), message);
            }
            let Some(place) = *source else { continue };
            let source = &definition.nodes[place];
            if source.node_type != node_type::ROUTER {
                continue;
            }
            let routes = routes.entry(place).or_insert_with(|| Routes::of(catalog, source));
            if let Some((code, message)) = routes.problem(&source.id, link.source_handle.as_deref()) {
                let pointer = format!("{prefix}/links/{index}/source_handle");
                self.report_link(code, pointer, index, Some(&source.id), message);
            }
        }
    }

    fn level(&mut self, level: &Level<'_>, prefix: &str) {
        if level.parent.is_none_or(|parent| parent.node_type == node_type::FOR_LOOP) {
            self.ends(level, prefix);
        }
        for cycle in cycles::cycles(level) {
            let message = format!("The links form a cycle: {}. Remove one of them.", cycle.path.join(" → "));
            let node = cycle.path.first().map(String::as_str);
            let pointer = format!("{prefix}/links/{}", cycle.link);
            self.report_link(Code::Cycle, pointer, cycle.link, node, message);
        }
    }

    fn ends(&mut self, level: &Level<'_>, prefix: &str) {
        let parent = level.parent.map(|parent| parent.id.as_str());
        let place = parent.map_or_else(|| "The workflow".to_owned(), |id| format!("The body of \"{id}\""));
        let of_type = |kind: &str| -> Vec<(usize, String)> {
            let matching = level.nodes.iter().filter(|(_, node)| node.node_type == kind);
            matching.map(|(index, node)| (*index, node.id.clone())).collect()
        };
        let (inputs, outputs) = (of_type(node_type::INPUT), of_type(node_type::OUTPUT));
        if inputs.is_empty() && !level.nodes.is_empty() {
            let message = format!("{place} has no InputNode. Add exactly one.");
            self.report(Code::InputNodeMissing, format!("{prefix}/nodes"), parent, message);
        }
        for (index, id) in inputs.iter().skip(1) {
            let message = format!("{place} has more than one InputNode. Keep one of them.");
            self.report(Code::InputNodeDuplicate, format!("{prefix}/nodes/{index}"), Some(id), message);
        }
        for (index, id) in outputs.iter().skip(1) {
            let message = format!("{place} has more than one OutputNode. Keep one of them.");
            self.report(Code::OutputNodeDuplicate, format!("{prefix}/nodes/{index}"), Some(id), message);
        }
    }

    fn lengths(&mut self, node: &Node, at: &str) {
        for (field, text) in [("id", &node.id), ("title", &node.title)] {
            // Most texts are short, whatever their characters.
            if text.len() > MAX_NAME && text.chars().count() > MAX_NAME {
                let message = format!(
                    "The {field} is longer than {MAX_NAME} characters. Shorten it; a config takes more."
                );
                // An id that is too long names no node.
                let node = (field != "id").then_some(node.id.as_str());
                self.report(Code::TextTooLong, format!("{at}/{field}"), node, message);
            }
        }
    }

    fn node(&mut self, node: &Node, at: &str, depth: usize) {
        self.lengths(node, at);
        if !self.names.contains(&node.node_type.as_str()) {
            let message = self.unknown_type(&node.node_type);
            return self.report(Code::NodeTypeUnknown, format!("{at}/node_type"), Some(&node.id), message);
        }
        for pointer in unsafe_numbers(&Value::Object(node.config.to_map())) {
            let message =
                "Whole numbers beyond 9007199254740991 are not told apart by every reader of JSON. \
                           Write it as a text."
                    .to_owned();
            self.report(Code::NumberUnsafe, format!("{at}/config{pointer}"), Some(&node.id), message);
        }
        for problem in self.catalog.config_problems(node) {
            let pointer = format!("{at}/config{}", problem.pointer);
            self.report(Code::ConfigInvalid, pointer, Some(&node.id), problem.message);
        }
        if let Some(body) = self.catalog.body(node).filter(|body| !body.nodes.is_empty()) {
            self.definition(&body, &format!("{at}/config/subworkflow"), depth + 1);
        }
        if let Some(body) = node.subworkflow.as_ref().filter(|body| !body.nodes.is_empty()) {
            self.definition(body, &format!("{at}/subworkflow"), depth + 1);
        }
    }

    fn unknown_type(&self, name: &str) -> String {
        match nearest(name, self.names.iter().copied()) {
            Some(nearest) => format!("There is no node type \"{name}\". Did you mean \"{nearest}\"?"),
            None => format!("There is no node type \"{name}\". The catalog lists those that exist."),
        }
    }
}

/// Pointers to the whole numbers that a double doesn't hold.
fn unsafe_numbers(value: &Value) -> Vec<String> {
    const SAFE: u64 = (1 << 53) - 1;
    match value {
        Value::Number(number) => {
            let size = number.as_i64().map(i64::unsigned_abs).or(number.as_u64());
            if size.is_some_and(|size| size > SAFE) { vec![String::new()] } else { Vec::new() }
        }
        Value::Array(items) => {
            let inner =
                items.iter().enumerate().map(|(index, item)| (index.to_string(), unsafe_numbers(item)));
            below(inner)
        }
        Value::Object(fields) => {
            below(fields.iter().map(|(key, field)| (pointer_step(key), unsafe_numbers(field))))
        }
        _ => Vec::new(),
    }
}

fn below(inner: impl Iterator<Item = (String, Vec<String>)>) -> Vec<String> {
    inner.flat_map(|(step, found)| found.into_iter().map(move |rest| format!("/{step}{rest}"))).collect()
}

/// The routes of a router.
struct Routes {
    names: HashSet<String>,
    /// The first of them, for sentences.
    shown: String,
}

impl Routes {
    fn of(catalog: &dyn Catalog, router: &Node) -> Self {
        const SHOWN: usize = 10;
        let names = catalog.routes(router).unwrap_or_default();
        let mut shown = names.iter().take(SHOWN).map(|name| shortened(name)).collect::<Vec<_>>().join(", ");
        if names.len() > SHOWN {
            shown.push_str(", …");
        }
        Self { names: names.into_iter().collect(), shown }
    }

    /// What is wrong with leaving the router `id` by `handle`.
    fn problem(&self, id: &str, handle: Option<&str>) -> Option<(Code, String)> {
        let shown = &self.shown;
        match handle.filter(|handle| !handle.is_empty()) {
            None => Some((
                Code::RouterLinkWithoutHandle,
                format!(
                    "The link leaves the router \"{id}\" by no route. Set source_handle to one of: {shown}."
                ),
            )),
            Some(handle) if !self.names.contains(handle) => Some((
                Code::RouterLinkUnknownRoute,
                format!(
                    "The router \"{id}\" has no route \"{}\". Set source_handle to one of: {shown}.",
                    shortened(handle)
                ),
            )),
            Some(_) => None,
        }
    }
}

/// As much of a name as a sentence has room for.
fn shortened(name: &str) -> String {
    const LONGEST: usize = 100;
    if name.chars().count() <= LONGEST {
        return name.to_owned();
    }
    name.chars().take(LONGEST).chain(['…']).collect()
}
