use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sluice_engine::Engine;
use sluice_persistence::Database;

/// What every handler works with.
#[derive(Clone)]
pub struct AppState {
    /// Where workflows and runs are kept.
    pub db: Database,
    /// What drives runs.
    pub engine: Engine,
    /// The limits and folders of this server.
    pub settings: Arc<Settings>,
}

impl AppState {
    /// The state of a server with this store, engine and settings.
    #[must_use]
    pub fn new(db: Database, engine: Engine, settings: Settings) -> Self {
        Self { db, engine, settings: Arc::new(settings) }
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
        }
    }
}
