//! A worker process, from the perspective of the pool.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

use crate::config::PoolConfig;
use crate::error::PythonError;
use crate::protocol;

/// Maximum number of bytes that are read from the stderr of a dead worker.
const STDERR_BYTES: u64 = 8 * 1024;

/// Timeout for a worker to exit after it has closed its pipes.
const EXIT_TIMEOUT: Duration = Duration::from_secs(1);

/// A running worker. Dropping it kills the process, so that a canceled run stops
/// immediately.
#[derive(Debug)]
pub(crate) struct Worker {
    child: Child,
    stdin: ChildStdin,
    stdout: ChildStdout,
    stderr: ChildStderr,
    /// Number of runs that the worker has replied to.
    pub runs: u32,
}

/// The reason why a worker didn't send a valid reply.
#[derive(Debug)]
pub(crate) enum NoReply {
    /// The request couldn't be written, because the worker was already dead.
    /// The code has not run.
    NotSent,
    /// The worker closed its output, which means that it died.
    Died,
    /// The reply was invalid.
    Invalid(String),
}

impl Worker {
    /// Starts a process, without the environment and the working directory of
    /// the server.
    pub(crate) fn spawn(config: &PoolConfig) -> Result<Self, PythonError> {
        let mut child = Command::new(&config.program)
            .args(&config.args)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| PythonError::Worker(format!("it can't be started: {error}")))?;
        match (child.stdin.take(), child.stdout.take(), child.stderr.take()) {
            (Some(stdin), Some(stdout), Some(stderr)) => Ok(Self { child, stdin, stdout, stderr, runs: 0 }),
            _ => Err(PythonError::Worker("it has no pipes".to_owned())),
        }
    }

    /// Returns true if the process is running.
    pub(crate) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends a request and returns the body of the reply, which must not exceed
    /// `max_reply` bytes.
    pub(crate) async fn exchange(&mut self, frame: &[u8], max_reply: usize) -> Result<Vec<u8>, NoReply> {
        if self.stdin.write_all(frame).await.is_err() || self.stdin.flush().await.is_err() {
            return Err(NoReply::NotSent);
        }
        let mut header = [0; protocol::HEADER];
        self.read(&mut header).await?;
        let length = usize::try_from(u32::from_be_bytes(header)).unwrap_or(usize::MAX);
        if length > max_reply {
            let reason = format!("its reply has {length} bytes, more than the maximum of {max_reply}");
            return Err(NoReply::Invalid(reason));
        }
        let mut body = vec![0; length];
        self.read(&mut body).await?;
        Ok(body)
    }

    async fn read(&mut self, buffer: &mut [u8]) -> Result<(), NoReply> {
        match self.stdout.read_exact(buffer).await {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(NoReply::Died),
            Err(error) => Err(NoReply::Invalid(error.kind().to_string())),
        }
    }

    /// Determines why a worker died, from its exit status and from the message
    /// of the Rust runtime on stderr.
    pub(crate) async fn diagnose_exit(mut self, config: &PoolConfig) -> PythonError {
        let Ok(Ok(status)) = tokio::time::timeout(EXIT_TIMEOUT, self.child.wait()).await else {
            return PythonError::Crashed("it closed its output without exiting".to_owned());
        };
        let mut stderr = Vec::new();
        // If stderr can't be read, the diagnosis is less precise.
        let mut pipe = self.stderr.take(STDERR_BYTES);
        let _ = tokio::time::timeout(EXIT_TIMEOUT, pipe.read_to_end(&mut stderr)).await;
        let stderr = String::from_utf8_lossy(&stderr);
        if stderr.contains("memory allocation of") {
            PythonError::Memory(config.limits.memory_bytes)
        } else if stderr.contains("overflowed its stack") {
            PythonError::Recursion(config.limits.recursion_depth)
        } else {
            PythonError::Crashed(describe(status))
        }
    }

    /// Kills the process and waits until it's gone.
    pub(crate) async fn kill(mut self) {
        // Fails only if the process is already gone.
        let _ = self.child.kill().await;
    }
}

/// Describes an exit status. Doesn't contain stderr, which may contain paths.
fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(crate::worker::PANIC_CODE), _) => "internal error of the interpreter".to_owned(),
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => "unknown cause".to_owned(),
    }
}
