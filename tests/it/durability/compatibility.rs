//! Reading data of earlier releases: `tests/fixtures/recorded/VERSION` holds a database of each release as SQL,
//! and the responses of that release about its runs.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, Row as _, SqliteConnection};

use crate::support::app::App;
use crate::support::database::{Backend, Database};
use crate::support::definitions::*;
use crate::support::json::id_of;
use crate::support::run_log;
use crate::support::sse::Message;

const END_STATUSES: [&str; 3] = ["COMPLETED", "FAILED", "CANCELED"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/recorded")
}

fn has_ended(run: &Value) -> bool {
    END_STATUSES.iter().any(|status| run["status"] == *status)
}

fn events(log: Vec<Message>) -> Value {
    log.into_iter().map(|message| json!([message.id, message.event, message.data])).collect()
}

/// Removes the field that depends on the clock.
fn without_duration(mut run: Value) -> Value {
    run.as_object_mut().expect("a run").remove("duration");
    run
}

/// Checks that the current response has everything that the recorded response has.
fn assert_contains(current: &Value, recorded: &Value, pointer: &str) {
    match (current, recorded) {
        (Value::Object(current), Value::Object(recorded)) => {
            for (key, recorded) in recorded {
                let current = current.get(key).unwrap_or_else(|| panic!("{pointer}/{key} is missing"));
                assert_contains(current, recorded, &format!("{pointer}/{key}"));
            }
        }
        (Value::Array(current), Value::Array(recorded)) => {
            assert_eq!(current.len(), recorded.len(), "{pointer}");
            for (index, (current, recorded)) in current.iter().zip(recorded).enumerate() {
                assert_contains(current, recorded, &format!("{pointer}/{index}"));
            }
        }
        _ => assert_eq!(current, recorded, "{pointer}"),
    }
}

#[tokio::test]
async fn recorded_databases_resume() {
    let mut releases = 0;
    for release in std::fs::read_dir(folder()).expect("the recordings") {
        let release = release.expect("a folder").path();
        let read = |name: &str| std::fs::read_to_string(release.join(name)).expect(name);
        let database = Database::new(Backend::Sqlite).await;
        std::fs::File::create(database_file(&database)).expect("an empty file");
        database.execute(&read("store.sql")).await;
        let app = App::start_on(database, &[]).await;
        let records: Vec<Value> = serde_json::from_str(&read("runs.json")).expect("JSON");
        assert!(!records.is_empty());
        for recorded in &records {
            check_run(&app, &recorded["run"], &recorded["events"], &release.display().to_string()).await;
        }
        releases += 1;
    }
    assert!(releases > 0, "no recordings in {}", folder().display());
}

/// Checks that an ended run is unchanged, and that another run completes.
async fn check_run(app: &App, recorded: &Value, log: &Value, release: &str) {
    let id = id_of(recorded);
    let pointer = format!("{release}: {id}");
    if has_ended(recorded) {
        assert_contains(&without_duration(app.read_run(&id).await), recorded, &pointer);
        assert_contains(&events(run_log::of_ended(app, &id).await), log, &pointer);
        return;
    }
    if recorded["status"] == "PAUSED" {
        assert_contains(&without_duration(app.read_run(&id).await), recorded, &pointer);
        app.approve(&id).await;
    }
    app.run_until(&id, "COMPLETED").await;
    let current = events(run_log::of_ended(app, &id).await);
    let (current, log) = (current.as_array().expect("a log"), log.as_array().expect("a log"));
    assert_contains(&json!(current[..log.len()]), &json!(log), &pointer);
}

fn database_file(database: &Database) -> PathBuf {
    database.url.strip_prefix("sqlite://").expect("a file").into()
}

/// Records this release. Run it once per release.
#[tokio::test]
#[ignore = "writes tests/fixtures/recorded"]
async fn record() {
    let mut app = App::start(Backend::Sqlite).await;
    let mut runs = ended_runs(&app).await;
    runs.push(app.start_to_pause(&gated_workflow("open")).await);
    let slow_workflow = app.create(&after_input("interrupted", slow("p"))).await;
    let interrupted = app.start_run(&slow_workflow, &run_body("x")).await;
    app.run_until(&interrupted, "RUNNING").await;
    let mut recorded = Vec::new();
    for id in runs {
        let run = without_duration(app.read_run(&id).await);
        let log = if has_ended(&run) {
            run_log::of_ended(&app, &id).await
        } else {
            run_log::of_paused(&app, &id).await
        };
        recorded.push(json!({"run": run, "events": events(log)}));
    }
    app.kill9().await;
    recorded.push(json!({"run": {"id": interrupted, "status": "RUNNING"}, "events": []}));
    let release = folder().join(env!("CARGO_PKG_VERSION"));
    std::fs::create_dir_all(&release).expect("the folder");
    let text = serde_json::to_string_pretty(&recorded).expect("JSON") + "\n";
    std::fs::write(release.join("runs.json"), text).expect("runs.json");
    std::fs::write(release.join("store.sql"), dump(&app.database.url).await).expect("store.sql");
}

/// Starts runs of every shape, and returns the ended ones.
async fn ended_runs(app: &App) -> Vec<String> {
    let mut runs = Vec::new();
    let retrying = json!({"retry": {"max_attempts": 2, "backoff_seconds": 0.01}});
    let mut failing_twice = failing("p");
    failing_twice["config"]["policy"] = retrying;
    let loop_workflow = workflow(
        "loop",
        vec![
            input(),
            node("loop", "ForLoopNode", json!({"num_iterations": 2})),
            with_parent(node("loop_input", "InputNode", json!({})), "loop"),
            with_parent(python("step", "return {'out': 1}"), "loop"),
            with_parent(output_named("loop_output", json!({"n": "step.out"})), "loop"),
        ],
        [chain(&["input_node", "loop"]), chain(&["loop_input", "step", "loop_output"])].concat(),
    );
    let router_workflow = workflow(
        "routed",
        vec![
            input(),
            router(&[("a", vec![condition("input_node.x", "equals", json!("x"))]), ("b", vec![])]),
            merge("a"),
            coalesce("c", &["a"]),
        ],
        vec![link("input_node", "r"), route("r", "a", "a"), link("a", "c")],
    );
    for definition in [plain("plain"), loop_workflow, router_workflow, after_input("failing", failing_twice)]
    {
        runs.push(id_of(&app.create_and_run(&definition, &run_body("x")).await));
    }
    let first = runs[0].clone();
    let rerun = app.post(&format!("/run/{first}/rerun/")).json(&json!({"from_node": "b"})).await.ok();
    runs.push(id_of(&app.run_until(&id_of(&rerun), "COMPLETED").await));
    for (action, status) in [("APPROVE", "COMPLETED"), ("OVERRIDE", "COMPLETED"), ("DECLINE", "CANCELED")] {
        let run = app.start_to_pause(&gated_workflow(action)).await;
        app.pause_decide(&run, &json!({"inputs": {"k": 1}, "user_id": "ada", "action": action})).await.ok();
        runs.push(id_of(&app.run_until(&run, status).await));
    }
    let endless = app.create(&after_input("endless", never_ending("p"))).await;
    let canceled = app.start_run(&endless, &run_body("x")).await;
    app.run_until(&canceled, "RUNNING").await;
    app.post(&format!("/wf/cancel_workflow/{canceled}/")).await.ok();
    runs.push(canceled);
    let batched = app.create(&plain("batch")).await;
    let rows = json!({"rows": [{"x": "1"}, {"x": "2"}]});
    let batch = app.post(&format!("/wf/{batched}/start_batch_run/")).json(&rows).await.ok();
    runs.push(id_of(&app.run_until(&id_of(&batch), "COMPLETED").await));
    runs
}

/// Dumps a SQLite database as SQL.
async fn dump(url: &str) -> String {
    let mut db = SqliteConnection::connect(url).await.expect("the SQLite file");
    let mut texts = async |sql: String| -> Vec<String> {
        let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut db).await.expect("the rows");
        rows.iter().map(|row| row.get(0)).collect()
    };
    let mut out = vec!["PRAGMA foreign_keys = OFF".to_owned(), "BEGIN".to_owned()];
    let of_kind = |kind: &str| {
        format!(
            "SELECT sql FROM sqlite_master WHERE type = '{kind}' AND sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"
        )
    };
    out.extend(texts(of_kind("table")).await);
    let names = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
    for table in texts(names.to_owned()).await {
        let columns = texts(format!("SELECT name FROM pragma_table_info('{table}')")).await;
        let values: Vec<String> = columns.iter().map(|column| format!("quote(\"{column}\")")).collect();
        let columns = columns.iter().map(|column| format!("\"{column}\"")).collect::<Vec<_>>().join(", ");
        let values = values.join(" || ', ' || ");
        out.extend(
            texts(format!(
                "SELECT 'INSERT INTO \"{table}\" ({columns}) VALUES (' || {values} || ')' FROM \"{table}\""
            ))
            .await,
        );
    }
    out.extend(texts(of_kind("index")).await);
    out.push("COMMIT".to_owned());
    out.join(";\n") + ";\n"
}
