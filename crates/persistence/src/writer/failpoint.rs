//! Failures on purpose, for the tests of what happens beside a commit.

use sea_orm::DbErr;

/// Passes, but in test builds of which the variable `FAILPOINTS` says otherwise: `return(fail)` is an error
/// as of a store that is away, `return(abort)` ends the process at once.
#[cfg(feature = "failpoints")]
pub(super) fn reach(point: &str) -> Result<(), DbErr> {
    fail::fail_point!(point, |what| match what.as_deref() {
        Some("abort") => std::process::abort(),
        _ => Err(DbErr::ConnectionAcquire(sea_orm::ConnAcquireErr::Timeout)),
    });
    Ok(())
}

/// Passes.
#[cfg(not(feature = "failpoints"))]
pub(super) fn reach(_: &str) -> Result<(), DbErr> {
    Ok(())
}
