//! The migrations, one file each.

mod m20261128_000001_initial_schema;

use crate::migration::Migration;

/// All migrations, in the order in which they are applied.
pub const MIGRATIONS: &[Migration] = &[m20261128_000001_initial_schema::MIGRATION];
