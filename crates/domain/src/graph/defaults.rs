use serde_json::json;

use super::{Coordinates, Definition, Node, RawObject, SpurType, node_type};

impl Definition {
    /// Returns the default definition of a workflow type: an input node, and for a chatbot an output node with the
    /// fields that every chatbot has.
    #[must_use]
    pub fn default_for(spur_type: SpurType) -> Self {
        let nodes = match spur_type {
            SpurType::Workflow | SpurType::Agent => vec![node(
                "input_node",
                node_type::INPUT,
                100.0,
                json!({
                    "output_schema": {"input_1": "string"},
                    "output_json_schema": "{\"type\": \"object\", \"properties\": {\"input_1\": {\"type\": \"string\"} } }",
                    "has_fixed_output": false,
                    "enforce_schema": false,
                }),
            )],
            SpurType::Chatbot => chatbot_nodes(),
        };
        Self { nodes, spur_type, ..Self::default() }
    }

    /// Returns this definition, or the default definition of its type if it has no nodes.
    #[must_use]
    pub fn or_default(self) -> Self {
        if self.nodes.is_empty() { Self::default_for(self.spur_type) } else { self }
    }
}

fn chatbot_nodes() -> Vec<Node> {
    let input = json!({
        "output_schema": {
            "user_message": "string",
            "session_id": "string",
            "message_history": "List[Dict[str, str]]",
        },
        "output_json_schema": "{\"type\": \"object\", \"properties\": {\"user_message\": {\"type\": \"string\"}, \
            \"session_id\": {\"type\": \"string\"}, \"message_history\": {\"type\": \"array\", \"items\": \
            {\"type\": \"object\", \"properties\": {\"role\": {\"type\": \"string\"}, \"content\": \
            {\"type\": \"string\"}}}}}, \"required\": [\"user_message\", \"session_id\"]}",
        "has_fixed_output": false,
        "enforce_schema": false,
    });
    let output = json!({
        "output_schema": {"assistant_message": "string"},
        "output_json_schema": "{\"type\": \"object\", \"properties\": {\"assistant_message\": \
            {\"type\": \"string\"}}, \"required\": [\"assistant_message\"]}",
    });
    vec![
        node("input_node", node_type::INPUT, 100.0, input),
        node("output_node", node_type::OUTPUT, 300.0, output),
    ]
}

fn node(id: &str, node_type: &str, x: f64, config: serde_json::Value) -> Node {
    let config = match config {
        serde_json::Value::Object(map) => RawObject::from_map(&map),
        _ => RawObject::default(),
    };
    Node {
        id: id.to_owned(),
        title: id.to_owned(),
        node_type: node_type.to_owned(),
        config,
        coordinates: Some(Coordinates { x, y: 100.0 }),
        ..Node::default()
    }
}
