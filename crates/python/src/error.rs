//! Errors of snippets and workers.

use std::time::Duration;

/// The reason why [`Pool::run`](crate::Pool::run) failed.
///
/// All messages are for the author of the snippet. Line numbers are those of
/// the snippet, starting at 1. Messages don't contain paths of the server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PythonError {
    /// The code is not valid Python.
    #[error("SyntaxError: {message} (line {line})")]
    Syntax {
        /// The message of the parser.
        message: String,
        /// Line of the snippet, from 1.
        line: u32,
    },
    /// The code raised an exception and didn't catch it.
    #[error("{kind}{}{message}{}", if message.is_empty() { "" } else { ": " }, at_line(*line))]
    Raised {
        /// Class of the exception, for example `ZeroDivisionError`.
        kind: String,
        /// The message of the exception, which may be empty.
        message: String,
        /// Line of the snippet where it was raised, from 1, if known.
        line: Option<u32>,
    },
    /// The code exceeded [`Limits::time`](crate::Limits::time). Contains the
    /// limit.
    #[error("the Python code was stopped: it ran longer than {0:?}")]
    Timeout(Duration),
    /// The code exceeded [`Limits::memory_bytes`](crate::Limits::memory_bytes).
    /// Contains the limit.
    #[error("the Python code was stopped: it needs more than {} MiB of memory", .0 / (1024 * 1024))]
    Memory(u64),
    /// The nested calls exceeded
    /// [`Limits::recursion_depth`](crate::Limits::recursion_depth). Contains
    /// the limit.
    #[error("RecursionError: calls nested deeper than {0} levels")]
    Recursion(usize),
    /// The returned value exceeds
    /// [`Limits::output_bytes`](crate::Limits::output_bytes). Contains the
    /// limit.
    #[error("the returned value is larger than {0} bytes of JSON")]
    OutputTooLarge(usize),
    /// The returned value can't be converted to JSON. Contains the reason and
    /// the location in the value.
    #[error("the returned value can't be written as JSON: {0}")]
    NotJson(String),
    /// The code uses a feature of Python that this interpreter doesn't support.
    /// Contains a message with the feature.
    #[error("{0}")]
    Unsupported(String),
    /// The worker process died. This affects only the current run. Contains
    /// the exit status.
    #[error("the Python worker died: {0}")]
    Crashed(String),
    /// The worker couldn't be started, the communication with it failed, or
    /// the pool is shut down. The code is not the cause.
    #[error("the Python worker failed: {0}")]
    Worker(String),
}

/// Formats a line number for the end of an error message.
fn at_line(line: Option<u32>) -> String {
    line.map_or_else(String::new, |line| format!(" (line {line})"))
}
