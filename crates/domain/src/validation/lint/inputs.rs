//! Unused fields of the input.

use std::collections::HashSet;

use serde_json::Value;

use super::view::LevelView;
use crate::SpurType;
use crate::graph::node_type;
use crate::validation::{Code, Diagnostic, OutputShape, pointer_step};

pub(super) fn check(view: &LevelView<'_>, diagnostics: &mut Vec<Diagnostic>) {
    // The input of a body has fields that the loop adds; that of a chatbot has required fields.
    if view.is_body || view.definition.spur_type == SpurType::Chatbot {
        return;
    }
    let Some(input) = view.nodes_of_type(node_type::INPUT).next() else { return };
    let OutputShape::Fields(fields) = &view.data_flow(input).output else { return };
    if view.targets[input].is_empty() || is_used_whole(view, input) {
        return;
    }
    let index = view.level.nodes[input].0;
    let mut words = HashSet::new();
    let others = view.definition.nodes.iter().enumerate().filter(|(at, _)| *at != index);
    for (_, node) in others {
        collect_words(&Value::Object(node.config.to_map()), &mut words);
        for inner in node.subworkflow.iter().flat_map(|body| &body.nodes) {
            collect_words(&Value::Object(inner.config.to_map()), &mut words);
        }
    }
    // Runs with files add this field to every input.
    let mut unused: Vec<&String> = fields
        .0
        .keys()
        .filter(|field| *field != "files")
        .filter(|field| self::words(field).any(|word| !words.contains(word)))
        .collect();
    unused.sort();
    for field in unused {
        let message =
            format!("No node refers to the input field \"{field}\". Use it, or remove it from the schema.");
        let declaration = format!("/config{}", declaration_pointer(view, input, field));
        diagnostics.push(view.diagnostic(Code::InputUnused, input, &declaration, message));
    }
}

/// Returns a pointer to the declaration of a field in the config: the field of `output_schema`, or the text of the JSON
/// Schema.
fn declaration_pointer(view: &LevelView<'_>, input: usize, field: &str) -> String {
    let config = view.level.nodes[input].1.config.to_map();
    let schema = config.get("output_schema").and_then(|schema| schema.get(field));
    match schema {
        Some(_) => format!("/output_schema/{}", pointer_step(field)),
        None => "/output_json_schema".to_owned(),
    }
}

/// Returns true if the whole input reaches a node that may use all of it.
fn is_used_whole(view: &LevelView<'_>, input: usize) -> bool {
    let mut seen = vec![false; view.level.nodes.len()];
    let mut open = view.targets[input].clone();
    while let Some(position) = open.pop() {
        if std::mem::replace(&mut seen[position], true) {
            continue;
        }
        let data_flow = view.data_flow(position);
        let forwards = matches!(
            data_flow.output,
            OutputShape::Inputs | OutputShape::ExtendedInputs | OutputShape::OneInput
        );
        if data_flow.inputs.uses_all || (forwards && view.targets[position].is_empty()) {
            return true;
        }
        if forwards {
            open.extend(&view.targets[position]);
        }
    }
    false
}

/// Collects the words of all strings and keys of a config.
fn collect_words(value: &Value, collected: &mut HashSet<String>) {
    match value {
        Value::String(text) => collected.extend(words(text).map(str::to_owned)),
        Value::Array(items) => items.iter().for_each(|item| collect_words(item, collected)),
        Value::Object(fields) => {
            for (key, field) in fields {
                collected.extend(words(key).map(str::to_owned));
                collect_words(field, collected);
            }
        }
        _ => {}
    }
}

/// Returns the words of a text: names as they occur in paths, templates and code.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c != '_' && !c.is_alphanumeric()).filter(|word| !word.is_empty())
}
