//! Servers in processes of their own.

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Failure;
use crate::client::{Connection, request};

/// A running server; it is gone when this is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    /// From its start to its first answer on `/readyz`.
    pub(crate) began_in: Duration,
}

impl Server {
    /// `sluice` on a SQLite file in `folder`.
    pub(crate) fn sluice(binary: &Path, folder: &Path) -> Result<Self, Failure> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let begin = Instant::now();
        let child = Command::new(binary)
            .args(["serve", "--listen", &address.to_string(), "--log", "warn"])
            .args(["--database-url", &format!("sqlite://{}", database(folder).display())])
            .arg("--data-dir")
            .arg(folder.join("data"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()?;
        let mut server = Self { child, address, began_in: Duration::ZERO };
        let ready = request("GET", "/readyz", "");
        loop {
            if Connection::open(address).is_ok_and(|mut connection| connection.send(&ready).is_ok()) {
                server.began_in = begin.elapsed();
                return Ok(server);
            }
            if let Some(status) = server.child.try_wait()? {
                return Err(format!("the server ended: {status}").into());
            }
            std::thread::sleep(Duration::from_micros(500));
        }
    }

    /// The floors, on the SQLite file in `folder`.
    pub(crate) fn floor(folder: &Path) -> Result<Self, Failure> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("--floor")
            .arg(database(folder))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut line)?;
        Ok(Self { child, address: line.trim().parse()?, began_in: Duration::ZERO })
    }

    pub(crate) fn connect(&self) -> Result<Connection, Failure> {
        Connection::open(self.address)
    }

    /// Ends it, at once: the next server on its file recovers what is committed.
    pub(crate) fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The memory that is resident, in bytes.
    pub(crate) fn resident(&self) -> Result<f64, Failure> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? * 1024.0)
    }
}

/// Where a server in `folder` keeps its database.
pub(crate) fn database(folder: &Path) -> std::path::PathBuf {
    folder.join("sluice.db")
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}
