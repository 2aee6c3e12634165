//! A PostgreSQL cluster that a test can stop, and a proxy whose connections it can close.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A PostgreSQL cluster. Dropping it stops the cluster and removes its data.
pub(crate) struct Cluster {
    folder: TempDir,
    bin: PathBuf,
    pub(crate) port: u16,
}

impl Cluster {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let cluster = Self { folder, bin: bin(), port: free_port() };
        if is_root() {
            let status = Command::new("chown").arg("postgres").arg(cluster.folder.path()).status();
            assert!(status.is_ok_and(|status| status.success()), "the folder belongs to postgres");
        }
        let data = cluster.data();
        let options = ["-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"];
        cluster.run("initdb", &[&["-D", &data], &options[..]].concat());
        cluster.resume();
        cluster
    }

    /// Starts the cluster on its port.
    pub(crate) fn resume(&self) {
        let folder = self.folder.path().display();
        let settings = format!(
            "-c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off -p {}",
            self.port
        );
        let log = format!("{folder}/log");
        self.run("pg_ctl", &["-D", &self.data(), "-l", &log, "-w", "-o", &settings, "start"]);
    }

    /// Stops the cluster without a checkpoint.
    pub(crate) fn stop(&self) {
        self.run("pg_ctl", &["-D", &self.data(), "-m", "immediate", "-w", "stop"]);
    }

    pub(crate) fn url(&self, port: u16) -> String {
        format!("postgres://postgres@127.0.0.1:{port}/postgres")
    }

    fn data(&self) -> String {
        self.folder.path().join("data").display().to_string()
    }

    /// Runs a program of PostgreSQL, which must not run as root.
    fn run(&self, program: &str, arguments: &[&str]) {
        let program = self.bin.join(program);
        let mut command = if is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(&program);
            command
        } else {
            Command::new(&program)
        };
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        assert!(status.is_ok_and(|status| status.success()), "{} {arguments:?}", program.display());
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // The cluster may be stopped already, and a panic while panicking would abort.
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.stop()));
        drop(result);
    }
}

fn is_root() -> bool {
    nix::unistd::Uid::effective().is_root()
}

/// Returns the folder of the newest PostgreSQL programs.
fn bin() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> =
        versions.map(|entry| entry.path().join("bin")).filter(|bin| has_initdb(bin)).collect();
    folders.sort();
    folders.pop().expect("PostgreSQL below /usr/lib/postgresql: `make test` installs it")
}

fn has_initdb(bin: &Path) -> bool {
    bin.join("initdb").exists()
}

/// Returns a free port.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address").port()
}

/// A TCP proxy.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    open: Arc<watch::Sender<bool>>,
}

impl Proxy {
    pub(crate) async fn to(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let open = Arc::new(watch::Sender::new(true));
        let state = Arc::clone(&open);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(forward(client, target, state.subscribe()));
            }
        });
        Self { port, open }
    }

    /// Closes all connections, and closes new ones at once.
    pub(crate) fn cut(&self) {
        self.open.send_replace(false);
    }

    pub(crate) fn heal(&self) {
        self.open.send_replace(true);
    }
}

async fn forward(mut client: TcpStream, target: u16, mut open: watch::Receiver<bool>) {
    if !*open.borrow() {
        return;
    }
    let Ok(mut server) = TcpStream::connect(("127.0.0.1", target)).await else { return };
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
        _ = open.wait_for(|open| !open) => {}
    }
}
