use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sluice_engine::Engine;
use sluice_persistence::Database;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::metrics::HttpMetrics;
use crate::once::InProgress;
use crate::problem::{Kind, Problem};

/// What every handler works with.
#[derive(Clone)]
pub struct AppState {
    /// Where workflows and runs are kept.
    pub db: Database,
    /// What drives runs.
    pub engine: Engine,
    /// The limits and folders of this server.
    pub settings: Arc<Settings>,
    /// The places of event streams that are open at the same time.
    streams: Arc<Semaphore>,
    /// The keys of requests that are being carried out once.
    pub(crate) in_progress: InProgress,
    /// The numbers of requests.
    pub(crate) metrics: HttpMetrics,
}

impl AppState {
    /// The state of a server with this store, engine and settings.
    #[must_use]
    pub fn new(db: Database, engine: Engine, settings: Settings) -> Self {
        let streams = Arc::new(Semaphore::new(settings.max_event_streams.min(Semaphore::MAX_PERMITS)));
        Self {
            db,
            engine,
            settings: Arc::new(settings),
            streams,
            in_progress: InProgress::default(),
            metrics: HttpMetrics::default(),
        }
    }

    /// A place for one more event stream.
    pub(crate) fn stream_place(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.streams).try_acquire_owned().map_err(|_| {
            let detail = "As many event streams are open as the server takes. Close one, or try again later.";
            Problem::new(Kind::TooManyStreams, detail)
        })
    }
}

/// The limits and folders of a server.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where uploaded files are kept.
    pub data_dir: PathBuf,
    /// The largest JSON body that is taken.
    pub max_body_bytes: usize,
    /// The largest file that is taken.
    pub max_upload_bytes: u64,
    /// The most files that one upload may hold.
    pub max_upload_files: usize,
    /// How long a call that waits for a run waits at most; the run goes on after that.
    pub run_wait: Duration,
    /// The most rows of a dataset or a batch.
    pub max_batch_rows: usize,
    /// How long the next piece of a body is waited for.
    pub body_pause: Duration,
    /// The most event streams that are open at the same time.
    pub max_event_streams: usize,
}

impl Settings {
    /// The default limits, with files in `data_dir`.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            max_body_bytes: 8 << 20,
            max_upload_bytes: 64 << 20,
            max_upload_files: 20,
            run_wait: Duration::from_secs(600),
            max_batch_rows: 10_000,
            body_pause: Duration::from_secs(30),
            max_event_streams: 1_000,
        }
    }
}
