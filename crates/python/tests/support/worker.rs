//! A worker process for the integration tests. An argument makes it faulty.

use std::io::Read;
use std::process::ExitCode;

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        // Reads requests, but never replies.
        Some("hang") => match std::io::stdin().read_to_end(&mut Vec::new()) {
            Ok(_) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        },
        Some("exit") => ExitCode::from(3),
        _ => sluice_python::worker_main(),
    }
}
