//! The options of a database.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::sqlx::sqlite::SqliteConnectOptions;

use crate::error::OpenError;

/// The options of a database.
#[derive(Clone)]
pub struct Options {
    /// The URL: `sqlite://FILE` or `postgres://USER:PASSWORD@HOST:PORT/DATABASE`.
    pub url: String,
    /// Connections for reads.
    pub readers: u32,
    /// True if only this process may drive the runs of the database. Processes with `false` share a PostgreSQL
    /// database. An SQLite file is never shared.
    pub exclusive: bool,
    /// Size limit of an SQLite file, in bytes.
    pub max_bytes: Option<u64>,
}

impl Options {
    /// Creates options for exclusive use of the database at `url`.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        let url = url.into();
        // Reads of SQLite use the CPU of this process. Reads of PostgreSQL mostly wait.
        let readers = if url.starts_with("sqlite:") { 4 } else { 8 };
        Self { url, readers, exclusive: true, max_bytes: None }
    }

    /// Returns true if the URL names a missing file: opening it creates an empty database.
    #[must_use]
    pub fn is_new_file(&self) -> bool {
        matches!(Target::parse(&self.url), Ok(Target::Sqlite { path }) if !path.exists())
    }
}

impl std::fmt::Debug for Options {
    /// Omits the URL, which may contain a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("readers", &self.readers)
            .field("exclusive", &self.exclusive)
            .finish_non_exhaustive()
    }
}

/// A parsed database URL.
#[derive(Clone)]
pub(crate) enum Target {
    /// An SQLite file.
    Sqlite { path: PathBuf },
    /// A PostgreSQL database. `location` is for messages: host, port and database, without the password.
    Postgres { url: String, location: String },
}

impl Target {
    pub(crate) fn parse(url: &str) -> Result<Self, OpenError> {
        let scheme = url.split(':').next().unwrap_or_default();
        match scheme {
            "sqlite" => sqlite(url),
            "postgres" | "postgresql" => postgres(url),
            _ => Err(OpenError::Url { reason: "unknown scheme".to_owned() }),
        }
    }

    /// Returns the location of the database for messages, without the password.
    pub(crate) fn location(&self) -> String {
        match self {
            Self::Sqlite { path } => path.display().to_string(),
            Self::Postgres { location, .. } => location.clone(),
        }
    }
}

fn sqlite(url: &str) -> Result<Target, OpenError> {
    if url.contains(":memory:") || url.contains("mode=memory") {
        let reason = "in-memory databases are not supported";
        return Err(OpenError::Url { reason: reason.to_owned() });
    }
    let options = SqliteConnectOptions::from_str(url)
        .map_err(|_| OpenError::Url { reason: "malformed URL".to_owned() })?;
    let path = options.get_filename();
    if path.as_os_str().is_empty() {
        return Err(OpenError::Url { reason: "missing file name".to_owned() });
    }
    let path = absolute(path).map_err(|source| OpenError::File { path: path.to_owned(), source })?;
    Ok(Target::Sqlite { path })
}

/// Resolves symbolic links, so that every path of a file leads to the same lock.
fn absolute(path: &Path) -> std::io::Result<PathBuf> {
    match path.canonicalize() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            let folder = parent.unwrap_or(Path::new(".")).canonicalize()?;
            Ok(folder.join(path.file_name().unwrap_or_default()))
        }
        result => result,
    }
}

fn postgres(url: &str) -> Result<Target, OpenError> {
    let rest = url.split_once(':').map_or("", |(_, rest)| rest);
    let url = format!("postgres:{rest}");
    let options = PgConnectOptions::from_str(&url)
        .map_err(|_| OpenError::Url { reason: "malformed URL".to_owned() })?;
    let database = options.get_database().unwrap_or_else(|| options.get_username());
    let location = format!("{}:{}/{database}", options.get_host(), options.get_port());
    Ok(Target::Postgres { url, location })
}
