//! Prometheus metrics: exact, also after a restart, in a valid format, and complete for the dashboard and the
//! alerts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use futures_util::future::join_all;
use prometheus_parse::{Sample, Scrape, Value as Number};
use reqwest::Client;
use serde_json::{Value, json};

use crate::support::app::{App, on_both_databases};
use crate::support::database::Backend;
use crate::support::definitions::*;
use crate::support::polling::eventually;
use crate::support::process;

on_both_databases!(
    requests_runs_and_nodes_are_counted,
    gauges_of_pauses_survive_a_restart,
    waiting_nodes_are_counted,
    batch_and_its_rows_are_counted,
    unwritable_database_shows_in_the_metrics,
);

/// Restarts the server with an address for metrics.
async fn with_metrics(mut app: App, settings: &[(&str, &str)]) -> App {
    app.terminate().await;
    app.set_env("SLUICE_METRICS_LISTEN", Some("127.0.0.1:0"));
    for (name, value) in settings {
        app.set_env(name, Some(value));
    }
    app.start_server().await;
    app
}

fn address(app: &App) -> String {
    let log = app.log();
    let from = log.find("metrics at http://").expect("the address of the metrics") + "metrics at ".len();
    log[from..].split_whitespace().next().expect("an address").to_owned()
}

async fn text(app: &App) -> String {
    let client = Client::builder().no_proxy().build().expect("an HTTP client");
    let response = client.get(address(app)).send().await.expect("a response");
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    response.text().await.expect("a page")
}

struct Metrics(Vec<Sample>);

async fn scrape(app: &App) -> Metrics {
    let lines = text(app).await.lines().map(|line| Ok(line.to_owned())).collect::<Vec<_>>();
    Metrics(Scrape::parse(lines.into_iter()).expect("a page in the format of Prometheus").samples)
}

impl Metrics {
    fn find(&self, name: &str, labels: &[(&str, &str)]) -> Option<&Sample> {
        let matches = |sample: &&Sample| {
            sample.metric == name
                && sample.labels.len() == labels.len()
                && labels.iter().all(|(label, value)| sample.labels.get(label) == Some(value))
        };
        self.0.iter().find(matches)
    }

    fn get(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let sample = self.find(name, labels).unwrap_or_else(|| panic!("no {name} {labels:?}"));
        match &sample.value {
            Number::Counter(number) | Number::Gauge(number) | Number::Untyped(number) => *number,
            Number::Histogram(_) | Number::Summary(_) => panic!("{name} is not a number"),
        }
    }

    fn requests(&self, operation: &str, status: &str) -> f64 {
        self.get("sluice_http_requests_total", &[("operation", operation), ("status", status)])
    }

    fn nodes(&self, kind: &str, status: &str) -> f64 {
        self.get("sluice_nodes_ended_total", &[("kind", kind), ("status", status)])
    }

    fn runs_ended(&self, status: &str) -> f64 {
        self.get("sluice_runs_ended_total", &[("status", status)])
    }

    fn runs(&self, status: &str) -> f64 {
        self.get("sluice_runs", &[("status", status)])
    }
}

async fn requests_runs_and_nodes_are_counted(app: App) {
    let app = with_metrics(app, &[]).await;
    let before = scrape(&app).await;
    assert_eq!(before.get("sluice_runs_started_total", &[]), 0.0);
    assert_eq!(before.get("sluice_database_up", &[]), 1.0);

    let good = app.create(&after_input("good", python("p", "return {'out': 1}"))).await;
    let bad = app.create(&after_input("bad", failing("p"))).await;
    let retried = json!({"retry": {"max_attempts": 2, "backoff_seconds": 0}});
    let mut node = failing("p");
    node["config"]["policy"] = retried;
    let retried_workflow = app.create(&after_input("twice", node)).await;
    let body = run_body(1);
    join_all((0..3).map(|_| app.run(&good, &body))).await;
    assert_eq!(app.run(&bad, &run_body(1)).await["status"], "FAILED");
    assert_eq!(app.run(&retried_workflow, &run_body(1)).await["status"], "FAILED");
    let stuck = app.create(&after_input("stuck", never_ending("p"))).await;
    let run = app.start_run(&stuck, &run_body(1)).await;
    app.run_until(&run, "RUNNING").await;
    eventually("a node to run", async || {
        (scrape(&app).await.get("sluice_concurrency_in_use", &[("of", "nodes")]) == 1.0).then_some(())
    })
    .await;
    assert_eq!(scrape(&app).await.runs("running"), 1.0);
    app.post(&format!("/wf/cancel_workflow/{run}/")).json(&Value::Null).await.ok();
    app.get("/wf/00000000-0000-7000-8000-000000000000/").await.problem(404);
    app.get("/nowhere/").await.problem(404);

    let after = eventually("the canceled run to be counted", async || {
        let now = scrape(&app).await;
        (now.runs_ended("canceled") == 1.0 && now.get("sluice_concurrency_in_use", &[("of", "nodes")]) == 0.0)
            .then_some(now)
    })
    .await;
    assert_eq!(after.get("sluice_runs_started_total", &[]), 6.0);
    assert_eq!(after.runs_ended("completed"), 3.0);
    assert_eq!(after.runs_ended("failed"), 2.0);
    assert_eq!(after.runs("running") + after.runs("pending") + after.runs("paused"), 0.0);
    let python = ["completed", "failed", "canceled"].map(|status| after.nodes("PythonFuncNode", status));
    assert_eq!(python, [3.0, 2.0, 1.0]);
    assert_eq!(after.nodes("InputNode", "completed"), 6.0);
    assert_eq!(after.get("sluice_node_retries_total", &[("kind", "PythonFuncNode")]), 1.0);
    assert_eq!(after.requests("createWorkflow", "2xx") - before.requests("createWorkflow", "2xx"), 4.0);
    assert_eq!(after.requests("getWorkflow", "4xx") - before.requests("getWorkflow", "4xx"), 1.0);
    assert_eq!(after.requests("other", "4xx") - before.requests("other", "4xx"), 1.0);
    // Three completed, two failed (one after two attempts), one was canceled.
    let attempts = histogram(&text(&app).await, "sluice_node_seconds", "kind=\"PythonFuncNode\"");
    assert_eq!(attempts, 7.0);
}

/// Returns the number of observations of a histogram.
fn histogram(page: &str, name: &str, label: &str) -> f64 {
    let line = page.lines().find(|line| line.starts_with(&format!("{name}_count{{{label}}}")));
    let count = line.and_then(|line| line.rsplit_once(' ')).map(|(_, count)| count.parse());
    count.unwrap_or_else(|| panic!("no {name} of {label}")).expect("a number")
}

async fn gauges_of_pauses_survive_a_restart(app: App) {
    let mut app = with_metrics(app, &[]).await;
    let two_pauses = app.start_to_pause(&two_gates("two")).await;
    app.start_to_pause(&gated_workflow("one")).await;
    for _ in 0..2 {
        let now = scrape(&app).await;
        assert_eq!(now.get("sluice_pauses_open", &[]), 3.0);
        assert_eq!(now.runs("paused"), 2.0);
        app.crash_and_restart().await;
    }
    app.approve(&two_pauses).await;
    let now = scrape(&app).await;
    assert_eq!(now.get("sluice_pauses_open", &[]), 2.0);
    app.post(&format!("/wf/cancel_workflow/{two_pauses}/")).json(&Value::Null).await.ok();
    let now = scrape(&app).await;
    assert_eq!(now.get("sluice_pauses_open", &[]), 1.0);
    assert_eq!(now.runs("paused"), 1.0);
    assert_eq!(now.runs_ended("canceled"), 1.0);
}

async fn waiting_nodes_are_counted(app: App) {
    let app =
        with_metrics(app, &[("SLUICE_MAX_CONCURRENT_NODES", "1"), ("SLUICE_MAX_CONCURRENT_RUNS", "2")]).await;
    let stuck = app.create(&after_input("stuck", never_ending("p"))).await;
    let mut runs = Vec::new();
    for _ in 0..5 {
        runs.push(app.start_run(&stuck, &run_body(1)).await);
    }
    eventually("three runs and a node to wait", async || {
        let now = scrape(&app).await;
        let slots = |what: &str, of: &str| now.get(&format!("sluice_concurrency_{what}"), &[("of", of)]);
        let runs = (slots("limit", "runs"), slots("in_use", "runs"), slots("waiting", "runs"));
        let nodes = (slots("limit", "nodes"), slots("in_use", "nodes"), slots("waiting", "nodes"));
        (runs == (2.0, 2.0, 3.0) && nodes == (1.0, 1.0, 1.0)).then_some(())
    })
    .await;
    for run in &runs {
        app.post(&format!("/wf/cancel_workflow/{run}/")).json(&Value::Null).await.ok();
    }
    eventually("no run and no node to wait", async || {
        let now = scrape(&app).await;
        let remaining = ["in_use", "waiting"].map(|what| {
            ["runs", "nodes"].map(|of| now.get(&format!("sluice_concurrency_{what}"), &[("of", of)]))
        });
        (remaining == [[0.0; 2]; 2]).then_some(())
    })
    .await;
}

async fn batch_and_its_rows_are_counted(app: App) {
    let app = with_metrics(app, &[]).await;
    let workflow = app.create(&plain("rows")).await;
    let rows: Vec<Value> = (0..20).map(|row| json!({"x": row})).collect();
    let body = json!({"rows": rows, "mini_batch_size": 5});
    let batch = app.post(&format!("/wf/{workflow}/start_batch_run/")).json(&body).await.ok();
    app.run_until(&crate::support::json::id_of(&batch), "COMPLETED").await;
    let now = scrape(&app).await;
    assert_eq!(now.get("sluice_runs_started_total", &[]), 21.0);
    assert_eq!(now.runs_ended("completed"), 21.0);
}

/// The failpoint fails exactly one commit.
async fn unwritable_database_shows_in_the_metrics(app: App) {
    let app = with_metrics(app, &[("FAILPOINTS", "append_after=1*return(fail)")]).await;
    app.post("/wf/").json(&plain("rejected")).await.problem(503);
    app.create(&plain("accepted")).await;
    let now = scrape(&app).await;
    assert_eq!(now.get("sluice_commit_failures_total", &[]), 1.0);
    assert_eq!(now.requests("createWorkflow", "5xx"), 1.0);
    assert_eq!(now.requests("createWorkflow", "2xx"), 1.0);
    assert_eq!(now.get("sluice_database_up", &[]), 1.0, "the database can be read");
}

/// Every family has a description, counters end in `_total`, buckets are cumulative, and labels have no ids.
#[tokio::test]
async fn page_follows_the_prometheus_format() {
    let app = with_metrics(App::start(Backend::Sqlite).await, &[]).await;
    app.create_and_run(&after_input("any", python("p", "return {'out': 1}")), &run_body(1)).await;
    let page = text(&app).await;
    let mut families_with_help = BTreeSet::new();
    let mut kinds = BTreeMap::new();
    for line in page.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, description) = help.split_once(' ').expect("a text");
            assert!(
                families_with_help.insert(name) && description.len() > 8 && name.starts_with("sluice_"),
                "{line}"
            );
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').expect("a kind");
            assert!(families_with_help.contains(name) && kinds.insert(name, kind).is_none(), "{line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
        } else {
            let name = line.split(['{', ' ']).next().expect("a name");
            let family = ["_bucket", "_count", "_sum"].iter().find_map(|end| name.strip_suffix(end));
            let family = family.filter(|family| kinds.get(family) == Some(&"histogram")).unwrap_or(name);
            assert!(kinds.contains_key(family), "{line} has no TYPE before it");
            let mut labels = line.split('"').skip(1).step_by(2);
            assert!(labels.all(|label| label.len() < 36), "{line}");
        }
    }
    assert!(kinds.len() > 15, "{kinds:?}");
    let of_histograms = kinds.iter().filter(|(_, kind)| **kind == "histogram");
    let histograms: Vec<_> = of_histograms.flat_map(|(family, _)| series(&page, family)).collect();
    assert!(histograms.len() > 50, "{}", histograms.len());
    assert!(histograms.iter().any(|(count, _)| *count > 0.0));
    for (count, buckets) in histograms {
        assert!(buckets.is_sorted() && buckets.last() == Some(&count), "{count}: {buckets:?}");
    }
}

/// Returns the count and the buckets of each series of a histogram.
fn series(page: &str, family: &str) -> Vec<(f64, Vec<f64>)> {
    let number =
        |line: &str| -> f64 { line.rsplit_once(' ').expect("a number").1.parse().expect("a number") };
    let labels = |line: &str| -> Vec<String> {
        let all = line.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map_or("", |(all, _)| all);
        all.split(',')
            .filter(|label| !label.is_empty() && !label.starts_with("le="))
            .map(str::to_owned)
            .collect()
    };
    let lines_of = |end: &str| -> Vec<&str> {
        let name = format!("{family}_{end}");
        page.lines().filter(|line| line.split(['{', ' ']).next() == Some(&name)).collect()
    };
    let buckets = lines_of("bucket");
    let of_series = |count: &&str| -> Vec<f64> {
        let series_buckets = buckets.iter().filter(|bucket| labels(bucket) == labels(count));
        series_buckets.map(|bucket| number(bucket)).collect()
    };
    lines_of("count").iter().map(|count| (number(count), of_series(count))).collect()
}

#[tokio::test]
async fn metrics_have_their_own_address() {
    let app = App::start(Backend::Sqlite).await;
    app.get("/metrics").await.problem(404);
    assert!(!app.log().contains("metrics at"), "metrics are served only if configured");
    let app = with_metrics(app, &[]).await;
    app.get("/metrics").await.problem(404);
    let other = address(&app).replace("/metrics", "/wf/");
    let client = Client::builder().no_proxy().build().expect("an HTTP client");
    assert_eq!(
        client.get(other).send().await.expect("a response").status(),
        404,
        "the address serves only metrics"
    );
    let used_address = address(&app);
    let used_address = used_address.trim_start_matches("http://").trim_end_matches("/metrics");
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite://{}/x.db", folder.path().display());
    let data = folder.path().join("data").display().to_string();
    let args = ["serve", "--listen", "127.0.0.1:0", "--metrics-listen", used_address, "--database-url", &url];
    let output = process::run(&args, &[("SLUICE_DATA_DIR", data.as_str())]);
    assert!(
        output.code == Some(1) && output.stderr.contains("choose another --metrics-listen"),
        "{output:?}"
    );
}

/// Returns the names of metrics in a text.
fn metric_names(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("sluice_")).map(str::to_owned).collect()
}

#[tokio::test]
async fn dashboard_and_alerts_use_existing_metrics() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the root");
    let read = |path: &str| std::fs::read_to_string(root.join(path)).expect(path);
    let dashboard: Value = serde_json::from_str(&read("deploy/grafana/sluice.json")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels").iter();
    let targets = panels.filter_map(|panel| panel["targets"].as_array()).flatten();
    let expressions: Vec<&str> =
        targets.map(|target| target["expr"].as_str().expect("an expression")).collect();
    let alerts = read("deploy/prometheus/alerts.yml");
    let users =
        [("the dashboard", metric_names(&expressions.join("\n"))), ("the alerts", metric_names(&alerts))];

    let app = with_metrics(App::start(Backend::Sqlite).await, &[]).await;
    let page = text(&app).await;
    let exported: BTreeSet<String> = metric_names(&page);
    for (user, names) in users {
        assert!(names.len() > 4, "{user} uses at most 4 metrics: check this test");
        let missing: Vec<_> = names.difference(&exported).collect();
        assert!(missing.is_empty(), "{user}: there is no {missing:?}");
    }
    let families = page.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let families: BTreeSet<_> = families.filter_map(|line| line.split(' ').next()).collect();
    let documented = read("docs/operations.md");
    for family in families {
        assert!(documented.contains(&format!("`{family}")), "docs/operations.md does not describe {family}");
    }
}
