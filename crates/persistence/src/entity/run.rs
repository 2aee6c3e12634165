//! The table `runs`.

use std::fmt;
use std::str::FromStr;

use sea_orm::entity::prelude::*;
use sluice_domain::run::RunStatus;
use sluice_engine::RunRecord;

use super::relation::Relation;

/// Condition of the index of runs that need a driver.
pub(crate) const DRIVEN: &str = "status IN ('PENDING', 'RUNNING')";
/// Condition of the index of runs that have not ended.
pub(crate) const UNFINISHED: &str = "status IN ('PENDING', 'RUNNING', 'PAUSED')";
/// Condition of the index of runs with an open pause.
pub(crate) const WITH_OPEN_PAUSE: &str = "has_open_pause";
/// Condition of the index of batch rows that have not ended.
pub(crate) const UNFINISHED_ROWS: &str =
    "batch_row IS NOT NULL AND status IN ('PENDING', 'RUNNING', 'PAUSED')";

/// The row of a run, for lists and filters. It has the status and the times of the log, and the options that the client
/// chose at the start, such as `run_type`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "runs")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    pub(crate) workflow_id: Uuid,
    pub(crate) version_id: Uuid,
    pub(crate) parent_run_id: Option<Uuid>,
    #[sea_orm(column_type = "Text")]
    pub(crate) run_type: String,
    #[sea_orm(column_type = "Text")]
    pub(crate) status: Status,
    pub(crate) start_time: DateTimeUtc,
    pub(crate) end_time: Option<DateTimeUtc>,
    pub(crate) has_open_pause: bool,
    pub(crate) batch_row: Option<i64>,
    pub(crate) dataset_id: Option<Uuid>,
}

impl ActiveModelBehavior for ActiveModel {}

/// The stored form of a run status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, DeriveValueType)]
#[sea_orm(value_type = "String", column_type = "Text")]
pub(crate) struct Status(pub(crate) RunStatus);

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl FromStr for Status {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, UnknownStatus> {
        text.parse().map(Self).map_err(|_| UnknownStatus(text.to_owned()))
    }
}

/// A status that this release doesn't support.
#[derive(Debug, thiserror::Error)]
#[error("unknown status {0:?}")]
pub(crate) struct UnknownStatus(String);

// The engine defines the record without sea-orm. These conversions are the only mapping between the two.

impl From<Model> for RunRecord {
    fn from(row: Model) -> Self {
        Self {
            id: row.id,
            workflow_id: row.workflow_id,
            version_id: row.version_id,
            parent_run_id: row.parent_run_id,
            batch_row: row.batch_row,
            dataset_id: row.dataset_id,
            run_type: row.run_type,
            start_time: row.start_time,
            status: row.status.0,
            end_time: row.end_time,
            has_open_pause: row.has_open_pause,
        }
    }
}

impl From<RunRecord> for Model {
    fn from(record: RunRecord) -> Self {
        Self {
            id: record.id,
            workflow_id: record.workflow_id,
            version_id: record.version_id,
            parent_run_id: record.parent_run_id,
            batch_row: record.batch_row,
            dataset_id: record.dataset_id,
            run_type: record.run_type,
            start_time: record.start_time,
            status: Status(record.status),
            end_time: record.end_time,
            has_open_pause: record.has_open_pause,
        }
    }
}
