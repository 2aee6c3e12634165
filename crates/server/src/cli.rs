use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use sluice_api::OpenApiVersion;
use sluice_domain::access::Scope;

use crate::backup::{BackupArgs, RestoreArgs};
use crate::health::HealthArgs;
use crate::manual::ManArgs;

/// A workflow server: stores, validates, versions and runs workflows, and holds them at a gate until a
/// person opens it.
#[derive(Debug, Parser)]
#[command(name = "sluice", version, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) serve: ServeArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start the server (the default).
    Serve(Box<ServeArgs>),
    /// Bring the database to the schema of this release, and nothing else.
    Migrate(DatabaseArgs),
    /// Check workflow definitions in files, without a server. Exit code 1 when there are errors; warnings
    /// alone leave it 0.
    Validate {
        /// JSON files: definitions, or bodies of a create request. `-` is the standard input.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// How to print what is found.
        #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
        format: ReportFormat,
    },
    /// Write every workflow of the database into a folder, a file for each, to be kept in git. Only files whose
    /// workflow has changed are written. No server may run on the database.
    Export(ExportArgs),
    /// Bring the workflows of a folder into the database. Prints what would change; changes it with --yes, all of it
    /// or nothing. No server may run on the database.
    Import(ImportArgs),
    /// Make, list and revoke API keys. A server that runs on the database learns of it within a second.
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Write all of a server on SQLite, its database and its files, into one file. A server may be running.
    Backup(BackupArgs),
    /// Put what `sluice backup` wrote into an empty place. No server may be running there.
    Restore(RestoreArgs),
    /// Ask a running server whether it is well: exit code 0 or 1. For health checks of containers.
    Health(HealthArgs),
    /// Print the OpenAPI document.
    Openapi {
        /// The version of OpenAPI that it is written in.
        #[arg(long, value_enum, default_value_t = DocumentVersion::Latest)]
        version: DocumentVersion,
    },
    /// Print the completions of this command line for a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Print the manual page, or write the pages of all commands.
    Man(ManArgs),
    /// Run Python of workflows on behalf of a server; started by it.
    #[command(hide = true)]
    PythonWorker,
}

/// The versions of OpenAPI that the document is there in.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum DocumentVersion {
    /// OpenAPI 3.1.
    #[value(name = "3.1")]
    Latest,
    /// OpenAPI 3.0, for generators that know nothing later.
    #[value(name = "3.0")]
    Older,
}

impl From<DocumentVersion> for OpenApiVersion {
    fn from(version: DocumentVersion) -> Self {
        match version {
            DocumentVersion::Latest => Self::V3_1,
            DocumentVersion::Older => Self::V3_0,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Make a key and print it. It is shown this once: only a hash of it is kept.
    Create(CreateKeyArgs),
    /// List the keys, without their secrets.
    List {
        /// How to print them.
        #[arg(long, value_enum, default_value_t = ListFormat::Text)]
        format: ListFormat,
        #[command(flatten)]
        database: DatabaseArgs,
    },
    /// Revoke a key, for good.
    Revoke {
        /// Its name, or its public part.
        key: String,
        #[command(flatten)]
        database: DatabaseArgs,
    },
}

#[derive(Debug, Args)]
pub(crate) struct CreateKeyArgs {
    /// What approvals, versions and the audit log name it by. No other key can ever have it.
    #[arg(long)]
    pub(crate) name: String,
    /// What it opens: workflows:read, workflows:write, runs:read, runs:write, approvals:read, approvals:write, or
    /// admin, which is all of them and the audit log.
    #[arg(long = "scope", required = true, value_delimiter = ',')]
    pub(crate) scopes: Vec<Scope>,
    /// Let it decide on pauses in other names than its own.
    #[arg(long)]
    pub(crate) for_others: bool,
    /// After how many days it is no longer taken. Without this it has no end.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub(crate) expires_in_days: Option<u32>,
    #[command(flatten)]
    pub(crate) database: DatabaseArgs,
}

/// How a list is printed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ListFormat {
    /// For people.
    Text,
    /// A JSON array.
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The folder; made when it is missing.
    pub(crate) folder: PathBuf,
    /// Also write the versions of each workflow, the latest 1,000, and their labels.
    #[arg(long)]
    pub(crate) versions: bool,
    /// Delete the files of workflows that the database doesn't have. Nothing else is ever deleted.
    #[arg(long)]
    pub(crate) prune: bool,
    #[command(flatten)]
    pub(crate) database: DatabaseArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// The folder: its JSON files are documents of an export, bodies of a create request, or definitions.
    pub(crate) folder: PathBuf,
    /// What is done with workflows that are there already.
    #[arg(long, value_enum, default_value_t = ImportModeArg::Update)]
    pub(crate) mode: ImportModeArg,
    /// Change nothing, as without --yes.
    #[arg(long, conflicts_with = "yes")]
    pub(crate) dry_run: bool,
    /// Change what the plan says. Makes the database when it is missing.
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) database: DatabaseArgs,
}

/// What an import does with workflows that are there already.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ImportModeArg {
    /// Leave them alone: every file becomes a new workflow.
    Create,
    /// Update them: the one with the id of the file, or else the one with its name.
    Update,
}

/// How diagnostics of files are printed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ReportFormat {
    /// For people, beside the source.
    Text,
    /// One JSON object, with the diagnostics of each file.
    Json,
    /// SARIF 2.1.0, for code scanners and editors.
    Sarif,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Where to listen.
    #[arg(long, env = "SLUICE_LISTEN", default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,
    #[command(flatten)]
    pub(crate) access: AccessArgs,
    #[command(flatten)]
    pub(crate) database: DatabaseArgs,
    /// Where uploaded files are kept.
    #[arg(long, env = "SLUICE_DATA_DIR", default_value = "./data")]
    pub(crate) data_dir: PathBuf,
    /// The most bytes of a request body; imports and uploads have their own limits.
    #[arg(long, env = "SLUICE_MAX_BODY_BYTES", default_value_t = 8 * 1024 * 1024)]
    pub(crate) max_body_bytes: usize,
    /// The most bytes of an import, and of a document that is exported.
    #[arg(long, env = "SLUICE_MAX_IMPORT_BYTES", default_value_t = 32 * 1024 * 1024)]
    pub(crate) max_import_bytes: usize,
    /// The most bytes of one uploaded file.
    #[arg(long, env = "SLUICE_MAX_UPLOAD_BYTES", default_value_t = 64 * 1024 * 1024)]
    pub(crate) max_upload_bytes: u64,
    /// The most files of one upload.
    #[arg(long, env = "SLUICE_MAX_UPLOAD_FILES", default_value_t = 20)]
    pub(crate) max_upload_files: usize,
    /// The most rows of a dataset or a batch.
    #[arg(long, env = "SLUICE_MAX_BATCH_ROWS", default_value_t = 10_000)]
    pub(crate) max_batch_rows: usize,
    /// The most nodes of a definition that is saved; its subworkflows are counted apart.
    #[arg(long, env = "SLUICE_MAX_DEFINITION_NODES", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub(crate) max_definition_nodes: u64,
    /// The most items of a page of a list.
    #[arg(long, env = "SLUICE_MAX_PAGE_SIZE", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    pub(crate) max_page_size: u64,
    /// How long a request waits for its run before it is answered with the run as it is, in seconds.
    #[arg(long, env = "SLUICE_RUN_WAIT_SECONDS", default_value_t = 600)]
    pub(crate) run_wait_seconds: u64,
    /// How many event streams are open at the same time.
    #[arg(long, env = "SLUICE_MAX_EVENT_STREAMS", default_value_t = 1_000)]
    pub(crate) max_event_streams: usize,
    #[command(flatten)]
    pub(crate) connections: ConnectionArgs,
    #[command(flatten)]
    pub(crate) observe: ObserveArgs,
    /// How long open requests are waited for when the server stops, in seconds.
    #[arg(long, env = "SLUICE_DRAIN_SECONDS", default_value_t = 10)]
    pub(crate) drain_seconds: u64,
    #[command(flatten)]
    pub(crate) work: WorkArgs,
    #[command(flatten)]
    pub(crate) python: PythonArgs,
}

/// How much goes on at the same time, and how long nodes may take.
#[derive(Debug, Args)]
pub(crate) struct WorkArgs {
    /// How many runs go on at the same time. More wait as PENDING; workflows take turns. A run that waits
    /// for a person doesn't count.
    #[arg(long, env = "SLUICE_MAX_RUNS", default_value_t = 1_000, value_parser = at_least_one())]
    pub(crate) max_runs: u64,
    /// How many runs of one workflow go on at the same time.
    #[arg(long, env = "SLUICE_MAX_RUNS_PER_WORKFLOW", default_value_t = 1_000, value_parser = at_least_one())]
    pub(crate) max_runs_per_workflow: u64,
    /// How many nodes run at the same time, of those that run outside of the server's own work (Python).
    /// More wait as PENDING; workflows take turns. 0: as many as there are Python workers.
    #[arg(long, env = "SLUICE_MAX_NODES", default_value_t = 0)]
    pub(crate) max_nodes: u64,
    /// How long such a node may run, in seconds, where its policy says nothing.
    #[arg(long, env = "SLUICE_NODE_TIMEOUT_SECONDS", default_value_t = 10.0, value_parser = seconds)]
    pub(crate) node_timeout_seconds: f64,
    /// How long such a node may run whatever its policy says, in seconds.
    #[arg(long, env = "SLUICE_MAX_NODE_TIMEOUT_SECONDS", default_value_t = 3_600.0, value_parser = seconds)]
    pub(crate) max_node_timeout_seconds: f64,
    /// How often such a node is tried, where its policy says nothing.
    #[arg(long, env = "SLUICE_NODE_ATTEMPTS", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) node_attempts: u32,
    /// How often such a node is tried whatever its policy says.
    #[arg(long, env = "SLUICE_MAX_NODE_ATTEMPTS", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_node_attempts: u32,
    /// The longest wait between two attempts whatever its policy says, in seconds.
    #[arg(long, env = "SLUICE_MAX_NODE_BACKOFF_SECONDS", default_value_t = 3_600.0, value_parser = seconds)]
    pub(crate) max_node_backoff_seconds: f64,
}

/// A time in seconds that a clock can count: up to a thousand years.
pub(crate) fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| "it must be a number of seconds".to_owned())?;
    let range = 0.0..=3.2e10;
    range
        .contains(&seconds)
        .then_some(seconds)
        .ok_or_else(|| "it must be from 0 to 3.2e10 seconds".to_owned())
}

fn at_least_one() -> clap::builder::RangedU64ValueParser {
    clap::builder::RangedU64ValueParser::new().range(1..)
}

/// Who may call.
#[derive(Debug, Args)]
pub(crate) struct AccessArgs {
    /// Take calls without an API key, whatever keys there are and wherever they come from. Without this a server
    /// without keys listens on a loopback address alone.
    #[arg(long, env = "SLUICE_INSECURE_NO_AUTH")]
    pub(crate) insecure_no_auth: bool,
    /// How many calls a second are taken with one API key. 0: as many as come.
    #[arg(long, env = "SLUICE_MAX_CALLS_PER_SECOND", default_value_t = 1_000)]
    pub(crate) max_calls_per_second: u32,
    /// A web site whose pages may call from a browser, as https://app.example; may be given more than once, or with
    /// commas in between. None: no other site's.
    #[arg(long = "cors-origin", env = "SLUICE_CORS_ORIGINS", value_delimiter = ',', value_parser = origin)]
    pub(crate) cors_origins: Vec<String>,
}

/// An origin as browsers write it (RFC 6454): scheme, host and port, and nothing behind.
fn origin(text: &str) -> Result<String, String> {
    let (scheme, host) = text.split_once("://").unwrap_or_default();
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.:[]".contains(c);
    let is_closed = host.starts_with('[') == host.contains(']');
    if !["http", "https"].contains(&scheme) || !is_closed || !host.chars().all(is_plain) {
        return Err(
            "it must be https://HOST or http://HOST:PORT, in small letters, with nothing behind".to_owned()
        );
    }
    Ok(text.to_owned())
}

/// What is seen from outside.
#[derive(Debug, Args)]
pub(crate) struct ObserveArgs {
    /// Where Prometheus finds numbers, at `/metrics`: an address of its own, and for nobody from outside, since no key
    /// is asked for. None: nowhere.
    #[arg(long, env = "SLUICE_METRICS_LISTEN")]
    pub(crate) metrics_listen: Option<SocketAddr>,
    /// Where traces are sent by OTLP over HTTP: the base address of a collector, as `http://127.0.0.1:4318`. None:
    /// nowhere.
    // Not shown in `--help`: an address may hold a password.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", hide_env_values = true)]
    pub(crate) otlp_endpoint: Option<String>,
    /// The same, as the whole address for traces.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", hide_env_values = true)]
    pub(crate) otlp_traces_endpoint: Option<String>,
}

/// What connections may do.
#[derive(Clone, Debug, Args)]
pub(crate) struct ConnectionArgs {
    /// How many connections are open at the same time. More wait.
    #[arg(long, env = "SLUICE_MAX_CONNECTIONS", default_value_t = 4_096)]
    pub(crate) max_connections: usize,
    /// How long a connection may be silent before the head of a request has come whole, in seconds: at its
    /// beginning, and between two requests.
    #[arg(long, env = "SLUICE_HEAD_TIMEOUT_SECONDS", default_value_t = 10.0, value_parser = seconds)]
    pub(crate) head_timeout_seconds: f64,
    /// How long the next piece of a body is waited for, in seconds. A body also has to come at 1 KiB a second
    /// after that.
    #[arg(long, env = "SLUICE_BODY_TIMEOUT_SECONDS", default_value_t = 30.0, value_parser = seconds)]
    pub(crate) body_timeout_seconds: f64,
    /// How long a client may not read what it is sent, in seconds.
    #[arg(long, env = "SLUICE_WRITE_TIMEOUT_SECONDS", default_value_t = 30.0, value_parser = seconds)]
    pub(crate) write_timeout_seconds: f64,
}

/// What Python nodes may use.
#[derive(Debug, Args)]
pub(crate) struct PythonArgs {
    /// How many Python nodes run at the same time, each in a process of its own. 0: one per processor,
    /// at least 2.
    #[arg(long, env = "SLUICE_PYTHON_WORKERS", default_value_t = 0)]
    pub(crate) python_workers: usize,
    /// How much memory a Python node may use, in MiB.
    #[arg(long, env = "SLUICE_PYTHON_MEMORY_MIB", default_value_t = 256,
        value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    pub(crate) python_memory_mib: u64,
}

#[derive(Debug, Args)]
pub(crate) struct DatabaseArgs {
    /// `sqlite://FILE`, made when it is missing, or `postgres://USER:PASSWORD@HOST/DATABASE`.
    // Not shown in `--help`: it may hold a password.
    #[arg(long, env = "SLUICE_DATABASE_URL", hide_env_values = true, default_value = "sqlite://sluice.db")]
    pub(crate) database_url: String,
    /// The most bytes of the SQLite file, without the log beside it. None: as many as there is room for.
    #[arg(long, env = "SLUICE_SQLITE_MAX_BYTES")]
    pub(crate) sqlite_max_bytes: Option<u64>,
    /// What to log: `error`, `warn`, `info`, `debug`, `trace`, or filters as `sluice_engine=debug,info`.
    #[arg(long, env = "SLUICE_LOG", default_value = "info")]
    pub(crate) log: String,
    /// How to log.
    #[arg(long, env = "SLUICE_LOG_FORMAT", value_enum, default_value_t = LogFormat::Pretty)]
    pub(crate) log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}
