//! The settings of a server that the HTTP interface depends on.

use std::path::PathBuf;
use std::time::Duration;

use sluice_domain::graph::MAX_NODES;
use sluice_nodes::NodeKinds;

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
    /// Maximum wait for a run. The run continues afterwards.
    pub run_wait: Duration,
    /// The most rows of a dataset or a batch.
    pub max_batch_rows: usize,
    /// The most nodes of a definition, those of its subworkflows counted apart.
    pub max_definition_nodes: usize,
    /// The most items of a page.
    pub max_page_size: u64,
    /// Timeout for the next part of a request body.
    pub body_pause: Duration,
    /// The most event streams that are open at the same time.
    pub max_event_streams: usize,
    /// Admission of clients.
    pub admission: Admission,
    /// Rate limit per API key, in requests per second. 0 means no limit.
    pub max_calls_per_second: u32,
    /// The web sites that browsers may call from, as `https://app.example`.
    pub cors_origins: Vec<String>,
}

/// Admission of clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Clients with an API key. While no key exists, clients on the same machine.
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
            max_definition_nodes: MAX_NODES,
            max_page_size: 100,
            body_pause: Duration::from_secs(30),
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

    /// Default page size.
    pub(crate) fn default_page_size(&self) -> u64 {
        self.max_page_size.min(10)
    }

    /// The largest JSON body that is taken on a path.
    pub(crate) fn max_body_on(&self, path: &str) -> usize {
        if path == IMPORT { self.max_import_bytes } else { self.max_body_bytes }
    }
}
