use std::ops::Deref;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use sluice_domain::validation;
use sluice_engine::Engine;
use sluice_nodes::NodeKinds;
use sluice_persistence::Database;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::access::Access;
use crate::document::{OpenApiVersion, document_text};
use crate::metrics::HttpMetrics;
use crate::once::InProgress;
use crate::problem::{Kind, Problem};

/// What every handler works with. A request is handed through several layers, each with a clone of its own: that is one
/// count more.
#[derive(Clone)]
pub struct AppState(Arc<Shared>);

impl Deref for AppState {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// What is there once in a server.
pub struct Shared {
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
    /// What is known of API keys.
    pub(crate) access: Access,
    /// The numbers of requests.
    pub(crate) metrics: HttpMetrics,
    /// The OpenAPI documents, 3.1 and 3.0, once they were asked for.
    documents: [OnceLock<Bytes>; 2],
}

impl AppState {
    /// The state of a server with this store, engine and settings.
    #[must_use]
    pub fn new(db: Database, engine: Engine, settings: Settings) -> Self {
        let streams = Arc::new(Semaphore::new(settings.max_event_streams.min(Semaphore::MAX_PERMITS)));
        let access = Access::new(settings.max_calls_per_second);
        Self(Arc::new(Shared {
            db,
            engine,
            settings: Arc::new(settings),
            streams,
            in_progress: InProgress::default(),
            access,
            metrics: HttpMetrics::default(),
            documents: Default::default(),
        }))
    }

    /// The OpenAPI document of this server.
    pub(crate) fn document(&self, version: OpenApiVersion) -> Bytes {
        let [newer, older] = &self.documents;
        let kept = match version {
            OpenApiVersion::V3_1 => newer,
            OpenApiVersion::V3_0 => older,
        };
        kept.get_or_init(|| document_text(version, &self.settings).into()).clone()
    }

    /// A place for one more event stream.
    pub(crate) fn stream_place(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.streams).try_acquire_owned().map_err(|_| {
            let detail = "As many event streams are open as the server takes. Close one, or try again later.";
            Problem::new(Kind::TooManyStreams, detail)
        })
    }
}

/// What a mutex holds. None of ours is held where something could panic halfway through a change.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where imports go, which have a limit of their own.
const IMPORT: &str = "/wf/import/";

/// The limits and folders of a server.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where uploaded files are kept.
    pub data_dir: PathBuf,
    /// The largest JSON body that is taken.
    pub max_body_bytes: usize,
    /// The largest import that is taken, and the largest document that is exported.
    pub max_import_bytes: usize,
    /// The largest file that is taken.
    pub max_upload_bytes: u64,
    /// The most files that one upload may hold.
    pub max_upload_files: usize,
    /// How long a call that waits for a run waits at most; the run goes on after that.
    pub run_wait: Duration,
    /// The most rows of a dataset or a batch.
    pub max_batch_rows: usize,
    /// The most nodes of a definition, those of its subworkflows counted apart.
    pub max_definition_nodes: usize,
    /// The most items of a page.
    pub max_page_size: u64,
    /// How long the next piece of a body is waited for.
    pub body_pause: Duration,
    /// How long the head of a request is waited for. Whoever serves the router sees to it; it stands in the document.
    pub head_timeout: Duration,
    /// The most connections that are open at the same time, likewise.
    pub max_connections: usize,
    /// The most event streams that are open at the same time.
    pub max_event_streams: usize,
    /// Who may call.
    pub admission: Admission,
    /// The most calls a second with one API key; 0: as many as it likes.
    pub max_calls_per_second: u32,
    /// The web sites that browsers may call from, as `https://app.example`.
    pub cors_origins: Vec<String>,
}

/// Who may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Whoever has an API key. As long as there are no keys at all: whoever is on the server's machine.
    Keys,
    /// Everyone, whatever keys there are.
    Everyone,
}

impl Settings {
    /// The default limits, with files in `data_dir`.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            max_body_bytes: 8 << 20,
            max_import_bytes: 32 << 20,
            max_upload_bytes: 64 << 20,
            max_upload_files: 20,
            run_wait: Duration::from_secs(600),
            max_batch_rows: 10_000,
            max_definition_nodes: validation::MAX_NODES,
            max_page_size: 100,
            body_pause: Duration::from_secs(30),
            head_timeout: Duration::from_secs(10),
            max_connections: 4_096,
            max_event_streams: 1_000,
            admission: Admission::Keys,
            max_calls_per_second: 1_000,
            cors_origins: Vec::new(),
        }
    }

    /// The kinds of nodes, for validation.
    pub(crate) fn kinds(&self) -> NodeKinds {
        NodeKinds { max_nodes: self.max_definition_nodes, ..NodeKinds::default() }
    }

    /// How many items a page has when nothing is said.
    pub(crate) fn default_page_size(&self) -> u64 {
        self.max_page_size.min(10)
    }

    /// The largest JSON body that is taken on a path.
    pub(crate) fn max_body_on(&self, path: &str) -> usize {
        if path == IMPORT { self.max_import_bytes } else { self.max_body_bytes }
    }
}
