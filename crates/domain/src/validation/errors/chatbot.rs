use serde_json::Value;

use crate::graph::node_type;
use crate::validation::{Code, Diagnostic};
use crate::{Definition, Node, SpurType};

/// The string fields that the input and output node of every chatbot must have.
const INPUT_FIELDS: [&str; 2] = ["user_message", "session_id"];
const OUTPUT_FIELDS: [&str; 1] = ["assistant_message"];

/// Checks that the input and output node of a chatbot have the required fields.
pub(super) fn check(definition: &Definition, prefix: &str, diagnostics: &mut Vec<Diagnostic>) {
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
        let message = match missing_fields(node, fields) {
            Ok(missing) if missing.is_empty() => continue,
            Ok(missing) => format!(
                "The output_json_schema of a chatbot's {end} node must have these string fields: {}. Add the missing \
                 ones: {}.",
                fields.join(", "),
                missing.join(", ")
            ),
            Err(()) => "The output_json_schema is not valid JSON. Correct it.".to_owned(),
        };
        let pointer = format!("{prefix}/nodes/{index}/config/output_json_schema");
        diagnostics.push(Diagnostic::new(code, pointer, message).with_node(&node.id));
    }
}

fn missing_fields(node: &Node, fields: &[&'static str]) -> Result<Vec<&'static str>, ()> {
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
