//! The settings of the HTTP API.

use std::path::PathBuf;
use std::time::Duration;

use sluice_domain::graph::MAX_NODES;
use sluice_nodes::NodeKinds;

/// Path of imports, which have a separate body limit.
const IMPORT_PATH: &str = "/wf/import/";

/// The limits and folders of a server.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Folder for uploaded files.
    pub data_dir: PathBuf,
    /// Maximum size of a JSON body, in bytes.
    pub max_body_bytes: usize,
    /// Maximum size of an import and of an exported document, in bytes.
    pub max_import_bytes: usize,
    /// Maximum size of an uploaded file, in bytes.
    pub max_upload_bytes: u64,
    /// Maximum number of files per upload.
    pub max_upload_files: usize,
    /// Maximum wait for a run. The run continues afterwards.
    pub run_wait: Duration,
    /// Maximum number of rows of a dataset or batch.
    pub max_batch_rows: usize,
    /// Maximum number of nodes of a definition. The nodes of subworkflows are counted separately.
    pub max_definition_nodes: usize,
    /// Maximum number of items per page.
    pub max_page_size: u64,
    /// Timeout for the next chunk of a request body.
    pub body_chunk_timeout: Duration,
    /// Maximum number of open event streams.
    pub max_event_streams: usize,
    /// Admission of clients.
    pub admission: Admission,
    /// Rate limit per API key, in requests per second. 0 means no limit.
    pub max_calls_per_second: u32,
    /// Allowed CORS origins, such as `https://app.example`.
    pub cors_origins: Vec<String>,
}

/// Admission of clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Accepts clients with an API key. While no key exists, accepts clients on the same machine.
    Keys,
    /// Accepts all clients, with or without a key.
    Everyone,
}

impl Settings {
    /// Returns the default settings, with files in `data_dir`.
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
            body_chunk_timeout: Duration::from_secs(30),
            max_event_streams: 1_000,
            admission: Admission::Keys,
            max_calls_per_second: 1_000,
            cors_origins: Vec::new(),
        }
    }

    /// Returns the node kinds for validation.
    pub(crate) fn kinds(&self) -> NodeKinds {
        NodeKinds { max_nodes: self.max_definition_nodes, ..NodeKinds::default() }
    }

    /// Returns the default page size.
    pub(crate) fn default_page_size(&self) -> u64 {
        self.max_page_size.min(10)
    }

    /// Returns the maximum size of a JSON body on a path.
    pub(crate) fn max_body_on(&self, path: &str) -> usize {
        if path == IMPORT_PATH { self.max_import_bytes } else { self.max_body_bytes }
    }
}
