//! Nodes that nothing leads to, and outputs that nobody takes.

use super::View;
use crate::graph::node_type;
use crate::validation::{Code, Diagnostic, SideEffects};

pub(super) fn check(view: &View<'_>, found: &mut Vec<Diagnostic>) {
    let mut reached = vec![false; view.level.nodes.len()];
    let mut open: Vec<usize> = view.of_type(node_type::INPUT).collect();
    if open.is_empty() {
        return;
    }
    open.iter().for_each(|place| reached[*place] = true);
    while let Some(place) = open.pop() {
        for target in &view.targets[place] {
            if !std::mem::replace(&mut reached[*target], true) {
                open.push(*target);
            }
        }
    }
    for place in (0..reached.len()).filter(|place| !reached[*place]) {
        let message = format!(
            "No path leads from the input node to \"{}\", so nothing of the input gets there. Link it, or remove it.",
            view.title(place)
        );
        found.push(view.about(Code::NodeUnreachable, place, "", message));
    }
    unused(view, &reached, found);
}

/// Leaves beside the output node. One that nothing leads to is told of already.
fn unused(view: &View<'_>, reached: &[bool], found: &mut Vec<Diagnostic>) {
    let Some(output) = view.of_type(node_type::OUTPUT).next() else { return };
    for (place, (_, node)) in view.level.nodes.iter().enumerate() {
        let is_end = [node_type::INPUT, node_type::OUTPUT].contains(&node.node_type.as_str());
        if is_end
            || !reached[place]
            || !view.targets[place].is_empty()
            || view.data_flow(place).side_effects == SideEffects::Possible
        {
            continue;
        }
        let message = format!(
            "Nobody takes what \"{}\" gives. Link it to the output node or another node, or remove it.",
            view.title(place)
        );
        let found_here = view.about(Code::OutputUnused, place, "", message);
        found.push(found_here.related_to(view.pointer(output), "This is the output node."));
    }
}
