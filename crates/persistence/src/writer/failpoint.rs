//! Failpoints: injected failures for tests of crashes and outages during a commit.

use sea_orm::DbErr;

/// Executes the action that the environment variable `FAILPOINTS` configures for `point`, if any: `return(fail)` fails
/// like an unavailable database, `return(abort)` aborts the process.
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
