//! The table `pause_events`.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};
use sluice_domain::pause::PauseAction;
use sluice_domain::run::Event;

use super::relation::Relation;

/// An event of a pause: it was opened or decided.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "pause_events")]
pub struct Model {
    /// The id of the event. Ids grow in the order of the commits, with gaps.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The run.
    pub run_id: Uuid,
    /// The change, as JSON.
    #[sea_orm(column_type = "Text")]
    pub event: PauseChange,
}

impl ActiveModelBehavior for ActiveModel {}

/// A change of a pause, stored as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, DeriveValueType)]
#[serde(rename_all = "snake_case", tag = "type")]
#[sea_orm(
    value_type = "String",
    column_type = "Text",
    from_str = "PauseChange::from_json",
    to_str = "PauseChange::to_json"
)]
pub enum PauseChange {
    /// A run reached a gate.
    Opened {
        /// The workflow.
        workflow_id: Uuid,
        /// The gate.
        node_id: String,
        /// The message to the user.
        message: String,
        /// The time.
        at: DateTimeUtc,
    },
    /// A user decided.
    Decided {
        /// The workflow.
        workflow_id: Uuid,
        /// The gate.
        node_id: String,
        /// The decision.
        action: PauseAction,
        /// The user.
        user_id: String,
        /// The user's comments.
        comments: Option<String>,
        /// The time.
        at: DateTimeUtc,
    },
}

impl PauseChange {
    /// Converts an event of a run of this workflow. Returns `None` if the event doesn't concern a pause.
    pub(crate) fn from_event(workflow_id: Uuid, event: &Event) -> Option<Self> {
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

    fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    fn to_json(&self) -> String {
        serde_json::to_string(self).expect("strings, ids and times always serialize")
    }
}
