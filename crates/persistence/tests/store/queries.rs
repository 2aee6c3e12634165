//! Lists of runs.

use chrono::{DateTime, Duration, TimeZone as _, Utc};
use sea_orm::ConnectionTrait as _;
use sluice_domain::run::RunStatus;
use sluice_engine::{Commit, RunStore as _, clock};
use sluice_persistence::{Database, PageNumber, RunFilter, SaveOptions};
use uuid::Uuid;

use crate::support::{ALL, TestDatabase, new_workflow, on_both_databases, start_commit};

on_both_databases!(
    filters_runs,
    run_get_returns_record_log_and_version,
    skips_unreadable_runs,
    pages_driven_runs,
    lists_unfinished_runs_of_a_workflow,
);

/// Modifies a commit, commits it, and returns the id of the run.
async fn commit_modified(db: &Database, mut commit: Commit, modify: impl FnOnce(&mut Commit)) -> Uuid {
    modify(&mut commit);
    let id = commit.record.id;
    db.commit(commit).await.unwrap();
    id
}

/// Sets the start time of a run, and the time in its id.
fn set_start_time(commit: &mut Commit, time: DateTime<Utc>) {
    let millis = u64::try_from(time.timestamp_millis()).unwrap();
    commit.record.start_time = time;
    commit.record.id = uuid::Builder::from_unix_timestamp_millis(millis, &[7; 10]).into_uuid();
}

async fn ids(db: &Database, filter: RunFilter) -> Vec<Uuid> {
    db.run_list(filter, ALL).await.unwrap().rows.into_iter().map(|run| run.record.id).collect()
}

async fn filters_runs(database: &TestDatabase) {
    let db = database.open().await;
    let one = db.workflow_create(new_workflow("One", "h"), None).await.unwrap();
    let two = db.workflow_create(new_workflow("Two", "h"), None).await.unwrap();
    let noon = Utc.with_ymd_and_hms(2026, 5, 1, 12, 0, 0).unwrap();
    let plain = commit_modified(&db, start_commit(&db, &one).await, |c| set_start_time(c, noon)).await;
    let later = noon + Duration::milliseconds(500);
    let child = commit_modified(&db, start_commit(&db, &one).await, |c| {
        set_start_time(c, later);
        c.record.parent_run_id = Some(plain);
    });
    let child = child.await;
    let batch =
        commit_modified(&db, start_commit(&db, &two).await, |c| c.record.run_type = "batch".to_owned()).await;
    let paused = commit_modified(&db, start_commit(&db, &two).await, |c| {
        c.record.status = RunStatus::Paused;
        c.record.has_open_pause = true;
    });
    let paused = paused.await;
    let any = RunFilter::default;

    assert_eq!(ids(&db, any()).await, [paused, batch, child, plain]);
    assert_eq!(ids(&db, RunFilter { workflow_id: Some(one.id), ..any() }).await, [child, plain]);
    let status = Some(RunStatus::Paused);
    assert_eq!(ids(&db, RunFilter { status, ..any() }).await, [paused]);
    let run_type = Some("batch".to_owned());
    assert_eq!(ids(&db, RunFilter { run_type, ..any() }).await, [batch]);
    assert_eq!(ids(&db, RunFilter { parent_only: true, ..any() }).await, [paused, batch, plain]);
    assert_eq!(ids(&db, RunFilter { has_open_pause: Some(true), ..any() }).await, [paused]);
    assert_eq!(ids(&db, RunFilter { has_open_pause: Some(false), ..any() }).await, [batch, child, plain]);
    let (start_date, end_date) = (Some(noon), Some(noon));
    assert_eq!(ids(&db, RunFilter { start_date, end_date, ..any() }).await, [plain]);
    let (start_date, end_date) = (Some(noon + Duration::microseconds(1)), Some(later));
    assert_eq!(ids(&db, RunFilter { start_date, end_date, ..any() }).await, [child]);
    let end_date = Some(chrono::DateTime::<Utc>::MAX_UTC);
    let start_date = Some(chrono::DateTime::<Utc>::MIN_UTC);
    assert_eq!(ids(&db, RunFilter { start_date, end_date, ..any() }).await.len(), 4);
    let page = db.run_list(any(), PageNumber { number: 2, size: 3 }).await.unwrap().rows;
    assert_eq!(page.iter().map(|run| run.record.id).collect::<Vec<_>>(), [plain]);
    db.close().await;
}

async fn run_get_returns_record_log_and_version(database: &TestDatabase) {
    let db = database.open().await;
    let workflow = db.workflow_create(new_workflow("W", "h1"), None).await.unwrap();
    let first = start_commit(&db, &workflow).await;
    db.commit(first.clone()).await.unwrap();
    db.workflow_update(workflow.id, new_workflow("W", "h2"), SaveOptions::default(), None).await.unwrap();
    let detail = db.run_get(first.record.id).await.unwrap().unwrap();
    assert_eq!((&detail.record, &detail.log), (&first.record, &first.events));
    assert_eq!((detail.version.version, detail.version.definition_hash.as_str()), (1, "h1"));
    assert_eq!(db.run_list(RunFilter::default(), ALL).await.unwrap().rows, [detail]);
    assert!(db.run_get(clock::new_id()).await.unwrap().is_none());
    db.close().await;
}

async fn skips_unreadable_runs(database: &TestDatabase) {
    let db = database.open().await;
    let workflow = db.workflow_create(new_workflow("W", "h"), None).await.unwrap();
    let good = commit_modified(&db, start_commit(&db, &workflow).await, |_| {}).await;
    commit_modified(&db, start_commit(&db, &workflow).await, |c| c.record.run_type = "bad".to_owned()).await;
    let sql = "UPDATE run_log SET events = 'x' WHERE run_id IN (SELECT id FROM runs WHERE run_type = 'bad')";
    database.raw().await.execute_unprepared(sql).await.unwrap();
    assert_eq!(ids(&db, RunFilter::default()).await, [good]);
    db.close().await;
}

async fn pages_driven_runs(database: &TestDatabase) {
    let db = database.open().await;
    let workflow = db.workflow_create(new_workflow("W", "h"), None).await.unwrap();
    let mut driven = Vec::new();
    for n in 0..12 {
        let status = [RunStatus::Pending, RunStatus::Running, RunStatus::Paused, RunStatus::Failed][n % 4];
        let id = commit_modified(&db, start_commit(&db, &workflow).await, |c| c.record.status = status).await;
        if n % 4 < 2 {
            driven.push((id, workflow.id));
        }
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = db.driven_runs(after, 4).await.unwrap();
        assert!(page.len() <= 4);
        let Some(last) = page.last() else { break };
        after = Some(last.0);
        seen.extend(page);
    }
    assert_eq!(seen, driven);
    assert_eq!(db.driven_runs(None, u64::MAX).await.unwrap(), driven);
    db.close().await;
}

async fn lists_unfinished_runs_of_a_workflow(database: &TestDatabase) {
    let db = database.open().await;
    let one = db.workflow_create(new_workflow("One", "h"), None).await.unwrap();
    let two = db.workflow_create(new_workflow("Two", "h"), None).await.unwrap();
    let mut unfinished = Vec::new();
    for status in [RunStatus::Paused, RunStatus::Running, RunStatus::Completed, RunStatus::Canceled] {
        let id = commit_modified(&db, start_commit(&db, &one).await, |c| c.record.status = status).await;
        if !status.is_terminal() {
            unfinished.push(id);
        }
        commit_modified(&db, start_commit(&db, &two).await, |_| {}).await;
    }
    let runs = db.unfinished_runs(one.id).await.unwrap();
    assert_eq!(runs.iter().map(|run| run.id).collect::<Vec<_>>(), unfinished);
    db.close().await;
}
