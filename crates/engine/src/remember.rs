//! What is kept with a change: the answer for a client that asks again, and what the audit log says of it.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clock;

/// What a client that asks again with the same key is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// The key that the client gave the request.
    pub key: String,
    /// What tells the request from others: the SHA-256, in hex, of what it asked for.
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

/// What the audit log says of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// The name of the API key; none on a server without keys.
    pub actor: Option<String>,
    /// The name of the call in the OpenAPI document.
    pub operation: String,
    /// The id of the request.
    pub request_id: String,
    /// What kind of thing has changed: `workflow`, `label`, `run`, `dataset`, `file` or `key`.
    pub subject: &'static str,
    /// Which one: its id.
    pub subject_id: String,
    /// What it was before: the hash of a definition, the number of a version, or a status. None: it was not there.
    pub before: Option<String>,
    /// What it is now. None: it is gone.
    pub after: Option<String>,
}

impl AuditEntry {
    /// What a command of the program changed, as `keys create`: nobody's key is known then, and no request has made it.
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

/// What is kept with a change.
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
    /// Remembers what `make` makes.
    pub fn new(make: impl Fn(&T) -> Kept + Send + Sync + 'static) -> Self {
        Self(Arc::new(make))
    }

    /// What is to be kept with `made`.
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
