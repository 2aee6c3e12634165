//! Latency of other requests while many clients are slow or silent.

use std::io::{ErrorKind, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::args::{Args, Failure};
use crate::client::{latencies, request};
use crate::definitions;
use crate::site::Site;
use crate::table::{Row, Threshold, format_time};

/// Number of measured requests, each without and with slow clients.
const REQUESTS: usize = 20_000;
/// Number of slow clients. One quarter sends nothing, one sends half of the headers, one sends half of a body, and one
/// does not read responses.
const SLOW_CLIENTS: usize = 1_000;

/// Measures the 99th percentile of the latency of reading a workflow, with and without slow clients.
pub(crate) fn slow_clients(args: &Args) -> Result<Row, Failure> {
    let site = Site::start(args, &definitions::twelve_nodes())?;
    let path = format!("/wf/{}/", site.workflow);
    let (address, get) = (site.server.address, request("GET", &path, ""));
    let p99 = || -> Result<f64, Failure> {
        let mut times = latencies(address, REQUESTS, &get)?;
        times.sort_by(f64::total_cmp);
        Ok(times[times.len() * 99 / 100])
    };
    p99()?;
    let without_slow_clients = p99()?;
    let is_done = AtomicBool::new(false);
    let with_slow_clients = std::thread::scope(|scope| {
        scope.spawn(|| open_slow_connections(address, &path, &is_done));
        // Gives all clients time to connect.
        std::thread::sleep(Duration::from_secs(1));
        let with_slow_clients = p99();
        is_done.store(true, Ordering::Relaxed);
        with_slow_clients
    })?;
    Ok(Row {
        work: format!("p99 of GET /wf/{{id}}/ beside {SLOW_CLIENTS} slow and silent clients"),
        figure: format_time(with_slow_clients),
        baseline: format!("{} without them", format_time(without_slow_clients)),
        ratio: with_slow_clients / without_slow_clients,
        threshold: Threshold::AtMost(2.0),
    })
}

/// Opens the connections, and reopens those that the server closes.
fn open_slow_connections(address: SocketAddr, path: &str, is_done: &AtomicBool) {
    let half_body =
        String::from_utf8_lossy(&request("POST", "/wf/", &"{".repeat(999))).replace(&"{".repeat(998), "");
    let unread = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").repeat(100);
    let requests = ["", "GET / HTTP/1.1\r\nhost: localhost\r\n", &half_body, &unread];
    let mut connections: Vec<Option<TcpStream>> = (0..SLOW_CLIENTS).map(|_| None).collect();
    while !is_done.load(Ordering::Relaxed) {
        for (number, connection) in connections.iter_mut().enumerate() {
            let request = requests[number % requests.len()].as_bytes();
            if connection.as_ref().is_none_or(is_closed) {
                let stream = TcpStream::connect(address).ok();
                *connection = stream.filter(|mut stream| stream.write_all(request).is_ok());
            }
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn is_closed(stream: &TcpStream) -> bool {
    let peeked = stream.set_nonblocking(true).and_then(|()| stream.peek(&mut [0]));
    // `peek` leaves the bytes in the socket.
    !matches!(peeked, Ok(1..)) && !peeked.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}
