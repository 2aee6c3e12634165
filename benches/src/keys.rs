//! Whether the time that it takes to refuse a key tells what is wrong with it.

use std::process::Command;
use std::time::Instant;

use crate::client::Connection;
use crate::process::{Server, database};
use crate::table::{Bar, Row, median, micros};
use crate::{Args, Failure};

/// How often each key is sent, in turns with the others.
const TIMES: usize = 5_000;

/// The slowest refusal beside the fastest: of a key that nobody has, of one that is wrong from its start on, and of one
/// that is right but for its end.
pub(crate) fn keys(args: &Args) -> Result<Row, Failure> {
    let folder = tempfile::tempdir()?;
    let server = Server::sluice(&args.sluice, folder.path())?;
    let made = Command::new(&args.sluice)
        .args(["keys", "create", "--name", "bench", "--scope", "admin", "--log", "warn"])
        .args(["--database-url", &format!("sqlite://{}", database(folder.path()).display())])
        .output()?;
    let text = String::from_utf8(made.stdout)?;
    let key = text.split_whitespace().find(|word| word.starts_with("sluice_")).ok_or("no key")?;
    let secret = key.rfind('_').ok_or("no secret")? + 1;
    let wrong = [with_other(key, secret - 2), with_other(key, secret), with_other(key, key.len() - 1)];
    let requests = wrong.map(|key| {
        format!("GET /wf/ HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\n\r\n").into_bytes()
    });
    let mut connection = Connection::open(server.address)?;
    let mut taken = [const { Vec::new() }; 3];
    for _ in 0..TIMES {
        for (request, taken) in requests.iter().zip(&mut taken) {
            let begin = Instant::now();
            connection.refused(request, 401)?;
            taken.push(begin.elapsed().as_secs_f64());
        }
    }
    let medians = taken.map(median);
    let (fastest, slowest) =
        (medians.iter().copied().fold(f64::MAX, f64::min), medians.iter().copied().fold(0.0, f64::max));
    Ok(Row {
        work: "refusing a key, whatever is wrong with it, p50".to_owned(),
        figure: micros(slowest),
        floor: format!("{} the fastest", micros(fastest)),
        ratio: slowest / fastest,
        bar: Bar::AtMost(1.1),
    })
}

/// The key with another digit at a place.
fn with_other(key: &str, place: usize) -> String {
    let other = if key[place..].starts_with('0') { "1" } else { "0" };
    format!("{}{other}{}", &key[..place], &key[place + 1..])
}
