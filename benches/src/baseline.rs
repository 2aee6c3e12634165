//! The baselines: plain axum handlers that only do the necessary database operation.
#![expect(clippy::print_stdout, reason = "the benchmark reads the address from standard output")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Bytes;
use axum::extract::{Path as UrlPath, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use sea_orm::entity::prelude::*;
use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use sea_orm::{ConnectOptions, DatabaseConnection, Set};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use sluice_engine::{Commit, RunStore as _, StoredRun};
use sluice_persistence::{Database, Options};

use crate::args::Failure;

mod workflow {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "workflows")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: Uuid,
        #[sea_orm(column_type = "Text")]
        pub(crate) name: String,
        #[sea_orm(column_type = "Text", nullable)]
        pub(crate) description: Option<String>,
        #[sea_orm(column_type = "Text")]
        pub(crate) definition: String,
        pub(crate) created_at: DateTimeUtc,
        pub(crate) updated_at: DateTimeUtc,
        #[sea_orm(column_type = "Text")]
        pub(crate) tags: String,
        pub(crate) version: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

struct Baseline {
    readers: DatabaseConnection,
    writer: DatabaseConnection,
    store: Database,
    /// The run that is copied by each request.
    run: Option<StoredRun>,
    count: AtomicU64,
}

type Shared = State<Arc<Baseline>>;

fn internal_error(error: impl std::fmt::Display) -> (StatusCode, String) {
    (StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
}

/// Serves the baselines on the SQLite file, and prints the address.
#[tokio::main]
pub(crate) async fn serve(file: &Path) -> Result<(), Failure> {
    let url = format!("sqlite://{}", file.display());
    let store = Database::open(Options::new(url.clone())).await?;
    let run =
        store.run_list(Default::default(), sluice_persistence::PageNumber { number: 1, size: 1 }).await?;
    let run = match run.rows.first() {
        Some(run) => {
            store.run(run.record.id).await?.map(|run| StoredRun { record: run.record, log: run.log })
        }
        None => None,
    };
    let baseline = Baseline {
        readers: connect(&url, 4).await?,
        writer: connect(&url, 1).await?,
        store,
        run,
        count: AtomicU64::new(0),
    };
    let router = Router::new()
        .route("/get/{id}", get(read_workflow))
        .route("/post", post(insert_workflow))
        .route("/run", post(write_run))
        .with_state(Arc::new(baseline));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    Ok(axum::serve(listener, router).await?)
}

async fn connect(url: &str, connections: u32) -> Result<DatabaseConnection, DbErr> {
    let mut options = ConnectOptions::new(url);
    options.max_connections(connections).sqlx_logging(false).test_before_acquire(false).map_sqlx_sqlite_opts(
        |options| {
            options
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
                .pragma("cache_size", "-65536")
                .pragma("mmap_size", (256 << 20).to_string())
        },
    );
    sea_orm::Database::connect(options).await
}

async fn read_workflow(
    State(baseline): Shared,
    UrlPath(id): UrlPath<Uuid>,
) -> Result<Json<Value>, (StatusCode, String)> {
    let found = workflow::Entity::find_by_id(id).one(&baseline.readers).await.map_err(internal_error)?;
    let workflow::Model { id, name, description, definition, created_at, updated_at, .. } =
        found.ok_or_else(|| internal_error("no such workflow"))?;
    // The definition as text is the cheapest format that a client can parse.
    Ok(Json(json!({
        "id": id, "name": name, "description": description, "definition": definition,
        "created_at": created_at.to_rfc3339(), "updated_at": updated_at.to_rfc3339(),
    })))
}

async fn insert_workflow(State(baseline): Shared, body: Bytes) -> Result<Json<Uuid>, (StatusCode, String)> {
    let definition = serde_json::from_slice::<&RawValue>(&body).map_err(internal_error)?;
    let number = baseline.count.fetch_add(1, Ordering::Relaxed);
    let (id, at) = (sluice_engine::clock::new_id(), sluice_engine::clock::now());
    let row = workflow::ActiveModel {
        id: Set(id),
        name: Set(format!("baseline {number}")),
        description: Set(Some("measured".to_owned())),
        definition: Set(definition.get().to_owned()),
        created_at: Set(at),
        updated_at: Set(at),
        tags: Set("[]".to_owned()),
        version: Set(1),
    };
    workflow::Entity::insert(row).exec_without_returning(&baseline.writer).await.map_err(internal_error)?;
    Ok(Json(id))
}

async fn write_run(State(baseline): Shared, _body: Bytes) -> Result<Json<Uuid>, (StatusCode, String)> {
    let StoredRun { record, log } = baseline.run.as_ref().ok_or_else(|| internal_error("no run to copy"))?;
    let id = sluice_engine::clock::new_id();
    let mut record = record.clone();
    record.id = id;
    let commit = Commit { record, first: 0, events: log.clone(), rows: Vec::new(), side_records: None };
    baseline.store.commit(commit).await.map_err(internal_error)?;
    Ok(Json(id))
}
