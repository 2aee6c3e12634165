//! Commits of runs: acknowledged commits are durable, rejected commits write nothing.

use futures_util::future::join_all;
use sea_orm::ConnectionTrait as _;
use sluice_domain::run::RunStatus;
use sluice_engine::{Commit, CommitError, RunStore as _, StoreError, clock};

use crate::support::{
    TestDatabase, completion_commit, new_workflow, on_both_databases, start_commit, start_commit_for,
};

on_both_databases!(
    reads_committed_events,
    one_of_concurrent_commits_wins,
    taken_sequence_number_is_a_conflict,
    failed_commit_does_not_affect_the_batch,
    commits_of_one_run_share_a_batch,
    rejects_logs_with_gaps,
    canceled_callers_leave_complete_commits,
);

async fn reads_committed_events(database: &TestDatabase) {
    let db = database.open().await;
    let workflow = db.workflow_create(new_workflow("W", "h"), None).await.unwrap();
    let first = start_commit(&db, &workflow).await;
    let id = first.record.id;
    assert!(db.run(id).await.unwrap().is_none());
    db.commit(first.clone()).await.unwrap();
    let stored = db.run(id).await.unwrap().unwrap();
    assert_eq!((&stored.record, &stored.log), (&first.record, &first.events));
    let second = completion_commit(&first.record, 1);
    db.commit(second.clone()).await.unwrap();

    let all = [first.events, second.events].concat();
    let stored = db.run(id).await.unwrap().unwrap();
    assert_eq!((&stored.record, &stored.log), (&second.record, &all));
    for from in 0..=4 {
        let events = db.log_from(id, from).await.unwrap();
        assert_eq!(events, all[usize::try_from(from).unwrap().min(3)..], "from {from}");
    }
    assert!(db.log_from(id, u64::MAX).await.unwrap().is_empty());
    assert!(db.log_from(clock::new_id(), 0).await.unwrap().is_empty());
    db.close().await;

    let db = database.open().await;
    assert_eq!(db.run(id).await.unwrap().unwrap().log, all);
    db.close().await;
}

async fn one_of_concurrent_commits_wins(database: &TestDatabase) {
    let db = database.open().await;
    let workflow = db.workflow_create(new_workflow("W", "h"), None).await.unwrap();
    let first = start_commit(&db, &workflow).await;
    db.commit(first.clone()).await.unwrap();
    let results = join_all((0..64).map(|_| db.commit(completion_commit(&first.record, 1)))).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    assert!(results.iter().flat_map(|result| result.as_ref().err()).all(is_conflict));
    assert_eq!(db.run(first.record.id).await.unwrap().unwrap().log.len(), 3);
    // Later commits are rejected too.
    assert!(is_conflict(&db.commit(completion_commit(&first.record, 1)).await.unwrap_err()));
    assert!(is_conflict(&db.commit(first).await.unwrap_err()));
    db.close().await;
}

async fn taken_sequence_number_is_a_conflict(database: &TestDatabase) {
    let db = database.open().await;
    let workflow = db.workflow_create(new_workflow("W", "h"), None).await.unwrap();
    let first = start_commit(&db, &workflow).await;
    db.commit(first.clone()).await.unwrap();
    db.commit(completion_commit(&first.record, 1)).await.unwrap();
    for seq in [0, 1] {
        let late = Commit { record: first.record.clone(), ..completion_commit(&first.record, seq) };
        assert!(is_conflict(&db.commit(late).await.unwrap_err()), "{seq}");
    }
    let stored = db.run(first.record.id).await.unwrap().unwrap();
    assert_eq!((stored.record.status, stored.log.len()), (RunStatus::Completed, 3));
    let empty = Commit { events: Vec::new(), ..start_commit(&db, &workflow).await };
    assert!(matches!(db.commit(empty).await, Err(CommitError::Store(StoreError::Failed(_)))));
    db.close().await;
}

async fn failed_commit_does_not_affect_the_batch(database: &TestDatabase) {
    let db = database.open().await;
    let workflow = db.workflow_create(new_workflow("W", "h"), None).await.unwrap();
    let taken = start_commit(&db, &workflow).await;
    db.commit(taken.clone()).await.unwrap();
    let orphan = start_commit_for(clock::new_id(), clock::new_id());
    let mut commits = Vec::new();
    for _ in 0..50 {
        commits.push(start_commit(&db, &workflow).await);
    }
    commits[17] = taken;
    commits[31] = orphan;
    let create = db.workflow_create(new_workflow("W", "h"), None);
    let (results, created) = tokio::join!(join_all(commits.iter().map(|c| db.commit(c.clone()))), create);
    assert_eq!(created.unwrap().name, "W (2)");
    for (n, result) in results.iter().enumerate() {
        match (n, result) {
            (17, Err(CommitError::Conflict)) | (31, Err(CommitError::Gone)) => {}
            (_, Ok(())) => assert!(db.run(commits[n].record.id).await.unwrap().is_some()),
            _ => panic!("{n}: {result:?}"),
        }
    }
    assert_eq!(database.count("runs").await, 49);
    assert_eq!(database.count("run_log").await, 49);
    db.close().await;
}

async fn commits_of_one_run_share_a_batch(database: &TestDatabase) {
    let db = database.open().await;
    let workflow = db.workflow_create(new_workflow("W", "h"), None).await.unwrap();
    for _ in 0..20 {
        let first = start_commit(&db, &workflow).await;
        let second = completion_commit(&first.record, 1);
        let (one, two) = tokio::join!(db.commit(first), db.commit(second.clone()));
        one.unwrap();
        two.unwrap();
        let stored = db.run(second.record.id).await.unwrap().unwrap();
        assert_eq!((stored.record, stored.log.len()), (second.record, 3));
    }
    db.close().await;
}

async fn rejects_logs_with_gaps(database: &TestDatabase) {
    let db = database.open().await;
    let workflow = db.workflow_create(new_workflow("W", "h"), None).await.unwrap();
    let first = start_commit(&db, &workflow).await;
    db.commit(first.clone()).await.unwrap();
    db.commit(completion_commit(&first.record, 1)).await.unwrap();
    let raw = database.raw().await;
    raw.execute_unprepared("UPDATE run_log SET seq = 2 WHERE seq = 1").await.unwrap();
    let error = db.run(first.record.id).await.unwrap_err();
    assert!(matches!(error, StoreError::Unreadable { table: "run_log", .. }), "{error:?}");
    raw.execute_unprepared("UPDATE run_log SET seq = 1, events = '[{}]' WHERE seq = 2").await.unwrap();
    let error = db.run(first.record.id).await.unwrap_err();
    assert!(matches!(error, StoreError::Unreadable { table: "run_log", .. }), "{error:?}");
    db.close().await;
}

async fn canceled_callers_leave_complete_commits(database: &TestDatabase) {
    let db = database.open().await;
    let workflow = db.workflow_create(new_workflow("W", "h"), None).await.unwrap();
    for n in 0..50 {
        let first = start_commit(&db, &workflow).await;
        let id = first.record.id;
        let timeout = std::time::Duration::from_micros(n * 20);
        let _ = tokio::time::timeout(timeout, db.commit(first)).await;
        // The commit is written completely or not at all.
        if let Some(stored) = db.run(id).await.unwrap() {
            assert_eq!(stored.log.len(), 1);
        }
    }
    db.check_health().await.unwrap();
    db.close().await;
    assert_eq!(database.count("runs").await, database.count("run_log").await);
}

fn is_conflict(error: &CommitError) -> bool {
    matches!(error, CommitError::Conflict)
}
