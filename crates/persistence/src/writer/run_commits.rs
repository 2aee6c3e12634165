//! Commits of runs. A batch of them needs one statement per table.

use std::collections::BTreeMap;

use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, IntoActiveModel as _, NotSet, QueryFilter,
    QueryOrder, QuerySelect, Set,
};
use serde::de::IgnoredAny;
use sluice_engine::{Commit, CommitError, StoreError};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::side_records::{self, SideRecords};
use crate::connection::sqlite_fast_path::Tx;
use crate::entity::pause_event::{self, PauseChange};
use crate::entity::{batch_row, run, run_log};
use crate::error::{is_foreign_key_violation, is_unique_violation, store_error};

/// Maximum number of jobs per transaction.
pub(super) const MAX_BATCH: usize = 256;
/// Rows of `batch_rows` per insert.
const BATCH_ROW_CHUNK: usize = 1_000;
/// SQLite's limit of parameters per statement. PostgreSQL has a higher one.
const MAX_PARAMETERS: usize = 32_766;
/// Upper bound of the columns of `runs` and `run_log`.
const MAX_COLUMNS: usize = 32;
const _: () = assert!(MAX_BATCH * MAX_COLUMNS <= MAX_PARAMETERS, "a batch fits into one statement per table");

/// A commit of a run, with the channel of its caller.
pub(super) struct RunCommit {
    run: run::Model,
    first: i64,
    count: i64,
    events: String,
    pause_changes: Vec<PauseChange>,
    /// The inputs of the rows of a new batch, as JSON.
    batch_rows: Vec<String>,
    side_records: Option<SideRecords>,
    reply: oneshot::Sender<Result<(), CommitError>>,
}

impl RunCommit {
    pub(super) fn new(
        commit: Commit,
        reply: oneshot::Sender<Result<(), CommitError>>,
    ) -> Result<Self, CommitError> {
        let Commit { record, first, events, rows, side_records } = commit;
        if events.is_empty() {
            // The row would have the same key as that of the next commit.
            return Err(StoreError::Failed("a commit without events".into()).into());
        }
        let too_long = |_| StoreError::Failed("the log of the run is too long".into());
        Ok(Self {
            first: i64::try_from(first).map_err(too_long)?,
            count: i64::try_from(events.len()).map_err(too_long)?,
            pause_changes: events
                .iter()
                .filter_map(|event| PauseChange::from_event(record.workflow_id, event))
                .collect(),
            events: serde_json::to_string(&events).map_err(|error| StoreError::Failed(Box::new(error)))?,
            run: record.into(),
            batch_rows: rows,
            side_records: side_records.map(SideRecords::from),
            reply,
        })
    }

    /// Returns true if the commit extends the log of its run after the earlier commits of the transaction, and so can
    /// share the transaction. `log_ends` contains the length of each log after those commits, and is updated.
    pub(super) fn extends_log(&self, log_ends: &mut BTreeMap<Uuid, i64>) -> bool {
        let end = log_ends.entry(self.run.id).or_insert(self.first);
        let extends = *end == self.first;
        if extends {
            *end = self.first.saturating_add(self.count);
        }
        extends
    }

    pub(super) fn reply(self, result: Result<(), CommitError>) {
        // Frees the idempotency key before the client can repeat the request.
        drop(self.side_records);
        // The commit is durable even if the caller is gone.
        let _ = self.reply.send(result);
    }
}

/// Writes commits in order.
pub(super) async fn insert(tx: &Tx<'_>, commits: &[&RunCommit]) -> Result<(), DbErr> {
    if commits.is_empty() {
        return Ok(());
    }
    // Keeps the last row of each run. Sorted, so that all servers lock rows in the same order.
    let runs: BTreeMap<Uuid, &run::Model> =
        commits.iter().map(|commit| (commit.run.id, &commit.run)).collect();
    let updated_columns = [run::Column::Status, run::Column::EndTime, run::Column::HasOpenPause];
    let runs = run::Entity::insert_many(runs.into_values().map(|run| run.clone().into_active_model()))
        .on_conflict(OnConflict::column(run::Column::Id).update_columns(updated_columns).to_owned());
    tx.execute(&runs).await?;
    let log_rows = commits.iter().map(|commit| {
        let row = run_log::Model { run_id: commit.run.id, seq: commit.first, events: commit.events.clone() };
        row.into_active_model()
    });
    tx.execute(&run_log::Entity::insert_many(log_rows)).await?;
    for commit in commits {
        insert_batch_rows(tx, commit.run.id, &commit.batch_rows).await?;
    }
    side_records::insert(tx, commits.iter().filter_map(|commit| commit.side_records.as_ref())).await?;
    insert_pause_events(tx, commits).await
}

async fn insert_batch_rows(tx: &Tx<'_>, run_id: Uuid, inputs: &[String]) -> Result<(), DbErr> {
    let mut next_row = 0;
    for chunk in inputs.chunks(BATCH_ROW_CHUNK) {
        let rows: Vec<batch_row::ActiveModel> = (next_row..)
            .zip(chunk)
            .map(|(row, inputs)| batch_row::Model { run_id, row, inputs: inputs.clone() }.into_active_model())
            .collect();
        next_row += BATCH_ROW_CHUNK as i64;
        tx.execute(&batch_row::Entity::insert_many(rows)).await?;
    }
    Ok(())
}

async fn insert_pause_events(tx: &Tx<'_>, commits: &[&RunCommit]) -> Result<(), DbErr> {
    let mut rows = Vec::new();
    for commit in commits {
        rows.extend(commit.pause_changes.iter().map(|change| pause_event::ActiveModel {
            id: NotSet,
            run_id: Set(commit.run.id),
            event: Set(change.clone()),
        }));
    }
    // One commit may open many pauses.
    for chunk in rows.chunks(MAX_BATCH) {
        tx.execute(&pause_event::Entity::insert_many(chunk.to_vec())).await?;
    }
    Ok(())
}

/// Writes one commit. If it fails, determines whether the commit was rejected or the database failed.
pub(super) async fn insert_alone(tx: &DatabaseTransaction, commit: &RunCommit) -> Result<(), CommitFault> {
    if commit.first > 0 {
        // The primary key alone would allow a gap in the log.
        match log_length(tx, commit.run.id).await? {
            None => return Err(CommitFault::Rejected(CommitError::Gone)),
            Some(length) if length != commit.first => {
                return Err(CommitFault::Rejected(CommitError::Conflict));
            }
            Some(_) => {}
        }
    }
    insert(&Tx::Orm(tx), &[commit]).await.map_err(|error| {
        if is_unique_violation(&error) {
            CommitFault::Rejected(CommitError::Conflict)
        } else if is_foreign_key_violation(&error) {
            CommitFault::Rejected(CommitError::Gone)
        } else {
            CommitFault::Database(error)
        }
    })
}

/// The reason why a commit was not written.
pub(super) enum CommitFault {
    /// Another commit has extended the log, or the run or its workflow was deleted.
    Rejected(CommitError),
    /// The database failed.
    Database(DbErr),
}

impl From<DbErr> for CommitFault {
    fn from(error: DbErr) -> Self {
        Self::Database(error)
    }
}

impl From<CommitFault> for CommitError {
    fn from(fault: CommitFault) -> Self {
        match fault {
            CommitFault::Rejected(error) => error,
            CommitFault::Database(error) => store_error(error).into(),
        }
    }
}

/// Returns the number of events in the log of a run, or `None` if there is no log.
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

#[cfg(test)]
mod tests {
    use sea_orm::Iterable as _;

    use super::*;

    #[test]
    fn a_batch_fits_into_one_statement() {
        assert!(run::Column::iter().count() <= MAX_COLUMNS);
        assert!(run_log::Column::iter().count() <= MAX_COLUMNS);
    }
}
