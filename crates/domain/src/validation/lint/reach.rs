//! Unreachable nodes and unused outputs.

use super::view::LevelView;
use crate::graph::node_type;
use crate::validation::{Code, Diagnostic, ExternalEffects};

pub(super) fn check(view: &LevelView<'_>, diagnostics: &mut Vec<Diagnostic>) {
    let mut reached = vec![false; view.level.nodes.len()];
    let mut open: Vec<usize> = view.nodes_of_type(node_type::INPUT).collect();
    if open.is_empty() {
        return;
    }
    open.iter().for_each(|position| reached[*position] = true);
    while let Some(position) = open.pop() {
        for target in &view.targets[position] {
            if !std::mem::replace(&mut reached[*target], true) {
                open.push(*target);
            }
        }
    }
    for position in (0..reached.len()).filter(|position| !reached[*position]) {
        let message = format!(
            "No path leads from the input node to \"{}\", so it never receives any input. Link it, or remove it.",
            view.title(position)
        );
        diagnostics.push(view.diagnostic(Code::NodeUnreachable, position, "", message));
    }
    check_unused_outputs(view, &reached, diagnostics);
}

/// Reports leaves other than the output node. Unreachable leaves are already reported.
fn check_unused_outputs(view: &LevelView<'_>, reached: &[bool], diagnostics: &mut Vec<Diagnostic>) {
    let Some(output) = view.nodes_of_type(node_type::OUTPUT).next() else { return };
    for (position, (_, node)) in view.level.nodes.iter().enumerate() {
        let is_end = [node_type::INPUT, node_type::OUTPUT].contains(&node.node_type.as_str());
        let is_useful = view.data_flow(position).external_effects == ExternalEffects::Possible;
        if is_end || is_useful || !reached[position] || !view.targets[position].is_empty() {
            continue;
        }
        let message = format!(
            "The output of \"{}\" is not used. Link it to the output node or another node, or remove it.",
            view.title(position)
        );
        let diagnostic = view.diagnostic(Code::OutputUnused, position, "", message);
        diagnostics.push(diagnostic.with_related(view.pointer(output), "This is the output node."));
    }
}
