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
async fn counting(mut app: App, settings: &[(&str, &str)]) -> App {
    app.terminate().await;
    app.set_env("SLUICE_METRICS_LISTEN", Some("127.0.0.1:0"));
    for (name, value) in settings {
        app.set_env(name, Some(value));
    }
    app.boot().await;
    app
}

fn address(app: &App) -> String {
    let log = app.log();
    let from = log.find("metrics at http://").expect("the address of the numbers") + "metrics at ".len();
    log[from..].split_whitespace().next().expect("an address").to_owned()
}

async fn text(app: &App) -> String {
    let client = Client::builder().no_proxy().build().expect("an HTTP client");
    let response = client.get(address(app)).send().await.expect("a response");
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    response.text().await.expect("a page")
}

struct Numbers(Vec<Sample>);

async fn scrape(app: &App) -> Numbers {
    let lines = text(app).await.lines().map(|line| Ok(line.to_owned())).collect::<Vec<_>>();
    Numbers(Scrape::parse(lines.into_iter()).expect("a page in the format of Prometheus").samples)
}

impl Numbers {
    fn find(&self, name: &str, labels: &[(&str, &str)]) -> Option<&Sample> {
        let fits = |sample: &&Sample| {
            sample.metric == name
                && sample.labels.len() == labels.len()
                && labels.iter().all(|(label, value)| sample.labels.get(label) == Some(value))
        };
        self.0.iter().find(fits)
    }

    fn get(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let sample = self.find(name, labels).unwrap_or_else(|| panic!("no {name} {labels:?}"));
        match &sample.value {
            Number::Counter(number) | Number::Gauge(number) | Number::Untyped(number) => *number,
            Number::Histogram(_) | Number::Summary(_) => panic!("{name} is no number"),
        }
    }

    fn requests(&self, operation: &str, status: &str) -> f64 {
        self.get("sluice_http_requests_total", &[("operation", operation), ("status", status)])
    }

    fn nodes(&self, kind: &str, status: &str) -> f64 {
        self.get("sluice_nodes_ended_total", &[("kind", kind), ("status", status)])
    }

    fn ended(&self, status: &str) -> f64 {
        self.get("sluice_runs_ended_total", &[("status", status)])
    }

    fn runs(&self, status: &str) -> f64 {
        self.get("sluice_runs", &[("status", status)])
    }
}

async fn requests_runs_and_nodes_are_counted(app: App) {
    let app = counting(app, &[]).await;
    let before = scrape(&app).await;
    assert_eq!(before.get("sluice_runs_started_total", &[]), 0.0);
    assert_eq!(before.get("sluice_database_up", &[]), 1.0);

    let good = app.create(&after_input("good", python("p", "return {'out': 1}"))).await;
    let bad = app.create(&after_input("bad", failing("p"))).await;
    let retried = json!({"retry": {"max_attempts": 2, "backoff_seconds": 0}});
    let mut node = failing("p");
    node["config"]["policy"] = retried;
    let twice = app.create(&after_input("twice", node)).await;
    let body = run_body(1);
    join_all((0..3).map(|_| app.run(&good, &body))).await;
    assert_eq!(app.run(&bad, &run_body(1)).await["status"], "FAILED");
    assert_eq!(app.run(&twice, &run_body(1)).await["status"], "FAILED");
    let stuck = app.create(&after_input("stuck", never_ending("p"))).await;
    let run = app.start_run(&stuck, &run_body(1)).await;
    app.run_until(&run, "RUNNING").await;
    eventually("a node to be at work", async || {
        (scrape(&app).await.get("sluice_concurrency_in_use", &[("of", "nodes")]) == 1.0).then_some(())
    })
    .await;
    assert_eq!(scrape(&app).await.runs("running"), 1.0);
    app.post(&format!("/wf/cancel_workflow/{run}/")).json(&Value::Null).await.ok();
    app.get("/wf/00000000-0000-7000-8000-000000000000/").await.problem(404);
    app.get("/nowhere/").await.problem(404);

    let after = eventually("the canceled run to be counted", async || {
        let now = scrape(&app).await;
        (now.ended("canceled") == 1.0 && now.get("sluice_concurrency_in_use", &[("of", "nodes")]) == 0.0)
            .then_some(now)
    })
    .await;
    assert_eq!(after.get("sluice_runs_started_total", &[]), 6.0);
    assert_eq!(after.ended("completed"), 3.0);
    assert_eq!(after.ended("failed"), 2.0);
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

/// Number of observations of a histogram.
fn histogram(page: &str, name: &str, label: &str) -> f64 {
    let line = page.lines().find(|line| line.starts_with(&format!("{name}_count{{{label}}}")));
    let count = line.and_then(|line| line.rsplit_once(' ')).map(|(_, count)| count.parse());
    count.unwrap_or_else(|| panic!("no {name} of {label}")).expect("a number")
}

async fn gauges_of_pauses_survive_a_restart(app: App) {
    let mut app = counting(app, &[]).await;
    let two = app.start_to_pause(&two_gates("two")).await;
    app.start_to_pause(&gated("one")).await;
    for _ in 0..2 {
        let now = scrape(&app).await;
        assert_eq!(now.get("sluice_pauses_open", &[]), 3.0);
        assert_eq!(now.runs("paused"), 2.0);
        app.crash_and_restart().await;
    }
    app.approve(&two).await;
    let now = scrape(&app).await;
    assert_eq!(now.get("sluice_pauses_open", &[]), 2.0);
    app.post(&format!("/wf/cancel_workflow/{two}/")).json(&Value::Null).await.ok();
    let now = scrape(&app).await;
    assert_eq!(now.get("sluice_pauses_open", &[]), 1.0);
    assert_eq!(now.runs("paused"), 1.0);
    assert_eq!(now.ended("canceled"), 1.0);
}

async fn waiting_nodes_are_counted(app: App) {
    let app =
        counting(app, &[("SLUICE_MAX_CONCURRENT_NODES", "1"), ("SLUICE_MAX_CONCURRENT_RUNS", "2")]).await;
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
    eventually("nothing to wait", async || {
        let now = scrape(&app).await;
        let left = ["in_use", "waiting"].map(|what| {
            ["runs", "nodes"].map(|of| now.get(&format!("sluice_concurrency_{what}"), &[("of", of)]))
        });
        (left == [[0.0; 2]; 2]).then_some(())
    })
    .await;
}

async fn batch_and_its_rows_are_counted(app: App) {
    let app = counting(app, &[]).await;
    let workflow = app.create(&plain("rows")).await;
    let rows: Vec<Value> = (0..20).map(|row| json!({"x": row})).collect();
    let body = json!({"rows": rows, "mini_batch_size": 5});
    let batch = app.post(&format!("/wf/{workflow}/start_batch_run/")).json(&body).await.ok();
    app.run_until(&crate::support::json::id_of(&batch), "COMPLETED").await;
    let now = scrape(&app).await;
    assert_eq!(now.get("sluice_runs_started_total", &[]), 21.0);
    assert_eq!(now.ended("completed"), 21.0);
}

/// Exactly one commit fails.
async fn unwritable_database_shows_in_the_metrics(app: App) {
    let app = counting(app, &[("FAILPOINTS", "append_after=1*return(fail)")]).await;
    app.post("/wf/").json(&plain("away")).await.problem(503);
    app.create(&plain("back")).await;
    let now = scrape(&app).await;
    assert_eq!(now.get("sluice_commit_failures_total", &[]), 1.0);
    assert_eq!(now.requests("createWorkflow", "5xx"), 1.0);
    assert_eq!(now.requests("createWorkflow", "2xx"), 1.0);
    assert_eq!(now.get("sluice_database_up", &[]), 1.0, "it can be read");
}

/// Every family has a description, counters end in `_total`, buckets are cumulative, and labels have no ids.
#[tokio::test]
async fn page_follows_the_prometheus_format() {
    let app = counting(App::start(Backend::Sqlite).await, &[]).await;
    app.create_and_run(&after_input("any", python("p", "return {'out': 1}")), &run_body(1)).await;
    let page = text(&app).await;
    let mut described = BTreeSet::new();
    let mut kinds = BTreeMap::new();
    for line in page.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, what) = help.split_once(' ').expect("a text");
            assert!(described.insert(name) && what.len() > 8 && name.starts_with("sluice_"), "{line}");
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').expect("a kind");
            assert!(described.contains(name) && kinds.insert(name, kind).is_none(), "{line}");
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
    let all: Vec<_> = of_histograms.flat_map(|(family, _)| series(&page, family)).collect();
    assert!(all.len() > 50 && all.iter().any(|(count, _)| *count > 0.0), "{}", all.len());
    for (count, buckets) in all {
        assert!(buckets.is_sorted() && buckets.last() == Some(&count), "{count}: {buckets:?}");
    }
}

/// Series of a histogram: count and buckets.
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
    let of = |end: &str| -> Vec<&str> {
        let name = format!("{family}_{end}");
        page.lines().filter(|line| line.split(['{', ' ']).next() == Some(&name)).collect()
    };
    let buckets = of("bucket");
    let of_series = |count: &&str| -> Vec<f64> {
        let same = buckets.iter().filter(|bucket| labels(bucket) == labels(count));
        same.map(|bucket| number(bucket)).collect()
    };
    of("count").iter().map(|count| (number(count), of_series(count))).collect()
}

#[tokio::test]
async fn metrics_have_their_own_address() {
    let app = App::start(Backend::Sqlite).await;
    app.get("/metrics").await.problem(404);
    assert!(!app.log().contains("metrics at"), "nothing is served unasked");
    let app = counting(app, &[]).await;
    app.get("/metrics").await.problem(404);
    let other = address(&app).replace("/metrics", "/wf/");
    let client = Client::builder().no_proxy().build().expect("an HTTP client");
    assert_eq!(client.get(other).send().await.expect("a response").status(), 404, "no other page is there");
    let taken = address(&app);
    let taken = taken.trim_start_matches("http://").trim_end_matches("/metrics");
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite://{}/x.db", folder.path().display());
    let data = folder.path().join("data").display().to_string();
    let args = ["serve", "--listen", "127.0.0.1:0", "--metrics-listen", taken, "--database-url", &url];
    let ended = process::run(&args, &[("SLUICE_DATA_DIR", data.as_str())]);
    assert!(ended.code == Some(1) && ended.stderr.contains("choose another --metrics-listen"), "{ended:?}");
}

/// Names of metrics in a text.
fn named(text: &str) -> BTreeSet<String> {
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
    let asked = [("the dashboard", named(&expressions.join("\n"))), ("the alerts", named(&alerts))];

    let app = counting(App::start(Backend::Sqlite).await, &[]).await;
    let page = text(&app).await;
    let there: BTreeSet<String> = named(&page);
    for (who, names) in asked {
        assert!(names.len() > 4, "{who} asks for nothing: is this test blind?");
        let missing: Vec<_> = names.difference(&there).collect();
        assert!(missing.is_empty(), "{who}: there is no {missing:?}");
    }
    let families = page.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let families: BTreeSet<_> = families.filter_map(|line| line.split(' ').next()).collect();
    let documented = read("docs/operations.md");
    for family in families {
        assert!(documented.contains(&format!("`{family}")), "docs/operations.md doesn't tell of {family}");
    }
}
