//! Databases that are unavailable, full or corrupt.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::app::App;
use crate::support::database::{Backend, Database};
use crate::support::definitions::*;
use crate::support::json::id_of;
use crate::support::polling::eventually;
use crate::support::postgres_cluster::{Cluster, Proxy};
use crate::support::process;
use crate::support::sse::Stream;

/// Returns a chain of three nodes that take some tenths of a second each.
fn slow_chain(name: &str) -> Value {
    let nodes = ["a", "b", "c"].map(slow).into_iter().chain([input()]).collect();
    workflow(name, nodes, chain(&["input_node", "a", "b", "c"]))
}

/// Starts runs and waits until the first is running.
async fn start_runs(app: &App) -> Vec<String> {
    let workflow = app.create(&slow_chain("slow")).await;
    let mut runs = Vec::new();
    for _ in 0..10 {
        runs.push(app.start_run(&workflow, &run_body("hi")).await);
    }
    app.run_until(&runs[0], "RUNNING").await;
    runs
}

/// Checks a server without a usable database: it responds with 503, `/readyz` fails, and the server uses little
/// processor time.
async fn check_without_database(app: &App) {
    eventually("/readyz to fail", async || (app.get("/readyz").await.status == 503).then_some(())).await;
    assert_eq!(app.get("/healthz").await.status, 200);
    // On a full disk, some small writes still succeed.
    let rejected = eventually("a write to be rejected", async || {
        let response = app.post("/wf/").json(&plain("during")).await;
        (response.status != 200).then_some(response)
    })
    .await;
    assert!(rejected.headers.contains_key("retry-after"), "{rejected:?}");
    rejected.problem(503);
    let (before, lines) = (app.cpu_time(), app.log().lines().count());
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (cpu_time, log_lines) = (app.cpu_time() - before, app.log().lines().count() - lines);
    assert!(cpu_time < Duration::from_millis(600), "{cpu_time:?} of processor time within 3 s");
    assert!(log_lines < 20, "{log_lines} log lines within 3 s:\n{}", app.log());
}

/// Checks a server whose database is usable again: `/readyz` succeeds, and every run ends with a complete log.
async fn check_recovery(app: &App, runs: &[String]) {
    eventually("/readyz to succeed", async || (app.get("/readyz").await.status == 200).then_some(())).await;
    for run in runs {
        app.run_until(run, "COMPLETED").await;
        let log = Stream::open(app, &format!("/run/{run}/events/"), None).await.read_to_end().await;
        assert!((0..).zip(&log).all(|(number, event)| event.id == number), "{log:#?}");
    }
    app.post("/wf/").json(&plain("afterwards")).await.ok();
}

#[tokio::test]
async fn runs_resume_after_postgres_restarts() {
    let cluster = Cluster::start();
    let app = App::start_on(Database::at(Backend::Postgres, cluster.url(cluster.port)), &[]).await;
    let runs = start_runs(&app).await;
    cluster.stop();
    check_without_database(&app).await;
    app.get("/wf/").await.problem(503);
    cluster.resume();
    check_recovery(&app, &runs).await;
}

// The proxy needs a thread of its own, since the test blocks while it waits for the server.
#[tokio::test(flavor = "multi_thread")]
async fn runs_resume_after_the_connection_to_postgres_is_cut() {
    let cluster = Cluster::start();
    let proxy = Proxy::to(cluster.port).await;
    let app = App::start_on(Database::at(Backend::Postgres, cluster.url(proxy.port)), &[]).await;
    let runs = start_runs(&app).await;
    for _ in 0..2 {
        proxy.cut();
        check_without_database(&app).await;
        proxy.heal();
        eventually("/readyz to succeed", async || (app.get("/readyz").await.status == 200).then_some(()))
            .await;
    }
    check_recovery(&app, &runs).await;
}

/// A small disk, unmounted on drop.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let status =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"]).arg(folder.path()).status();
        assert!(
            status.is_ok_and(|s| s.success()),
            "this test mounts a small disk, which needs root: sudo make test"
        );
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn runs_resume_after_a_full_disk() {
    let disk = SmallDisk::mount();
    let url = format!("sqlite://{}", disk.path("sluice.db").display());
    let mut app = App::start_on(Database::at(Backend::Sqlite, url), &[]).await;
    let runs = start_runs(&app).await;
    // Fills the disk, including the free pages of the database.
    let fill = format!("of={}", disk.path("fill").display());
    let mut filling = Command::new("dd");
    filling.args(["if=/dev/zero", "bs=4k", &fill]).stderr(std::process::Stdio::null());
    filling.status().expect("dd fills the disk");
    // The write-ahead log has space left. Workflows that the server accepts until the log is full must survive.
    let mut accepted = Vec::new();
    let mut rejected = 0;
    while rejected < 50 {
        let response = app.post("/wf/").json(&plain(&format!("on a full disk {}", accepted.len()))).await;
        if response.status == 200 {
            accepted.push(id_of(&response.json()));
        } else {
            let problem = response.problem(503);
            assert!(problem["detail"].as_str().expect("a detail").contains("full"), "{problem}");
            rejected += 1;
        }
        assert!(accepted.len() < 2_000, "more workflows were accepted than the disk can hold");
    }
    check_without_database(&app).await;
    app.get("/wf/").await.ok();
    fs::remove_file(disk.path("fill")).expect("the filler");
    check_recovery(&app, &runs).await;
    app.crash_and_restart().await;
    for workflow in accepted {
        app.get(&format!("/wf/{workflow}/")).await.ok();
    }
}

#[tokio::test]
async fn runs_resume_after_a_full_database() {
    let app = App::start_with(Backend::Sqlite, &[("SLUICE_SQLITE_MAX_BYTES", "2000000")]).await;
    // Smaller than the probe of `/readyz`, so that the probe fails once this write fails.
    let big =
        |n: usize| after_input(&format!("big {n}"), static_node("f", json!({"text": "x".repeat(4_000)})));
    let mut created = Vec::new();
    let rejected = loop {
        let response = app.post("/wf/").json(&big(created.len())).await;
        if response.status != 200 {
            break response;
        }
        created.push(id_of(&response.json()));
        assert!(created.len() < 1_000, "the size of the file is not limited");
    };
    rejected.problem(503);
    app.get("/readyz").await.problem(503);
    assert_eq!(app.get("/wf/?page_size=10").await.ok().as_array().map(Vec::len), Some(10));
    for id in &created[..20] {
        app.delete(&format!("/wf/{id}/")).await.expect(204);
    }
    eventually("/readyz to succeed", async || (app.get("/readyz").await.status == 200).then_some(())).await;
    app.post("/wf/").json(&big(1_001)).await.ok();
}

/// The first deleted workflow is small and has a paused run.
#[tokio::test]
async fn full_database_accepts_deletes() {
    let app = App::start_with(Backend::Sqlite, &[("SLUICE_SQLITE_MAX_BYTES", "800000")]).await;
    let waiting = app.start_to_pause(&gated_workflow("gate")).await;
    let gate = app.read_run(&waiting).await["workflow_id"].as_str().expect("an id").to_owned();
    let mut created = Vec::new();
    loop {
        let response = app.post("/wf/").json(&plain(&format!("small {}", created.len()))).await;
        if response.status != 200 {
            response.problem(503);
            break;
        }
        created.push(id_of(&response.json()));
        assert!(created.len() < 2_000, "the size of the file is not limited");
    }
    // Fills the file to its last page.
    let mut patches = (0..).map(|n| json!({"description": "x".repeat(n % 4_000)}));
    let mut rejected = 0;
    while rejected < 40 {
        let path = format!("/wf/{}/", created[rejected % created.len()]);
        let patch = patches.next().expect("an endless iterator");
        rejected += usize::from(app.patch(&path).merge_patch(&patch).await.status == 503);
    }
    app.delete(&format!("/wf/{gate}/")).await.expect(204);
    // Deletes succeed while other clients keep filling the file.
    let filling = async {
        let mut created = Vec::new();
        for n in 0..200 {
            let response = app.post("/wf/").json(&plain(&format!("again {n}"))).await;
            match response.status {
                200 => created.push(id_of(&response.json())),
                _ => drop(response.problem(503)),
            }
        }
        created
    };
    let emptying = async {
        for id in &created {
            app.delete(&format!("/wf/{id}/")).await.expect(204);
        }
    };
    let (created_meanwhile, ()) = tokio::join!(filling, emptying);
    for id in &created_meanwhile {
        app.delete(&format!("/wf/{id}/")).await.expect(204);
    }
    app.create(&plain("after the deletes")).await;
}

/// Creates a database with runs, and stops its server.
async fn database_with_runs() -> (App, PathBuf) {
    let mut app = App::start(Backend::Sqlite).await;
    let workflow =
        app.create(&after_input("w", static_node("f", json!({"text": "x".repeat(100_000)})))).await;
    for _ in 0..20 {
        app.run(&workflow, &run_body("hi")).await;
    }
    app.terminate().await;
    let path = PathBuf::from(app.database.url.strip_prefix("sqlite://").expect("a file"));
    (app, path)
}

fn overwrite(path: &Path, range: std::ops::Range<usize>, byte: u8) -> Vec<u8> {
    let mut bytes = fs::read(path).expect("the file");
    bytes[range].fill(byte);
    fs::write(path, &bytes).expect("the file");
    bytes
}

#[tokio::test]
async fn rejects_a_corrupt_database_and_leaves_it_unchanged() {
    let (app, path) = database_with_runs().await;
    let intact = fs::read(&path).expect("the file");
    let middle = intact.len() / 2 / 4_096 * 4_096;
    for (range, byte) in [
        // The header, the rest of the first page, and pages in the middle.
        (0..100, 0),
        (16..100, 0xff),
        (100..4_096, 0x5a),
        (4_096..8_192, 0xff),
        (middle..middle + 8_192, 0xa5),
    ] {
        let damaged = overwrite(&path, range.clone(), byte);
        let output = process::run(&app.arguments(), &[]);
        let text = output.text();
        assert!(output.code.is_some_and(|code| code != 0), "{range:?}: {text}");
        assert!(text.contains(&path.display().to_string()), "{range:?}: {text}");
        assert!(text.contains("damaged") && text.contains("backup"), "{range:?}: {text}");
        assert_eq!(fs::read(&path).expect("the file"), damaged, "{range:?}: the file was changed");
        fs::write(&path, &intact).expect("the file");
    }
}

#[tokio::test]
async fn corruption_of_a_running_server_is_reported_as_unavailable() {
    let (mut app, path) = database_with_runs().await;
    app.start_server().await;
    let length = fs::read(&path).expect("the file").len();
    overwrite(&path, 8_192..length, 0xa5);
    let mut rejected = 0;
    for _ in 0..3 {
        for path in ["/wf/?page_size=100", "/run/?page_size=100", "/wf/paused_workflows/"] {
            let response = app.get(path).await;
            if response.status != 200 {
                response.problem(503);
                rejected += 1;
            }
        }
    }
    assert!(rejected > 0, "no request read a corrupt page");
    assert_eq!(app.get("/healthz").await.status, 200);
}
