//! What each kind of node does: its config, the checks of its config, its behaviour, and its entry in the
//! catalogue.
//!
//! This crate is pure. What a node has to do outside of the log (running Python code) it only describes;
//! the engine does it.

mod builtin;
mod catalogue;
mod config;
mod facts;
mod field_type;
mod json_schema;
mod kinds;
mod known;
mod ordered;
mod policy;
pub mod python_text;
mod wording;

pub use builtin::{Builtin, runnable_kinds};
pub use catalogue::{Groups, Kind, VisualTag, catalogue};
pub use field_type::of_texts;
pub use kinds::python_func::{PYTHON_FUNC, PythonFuncConfig, check_output};
pub use policy::{Policies, PolicyConfig, RetryConfig};
