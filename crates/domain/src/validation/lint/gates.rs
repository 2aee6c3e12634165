//! Gates that leave nothing when they are declined.

use std::collections::HashSet;

use super::View;
use crate::graph::LevelLink;
use crate::validation::{Code, Diagnostic};

/// How many gates one pass over a level follows: one bit each.
const PER_PASS: usize = 64;

/// How many gates of a level are looked at.
const MAX_GATES: usize = 16 * PER_PASS;

/// How many links are followed up from the gates of a level, for the routes by which they are reached.
const MAX_WORK: usize = 2_000_000;

pub(super) fn check(view: &View<'_>, found: &mut Vec<Diagnostic>) {
    let gates: Vec<usize> =
        (0..view.level.nodes.len()).filter(|place| view.data_flow(*place).is_gate).collect();
    if gates.is_empty() {
        return;
    }
    let Some(order) = in_order(view) else { return };
    let mut cuts = Cuts::of(view);
    for pass in gates.chunks(PER_PASS).take(MAX_GATES / PER_PASS) {
        let left = cuts.everywhere(&order, pass);
        for (_, gate) in pass.iter().enumerate().filter(|(bit, _)| left & (1 << bit) != 0) {
            let message = format!(
                "When a person declines \"{}\", nothing is given in the end and the run is canceled. If something \
                 shall be given then too, link it to a CoalesceNode after the gate.",
                view.title(*gate)
            );
            found.push(view.about(Code::GateDeclineNoOutput, *gate, "", message));
        }
    }
}

/// The places, each after those that lead into it; none where links form a cycle.
fn in_order(view: &View<'_>) -> Option<Vec<usize>> {
    let mut waiting: Vec<usize> = view.sources.iter().map(Vec::len).collect();
    let mut order: Vec<usize> = (0..waiting.len()).filter(|place| waiting[*place] == 0).collect();
    let mut at = 0;
    while let Some(place) = order.get(at).copied() {
        at += 1;
        let mut targets = view.targets[place].clone();
        super::each_once(&mut targets);
        for target in targets {
            waiting[target] -= 1;
            if waiting[target] == 0 {
                order.push(target);
            }
        }
    }
    (order.len() == waiting.len()).then_some(order)
}

/// Where nothing flows when a gate is declined.
struct Cuts<'c, 'v> {
    view: &'c View<'v>,
    /// For every node of the level the links into it, by their place among those of the level.
    incoming: Vec<Vec<usize>>,
    /// The same of the links that leave it.
    outgoing: Vec<Vec<usize>>,
    /// Whether any router has routes that are never open together.
    has_exclusive: bool,
    budget: Budget,
}

impl<'c, 'v> Cuts<'c, 'v> {
    fn of(view: &'c View<'v>) -> Self {
        let nodes = view.level.nodes.len();
        let (mut incoming, mut outgoing) = (vec![Vec::new(); nodes], vec![Vec::new(); nodes]);
        for (at, link) in view.level.links.iter().enumerate() {
            incoming[link.target].push(at);
            outgoing[link.source].push(at);
        }
        let has_exclusive = (0..nodes).any(|place| !view.data_flow(place).exclusive_routes.is_empty());
        Self { view, incoming, outgoing, has_exclusive, budget: Budget(MAX_WORK) }
    }

    /// The gates of a pass, by bit, whose null comes to every leaf.
    fn everywhere(&mut self, order: &[usize], pass: &[usize]) -> u64 {
        let view = self.view;
        let mut cut = vec![0u64; order.len()];
        let mut closed = vec![0u64; view.level.links.len()];
        for (bit, gate) in pass.iter().enumerate() {
            cut[*gate] |= 1 << bit;
            self.close(*gate, 1 << bit, &mut closed);
        }
        let mut everywhere = u64::MAX;
        for place in order {
            let incoming = self.incoming[*place].iter();
            let nulls = incoming.map(|link| cut[view.level.links[*link].source] | closed[*link]);
            cut[*place] |= match view.data_flow(*place).inputs.any_is_enough {
                true => nulls.reduce(|a, b| a & b).unwrap_or_default(),
                false => nulls.fold(0, |a, b| a | b),
            };
            if view.targets[*place].is_empty() {
                everywhere &= cut[*place];
            }
        }
        everywhere
    }

    /// Marks the links over which nothing flows because the gate is reached: of each router on the way there the route is
    /// open by which it comes, and those are not that are never open with it.
    fn close(&mut self, gate: usize, bit: u64, closed: &mut [u64]) {
        let view = self.view;
        let on_the_way = if self.has_exclusive { self.taken(gate) } else { Vec::new() };
        for link in on_the_way {
            let exclusive = &view.data_flow(link.source).exclusive_routes;
            let outgoing = &self.outgoing[link.source];
            if exclusive.is_empty() || !self.budget.spend(exclusive.len() + outgoing.len()) {
                continue;
            }
            let route = handle(link);
            let shut = exclusive.iter().filter_map(|(a, b)| match route {
                route if route == a => Some(b.as_str()),
                route if route == b => Some(a.as_str()),
                _ => None,
            });
            let shut: HashSet<&str> = shut.collect();
            for other in outgoing.iter().filter(|other| shut.contains(handle(&view.level.links[**other]))) {
                closed[*other] |= bit;
            }
        }
    }

    /// The links over which something has come when a node runs.
    fn taken(&mut self, place: usize) -> Vec<&'c LevelLink<'v>> {
        let view = self.view;
        let (mut seen, mut open, mut taken) = (HashSet::new(), vec![place], Vec::new());
        while let Some(place) = open.pop() {
            let incoming = &self.incoming[place];
            if !self.budget.spend(1 + incoming.len()) {
                break;
            }
            // What takes any of several doesn't tell which came.
            if view.data_flow(place).inputs.any_is_enough && incoming.len() > 1 {
                continue;
            }
            for link in incoming.iter().map(|link| &view.level.links[*link]) {
                taken.push(link);
                if seen.insert(link.source) {
                    open.push(link.source);
                }
            }
        }
        taken
    }
}

/// The route by which a link leaves its router.
fn handle<'l>(link: &LevelLink<'l>) -> &'l str {
    link.link.source_handle.as_deref().unwrap_or_default()
}

/// How much may still be done.
struct Budget(usize);

impl Budget {
    /// Takes some of it; whether there was enough.
    fn spend(&mut self, work: usize) -> bool {
        self.0 = self.0.saturating_sub(work);
        self.0 > 0
    }
}
