//! Query plans of lists, for tests.

use sea_orm::{ConnectionTrait, DbBackend, QueryTrait, Statement};
use sluice_engine::StoreError;

use crate::database::Database;
use crate::error::store_error;
use crate::query::pagination::PageRequest;
use crate::runs::{self, RunFilter, RunOrder};
use crate::workflows::versions::{self, VersionFilter, VersionOrder};
use crate::workflows::{self, WorkflowFilter, WorkflowOrder};

/// The query of a list.
#[derive(Clone, Debug)]
pub enum ListQuery {
    /// Workflows.
    Workflows(WorkflowFilter, PageRequest<WorkflowOrder>),
    /// Runs.
    Runs(RunFilter, PageRequest<RunOrder>),
    /// Versions of a workflow.
    Versions(VersionFilter, PageRequest<VersionOrder>),
}

impl ListQuery {
    fn page_statement(&self, backend: DbBackend) -> Statement {
        match self {
            Self::Workflows(filter, request) => workflows::select(filter.clone(), request).build(backend),
            Self::Runs(filter, request) => runs::select(filter.clone(), request).build(backend),
            Self::Versions(filter, request) => versions::select(filter, request).build(backend),
        }
    }

    fn count_statement(&self, backend: DbBackend) -> Statement {
        match self {
            Self::Workflows(filter, _) => workflows::select_count(filter.clone()).build(backend),
            Self::Runs(filter, _) => runs::select_count(filter.clone()).build(backend),
            Self::Versions(filter, _) => versions::select_count(filter).build(backend),
        }
    }
}

impl Database {
    /// Returns the plan of a page, one line per step.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn explain_page(&self, query: &ListQuery) -> Result<Vec<String>, StoreError> {
        self.explain(query.page_statement(ConnectionTrait::get_database_backend(self.read_pool()))).await
    }

    /// Returns the plan of counting a list, one line per step.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn explain_count(&self, query: &ListQuery) -> Result<Vec<String>, StoreError> {
        self.explain(query.count_statement(ConnectionTrait::get_database_backend(self.read_pool()))).await
    }

    async fn explain(&self, statement: Statement) -> Result<Vec<String>, StoreError> {
        let (explain, column) = match statement.db_backend {
            DbBackend::Postgres => ("EXPLAIN", 0),
            _ => ("EXPLAIN QUERY PLAN", 3),
        };
        let statement = Statement { sql: format!("{explain} {}", statement.sql), ..statement };
        let steps = self.read_pool().query_all_raw(statement).await.map_err(store_error)?;
        steps.iter().map(|step| step.try_get_by_index(column).map_err(store_error)).collect()
    }
}
