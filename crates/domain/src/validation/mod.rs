//! Validation of definitions: errors that block a save, and lints.

mod catalog;
mod code;
mod data_flow;
mod diagnose;
mod diagnostic;
mod errors;
mod lint;
mod parse;
mod pointer;
mod suggest;

pub use catalog::{Catalog, ConfigProblem};
pub use code::{Code, Severity};
pub use data_flow::{
    DataFlow, ExternalEffects, Fields, Finding, InputUse, OutputShape, Reference, ReferenceScope,
};
pub use diagnose::{diagnose, validate};
pub use diagnostic::{Diagnostic, MAX_DIAGNOSTICS, Related, truncate};
pub(crate) use parse::parse;
pub use pointer::{path_pointer, pointer_step, pointer_steps};
pub use suggest::suggest;
