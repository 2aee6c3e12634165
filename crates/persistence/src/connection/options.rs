//! Which database, and how it is used.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::sqlx::sqlite::SqliteConnectOptions;

use crate::error::OpenError;

/// Which database, and how it is used.
#[derive(Clone)]
pub struct Options {
    /// `sqlite://FILE` or `postgres://USER:PASSWORD@HOST:PORT/DATABASE`.
    pub url: String,
    /// How many connections read.
    pub readers: u32,
    /// Whether this process alone drives the runs of the database. Otherwise others that say so too may
    /// share it, if it is PostgreSQL; an SQLite file is never shared.
    pub exclusive: bool,
    /// The most bytes of an SQLite file; none: as many as there is room for.
    pub max_bytes: Option<u64>,
}

impl Options {
    /// The database at `url`, used alone.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        let url = url.into();
        // A reader of SQLite computes here, one of PostgreSQL mostly waits.
        let readers = if url.starts_with("sqlite:") { 4 } else { 8 };
        Self { url, readers, exclusive: true, max_bytes: None }
    }

    /// Whether the URL names a file that isn't there: opening it makes an empty database.
    #[must_use]
    pub fn names_a_new_file(&self) -> bool {
        matches!(Target::parse(&self.url), Ok(Target::Sqlite { path }) if !path.exists())
    }
}

impl std::fmt::Debug for Options {
    /// Without the URL, which may have a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("readers", &self.readers)
            .field("exclusive", &self.exclusive)
            .finish_non_exhaustive()
    }
}

/// A database URL, understood.
#[derive(Clone)]
pub(crate) enum Target {
    /// A file.
    Sqlite { path: PathBuf },
    /// A server. `place` is what people are shown.
    Postgres { url: String, place: String },
}

impl Target {
    pub(crate) fn parse(url: &str) -> Result<Self, OpenError> {
        let scheme = url.split(':').next().unwrap_or_default();
        match scheme {
            "sqlite" => sqlite(url),
            "postgres" | "postgresql" => postgres(url),
            _ => Err(OpenError::Url { reason: "it has neither of these schemes".to_owned() }),
        }
    }

    /// The database in words for people: no password.
    pub(crate) fn place(&self) -> String {
        match self {
            Self::Sqlite { path } => path.display().to_string(),
            Self::Postgres { place, .. } => place.clone(),
        }
    }
}

fn sqlite(url: &str) -> Result<Target, OpenError> {
    if url.contains(":memory:") || url.contains("mode=memory") {
        let reason = "a database in memory would be lost, name a file";
        return Err(OpenError::Url { reason: reason.to_owned() });
    }
    let options = SqliteConnectOptions::from_str(url)
        .map_err(|_| OpenError::Url { reason: "it is not well-formed".to_owned() })?;
    let path = options.get_filename();
    if path.as_os_str().is_empty() {
        return Err(OpenError::Url { reason: "it names no file".to_owned() });
    }
    let path = absolute(path).map_err(|source| OpenError::File { path: path.to_owned(), source })?;
    Ok(Target::Sqlite { path })
}

/// One name for one file, whichever link leads to it: the lock stands beside the file itself.
fn absolute(path: &Path) -> std::io::Result<PathBuf> {
    match path.canonicalize() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            let folder = parent.unwrap_or(Path::new(".")).canonicalize()?;
            Ok(folder.join(path.file_name().unwrap_or_default()))
        }
        found => found,
    }
}

fn postgres(url: &str) -> Result<Target, OpenError> {
    let rest = url.split_once(':').map_or("", |(_, rest)| rest);
    let url = format!("postgres:{rest}");
    let options = PgConnectOptions::from_str(&url)
        .map_err(|_| OpenError::Url { reason: "it is not well-formed".to_owned() })?;
    let database = options.get_database().unwrap_or_else(|| options.get_username());
    let place = format!("{}:{}/{database}", options.get_host(), options.get_port());
    Ok(Target::Postgres { url, place })
}
