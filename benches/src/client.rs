//! A cheap client: plain sockets and threads, with requests that are serialized once.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::args::Failure;

/// Number of connections that generate load.
pub(crate) const CONNECTIONS: usize = 32;
/// Placeholder in a request, replaced by a different number each time.
pub(crate) const UNIQUE: &str = "#NUMBER#NUMBER#";
static NUMBER: AtomicU64 = AtomicU64::new(0);
/// Timeout for a response.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(60);

/// A persistent connection.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// Serializes a request.
pub(crate) fn request(method: &str, path: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

impl Connection {
    pub(crate) fn open(server: SocketAddr) -> Result<Self, Failure> {
        let stream = TcpStream::connect(server)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(RESPONSE_TIMEOUT))?;
        Ok(Self { stream, buffer: Vec::with_capacity(64 << 10) })
    }

    /// Sends a request and returns the body of the response. Fails unless the status is 200.
    pub(crate) fn send(&mut self, request: &[u8]) -> Result<&[u8], Failure> {
        self.exchange(request, 200)
    }

    /// Sends a request and fails unless the response has `status`.
    pub(crate) fn send_rejected(&mut self, request: &[u8], status: u16) -> Result<(), Failure> {
        self.exchange(request, status).map(drop)
    }

    fn exchange(&mut self, request: &[u8], status: u16) -> Result<&[u8], Failure> {
        self.stream.write_all(request)?;
        self.buffer.clear();
        let head = self.read_until(b"\r\n\r\n")? + 4;
        let text = std::str::from_utf8(&self.buffer[..head])?.to_ascii_lowercase();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length: usize = length.ok_or("response without a length")?.trim().parse()?;
        while self.buffer.len() < head + length {
            self.read()?;
        }
        let body = &self.buffer[head..head + length];
        if !text.starts_with(&format!("http/1.1 {status}")) {
            return Err(format!("{text}{}", String::from_utf8_lossy(body)).into());
        }
        Ok(body)
    }

    pub(crate) fn json(&mut self, method: &str, path: &str, body: &str) -> Result<Value, Failure> {
        Ok(serde_json::from_slice(self.send(&request(method, path, body))?)?)
    }

    /// Sends a request and reads the response until `mark` occurs.
    pub(crate) fn follow(&mut self, request: &[u8], mark: &[u8]) -> Result<(), Failure> {
        self.stream.write_all(request)?;
        self.buffer.clear();
        self.read_until(mark).map(drop)
    }

    /// Reads until `mark` occurs, and returns its offset.
    fn read_until(&mut self, mark: &[u8]) -> Result<usize, Failure> {
        loop {
            if let Some(at) = self.buffer.windows(mark.len()).position(|window| window == mark) {
                return Ok(at);
            }
            self.read()?;
        }
    }

    fn read(&mut self) -> Result<(), Failure> {
        let mut chunk = [0; 64 << 10];
        let read = self.stream.read(&mut chunk)?;
        if read == 0 {
            return Err("the server closed the connection".into());
        }
        self.buffer.extend_from_slice(&chunk[..read]);
        Ok(())
    }
}

fn offsets_of<'a>(text: &'a [u8], part: &'a str) -> impl Iterator<Item = usize> + 'a {
    let windows = text.windows(part.len()).enumerate();
    windows.filter_map(move |(at, window)| (window == part.as_bytes()).then_some(at))
}

/// Measures the throughput of all connections, in requests per second.
pub(crate) fn load(server: SocketAddr, time: Duration, request: &[u8]) -> Result<f64, Failure> {
    let begin = Instant::now();
    let run_client = || -> Result<usize, Failure> {
        let mut connection = Connection::open(server)?;
        let (mut request, mut count) = (request.to_vec(), 0);
        let offsets: Vec<usize> = offsets_of(&request, UNIQUE).collect();
        while begin.elapsed() < time {
            for offset in &offsets {
                let number = NUMBER.fetch_add(1, Ordering::Relaxed);
                let digits = format!("{number:0width$}", width = UNIQUE.len());
                request[*offset..offset + UNIQUE.len()].copy_from_slice(digits.as_bytes());
            }
            connection.send(&request)?;
            count += 1;
        }
        Ok(count)
    };
    let counts = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(run_client)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().map_err(|_| "a client panicked")?)
            .collect::<Result<Vec<_>, Failure>>()
    })?;
    Ok(counts.iter().sum::<usize>() as f64 / begin.elapsed().as_secs_f64())
}

/// Measures the median latency of sequential requests, in seconds.
pub(crate) fn latency(server: SocketAddr, count: usize, request: &[u8]) -> Result<f64, Failure> {
    latencies(server, count, request).map(crate::table::median)
}

/// Measures the latency of each of `count` sequential requests, in seconds.
pub(crate) fn latencies(server: SocketAddr, count: usize, request: &[u8]) -> Result<Vec<f64>, Failure> {
    let mut connection = Connection::open(server)?;
    let mut times = Vec::with_capacity(count);
    for number in 0..count + count / 10 {
        let begin = Instant::now();
        connection.send(request)?;
        // The first requests warm up.
        if number >= count / 10 {
            times.push(begin.elapsed().as_secs_f64());
        }
    }
    Ok(times)
}
