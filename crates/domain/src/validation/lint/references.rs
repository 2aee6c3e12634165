//! References of configs: whether what they name arrives, and whether it has the field.

use std::collections::{HashMap, HashSet};

use super::View;
use super::paths::{Missing, first, missing, named};
use crate::graph::node_type;
use crate::run::LOOP_HISTORY;
use crate::validation::{
    Code, DataFlow, Diagnostic, Fields, MAX_DIAGNOSTICS, OutputShape, Reference, ReferenceScope, nearest,
};

/// The longest path that is looked into.
const MAX_PATH: usize = 300;
/// How many nodes one path is followed through.
const MAX_STEPS: usize = 100;
/// How many links are followed, and names looked up, for all references of a level.
const MAX_WORK: usize = 5_000_000;
/// How many nodes that lead into one are looked at for a sentence.
const MAX_NAMES: usize = 1_000;
/// How many names a sentence lists.
const LISTED: usize = 10;

pub(super) fn check(view: &View<'_>, found: &mut Vec<Diagnostic>) {
    let mut resolver =
        Resolver { view, arrivals: HashMap::new(), titles: None, body_input: None, steps: 0, work: MAX_WORK };
    for place in 0..view.level.nodes.len() {
        let data_flow = view.data_flow(place);
        // What nothing is linked to yet is unfinished.
        if data_flow.references.is_empty() || view.sources[place].is_empty() {
            continue;
        }
        let upstream =
            (data_flow.inputs.scope == ReferenceScope::Upstream).then(|| resolver.upstream(place)).flatten();
        for reference in data_flow.references.iter().filter(|reference| reference.path.len() <= MAX_PATH) {
            if resolver.work == 0 || found.len() > MAX_DIAGNOSTICS {
                return;
            }
            found.extend(resolver.judge(place, reference, upstream.as_ref()));
        }
    }
}

struct Resolver<'r, 'v> {
    view: &'r View<'v>,
    /// For the nodes that were asked about, what arrives there: by name, the place that it comes from.
    arrivals: HashMap<usize, HashMap<&'v str, usize>>,
    /// The places of the level by title, once they are asked for.
    titles: Option<HashMap<&'v str, usize>>,
    /// What is known of the input of the level, once it is asked for, where the level is a body.
    body_input: Option<Option<Fields>>,
    /// How many nodes this path may still be followed through.
    steps: usize,
    /// How much may still be done.
    work: usize,
}

impl<'v> Resolver<'_, 'v> {
    fn judge(
        &mut self,
        place: usize,
        reference: &Reference,
        upstream: Option<&HashSet<usize>>,
    ) -> Option<Diagnostic> {
        let path = reference.path.as_str();
        self.spend(cost(path));
        if reference.is_node {
            return self.judge_node(place, reference);
        }
        let arriving = named(self.arrivals(place), path);
        let known = arriving.or_else(|| {
            let upstream = upstream?;
            named(self.titles(), path).filter(|(source, _)| upstream.contains(source))
        });
        let Some((source, rest)) = known else { return Some(self.not_there(place, reference)) };
        self.steps = MAX_STEPS;
        let missing = self.field(source, rest)?;
        self.spend(missing.known.len());
        Some(self.no_field(place, source, reference, &missing))
    }

    /// What a config calls a node of the arrivals, by title or by id.
    fn judge_node(&mut self, place: usize, reference: &Reference) -> Option<Diagnostic> {
        let view = self.view;
        let name = reference.path.as_str();
        self.spend(view.sources[place].len());
        let id = name.split_once('|').map_or(name, |(id, _)| id);
        let has_id = |source: &usize| [name, id].contains(&view.level.nodes[*source].1.id.as_str());
        let arrives = self.arrivals(place).contains_key(name) || view.sources[place].iter().any(has_id);
        if arrives {
            return None;
        }
        let other = match self.titles().get(name) {
            Some(other) => Some(*other),
            None => self.by_id(name).or_else(|| self.by_id(id)),
        };
        Some(match other {
            Some(other) => self.not_upstream(place, reference, other),
            None => self.unknown(place, reference, name),
        })
    }

    /// The node of the level that has an id.
    fn by_id(&self, id: &str) -> Option<usize> {
        let view = self.view;
        let index = view.outline.place(id)?;
        view.level.nodes.binary_search_by_key(&index, |(index, _)| *index).ok()
    }

    fn spend(&mut self, work: usize) {
        self.work = self.work.saturating_sub(work);
    }

    /// What arrives at a node, named as in a run: by title, by id where the title is taken.
    fn arrivals(&mut self, place: usize) -> &HashMap<&'v str, usize> {
        if !self.arrivals.contains_key(&place) {
            let mut names = HashMap::new();
            let sources = &self.view.sources[place];
            self.spend(sources.len());
            for source in sources {
                let (_, node) = self.view.level.nodes[*source];
                let title = self.view.title(*source);
                let name = if names.contains_key(title) { node.id.as_str() } else { title };
                names.entry(name).or_insert(*source);
            }
            self.arrivals.insert(place, names);
        }
        &self.arrivals[&place]
    }

    /// The titles of what arrives, in the order of links, not all where there are many.
    fn arriving(&mut self, place: usize) -> Vec<&'v str> {
        let view = self.view;
        let sources = view.sources[place].iter().take(MAX_NAMES);
        let titles: Vec<&str> = sources.map(|source| view.title(*source)).collect();
        self.spend(titles.len());
        titles
    }

    /// The nodes of the level by title.
    fn titles(&mut self) -> &HashMap<&'v str, usize> {
        let view = self.view;
        self.titles.get_or_insert_with(|| {
            let mut titles = HashMap::new();
            for place in 0..view.level.nodes.len() {
                titles.entry(view.title(place)).or_insert(place);
            }
            titles
        })
    }

    /// The places before a node; none when finding them would take too long.
    fn upstream(&mut self, place: usize) -> Option<HashSet<usize>> {
        let mut seen = HashSet::new();
        let mut open = vec![place];
        while let Some(place) = open.pop() {
            let sources = &self.view.sources[place];
            self.spend(1 + sources.len());
            if self.work == 0 {
                return None;
            }
            open.extend(sources.iter().copied().filter(|source| seen.insert(*source)));
        }
        Some(seen)
    }

    /// The field at which `path` leaves what the node at `place` gives, as far as that is known.
    fn field(&mut self, place: usize, path: &str) -> Option<Missing> {
        self.spend(cost(path));
        if path.is_empty() || self.steps == 0 || self.work == 0 {
            return None;
        }
        self.steps -= 1;
        let view = self.view;
        // The input of a body holds more than it declares: what the loop lays over it, and its history.
        if view.is_body && view.level.nodes[place].1.node_type == node_type::INPUT {
            return missing(self.body_input(place).as_ref()?, path);
        }
        match &view.data_flow(place).output {
            OutputShape::Unknown => None,
            OutputShape::Fields(fields) => missing(fields, path),
            OutputShape::Body(own) => match self.body_output(place) {
                Some(DataFlow { output: OutputShape::Fields(fields), .. }) => missing(fields, path),
                Some(_) => None,
                None => own.as_ref().and_then(|fields| missing(fields, path)),
            },
            OutputShape::Inputs | OutputShape::ExtendedInputs => match named(self.arrivals(place), path) {
                Some((source, rest)) => self.field(source, rest),
                None if view.data_flow(place).output == OutputShape::Inputs
                    && !view.sources[place].is_empty() =>
                {
                    let known = self.arriving(place).into_iter().map(str::to_owned).collect();
                    Some(Missing { name: first(path).to_owned(), known })
                }
                None => None,
            },
            // Missing only when none of them has it.
            OutputShape::OneInput => {
                let mut last = None;
                for source in &view.sources[place] {
                    last = Some(self.field(*source, path)?);
                }
                last
            }
        }
    }

    /// What the input node of a body gives: what the loop loop_input it, and from the second iteration on what the one before
    /// gave. What it declares doesn't count as missing either.
    fn body_input(&mut self, place: usize) -> &Option<Fields> {
        let view = self.view;
        self.body_input.get_or_insert_with(|| {
            let mut all = view.loop_input?.clone();
            let output = view.of_type(node_type::OUTPUT).next()?;
            let OutputShape::Fields(laid_over) = &view.data_flow(output).output else { return None };
            let declared = match &view.data_flow(place).output {
                OutputShape::Fields(declared) => Some(declared),
                _ => None,
            };
            let more = declared.into_iter().chain([laid_over]).flat_map(|fields| fields.0.keys());
            all.0.extend(more.map(|name| (name.clone(), None)));
            all.0.insert(LOOP_HISTORY.to_owned(), None);
            Some(all)
        })
    }

    /// What is known of the output node among the children of a node.
    fn body_output(&self, place: usize) -> Option<&'v DataFlow> {
        let view = self.view;
        let body = &view.outline.levels[*view.bodies.get(&view.level.nodes[place].0)?];
        let output = body.nodes.iter().find(|(_, node)| node.node_type == node_type::OUTPUT)?;
        Some(&view.data_flows[output.0])
    }

    /// What the path names doesn't arrive.
    fn not_there(&mut self, place: usize, reference: &Reference) -> Diagnostic {
        match named(self.titles(), &reference.path) {
            Some((other, _)) => self.not_upstream(place, reference, other),
            None => self.unknown(place, reference, first(&reference.path)),
        }
    }

    /// The node `other`, which is referred to, doesn't lead here.
    fn not_upstream(&self, place: usize, reference: &Reference, other: usize) -> Diagnostic {
        let view = self.view;
        let (path, name) = (&reference.path, view.title(other));
        let message = format!(
            "\"{path}\" refers to \"{name}\", whose output doesn't come to this node. Link \"{name}\" to it, or \
             refer to a node that leads here."
        );
        let at = format!("/config{}", reference.pointer);
        let here = view.about(Code::ReferenceNotUpstream, place, &at, message);
        here.related_to(view.pointer(other), "This is the node that is referred to.")
    }

    /// No node of the level is called `name`.
    fn unknown(&mut self, place: usize, reference: &Reference, name: &str) -> Diagnostic {
        let view = self.view;
        let known = self.arriving(place);
        let by_id = view.sources[place].iter().find(|source| view.level.nodes[**source].1.id == name);
        let meant = by_id.map(|source| view.title(*source)).or_else(|| nearest(name, known.iter().copied()));
        let message = format!(
            "\"{}\" refers to \"{name}\", but no node at this level has this title. What arrives here: {}.",
            reference.path,
            listed(&known)
        );
        let help = meant.map(|meant| format!("Did you mean \"{meant}\"?"));
        let at = format!("/config{}", reference.pointer);
        view.about(Code::ReferenceNodeUnknown, place, &at, message).with_help(help)
    }

    /// The node that the path names has no such field.
    fn no_field(&self, place: usize, source: usize, reference: &Reference, missing: &Missing) -> Diagnostic {
        let view = self.view;
        let Missing { name, known } = missing;
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let message = format!(
            "\"{}\" refers to a field \"{name}\" that isn't there. The fields there: {}.",
            reference.path,
            listed(&known)
        );
        let help = nearest(name, known.iter().copied()).map(|meant| format!("Did you mean \"{meant}\"?"));
        let at = format!("/config{}", reference.pointer);
        let here = view.about(Code::ReferenceFieldUnknown, place, &at, message).with_help(help);
        here.related_to(view.pointer(source), format!("The path begins at \"{}\".", view.title(source)))
    }
}

/// How much it takes to look a path up: it can be split at each dot.
fn cost(path: &str) -> usize {
    1 + path.matches('.').count() * path.len() / 32
}

/// Some names as a part of a sentence.
fn listed(names: &[&str]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    let more = if names.len() > LISTED { ", …" } else { "" };
    let names: Vec<String> = names.iter().take(LISTED).map(|name| format!("\"{name}\"")).collect();
    format!("{}{more}", names.join(", "))
}
