//! The limits of a server in its document: where a schema can say them, and all of them in a table.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::Settings;
use crate::parameters::IN_ONE_LINE;

/// Writes the limits that `settings` say into the document.
pub(super) fn tell(document: &mut Value, settings: &Settings) {
    for (schema, field, most) in [
        ("WorkflowDefinition", "nodes", settings.max_definition_nodes),
        ("LoopBody", "nodes", settings.max_definition_nodes),
        ("BatchRunRequest", "rows", settings.max_batch_rows),
        ("UploadForm", "files", settings.max_upload_files),
    ] {
        let place = format!("/components/schemas/{schema}/properties/{field}");
        if let Some(schema) = document.pointer_mut(&place) {
            schema["maxItems"] = most.into();
        }
    }
    let paths = document.get_mut("paths").and_then(Value::as_object_mut);
    for operation in paths.into_iter().flat_map(|paths| paths.values_mut()).flat_map(operations) {
        let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
        for parameter in parameters.into_iter().flatten().filter(|parameter| parameter["name"] == "page_size")
        {
            parameter["schema"]["maximum"] = settings.max_page_size.into();
            parameter["schema"]["default"] = settings.default_page_size().into();
        }
    }
    if let Some(description) = document["info"]["description"].as_str() {
        document["info"]["description"] = format!("{description}\n\n{}", table(settings)).into();
    }
}

/// Writes what a tag may be: of the items of a list, derives say nothing.
pub(super) fn tell_tags(schemas: &mut Map<String, Value>) {
    for schema in ["WorkflowCreateRequest", "WorkflowReplaceRequest", "WorkflowPatch", "WorkflowDocument"] {
        if let Some(tags) = schemas.get_mut(schema).and_then(|schema| schema.pointer_mut("/properties/tags"))
        {
            tags["uniqueItems"] = true.into();
            tags["items"] =
                json!({"type": "string", "minLength": 1, "maxLength": 64, "pattern": IN_ONE_LINE});
        }
    }
}

fn operations(path: &mut Value) -> impl Iterator<Item = &mut Value> {
    path.as_object_mut().into_iter().flat_map(|path| path.values_mut()).filter(|value| value.is_object())
}

/// A table in Markdown.
fn table(settings: &Settings) -> String {
    let seconds = |time: Duration| format!("{} s", time.as_secs_f64());
    let rows = [
        ("bytes of a JSON body", "max-body-bytes", settings.max_body_bytes.to_string(), "413"),
        ("bytes of an import", "max-import-bytes", settings.max_import_bytes.to_string(), "413"),
        ("bytes of an uploaded file", "max-upload-bytes", settings.max_upload_bytes.to_string(), "413"),
        ("files of one upload", "max-upload-files", settings.max_upload_files.to_string(), "413"),
        ("rows of a dataset or a batch", "max-batch-rows", settings.max_batch_rows.to_string(), "413"),
        ("nodes of a definition", "max-definition-nodes", settings.max_definition_nodes.to_string(), "422"),
        ("items of a page", "max-page-size", settings.max_page_size.to_string(), "422"),
        (
            "calls a second with one API key",
            "max-calls-per-second",
            match settings.max_calls_per_second {
                0 => "any".to_owned(),
                most => most.to_string(),
            },
            "429 with `Retry-After`",
        ),
        (
            "event streams at the same time",
            "max-event-streams",
            settings.max_event_streams.to_string(),
            "429",
        ),
        (
            "connections at the same time",
            "max-connections",
            settings.max_connections.to_string(),
            "they wait",
        ),
        (
            "until the head of a request has come",
            "head-timeout-seconds",
            seconds(settings.head_timeout),
            "closed",
        ),
        (
            "until the next piece of a body has come",
            "body-timeout-seconds",
            seconds(settings.body_pause),
            "408",
        ),
        (
            "until a run that is waited for has ended",
            "run-wait-seconds",
            seconds(settings.run_wait),
            "202 or 400",
        ),
    ];
    let row = |(what, setting, limit, beyond)| format!("| {what} | {limit} | {beyond} | `--{setting}` |\n");
    let rows: String = rows.into_iter().map(row).collect();
    format!(
        "What is taken at most, by the settings of `sluice serve`:\n\n| what | limit | beyond it | setting |\n| --- | \
         --- | --- | --- |\n{rows}"
    )
}
