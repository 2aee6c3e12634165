//! Runs user-supplied Python snippets (the code of a workflow's
//! `PythonFuncNode`) in sandboxed worker processes.
//!
//! The interpreter is [`monty`], a Python subset written in Rust that has no
//! access to files, the network or the operating system. It still never runs
//! inside the server: the server's own executable is started again as a
//! *worker* (a hidden sub-command that calls [`worker_main`]), so that a
//! snippet which exhausts memory, overflows the stack or never returns costs
//! one worker process and nothing else.
//!
//! * [`Pool`] starts the workers, sends them snippets and replaces workers
//!   that died.
//! * [`worker_main`] runs in the worker process.
//! * [`PythonError`] is the reason why a snippet has no result.
//!
//! `docs/python.md` describes for users which Python is supported, how inputs
//! are read, and the limits.

#![warn(missing_docs)]

mod config;
mod error;
mod pool;
mod process;
mod protocol;
mod worker;

pub use config::{Limits, PoolConfig};
pub use error::PythonError;
pub use pool::Pool;
pub use worker::worker_main;
