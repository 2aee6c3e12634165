//! Throughput of the writer. `cargo test --release -p sluice-persistence -- --ignored --nocapture`

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use sluice_engine::RunStore as _;

use crate::support::{Place, completed, new, on_both_stores, start, started};

on_both_stores!(measures_a_few_commits);

/// Keeps the measuring itself from breaking.
async fn measures_a_few_commits(place: &Place) {
    assert!(measure(place, 4, Duration::from_millis(200)).await > 0.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures; run it alone, in a release build"]
#[expect(clippy::print_stderr, reason = "the figures are for whoever asked for them")]
async fn commits_per_second() {
    for callers in [1, 8, 32, 64, 256] {
        let sqlite = measure(&Place::sqlite(), callers, Duration::from_secs(3)).await;
        let place = Place::postgres().await;
        let postgres = measure(&place, callers, Duration::from_secs(3)).await;
        place.remove().await;
        eprintln!("{callers} callers: {sqlite:.0}/s on SQLite, {postgres:.0}/s on PostgreSQL");
    }
}

/// Durable commits a second: each caller starts runs and ends them, one after the other.
async fn measure(place: &Place, callers: usize, time: Duration) -> f64 {
    let db = place.open().await;
    let workflow = db.workflow_create(new("W", "h"), None).await.unwrap();
    let version = start(&db, &workflow).await.record.version_id;
    let began = Instant::now();
    let tasks = (0..callers).map(|_| {
        let db = db.clone();
        tokio::spawn(async move {
            let mut commits = 0_u32;
            while began.elapsed() < time {
                let first = started(workflow.id, version);
                let second = completed(&first.record, 1);
                db.commit(first).await.unwrap();
                db.commit(second).await.unwrap();
                commits += 2;
            }
            commits
        })
    });
    let commits: u32 = join_all(tasks).await.into_iter().map(|task| task.unwrap()).sum();
    let rate = f64::from(commits) / began.elapsed().as_secs_f64();
    db.close().await;
    rate
}
