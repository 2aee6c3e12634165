//! What is kept with a change for a client that asks for it again.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

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

/// Makes what is to be remembered of a change from what the change made, before it is durable: both are kept in one
/// transaction.
pub struct Remember<T>(Arc<dyn Fn(&T) -> Remembered + Send + Sync>);

impl<T> Remember<T> {
    /// Remembers what `make` makes.
    pub fn new(make: impl Fn(&T) -> Remembered + Send + Sync + 'static) -> Self {
        Self(Arc::new(make))
    }

    /// What is to be remembered of `made`.
    #[must_use]
    pub fn of(&self, made: &T) -> Remembered {
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
