//! Converts the interpreter's exceptions to failures with the snippet's lines.

use monty_types::{ExcType, MontyException};

use super::program::Program;
use crate::protocol::Failure;

/// Longest message that's passed on, in bytes.
const MAX_MESSAGE: usize = 4096;

/// The start of the interpreter's message about a missing feature.
const MISSING_SYNTAX: &str = "The monty syntax parser does not yet support ";

/// Built-in names of Python that the interpreter doesn't have. The message
/// about them differs from that about a misspelled name.
const MISSING_BUILTINS: &[&str] = &[
    "aiter",
    "anext",
    "ascii",
    "breakpoint",
    "bytearray",
    "classmethod",
    "compile",
    "complex",
    "delattr",
    "dir",
    "eval",
    "exec",
    "exit",
    "format",
    "globals",
    "help",
    "input",
    "issubclass",
    "locals",
    "memoryview",
    "quit",
    "staticmethod",
    "super",
    "vars",
    "__import__",
];

/// The failure for an exception of the compiler.
pub(super) fn from_compiler(error: &MontyException, program: &Program) -> Failure {
    let message = message(error);
    let line = error.traceback().last().map_or(1, |frame| program.nearest_user_line(frame.start.line));
    match error.exc_type() {
        ExcType::NotImplementedError => {
            let what = message.strip_prefix(MISSING_SYNTAX).unwrap_or(&message);
            unsupported(what, Some(line))
        }
        ExcType::SyntaxError => Failure::Syntax { message, line },
        kind => Failure::Raised { kind: kind.to_string(), message, line: Some(line) },
    }
}

/// The failure for an exception that the program didn't catch.
pub(super) fn from_exception(error: &MontyException, program: &Program) -> Failure {
    // The innermost frame that's the snippet's, not the wrapper's.
    let line = error.traceback().iter().rev().find_map(|frame| program.user_line(frame.start.line));
    let message = message(error);
    match error.exc_type() {
        ExcType::MemoryError => Failure::Memory,
        ExcType::RecursionError => Failure::Recursion,
        ExcType::TimeoutError if message.starts_with("time limit exceeded: ") => Failure::Timeout,
        kind => match missing_feature(kind, &message) {
            Some(what) => unsupported(&what, line),
            None => Failure::Raised { kind: kind.to_string(), message, line },
        },
    }
}

/// The feature that the interpreter lacks, if that caused the exception.
fn missing_feature(kind: ExcType, message: &str) -> Option<String> {
    match kind {
        ExcType::ModuleNotFoundError => {
            let module = message.strip_prefix("No module named ")?;
            Some(format!("the module {module}"))
        }
        ExcType::ImportError => {
            let (name, module) = message.strip_prefix("cannot import name ")?.split_once(" from ")?;
            let module = module.split(" (").next()?;
            Some(format!("{name} of the module {module}"))
        }
        ExcType::AttributeError => {
            let name = message.strip_prefix("'module' object has no attribute ")?;
            Some(format!("the name {name} of this module"))
        }
        // In Python a string on the left of `%` never lacks the operator.
        ExcType::TypeError => message
            .starts_with("unsupported operand type(s) for %: 'str' and ")
            .then(|| "formatting with '%'; use an f-string or format()".to_owned()),
        ExcType::NameError => {
            let name = message.strip_prefix("name '")?.strip_suffix("' is not defined")?;
            MISSING_BUILTINS.contains(&name).then(|| format!("the built-in function '{name}'"))
        }
        ExcType::NotImplementedError => message.strip_prefix(MISSING_SYNTAX).map(str::to_owned),
        _ => None,
    }
}

fn unsupported(what: &str, line: Option<u32>) -> Failure {
    let line = line.map_or_else(String::new, |line| format!(" (line {line})"));
    Failure::Unsupported(format!("not in the supported subset of Python: {what}{line}"))
}

/// The exception's message, cut to a length that fits a log.
fn message(error: &MontyException) -> String {
    let mut message = error.message().unwrap_or_default().to_owned();
    if message.len() > MAX_MESSAGE {
        let mut end = MAX_MESSAGE;
        while !message.is_char_boundary(end) {
            end -= 1;
        }
        message.truncate(end);
        message.push('…');
    }
    message
}
