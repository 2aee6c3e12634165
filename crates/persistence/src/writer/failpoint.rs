//! Injected failures, for tests of crashes and outages around a commit.

use sea_orm::DbErr;

/// Does nothing, except as the variable `FAILPOINTS` says in a test build: `return(fail)` fails like an unavailable
/// database, `return(abort)` ends the process.
#[cfg(feature = "failpoints")]
pub(super) fn reach(point: &str) -> Result<(), DbErr> {
    fail::fail_point!(point, |action| match action.as_deref() {
        Some("abort") => std::process::abort(),
        _ => Err(DbErr::ConnectionAcquire(sea_orm::ConnAcquireErr::Timeout)),
    });
    Ok(())
}

/// Does nothing.
#[cfg(not(feature = "failpoints"))]
pub(super) fn reach(_: &str) -> Result<(), DbErr> {
    Ok(())
}
