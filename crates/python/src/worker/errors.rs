//! Converts exceptions of the interpreter to failures with line numbers of the snippet.

use monty_types::{ExcType, MontyException};

use super::program::Program;
use crate::protocol::Failure;

/// Maximum length of a message, in bytes.
const MAX_MESSAGE: usize = 4096;

/// Prefix of the interpreter's messages about missing features.
const MISSING_SYNTAX: &str = "The monty syntax parser does not yet support ";

/// Built-in functions of Python that the interpreter lacks. For these names,
/// the error is not about an undefined name, but about a missing feature.
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

/// Converts an exception of the compiler.
pub(super) fn from_compiler(error: &MontyException, program: &Program) -> Failure {
    let message = message(error);
    let line = error.traceback().last().map_or(1, |frame| program.nearest_user_line(frame.start.line));
    match error.exc_type() {
        ExcType::NotImplementedError => {
            let feature = message.strip_prefix(MISSING_SYNTAX).unwrap_or(&message);
            unsupported_feature(feature, Some(line))
        }
        ExcType::SyntaxError => Failure::Syntax { message, line },
        kind => Failure::Raised { kind: kind.to_string(), message, line: Some(line) },
    }
}

/// Converts an exception that the program didn't catch.
pub(super) fn from_exception(error: &MontyException, program: &Program) -> Failure {
    // The line of the innermost frame in the snippet. The wrapper's frames are skipped.
    let line = error.traceback().iter().rev().find_map(|frame| program.user_line(frame.start.line));
    let message = message(error);
    match error.exc_type() {
        ExcType::MemoryError => Failure::Memory,
        ExcType::RecursionError => Failure::Recursion,
        ExcType::TimeoutError if message.starts_with("time limit exceeded: ") => Failure::Timeout,
        kind => match missing_feature(kind, &message) {
            Some(feature) => unsupported_feature(&feature, line),
            None => Failure::Raised { kind: kind.to_string(), message, line },
        },
    }
}

/// Returns the feature that the interpreter lacks, if this caused the exception.
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
        // In Python, strings always support the operator `%`.
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

fn unsupported_feature(feature: &str, line: Option<u32>) -> Failure {
    let line = line.map_or_else(String::new, |line| format!(" (line {line})"));
    Failure::Unsupported(format!("not in the supported subset of Python: {feature}{line}"))
}

/// Returns the message of an exception, truncated to [`MAX_MESSAGE`].
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
