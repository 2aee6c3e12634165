//! The pool of connections for reads, with a timeout for each statement.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use async_trait::async_trait;
use sea_orm::{
    ConnAcquireErr, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult,
    QueryResult, Statement, StreamTrait, TransactionOptions, TransactionTrait as _,
};
use tokio::time::timeout;

/// Timeout of a read. Longer than the statement timeout of the database: it detects a database that stopped responding.
const READ_TIMEOUT: Duration = Duration::from_secs(35);
/// Timeout of a read probe.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// The connections for reads, with a timeout for each statement.
#[derive(Clone, Debug)]
pub(crate) struct ReadPool(DatabaseConnection);

impl ReadPool {
    pub(crate) fn new(db: DatabaseConnection) -> Self {
        Self(db)
    }

    pub(crate) fn connection(&self) -> &DatabaseConnection {
        &self.0
    }

    /// Reads a page of the database, to check that it responds.
    pub(crate) async fn probe(&self) -> Result<(), DbErr> {
        // SELECT 1 would not read any page.
        let sql = "SELECT id FROM workflows LIMIT 1";
        let statement = Statement::from_string(ConnectionTrait::get_database_backend(&self.0), sql);
        with_timeout(PROBE_TIMEOUT, self.0.query_one_raw(statement)).await.map(drop)
    }

    pub(crate) async fn begin_with_options(
        &self,
        options: TransactionOptions,
    ) -> Result<DatabaseTransaction, DbErr> {
        with_timeout(READ_TIMEOUT, self.0.begin_with_options(options)).await
    }
}

/// Runs `work` for at most `limit`.
async fn with_timeout<T>(limit: Duration, work: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
    timeout(limit, work).await.unwrap_or(Err(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)))
}

#[async_trait]
impl ConnectionTrait for ReadPool {
    fn get_database_backend(&self) -> DbBackend {
        ConnectionTrait::get_database_backend(&self.0)
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        with_timeout(READ_TIMEOUT, self.0.execute_raw(statement)).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        with_timeout(READ_TIMEOUT, self.0.execute_unprepared(sql)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        with_timeout(READ_TIMEOUT, self.0.query_one_raw(statement)).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        with_timeout(READ_TIMEOUT, self.0.query_all_raw(statement)).await
    }
}

impl StreamTrait for ReadPool {
    type Stream<'a> = <DatabaseConnection as StreamTrait>::Stream<'a>;

    fn get_database_backend(&self) -> DbBackend {
        ConnectionTrait::get_database_backend(&self.0)
    }

    fn stream_raw<'a>(
        &'a self,
        statement: Statement,
    ) -> Pin<Box<dyn Future<Output = Result<Self::Stream<'a>, DbErr>> + 'a + Send>> {
        Box::pin(with_timeout(READ_TIMEOUT, self.0.stream_raw(statement)))
    }
}
