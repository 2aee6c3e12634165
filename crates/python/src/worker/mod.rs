//! The worker process: reads requests from stdin, runs them one after the
//! other and writes the replies to stdout, until stdin is closed.

mod convert;
mod engine;
mod errors;
mod program;
mod rewrite;
mod sandbox;

use std::io::{self, Read, Write};
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver};
use std::thread;

use serde_json::Value;

use crate::protocol::{self, Failure, Outcome, Request, Reuse};

/// Exit code after a panic, which is a bug in the interpreter or in here.
pub(crate) const PANIC_CODE: i32 = 70;

/// Exit code after an error on stdin or stdout.
const PIPE_CODE: u8 = 74;

/// Stack of the thread that runs the code, in bytes. The interpreter recurses
/// natively for nested data and for calls from within built-in functions; this
/// is room for the deepest recursion that it allows, unoptimized builds
/// included. Pages that aren't touched cost nothing.
const STACK: usize = 256 * 1024 * 1024;

/// The worker's side of a [`Pool`](crate::Pool): serves requests on stdin and
/// stdout until stdin is closed. The hidden sub-command of the server's binary
/// calls this and returns the exit code.
///
/// First drops the privileges that a worker doesn't need: inherited file
/// descriptors, core dumps, writing files, starting processes. Call it before
/// anything else that opens files or starts threads, a tokio runtime in
/// particular, and print nothing.
pub fn worker_main() -> ExitCode {
    install_panic_hook();
    sandbox::enter();
    let (requests, queue) = mpsc::sync_channel(1);
    let interpreter =
        thread::Builder::new().name("python".to_owned()).stack_size(STACK).spawn(move || serve(&queue));
    if interpreter.is_err() {
        return ExitCode::from(PIPE_CODE);
    }
    sandbox::forbid_processes();
    // This thread only reads, so that the process notices at once when the
    // server has exited, even in the middle of an endless loop.
    // (The kernel's parent-death signal isn't used: it's bound to the thread
    // that started the worker, not to the process.)
    let mut stdin = io::stdin().lock();
    loop {
        match read_frame(&mut stdin) {
            Ok(Some(body)) => {
                if requests.send(body).is_err() {
                    return ExitCode::from(PIPE_CODE);
                }
            }
            Ok(None) => return ExitCode::SUCCESS,
            Err(_) => return ExitCode::from(PIPE_CODE),
        }
    }
}

/// Ends the process on a panic in any thread, however the binary was built.
fn install_panic_hook() {
    std::panic::set_hook(Box::new(|info| {
        // The server may not read it any more.
        let _ = writeln!(io::stderr(), "{info}");
        std::process::exit(PANIC_CODE);
    }));
}

/// The body of the next frame; `None` at the end of the stream.
fn read_frame(stream: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut header = [0; protocol::HEADER];
    if stream.read(&mut header[..1])? == 0 {
        return Ok(None);
    }
    stream.read_exact(&mut header[1..])?;
    let mut body = vec![0; u32::from_be_bytes(header) as usize];
    stream.read_exact(&mut body)?;
    Ok(Some(body))
}

/// The interpreter thread.
fn serve(queue: &Receiver<Vec<u8>>) {
    let mut memory = sandbox::Memory::default();
    while let Ok(body) = queue.recv() {
        let result = handle_request(body, &mut memory);
        let reuse = if memory.has_grown() { Reuse::Replace } else { Reuse::Keep };
        if write_reply(result, reuse).is_err() {
            std::process::exit(i32::from(PIPE_CODE));
        }
    }
}

/// Runs one request; the result is the JSON text of the returned value.
fn handle_request(body: Vec<u8>, memory: &mut sandbox::Memory) -> Result<Vec<u8>, Failure> {
    let request: Request<'_> = serde_json::from_slice(&body)
        .map_err(|error| Failure::Request(format!("the inputs can't be read: {error}")))?;
    drop(body);
    memory
        .limit(request.limits.memory_bytes)
        .map_err(|error| Failure::Request(format!("the memory can't be limited: {error}")))?;
    let limits = request.limits.into_owned();
    let value = engine::run(&request.code, request.inputs.into_owned(), &limits)?;
    encode(&value, limits.output_bytes)
}

/// The value as JSON, if that has at most `limit` bytes.
fn encode(value: &Value, limit: usize) -> Result<Vec<u8>, Failure> {
    let mut json = Capped { bytes: Vec::new(), limit };
    // A tree of values has no other reason to fail than the cap.
    serde_json::to_writer(&mut json, value).map_err(|_| Failure::OutputTooLarge)?;
    Ok(json.bytes)
}

/// Collects bytes and fails once there would be more than `limit`.
struct Capped {
    bytes: Vec<u8>,
    limit: usize,
}

impl Write for Capped {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if data.len() > self.limit - self.bytes.len() {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write_reply(result: Result<Vec<u8>, Failure>, reuse: Reuse) -> io::Result<()> {
    let mut frame = protocol::start_frame();
    match result {
        Ok(json) => {
            frame.extend(protocol::flags(Outcome::Returned, reuse));
            frame.extend(json);
        }
        Err(failure) => {
            frame.extend(protocol::flags(Outcome::Failed, reuse));
            serde_json::to_writer(&mut frame, &failure)?;
        }
    }
    let frame = protocol::finish_frame(frame).ok_or(io::ErrorKind::FileTooLarge)?;
    let mut stdout = io::stdout().lock();
    stdout.write_all(&frame)?;
    stdout.flush()
}
