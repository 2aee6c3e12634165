//! Pauses that were opened and settled, over all runs.

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde::{Deserialize, Serialize};
use sluice_domain::pause::PauseAction;
use sluice_domain::run::Event;
use sluice_engine::StoreError;
use uuid::Uuid;

use crate::Database;
use crate::entity::pause_event;
use crate::error::store_error;
use crate::rows;

const PAUSE_EVENTS: &str = "pause_events";

/// A pause was opened or settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PauseEvent {
    /// Grows in the order in which the events became durable; not without gaps.
    pub id: i64,
    /// The run.
    pub run_id: Uuid,
    /// What happened.
    pub news: PauseNews,
}

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
    Settled {
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
            Event::PauseSettled { task, decision, at } => Some(Self::Settled {
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

impl Database {
    /// What happened to pauses behind the event `after`, the oldest first: at most `limit` of them.
    ///
    /// # Errors
    ///
    /// When the store fails or a row can't be read.
    pub async fn pause_events(&self, after: i64, limit: u64) -> Result<Vec<PauseEvent>, StoreError> {
        let found = pause_event::Entity::find()
            .filter(pause_event::Column::Id.gt(after))
            .order_by_asc(pause_event::Column::Id)
            .limit(limit);
        let found = rows::find(self.readers(), found).await.map_err(store_error)?;
        found.iter().map(|row| read(rows::read(row, "", PAUSE_EVENTS)?)).collect()
    }

    /// The id of the last event; 0 when there is none.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn last_pause_event(&self) -> Result<i64, StoreError> {
        let last: Option<i64> = pause_event::Entity::find()
            .select_only()
            .column(pause_event::Column::Id)
            .order_by_desc(pause_event::Column::Id)
            .limit(1)
            .into_tuple()
            .one(self.readers())
            .await
            .map_err(store_error)?;
        Ok(last.unwrap_or(0))
    }
}

fn read(row: pause_event::Model) -> Result<PauseEvent, StoreError> {
    let news = serde_json::from_str(&row.event).map_err(|error| StoreError::Unreadable {
        table: PAUSE_EVENTS,
        id: row.id.to_string(),
        what: error.to_string(),
    })?;
    Ok(PauseEvent { id: row.id, run_id: row.run_id, news })
}
