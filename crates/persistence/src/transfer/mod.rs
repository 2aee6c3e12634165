//! Workflows on the move: out of the store as documents, and into it.

mod export;
mod import;
mod plan;

pub use import::ImportOutcome;
pub use plan::{Import, ImportAction, ImportMode, ImportRefusal, ImportRefused, Imported};
