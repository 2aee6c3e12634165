//! The type of a migration.

use sea_orm::{DbBackend, Statement};

/// A migration: one step of the schema.
#[derive(Debug)]
pub struct Migration {
    /// Name of the module that defines the step.
    pub name: &'static str,
    /// The statements that change the schema.
    pub(crate) statements: fn(DbBackend) -> Vec<Statement>,
}
