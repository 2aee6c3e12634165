use std::sync::Arc;
use std::time::Duration;

use axum_server::Handle;
use sluice_api::{Admission, AppState, Settings};
use sluice_engine::{Engine, Executors};
use sluice_nodes::Policies;
use sluice_persistence::Database;
use sluice_python::{Limits, Pool, PoolConfig};
use tracing::info;

use crate::cli::{DatabaseArgs, PythonArgs, ServeArgs, WorkArgs};
use crate::{connections, log, notify, observe};

type Failure = Box<dyn std::error::Error>;

/// How long the last spans may take on their way out.
const LAST_SPANS: Duration = Duration::from_secs(5);

/// Runs the server until it is told to stop.
pub(crate) fn serve(args: ServeArgs) -> Result<(), Failure> {
    log::start(&args.database.log, args.database.log_format)?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run(args))
}

/// Brings the database to the schema of this release.
pub(crate) fn migrate(args: DatabaseArgs) -> Result<(), Failure> {
    log::start(&args.log, args.log_format)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let applied = runtime.block_on(Database::migrate(options(&args)))?;
    info!(steps = applied.len(), "the database has the schema of this release");
    Ok(())
}

pub(crate) fn options(args: &DatabaseArgs) -> sluice_persistence::Options {
    let options = sluice_persistence::Options::new(args.database_url.clone());
    sluice_persistence::Options { max_bytes: args.sqlite_max_bytes, ..options }
}

async fn run(args: ServeArgs) -> Result<(), Failure> {
    let listener = connections::listen(args.listen)
        .map_err(|error| format!("can't listen on {}: {error}; choose another --listen", args.listen))?;
    let address = listener.local_addr()?;
    std::fs::create_dir_all(&args.data_dir)
        .map_err(|error| format!("can't make the folder {}: {error}", args.data_dir.display()))?;
    let traces = observe::traces(&args.observe)?;
    let database = Database::open(options(&args.database)).await?;
    check_access(&args, &database).await?;
    let workers = python_workers(&args.python);
    let python = python_pool(&args.python, workers)?;
    let drain = Duration::from_secs(args.drain_seconds);
    let engine = Engine::new(
        Arc::new(database.clone()),
        Executors::new(python.clone()),
        sluice_engine::Options {
            // Requests that wait for a run are answered before the connections are closed.
            drain: drain / 2,
            limits: limits(&args.work, workers),
            policies: policies(&args.work)?,
            tracer: traces.as_ref().map(|traces| Arc::new(traces.tracer())),
        },
    );
    sluice_api::sweep_files(&database, &args.data_dir).await?;
    engine.recover().await?;

    tokio::spawn(forget_answers(database.clone()));
    let handle = Handle::new();
    tokio::spawn(stop_on_signal(handle.clone(), engine.clone(), drain));
    let state = AppState::new(database.clone(), engine.clone(), settings(&args)?);
    observe::metrics(&args.observe, &args.connections, &state)?;
    let app = sluice_api::app(state);
    info!("listening on http://{address}");
    let server = connections::listening(listener, handle, &args.connections)?;
    notify::ready();
    server.serve(app.into_make_service()).await?;

    engine.stop().await;
    python.shutdown().await;
    database.close().await;
    if let Some(traces) = traces {
        traces.stop(LAST_SPANS).await;
    }
    info!("stopped");
    Ok(())
}

/// A server that anyone on the network can reach asks for keys, or was told not to.
async fn check_access(args: &ServeArgs, database: &Database) -> Result<(), Failure> {
    if args.access.insecure_no_auth {
        tracing::warn!("everyone who reaches {} may do everything: --insecure-no-auth", args.listen);
        return Ok(());
    }
    let has_keys = database.has_api_keys().await?;
    if !has_keys && !args.access.cors_origins.is_empty() {
        tracing::warn!(
            "without API keys no other web site may call, also not those of --cors-origin: make a key"
        );
    }
    if has_keys {
        return Ok(());
    }
    if let Some(numbers) = args.observe.metrics_listen.filter(|address| !address.ip().is_loopback()) {
        let problem = format!(
            "{numbers}, for the numbers, can be reached from other machines, and there is no API key: such a server is for \
             this machine alone. Let the numbers be asked for at 127.0.0.1, make a key with `sluice keys create`, or \
             use --insecure-no-auth. The numbers themselves are told without a key."
        );
        return Err(problem.into());
    }
    if args.listen.ip().is_loopback() {
        return Ok(());
    }
    let problem = format!(
        "{} can be reached from other machines, and there is no API key. Make one with `sluice keys create --name \
         admin --scope admin` on the same database, or listen on 127.0.0.1, or let everyone do everything with \
         --insecure-no-auth.",
        args.listen
    );
    Err(problem.into())
}

fn settings(args: &ServeArgs) -> Result<Settings, Failure> {
    Ok(Settings {
        data_dir: args.data_dir.clone(),
        max_body_bytes: args.max_body_bytes,
        max_import_bytes: args.max_import_bytes,
        max_upload_bytes: args.max_upload_bytes,
        max_upload_files: args.max_upload_files,
        run_wait: Duration::from_secs(args.run_wait_seconds),
        max_event_streams: args.max_event_streams,
        admission: if args.access.insecure_no_auth { Admission::Everyone } else { Admission::Keys },
        max_calls_per_second: args.access.max_calls_per_second,
        cors_origins: args.access.cors_origins.clone(),
        max_batch_rows: args.max_batch_rows,
        max_definition_nodes: usize::try_from(args.max_definition_nodes)?,
        max_page_size: args.max_page_size,
        head_timeout: Duration::try_from_secs_f64(args.connections.head_timeout_seconds)?,
        max_connections: args.connections.max_connections,
        body_pause: Duration::try_from_secs_f64(args.connections.body_timeout_seconds)?,
    })
}

fn limits(args: &WorkArgs, workers: usize) -> sluice_engine::Limits {
    let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    sluice_engine::Limits {
        nodes: if args.max_nodes == 0 { workers } else { count(args.max_nodes) },
        runs: count(args.max_runs),
        runs_per_workflow: count(args.max_runs_per_workflow),
    }
}

fn policies(args: &WorkArgs) -> Result<Policies, Failure> {
    let seconds = |seconds: f64| Duration::try_from_secs_f64(seconds);
    let mut policies = Policies {
        max_timeout: seconds(args.max_node_timeout_seconds)?,
        max_attempts: args.max_node_attempts,
        max_backoff: seconds(args.max_node_backoff_seconds)?,
        ..Policies::default()
    };
    policies.default.timeout = seconds(args.node_timeout_seconds)?;
    policies.default.retry.max_attempts = args.node_attempts;
    Ok(policies)
}

fn python_workers(args: &PythonArgs) -> usize {
    let processors = std::thread::available_parallelism().map_or(2, |n| n.get().max(2));
    if args.python_workers == 0 { processors } else { args.python_workers }
}

/// The program itself is the worker, so that nothing else has to be installed.
fn python_pool(args: &PythonArgs, workers: usize) -> Result<Pool, Failure> {
    let limits = Limits { memory_bytes: args.python_memory_mib * 1024 * 1024, ..Limits::default() };
    let config = PoolConfig::current_exe(["python-worker"])?;
    Ok(Pool::new(PoolConfig { workers, limits, ..config }))
}

/// Forgets, every hour, the answers that were kept for requests that are sent again.
async fn forget_answers(database: Database) {
    let mut hours = tokio::time::interval(Duration::from_secs(3_600));
    loop {
        hours.tick().await;
        if let Err(error) = database.forget_old_answers().await {
            tracing::debug!(%error, "old answers are forgotten later");
        }
    }
}

/// Drains at the first SIGTERM or Ctrl-C: nothing new runs, what is open is answered. Ends the program
/// at the second; the log of every run says where to go on.
async fn stop_on_signal(handle: Handle<std::net::SocketAddr>, engine: Engine, drain: Duration) {
    signalled().await;
    notify::stopping();
    info!("stopping: open requests have {} s", drain.as_secs());
    engine.drain();
    handle.graceful_shutdown(Some(drain));
    signalled().await;
    std::process::exit(1);
}

async fn signalled() {
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminate => {}
    }
}
