//! `sluice health`: whether a server answers, for whoever looks after it from outside.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::cli::seconds;

type Failure = Box<dyn std::error::Error>;

/// The most bytes of an answer that are looked at.
const MAX_ANSWER: u64 = 64 << 10;

#[derive(Debug, Args)]
pub(crate) struct HealthArgs {
    /// What to ask. Without a path /readyz, which is red while the store is away; /healthz answers as long as the
    /// process does. None: /readyz of a server that listens where SLUICE_LISTEN says.
    #[arg(long)]
    url: Option<String>,
    /// How long the answer may take, in seconds.
    #[arg(long, default_value_t = 5.0, value_parser = seconds)]
    timeout_seconds: f64,
    /// Where the server listens.
    #[arg(long, env = "SLUICE_LISTEN", default_value = "127.0.0.1:8080", hide = true)]
    listen: std::net::SocketAddr,
}

/// Ends well when the server answers 200.
pub(crate) fn health(args: &HealthArgs) -> Result<ExitCode, Failure> {
    let url = args.url.clone().unwrap_or_else(|| format!("http://{}", reachable(args.listen)));
    let (authority, path) = parts(&url)?;
    let within = Duration::try_from_secs_f64(args.timeout_seconds)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer = runtime
        .block_on(async { tokio::time::timeout(within, ask(&authority, &path)).await })
        .map_err(|_| format!("{url} gives no answer within {} s", args.timeout_seconds))?
        .map_err(|error| format!("{url} can't be reached: {error}"))?;
    let line = answer.lines().next().unwrap_or_default();
    match line.split_whitespace().nth(1) {
        Some("200") if line.starts_with("HTTP/1.") => Ok(ExitCode::SUCCESS),
        Some(status) if line.starts_with("HTTP/1.") => Err(format!("{url} answers {status}").into()),
        _ => Err(format!("{url} gives no answer of HTTP").into()),
    }
}

/// The address under which a server on the same machine is reached: every address is none to connect to.
fn reachable(mut listen: std::net::SocketAddr) -> std::net::SocketAddr {
    match listen.ip() {
        ip if !ip.is_unspecified() => {}
        std::net::IpAddr::V4(_) => listen.set_ip(std::net::Ipv4Addr::LOCALHOST.into()),
        std::net::IpAddr::V6(_) => listen.set_ip(std::net::Ipv6Addr::LOCALHOST.into()),
    }
    listen
}

/// The address to connect to, and the path to ask for.
fn parts(url: &str) -> Result<(String, String), Failure> {
    let rest = url.strip_prefix("http://").ok_or("--url must begin with http://")?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let path = if path.is_empty() { "/readyz" } else { path };
    if authority.is_empty()
        || authority.contains('@')
        || url.contains(|c: char| c.is_whitespace() || c.is_control())
    {
        return Err("--url must be http://HOST:PORT, perhaps with a path, and without a user name".into());
    }
    let has_port = authority.rsplit(']').next().is_some_and(|end| end.contains(':'));
    let port = if has_port { "" } else { ":80" };
    Ok((format!("{authority}{port}"), path.to_owned()))
}

async fn ask(authority: &str, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(authority).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        for (url, authority, path) in [
            ("http://127.0.0.1:8080", "127.0.0.1:8080", "/readyz"),
            ("http://localhost", "localhost:80", "/readyz"),
            ("http://[::1]", "[::1]:80", "/readyz"),
            ("http://[::1]:9/healthz?x=1", "[::1]:9", "/healthz?x=1"),
        ] {
            assert_eq!(parts(url).unwrap(), (authority.to_owned(), path.to_owned()), "{url}");
        }
        for url in [
            "",
            "https://localhost",
            "localhost:8080",
            "http://",
            "http:///x",
            "http://a/ b",
            "http://a/\r\nX: y",
        ] {
            assert!(parts(url).is_err(), "{url:?}");
        }
        assert_eq!(reachable("0.0.0.0:1".parse().unwrap()).to_string(), "127.0.0.1:1");
        assert_eq!(reachable("[::]:1".parse().unwrap()).to_string(), "[::1]:1");
        assert_eq!(reachable("192.0.2.1:1".parse().unwrap()).to_string(), "192.0.2.1:1");
    }
}
