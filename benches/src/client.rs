//! A client that costs little: plain sockets and threads, requests written once.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::Failure;

/// How many connections load a server.
pub(crate) const CONNECTIONS: usize = 32;
/// What every request has another number for.
pub(crate) const UNIQUE: &str = "#NUMBER#NUMBER#";
static NUMBER: AtomicU64 = AtomicU64::new(0);
/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection that is kept.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// The bytes of a request.
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
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream, buffer: Vec::with_capacity(64 << 10) })
    }

    /// Sends a request and reads its answer to the end. Anything but 200 is a failure.
    pub(crate) fn send(&mut self, request: &[u8]) -> Result<&[u8], Failure> {
        self.exchange(request, 200)
    }

    /// Sends a request that is refused with a status. Anything else is a failure.
    pub(crate) fn refused(&mut self, request: &[u8], status: u16) -> Result<(), Failure> {
        self.exchange(request, status).map(drop)
    }

    fn exchange(&mut self, request: &[u8], status: u16) -> Result<&[u8], Failure> {
        self.stream.write_all(request)?;
        self.buffer.clear();
        let head = self.read_until(b"\r\n\r\n")? + 4;
        let text = std::str::from_utf8(&self.buffer[..head])?.to_ascii_lowercase();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length: usize = length.ok_or("an answer without a length")?.trim().parse()?;
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

    /// Sends a request and reads what comes until `mark` is in it.
    pub(crate) fn follow(&mut self, request: &[u8], mark: &[u8]) -> Result<(), Failure> {
        self.stream.write_all(request)?;
        self.buffer.clear();
        self.read_until(mark).map(drop)
    }

    /// Where `mark` begins.
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
            return Err("the server has closed the connection".into());
        }
        self.buffer.extend_from_slice(&chunk[..read]);
        Ok(())
    }
}

fn windows_of<'a>(text: &'a [u8], part: &'a str) -> impl Iterator<Item = usize> + 'a {
    let windows = text.windows(part.len()).enumerate();
    windows.filter_map(move |(at, window)| (window == part.as_bytes()).then_some(at))
}

/// How many requests a second are answered, by all connections together.
pub(crate) fn load(server: SocketAddr, time: Duration, request: &[u8]) -> Result<f64, Failure> {
    let begin = Instant::now();
    let one = || -> Result<usize, Failure> {
        let mut connection = Connection::open(server)?;
        let (mut request, mut count) = (request.to_vec(), 0);
        let places: Vec<usize> = windows_of(&request, UNIQUE).collect();
        while begin.elapsed() < time {
            for place in &places {
                let number = NUMBER.fetch_add(1, Ordering::Relaxed);
                let digits = format!("{number:0width$}", width = UNIQUE.len());
                request[*place..place + UNIQUE.len()].copy_from_slice(digits.as_bytes());
            }
            connection.send(&request)?;
            count += 1;
        }
        Ok(count)
    };
    let counts = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(one)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().map_err(|_| "a client panicked")?)
            .collect::<Result<Vec<_>, Failure>>()
    })?;
    Ok(counts.iter().sum::<usize>() as f64 / begin.elapsed().as_secs_f64())
}

/// How long `times` requests take, one after another, in seconds: the middle one.
pub(crate) fn latency(server: SocketAddr, times: usize, request: &[u8]) -> Result<f64, Failure> {
    latencies(server, times, request).map(crate::table::median)
}

/// How long each of `times` requests takes, one after another, in seconds.
pub(crate) fn latencies(server: SocketAddr, times: usize, request: &[u8]) -> Result<Vec<f64>, Failure> {
    let mut connection = Connection::open(server)?;
    let mut taken = Vec::with_capacity(times);
    for number in 0..times + times / 10 {
        let begin = Instant::now();
        connection.send(request)?;
        // The first ones warm up.
        if number >= times / 10 {
            taken.push(begin.elapsed().as_secs_f64());
        }
    }
    Ok(taken)
}
