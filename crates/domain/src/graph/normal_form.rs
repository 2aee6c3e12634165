use serde_json::Value;

use super::{Definition, Node, RawObject, node_type};

/// Node types whose model names may lack the provider.
const LLM_TYPES: [&str; 2] = ["SingleLLMCallNode", "BestOfNNode"];

impl Definition {
    /// Brings the definition into the form that is stored. Idempotent.
    ///
    /// - An empty title becomes the id.
    /// - The `target_handle` of a link from a router begins with the id of the router, as editors expect.
    /// - A model name without a provider gets the provider that it implies.
    pub fn normalize(&mut self) {
        for node in &mut self.nodes {
            node.normalize();
        }
        let routers: std::collections::HashSet<&str> =
            self.nodes.iter().filter(|n| n.node_type == node_type::ROUTER).map(|n| n.id.as_str()).collect();
        for link in &mut self.links {
            if routers.contains(link.source_id.as_str()) {
                let handle = link.target_handle.as_deref().unwrap_or(&link.source_id);
                let last = handle.rsplit('.').next().unwrap_or(handle);
                link.target_handle = Some(format!("{}.{last}", link.source_id));
            }
        }
    }
}

impl Node {
    fn normalize(&mut self) {
        if self.title.trim().is_empty() {
            self.title.clone_from(&self.id);
        }
        if self.parent_id.as_deref() == Some("") {
            self.parent_id = None;
        }
        if LLM_TYPES.contains(&self.node_type.as_str()) && self.config.get().contains("llm_info") {
            self.add_model_provider();
        }
        if let Some(subworkflow) = &mut self.subworkflow {
            subworkflow.normalize();
        }
    }

    fn add_model_provider(&mut self) {
        let mut config = self.config.to_map();
        let Some(Value::String(model)) = config.get_mut("llm_info").and_then(|info| info.get_mut("model"))
        else {
            return;
        };
        let provider = if ["gpt", "chatgpt", "o1"].iter().any(|p| model.starts_with(p)) {
            "openai"
        } else if model.starts_with("claude") {
            "anthropic"
        } else {
            return;
        };
        *model = format!("{provider}/{model}");
        self.config = RawObject::from_map(&config);
    }
}
