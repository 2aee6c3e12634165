//! Arguments, value types and output shared by several commands.

mod database;
mod log;
pub(crate) mod output;
mod seconds;
mod storage;

pub(crate) use database::{DatabaseArgs, with_database};
pub(crate) use seconds::Seconds;
pub(crate) use storage::{BACKUP_UNSUPPORTED, StorageArgs};
