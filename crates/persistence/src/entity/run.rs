//! The table `runs`.

use sea_orm::entity::prelude::*;

/// What lists and filters need of a run; the truth is its log.
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
    pub(crate) status: String,
    pub(crate) start_time: DateTimeUtc,
    pub(crate) end_time: Option<DateTimeUtc>,
    pub(crate) has_open_pause: bool,
    pub(crate) batch_row: Option<i64>,
    pub(crate) dataset_id: Option<Uuid>,
}

/// What runs are joined with.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {
    #[sea_orm(has_many = "super::run_log::Entity")]
    Log,
}

impl Related<super::run_log::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Log.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}

/// The runs that somebody must drive, in the words of the index that holds them.
pub(crate) const DRIVEN: &str = "status IN ('PENDING', 'RUNNING')";

/// The runs that have not ended, likewise.
pub(crate) const UNFINISHED: &str = "status IN ('PENDING', 'RUNNING', 'PAUSED')";

/// The runs that wait for a person, in the words of the index that holds them.
pub(crate) const WITH_OPEN_PAUSE: &str = "has_open_pause";

/// The rows that have not ended, in the words of the index that holds them.
pub(crate) const UNFINISHED_ROWS: &str =
    "batch_row IS NOT NULL AND status IN ('PENDING', 'RUNNING', 'PAUSED')";
