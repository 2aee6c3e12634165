//! Server processes.

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::args::Failure;
use crate::client::{Connection, request};

/// A running server, killed when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    /// Time from the start of the process to the first response of `/readyz`.
    pub(crate) startup: Duration,
}

impl Server {
    /// Starts `sluice` on the SQLite file in `folder`.
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
        let mut server = Self { child, address, startup: Duration::ZERO };
        let ready = request("GET", "/readyz", "");
        loop {
            if Connection::open(address).is_ok_and(|mut connection| connection.send(&ready).is_ok()) {
                server.startup = begin.elapsed();
                return Ok(server);
            }
            if let Some(status) = server.child.try_wait()? {
                return Err(format!("the server exited with {status}").into());
            }
            std::thread::sleep(Duration::from_micros(500));
        }
    }

    /// Starts the baselines on the SQLite file in `folder`.
    pub(crate) fn baseline(folder: &Path) -> Result<Self, Failure> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("--baseline")
            .arg(database(folder))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut line)?;
        Ok(Self { child, address: line.trim().parse()?, startup: Duration::ZERO })
    }

    pub(crate) fn connect(&self) -> Result<Connection, Failure> {
        Connection::open(self.address)
    }

    /// Kills the server. The next server on its file recovers all committed changes.
    pub(crate) fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns the resident memory, in bytes.
    pub(crate) fn resident(&self) -> Result<f64, Failure> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? * 1024.0)
    }
}

/// Returns the database file of a server in `folder`.
pub(crate) fn database(folder: &Path) -> std::path::PathBuf {
    folder.join("sluice.db")
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}
