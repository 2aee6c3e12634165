//! Side records of a change: the stored response of an idempotency key, and audit entries.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clock;

/// The record of an idempotency key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// The key that the client gave the request.
    pub key: String,
    /// SHA-256 of the request, in hex. Detects a key that is reused for a different request.
    pub request_hash: String,
    /// The run that the request has started, if it waits for that to answer.
    pub run_id: Option<Uuid>,
    /// The answer; none before there is one.
    pub answer: Option<KeptAnswer>,
}

/// An answer that was given once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptAnswer {
    /// Its status code.
    pub status: u16,
    /// Its headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: String,
}

/// An audit entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// The name of the API key; none on a server without keys.
    pub actor: Option<String>,
    /// The name of the call in the OpenAPI document.
    pub operation: String,
    /// The id of the request.
    pub request_id: String,
    /// Type of the subject: `workflow`, `label`, `run`, `pause`, `dataset`, `file` or `key`.
    pub subject: &'static str,
    /// Id of the subject.
    pub subject_id: String,
    /// State before the change, such as a definition hash, a version number or a status. None if the subject is new
    /// or has no state.
    pub before: Option<String>,
    /// State after the change. None if the subject was deleted or has no state.
    pub after: Option<String>,
}

impl AuditEntry {
    /// The entry of a command such as `keys create`, which has no API key and no HTTP request.
    #[must_use]
    pub fn of_command(
        command: &str,
        (subject, subject_id): (&'static str, String),
        (before, after): (Option<String>, Option<String>),
    ) -> Self {
        let request_id = clock::new_id().to_string();
        Self { actor: None, operation: command.to_owned(), request_id, subject, subject_id, before, after }
    }
}

/// Side records of a change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// For a client that asks again.
    pub answer: Option<Remembered>,
    /// For the audit log.
    pub audit: Vec<AuditEntry>,
}

/// Makes what is to be kept with a change from what the change made, before it is durable: all of it is kept in one
/// transaction.
pub struct Remember<T>(Arc<dyn Fn(&T) -> Kept + Send + Sync>);

impl<T> Remember<T> {
    /// Writes the side records that `make` returns.
    pub fn new(make: impl Fn(&T) -> Kept + Send + Sync + 'static) -> Self {
        Self(Arc::new(make))
    }

    /// Returns the side records of a result.
    #[must_use]
    pub fn of(&self, made: &T) -> Kept {
        (self.0)(made)
    }
}

impl<T> Clone for Remember<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> fmt::Debug for Remember<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Remember")
    }
}
