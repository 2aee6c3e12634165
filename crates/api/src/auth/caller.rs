//! The caller of a request.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use sluice_domain::api_scope::ApiScope;
use sluice_persistence::ApiKey;

use crate::error::{Problem, ProblemKind};

/// The API key of the caller, or `None` on a server without keys.
#[derive(Clone, Debug, Default)]
pub(crate) struct Caller(pub(crate) Option<Arc<ApiKey>>);

impl Caller {
    /// Returns the name of the key.
    pub(crate) fn name(&self) -> Option<&str> {
        self.0.as_deref().map(|key| key.name.as_str())
    }

    /// Returns the public part of the key.
    pub(crate) fn id(&self) -> Option<&str> {
        self.0.as_deref().map(|key| key.id.as_str())
    }

    /// Returns a problem unless the key has this scope.
    pub(crate) fn require_scope(&self, required: ApiScope) -> Result<(), Problem> {
        match self.0.as_deref() {
            Some(key) if !key.scopes.iter().any(|scope| scope.grants(required)) => {
                let detail = format!(
                    "The API key {:?} lacks the scope {required}, which this operation requires. Use a key with that scope.",
                    key.name
                );
                Err(Problem::new(ProblemKind::ScopeMissing, detail))
            }
            _ => Ok(()),
        }
    }

    /// Returns a problem unless the key may act for this person.
    pub(crate) fn require_acts_for(&self, person: &str) -> Result<(), Problem> {
        match self.0.as_deref() {
            Some(key) if !key.for_others && key.name != person => {
                let detail = format!(
                    "The API key {:?} may not decide on behalf of {person:?}. Send the name of the key as user_id, or use a key that may act for others.",
                    key.name
                );
                Err(Problem::new(ProblemKind::NotYourself, detail))
            }
            _ => Ok(()),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().cloned().unwrap_or_default())
    }
}
