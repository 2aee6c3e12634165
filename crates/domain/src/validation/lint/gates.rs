//! Gates that leave nothing when they are declined.

use super::View;
use crate::validation::{Code, Diagnostic};

/// How many gates one pass over a level follows: one bit each.
const PER_PASS: usize = 64;

/// How many gates of a level are looked at.
const MAX_GATES: usize = 16 * PER_PASS;

pub(super) fn check(view: &View<'_>, found: &mut Vec<Diagnostic>) {
    let gates: Vec<usize> = (0..view.level.nodes.len()).filter(|place| view.facts(*place).is_gate).collect();
    if gates.is_empty() {
        return;
    }
    let Some(order) = in_order(view) else { return };
    for pass in gates.chunks(PER_PASS).take(MAX_GATES / PER_PASS) {
        let left = cut_everywhere(view, &order, pass);
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

/// The gates of a pass, by bit, whose null comes to every leaf.
fn cut_everywhere(view: &View<'_>, order: &[usize], pass: &[usize]) -> u64 {
    let mut cut = vec![0u64; order.len()];
    pass.iter().enumerate().for_each(|(bit, gate)| cut[*gate] |= 1 << bit);
    let mut everywhere = u64::MAX;
    for place in order {
        let sources = view.sources[*place].iter().map(|source| cut[*source]);
        let arriving = match view.facts(*place).takes_any {
            true => sources.reduce(|a, b| a & b).unwrap_or_default(),
            false => sources.fold(0, |a, b| a | b),
        };
        cut[*place] |= arriving;
        if view.targets[*place].is_empty() {
            everywhere &= cut[*place];
        }
    }
    everywhere
}
