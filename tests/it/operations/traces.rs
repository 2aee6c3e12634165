//! Traces: a request continues the trace of its caller, and the response has the id of its span. With a collector, a
//! request, its run and its nodes are spans in one tree.

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use serde_json::json;

use crate::support::app::{App, on_both_databases};
use crate::support::database::Backend;
use crate::support::definitions::*;
use crate::support::json::{assert_json, id_of};
use crate::support::polling::eventually;
use crate::support::process;
use crate::support::trace_collector::{Collector, attribute};

on_both_databases!(run_is_a_tree_of_spans, resumed_run_joins_the_trace_of_the_decision);

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// Restarts the server with a collector.
async fn with_collector(mut app: App, settings: &[(&str, &str)]) -> (App, Collector) {
    let collector = Collector::start().await;
    app.terminate().await;
    app.set_env("OTEL_EXPORTER_OTLP_ENDPOINT", Some(&collector.base));
    // A short interval, so that tests don't wait.
    app.set_env("OTEL_BSP_SCHEDULE_DELAY", Some("50"));
    for (name, value) in settings {
        app.set_env(name, Some(value));
    }
    app.start_server().await;
    (app, collector)
}

fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the trace id and the span id of a response.
fn trace_and_span(response: &crate::support::client::Response) -> (String, String) {
    let parent = response.headers["traceparent"].to_str().expect("a text");
    let parts: Vec<&str> = parent.split('-').collect();
    assert_eq!(parts.len(), 4, "{parent}");
    assert_eq!(parts[0], "00", "{parent}");
    assert_eq!(parent.len(), 55, "{parent}");
    (parts[1].to_owned(), parts[2].to_owned())
}

fn is_run(run: &str) -> impl Fn(&Span) -> bool {
    move |span| span.name == "run" && attribute(span, "sluice.run.id") == run
}

async fn run_is_a_tree_of_spans(app: App) {
    let headers = [("OTEL_EXPORTER_OTLP_HEADERS", "x-token=secret")];
    let (app, collector) = with_collector(app, &headers).await;
    let mut retried_node = failing("p");
    retried_node["config"]["policy"] = json!({"retry": {"max_attempts": 2, "backoff_seconds": 0}});
    let workflow = app.create(&after_input("traced", retried_node)).await;
    let path = format!("/wf/{workflow}/start_run/");
    // A request with an idempotency key runs in another task, in the same trace.
    let headers = [("traceparent", PARENT), ("idempotency-key", "once")];
    let response = app.post(&path).headers(&headers).json(&run_body(1)).await;
    let (trace, server) = trace_and_span(&response);
    assert_eq!(trace, TRACE);
    let run_id = id_of(&response.ok());

    let run = collector.span("of the run", is_run(&run_id)).await;
    let request = collector.span("of the request", |span| hex(&span.span_id) == server).await;
    assert_eq!(hex(&request.parent_span_id).as_str(), "00f067aa0ba902b7");
    assert_eq!(request.kind, 2);
    assert_eq!(request.name, "POST /wf/{workflow_id}/start_run/");
    assert_eq!(attribute(&request, "sluice.operation"), "startRun");
    assert_eq!(attribute(&request, "http.response.status_code"), "200");
    assert_eq!(hex(&run.trace_id).as_str(), TRACE);
    assert_eq!(hex(&run.parent_span_id), server);
    assert_eq!(attribute(&run, "sluice.run.status"), "failed");
    assert_eq!(run.status.as_ref().map(|status| status.code), Some(StatusCode::Error as i32));

    let of_node = |node: &'static str, attempt: &'static str| {
        move |span: &Span| {
            attribute(span, "sluice.node.id") == node && attribute(span, "sluice.node.attempt") == attempt
        }
    };
    let input = collector.span("of the input node", of_node("input_node", "")).await;
    let first = collector.span("of the first attempt", of_node("p", "1")).await;
    let second = collector.span("of the second attempt", of_node("p", "2")).await;
    for node in [&input, &first, &second] {
        assert_eq!(node.parent_span_id, run.span_id, "{node:?}");
        assert_eq!(node.trace_id, run.trace_id, "{node:?}");
        assert!(run.start_time_unix_nano <= node.start_time_unix_nano, "{node:?}");
        assert!(node.end_time_unix_nano <= run.end_time_unix_nano, "{node:?}");
    }
    assert_eq!(attribute(&input, "sluice.node.status"), "completed");
    assert_eq!(attribute(&first, "sluice.node.kind"), "PythonFuncNode");
    assert_eq!(attribute(&first, "sluice.node.status"), "retried");
    assert_eq!(attribute(&second, "sluice.node.status"), "failed");
    assert!(first.start_time_unix_nano < first.end_time_unix_nano);
    assert!(first.end_time_unix_nano <= second.start_time_unix_nano);
    let message = second.status.expect("a status").message;
    assert!(message.contains("division"), "{message}");

    assert!(collector.spans().iter().all(|sent| sent.service == "sluice"));
    assert!(collector.tokens().iter().all(|token| token == "secret"));
    assert!(app.log().contains(TRACE), "the log line of the request has the trace id");
    assert!(!app.log().contains("secret"));
}

async fn resumed_run_joins_the_trace_of_the_decision(app: App) {
    let (app, collector) = with_collector(app, &[("OTEL_SERVICE_NAME", "mine")]).await;
    let run_id = app.start_to_pause(&gated_workflow("g")).await;
    let first = collector.span("up to the gate", is_run(&run_id)).await;
    assert_eq!(attribute(&first, "sluice.run.status"), "paused");
    let decision = json!({"inputs": {}, "user_id": "ada", "action": "APPROVE"});
    let path = format!("/wf/process_pause_action/{run_id}/");
    let (trace, server) =
        trace_and_span(&app.post(&path).header("traceparent", PARENT).json(&decision).await);
    let is_of_run = is_run(&run_id);
    let second = collector
        .span("after the gate", |span| is_of_run(span) && attribute(span, "sluice.run.status") == "completed")
        .await;
    assert_eq!(hex(&second.trace_id), trace);
    assert_eq!(hex(&second.parent_span_id), server);
    assert_eq!(second.links.len(), 1);
    assert_eq!(second.links[0].trace_id, first.trace_id);
    assert_eq!(second.links[0].span_id, first.span_id);
    let gate = collector.span("of the gate", |span| attribute(span, "sluice.node.id") == "gate").await;
    assert_eq!(gate.parent_span_id, second.span_id);
    assert!(collector.spans().iter().all(|sent| sent.service == "mine"));
}

#[tokio::test]
async fn batch_rows_are_children_of_the_batch_span() {
    let (app, collector) = with_collector(App::start(Backend::Sqlite).await, &[]).await;
    let workflow = app.create(&after_input("rows", python("p", "return {'out': 1}"))).await;
    let rows: Vec<serde_json::Value> = (0..3).map(|row| json!({"x": row})).collect();
    let body = json!({"rows": rows, "mini_batch_size": 2});
    let batch = id_of(&app.post(&format!("/wf/{workflow}/start_batch_run/")).json(&body).await.ok());
    app.run_until(&batch, "COMPLETED").await;
    let batch = collector.span("of the batch", is_run(&batch)).await;
    let below = eventually("the spans of three rows", async || {
        let spans = collector.spans().into_iter().map(|sent| sent.span);
        let below: Vec<Span> = spans.filter(|span| span.parent_span_id == batch.span_id).collect();
        (below.len() == 3).then_some(below)
    })
    .await;
    assert!(below.iter().all(|span| span.name == "run" && span.trace_id == batch.trace_id));
}

/// Spans end for canceled runs and for runs of an earlier process.
#[tokio::test]
async fn recovered_run_starts_a_new_trace() {
    let (mut app, collector) = with_collector(App::start(Backend::Sqlite).await, &[]).await;
    let workflow = app.create(&after_input("stuck", never_ending("p"))).await;
    let run = app.start_run(&workflow, &run_body(1)).await;
    app.run_until(&run, "RUNNING").await;
    app.terminate().await;
    let first = collector.span("of the first process", is_run(&run)).await;
    assert_eq!(attribute(&first, "sluice.run.status"), "interrupted");
    app.start_server().await;
    app.run_until(&run, "RUNNING").await;
    app.post(&format!("/wf/cancel_workflow/{run}/")).json(&json!(null)).await.ok();
    let is_of_run = is_run(&run);
    let second = collector
        .span("of the second process", |span| {
            is_of_run(span) && attribute(span, "sluice.run.status") == "canceled"
        })
        .await;
    assert_ne!(second.trace_id, first.trace_id);
    let node = collector
        .span("of the node", |span| {
            span.parent_span_id == second.span_id && attribute(span, "sluice.node.id") == "p"
        })
        .await;
    assert_eq!(attribute(&node, "sluice.node.status"), "canceled");
}

/// The export interval is longer than the test.
#[tokio::test]
async fn spans_are_flushed_at_shutdown() {
    let settings = [("OTEL_BSP_SCHEDULE_DELAY", "600000")];
    let (mut app, collector) = with_collector(App::start(Backend::Sqlite).await, &settings).await;
    let workflow = app.create(&plain("last")).await;
    assert!(collector.spans().is_empty());
    app.terminate().await;
    let created = collector.spans().into_iter().find(|sent| sent.span.name == "POST /wf/");
    assert!(created.is_some(), "{workflow}: {:?}", collector.spans());
}

/// The server runs, logs the failure once, and stops in time.
#[tokio::test]
async fn missing_collector_does_not_affect_runs() {
    let mut app = App::start(Backend::Sqlite).await;
    app.restart_with(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1"),
        ("OTEL_BSP_SCHEDULE_DELAY", "10"),
    ])
    .await;
    for round in 0..20 {
        let run = app.create_and_run(&plain(&format!("round {round}")), &run_body(1)).await;
        assert_eq!(run["status"], "COMPLETED");
    }
    let message = "failed to export spans";
    eventually("the failure in the log", async || app.log().contains(message).then_some(())).await;
    assert_eq!(app.log().matches(message).count(), 1);
    let started = std::time::Instant::now();
    app.terminate().await;
    assert!(started.elapsed().as_secs() < 15, "{:?}", started.elapsed());
}

#[tokio::test]
async fn unsampled_trace_is_not_exported() {
    let (app, collector) = with_collector(App::start(Backend::Sqlite).await, &[]).await;
    let workflow = app.create(&plain("quiet")).await;
    let unsampled = PARENT.replace("-01", "-00");
    let path = format!("/wf/{workflow}/start_run/");
    let response = app.post(&path).header("traceparent", &unsampled).json(&run_body(1)).await;
    assert!(response.headers["traceparent"].to_str().expect("a text").ends_with("-00"));
    app.run_until(&id_of(&response.ok()), "COMPLETED").await;
    app.run(&workflow, &run_body(1)).await;
    collector.span("of a later run", |span| span.name == "run").await;
    let of_trace = |span: &Span| hex(&span.trace_id) == TRACE;
    assert!(!collector.spans().iter().any(|sent| of_trace(&sent.span)));
}

/// Servers without a collector also send the header.
#[tokio::test]
async fn every_response_has_a_traceparent() {
    let app = App::start(Backend::Sqlite).await;
    for path in ["/wf/", "/nowhere/", "/healthz"] {
        let response = app.get(path).header("traceparent", PARENT).await;
        let (trace, span) = trace_and_span(&response);
        assert_eq!(trace, TRACE, "{path}");
        assert_ne!(span, "00f067aa0ba902b7", "{path}");
        let response = app.get(path).header("traceparent", "00-what-ever-01").await;
        assert_ne!(trace_and_span(&response).0, TRACE, "{path}");
    }
    let log = app.log();
    assert!(log.lines().any(|line| line.contains("listWorkflows") && line.contains(TRACE)), "{log}");
}

#[tokio::test]
async fn request_log_has_trace_and_operation() {
    let app = App::start_with(Backend::Sqlite, &[("SLUICE_LOG_FORMAT", "json")]).await;
    app.get("/wf/").header("x-request-id", "mine-1").await.ok();
    let line = eventually("the line of the request", async || {
        app.log().lines().find(|line| line.contains("mine-1")).map(str::to_owned)
    })
    .await;
    let line: serde_json::Value = serde_json::from_str(&line).expect("a line of JSON");
    assert_json!(line, {"message": "request", "level": "INFO", "operation": "listWorkflows", "status": 200, "method": "GET", "path": "/wf/"});
    assert!(line["took_ms"].as_f64().is_some_and(|took| took > 0.0), "{line}");
    assert_eq!(line["trace_id"].as_str().map(str::len), Some(32), "{line}");
    assert_eq!(app.log().matches("mine-1").count(), 1, "one line per request");
}

#[test]
fn rejects_an_invalid_collector_url() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite://{}/x.db", folder.path().display());
    let data = folder.path().join("data").display().to_string();
    let args = ["serve", "--listen", "127.0.0.1:0", "--database-url", &url, "--data-dir", &data];
    let output = process::run(&args, &[("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector.example:4318")]);
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.stderr.contains("TLS is not supported"), "{}", output.stderr);
}
