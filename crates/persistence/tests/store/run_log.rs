//! Commits: what is answered is durable, what conflicts leaves nothing.

use futures_util::future::join_all;
use sea_orm::ConnectionTrait as _;
use sluice_domain::run::RunStatus;
use sluice_engine::{Commit, CommitError, RunStore as _, StoreError, clock};

use crate::support::{Place, completed, new, on_both_stores, start, started};

on_both_stores!(
    reads_committed_events,
    one_of_concurrent_commits_wins,
    taken_sequence_number_is_a_conflict,
    failed_commit_does_not_affect_the_batch,
    commits_of_one_run_share_a_batch,
    rejects_logs_with_gaps,
    canceled_callers_leave_whole_commits,
);

async fn reads_committed_events(place: &Place) {
    let db = place.open().await;
    let workflow = db.workflow_create(new("W", "h"), None).await.unwrap();
    let first = start(&db, &workflow).await;
    let id = first.record.id;
    assert!(db.run(id).await.unwrap().is_none());
    db.commit(first.clone()).await.unwrap();
    let stored = db.run(id).await.unwrap().unwrap();
    assert_eq!((&stored.record, &stored.log), (&first.record, &first.events));
    let second = completed(&first.record, 1);
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

    let db = place.open().await;
    assert_eq!(db.run(id).await.unwrap().unwrap().log, all);
    db.close().await;
}

async fn one_of_concurrent_commits_wins(place: &Place) {
    let db = place.open().await;
    let workflow = db.workflow_create(new("W", "h"), None).await.unwrap();
    let first = start(&db, &workflow).await;
    db.commit(first.clone()).await.unwrap();
    let answers = join_all((0..64).map(|_| db.commit(completed(&first.record, 1)))).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert!(answers.iter().flat_map(|answer| answer.as_ref().err()).all(is_conflict));
    assert_eq!(db.run(first.record.id).await.unwrap().unwrap().log.len(), 3);
    // Later as well.
    assert!(is_conflict(&db.commit(completed(&first.record, 1)).await.unwrap_err()));
    assert!(is_conflict(&db.commit(first).await.unwrap_err()));
    db.close().await;
}

async fn taken_sequence_number_is_a_conflict(place: &Place) {
    let db = place.open().await;
    let workflow = db.workflow_create(new("W", "h"), None).await.unwrap();
    let first = start(&db, &workflow).await;
    db.commit(first.clone()).await.unwrap();
    db.commit(completed(&first.record, 1)).await.unwrap();
    for place in [0, 1] {
        let late = Commit { record: first.record.clone(), ..completed(&first.record, place) };
        assert!(is_conflict(&db.commit(late).await.unwrap_err()), "{place}");
    }
    let stored = db.run(first.record.id).await.unwrap().unwrap();
    assert_eq!((stored.record.status, stored.log.len()), (RunStatus::Completed, 3));
    let empty = Commit { events: Vec::new(), ..start(&db, &workflow).await };
    assert!(matches!(db.commit(empty).await, Err(CommitError::Store(StoreError::Failed(_)))));
    db.close().await;
}

async fn failed_commit_does_not_affect_the_batch(place: &Place) {
    let db = place.open().await;
    let workflow = db.workflow_create(new("W", "h"), None).await.unwrap();
    let taken = start(&db, &workflow).await;
    db.commit(taken.clone()).await.unwrap();
    let orphan = started(clock::new_id(), clock::new_id());
    let mut commits = Vec::new();
    for _ in 0..50 {
        commits.push(start(&db, &workflow).await);
    }
    commits[17] = taken;
    commits[31] = orphan;
    let create = db.workflow_create(new("W", "h"), None);
    let (answers, created) = tokio::join!(join_all(commits.iter().map(|c| db.commit(c.clone()))), create);
    assert_eq!(created.unwrap().name, "W (2)");
    for (n, answer) in answers.iter().enumerate() {
        match (n, answer) {
            (17, Err(CommitError::Conflict)) | (31, Err(CommitError::Gone)) => {}
            (_, Ok(())) => assert!(db.run(commits[n].record.id).await.unwrap().is_some()),
            _ => panic!("{n}: {answer:?}"),
        }
    }
    assert_eq!(place.count("runs").await, 49);
    assert_eq!(place.count("run_log").await, 49);
    db.close().await;
}

async fn commits_of_one_run_share_a_batch(place: &Place) {
    let db = place.open().await;
    let workflow = db.workflow_create(new("W", "h"), None).await.unwrap();
    for _ in 0..20 {
        let first = start(&db, &workflow).await;
        let second = completed(&first.record, 1);
        let (one, two) = tokio::join!(db.commit(first), db.commit(second.clone()));
        one.unwrap();
        two.unwrap();
        let stored = db.run(second.record.id).await.unwrap().unwrap();
        assert_eq!((stored.record, stored.log.len()), (second.record, 3));
    }
    db.close().await;
}

async fn rejects_logs_with_gaps(place: &Place) {
    let db = place.open().await;
    let workflow = db.workflow_create(new("W", "h"), None).await.unwrap();
    let first = start(&db, &workflow).await;
    db.commit(first.clone()).await.unwrap();
    db.commit(completed(&first.record, 1)).await.unwrap();
    let raw = place.raw().await;
    raw.execute_unprepared("UPDATE run_log SET seq = 2 WHERE seq = 1").await.unwrap();
    let error = db.run(first.record.id).await.unwrap_err();
    assert!(matches!(error, StoreError::Unreadable { table: "run_log", .. }), "{error:?}");
    raw.execute_unprepared("UPDATE run_log SET seq = 1, events = '[{}]' WHERE seq = 2").await.unwrap();
    let error = db.run(first.record.id).await.unwrap_err();
    assert!(matches!(error, StoreError::Unreadable { table: "run_log", .. }), "{error:?}");
    db.close().await;
}

async fn canceled_callers_leave_whole_commits(place: &Place) {
    let db = place.open().await;
    let workflow = db.workflow_create(new("W", "h"), None).await.unwrap();
    for n in 0..50 {
        let first = start(&db, &workflow).await;
        let id = first.record.id;
        let impatient = std::time::Duration::from_micros(n * 20);
        let _ = tokio::time::timeout(impatient, db.commit(first)).await;
        // Whole or not at all.
        if let Some(stored) = db.run(id).await.unwrap() {
            assert_eq!(stored.log.len(), 1);
        }
    }
    db.check_health().await.unwrap();
    db.close().await;
    assert_eq!(place.count("runs").await, place.count("run_log").await);
}

fn is_conflict(error: &CommitError) -> bool {
    matches!(error, CommitError::Conflict)
}
