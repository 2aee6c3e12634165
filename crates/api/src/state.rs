//! Shared application state.

use std::ops::Deref;
use std::sync::Arc;

use sluice_engine::Engine;
use sluice_persistence::Database;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::auth::key_cache::KeyCache;
use crate::auth::rate_limit::RateLimit;
use crate::change::claim::KeysInUse;
use crate::error::{Problem, ProblemKind};
use crate::metrics::HttpMetrics;
use crate::settings::Settings;

/// Shared application state. Cheap to clone: every request holds clones.
#[derive(Clone)]
pub struct AppState(Arc<Shared>);

impl Deref for AppState {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// The parts of the application state.
pub struct Shared {
    /// The database of workflows and runs.
    pub db: Database,
    /// The engine, which drives runs.
    pub engine: Engine,
    /// Limits and folders.
    pub settings: Arc<Settings>,
    /// Limits the number of open event streams.
    streams: Arc<Semaphore>,
    /// Idempotency keys that are in use.
    pub(crate) idempotency_keys: KeysInUse,
    pub(crate) keys: KeyCache,
    pub(crate) rate_limit: RateLimit,
    pub(crate) metrics: HttpMetrics,
}

impl AppState {
    /// Creates the state of a server.
    #[must_use]
    pub fn new(db: Database, engine: Engine, settings: Settings) -> Self {
        let streams = Arc::new(Semaphore::new(settings.max_event_streams.min(Semaphore::MAX_PERMITS)));
        let rate_limit = RateLimit::per_second(settings.max_calls_per_second);
        Self(Arc::new(Shared {
            db,
            engine,
            settings: Arc::new(settings),
            streams,
            idempotency_keys: KeysInUse::default(),
            keys: KeyCache::default(),
            rate_limit,
            metrics: HttpMetrics::default(),
        }))
    }

    /// Returns a permit for one more event stream.
    pub(crate) fn event_stream_permit(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.streams).try_acquire_owned().map_err(|_| {
            let detail = "The maximum number of event streams is open. Close one, or try again later.";
            Problem::new(ProblemKind::TooManyStreams, detail)
        })
    }
}
