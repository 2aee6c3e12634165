//! The HTTP server: listening sockets and connection limits.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum_server::accept::Accept;
use axum_server::{Handle, Server};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_io_timeout::TimeoutWriter;

use crate::error::Result;

/// Maximum number of connections that the kernel queues until they are accepted. The kernel may lower this limit.
const BACKLOG: u32 = 4_096;

/// Limits of the connections of one server.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionLimits {
    /// Maximum number of open connections.
    pub(crate) max_connections: usize,
    /// Timeout for receiving the request headers. It includes the idle time between requests.
    pub(crate) header_timeout: Duration,
    /// Timeout for a client that does not read the response.
    pub(crate) write_timeout: Duration,
}

impl ConnectionLimits {
    /// The defaults of the settings.
    pub(crate) const DEFAULT: Self = Self {
        max_connections: 4_096,
        header_timeout: Duration::from_secs(10),
        write_timeout: Duration::from_secs(30),
    };
}

/// Binds a listening socket.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A restarted server can bind at once, while connections of its predecessor are still closing.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)?.into_std()
}

/// Returns an HTTP/1 server. HTTP/2 is not supported: clients don't use it without TLS, and it would need separate
/// limits.
pub(crate) fn server(
    listener: TcpListener,
    handle: Handle<SocketAddr>,
    limits: &ConnectionLimits,
) -> Result<Server<SocketAddr, Acceptor>> {
    let acceptor = Acceptor::new(limits);
    let mut server = axum_server::from_tcp(listener)?.handle(handle).http1_only().acceptor(acceptor);
    server.http_builder().http1().header_read_timeout(limits.header_timeout);
    Ok(server)
}

/// Raises the limit of open files of this process as far as the system allows.
pub(crate) fn raise_file_limit() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        tracing::warn!(%error, "failed to raise the limit of open files");
    }
}

/// Accepts connections up to a limit.
#[derive(Clone, Debug)]
pub(crate) struct Acceptor {
    permits: Arc<Semaphore>,
    write_timeout: Duration,
}

impl Acceptor {
    fn new(limits: &ConnectionLimits) -> Self {
        let permits = limits.max_connections.clamp(1, Semaphore::MAX_PERMITS);
        Self { permits: Arc::new(Semaphore::new(permits)), write_timeout: limits.write_timeout }
    }
}

impl<S: Send + 'static> Accept<TcpStream, S> for Acceptor {
    type Stream = Connection;
    type Service = S;
    type Future = Pin<Box<dyn Future<Output = io::Result<(Connection, S)>> + Send>>;

    /// Waits for a permit. The timeout is long enough for a stalled connection to be closed and return its permit.
    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let Self { permits, write_timeout } = self.clone();
        Box::pin(async move {
            let permit = tokio::time::timeout(2 * write_timeout, permits.acquire_owned()).await;
            let permit = permit.map_err(io::Error::other)?.map_err(io::Error::other)?;
            // Events are small and must not wait for more data.
            stream.set_nodelay(true)?;
            let mut stream = TimeoutWriter::new(stream);
            stream.set_timeout(Some(write_timeout));
            Ok((Connection { stream: Box::pin(stream), _permit: permit }, service))
        })
    }
}

/// A connection that is closed if its client does not read.
pub(crate) struct Connection {
    stream: Pin<Box<TimeoutWriter<TcpStream>>>,
    _permit: OwnedSemaphorePermit,
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream.as_mut().poll_write(context, buffer)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream.as_mut().poll_write_vectored(context, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_shutdown(context)
    }
}
