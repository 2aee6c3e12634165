//! Runs a program in the interpreter.

use std::time::{SystemTime, UNIX_EPOCH};

use chrono::{DateTime, Datelike, Timelike};
use monty::{MontyRun, RunProgress};
use monty_types::{
    CompileOptions, ExcType, ExtFunctionResult, MontyDate, MontyDateTime, MontyException, MontyObject,
    MontyTimeZone, NameLookupResult, OsFunctionCall, PrintWriter, ResourceLimits, ResourceTracker,
};
use serde_json::{Map, Value};

use super::program::{self, Program};
use super::{convert, errors};
use crate::config::Limits;
use crate::protocol::Failure;

/// The message of the exception that is raised when code accesses the operating system.
const NO_ACCESS: &str = "PythonFuncNode has no access to files, network or the operating system";

/// File name of the program in tracebacks, which are not part of error messages.
const FILE: &str = "PythonFuncNode";

/// Runs a snippet and returns its result.
///
/// # Errors
/// Any [`Failure`]. If the operating system rejects an allocation, the process
/// aborts.
pub(super) fn run(code: &str, inputs: Map<String, Value>, limits: &Limits) -> Result<Value, Failure> {
    let program = Program::new(code)?;
    let runner = MontyRun::new(
        program.source.clone(),
        FILE,
        vec![program::INPUT.to_owned()],
        CompileOptions::default(),
    )
    .map_err(|error| errors::from_compiler(&error, &program))?;
    let input = convert::object_to_python(inputs);
    let value =
        run_to_completion(runner, input, limits).map_err(|error| errors::from_exception(&error, &program))?;
    convert::to_json(value)
}

/// Runs the interpreter to completion and handles its calls.
fn run_to_completion(
    runner: MontyRun,
    input: MontyObject,
    limits: &Limits,
) -> Result<MontyObject, MontyException> {
    let resource_limits = ResourceLimits::default()
        .max_duration(limits.time)
        // Rejects only single large allocations, because the interpreter's own
        // allocator is not used. The limit of the operating system applies to
        // all allocations together.
        .max_memory(usize::try_from(limits.memory_bytes).unwrap_or(usize::MAX))
        .max_recursion_depth(limits.recursion_depth);
    let tracker = ResourceTracker::new(resource_limits);
    let mut progress = runner.start(vec![input], tracker, PrintWriter::Disabled)?;
    loop {
        progress = match progress {
            RunProgress::Complete(value) => return Ok(value),
            RunProgress::OsCall(call) => call.resume_with(PrintWriter::Disabled, |call| os_call(&call))?,
            RunProgress::NameLookup(lookup) => {
                lookup.resume(NameLookupResult::Undefined, PrintWriter::Disabled)?
            }
            // A call of an undefined name.
            RunProgress::FunctionCall(call) => {
                let not_found = ExtFunctionResult::NotFound(call.function_name.clone());
                call.resume(not_found, PrintWriter::Disabled)?
            }
            // Futures can't be resolved, because there are no host functions.
            RunProgress::ResolveFutures(futures) => {
                return futures
                    .abort(no_access(), PrintWriter::Disabled)?
                    .into_complete()
                    .ok_or_else(no_access);
            }
        };
    }
}

/// Handles a call to the operating system. Only the clock is available, in UTC.
fn os_call(call: &OsFunctionCall) -> ExtFunctionResult {
    let result = match call {
        OsFunctionCall::DateToday => today(),
        OsFunctionCall::DateTimeNow(zone) => now(zone.as_ref()),
        _ => None,
    };
    result.map_or_else(|| no_access().into(), ExtFunctionResult::Return)
}

fn no_access() -> MontyException {
    MontyException::new(ExcType::PermissionError, Some(NO_ACCESS.to_owned()))
}

/// Returns the current time plus `offset` seconds, or `None` if it is out of range.
#[expect(clippy::disallowed_methods, reason = "the clock of the snippet, in a separate process")]
fn clock(offset: i32) -> Option<DateTime<chrono::Utc>> {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    let seconds = i64::try_from(since_epoch.as_secs()).ok()?.checked_add(offset.into())?;
    DateTime::from_timestamp(seconds, since_epoch.subsec_nanos())
}

fn today() -> Option<MontyObject> {
    let now = clock(0)?;
    Some(MontyObject::Date(MontyDate {
        year: now.year(),
        month: u8::try_from(now.month()).ok()?,
        day: u8::try_from(now.day()).ok()?,
    }))
}

fn now(zone: Option<&MontyTimeZone>) -> Option<MontyObject> {
    let now = clock(zone.map_or(0, |zone| zone.offset_seconds))?;
    Some(MontyObject::DateTime(MontyDateTime {
        year: now.year(),
        month: u8::try_from(now.month()).ok()?,
        day: u8::try_from(now.day()).ok()?,
        hour: u8::try_from(now.hour()).ok()?,
        minute: u8::try_from(now.minute()).ok()?,
        second: u8::try_from(now.second()).ok()?,
        microsecond: now.timestamp_subsec_micros(),
        offset_seconds: zone.map(|zone| zone.offset_seconds),
        timezone_name: zone.and_then(|zone| zone.name.clone()),
    }))
}
