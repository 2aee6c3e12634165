use serde_json::Value;

use super::{Code, Diagnostic};
use crate::graph::node_type;
use crate::{Definition, Node, SpurType};

/// What the input and the output of every chatbot must hold, as strings.
const INPUT_FIELDS: [&str; 2] = ["user_message", "session_id"];
const OUTPUT_FIELDS: [&str; 1] = ["assistant_message"];

/// Checks that the ends of a chatbot have the fields that every chatbot has.
pub(super) fn check(definition: &Definition, prefix: &str, found: &mut Vec<Diagnostic>) {
    if definition.spur_type != SpurType::Chatbot {
        return;
    }
    let ends = [
        (node_type::INPUT, "input", &INPUT_FIELDS[..], Code::ChatbotInputFields),
        (node_type::OUTPUT, "output", &OUTPUT_FIELDS[..], Code::ChatbotOutputFields),
    ];
    for (kind, end, fields, code) in ends {
        let is_end = |node: &Node| node.is_root() && node.node_type == kind;
        let Some((index, node)) = definition.nodes.iter().enumerate().find(|(_, node)| is_end(node)) else {
            continue;
        };
        let problem = match missing(node, fields) {
            Ok(missing) if missing.is_empty() => continue,
            Ok(missing) => format!(
                "The {end} node of a chatbot must have these string fields in its output_json_schema: {}. \
                 Add what is missing: {}.",
                fields.join(", "),
                missing.join(", ")
            ),
            Err(()) => "The output_json_schema is not a JSON text. Correct it.".to_owned(),
        };
        let pointer = format!("{prefix}/nodes/{index}/config/output_json_schema");
        found.push(Diagnostic::new(code, pointer, problem).of_node(&node.id));
    }
}

fn missing(node: &Node, fields: &[&'static str]) -> Result<Vec<&'static str>, ()> {
    let schema = match node.config.to_map().remove("output_json_schema") {
        Some(Value::String(text)) => serde_json::from_str(&text).map_err(|_| ())?,
        Some(schema @ Value::Object(_)) => schema,
        _ => Value::Null,
    };
    let is_string = |field: &str| {
        schema.get("properties").and_then(|p| p.get(field)).and_then(|f| f.get("type"))
            == Some(&Value::from("string"))
    };
    Ok(fields.iter().copied().filter(|field| !is_string(field)).collect())
}
