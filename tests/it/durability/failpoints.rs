//! Failpoints at every commit of runs of every shape: the commit fails, its response is lost, or the server crashes
//! before or after it. The run must end as it does without a failure.
//!
//! Needs a server with the feature `failpoints`, as `make test` builds it.

use serde_json::{Value, json};

use crate::support::app::App;
use crate::support::database::Backend;
use crate::support::definitions::*;
use crate::support::json::id_of;
use crate::support::polling::eventually;
use crate::support::run_log;

/// Failures at a commit.
const FAILURES: [&str; 4] = [
    "append_before=@return(fail)",
    "append_before=@return(abort)",
    "append_after=@return(fail)",
    "append_after=@return(abort)",
];

/// Status and outputs of an ended run.
type End = (Value, Value);

fn final_state(run: &Value) -> End {
    (run["status"].clone(), run["outputs"].clone())
}

/// Drives a run to completion: restarts the server when it has crashed, and approves pauses.
async fn finish(app: &mut App, workflow: &str, inputs: &Value) -> Value {
    let mut run = None;
    loop {
        if app.has_ended() {
            app.set_env("FAILPOINTS", None);
            app.restart_after_exit().await;
        }
        if run.is_none() {
            run = find_or_start(app, workflow, inputs).await;
        }
        let Some(id) = &run else { continue };
        let Some(now) = step(app, id).await else { continue };
        if ["COMPLETED", "FAILED", "CANCELED"].iter().any(|status| now["status"] == *status) {
            return now;
        }
    }
}

/// Returns the run that an earlier request without a response started, or starts one.
async fn find_or_start(app: &App, workflow: &str, inputs: &Value) -> Option<String> {
    let runs = app.get(&format!("/wf/{workflow}/runs/")).try_send().await?;
    if let Some(run) = runs.json().as_array().and_then(|runs| runs.first()) {
        return Some(id_of(run));
    }
    let started = app.post(&format!("/wf/{workflow}/start_run/")).json(inputs).try_send().await?;
    assert!([200, 503].contains(&started.status), "{started:?}");
    (started.status == 200).then(|| id_of(&started.json()))
}

/// Reads the run, and approves it if it is paused.
async fn step(app: &App, run: &str) -> Option<Value> {
    let now = app.get(&format!("/run/{run}/")).try_send().await?.json();
    if now["status"] == "PAUSED" {
        let decision = json!({"inputs": {"by": "ada"}, "user_id": "ada", "action": "APPROVE"});
        let path = format!("/wf/process_pause_action/{run}/");
        let decided = app.post(&path).json(&decision).try_send().await?;
        // 400: an earlier request, whose response was lost, took effect.
        assert!([200, 400, 503].contains(&decided.status), "{decided:?}");
    } else {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    Some(now)
}

/// Tries every failure at every commit of the run.
async fn check_every_commit(backend: Backend, definition: Value, inputs: Value) {
    let mut app = App::start(backend).await;
    let body = |name: &str| json!({"name": name, "definition": definition});
    let undisturbed = app.create(&body("calm")).await;
    let expected = finish(&mut app, &undisturbed, &inputs).await;
    let commits = app.database.count_commits(&id_of(&expected)).await;
    assert!(commits > 0);
    for failure in FAILURES {
        for commit in 0..commits {
            let workflow = app.create(&body(&format!("{failure} {commit}"))).await;
            let times = format!("{commit}*off->1*return");
            let failpoints = failure.replace("@return", &times).replace("=0*off->", "=");
            app.restart_with(&[("FAILPOINTS", &failpoints)]).await;
            let run = finish(&mut app, &workflow, &inputs).await;
            if failure.contains("abort") && app.env("FAILPOINTS").is_some() {
                // The last commit is readable before the process ends.
                eventually("the server to end", async || app.has_ended().then_some(())).await;
                app.set_env("FAILPOINTS", None);
                app.restart_after_exit().await;
            }
            assert_eq!(final_state(&run), final_state(&expected), "{failpoints}: {run:#}");
            let id = id_of(&run);
            run_log::check(&id, &run_log::of_ended(&app, &id).await);
            let crashed = app.env("FAILPOINTS").is_none();
            assert_eq!(
                crashed,
                failure.contains("abort"),
                "{failpoints} did nothing: was the server built with the feature failpoints, as `make test` does?"
            );
            if !crashed {
                let log = app.log();
                assert!(
                    log.contains("503")
                        || log.contains("database unavailable")
                        || log.contains("database not writable"),
                    "{failpoints} did nothing: {log}"
                );
            }
        }
    }
}

fn example(name: &str) -> Value {
    let path = format!("{}/../examples/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str::<Value>(&text).expect("JSON")["definition"].clone()
}

/// Inputs that every example accepts.
fn any_inputs() -> Value {
    json!({"initial_inputs": {"input_node": {"customer": "Ada", "amount": 120, "x": "hi", "n": 3, "number": 3}}})
}

macro_rules! failure_tests {
    ($($name:ident($backend:ident): $definition:expr;)+) => {$(
        #[tokio::test]
        async fn $name() {
            check_every_commit(Backend::$backend, $definition, any_inputs()).await;
        }
    )+};
}

fn fan() -> Value {
    let nodes = ["a", "b", "c"].map(|id| python(id, "return {'out': 1}"));
    let links = ["a", "b", "c"].map(|id| [link("input_node", id), link(id, "m")]).concat();
    definition(nodes.into_iter().chain([input(), merge("m")]).collect(), links)
}

fn loop_with_gate_definition() -> Value {
    let nodes = vec![
        input(),
        node("loop", "ForLoopNode", json!({"num_iterations": 2})),
        with_parent(node("loop_input", "InputNode", json!({})), "loop"),
        with_parent(python("step", "return {'out': 1}"), "loop"),
        with_parent(gate("gate"), "loop"),
        with_parent(output_named("loop_output", json!({"n": "step.out"})), "loop"),
    ];
    let links = [chain(&["input_node", "loop"]), chain(&["loop_input", "step", "gate", "loop_output"])];
    definition(nodes, links.concat())
}

failure_tests! {
    approval_example(Sqlite): example("approval");
    router_example(Sqlite): example("router");
    loop_example(Sqlite): example("loop");
    chain_of_constants(Sqlite): plain("")["definition"].clone();
    fan_of_python_nodes(Sqlite): fan();
    loop_with_a_gate(Sqlite): loop_with_gate_definition();
    approval_example_on_postgres(Postgres): example("approval");
    router_example_on_postgres(Postgres): example("router");
    loop_example_on_postgres(Postgres): example("loop");
    gate_on_postgres(Postgres): gated_workflow("")["definition"].clone();
    failing_node_on_postgres(Postgres): after_input("", failing("p"))["definition"].clone();
    fan_on_postgres(Postgres): fan();
}
