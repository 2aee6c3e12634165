//! Idempotency keys that are in use.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use sluice_engine::IdempotencyKey;
use uuid::Uuid;

use crate::change::request_hash::RequestHash;

/// The idempotency keys of the requests in progress. One process owns the database, so the set is complete.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeysInUse(Arc<Mutex<HashSet<String>>>);

impl KeysInUse {
    /// Claims a key. Returns `None` if it is in use.
    pub(crate) fn claim(&self, key: &str) -> Option<KeyClaim> {
        let is_new = self.0.lock().insert(key.to_owned());
        is_new.then(|| KeyClaim {
            keys: Arc::clone(&self.0),
            key: key.to_owned(),
            is_released: AtomicBool::default(),
        })
    }
}

/// A key that is in use until it is released or dropped.
#[derive(Debug)]
pub(crate) struct KeyClaim {
    keys: Arc<Mutex<HashSet<String>>>,
    key: String,
    is_released: AtomicBool,
}

impl KeyClaim {
    pub(crate) fn release(&self) {
        // Removes the key only once: afterwards, it may belong to another request.
        if !self.is_released.swap(true, Ordering::AcqRel) {
            self.keys.lock().remove(&self.key);
        }
    }
}

impl Drop for KeyClaim {
    fn drop(&mut self) {
        self.release();
    }
}

/// A request with an idempotency key.
#[derive(Debug)]
pub(crate) struct IdempotencyClaim {
    pub(crate) key: KeyClaim,
    pub(crate) hash: RequestHash,
    /// The run that an earlier attempt of this request has started and waited for.
    pub(crate) started_run: Option<Uuid>,
}

impl IdempotencyClaim {
    /// Returns the key for a change. The change may still be committed after a 503 response: the lease keeps the key in
    /// use until then.
    pub(crate) fn to_key(self: &Arc<Self>) -> IdempotencyKey {
        let lease = Arc::clone(self);
        IdempotencyKey { key: self.key.key.clone(), request_hash: self.hash.to_hex(), lease }
    }
}
