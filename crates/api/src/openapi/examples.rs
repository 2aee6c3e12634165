//! The examples of the document. All are about one workflow, in which a person approves a note.

use std::collections::HashMap;

use serde_json::{Value, json};
use sluice_domain::draw::{DrawingFormat, draw};
use sluice_domain::{Definition, versioning};

pub(crate) use crate::error::examples::RUN_ID;

pub(crate) const WORKFLOW_ID: &str = "019aa2b4-5e10-7c3a-9d51-3f2a8c6b7e01";

pub(crate) const DATASET_ID: &str = "019aa2b5-6a10-7d2b-9c33-0f1e2d3c4b06";

const VERSION_ID: &str = "019aa2b4-5e11-7b20-8c02-6a7d4e5f9a03";

const HASH: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

const CREATED: &str = "2026-11-23T21:35:02.663234Z";

const STARTED: &str = "2026-11-23T21:36:10.000120Z";

const PAUSED: &str = "2026-11-23T21:36:10.001902Z";

const ENDED: &str = "2026-11-23T21:41:55.120044Z";

fn uuid(text: &str) -> uuid::Uuid {
    uuid::Uuid::try_parse(text).unwrap_or_default()
}

pub(crate) fn definition() -> Value {
    let node = |id: &str, kind: &str, config: Value| {
        json!({"id": id, "title": id, "parent_id": null, "node_type": kind, "config": config,
            "coordinates": null, "dimensions": null, "subworkflow": null})
    };
    let link = |source: &str, target: &str| json!({"source_id": source, "target_id": target, "source_handle": null, "target_handle": null});
    json!({
        "nodes": [
            node("input_node", "InputNode", json!({"output_schema": {"note": "string"}})),
            node("gate", "HumanInterventionNode", json!({"message": "Please read the note."})),
            node("output_node", "OutputNode", json!({
                "output_map": {"note": "gate.input_node.note"}, "output_schema": {"note": "string"}})),
        ],
        "links": [link("input_node", "gate"), link("gate", "output_node")],
        "test_inputs": [],
        "spur_type": "workflow",
    })
}

pub(crate) fn create() -> Value {
    json!({"name": "Approve a note", "description": "A person reads the note first.", "definition": definition()})
}

pub(crate) fn workflow() -> Value {
    json!({"id": WORKFLOW_ID, "name": "Approve a note", "description": "A person reads the note first.",
        "definition": definition(), "created_at": CREATED, "updated_at": CREATED, "tags": ["notes"], "version": 1})
}

pub(crate) fn workflow_patch() -> Value {
    json!({"description": "A person reads the note first.", "tags": ["notes"]})
}

pub(crate) fn label() -> Value {
    json!({"label": "production", "version": 1, "protected": true, "created_at": CREATED, "updated_at": CREATED})
}

pub(crate) fn label_request() -> Value {
    json!({"version": 1, "protected": true})
}

pub(crate) fn label_move() -> Value {
    json!({"from_version": null, "to_version": 1, "moved_at": CREATED, "moved_by": null})
}

/// Returns `definition`, and a copy with another message at its gate.
fn two_definitions() -> Option<(Definition, Definition)> {
    let mut changed = definition();
    changed["nodes"][1]["config"]["message"] = json!("Please read the note, and sign it.");
    Some((serde_json::from_value(definition()).ok()?, serde_json::from_value(changed).ok()?))
}

pub(crate) fn diff() -> Value {
    two_definitions().map(|(a, b)| json!(versioning::diff(&a, &b, false))).unwrap_or_default()
}

pub(crate) fn diff_text() -> Value {
    two_definitions().map(|(a, b)| json!(versioning::diff(&a, &b, false).to_text())).unwrap_or_default()
}

pub(crate) fn patch() -> Value {
    two_definitions().map(|(a, b)| json!(versioning::patch(&a, &b, false))).unwrap_or_default()
}

pub(crate) fn drawing(format: DrawingFormat) -> Value {
    let drawn = serde_json::from_value::<Definition>(definition()).ok();
    drawn
        .and_then(|definition| draw(&definition, format, &HashMap::new()).ok())
        .map(Value::from)
        .unwrap_or_default()
}

pub(crate) fn validation() -> Value {
    json!({"valid": true, "diagnostics": [{
        "code": "reference_field_unknown", "severity": "warning",
        "pointer": "/definition/nodes/2/config/output_map/note", "node_id": "output_node",
        "message": "\"gate.input_node.nota\" refers to the unknown field \"nota\". Known fields: \"note\".",
        "help": "Did you mean \"note\"?",
        "related": [{"pointer": "/definition/nodes/1", "message": "The path starts at \"gate\"."}],
    }]})
}

pub(crate) fn version() -> Value {
    json!({"version": 1, "name": "Approve a note", "description": "A person reads the note first.",
        "definition": definition(), "definition_hash": HASH, "created_at": CREATED, "updated_at": CREATED,
        "note": "The first draft.", "created_by": null})
}

pub(crate) fn document() -> Value {
    json!({"format": "sluice/workflow", "format_version": 1, "id": WORKFLOW_ID, "name": "Approve a note",
        "description": "A person reads the note first.", "tags": ["notes"], "definition": definition(),
        "definition_hash": null, "checksum": null, "versions": [], "labels": []})
}

pub(crate) fn import_result() -> Value {
    json!({"results": [{"action": "update", "id": WORKFLOW_ID, "name": "Approve a note", "version": 2, "diff": diff(),
        "diagnostics": []}]})
}

pub(crate) fn output_variables() -> Value {
    json!([{"node_id": "output_node", "variable_name": "note", "prefixed_variable": "output_node-note"}])
}

pub(crate) fn upload_paths() -> Value {
    json!({"input_node": [format!("test_files/{WORKFLOW_ID}/20261123_213502_note.txt")]})
}

pub(crate) fn start() -> Value {
    json!({"initial_inputs": {"input_node": {"note": "hello"}}})
}

pub(crate) fn partial() -> Value {
    json!({"node_id": "output_node", "rerun_predecessors": false,
        "partial_outputs": {"gate": {"input_node": {"note": "hello"}}}})
}

pub(crate) fn partial_outputs() -> Value {
    json!({"gate": {"input_node": {"note": "hello"}}, "output_node": {"note": "hello"}})
}

pub(crate) fn outputs() -> Value {
    json!({"input_node": {"note": "hello"}, "gate": {"input_node": {"note": "hello"}}, "output_node": {"note": "hello"}})
}

pub(crate) fn batch() -> Value {
    json!({"rows": [{"note": "hello"}, {"note": "good-bye"}], "mini_batch_size": 10})
}

pub(crate) fn batch_run() -> Value {
    let mut batch = run("PENDING", "The batch has not started yet.", Value::Null, json!([]), None, 0.0);
    batch["run_type"] = json!("batch");
    batch["output_file_id"] = json!(RUN_ID);
    batch["initial_inputs"] = json!({});
    batch["batch"] = json!({"total": 2, "pending": 2, "running": 0, "paused": 0, "completed": 0, "failed": 0, "canceled": 0});
    batch
}

pub(crate) fn dataset() -> Value {
    json!({"id": DATASET_ID, "name": "Notes", "description": "", "filename": "notes.csv", "rows": 2,
        "created_at": CREATED, "updated_at": CREATED})
}

/// Content of a file of rows in a form.
const ROWS: &str = "note\nhello\ngood morning\n";

pub(crate) fn dataset_form() -> Value {
    json!({"file": ROWS, "name": "Notes"})
}

pub(crate) fn batch_form() -> Value {
    json!({"file": ROWS, "mini_batch_size": 10})
}

pub(crate) fn upload_form() -> Value {
    json!({"workflow_id": WORKFLOW_ID, "node_id": "input_node", "files": ["hello"]})
}

pub(crate) fn output_file() -> Value {
    json!({"id": RUN_ID, "file_name": format!("output_{RUN_ID}.jsonl"), "created_at": STARTED, "updated_at": ENDED})
}

pub(crate) fn output_lines() -> &'static str {
    "{\"row\":0,\"run_id\":\"019aa2b5-0b7c-7f12-8a44-91d0c2e4f603\",\"status\":\"COMPLETED\",\"inputs\":{\"input_node\":{\"note\":\"hello\"}},\"outputs\":{\"output_node\":{\"note\":\"hello\"}},\"error\":null}\n"
}

pub(crate) fn rerun() -> Value {
    json!({"from_node": "gate"})
}

fn task(node_id: &str, status: &str, outputs: Value) -> Value {
    let run = uuid(RUN_ID);
    let start_time = (status != "PENDING").then_some(PAUSED);
    let end_time = (status == "COMPLETED").then_some(PAUSED);
    json!({"id": uuid::Uuid::new_v5(&run, node_id.as_bytes()), "run_id": RUN_ID, "node_id": node_id,
        "parent_task_id": null, "status": status, "inputs": {}, "outputs": outputs, "error": null,
        "start_time": start_time, "end_time": end_time, "attempts": [], "retry_time": null, "reused": false, "subworkflow": null, "subworkflow_output": null})
}

fn run(status: &str, message: &str, outputs: Value, tasks: Value, end: Option<&str>, percent: f64) -> Value {
    json!({"id": RUN_ID, "workflow_id": WORKFLOW_ID, "workflow_version_id": VERSION_ID,
        "workflow_version": version(), "status": status, "start_time": STARTED, "end_time": end,
        "initial_inputs": {"input_node": {"note": "hello"}}, "outputs": outputs, "tasks": tasks,
        "parent_run_id": null, "run_type": "interactive", "output_file_id": null, "input_dataset_id": null,
        "message": message, "duration": 0.002, "percentage_complete": percent})
}

pub(crate) fn pending_run() -> Value {
    let tasks = ["input_node", "gate", "output_node"].map(|id| task(id, "PENDING", Value::Null));
    run("PENDING", "The run has not started yet.", Value::Null, json!(tasks), None, 0.0)
}

pub(crate) fn retried_run() -> Value {
    let tasks = json!([
        task("input_node", "COMPLETED", json!({"note": "hello"})),
        task("gate", "PENDING", Value::Null),
        task("output_node", "PENDING", Value::Null),
    ]);
    let outputs = json!({"input_node": {"note": "hello"}});
    run("RUNNING", "The run is in progress.", outputs, tasks, None, 33.333_333_333_333_336)
}

pub(crate) fn paused_run() -> Value {
    let note = json!({"note": "hello"});
    let waiting = json!({"input_node": note});
    let outputs = json!({"input_node": note, "gate": waiting});
    let tasks = json!([
        task("input_node", "COMPLETED", note),
        task("gate", "PAUSED", waiting),
        task("output_node", "PENDING", Value::Null),
    ]);
    run("PAUSED", "Waiting for a decision at \"gate\".", outputs, tasks, None, 33.333_333_333_333_336)
}

pub(crate) fn completed_run() -> Value {
    let outputs = outputs();
    let tasks = ["input_node", "gate", "output_node"].map(|id| task(id, "COMPLETED", outputs[id].clone()));
    run("COMPLETED", "Every node finished.", outputs, json!(tasks), Some(ENDED), 100.0)
}

pub(crate) fn canceled_run() -> Value {
    let note = json!({"note": "hello"});
    let tasks = json!([
        task("input_node", "COMPLETED", note.clone()),
        task("gate", "CANCELED", Value::Null),
        task("output_node", "CANCELED", Value::Null),
    ]);
    run(
        "CANCELED",
        "The run was canceled.",
        json!({"input_node": note}),
        tasks,
        Some(ENDED),
        33.333_333_333_333_336,
    )
}

pub(crate) fn run_event() -> Value {
    json!({"sequence": 1, "type": "task_completed", "run_id": RUN_ID, "time": PAUSED, "node_id": "input_node",
        "output": {"note": "hello"}})
}

pub(crate) fn pause_event() -> Value {
    json!({"id": 7, "type": "opened", "run_id": RUN_ID, "workflow_id": WORKFLOW_ID, "node_id": "gate",
        "time": PAUSED, "message": "Please read the note."})
}

pub(crate) fn timeline() -> Value {
    json!([{"node_id": "gate", "title": "gate", "node_type": "HumanInterventionNode", "iterations": [],
        "status": "COMPLETED", "queued_time": null, "start_time": PAUSED, "end_time": ENDED,
        "duration": 345.118_142, "error": null, "attempts": [], "reused": false,
        "pauses": [{"pause_time": PAUSED, "resume_time": ENDED, "resume_action": "APPROVE", "resume_user_id": "ada"}]}])
}

pub(crate) fn pause(is_decided: bool) -> Value {
    let decided_at = is_decided.then_some(ENDED);
    let if_decided = |value: &str| is_decided.then(|| value.to_owned());
    json!({"id": format!("PH_{RUN_ID}_gate"), "run_id": RUN_ID, "node_id": "gate",
        "pause_message": "Please read the note.", "pause_time": PAUSED, "resume_time": decided_at,
        "resume_user_id": if_decided("ada"), "resume_action": if_decided("APPROVE"),
        "input_data": {"input_node": {"note": "hello"}}, "comments": if_decided("fine")})
}

pub(crate) fn paused_workflow() -> Value {
    let mut workflow = json!({"id": WORKFLOW_ID, "name": "Approve a note"});
    if let (Some(fields), Value::Object(definition)) = (workflow.as_object_mut(), definition()) {
        fields.extend(definition);
    }
    json!({"run": paused_run(), "current_pause": pause(false), "workflow": workflow})
}

pub(crate) fn resume() -> Value {
    json!({"inputs": {"seen_by": "ada"}, "user_id": "ada", "action": "APPROVE", "comments": "fine"})
}

pub(crate) fn node_types() -> Value {
    json!({"Input/Output": [{"name": "InputNode", "input": {"type": "object"}, "output": {"type": "object"},
        "config": {"title": "Input", "type": "object"}, "visual_tag": {"acronym": "IN", "color": "#2E8B57"},
        "has_fixed_output": false}]})
}

pub(crate) fn audit_entry() -> Value {
    json!({"id": "019aa2b5-3d21-7e90-b7c5-0d1e2f3a4b06", "at": "2026-11-23T09:15:00.000000Z", "actor": "ci",
        "operation": "updateWorkflow", "request_id": "019aa2b5-3d21-7e90-b7c5-0d1e2f3a4b05", "subject": "workflow",
        "subject_id": WORKFLOW_ID, "before": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "after": "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752"})
}
