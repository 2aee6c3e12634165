//! Intentional crashes for tests.

/// Aborts the process in builds with the feature `failpoints` if the environment variable `FAILPOINTS` contains
/// `point`.
#[cfg(feature = "failpoints")]
pub(crate) fn reach(point: &str) {
    fail::fail_point!(point, |_| std::process::abort());
}

#[cfg(not(feature = "failpoints"))]
pub(crate) fn reach(_point: &str) {}
