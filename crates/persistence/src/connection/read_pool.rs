//! The connections that read, each read with a deadline.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use async_trait::async_trait;
use sea_orm::{
    ConnAcquireErr, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult,
    QueryResult, Statement, StreamTrait, TransactionOptions, TransactionTrait as _,
};
use tokio::time::timeout;

/// How long a read may take. Longer than the store's own deadline for a statement: this one is for a store
/// that has vanished without a word.
const DEADLINE: Duration = Duration::from_secs(35);
/// How long a probe may take.
const PROBE: Duration = Duration::from_secs(2);

/// Reads, and gives up on a store that doesn't answer.
#[derive(Clone, Debug)]
pub(crate) struct Readers(DatabaseConnection);

impl Readers {
    pub(crate) fn new(db: DatabaseConnection) -> Self {
        Self(db)
    }

    pub(crate) fn connection(&self) -> &DatabaseConnection {
        &self.0
    }

    /// Reads something that is always there.
    pub(crate) async fn probe(&self) -> Result<(), DbErr> {
        // A page of the store and not only its first.
        let sql = "SELECT id FROM workflows LIMIT 1";
        let statement = Statement::from_string(ConnectionTrait::get_database_backend(&self.0), sql);
        in_time(PROBE, self.0.query_one_raw(statement)).await.map(drop)
    }

    pub(crate) async fn begin_with_options(
        &self,
        options: TransactionOptions,
    ) -> Result<DatabaseTransaction, DbErr> {
        in_time(DEADLINE, self.0.begin_with_options(options)).await
    }
}

/// What `work` gives, unless it takes too long.
pub(crate) async fn in_time<T>(
    deadline: Duration,
    work: impl Future<Output = Result<T, DbErr>>,
) -> Result<T, DbErr> {
    timeout(deadline, work).await.unwrap_or(Err(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)))
}

#[async_trait]
impl ConnectionTrait for Readers {
    fn get_database_backend(&self) -> DbBackend {
        ConnectionTrait::get_database_backend(&self.0)
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        in_time(DEADLINE, self.0.execute_raw(statement)).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        in_time(DEADLINE, self.0.execute_unprepared(sql)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        in_time(DEADLINE, self.0.query_one_raw(statement)).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        in_time(DEADLINE, self.0.query_all_raw(statement)).await
    }
}

impl StreamTrait for Readers {
    type Stream<'a> = <DatabaseConnection as StreamTrait>::Stream<'a>;

    fn get_database_backend(&self) -> DbBackend {
        ConnectionTrait::get_database_backend(&self.0)
    }

    fn stream_raw<'a>(
        &'a self,
        statement: Statement,
    ) -> Pin<Box<dyn Future<Output = Result<Self::Stream<'a>, DbErr>> + 'a + Send>> {
        Box::pin(in_time(DEADLINE, self.0.stream_raw(statement)))
    }
}
