//! `sluice serve`: starts the server and stops it on a signal.

mod access_check;
mod args;

use std::sync::Arc;
use std::time::Duration;

use sluice_api::AppState;
use sluice_engine::{Engine, Executors};
use sluice_http_server::{self as http_server, App};
use sluice_persistence::Database;
use sluice_python::Pool;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::info;

use crate::error::{Result, io_error};
use crate::systemd;
use crate::telemetry::{TraceExporter, serve_metrics};

pub(crate) use args::{DEFAULT_LISTEN, ServeArgs};

/// Timeout for exporting the last spans.
const SPAN_EXPORT_TIMEOUT: Duration = Duration::from_secs(5);

/// Interval at which expired idempotency records are deleted.
const CLEANUP_INTERVAL: Duration = Duration::from_secs(3_600);

/// Runs the server until it receives a signal.
pub(super) fn run(args: ServeArgs) -> Result<()> {
    args.storage.database.log.init()?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(serve(args))
}

async fn serve(args: ServeArgs) -> Result<()> {
    http_server::raise_file_limit();
    let listener = http_server::bind(args.listen)
        .map_err(|error| format!("can't listen on {}: {error}; choose another --listen", args.listen))?;
    let address = listener.local_addr()?;
    let data_dir = &args.storage.data_dir;
    std::fs::create_dir_all(data_dir).map_err(io_error("create the folder", data_dir))?;
    let exporter = TraceExporter::start(&args.observability.endpoints())?;
    let database = Database::open(args.storage.database.options()).await?;
    access_check::check(&args, &database).await?;
    let python = Pool::new(args.execution.python_pool()?);
    let drain = args.drain_seconds.0;
    let engine = Engine::new(
        Arc::new(database.clone()),
        Executors::new(python.clone()),
        sluice_engine::Options {
            // The other half of the time remains to send the responses to requests that wait for a run.
            drain: drain / 2,
            limits: args.execution.limits(),
            policies: args.execution.policies(),
            tracer: exporter.as_ref().map(|exporter| Arc::new(exporter.tracer())),
        },
    );
    sluice_api::sweep_files(&database, data_dir).await?;
    engine.recover().await?;

    tokio::spawn(delete_expired_idempotency_records(database.clone()));
    let state = AppState::new(database.clone(), engine.clone(), args.api_settings()?);
    let limits = args.connections.limits();
    if let Some(address) = args.observability.metrics_listen {
        serve_metrics(address, &limits, &state)?;
    }
    let app = App::new(sluice_api::app(state), sluice_api::normalize_path);
    let signals = ShutdownSignals::new()?;
    info!("listening on http://{address}");
    systemd::notify_ready();
    let shutdown = shut_down(signals, engine.clone(), drain);
    http_server::serve(listener, app, limits, Box::pin(shutdown), drain).await?;

    engine.stop().await;
    python.shutdown().await;
    database.close().await;
    if let Some(exporter) = exporter {
        exporter.shutdown(SPAN_EXPORT_TIMEOUT).await;
    }
    info!("stopped");
    Ok(())
}

async fn delete_expired_idempotency_records(database: Database) {
    let mut interval = tokio::time::interval(CLEANUP_INTERVAL);
    loop {
        interval.tick().await;
        if let Err(error) = database.idempotency_purge().await {
            tracing::debug!(%error, "failed to delete expired idempotency records, retrying later");
        }
    }
}

/// Receivers of SIGTERM and SIGINT (Ctrl-C). After [`Self::new`], these signals no longer end the process.
struct ShutdownSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl ShutdownSignals {
    fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn recv(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Waits for the first signal and stops the start of new work. A second signal ends the process at once. Interrupted
/// runs continue at the next start.
async fn shut_down(mut signals: ShutdownSignals, engine: Engine, drain: Duration) {
    signals.recv().await;
    systemd::notify_stopping();
    info!(timeout = ?drain, "shutting down");
    engine.drain();
    tokio::spawn(async move {
        signals.recv().await;
        std::process::exit(1);
    });
}
