//! Commits of runs: many in two statements.

use std::collections::BTreeMap;

use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, NotSet, QueryFilter, QueryOrder, QuerySelect, Set,
};
use serde::de::IgnoredAny;
use sluice_engine::{Commit, CommitError, Kept, RunRecord, StoreError};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::side_records;
use crate::connection::sqlite_fast_path::Tx;
use crate::entity::pause_event::{self, PauseNews};
use crate::entity::{batch_row, run, run_log};
use crate::error::{is_foreign_key_violation, is_unique_violation, store_error};

/// How much is written in one transaction at most.
pub(super) const BATCH: usize = 256;
/// How many rows of a batch are written in one statement.
const CHUNK: usize = 1_000;
/// How many variables a statement of SQLite takes; PostgreSQL takes more.
const MAX_VARIABLES: usize = 32_766;
/// How many columns the wider of the two tables has.
const COLUMNS: usize = 11;
// A whole batch fits into one statement a table, so nothing is ever cut into pieces.
const _: () = assert!(BATCH * COLUMNS <= MAX_VARIABLES);

/// A commit and the caller who waits for it.
pub(super) struct RunCommit {
    record: RunRecord,
    first: i64,
    count: i64,
    events: String,
    /// What the events say of pauses, each as JSON.
    pauses: Vec<String>,
    /// The rows of a batch that begins.
    rows: Vec<String>,
    kept: Kept,
    reply: oneshot::Sender<Result<(), CommitError>>,
}

impl RunCommit {
    pub(super) fn new(
        commit: Commit,
        reply: oneshot::Sender<Result<(), CommitError>>,
    ) -> Result<Self, CommitError> {
        let Commit { record, first, events, rows, kept } = commit;
        let failed = |reason: &str| StoreError::Failed(reason.into());
        if events.is_empty() {
            // Its row would stand where the next commit's belongs.
            return Err(failed("a commit needs events").into());
        }
        let first = i64::try_from(first).map_err(|_| failed("a log can't be so long"))?;
        let count = i64::try_from(events.len()).map_err(|_| failed("a log can't be so long"))?;
        let unwritable = |error: serde_json::Error| StoreError::Failed(Box::new(error));
        let pauses = events.iter().filter_map(|event| PauseNews::of(record.workflow_id, event));
        let pauses =
            pauses.map(|news| serde_json::to_string(&news)).collect::<Result<_, _>>().map_err(unwritable)?;
        let events = serde_json::to_string(&events).map_err(unwritable)?;
        Ok(Self { record, first, count, events, pauses, rows, kept, reply })
    }

    /// Whether it can share a transaction with the commits before it, of which `ends` says where they leave
    /// the log of each run. One that can't will conflict, or belongs to a log that grows by leaps.
    pub(super) fn follows(&self, ends: &mut BTreeMap<Uuid, i64>) -> bool {
        let end = ends.entry(self.record.id).or_insert(self.first);
        let follows = *end == self.first;
        if follows {
            *end = self.first.saturating_add(self.count);
        }
        follows
    }

    pub(super) fn answer(self, answer: Result<(), CommitError>) {
        // Nobody there any more: the commit stands, or doesn't, all the same.
        let _ = self.reply.send(answer);
    }
}

/// Writes commits, in their order.
pub(super) async fn insert(tx: &Tx<'_>, commits: &[&RunCommit]) -> Result<(), DbErr> {
    if commits.is_empty() {
        return Ok(());
    }
    // The last record of a run wins. Sorted, so that two servers lock rows in the same order.
    let records: BTreeMap<Uuid, &RunRecord> =
        commits.iter().map(|commit| (commit.record.id, &commit.record)).collect();
    let update = [run::Column::Status, run::Column::EndTime, run::Column::HasOpenPause];
    let runs = run::Entity::insert_many(records.into_values().map(run_row))
        .on_conflict(OnConflict::column(run::Column::Id).update_columns(update).to_owned());
    tx.execute(&runs).await?;
    tx.execute(&run_log::Entity::insert_many(commits.iter().map(|commit| log_row(commit)))).await?;
    for commit in commits.iter().filter(|commit| !commit.rows.is_empty()) {
        insert_rows(tx, commit.record.id, &commit.rows).await?;
    }
    side_records::keep(tx, commits.iter().map(|commit| &commit.kept)).await?;
    insert_pauses(tx, commits).await
}

async fn insert_pauses(tx: &Tx<'_>, commits: &[&RunCommit]) -> Result<(), DbErr> {
    let row = |commit: &RunCommit, news: &String| pause_event::ActiveModel {
        id: NotSet,
        run_id: Set(commit.record.id),
        event: Set(news.clone()),
    };
    let rows = commits.iter().flat_map(|commit| commit.pauses.iter().map(|news| row(commit, news)));
    let rows: Vec<pause_event::ActiveModel> = rows.collect();
    // One commit may open many.
    for some in rows.chunks(BATCH) {
        tx.execute(&pause_event::Entity::insert_many(some.to_vec())).await?;
    }
    Ok(())
}

/// Writes one commit and says what is wrong with it.
pub(super) async fn insert_alone(tx: &DatabaseTransaction, commit: &RunCommit) -> Result<(), Alone> {
    if commit.first > 0 {
        // The key of the log alone would let a commit leave a gap.
        match log_length(tx, commit.record.id).await? {
            None => return Err(Alone::Refused(CommitError::Gone)),
            Some(length) if length != commit.first => return Err(Alone::Refused(CommitError::Conflict)),
            Some(_) => {}
        }
    }
    insert(&Tx::Orm(tx), &[commit]).await.map_err(|error| {
        if is_unique_violation(&error) {
            Alone::Refused(CommitError::Conflict)
        } else if is_foreign_key_violation(&error) {
            Alone::Refused(CommitError::Gone)
        } else {
            Alone::Database(error)
        }
    })
}

/// Why a commit was not written.
pub(super) enum Alone {
    /// It doesn't fit.
    Refused(CommitError),
    /// The database failed.
    Database(DbErr),
}

impl From<DbErr> for Alone {
    fn from(error: DbErr) -> Self {
        Self::Database(error)
    }
}

impl From<Alone> for CommitError {
    fn from(error: Alone) -> Self {
        match error {
            Alone::Refused(refusal) => refusal,
            Alone::Database(error) => store_error(error).into(),
        }
    }
}

/// How many events the log of a run has; none when there is no log.
async fn log_length(tx: &DatabaseTransaction, run_id: Uuid) -> Result<Option<i64>, DbErr> {
    let last: Option<(i64, String)> = run_log::Entity::find()
        .select_only()
        .columns([run_log::Column::Seq, run_log::Column::Events])
        .filter(run_log::Column::RunId.eq(run_id))
        .order_by_desc(run_log::Column::Seq)
        .limit(1)
        .into_tuple()
        .one(tx)
        .await?;
    let Some((seq, events)) = last else { return Ok(None) };
    let events: Vec<IgnoredAny> =
        serde_json::from_str(&events).map_err(|error| DbErr::Json(error.to_string()))?;
    Ok(Some(i64::try_from(events.len()).map_or(i64::MAX, |count| seq.saturating_add(count))))
}

fn run_row(record: &RunRecord) -> run::ActiveModel {
    run::ActiveModel {
        id: Set(record.id),
        workflow_id: Set(record.workflow_id),
        version_id: Set(record.version_id),
        parent_run_id: Set(record.parent_run_id),
        batch_row: Set(record.batch_row),
        dataset_id: Set(record.dataset_id),
        run_type: Set(record.run_type.clone()),
        status: Set(record.status.as_str().to_owned()),
        start_time: Set(record.start_time),
        end_time: Set(record.end_time),
        has_open_pause: Set(record.has_open_pause),
    }
}

fn log_row(commit: &RunCommit) -> run_log::ActiveModel {
    run_log::ActiveModel {
        run_id: Set(commit.record.id),
        seq: Set(commit.first),
        events: Set(commit.events.clone()),
    }
}

/// Writes the rows of a batch that begins.
async fn insert_rows(tx: &Tx<'_>, run_id: Uuid, rows: &[String]) -> Result<(), DbErr> {
    let mut numbered = (0_i64..).zip(rows);
    loop {
        let chunk: Vec<batch_row::ActiveModel> = numbered
            .by_ref()
            .take(CHUNK)
            .map(|(row, inputs)| batch_row::ActiveModel {
                run_id: Set(run_id),
                row: Set(row),
                inputs: Set(inputs.clone()),
            })
            .collect();
        if chunk.is_empty() {
            return Ok(());
        }
        tx.execute(&batch_row::Entity::insert_many(chunk)).await?;
    }
}
