//! Failures of commands.

/// Any failure of a command. [`explain`] turns it into a line for the terminal.
pub(crate) type Error = Box<dyn std::error::Error>;

/// The result of a command, or of a part of one.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// Returns the message of an error followed by those of its causes, without repetitions.
pub(crate) fn explain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        if !text.contains(&message) {
            text.push_str(": ");
            text.push_str(&message);
        }
        cause = error.source();
    }
    text
}

/// Returns a function that adds the action and the path to an I/O error, for `map_err`.
pub(crate) fn io_error(action: &str, path: &std::path::Path) -> impl Fn(std::io::Error) -> Error + use<> {
    let context = format!("can't {action} {}", path.display());
    move |error| format!("{context}: {error}").into()
}
