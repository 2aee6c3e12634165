//! Runs user-supplied Python snippets (the code of a workflow's
//! `PythonFuncNode`) in sandboxed worker processes.
//!
//! The interpreter is [`monty`], which is written in Rust and implements a
//! subset of Python without access to files, the network or the operating
//! system. Nevertheless, it never runs inside the server process. The executable
//! of the server is started again as a *worker*, with a hidden subcommand that
//! calls [`worker_main`]. A snippet that exhausts memory, overflows the stack or
//! never returns affects only its worker process.
//!
//! * [`Pool`] starts the workers, sends them snippets and replaces workers
//!   that died.
//! * [`worker_main`] runs in the worker process.
//! * [`PythonError`] is the reason why a snippet failed.
//!
//! `docs/python.md` documents the supported subset of Python, the access to
//! inputs, and the limits for users.

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
