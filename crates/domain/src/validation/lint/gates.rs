//! Gates whose decline leaves the level without an output.

use std::collections::HashSet;

use super::view::{LevelView, remove_duplicates};
use crate::graph::LevelLink;
use crate::validation::{Code, Diagnostic};

/// The number of gates that one pass over a level tracks, one bit each.
const GATES_PER_PASS: usize = 64;

/// The maximum number of gates to check in a level.
const MAX_GATES: usize = 16 * GATES_PER_PASS;

/// The maximum number of links to follow up from the gates of a level to find the routes that lead to them.
const MAX_WORK: usize = 2_000_000;

pub(super) fn check(view: &LevelView<'_>, diagnostics: &mut Vec<Diagnostic>) {
    let gates: Vec<usize> =
        (0..view.level.nodes.len()).filter(|position| view.data_flow(*position).is_gate).collect();
    if gates.is_empty() {
        return;
    }
    let Some(order) = topological_order(view) else { return };
    let mut analysis = DeclineAnalysis::new(view);
    for pass in gates.chunks(GATES_PER_PASS).take(MAX_GATES / GATES_PER_PASS) {
        let without_output = analysis.gates_without_output(&order, pass);
        for (_, gate) in pass.iter().enumerate().filter(|(bit, _)| without_output & (1 << bit) != 0) {
            let message = format!(
                "If a person declines \"{}\", the workflow has no output and the run is canceled. To produce \
                 an output in that case, add a CoalesceNode after the gate, and link a second branch to the \
                 CoalesceNode.",
                view.title(*gate)
            );
            diagnostics.push(view.diagnostic(Code::GateDeclineNoOutput, *gate, "", message));
        }
    }
}

/// Returns the nodes in topological order, or `None` if links form a cycle.
fn topological_order(view: &LevelView<'_>) -> Option<Vec<usize>> {
    let mut pending: Vec<usize> = view.sources.iter().map(Vec::len).collect();
    let mut order: Vec<usize> = (0..pending.len()).filter(|position| pending[*position] == 0).collect();
    let mut at = 0;
    while let Some(position) = order.get(at).copied() {
        at += 1;
        let mut targets = view.targets[position].clone();
        remove_duplicates(&mut targets);
        for target in targets {
            pending[target] -= 1;
            if pending[target] == 0 {
                order.push(target);
            }
        }
    }
    (order.len() == pending.len()).then_some(order)
}

/// The analysis of which nodes receive null if a gate is declined.
struct DeclineAnalysis<'c, 'v> {
    view: &'c LevelView<'v>,
    /// The incoming links of every node, by their position in the level.
    incoming: Vec<Vec<usize>>,
    /// The outgoing links of every node.
    outgoing: Vec<Vec<usize>>,
    /// True if any router has routes that are never open together.
    has_exclusive: bool,
    budget: Budget,
}

impl<'c, 'v> DeclineAnalysis<'c, 'v> {
    fn new(view: &'c LevelView<'v>) -> Self {
        let nodes = view.level.nodes.len();
        let (mut incoming, mut outgoing) = (vec![Vec::new(); nodes], vec![Vec::new(); nodes]);
        for (at, link) in view.level.links.iter().enumerate() {
            incoming[link.target].push(at);
            outgoing[link.source].push(at);
        }
        let has_exclusive = (0..nodes).any(|position| !view.data_flow(position).exclusive_routes.is_empty());
        Self { view, incoming, outgoing, has_exclusive, budget: Budget(MAX_WORK) }
    }

    /// Returns the gates of a pass, one bit each, whose decline makes every leaf null.
    fn gates_without_output(&mut self, order: &[usize], pass: &[usize]) -> u64 {
        let view = self.view;
        let mut null = vec![0u64; order.len()];
        let mut closed = vec![0u64; view.level.links.len()];
        for (bit, gate) in pass.iter().enumerate() {
            null[*gate] |= 1 << bit;
            self.close_links(*gate, 1 << bit, &mut closed);
        }
        let mut at_every_leaf = u64::MAX;
        for position in order {
            let incoming = self.incoming[*position].iter();
            let nulls = incoming.map(|link| null[view.level.links[*link].source] | closed[*link]);
            null[*position] |= if view.data_flow(*position).inputs.any_is_enough {
                nulls.reduce(|a, b| a & b).unwrap_or_default()
            } else {
                nulls.fold(0, |a, b| a | b)
            };
            if view.targets[*position].is_empty() {
                at_every_leaf &= null[*position];
            }
        }
        at_every_leaf
    }

    /// Marks the links that carry null because the run reached the gate. On the way there, each router opened the route
    /// toward the gate, so routes that exclude it stayed closed.
    fn close_links(&mut self, gate: usize, bit: u64, closed: &mut [u64]) {
        let view = self.view;
        let path = if self.has_exclusive { self.links_to(gate) } else { Vec::new() };
        for link in path {
            let exclusive = &view.data_flow(link.source).exclusive_routes;
            let outgoing = &self.outgoing[link.source];
            if exclusive.is_empty() || !self.budget.spend(exclusive.len() + outgoing.len()) {
                continue;
            }
            let open_route = route_of(link);
            let closed_routes = exclusive.iter().filter_map(|(a, b)| match open_route {
                route if route == a => Some(b.as_str()),
                route if route == b => Some(a.as_str()),
                _ => None,
            });
            let closed_routes: HashSet<&str> = closed_routes.collect();
            for other in
                outgoing.iter().filter(|other| closed_routes.contains(route_of(&view.level.links[**other])))
            {
                closed[*other] |= bit;
            }
        }
    }

    /// Returns the links that must have carried an output if a node runs.
    fn links_to(&mut self, position: usize) -> Vec<&'c LevelLink<'v>> {
        let view = self.view;
        let (mut seen, mut open, mut links) = (HashSet::new(), vec![position], Vec::new());
        while let Some(position) = open.pop() {
            let incoming = &self.incoming[position];
            if !self.budget.spend(1 + incoming.len()) {
                break;
            }
            // If one of several inputs is enough, it is unknown which link carried an output.
            if view.data_flow(position).inputs.any_is_enough && incoming.len() > 1 {
                continue;
            }
            for link in incoming.iter().map(|link| &view.level.links[*link]) {
                links.push(link);
                if seen.insert(link.source) {
                    open.push(link.source);
                }
            }
        }
        links
    }
}

/// Returns the route by which a link leaves its router.
fn route_of<'l>(link: &LevelLink<'l>) -> &'l str {
    link.link.source_handle.as_deref().unwrap_or_default()
}

/// The remaining work.
struct Budget(usize);

impl Budget {
    /// Subtracts `work`. Returns false once the budget is used up.
    fn spend(&mut self, work: usize) -> bool {
        self.0 = self.0.saturating_sub(work);
        self.0 > 0
    }
}
