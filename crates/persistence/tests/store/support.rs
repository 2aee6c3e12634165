//! Databases for single tests, workflows and commits to write to them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use sluice_domain::run::{Event, RunStatus};
use sluice_engine::{Commit, RunRecord, clock};
use sluice_persistence::{Database, NewWorkflow, Options, PageNumber, ValidDefinition, WorkflowRow};
use tempfile::TempDir;
use uuid::Uuid;

/// Defines two tests for each function: one on SQLite and one on PostgreSQL.
macro_rules! on_both_databases {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(&crate::support::TestDatabase::sqlite()).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let database = crate::support::TestDatabase::postgres().await;
                super::$name(&database).await;
                database.remove().await;
            })*
        }
    };
}
pub(crate) use on_both_databases;

/// The URL of a new database.
pub(crate) struct TestDatabase {
    pub(crate) url: String,
    /// The folder of an SQLite file, removed when this value is dropped.
    pub(crate) folder: Option<TempDir>,
    /// The name of a PostgreSQL database.
    name: Option<String>,
}

impl TestDatabase {
    pub(crate) fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("sluice.db").display());
        Self { url, folder: Some(folder), name: None }
    }

    pub(crate) async fn postgres() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("sluice_test_{}_{number}", std::process::id());
        let maintenance = maintenance_url();
        let db = sea_orm::Database::connect(&maintenance).await.unwrap();
        db.execute_unprepared(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await.unwrap();
        db.execute_unprepared(&format!("CREATE DATABASE {name}")).await.unwrap();
        db.close().await.unwrap();
        let (server, query) = match maintenance.split_once('?') {
            Some((server, query)) => (server, format!("?{query}")),
            None => (maintenance.as_str(), String::new()),
        };
        let server = server.rsplit_once('/').unwrap().0;
        Self { url: format!("{server}/{name}{query}"), folder: None, name: Some(name) }
    }

    pub(crate) async fn remove(&self) {
        let db = sea_orm::Database::connect(maintenance_url()).await.unwrap();
        let name = self.name.as_ref().unwrap();
        db.execute_unprepared(&format!("DROP DATABASE {name} WITH (FORCE)")).await.unwrap();
    }

    pub(crate) fn options(&self) -> Options {
        Options::new(&self.url)
    }

    pub(crate) async fn open(&self) -> Database {
        Database::open(self.options()).await.unwrap()
    }

    /// Connects directly to the database, to manipulate its rows.
    pub(crate) async fn raw(&self) -> DatabaseConnection {
        sea_orm::Database::connect(&self.url).await.unwrap()
    }

    /// Returns the number of rows of a table.
    pub(crate) async fn count(&self, table: &str) -> i64 {
        let db = self.raw().await;
        let sql = format!("SELECT COUNT(*) FROM {table}");
        let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await;
        row.unwrap().unwrap().try_get_by_index(0).unwrap()
    }
}

#[expect(clippy::disallowed_methods, reason = "the URL of PostgreSQL is an environment variable")]
fn maintenance_url() -> String {
    std::env::var("SLUICE_TEST_POSTGRES_URL").expect(
        "set SLUICE_TEST_POSTGRES_URL to the URL of a PostgreSQL server on which databases can be created, for example \
         postgres://postgres@localhost:5432/postgres",
    )
}

/// Returns a definition with a hash. `x` changes only its layout.
pub(crate) fn definition(hash: &str, x: u32) -> ValidDefinition {
    ValidDefinition {
        json: format!(r#"{{"nodes":[{{"id":"{hash}","coordinates":{{"x":{x},"y":0}}}}],"links":[]}}"#),
        hash: hash.to_owned(),
    }
}

pub(crate) fn new_workflow(name: &str, hash: &str) -> NewWorkflow {
    let description = Some(format!("The workflow {name}"));
    NewWorkflow { name: name.to_owned(), description, definition: definition(hash, 0), tags: None }
}

pub(crate) const ALL: PageNumber = PageNumber { number: 1, size: 1000 };

/// Returns the commit that starts a run of a workflow.
pub(crate) async fn start_commit(db: &Database, workflow: &WorkflowRow) -> Commit {
    start_commit_for(workflow.id, db.latest_version_id(workflow.id).await.unwrap().unwrap())
}

/// Returns the commit that starts a run of a version.
pub(crate) fn start_commit_for(workflow_id: Uuid, version_id: Uuid) -> Commit {
    let record = RunRecord::new(workflow_id, version_id, "interactive".to_owned());
    let at = record.start_time;
    Commit {
        record,
        first: 0,
        events: vec![Event::RunStarted { inputs: Arc::default(), at }],
        rows: Vec::new(),
        side_records: None,
    }
}

/// Returns the commit that completes a run whose log has `first` events.
pub(crate) fn completion_commit(record: &RunRecord, first: u64) -> Commit {
    let at = clock::now();
    let record = RunRecord { status: RunStatus::Completed, end_time: Some(at), ..record.clone() };
    let events = vec![Event::RunResumed { at }, Event::RunCompleted { at }];
    Commit { record, first, events, rows: Vec::new(), side_records: None }
}
