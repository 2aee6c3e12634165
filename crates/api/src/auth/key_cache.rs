//! A short-lived cache of API keys.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderName, header};
use moka::future::Cache;
use parking_lot::Mutex;
use sluice_engine::clock;
use sluice_persistence::{ApiKey, Database, PresentedKey};

use crate::error::{Problem, ProblemKind};

static API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Cache TTL: a revoked key keeps working for at most this long.
const KEY_CACHE_TTL: Duration = Duration::from_secs(1);
/// The cache is bounded, since it also holds ids that no key has.
const KEY_CACHE_SIZE: u64 = 10_000;
/// The precision of the time of last use.
const LAST_USE_PRECISION: Duration = Duration::from_secs(60);

/// A cache of API keys, with the checks of a key.
#[derive(Debug)]
pub(crate) struct KeyCache {
    keys: Cache<String, Option<Arc<ApiKey>>>,
    /// Set while the database has no key: the time of the next query for keys.
    keyless_until: Mutex<Option<Instant>>,
    /// Set once the database has a key: from then on, calls without a key are rejected until the server restarts.
    has_keys: AtomicBool,
    /// Keys whose last use was saved recently.
    recently_used: Cache<String, ()>,
}

impl Default for KeyCache {
    fn default() -> Self {
        Self {
            keys: Cache::builder().max_capacity(KEY_CACHE_SIZE).time_to_live(KEY_CACHE_TTL).build(),
            keyless_until: Mutex::default(),
            has_keys: AtomicBool::default(),
            recently_used: Cache::builder()
                .max_capacity(KEY_CACHE_SIZE)
                .time_to_live(LAST_USE_PRECISION)
                .build(),
        }
    }
}

impl KeyCache {
    /// Returns true if the database has API keys.
    pub(crate) async fn has_keys(&self, db: &Database) -> Result<bool, Problem> {
        if self.has_keys.load(Ordering::Relaxed) {
            return Ok(true);
        }
        if self.keyless_until.lock().is_some_and(|until| Instant::now() < until) {
            return Ok(false);
        }
        let until = Instant::now() + KEY_CACHE_TTL;
        let has_keys = db.has_api_keys().await?;
        if has_keys {
            self.has_keys.store(true, Ordering::Relaxed);
        } else {
            *self.keyless_until.lock() = Some(until);
        }
        Ok(has_keys)
    }

    /// Returns the key that the request presents, or a problem if it is missing or not valid.
    pub(crate) async fn authenticate(
        &self,
        db: &Database,
        headers: &HeaderMap,
    ) -> Result<Arc<ApiKey>, Problem> {
        let text = presented_key(headers)?.ok_or_else(|| unauthenticated_problem(KEY_MISSING))?;
        let presented = PresentedKey::parse(text).ok_or_else(|| unauthenticated_problem(KEY_INVALID))?;
        let load = async { Ok::<_, Problem>(db.api_key_get(presented.id).await?.map(Arc::new)) };
        let key = self.keys.try_get_with(presented.id.to_owned(), load).await;
        let key = key.map_err(|problem| (*problem).clone())?;
        let is_match = presented.matches(key.as_deref());
        let key = key.filter(|_| is_match).ok_or_else(|| unauthenticated_problem(KEY_INVALID))?;
        // Only a caller with the secret learns why the key is rejected.
        match rejection_reason(&key) {
            Some(reason) => Err(unauthenticated_problem(reason)),
            None => Ok(key),
        }
    }

    /// Saves in the background that a key was used.
    pub(crate) async fn save_last_use(&self, db: &Database, key: &ApiKey) {
        if self.recently_used.contains_key(&key.id) {
            return;
        }
        self.recently_used.insert(key.id.clone(), ()).await;
        let (db, id) = (db.clone(), key.id.clone());
        tokio::spawn(async move {
            if let Err(error) = db.api_key_touch(id, clock::now()).await {
                tracing::debug!(%error, "last use of an API key not saved");
            }
        });
    }
}

const KEY_MISSING: &str =
    "The API key is missing. Send it in the header `Authorization: Bearer KEY` or `X-API-Key: KEY`.";

const KEY_INVALID: &str = "The API key is invalid. Check that it was copied completely.";

fn unauthenticated_problem(detail: &str) -> Problem {
    Problem::new(ProblemKind::Unauthenticated, detail)
}

/// Returns the key in the headers of a request.
fn presented_key(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut keys = Vec::new();
    for value in headers.get_all(header::AUTHORIZATION) {
        let bearer = value.to_str().ok().and_then(|text| {
            let (scheme, key) = text.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
        });
        keys.push(bearer.ok_or_else(|| {
            unauthenticated_problem("The header Authorization is invalid. Send `Authorization: Bearer KEY`.")
        })?);
    }
    for value in headers.get_all(&API_KEY) {
        keys.push(value.to_str().map_err(|_| unauthenticated_problem(KEY_INVALID))?);
    }
    match keys.as_slice() {
        [] => Ok(None),
        [key] => Ok(Some(key)),
        // Ambiguous: a proxy may have checked another key than this server would.
        _ => Err(unauthenticated_problem("The request has several API keys. Send one.")),
    }
}

/// Returns the reason why a key is no longer accepted, or `None` if it is accepted.
pub(crate) fn rejection_reason(key: &ApiKey) -> Option<&'static str> {
    if key.revoked_at.is_some() {
        return Some("The API key was revoked. Create a new one.");
    }
    let is_expired = key.expires_at.is_some_and(|end| end <= clock::now());
    is_expired.then_some("The API key has expired. Create a new one.")
}
