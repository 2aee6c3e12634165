//! `sluice health`: checks a server with one HTTP request.
//!
//! The request is written by hand. An HTTP client would add dependencies that the server doesn't need.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use clap::Args;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::serve::DEFAULT_LISTEN;
use crate::cli::Seconds;
use crate::error::Result;

/// Maximum size of the response, in bytes.
const MAX_RESPONSE: u64 = 64 << 10;

#[derive(Debug, Args)]
pub(crate) struct HealthArgs {
    /// URL to request. The default path is /readyz, which fails while the database is unavailable. The
    /// default server is at SLUICE_LISTEN, or at 127.0.0.1:8080 if that is not set.
    #[arg(long)]
    url: Option<String>,
    /// Timeout for the response, in seconds.
    #[arg(long, default_value = "5")]
    timeout_seconds: Seconds,
    /// Address of the server.
    #[arg(long, env = "SLUICE_LISTEN", default_value = DEFAULT_LISTEN, hide = true)]
    listen: SocketAddr,
}

/// Fails unless the server responds with 200.
pub(super) fn run(args: &HealthArgs) -> Result<()> {
    let url = args.url.clone().unwrap_or_else(|| format!("http://{}", local_address(args.listen)));
    let target = Target::parse(&url)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let response = runtime
        .block_on(async { tokio::time::timeout(args.timeout_seconds.0, request(&target)).await })
        .map_err(|_| format!("no response within {} s from {url}", args.timeout_seconds))?
        .map_err(|error| format!("can't connect to {url}: {error}"))?;
    match status(&response) {
        Some("200") => Ok(()),
        Some(status) => Err(format!("{url} responded with status {status}").into()),
        None => Err(format!("the response from {url} is not HTTP").into()),
    }
}

/// Returns the address at which a server on this machine is reachable. Replaces the unspecified address with the
/// loopback address.
fn local_address(mut listen: SocketAddr) -> SocketAddr {
    match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => listen.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => listen.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    listen
}

/// The parts of a URL that a request needs.
#[derive(Debug, PartialEq, Eq)]
struct Target {
    /// Host and port.
    authority: String,
    path: String,
}

impl Target {
    fn parse(url: &str) -> Result<Self> {
        let rest = url.strip_prefix("http://").ok_or("--url must begin with http://")?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let is_invalid = authority.is_empty()
            || authority.contains('@')
            || url.contains(|c: char| c.is_whitespace() || c.is_control());
        if is_invalid {
            return Err("--url must be http://HOST:PORT or http://HOST:PORT/PATH, without a user name".into());
        }
        let has_port = authority.rsplit(']').next().is_some_and(|end| end.contains(':'));
        let port = if has_port { "" } else { ":80" };
        let path = if path.is_empty() { "/readyz" } else { path };
        Ok(Self { authority: format!("{authority}{port}"), path: path.to_owned() })
    }
}

async fn request(Target { authority, path }: &Target) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(authority).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut response = Vec::new();
    stream.take(MAX_RESPONSE).read_to_end(&mut response).await?;
    Ok(String::from_utf8_lossy(&response).into_owned())
}

/// Returns the status of an HTTP/1 response.
fn status(response: &str) -> Option<&str> {
    let line = response.lines().next().filter(|line| line.starts_with("HTTP/1."))?;
    line.split_whitespace().nth(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_urls() {
        for (url, authority, path) in [
            ("http://127.0.0.1:8080", "127.0.0.1:8080", "/readyz"),
            ("http://localhost", "localhost:80", "/readyz"),
            ("http://[::1]", "[::1]:80", "/readyz"),
            ("http://[::1]:9/healthz?x=1", "[::1]:9", "/healthz?x=1"),
        ] {
            let expected = Target { authority: authority.to_owned(), path: path.to_owned() };
            assert_eq!(Target::parse(url).unwrap(), expected, "{url}");
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
            assert!(Target::parse(url).is_err(), "{url:?}");
        }
    }

    #[test]
    fn replaces_the_unspecified_address() {
        for (listen, expected) in
            [("0.0.0.0:1", "127.0.0.1:1"), ("[::]:1", "[::1]:1"), ("192.0.2.1:1", "192.0.2.1:1")]
        {
            assert_eq!(local_address(listen.parse().unwrap()).to_string(), expected);
        }
    }
}
