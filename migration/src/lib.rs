//! The database schema, as a list of migrations. See `README.md` for the rules of adding one.

use sea_orm_migration::prelude::*;

pub use sea_orm_migration as migration;

mod m20261128_000001_initial_schema;

/// All migrations, in the order in which they are applied.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(m20261128_000001_initial_schema::Migration)]
    }
}
