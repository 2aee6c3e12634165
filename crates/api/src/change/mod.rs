//! The context of a change: who makes it, in which request, and under which idempotency key.

pub(crate) mod audit;
pub(crate) mod claim;
pub(crate) mod request_hash;
pub(crate) mod request_id;

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderName, header};
use serde::Serialize;
use sluice_engine::{AuditEntry, Kept, KeptAnswer, Remember, Snapshot};
use uuid::Uuid;

use crate::change::audit::{Changed, Origin};
use crate::change::claim::IdempotencyClaim;

/// The context of a change: who makes it, in which request, and under which idempotency key.
#[derive(Clone, Debug, Default)]
pub(crate) struct ChangeContext {
    claim: Option<Arc<IdempotencyClaim>>,
    origin: Origin,
}

impl<S: Send + Sync> FromRequestParts<S> for ChangeContext {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self { claim: parts.extensions.get().cloned(), origin: Origin::of(&parts.extensions) })
    }
}

impl ChangeContext {
    /// Keeps the answer that `answer` makes with the change that it tells of, and what `changed` says of it.
    pub(crate) fn keep<T>(
        &self,
        changed: impl Fn(&T) -> Vec<Changed> + Send + Sync + 'static,
        answer: impl Fn(&T) -> Option<KeptAnswer> + Send + Sync + 'static,
    ) -> Option<Remember<T>> {
        let Self { claim, origin } = self.clone();
        Some(Remember::new(move |made| {
            let answer = claim.as_ref().and_then(|claim| {
                let answer = answer(made)?;
                claim.stored.lock().clone_from(&Some(answer.clone()));
                Some(claim.remembered(None, Some(answer)))
            });
            Kept { answer, audit: origin.entries(changed(made)) }
        }))
    }

    /// Keeps what `changed` says of a change. Its answer, if the request has a key, is kept after it.
    pub(crate) fn tell<T>(
        &self,
        changed: impl Fn(&T) -> Vec<Changed> + Send + Sync + 'static,
    ) -> Option<Remember<T>> {
        let origin = self.origin.clone();
        Some(Remember::new(move |made| Kept { answer: None, audit: origin.entries(changed(made)) }))
    }

    /// Keeps the answer that `answer` makes of a run that starts. A run has a log of its own: the audit log says who
    /// started it, where that is known.
    pub(crate) fn keep_start(
        &self,
        answer: impl Fn(&Snapshot) -> Option<KeptAnswer> + Send + Sync + 'static,
    ) -> Option<Remember<Snapshot>> {
        if self.claim.is_none() && !self.origin.is_known() {
            return None;
        }
        let is_known = self.origin.is_known();
        self.keep(move |run| if is_known { audit::run(run) } else { Vec::new() }, answer)
    }

    /// Notes which run was started, with its start: the answer is kept when the run has ended.
    pub(crate) fn note_run(&self) -> Option<Remember<Snapshot>> {
        let Self { claim, origin } = self.clone();
        if claim.is_none() && !origin.is_known() {
            return None;
        }
        Some(Remember::new(move |started: &Snapshot| {
            let answer = claim.as_ref().map(|claim| claim.remembered(Some(started.record.id), None));
            let changed = if origin.is_known() { audit::run(started) } else { Vec::new() };
            Kept { answer, audit: origin.entries(changed) }
        }))
    }

    /// The entries of the audit log of a change that has no transaction.
    pub(crate) fn entries(&self, changed: Vec<Changed>) -> Vec<AuditEntry> {
        self.origin.entries(changed)
    }

    /// True if the request has an idempotency key.
    pub(crate) fn has_key(&self) -> bool {
        self.claim.is_some()
    }

    /// The run that an earlier attempt of this request has started.
    pub(crate) fn started_run(&self) -> Option<Uuid> {
        self.claim.as_ref()?.started_run
    }
}

/// An answer in JSON, to be kept. None when it can't be written as JSON, which no answer of ours is.
pub(crate) fn kept(headers: &[(HeaderName, String)], answer: &impl Serialize) -> Option<KeptAnswer> {
    let json = (header::CONTENT_TYPE, "application/json".to_owned());
    let headers = headers.iter().chain([&json]).map(|(name, value)| (name.to_string(), value.clone()));
    Some(KeptAnswer { status: 200, headers: headers.collect(), body: serde_json::to_string(answer).ok()? })
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;

    use super::*;
    use crate::change::claim::KeysInUse;
    use crate::change::request_hash::RequestHash;

    #[test]
    fn a_key_is_in_use_as_long_as_the_change_may_come() {
        let keys = KeysInUse::default();
        let key = keys.claim("k").unwrap();
        let claim = IdempotencyClaim {
            key,
            hash: RequestHash::default(),
            started_run: None,
            stored: Mutex::default(),
        };
        let context = ChangeContext { claim: Some(Arc::new(claim)), origin: Origin::default() };
        // What waits in the queue of the writer.
        let change = context.keep(|()| Vec::new(), |()| None);
        drop(context);
        assert!(keys.claim("k").is_none());
        drop(change);
        let next = keys.claim("k").unwrap();
        next.release();
        let after = keys.claim("k").unwrap();
        drop(next);
        assert!(keys.claim("k").is_none());
        drop(after);
    }
}
