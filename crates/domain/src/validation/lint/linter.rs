use std::collections::HashMap;

use super::view::{DefinitionView, LevelView};
use super::{gates, inputs, reach, references, titles};
use crate::Definition;
use crate::graph::{GraphIndex, node_type};
use crate::run::MAX_NESTING;
use crate::validation::{Catalog, DataFlow, Diagnostic, Fields, MAX_DIAGNOSTICS};

/// Finds the warnings and hints of `definition` and of the bodies in it.
pub(in crate::validation) fn find(definition: &Definition, catalog: &dyn Catalog) -> Vec<Diagnostic> {
    let mut linter = Linter { catalog, diagnostics: Vec::new() };
    linter.lint_definition(definition, "", 0, None);
    linter.diagnostics
}

struct Linter<'c> {
    catalog: &'c dyn Catalog,
    diagnostics: Vec<Diagnostic>,
}

impl Linter<'_> {
    fn is_full(&self) -> bool {
        self.diagnostics.len() > MAX_DIAGNOSTICS
    }

    /// Lints a definition at the pointer `prefix`, inside `depth` bodies. `loop_input` holds the fields that the loop
    /// around it passes to the first iteration.
    fn lint_definition(
        &mut self,
        definition: &Definition,
        prefix: &str,
        depth: usize,
        loop_input: Option<&Fields>,
    ) {
        if depth > MAX_NESTING {
            return;
        }
        let index = GraphIndex::new(definition);
        let data_flows = self.data_flows(definition);
        self.report_findings(definition, &data_flows, prefix);
        let bodies = bodies(&index);
        let view =
            DefinitionView { definition, index: &index, data_flows: &data_flows, bodies: &bodies, prefix };
        for level in &index.levels {
            if level.parent.is_some_and(|parent| parent.node_type != node_type::FOR_LOOP) {
                continue;
            }
            let mut view = LevelView::new(&view, level);
            view.is_body = depth > 0 || level.parent.is_some();
            view.loop_input = match level.parent.map(|parent| index.position(&parent.id)) {
                Some(parent) => parent.and_then(|parent| data_flows[parent].body_input.as_ref()),
                None => loop_input,
            };
            self.lint_level(&view);
        }
        for (position, node) in definition.nodes.iter().enumerate() {
            if self.is_full() {
                return;
            }
            let loop_input = data_flows[position].body_input.as_ref();
            if let Some(body) = self.catalog.body(node) {
                let pointer = format!("{prefix}/nodes/{position}/config/subworkflow");
                self.lint_definition(&body, &pointer, depth + 1, loop_input);
            }
            if let Some(body) = &node.subworkflow {
                let pointer = format!("{prefix}/nodes/{position}/subworkflow");
                self.lint_definition(body, &pointer, depth + 1, loop_input);
            }
        }
    }

    /// Returns the data flow of every node. Findings beyond [`MAX_DIAGNOSTICS`] are dropped.
    fn data_flows(&self, definition: &Definition) -> Vec<DataFlow> {
        let mut findings = 0;
        let mut data_flows = Vec::with_capacity(definition.nodes.len());
        for node in &definition.nodes {
            let mut data_flow = self.catalog.data_flow(node);
            if findings > MAX_DIAGNOSTICS {
                data_flow.findings = Vec::new();
            }
            findings += data_flow.findings.len();
            data_flows.push(data_flow);
        }
        data_flows
    }

    fn report_findings(&mut self, definition: &Definition, data_flows: &[DataFlow], prefix: &str) {
        for (position, (node, data_flow)) in definition.nodes.iter().zip(data_flows).enumerate() {
            if self.is_full() {
                return;
            }
            for finding in &data_flow.findings {
                let pointer = format!("{prefix}/nodes/{position}/config{}", finding.pointer);
                let diagnostic = Diagnostic::new(finding.code, pointer, finding.message.as_str());
                self.diagnostics.push(diagnostic.with_node(&node.id).with_help(finding.help.clone()));
            }
        }
    }

    fn lint_level(&mut self, view: &LevelView<'_>) {
        for lint in [reach::check, references::check, titles::check, gates::check, inputs::check] {
            if self.is_full() {
                return;
            }
            lint(view, &mut self.diagnostics);
        }
    }
}

/// Returns the level of each node's children, by the index of the node.
fn bodies(index: &GraphIndex<'_>) -> HashMap<usize, usize> {
    let levels = index.levels.iter().enumerate();
    levels.filter_map(|(at, level)| Some((index.position(&level.parent?.id)?, at))).collect()
}
