//! Text for the terminal.

use std::io::Write as _;
use std::path::Path;

/// Prints a line to standard output. A closed pipe is not an error.
pub(crate) fn print_line(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Prints a message about this program to standard error.
pub(crate) fn print_error(message: &str) {
    // If standard error is closed, there is nowhere to report that.
    let _ = writeln!(std::io::stderr(), "sluice: {message}");
}

/// Returns a path with control characters escaped, which could otherwise steer the terminal.
pub(crate) fn display_path(path: &Path) -> String {
    let escape = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    path.display().to_string().chars().map(escape).collect()
}

/// Returns a count with its noun, in the plural unless it is one.
pub(crate) fn count(count: usize, noun: &str) -> String {
    let suffix = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{suffix}")
}
