//! Text for the terminal.

use std::io::Write as _;
use std::path::Path;

/// Prints a line to standard output. A closed pipe is not an error.
pub(crate) fn print_line(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Prints a message about this program to standard error.
pub(crate) fn print_error(message: &str) {
    // If standard error is closed, the failure can't be reported anywhere.
    let _ = writeln!(std::io::stderr(), "sluice: {message}");
}

/// Returns a path in which control characters are escaped, because they could control the terminal.
pub(crate) fn display_path(path: &Path) -> String {
    let escape = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    path.display().to_string().chars().map(escape).collect()
}

/// Returns a count with its noun, which is in the plural unless the count is 1.
pub(crate) fn count(count: usize, noun: &str) -> String {
    let suffix = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{suffix}")
}
