//! What a connection may do: how many there are, and how long one may not read.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum_server::Handle;
use axum_server::accept::Accept;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_io_timeout::TimeoutWriter;

use crate::cli::ConnectionArgs;

/// Takes connections as long as there are places for them.
#[derive(Clone, Debug)]
pub(crate) struct Acceptor {
    places: Arc<Semaphore>,
    write_timeout: Duration,
}

impl Acceptor {
    pub(crate) fn new(max_connections: usize, write_timeout: Duration) -> Self {
        let places = Arc::new(Semaphore::new(max_connections.clamp(1, Semaphore::MAX_PERMITS)));
        Self { places, write_timeout }
    }
}

impl<S: Send + 'static> Accept<TcpStream, S> for Acceptor {
    type Stream = Connection;
    type Service = S;
    type Future = Pin<Box<dyn Future<Output = io::Result<(Connection, S)>> + Send>>;

    /// A connection without a place waits for one: long enough for one that doesn't read to be given up.
    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let Self { places, write_timeout } = self.clone();
        Box::pin(async move {
            let place = tokio::time::timeout(2 * write_timeout, places.acquire_owned()).await;
            let place = place.map_err(io::Error::other)?.map_err(io::Error::other)?;
            // Events are small and shall not wait for more.
            stream.set_nodelay(true)?;
            let mut stream = TimeoutWriter::new(stream);
            stream.set_timeout(Some(write_timeout));
            Ok((Connection { stream: Box::pin(stream), _place: place }, service))
        })
    }
}

/// A connection that is closed when its client doesn't read.
pub(crate) struct Connection {
    stream: Pin<Box<TimeoutWriter<TcpStream>>>,
    _place: OwnedSemaphorePermit,
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

/// How many connections the system keeps for us until we take them; it has a limit of its own.
const BACKLOG: u32 = 4_096;

/// Begins to listen.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A server that is started again takes the address over at once.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)?.into_std()
}

/// The server of HTTP. HTTP/1 alone: without TLS no client needs HTTP/2, and one way in has one set of limits.
pub(crate) fn listening(
    listener: TcpListener,
    handle: Handle<SocketAddr>,
    args: &ConnectionArgs,
) -> Result<axum_server::Server<SocketAddr, Acceptor>, Box<dyn std::error::Error>> {
    raise_file_limit();
    let seconds = |seconds: f64| Duration::try_from_secs_f64(seconds);
    let acceptor = Acceptor::new(args.max_connections, seconds(args.write_timeout_seconds)?);
    let mut server = axum_server::from_tcp(listener)?.handle(handle).http1_only().acceptor(acceptor);
    // Also the time for the first byte, and between two requests.
    server.http_builder().http1().header_read_timeout(seconds(args.head_timeout_seconds)?);
    Ok(server)
}

/// Lets this process open as many files and connections as the system allows it.
pub(crate) fn raise_file_limit() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}
