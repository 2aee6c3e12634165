/// Errors of [`RunStore::commit`](super::RunStore::commit). The log is unchanged, unless the store failed.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Another writer appended first. The caller has to reload the run, decide again and commit again.
    #[error("the log has grown since it was read")]
    Conflict,
    /// The run, its version or its workflow no longer exists.
    #[error("the run no longer exists")]
    Gone,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Errors of the database.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database is unreachable or doesn't respond in time. A later attempt may succeed.
    #[error("database unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The database is full. Reads still work.
    #[error("database full")]
    Full(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The rows of a page exceed this many bytes.
    #[error("the page exceeds {0} bytes")]
    PageTooLarge(usize),
    /// A row can't be converted to its type.
    #[error("row {id} of {table} is unreadable: {what}")]
    Unreadable {
        /// The table.
        table: &'static str,
        /// The key of the row.
        id: String,
        /// The reason.
        what: String,
    },
    /// Any other failure.
    #[error("database operation failed")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}
