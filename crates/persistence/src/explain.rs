//! Query plans of lists, for those who change lists or indexes, and for the test of them.

use crate::database::Database;
use crate::error::store_error;
use crate::query::pagination::Part;
use crate::runs::{self, RunFilter, RunOrder};
use crate::workflows::versions::{self, VersionFilter, VersionOrder};
use crate::workflows::{self, WorkflowFilter, WorkflowOrder};
use sea_orm::{ConnectionTrait, DbBackend, QueryTrait, Statement};
use sluice_engine::StoreError;

/// A list that is asked for.
#[derive(Clone, Debug)]
pub enum ListQuery {
    /// Workflows.
    Workflows(WorkflowFilter, Part<WorkflowOrder>),
    /// Runs.
    Runs(RunFilter, Part<RunOrder>),
    /// Versions of a workflow.
    Versions(VersionFilter, Part<VersionOrder>),
}

impl ListQuery {
    fn rows(&self, backend: DbBackend) -> Statement {
        match self {
            Self::Workflows(filter, part) => workflows::select(filter.clone(), part).build(backend),
            Self::Runs(filter, part) => runs::select(filter.clone(), part).build(backend),
            Self::Versions(filter, part) => versions::select_versions(filter, part).build(backend),
        }
    }

    fn count(&self, backend: DbBackend) -> Statement {
        match self {
            Self::Workflows(filter, _) => workflows::select_count(filter.clone()).build(backend),
            Self::Runs(filter, _) => runs::select_count(filter.clone()).build(backend),
            Self::Versions(filter, _) => versions::select_version_count(filter).build(backend),
        }
    }
}

impl Database {
    /// How the store finds the rows of a list, a line a step. For those who change lists or indexes, and for the
    /// test of them.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn plan(&self, query: &ListQuery) -> Result<Vec<String>, StoreError> {
        self.explain(query.rows(ConnectionTrait::get_database_backend(self.readers()))).await
    }

    /// As [`Self::plan`], of counting them.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn count_plan(&self, query: &ListQuery) -> Result<Vec<String>, StoreError> {
        self.explain(query.count(ConnectionTrait::get_database_backend(self.readers()))).await
    }

    async fn explain(&self, statement: Statement) -> Result<Vec<String>, StoreError> {
        let (explain, column) = match statement.db_backend {
            DbBackend::Postgres => ("EXPLAIN", 0),
            _ => ("EXPLAIN QUERY PLAN", 3),
        };
        let statement = Statement { sql: format!("{explain} {}", statement.sql), ..statement };
        let steps = self.readers().query_all_raw(statement).await.map_err(store_error)?;
        steps.iter().map(|step| step.try_get_by_index(column).map_err(store_error)).collect()
    }
}
