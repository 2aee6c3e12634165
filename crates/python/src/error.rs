//! Errors of snippets and workers.

use std::time::Duration;

/// The reason why [`Pool::run`](crate::Pool::run) has no result.
///
/// The text of every variant is meant for the author of the snippet: lines are
/// those of the snippet, counted from 1, and no path of the server is named.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PythonError {
    /// The code isn't Python.
    #[error("SyntaxError: {message} (line {line})")]
    Syntax {
        /// The parser's message.
        message: String,
        /// Line of the snippet, from 1.
        line: u32,
    },
    /// The code raised an exception and didn't catch it.
    #[error("{kind}{}{message}{}", if message.is_empty() { "" } else { ": " }, at_line(*line))]
    Raised {
        /// Class of the exception, for example `ZeroDivisionError`.
        kind: String,
        /// The exception's message; may be empty.
        message: String,
        /// Line of the snippet where it was raised, from 1, if known.
        line: Option<u32>,
    },
    /// The code ran longer than [`Limits::time`](crate::Limits::time), which
    /// is given here.
    #[error("the Python code was stopped: it ran longer than {0:?}")]
    Timeout(Duration),
    /// The code needed more than
    /// [`Limits::memory_bytes`](crate::Limits::memory_bytes), which is given
    /// here.
    #[error("the Python code was stopped: it needs more than {} MiB of memory", .0 / (1024 * 1024))]
    Memory(u64),
    /// The code's calls are nested deeper than
    /// [`Limits::recursion_depth`](crate::Limits::recursion_depth), which is
    /// given here.
    #[error("RecursionError: calls nested deeper than {0} levels")]
    Recursion(usize),
    /// The returned value is larger than
    /// [`Limits::output_bytes`](crate::Limits::output_bytes), which is given
    /// here.
    #[error("the returned value is larger than {0} bytes of JSON")]
    OutputTooLarge(usize),
    /// The returned value can't be written as JSON; the text names the part
    /// and its place.
    #[error("the returned value can't be written as JSON: {0}")]
    NotJson(String),
    /// The code uses something that Python has and this interpreter lacks; the
    /// text names it.
    #[error("{0}")]
    Unsupported(String),
    /// The worker process died, which affects only this run. The text
    /// contains its exit status.
    #[error("the Python worker died: {0}")]
    Crashed(String),
    /// The worker couldn't be started or reached, the inputs couldn't be sent,
    /// or the pool is shut down. The code isn't the cause.
    #[error("the Python worker failed: {0}")]
    Worker(String),
}

/// The line as the end of an error message.
fn at_line(line: Option<u32>) -> String {
    line.map_or_else(String::new, |line| format!(" (line {line})"))
}
