//! Databases for tests: a new SQLite file or PostgreSQL database for each.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _, SqliteConnection};
use tempfile::TempDir;

/// Kind of database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    Sqlite,
    Postgres,
}

/// A database and a data directory. Dropping it removes both.
pub(crate) struct Database {
    pub(crate) backend: Backend,
    pub(crate) url: String,
    folder: TempDir,
    /// On PostgreSQL: URL of the maintenance database, and name of this one.
    cluster: Option<(String, String)>,
}

impl Database {
    pub(crate) async fn new(backend: Backend) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        match backend {
            Backend::Sqlite => {
                let url = format!("sqlite://{}", folder.path().join("sluice.db").display());
                Self { backend, url, folder, cluster: None }
            }
            Backend::Postgres => {
                let (admin, name) = (cluster_url(), database_name());
                on_postgres(&admin, &format!("CREATE DATABASE {name}")).await;
                let (server, _) = admin.rsplit_once('/').expect("a URL with a database name");
                let url = format!("{server}/{name}");
                Self { backend, url, folder, cluster: Some((admin, name)) }
            }
        }
    }

    /// Refers to a database that the caller or the server creates. The caller removes it.
    pub(crate) fn at(backend: Backend, url: String) -> Self {
        Self { backend, url, folder: tempfile::tempdir().expect("a temporary folder"), cluster: None }
    }

    /// Returns the folder for uploaded files.
    pub(crate) fn data_dir(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    /// Runs SQL, for changes that are not possible through the API. Returns the number of affected rows.
    pub(crate) async fn execute(&self, sql: &str) -> u64 {
        match self.backend {
            Backend::Postgres => on_postgres(&self.url, sql).await,
            Backend::Sqlite => {
                let mut db = SqliteConnection::connect(&self.url).await.expect("the SQLite file");
                let result = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut db).await.expect("the statement");
                db.close().await.expect("the SQLite file closes");
                result.rows_affected()
            }
        }
    }

    /// Returns the number of commits in the log of a run.
    pub(crate) async fn count_commits(&self, run: &str) -> usize {
        let count = |id: String| format!("SELECT count(*) FROM run_log WHERE run_id = {id}");
        let rows: i64 = match self.backend {
            Backend::Sqlite => {
                let sql = count(format!("x'{}'", run.replace('-', "")));
                let mut db = SqliteConnection::connect(&self.url).await.expect("the SQLite file");
                let row = sqlx::query(AssertSqlSafe(sql)).fetch_one(&mut db).await.expect("a count");
                db.close().await.expect("the SQLite file closes");
                row.get(0)
            }
            Backend::Postgres => {
                let sql = count(format!("'{run}'"));
                let mut db = PgConnection::connect(&self.url).await.expect("the PostgreSQL cluster");
                let row = sqlx::query(AssertSqlSafe(sql)).fetch_one(&mut db).await.expect("a count");
                db.close().await.expect("the connection closes");
                row.get(0)
            }
        };
        usize::try_from(rows).expect("a count")
    }

    /// Waits until the server has no connection to the database. PostgreSQL notices a killed client with a delay.
    pub(crate) async fn wait_until_released(&self) {
        let Some((admin, name)) = &self.cluster else { return };
        let count = format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}'");
        let mut db = PgConnection::connect(admin).await.expect("the PostgreSQL cluster");
        crate::support::polling::eventually(
            "PostgreSQL to drop the killed server's connections",
            async || {
                let row =
                    sqlx::query(AssertSqlSafe(count.as_str())).fetch_one(&mut db).await.expect("a count");
                (row.get::<i64, _>(0) == 0).then_some(())
            },
        )
        .await;
    }
}

fn cluster_url() -> String {
    std::env::var_os("SLUICE_TEST_POSTGRES_URL").and_then(|url| url.into_string().ok()).expect(
        "this test needs a PostgreSQL cluster in SLUICE_TEST_POSTGRES_URL: use `make test`, \
         or `scripts/with-postgres.sh cargo nextest run …`, which start one",
    )
}

/// Returns a name that is unique within a run of the suite.
fn database_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("sluice_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

async fn on_postgres(url: &str, sql: &str) -> u64 {
    let mut db = PgConnection::connect(url).await.expect("the PostgreSQL cluster");
    let result = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut db).await.expect("the statement");
    db.close().await.expect("the connection closes");
    result.rows_affected()
}

impl Drop for Database {
    fn drop(&mut self) {
        let Some((admin, name)) = self.cluster.take() else { return };
        // `drop` is not async, and the runtime of the test may be unwinding.
        let dropped = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(on_postgres(&admin, &format!("DROP DATABASE {name} WITH (FORCE)")));
        });
        dropped.join().ok();
    }
}

/// Lists the files below a folder, relative to it. Returns an empty list if the folder does not exist.
pub(crate) fn files_below(folder: &Path) -> Vec<String> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&next) else { continue };
        for entry in entries {
            let path = entry.expect("a folder entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path.strip_prefix(folder).expect("below the folder").display().to_string());
            }
        }
    }
    files.sort();
    files
}
