//! References in configs: the node must be a predecessor and have the field.

use std::collections::{HashMap, HashSet};

use super::paths::{MissingField, find_missing, first_step, lookup_prefix};
use super::view::LevelView;
use crate::graph::node_type;
use crate::run::LOOP_HISTORY;
use crate::validation::{
    Code, DataFlow, Diagnostic, Fields, MAX_DIAGNOSTICS, OutputShape, Reference, ReferenceScope, suggest,
};

/// The maximum length of a path to check, in bytes.
const MAX_PATH_LENGTH: usize = 300;
/// The maximum number of nodes to follow one path through.
const MAX_STEPS: usize = 100;
/// The maximum work for all references of a level: links to follow and names to look up.
const MAX_WORK: usize = 5_000_000;
/// The maximum number of predecessors to consider for a message.
const MAX_CONSIDERED: usize = 1_000;
/// The maximum number of names in a message.
const MAX_LISTED: usize = 10;

pub(super) fn check(view: &LevelView<'_>, diagnostics: &mut Vec<Diagnostic>) {
    let mut resolver =
        Resolver { view, inputs: HashMap::new(), titles: None, body_input: None, steps: 0, work: MAX_WORK };
    for position in 0..view.level.nodes.len() {
        let data_flow = view.data_flow(position);
        // A node without incoming links is unfinished.
        if data_flow.references.is_empty() || view.sources[position].is_empty() {
            continue;
        }
        let upstream = (data_flow.inputs.scope == ReferenceScope::Upstream)
            .then(|| resolver.upstream(position))
            .flatten();
        for reference in
            data_flow.references.iter().filter(|reference| reference.path.len() <= MAX_PATH_LENGTH)
        {
            if resolver.work == 0 || diagnostics.len() > MAX_DIAGNOSTICS {
                return;
            }
            diagnostics.extend(resolver.check(position, reference, upstream.as_ref()));
        }
    }
}

struct Resolver<'r, 'v> {
    view: &'r LevelView<'v>,
    /// The inputs of nodes by name, with the position of the predecessor; filled on demand.
    inputs: HashMap<usize, HashMap<&'v str, usize>>,
    /// The nodes of the level by title; filled on demand.
    titles: Option<HashMap<&'v str, usize>>,
    /// The fields of the input of a body, if known; filled on demand.
    body_input: Option<Option<Fields>>,
    /// The number of nodes that the current path may still be followed through.
    steps: usize,
    /// The remaining work.
    work: usize,
}

impl<'v> Resolver<'_, 'v> {
    fn check(
        &mut self,
        position: usize,
        reference: &Reference,
        upstream: Option<&HashSet<usize>>,
    ) -> Option<Diagnostic> {
        let path = reference.path.as_str();
        self.spend(cost(path));
        if reference.is_node {
            return self.check_node(position, reference);
        }
        let input = lookup_prefix(self.inputs(position), path);
        let target = input.or_else(|| {
            let upstream = upstream?;
            lookup_prefix(self.titles(), path).filter(|(source, _)| upstream.contains(source))
        });
        let Some((source, rest)) = target else { return Some(self.unknown_reference(position, reference)) };
        self.steps = MAX_STEPS;
        let missing = self.find_missing(source, rest)?;
        self.spend(missing.known.len());
        Some(self.unknown_field(position, source, reference, &missing))
    }

    /// Checks a reference to a predecessor by title or id.
    fn check_node(&mut self, position: usize, reference: &Reference) -> Option<Diagnostic> {
        let view = self.view;
        let name = reference.path.as_str();
        self.spend(view.sources[position].len());
        let id = name.split_once('|').map_or(name, |(id, _)| id);
        let has_id = |source: &usize| [name, id].contains(&view.level.nodes[*source].1.id.as_str());
        let is_input = self.inputs(position).contains_key(name) || view.sources[position].iter().any(has_id);
        if is_input {
            return None;
        }
        let other = match self.titles().get(name) {
            Some(other) => Some(*other),
            None => self.node_by_id(name).or_else(|| self.node_by_id(id)),
        };
        Some(match other {
            Some(other) => self.not_upstream(position, reference, other),
            None => self.unknown_node(position, reference, name),
        })
    }

    /// Returns the node of the level with the id `id`.
    fn node_by_id(&self, id: &str) -> Option<usize> {
        let view = self.view;
        let index = view.index.position(id)?;
        view.level.nodes.binary_search_by_key(&index, |(index, _)| *index).ok()
    }

    fn spend(&mut self, work: usize) {
        self.work = self.work.saturating_sub(work);
    }

    /// Returns the inputs of a node under the names that they have in a run: the title, or the id if the title is
    /// taken.
    fn inputs(&mut self, position: usize) -> &HashMap<&'v str, usize> {
        if !self.inputs.contains_key(&position) {
            let mut names = HashMap::new();
            let sources = &self.view.sources[position];
            self.spend(sources.len());
            for source in sources {
                let (_, node) = self.view.level.nodes[*source];
                let title = self.view.title(*source);
                let name = if names.contains_key(title) { node.id.as_str() } else { title };
                names.entry(name).or_insert(*source);
            }
            self.inputs.insert(position, names);
        }
        &self.inputs[&position]
    }

    /// Returns the titles of the predecessors in link order, at most [`MAX_CONSIDERED`].
    fn input_titles(&mut self, position: usize) -> Vec<&'v str> {
        let view = self.view;
        let sources = view.sources[position].iter().take(MAX_CONSIDERED);
        let titles: Vec<&str> = sources.map(|source| view.title(*source)).collect();
        self.spend(titles.len());
        titles
    }

    /// Returns the nodes of the level by title.
    fn titles(&mut self) -> &HashMap<&'v str, usize> {
        let view = self.view;
        self.titles.get_or_insert_with(|| {
            let mut titles = HashMap::new();
            for position in 0..view.level.nodes.len() {
                titles.entry(view.title(position)).or_insert(position);
            }
            titles
        })
    }

    /// Returns all nodes from which a path leads to a node, or `None` if the work limit is reached.
    fn upstream(&mut self, position: usize) -> Option<HashSet<usize>> {
        let mut seen = HashSet::new();
        let mut open = vec![position];
        while let Some(position) = open.pop() {
            let sources = &self.view.sources[position];
            self.spend(1 + sources.len());
            if self.work == 0 {
                return None;
            }
            open.extend(sources.iter().copied().filter(|source| seen.insert(*source)));
        }
        Some(seen)
    }

    /// Finds the first step of `path` that the output of a node doesn't have, as far as the output is known.
    fn find_missing(&mut self, position: usize, path: &str) -> Option<MissingField> {
        self.spend(cost(path));
        if path.is_empty() || self.steps == 0 || self.work == 0 {
            return None;
        }
        self.steps -= 1;
        let view = self.view;
        // The input of a body has more fields than it declares: those that the loop adds, and its history.
        if view.is_body && view.level.nodes[position].1.node_type == node_type::INPUT {
            return find_missing(self.body_input(position).as_ref()?, path);
        }
        match &view.data_flow(position).output {
            OutputShape::Unknown => None,
            OutputShape::Fields(fields) => find_missing(fields, path),
            OutputShape::Body(own_fields) => match view.data_flow_of_child(position, node_type::OUTPUT) {
                Some(DataFlow { output: OutputShape::Fields(fields), .. }) => find_missing(fields, path),
                Some(_) => None,
                None => own_fields.as_ref().and_then(|fields| find_missing(fields, path)),
            },
            OutputShape::Inputs | OutputShape::ExtendedInputs => {
                match lookup_prefix(self.inputs(position), path) {
                    Some((source, rest)) => self.find_missing(source, rest),
                    None if view.data_flow(position).output == OutputShape::Inputs
                        && !view.sources[position].is_empty() =>
                    {
                        let known = self.input_titles(position).into_iter().map(str::to_owned).collect();
                        Some(MissingField { name: first_step(path).to_owned(), known })
                    }
                    None => None,
                }
            }
            // A field is missing only if no predecessor has it.
            OutputShape::OneInput => {
                let mut last = None;
                for source in &view.sources[position] {
                    last = Some(self.find_missing(*source, path)?);
                }
                last
            }
        }
    }

    /// Returns the fields of a body's input. The loop passes them to the first iteration, each iteration passes them to
    /// the next, or the input node declares them.
    fn body_input(&mut self, position: usize) -> &Option<Fields> {
        let view = self.view;
        self.body_input.get_or_insert_with(|| {
            let mut fields_of_input = view.loop_input?.clone();
            let output = view.nodes_of_type(node_type::OUTPUT).next()?;
            let OutputShape::Fields(passed_on) = &view.data_flow(output).output else { return None };
            let declared = match &view.data_flow(position).output {
                OutputShape::Fields(declared) => Some(declared),
                _ => None,
            };
            let more = declared.into_iter().chain([passed_on]).flat_map(|fields| fields.0.keys());
            fields_of_input.0.extend(more.map(|name| (name.clone(), None)));
            fields_of_input.0.insert(LOOP_HISTORY.to_owned(), None);
            Some(fields_of_input)
        })
    }

    /// Returns the diagnostic for a path whose first step is not an input of the node.
    fn unknown_reference(&mut self, position: usize, reference: &Reference) -> Diagnostic {
        match lookup_prefix(self.titles(), &reference.path) {
            Some((other, _)) => self.not_upstream(position, reference, other),
            None => self.unknown_node(position, reference, first_step(&reference.path)),
        }
    }

    /// Returns the diagnostic for a reference to `other`, from which no path leads to the node.
    fn not_upstream(&self, position: usize, reference: &Reference, other: usize) -> Diagnostic {
        let view = self.view;
        let (path, name) = (&reference.path, view.title(other));
        let message = format!(
            "\"{path}\" refers to \"{name}\", whose output doesn't reach this node. Link \"{name}\" to this node, or \
             refer to one of its predecessors."
        );
        let field = format!("/config{}", reference.pointer);
        let diagnostic = view.diagnostic(Code::ReferenceNotUpstream, position, &field, message);
        diagnostic.with_related(view.pointer(other), "The referenced node.")
    }

    /// Returns the diagnostic for a reference to a node that the level doesn't have.
    fn unknown_node(&mut self, position: usize, reference: &Reference, name: &str) -> Diagnostic {
        let view = self.view;
        let known = self.input_titles(position);
        let by_id = view.sources[position].iter().find(|source| view.level.nodes[**source].1.id == name);
        let suggestion =
            by_id.map(|source| view.title(*source)).or_else(|| suggest(name, known.iter().copied()));
        let message = format!(
            "\"{}\" refers to \"{name}\", but no node of the same workflow or loop body has this title. \
             Inputs of this node: {}.",
            reference.path,
            list_names(&known)
        );
        let help = suggestion.map(|name| format!("Did you mean \"{name}\"?"));
        let field = format!("/config{}", reference.pointer);
        view.diagnostic(Code::ReferenceNodeUnknown, position, &field, message).with_help(help)
    }

    /// Returns the diagnostic for a reference to a field that the output doesn't have.
    fn unknown_field(
        &self,
        position: usize,
        source: usize,
        reference: &Reference,
        missing: &MissingField,
    ) -> Diagnostic {
        let view = self.view;
        let MissingField { name, known } = missing;
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let message = format!(
            "\"{}\" refers to the unknown field \"{name}\". Known fields: {}.",
            reference.path,
            list_names(&known)
        );
        let help = suggest(name, known.iter().copied()).map(|name| format!("Did you mean \"{name}\"?"));
        let field = format!("/config{}", reference.pointer);
        let diagnostic =
            view.diagnostic(Code::ReferenceFieldUnknown, position, &field, message).with_help(help);
        diagnostic
            .with_related(view.pointer(source), format!("The path starts at \"{}\".", view.title(source)))
    }
}

/// Returns the cost of looking up a path, which can be split at each dot.
fn cost(path: &str) -> usize {
    1 + path.matches('.').count() * path.len() / 32
}

/// Formats names for a message.
fn list_names(names: &[&str]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    let more = if names.len() > MAX_LISTED { ", …" } else { "" };
    let names: Vec<String> = names.iter().take(MAX_LISTED).map(|name| format!("\"{name}\"")).collect();
    format!("{}{more}", names.join(", "))
}
