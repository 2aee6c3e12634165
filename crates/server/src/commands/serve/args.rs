//! The settings of the server, and their conversion to the settings of each crate.

use std::net::SocketAddr;
use std::sync::LazyLock;

use clap::Args;
use clap::builder::RangedU64ValueParser;
use sluice_api::{Admission, Settings};
use sluice_http_server::ConnectionLimits;
use sluice_nodes::Policies;
use sluice_python::{Limits as PythonLimits, PoolConfig};

use crate::cli::{Seconds, StorageArgs};
use crate::error::Result;
use crate::telemetry::Endpoints;

/// Default of `--listen`.
pub(crate) const DEFAULT_LISTEN: &str = "127.0.0.1:8080";

static API_DEFAULTS: LazyLock<Settings> = LazyLock::new(|| Settings::new(""));
static POLICY_DEFAULTS: LazyLock<Policies> = LazyLock::new(Policies::default);

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Address and port to listen on.
    #[arg(long, env = "SLUICE_LISTEN", default_value = DEFAULT_LISTEN)]
    pub(super) listen: SocketAddr,
    /// Time for open requests to complete at shutdown, in seconds.
    #[arg(long, env = "SLUICE_DRAIN_SECONDS", default_value = "10")]
    pub(super) drain_seconds: Seconds,
    #[command(flatten)]
    pub(super) storage: StorageArgs,
    #[command(flatten, next_help_heading = "Access")]
    pub(super) access: AccessArgs,
    #[command(flatten, next_help_heading = "Request limits")]
    pub(super) requests: RequestArgs,
    #[command(flatten, next_help_heading = "Connection limits")]
    pub(super) connections: ConnectionArgs,
    #[command(flatten, next_help_heading = "Runs and nodes")]
    pub(super) execution: ExecutionArgs,
    #[command(flatten, next_help_heading = "Observability")]
    pub(super) observability: ObservabilityArgs,
}

#[derive(Debug, Args)]
pub(super) struct AccessArgs {
    /// Turn off authentication: accept every request, from any address, and ignore API keys. Without this
    /// option, a server without keys starts only with loopback addresses.
    #[arg(long, env = "SLUICE_INSECURE_NO_AUTH")]
    pub(super) insecure_no_auth: bool,
    /// Rate limit of each API key, in requests per second. 0 disables it.
    #[arg(long, env = "SLUICE_RATE_LIMIT", default_value_t = API_DEFAULTS.max_calls_per_second)]
    rate_limit: u32,
    /// Allowed CORS origin, such as `https://app.example`. Repeat it or separate several by commas. None by default.
    #[arg(long = "cors-origin", env = "SLUICE_CORS_ORIGINS", value_delimiter = ',', value_parser = parse_origin)]
    pub(super) cors_origins: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct RequestArgs {
    /// Maximum size of a request body, in bytes. Imports and uploads have limits of their own.
    #[arg(long, env = "SLUICE_MAX_BODY_BYTES", default_value_t = API_DEFAULTS.max_body_bytes)]
    max_body_bytes: usize,
    /// Maximum size of an import and of an exported workflow, in bytes.
    #[arg(long, env = "SLUICE_MAX_IMPORT_BYTES", default_value_t = API_DEFAULTS.max_import_bytes)]
    max_import_bytes: usize,
    /// Maximum size of an uploaded file, in bytes.
    #[arg(long, env = "SLUICE_MAX_UPLOAD_BYTES", default_value_t = API_DEFAULTS.max_upload_bytes)]
    max_upload_bytes: u64,
    /// Maximum number of files in an upload.
    #[arg(long, env = "SLUICE_MAX_UPLOAD_FILES", default_value_t = API_DEFAULTS.max_upload_files)]
    max_upload_files: usize,
    /// Maximum number of rows in a dataset or a batch.
    #[arg(long, env = "SLUICE_MAX_BATCH_ROWS", default_value_t = API_DEFAULTS.max_batch_rows)]
    max_batch_rows: usize,
    /// Maximum number of nodes in a workflow definition. The limit applies to each subworkflow separately.
    #[arg(long, env = "SLUICE_MAX_DEFINITION_NODES", default_value_t = API_DEFAULTS.max_definition_nodes as u64,
        value_parser = clap::value_parser!(u64).range(1..=100_000))]
    max_definition_nodes: u64,
    /// Maximum number of items on a page of a list.
    #[arg(long, env = "SLUICE_MAX_PAGE_SIZE", default_value_t = API_DEFAULTS.max_page_size,
        value_parser = clap::value_parser!(u64).range(1..=1_000))]
    max_page_size: u64,
    /// Maximum time that a request waits for its run, in seconds. After that, the response shows the run as it is.
    #[arg(long, env = "SLUICE_MAX_RUN_WAIT_SECONDS", default_value_t = Seconds(API_DEFAULTS.run_wait))]
    max_run_wait_seconds: Seconds,
}

#[derive(Debug, Args)]
pub(super) struct ConnectionArgs {
    /// Maximum number of open connections. Further connections wait.
    #[arg(long, env = "SLUICE_MAX_CONNECTIONS", default_value_t = ConnectionLimits::DEFAULT.max_connections)]
    max_connections: usize,
    /// Maximum number of open event streams.
    #[arg(long, env = "SLUICE_MAX_EVENT_STREAMS", default_value_t = API_DEFAULTS.max_event_streams)]
    max_event_streams: usize,
    /// Timeout for receiving the request headers, in seconds. An idle connection is also closed after this
    /// time.
    #[arg(long, env = "SLUICE_HEADER_TIMEOUT_SECONDS",
        default_value_t = Seconds(ConnectionLimits::DEFAULT.header_timeout))]
    header_timeout_seconds: Seconds,
    /// Timeout for receiving the next part of a request body, in seconds. A body that takes longer than this
    /// in total must arrive at 1 KiB per second or more.
    #[arg(long, env = "SLUICE_BODY_TIMEOUT_SECONDS", default_value_t = Seconds(API_DEFAULTS.body_chunk_timeout))]
    body_timeout_seconds: Seconds,
    /// Timeout for a client that does not read the response, in seconds.
    #[arg(long, env = "SLUICE_WRITE_TIMEOUT_SECONDS",
        default_value_t = Seconds(ConnectionLimits::DEFAULT.write_timeout))]
    write_timeout_seconds: Seconds,
}

#[derive(Debug, Args)]
pub(super) struct ExecutionArgs {
    /// Maximum number of concurrent runs. Further runs are PENDING, and workflows share the slots fairly. Paused runs
    /// don't count.
    #[arg(long, env = "SLUICE_MAX_CONCURRENT_RUNS", default_value_t = 1_000, value_parser = at_least_one())]
    max_concurrent_runs: u64,
    /// Maximum number of concurrent runs of a workflow.
    #[arg(long, env = "SLUICE_MAX_CONCURRENT_RUNS_PER_WORKFLOW", default_value_t = 1_000,
        value_parser = at_least_one())]
    max_concurrent_runs_per_workflow: u64,
    /// Maximum number of concurrent Python nodes. Further nodes are PENDING, and workflows share the slots fairly. 0 means
    /// as many as Python workers.
    #[arg(long, env = "SLUICE_MAX_CONCURRENT_NODES", default_value_t = 0)]
    max_concurrent_nodes: u64,
    /// Default timeout of a Python node, in seconds. The policy of a node overrides it.
    #[arg(long, env = "SLUICE_DEFAULT_NODE_TIMEOUT_SECONDS",
        default_value_t = Seconds(POLICY_DEFAULTS.default.timeout))]
    default_node_timeout_seconds: Seconds,
    /// Maximum timeout of a Python node, in seconds.
    #[arg(long, env = "SLUICE_MAX_NODE_TIMEOUT_SECONDS", default_value_t = Seconds(POLICY_DEFAULTS.max_timeout))]
    max_node_timeout_seconds: Seconds,
    /// Default number of attempts of a Python node. The policy of a node overrides it.
    #[arg(long, env = "SLUICE_DEFAULT_NODE_ATTEMPTS", default_value_t = POLICY_DEFAULTS.default.retry.max_attempts,
        value_parser = clap::value_parser!(u32).range(1..))]
    default_node_attempts: u32,
    /// Maximum number of attempts of a Python node.
    #[arg(long, env = "SLUICE_MAX_NODE_ATTEMPTS", default_value_t = POLICY_DEFAULTS.max_attempts,
        value_parser = clap::value_parser!(u32).range(1..))]
    max_node_attempts: u32,
    /// Maximum wait between two attempts of a Python node, in seconds.
    #[arg(long, env = "SLUICE_MAX_NODE_BACKOFF_SECONDS", default_value_t = Seconds(POLICY_DEFAULTS.max_backoff))]
    max_node_backoff_seconds: Seconds,
    /// Number of Python worker processes. 0 means one per processor, at least 2.
    #[arg(long, env = "SLUICE_PYTHON_WORKERS", default_value_t = 0)]
    python_workers: usize,
    /// Maximum memory of a Python worker, in MiB.
    #[arg(long, env = "SLUICE_PYTHON_MEMORY_MIB", default_value_t = PythonLimits::default().memory_bytes >> 20,
        value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    python_memory_mib: u64,
}

#[derive(Debug, Args)]
pub(super) struct ObservabilityArgs {
    /// Address and port that serve Prometheus metrics at /metrics, without authentication. None by default.
    #[arg(long, env = "SLUICE_METRICS_LISTEN")]
    pub(super) metrics_listen: Option<SocketAddr>,
    /// Base URL of an OTLP/HTTP collector to export traces to, such as `http://127.0.0.1:4318`. None by default.
    // Not shown in `--help`: the value can contain a password.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", hide_env_values = true)]
    otlp_endpoint: Option<String>,
    /// Full URL to export traces to. Overrides --otlp-endpoint.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", hide_env_values = true)]
    otlp_traces_endpoint: Option<String>,
}

impl ServeArgs {
    /// Returns the settings of the API.
    pub(super) fn api_settings(&self) -> Result<Settings> {
        let Self { access, requests, connections, .. } = self;
        Ok(Settings {
            data_dir: self.storage.data_dir.clone(),
            max_body_bytes: requests.max_body_bytes,
            max_import_bytes: requests.max_import_bytes,
            max_upload_bytes: requests.max_upload_bytes,
            max_upload_files: requests.max_upload_files,
            run_wait: requests.max_run_wait_seconds.0,
            max_event_streams: connections.max_event_streams,
            admission: if access.insecure_no_auth { Admission::Everyone } else { Admission::Keys },
            max_calls_per_second: access.rate_limit,
            cors_origins: access.cors_origins.clone(),
            max_batch_rows: requests.max_batch_rows,
            max_definition_nodes: usize::try_from(requests.max_definition_nodes)?,
            max_page_size: requests.max_page_size,
            body_chunk_timeout: connections.body_timeout_seconds.0,
        })
    }
}

impl ConnectionArgs {
    /// Returns the limits of the HTTP server.
    pub(super) fn limits(&self) -> ConnectionLimits {
        ConnectionLimits {
            max_connections: self.max_connections,
            header_timeout: self.header_timeout_seconds.0,
            write_timeout: self.write_timeout_seconds.0,
        }
    }
}

impl ExecutionArgs {
    /// Returns the concurrency limits of the engine.
    pub(super) fn limits(&self) -> sluice_engine::Limits {
        let to_usize = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        sluice_engine::Limits {
            nodes: match self.max_concurrent_nodes {
                0 => self.worker_count(),
                limit => to_usize(limit),
            },
            runs: to_usize(self.max_concurrent_runs),
            runs_per_workflow: to_usize(self.max_concurrent_runs_per_workflow),
        }
    }

    /// Returns the timeouts and attempts of nodes.
    pub(super) fn policies(&self) -> Policies {
        let mut policies = Policies {
            max_timeout: self.max_node_timeout_seconds.0,
            max_attempts: self.max_node_attempts,
            max_backoff: self.max_node_backoff_seconds.0,
            ..Policies::default()
        };
        policies.default.timeout = self.default_node_timeout_seconds.0;
        policies.default.retry.max_attempts = self.default_node_attempts;
        policies
    }

    /// Returns the configuration of the Python workers, which run this binary.
    pub(super) fn python_pool(&self) -> Result<PoolConfig> {
        let limits =
            PythonLimits { memory_bytes: self.python_memory_mib * 1024 * 1024, ..PythonLimits::default() };
        let config = PoolConfig::current_exe(["python-worker"])?;
        Ok(PoolConfig { workers: self.worker_count(), limits, ..config })
    }

    fn worker_count(&self) -> usize {
        match self.python_workers {
            0 => std::thread::available_parallelism().map_or(2, |processors| processors.get().max(2)),
            workers => workers,
        }
    }
}

impl ObservabilityArgs {
    /// Returns the addresses of the collector.
    pub(super) fn endpoints(&self) -> Endpoints {
        Endpoints { base: self.otlp_endpoint.clone(), traces: self.otlp_traces_endpoint.clone() }
    }
}

fn at_least_one() -> RangedU64ValueParser {
    RangedU64ValueParser::new().range(1..)
}

/// Parses an origin in the form that browsers send (RFC 6454): scheme, host and port.
fn parse_origin(text: &str) -> Result<String, String> {
    let (scheme, host) = text.split_once("://").unwrap_or_default();
    let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.:[]".contains(c);
    let has_matching_brackets = host.starts_with('[') == host.contains(']');
    if !["http", "https"].contains(&scheme) || !has_matching_brackets || !host.chars().all(is_allowed) {
        return Err("must be https://HOST or http://HOST:PORT, in lowercase, without a path".to_owned());
    }
    Ok(text.to_owned())
}
