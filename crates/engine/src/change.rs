//! Side records of a change: audit entries, and the outcome for an idempotency key. They are written in the transaction
//! of the change.

use std::any::Any;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clock;

/// The origin of a change: the caller and the request.
#[derive(Clone, Debug)]
pub struct ChangeOrigin {
    /// The name of the API key, or `None` on a server without API keys.
    pub actor: Option<String>,
    /// The operation id of the OpenAPI document, or a command such as `keys create`.
    pub operation: String,
    /// The request id.
    pub request_id: String,
    /// The idempotency key of the request.
    pub idempotency_key: Option<IdempotencyKey>,
}

impl ChangeOrigin {
    /// Returns the origin of a command, which has no API key and no request.
    #[must_use]
    pub fn of_command(command: &str) -> Self {
        let request_id = clock::new_id().to_string();
        Self { actor: None, operation: command.to_owned(), request_id, idempotency_key: None }
    }
}

/// An idempotency key, and the request that uses it.
#[derive(Clone, Debug)]
pub struct IdempotencyKey {
    /// The key.
    pub key: String,
    /// The hash of the request. Detects a key that is reused for a different request.
    pub request_hash: String,
    /// Keeps the key in use until the change is committed or abandoned, which may be after the response.
    pub lease: Arc<dyn Any + Send + Sync>,
}

/// The type of the subject of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum Subject {
    /// A workflow.
    Workflow,
    /// A label of a version.
    Label,
    /// A run.
    Run,
    /// A pause of a run.
    Pause,
    /// A dataset.
    Dataset,
    /// An uploaded file.
    File,
    /// An API key.
    Key,
}

impl Subject {
    /// Returns the name that the audit log uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// An audit entry, without its origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// Type of the subject.
    pub subject: Subject,
    /// Id of the subject.
    pub subject_id: String,
    /// State before the change, such as a definition hash, a version number or a status. `None` if the subject is new
    /// or has no state.
    pub before: Option<String>,
    /// State after the change. `None` if the subject was deleted or has no state.
    pub after: Option<String>,
}

impl AuditEntry {
    /// Creates an entry without states.
    pub fn new(subject: Subject, id: impl ToString) -> Self {
        Self { subject, subject_id: id.to_string(), before: None, after: None }
    }

    /// Sets the states before and after the change.
    #[must_use]
    pub fn with_states(self, before: Option<String>, after: Option<String>) -> Self {
        Self { before, after, ..self }
    }
}

/// The outcome of a request that started or changed a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    /// The run, as of the first events of its log.
    Changed {
        /// The run.
        run_id: Uuid,
        /// The number of events.
        log_length: u64,
    },
    /// A new run whose end the caller waits for.
    Awaited {
        /// The run.
        run_id: Uuid,
    },
}

/// Side records of a commit of a run.
#[derive(Clone, Debug)]
pub struct RunSideRecords {
    /// The origin of the change.
    pub origin: ChangeOrigin,
    /// The audit entries.
    pub audit: Vec<AuditEntry>,
    /// The outcome for the idempotency key, if the origin has one.
    pub outcome: RunOutcome,
}
