//! Settings of the pool and the limits of one run.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Resource limits of one run of a snippet.
///
/// The limits are the same for every run of a [`Pool`](crate::Pool).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Longest time a snippet may run, not counting the time it waits for a
    /// free worker. Default: 10 seconds.
    pub time: Duration,
    /// Bytes of memory a snippet may use on top of what an idle worker uses,
    /// its inputs and its result included. It's enforced on the address space
    /// of the process, so take it as exact to some ten MiB. Default: 256 MiB.
    pub memory_bytes: u64,
    /// Depth of nested calls. Default: 1000, as in CPython.
    pub recursion_depth: usize,
    /// Size in bytes of the returned value as JSON text. Default: 1 MiB.
    pub output_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            time: Duration::from_secs(10),
            memory_bytes: 256 * 1024 * 1024,
            recursion_depth: 1000,
            output_bytes: 1024 * 1024,
        }
    }
}

/// Settings of a [`Pool`](crate::Pool).
#[derive(Debug, Clone)]
pub struct PoolConfig {
    /// The executable to start as a worker, as an absolute path. It must call
    /// [`worker_main`](crate::worker_main) when it's given [`args`](Self::args).
    pub program: PathBuf,
    /// Arguments of the executable, for example a hidden sub-command.
    pub args: Vec<OsString>,
    /// The most worker processes (at least one). Further runs wait in the order
    /// in which they came. Default: the number of CPUs.
    pub workers: usize,
    /// Limits of each run.
    pub limits: Limits,
    /// Time beyond [`Limits::time`] after which the pool kills a worker that
    /// hasn't replied. The interpreter stops by itself at the limit; the grace
    /// period covers the start of the process, the conversion of the result
    /// and the rare operation that the interpreter can't interrupt.
    /// Default: 1 second.
    pub grace: Duration,
    /// Runs after which a worker is replaced, which bounds the effect of leaks
    /// and fragmented memory. Default: 1000.
    pub runs_per_worker: u32,
}

impl PoolConfig {
    /// Settings for workers started as `program args…`, everything else at its
    /// default.
    pub fn new(program: impl Into<PathBuf>, args: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        Self {
            program: program.into(),
            args: args.into_iter().map(Into::into).collect(),
            workers: std::thread::available_parallelism().map_or(2, usize::from),
            limits: Limits::default(),
            grace: Duration::from_secs(1),
            runs_per_worker: 1000,
        }
    }

    /// Settings for workers that are this very executable, started with
    /// `args`.
    ///
    /// # Errors
    /// If the operating system can't locate the executable.
    pub fn current_exe(args: impl IntoIterator<Item = impl Into<OsString>>) -> std::io::Result<Self> {
        // After an upgrade has replaced or removed the file, the link still
        // leads to the running program; the path behind it doesn't.
        let link = PathBuf::from("/proc/self/exe");
        let program = if link.exists() { link } else { std::env::current_exe()? };
        Ok(Self::new(program, args))
    }
}
