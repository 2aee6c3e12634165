//! Fields of the input that nothing refers to.

use std::collections::HashSet;

use serde_json::Value;

use super::View;
use crate::SpurType;
use crate::graph::node_type;
use crate::validation::{Code, Diagnostic, OutputShape, pointer_step};

pub(super) fn check(view: &View<'_>, found: &mut Vec<Diagnostic>) {
    // The input of a body holds what the loop lays over it; that of a chatbot has to have its fields.
    if view.is_body || view.definition.spur_type == SpurType::Chatbot {
        return;
    }
    let Some(input) = view.of_type(node_type::INPUT).next() else { return };
    let OutputShape::Fields(fields) = &view.data_flow(input).output else { return };
    if view.targets[input].is_empty() || is_taken_whole(view, input) {
        return;
    }
    let index = view.level.nodes[input].0;
    let mut words = HashSet::new();
    let others = view.definition.nodes.iter().enumerate().filter(|(at, _)| *at != index);
    for (_, node) in others {
        gather(&Value::Object(node.config.to_map()), &mut words);
        for inner in node.subworkflow.iter().flat_map(|body| &body.nodes) {
            gather(&Value::Object(inner.config.to_map()), &mut words);
        }
    }
    // Files come with every input that has some.
    let mut unused: Vec<&String> = fields
        .0
        .keys()
        .filter(|field| *field != "files")
        .filter(|field| self::words(field).any(|word| !words.contains(word)))
        .collect();
    unused.sort();
    for field in unused {
        let message =
            format!("No node refers to the field \"{field}\" of the input. Use it, or leave it out.");
        let at = format!("/config{}", declared_at(view, input, field));
        found.push(view.about(Code::InputUnused, input, &at, message));
    }
}

/// Where the config declares a field: in `output_schema`, or in the text of the JSON Schema.
fn declared_at(view: &View<'_>, input: usize, field: &str) -> String {
    let config = view.level.nodes[input].1.config.to_map();
    let schema = config.get("output_schema").and_then(|schema| schema.get(field));
    match schema {
        Some(_) => format!("/output_schema/{}", pointer_step(field)),
        None => "/output_json_schema".to_owned(),
    }
}

/// Whether what the input gives comes, as a whole, to a node that may use all of it.
fn is_taken_whole(view: &View<'_>, input: usize) -> bool {
    let mut seen = vec![false; view.level.nodes.len()];
    let mut open = view.targets[input].clone();
    while let Some(place) = open.pop() {
        if std::mem::replace(&mut seen[place], true) {
            continue;
        }
        let data_flow = view.data_flow(place);
        let passes_on = matches!(
            data_flow.output,
            OutputShape::Inputs | OutputShape::ExtendedInputs | OutputShape::OneInput
        );
        if data_flow.inputs.uses_all || (passes_on && view.targets[place].is_empty()) {
            return true;
        }
        if passes_on {
            open.extend(&view.targets[place]);
        }
    }
    false
}

/// The words of all texts of a config, also of its keys.
fn gather(value: &Value, found: &mut HashSet<String>) {
    match value {
        Value::String(text) => found.extend(words(text).map(str::to_owned)),
        Value::Array(items) => items.iter().for_each(|item| gather(item, found)),
        Value::Object(fields) => {
            for (key, field) in fields {
                found.extend(words(key).map(str::to_owned));
                gather(field, found);
            }
        }
        _ => {}
    }
}

/// The words of a text: names as they stand in paths, templates and code.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c != '_' && !c.is_alphanumeric()).filter(|word| !word.is_empty())
}
