//! The table `pause_events`.

use sea_orm::entity::prelude::*;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sluice_domain::pause::PauseAction;
use sluice_domain::run::Event;

/// A pause that was opened or decided. Ids grow in the order of the commits.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "pause_events")]
pub(crate) struct Model {
    #[sea_orm(primary_key)]
    pub(crate) id: i64,
    pub(crate) run_id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub(crate) event: String,
}

/// None is followed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// What happened to a pause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum PauseNews {
    /// A run came to a gate.
    Opened {
        /// The workflow.
        workflow_id: Uuid,
        /// The gate.
        node_id: String,
        /// What is shown to the person.
        message: String,
        /// When.
        at: DateTime<Utc>,
    },
    /// A person decided.
    Decided {
        /// The workflow.
        workflow_id: Uuid,
        /// The gate.
        node_id: String,
        /// How.
        action: PauseAction,
        /// Who.
        user_id: String,
        /// The person's words.
        comments: Option<String>,
        /// When.
        at: DateTime<Utc>,
    },
}

impl PauseNews {
    /// What `event` of a run of this workflow says of a pause.
    pub(crate) fn of(workflow_id: Uuid, event: &Event) -> Option<Self> {
        match event {
            Event::PauseOpened { task, message, at, .. } => Some(Self::Opened {
                workflow_id,
                node_id: task.node.clone(),
                message: message.clone(),
                at: *at,
            }),
            Event::PauseDecided { task, decision, at } => Some(Self::Decided {
                workflow_id,
                node_id: task.node.clone(),
                action: decision.action,
                user_id: decision.user_id.clone(),
                comments: decision.comments.clone(),
                at: *at,
            }),
            _ => None,
        }
    }
}
