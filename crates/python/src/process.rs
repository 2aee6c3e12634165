//! One worker process as the pool sees it.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

use crate::config::PoolConfig;
use crate::error::PythonError;
use crate::protocol;

/// Bytes of a dead worker's stderr that are read.
const STDERR_BYTES: u64 = 8 * 1024;

/// Timeout for a worker to exit after it has closed its pipes.
const EXIT_TIMEOUT: Duration = Duration::from_secs(1);

/// A running worker. Dropping it kills the process, which is what makes a
/// canceled run stop at once.
#[derive(Debug)]
pub(crate) struct Worker {
    child: Child,
    stdin: ChildStdin,
    stdout: ChildStdout,
    stderr: ChildStderr,
    /// Runs that the worker has answered.
    pub runs: u32,
}

/// The reason why a worker sent no reply.
#[derive(Debug)]
pub(crate) enum NoReply {
    /// The request couldn't be written: the worker was dead already and the
    /// code hasn't run.
    NotSent,
    /// The worker closed its end, which means that it died.
    Died,
    /// The worker sent something else.
    Invalid(String),
}

impl Worker {
    /// Starts a process without the environment and the folder of the server.
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

    /// True if the process is running. It may die in the next moment.
    pub(crate) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends a request and waits for the body of the reply, of at most
    /// `max_reply` bytes.
    pub(crate) async fn exchange(&mut self, frame: &[u8], max_reply: usize) -> Result<Vec<u8>, NoReply> {
        if self.stdin.write_all(frame).await.is_err() || self.stdin.flush().await.is_err() {
            return Err(NoReply::NotSent);
        }
        let mut header = [0; protocol::HEADER];
        self.read(&mut header).await?;
        let length = usize::try_from(u32::from_be_bytes(header)).unwrap_or(usize::MAX);
        if length > max_reply {
            let text = format!("a reply of {length} bytes, at most {max_reply} are allowed");
            return Err(NoReply::Invalid(text));
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

    /// Determines why a worker that closed its pipes died, from its exit
    /// status and from the message that the Rust runtime wrote to stderr.
    pub(crate) async fn post_mortem(mut self, config: &PoolConfig) -> PythonError {
        let Ok(Ok(status)) = tokio::time::timeout(EXIT_TIMEOUT, self.child.wait()).await else {
            return PythonError::Crashed("it closed its output without exiting".to_owned());
        };
        let mut stderr = Vec::new();
        // Without stderr, the diagnosis is only less precise.
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

/// The exit status in words, without the paths that stderr might contain.
fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(crate::worker::PANIC_CODE), _) => "internal error of the interpreter".to_owned(),
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => "unknown cause".to_owned(),
    }
}
