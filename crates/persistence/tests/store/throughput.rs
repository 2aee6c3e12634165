//! Throughput of the writer. Run with `cargo test --release -p sluice-persistence -- --ignored --nocapture`.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use sluice_engine::RunStore as _;

use crate::support::{
    TestDatabase, completion_commit, new_workflow, on_both_databases, start_commit, start_commit_for,
};

on_both_databases!(measures_commits);

/// Checks that the measurement works.
async fn measures_commits(database: &TestDatabase) {
    assert!(measure(database, 4, Duration::from_millis(200)).await > 0.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, to be run alone in a release build"]
#[expect(clippy::print_stderr, reason = "the measurement is printed")]
async fn commits_per_second() {
    for callers in [1, 8, 32, 64, 256] {
        let sqlite = measure(&TestDatabase::sqlite(), callers, Duration::from_secs(3)).await;
        let database = TestDatabase::postgres().await;
        let postgres = measure(&database, callers, Duration::from_secs(3)).await;
        database.remove().await;
        eprintln!("{callers} callers: {sqlite:.0}/s on SQLite, {postgres:.0}/s on PostgreSQL");
    }
}

/// Measures durable commits per second. Each caller starts and completes runs sequentially.
async fn measure(database: &TestDatabase, callers: usize, duration: Duration) -> f64 {
    let db = database.open().await;
    let workflow = db.workflow_create(new_workflow("W", "h"), None).await.unwrap();
    let version = start_commit(&db, &workflow).await.record.version_id;
    let started = Instant::now();
    let tasks = (0..callers).map(|_| {
        let db = db.clone();
        tokio::spawn(async move {
            let mut commits = 0_u32;
            while started.elapsed() < duration {
                let first = start_commit_for(workflow.id, version);
                let second = completion_commit(&first.record, 1);
                db.commit(first).await.unwrap();
                db.commit(second).await.unwrap();
                commits += 2;
            }
            commits
        })
    });
    let commits: u32 = join_all(tasks).await.into_iter().map(|task| task.unwrap()).sum();
    let rate = f64::from(commits) / started.elapsed().as_secs_f64();
    db.close().await;
    rate
}
