//! `/node/supported_types/`, `/healthz` and `/readyz`.

use serde_json::{Value, json};

use crate::support::app::{App, on_both_databases};
use crate::support::definitions::*;

on_both_databases!(every_node_type_is_listed, listed_node_types_can_be_saved, health_probes_respond);

const CATEGORIES: [&str; 6] =
    ["Input/Output", "AI", "Code Execution", "Logic", "Experimental", "Integrations"];

async fn kinds(app: &App) -> Vec<(String, Value)> {
    let node_types = app.get("/node/supported_types/").await.ok();
    let categories = node_types.as_object().expect("an object of categories").clone();
    let kinds_of = |list: Value| list.as_array().expect("a list of kinds").clone();
    categories
        .into_iter()
        .flat_map(|(name, list)| kinds_of(list).into_iter().map(move |k| (name.clone(), k)))
        .collect()
}

async fn every_node_type_is_listed(app: App) {
    let kinds = kinds(&app).await;
    for (category, kind) in &kinds {
        assert!(CATEGORIES.contains(&category.as_str()), "{category}");
        for schema in ["input", "output", "config"] {
            assert!(kind[schema].is_object(), "{schema} of {kind}");
        }
        let title = kind["config"]["title"].as_str().unwrap_or_default();
        assert!(!title.is_empty(), "no display name: {kind}");
        let tag = &kind["visual_tag"];
        assert!(
            tag["acronym"].is_string() && tag["color"].as_str().is_some_and(|c| c.starts_with('#')),
            "{kind}"
        );
        assert!(kind["has_fixed_output"].is_boolean(), "{kind}");
    }
    let mut names: Vec<&str> = kinds.iter().map(|(_, k)| k["name"].as_str().expect("a name")).collect();
    for name in [
        "InputNode",
        "OutputNode",
        "StaticValueNode",
        "RouterNode",
        "CoalesceNode",
        "MergeNode",
        "HumanInterventionNode",
        "ForLoopNode",
        "PythonFuncNode",
        "SingleLLMCallNode",
        "BestOfNNode",
        "FirecrawlScrapeNode",
        "SlackNotifyNode",
    ] {
        assert!(names.contains(&name), "{name} is missing in {names:?}");
    }
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all, "each kind is listed once");
}

/// Covers the node types for which an empty config is valid.
async fn listed_node_types_can_be_saved(app: App) {
    for (_, kind) in kinds(&app).await {
        let required = kind["config"]["required"].as_array().is_some_and(|r| !r.is_empty());
        let name = kind["name"].as_str().expect("a name");
        if required || name == "InputNode" || name == "ForLoopNode" {
            continue;
        }
        let created = app.post("/wf/").json(&after_input(name, node("n", name, json!({})))).await;
        assert_eq!(created.status, 200, "{name}: {}", created.text);
    }
}

async fn health_probes_respond(app: App) {
    for path in ["/healthz", "/readyz"] {
        assert_eq!(app.get(path).await.status, 200, "{path}");
    }
}
