//! The worker process: reads requests from stdin, runs them sequentially, and
//! writes the replies to stdout, until stdin is closed.

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

/// Exit code after a panic, which is a bug in the interpreter or in this crate.
pub(crate) const PANIC_CODE: i32 = 70;

/// Exit code after an error on stdin or stdout.
const PIPE_CODE: u8 = 74;

/// Stack size of the thread that runs the code, in bytes. The interpreter
/// recurses natively for nested data and for calls from built-in functions. The
/// stack is large enough for the deepest recursion that it allows, even in
/// unoptimized builds. Unused pages don't occupy memory.
const STACK: usize = 256 * 1024 * 1024;

/// Runs the worker of a [`Pool`](crate::Pool): serves requests on stdin and
/// stdout until stdin is closed. The hidden subcommand of the server calls this
/// function and returns its exit code.
///
/// First drops the privileges that a worker doesn't need: inherited file
/// descriptors, core dumps, writing files, and starting processes. Must be
/// called before files are opened and threads are started, such as those of a
/// tokio runtime. The caller must not write to stdout.
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
    // This thread only reads, so that the process notices immediately when the
    // server has exited, even while the code runs an endless loop. (The kernel's
    // parent-death signal is not used, because it is bound to the thread that
    // started the worker, not to its process.)
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

/// Exits the process on a panic in any thread, whether or not panics abort.
fn install_panic_hook() {
    std::panic::set_hook(Box::new(|info| {
        // Fails if the server no longer reads stderr.
        let _ = writeln!(io::stderr(), "{info}");
        std::process::exit(PANIC_CODE);
    }));
}

/// Reads a frame. Returns its body, or `None` at the end of the stream.
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

/// Runs the interpreter thread: serves the requests in the queue.
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

/// Runs one request. Returns the JSON text of the returned value.
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

/// Serializes a value to JSON of at most `limit` bytes.
fn encode(value: &Value, limit: usize) -> Result<Vec<u8>, Failure> {
    let mut json = Capped { bytes: Vec::new(), limit };
    // Serializing a value fails only if the limit is exceeded.
    serde_json::to_writer(&mut json, value).map_err(|_| Failure::OutputTooLarge)?;
    Ok(json.bytes)
}

/// A writer that collects at most `limit` bytes, and then fails.
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
