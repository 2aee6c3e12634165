//! Opening and closing databases.

use std::fs;

use sea_orm::ConnectionTrait as _;
use sluice_engine::{RunStore as _, StoreError};
use sluice_persistence::{Database, OpenError, Options, SaveOptions, WorkflowFilter, WriteError};

use crate::support::{ALL, TestDatabase, new_workflow, on_both_databases, start_commit};

on_both_databases!(
    reopens_with_all_data,
    restarts_immediately,
    rejects_a_second_server,
    rejects_a_newer_schema,
    migrate_returns_the_applied_migrations,
    rejects_everything_after_close,
);

async fn reopens_with_all_data(database: &TestDatabase) {
    let db = database.open().await;
    let workflow = db.workflow_create(new_workflow("W", "h"), None).await.unwrap();
    let run = start_commit(&db, &workflow).await;
    db.commit(run.clone()).await.unwrap();
    let versions = db.version_list(workflow.id, ALL).await.unwrap();
    db.close().await;
    let db = database.open().await;
    db.check_health().await.unwrap();
    assert_eq!(db.workflow_get(workflow.id).await.unwrap().unwrap(), workflow);
    assert_eq!(db.version_list(workflow.id, ALL).await.unwrap(), versions);
    assert_eq!(db.run(run.record.id).await.unwrap().unwrap().record, run.record);
    db.close().await;
}

async fn restarts_immediately(database: &TestDatabase) {
    for _ in 0..10 {
        database.open().await.close().await;
    }
    // Also if the previous server ended without closing the database.
    for _ in 0..3 {
        drop(database.open().await);
    }
    database.open().await.close().await;
}

async fn rejects_a_second_server(database: &TestDatabase) {
    let db = database.open().await;
    for result in [
        Database::open(database.options()).await.map(drop),
        Database::migrate(database.options()).await.map(drop),
    ] {
        let error = result.unwrap_err();
        assert!(matches!(error, OpenError::Locked { .. }), "{error:?}");
        assert!(error.to_string().starts_with("Another sluice owns the database"), "{error}");
    }
    db.workflow_create(new_workflow("W", "h"), None).await.unwrap();
    db.close().await;
    database.open().await.close().await;
}

async fn rejects_a_newer_schema(database: &TestDatabase) {
    database.open().await.close().await;
    let raw = database.raw().await;
    let sql = "INSERT INTO applied_migrations (version, applied_at) VALUES ('m29990101_000001_future', 1)";
    raw.execute_unprepared(sql).await.unwrap();
    let error = Database::open(database.options()).await.unwrap_err();
    assert!(matches!(error, OpenError::NewerSchema { .. }), "{error:?}");
    let message = "The database was migrated by a newer sluice (migration m29990101_000001_future). Upgrade sluice, \
                or use another database.";
    assert_eq!(error.to_string(), message);
    raw.execute_unprepared("DELETE FROM applied_migrations WHERE version LIKE 'm2999%'").await.unwrap();
    database.open().await.close().await;
}

async fn migrate_returns_the_applied_migrations(database: &TestDatabase) {
    let migrations = Database::migrate(database.options()).await.unwrap();
    assert_eq!(migrations, ["m20261128_000001_initial_schema"]);
    assert!(Database::migrate(database.options()).await.unwrap().is_empty());
    database.open().await.close().await;
}

async fn rejects_everything_after_close(database: &TestDatabase) {
    let db = database.open().await;
    let other = db.clone();
    // Queued writes are completed.
    let creates = (0..20).map(|n| {
        let db = db.clone();
        tokio::spawn(async move { db.workflow_create(new_workflow(&format!("W{n}"), "h"), None).await })
    });
    let creates: Vec<_> = creates.collect();
    tokio::task::yield_now().await;
    db.close().await;
    let mut created = 0;
    for create in creates {
        match create.await.unwrap() {
            Ok(_) => created += 1,
            Err(StoreError::Unavailable(_)) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    assert_eq!(database.count("workflows").await, created);
    assert!(matches!(other.check_health().await, Err(StoreError::Unavailable(_))));
    assert!(matches!(
        other.workflow_list(WorkflowFilter::default(), ALL).await,
        Err(StoreError::Unavailable(_))
    ));
    let result = other.workflow_delete(sluice_engine::clock::new_id(), SaveOptions::default(), None).await;
    assert!(matches!(result, Err(WriteError::Store(StoreError::Unavailable(_)))));
    other.close().await;
}

#[tokio::test]
async fn rejects_files_that_are_not_databases() {
    let database = TestDatabase::sqlite();
    let file = database.folder.as_ref().unwrap().path().join("sluice.db");
    let mut damaged = b"SQLite format 3\0".to_vec();
    damaged.extend([7; 5000]);
    for content in [b"a text file".to_vec(), vec![b'x'; 10_000], damaged] {
        fs::write(&file, &content).unwrap();
        let error = Database::open(database.options()).await.unwrap_err();
        assert!(matches!(error, OpenError::NotADatabase { .. }), "{error:?}");
        assert!(error.to_string().contains("sluice.db"), "{error}");
        assert_eq!(fs::read(&file).unwrap(), content);
    }
    fs::remove_file(&file).unwrap();
    fs::write(&file, "").unwrap();
    database.open().await.close().await;
}

#[tokio::test]
async fn rejects_databases_of_other_programs() {
    let database = TestDatabase::sqlite();
    let file = database.folder.as_ref().unwrap().path().join("sluice.db");
    fs::write(&file, "").unwrap();
    let raw = database.raw().await;
    // Several frameworks use this table.
    raw.execute_unprepared("CREATE TABLE schema_migrations (version TEXT PRIMARY KEY)").await.unwrap();
    raw.execute_unprepared("INSERT INTO schema_migrations VALUES ('20260101000000')").await.unwrap();
    raw.close().await.unwrap();
    let content = fs::read(&file).unwrap();
    let error = Database::open(database.options()).await.unwrap_err();
    assert!(matches!(error, OpenError::Foreign { .. }), "{error:?}");
    assert_eq!(fs::read(&file).unwrap(), content);
}

#[tokio::test]
async fn rejects_invalid_urls() {
    for url in ["", "sluice.db", "mysql://x/y", "sqlite::memory:", "sqlite://", "postgres://:bad:port/x"] {
        let error = Database::open(Options::new(url)).await.unwrap_err();
        assert!(matches!(error, OpenError::Url { .. }), "{url}: {error:?}");
    }
    let database = TestDatabase::sqlite();
    let missing = database.folder.as_ref().unwrap().path().join("no/such/folder/sluice.db");
    let error = Database::open(Options::new(format!("sqlite://{}", missing.display()))).await.unwrap_err();
    assert!(matches!(error, OpenError::File { .. }), "{error:?}");
    let error = Database::open(Options::new("postgres://me:secret@127.0.0.1:1/x")).await.unwrap_err();
    assert!(matches!(error, OpenError::Unreachable { .. }), "{error:?}");
    assert!(error.to_string().contains("127.0.0.1:1/x") && !error.to_string().contains("secret"), "{error}");
    assert!(!format!("{:?}", Options::new("postgres://me:secret@h/x")).contains("secret"));
}

#[tokio::test]
async fn links_share_the_lock_of_the_file() {
    let database = TestDatabase::sqlite();
    let db = database.open().await;
    let folder = database.folder.as_ref().unwrap().path();
    std::os::unix::fs::symlink(folder.join("sluice.db"), folder.join("link.db")).unwrap();
    let url = format!("sqlite://{}", folder.join("link.db").display());
    let error = Database::open(Options::new(url)).await.unwrap_err();
    assert!(matches!(error, OpenError::Locked { .. }), "{error:?}");
    db.close().await;
}

#[tokio::test]
async fn close_truncates_the_write_ahead_log() {
    let database = TestDatabase::sqlite();
    let db = database.open().await;
    db.workflow_create(new_workflow("W", "h"), None).await.unwrap();
    db.close().await;
    let wal = database.folder.as_ref().unwrap().path().join("sluice.db-wal");
    assert!(fs::metadata(wal).map_or(0, |wal| wal.len()) == 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replaces_broken_connections() {
    let database = TestDatabase::postgres().await;
    let db = database.open().await;
    db.workflow_create(new_workflow("before", "h"), None).await.unwrap();
    let raw = database.raw().await;
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    raw.execute_unprepared(sql).await.unwrap();
    let mut results = Vec::new();
    for n in 0..3 {
        results.push(db.workflow_create(new_workflow(&format!("after {n}"), "h"), None).await);
    }
    for result in &results {
        assert!(matches!(result, Ok(_) | Err(StoreError::Unavailable(_))), "{result:?}");
    }
    assert!(results[2].is_ok());
    // The new connection holds the lock.
    let error = Database::open(database.options()).await.unwrap_err();
    assert!(matches!(error, OpenError::Locked { .. }), "{error:?}");
    db.close().await;
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shared_servers_exclude_an_exclusive_one() {
    let database = TestDatabase::postgres().await;
    let shared = || Options { exclusive: false, ..database.options() };
    let (one, two) = tokio::join!(Database::open(shared()), Database::open(shared()));
    let (one, two) = (one.unwrap(), two.unwrap());
    let error = Database::open(database.options()).await.unwrap_err();
    assert!(matches!(error, OpenError::Locked { .. }), "{error:?}");
    // Names and version numbers are unique although both servers write.
    let id = one.workflow_create(new_workflow("W", "h"), None).await.unwrap().id;
    let creates = (0..64).map(|n| {
        let db = if n % 2 == 0 { &one } else { &two };
        async move { db.workflow_create(new_workflow("W", "h"), None).await }
    });
    let saves = (0..32).map(|n| {
        let db = if n % 2 == 0 { &one } else { &two };
        async move {
            db.workflow_update(id, new_workflow("W", &format!("h{n}")), SaveOptions::default(), None).await
        }
    });
    let (created, saved) =
        tokio::join!(futures_util::future::join_all(creates), futures_util::future::join_all(saves));
    assert!(created.iter().all(Result::is_ok), "{created:?}");
    assert!(saved.iter().all(Result::is_ok), "{saved:?}");
    let versions = one.version_list(id, ALL).await.unwrap().unwrap().rows;
    let numbers: Vec<i32> = versions.iter().map(|version| version.version).collect();
    assert_eq!(numbers, (1..=33).rev().collect::<Vec<_>>());
    one.close().await;
    two.close().await;
    database.remove().await;
}
