//! Timing of rejected API keys, which must not reveal what is wrong with a key.

use std::process::Command;
use std::time::Instant;

use crate::args::{Args, Failure};
use crate::client::Connection;
use crate::process::{Server, database};
use crate::table::{Row, Threshold, format_time, median};

/// Number of requests with each key, alternating between the keys.
const REQUESTS: usize = 5_000;

/// Measures the median latency of rejecting an unknown key, and keys with a wrong first or last digit of the secret.
/// Compares the slowest with the fastest.
pub(crate) fn key_rejection(args: &Args) -> Result<Row, Failure> {
    let folder = tempfile::tempdir()?;
    let server = Server::sluice(&args.sluice, folder.path())?;
    let created = Command::new(&args.sluice)
        .args(["keys", "create", "--name", "bench", "--scope", "admin", "--log", "warn"])
        .args(["--database-url", &format!("sqlite://{}", database(folder.path()).display())])
        .output()?;
    let text = String::from_utf8(created.stdout)?;
    let key = text.split_whitespace().find(|word| word.starts_with("sluice_")).ok_or("no key")?;
    let secret = key.rfind('_').ok_or("no secret")? + 1;
    let wrong = [
        with_other_digit(key, secret - 2),
        with_other_digit(key, secret),
        with_other_digit(key, key.len() - 1),
    ];
    let requests = wrong.map(|key| {
        format!("GET /wf/ HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\n\r\n").into_bytes()
    });
    let mut connection = Connection::open(server.address)?;
    let mut times = [const { Vec::new() }; 3];
    for _ in 0..REQUESTS {
        for (request, times) in requests.iter().zip(&mut times) {
            let begin = Instant::now();
            connection.send_rejected(request, 401)?;
            times.push(begin.elapsed().as_secs_f64());
        }
    }
    let medians = times.map(median);
    let (fastest, slowest) =
        (medians.iter().copied().fold(f64::MAX, f64::min), medians.iter().copied().fold(0.0, f64::max));
    Ok(Row {
        work: "rejection of a key, for any reason, p50".to_owned(),
        figure: format_time(slowest),
        baseline: format!("{} the fastest", format_time(fastest)),
        ratio: slowest / fastest,
        threshold: Threshold::AtMost(1.1),
    })
}

/// Changes the digit at an offset of a key.
fn with_other_digit(key: &str, offset: usize) -> String {
    let other = if key[offset..].starts_with('0') { "1" } else { "0" };
    format!("{}{other}{}", &key[..offset], &key[offset + 1..])
}
