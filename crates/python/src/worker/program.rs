//! Converts a snippet to a program for the interpreter.

use ruff_python_parser::parse_module;

use super::rewrite;
use crate::protocol::Failure;

/// Name of the only input of the program: the value of `input_model`.
pub(super) const INPUT: &str = "_sluice_input";

/// Number of lines of the program before the snippet.
const LINES_BEFORE: u32 = 1;

/// Functions that rewritten attribute accesses call, and replacements of
/// built-in functions that access attributes. The fields of an object take
/// precedence over the methods of `dict`, so that a field named `items` can be
/// read. The methods can still be called, because calls are not rewritten.
const PRELUDE: &str = r#"
def _sluice_attribute(value, name):
    if isinstance(value, dict):
        if name in value:
            return value[name]
        if not hasattr(value, name):
            keys = [str(key) for key in value]
            more = ', ...' if len(keys) > 10 else ''
            known = ', '.join(keys[:10]) + more if keys else 'none'
            raise AttributeError(f"there is no field '{name}' (the fields are: {known})")
    return getattr(value, name)

def _sluice_getattr(value, name, *default):
    if isinstance(value, dict) and name in value:
        return value[name]
    return getattr(value, name, *default)

def _sluice_hasattr(value, name):
    return isinstance(value, dict) and name in value or hasattr(value, name)

"#;

/// A program, and the mapping from its lines to those of the snippet.
#[derive(Debug)]
pub(super) struct Program {
    /// The source text.
    pub source: String,
    lines: Lines,
}

/// The mapping from the lines of a program to those of the snippet.
#[derive(Debug, Clone, Copy)]
struct Lines {
    /// Number of lines of the snippet.
    count: u32,
}

impl Lines {
    /// Returns the line of the snippet for a line of the program, or `None` if it is a line of the wrapper.
    fn exact(self, line: u32) -> Option<u32> {
        let line = line.checked_sub(LINES_BEFORE)?;
        (1..=self.count).contains(&line).then_some(line)
    }

    /// Returns the nearest line of the snippet. The parser reports the line after the last one for an unfinished
    /// snippet.
    fn nearest(self, line: u32) -> u32 {
        line.saturating_sub(LINES_BEFORE).clamp(1, self.count)
    }
}

impl Program {
    /// Converts a snippet to a function `user_function(input_model)` and a call of it.
    ///
    /// # Errors
    /// [`Failure::Syntax`] if the snippet is not valid Python.
    pub(super) fn new(code: &str) -> Result<Self, Failure> {
        let code = code.replace("\r\n", "\n").replace('\r', "\n");
        let code = code.trim_start_matches('\u{feff}');
        let (function, lines) = wrap(code);
        let parsed = parse_module(&function).map_err(|error| {
            let before = &function[..usize::from(error.location.start()).min(function.len())];
            Failure::Syntax { message: error.error.to_string(), line: lines.nearest(line_after(before)) }
        })?;
        let mut source = rewrite::attributes(&function, &parsed);
        source.push_str(PRELUDE);
        source.push_str(&format!("user_function({INPUT})\n"));
        Ok(Self { source, lines })
    }

    /// Returns the line of the snippet for a line of the program, or `None` if it is a line of the wrapper.
    pub(super) fn user_line(&self, line: u32) -> Option<u32> {
        self.lines.exact(line)
    }

    /// Returns the line of the snippet that is nearest to a line of the program.
    pub(super) fn nearest_user_line(&self, line: u32) -> u32 {
        self.lines.nearest(line)
    }
}

/// Converts a snippet to a function, by indenting its lines.
fn wrap(code: &str) -> (String, Lines) {
    let mut function = String::with_capacity(code.len() * 5 / 4 + 64);
    function.push_str("def user_function(input_model):\n");
    let mut count = 0;
    for line in code.split('\n') {
        if !line.is_empty() {
            function.push_str("    ");
            function.push_str(line);
        }
        function.push('\n');
        count += 1;
    }
    // The return statement is necessary because a body that contains only comments is a syntax error. It has the same
    // indentation as the snippet.
    let first = code.split('\n').find(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'));
    let indent = first.map_or("", |line| &line[..line.len() - line.trim_start().len()]);
    function.push_str(&format!("    {indent}return None\n"));
    (function, Lines { count })
}

/// Returns the number of the line after the text `before`, starting at 1.
fn line_after(before: &str) -> u32 {
    let breaks = before.bytes().filter(|byte| *byte == b'\n').count();
    u32::try_from(breaks).map_or(u32::MAX, |breaks| breaks.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn syntax_line(code: &str) -> u32 {
        match Program::new(code) {
            Err(Failure::Syntax { line, .. }) => line,
            other => panic!("no syntax error: {other:?}"),
        }
    }

    #[test]
    fn syntax_errors_have_the_line_of_the_snippet() {
        assert_eq!(syntax_line("x = = 1"), 1);
        assert_eq!(syntax_line("a = 1\nb = 2\nreturn )"), 3);
        assert_eq!(syntax_line("a = 1\r\nb = 2\r\nreturn )"), 3);
    }

    #[test]
    fn reports_unfinished_code_in_a_line_of_the_snippet() {
        assert!(syntax_line("a = 1\nx = (1,\n") <= 3);
        assert!(syntax_line("x = '''abc") == 1);
        assert_eq!(syntax_line("if x:"), 1);
    }

    #[test]
    fn accepts_code_without_statements() {
        for code in ["", "\n\n", "  ", "# nothing"] {
            assert!(Program::new(code).is_ok(), "{code:?}");
        }
    }

    #[test]
    fn lines_of_the_wrapper_are_not_lines_of_the_snippet() {
        let program = Program::new("a\nb").unwrap();
        assert_eq!(program.user_line(1), None);
        assert_eq!(program.user_line(2), Some(1));
        assert_eq!(program.user_line(3), Some(2));
        assert_eq!(program.user_line(4), None);
        assert_eq!(program.nearest_user_line(40), 2);
    }
}
