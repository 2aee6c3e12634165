//! The context of a change: the caller, the request, and its idempotency key.

pub(crate) mod claim;
pub(crate) mod request_hash;
pub(crate) mod request_id;

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use sluice_engine::ChangeOrigin;
use uuid::Uuid;

use crate::auth::caller::Caller;
use crate::change::claim::IdempotencyClaim;
use crate::change::request_id::RequestId;
use crate::operations::Operation;

/// The context of a change: the caller, the request, and its idempotency key.
#[derive(Clone, Debug, Default)]
pub(crate) struct ChangeContext {
    caller: Caller,
    operation: Option<Arc<Operation>>,
    request_id: RequestId,
    claim: Option<Arc<IdempotencyClaim>>,
}

impl<S: Send + Sync> FromRequestParts<S> for ChangeContext {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self {
            caller: parts.extensions.get().cloned().unwrap_or_default(),
            operation: parts.extensions.get().cloned(),
            request_id: parts.extensions.get().cloned().unwrap_or_default(),
            claim: parts.extensions.get().cloned(),
        })
    }
}

impl ChangeContext {
    /// Returns the origin of the change. A form must be read first: its hash is part of the origin.
    pub(crate) fn origin(&self) -> ChangeOrigin {
        ChangeOrigin {
            actor: self.caller.name().map(str::to_owned),
            operation: self.operation.as_ref().map_or_else(String::new, |operation| operation.id.clone()),
            request_id: self.request_id.as_str().to_owned(),
            idempotency_key: self.claim.as_ref().map(IdempotencyClaim::to_key),
        }
    }

    /// Returns the run that an earlier attempt of this request has started.
    pub(crate) fn started_run(&self) -> Option<Uuid> {
        self.claim.as_ref()?.started_run
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::claim::KeysInUse;
    use crate::change::request_hash::RequestHash;

    #[test]
    fn key_is_in_use_until_the_change_is_dropped() {
        let keys = KeysInUse::default();
        let key = keys.claim("k").unwrap();
        let claim = IdempotencyClaim { key, hash: RequestHash::default(), started_run: None };
        let context = ChangeContext { claim: Some(Arc::new(claim)), ..ChangeContext::default() };
        // The queue of the writer holds the origin.
        let origin = context.origin();
        drop(context);
        assert!(keys.claim("k").is_none());
        drop(origin);
        let next = keys.claim("k").unwrap();
        next.release();
        let after = keys.claim("k").unwrap();
        drop(next);
        assert!(keys.claim("k").is_none());
        drop(after);
    }
}
