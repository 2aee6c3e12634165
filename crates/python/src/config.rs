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
    /// Maximum run time of a snippet, without the time in which it waits for
    /// a free worker. Default: 10 seconds.
    pub time: Duration,
    /// Memory that a snippet may use in addition to the memory of an idle
    /// worker, in bytes. Includes its inputs and its result. The limit applies
    /// to the address space of the process, so it's exact to about 10 MiB.
    /// Default: 256 MiB.
    pub memory_bytes: u64,
    /// Maximum depth of nested calls. Default: 1000, as in CPython.
    pub recursion_depth: usize,
    /// Maximum size of the returned value as JSON text, in bytes. Default: 1 MiB.
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
    /// The absolute path of the executable to start as a worker. If called with
    /// [`args`](Self::args), it must call [`worker_main`](crate::worker_main).
    pub program: PathBuf,
    /// Arguments of the executable, for example a hidden subcommand.
    pub args: Vec<OsString>,
    /// Maximum number of worker processes, at least one. Further runs wait,
    /// first come, first served. Default: the number of CPUs.
    pub workers: usize,
    /// Limits of each run.
    pub limits: Limits,
    /// Grace period after [`Limits::time`]. Then the pool kills a worker that
    /// hasn't replied. The interpreter stops by itself at the limit. The grace
    /// period covers the start of the process, the conversion of the result,
    /// and rare operations that the interpreter can't interrupt.
    /// Default: 1 second.
    pub grace: Duration,
    /// Number of runs after which a worker is replaced. Limits the effect of
    /// memory leaks and fragmentation. Default: 1000.
    pub runs_per_worker: u32,
}

impl PoolConfig {
    /// Creates settings for workers started as `program args…`, with defaults
    /// for all other fields.
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

    /// Creates settings for workers that run the current executable with
    /// `args`.
    ///
    /// # Errors
    /// The operating system can't locate the executable.
    pub fn current_exe(args: impl IntoIterator<Item = impl Into<OsString>>) -> std::io::Result<Self> {
        // The link refers to the running program even after an upgrade has
        // replaced or removed its file. The target path of the link doesn't.
        let link = PathBuf::from("/proc/self/exe");
        let program = if link.exists() { link } else { std::env::current_exe()? };
        Ok(Self::new(program, args))
    }
}
