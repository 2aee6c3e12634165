//! The HTTP server: listening sockets and connection limits.
//!
//! A crate of its own, so that `make run` optimizes it without the commands of the binary, and compiles it early.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::Request;
use axum::serve::Listener;
use futures_util::future::BoxFuture;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_io_timeout::TimeoutWriter;
use tower::util::MapRequest;

/// Maximum number of connections that the kernel queues until they are accepted. The kernel may reduce it.
const BACKLOG: u32 = 4_096;

/// Limits of the connections of one server.
#[derive(Clone, Debug)]
pub struct ConnectionLimits {
    /// Maximum number of open connections.
    pub max_connections: usize,
    /// Timeout for receiving the request headers. It includes the idle time between requests.
    pub header_timeout: Duration,
    /// Timeout for a client that does not read the response.
    pub write_timeout: Duration,
}

impl ConnectionLimits {
    /// The defaults of the settings.
    pub const DEFAULT: Self = Self {
        max_connections: 4_096,
        header_timeout: Duration::from_secs(10),
        write_timeout: Duration::from_secs(30),
    };
}

/// Binds a listening socket.
///
/// # Errors
///
/// The address can't be used.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A restarted server can bind at once, while connections of its predecessor are still closing.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)?.into_std()
}

/// The service of all connections: a router, and a function that rewrites each request before routing.
pub type App = MapRequest<Router, fn(Request<Incoming>) -> Request<Incoming>>;

/// Serves HTTP/1 until `shutdown` is ready. Then finishes the open requests, for at most `drain`.
///
/// HTTP/2 is left out: without TLS, clients don't use it, and it would need limits of its own.
///
/// # Errors
///
/// The socket can't be used.
pub fn serve(
    listener: TcpListener,
    app: App,
    limits: ConnectionLimits,
    shutdown: BoxFuture<'static, ()>,
    drain: Duration,
) -> BoxFuture<'static, io::Result<()>> {
    // A boxed future is compiled in this crate, not in its caller.
    Box::pin(accept_until(listener, app, limits, shutdown, drain))
}

async fn accept_until(
    listener: TcpListener,
    app: App,
    limits: ConnectionLimits,
    mut shutdown: BoxFuture<'static, ()>,
    drain: Duration,
) -> io::Result<()> {
    let mut listener = tokio::net::TcpListener::from_std(listener)?;
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.header_timeout);
    let permits = Arc::new(Semaphore::new(limits.max_connections.clamp(1, Semaphore::MAX_PERMITS)));
    let connections = GracefulShutdown::new();
    let mut tasks = JoinSet::new();
    loop {
        let (permit, stream) = tokio::select! {
            () = &mut shutdown => break,
            // Releases the memory of tasks that have ended.
            Some(_) = tasks.join_next() => continue,
            accepted = accept(&mut listener, &permits) => accepted,
        };
        // Events are small and must not wait for more data.
        let _ = stream.set_nodelay(true);
        let mut stream = TimeoutWriter::new(stream);
        stream.set_timeout(Some(limits.write_timeout));
        let service = TowerToHyperService::new(app.clone());
        let connection = http.serve_connection(TokioIo::new(Box::pin(stream)), service);
        let connection = connections.watch(connection);
        tasks.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection failed");
            }
            drop(permit);
        });
    }
    drop(listener);
    // After the timeout, dropping the tasks closes their connections.
    let _ = tokio::time::timeout(drain, connections.shutdown()).await;
    Ok(())
}

/// Waits until another connection is allowed, then accepts one. Until then, clients wait in the queue of the kernel.
async fn accept(
    listener: &mut tokio::net::TcpListener,
    permits: &Arc<Semaphore>,
) -> (Option<OwnedSemaphorePermit>, TcpStream) {
    // The semaphore is never closed.
    let permit = Arc::clone(permits).acquire_owned().await.ok();
    // axum's listener handles errors: it ignores those of a connection, and waits when no file descriptor is free.
    let (stream, _) = Listener::accept(listener).await;
    (permit, stream)
}

/// Raises the limit of open files of this process as far as the system allows.
pub fn raise_file_limit() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        tracing::warn!(%error, "failed to raise the limit of open files");
    }
}
