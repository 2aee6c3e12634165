//! `sluice health`, the health check of the container.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use crate::support::app::{App, on_both_databases};
use crate::support::process::{self, CommandOutput};

on_both_databases!(healthy_server_passes);

fn health(arguments: &[&str], env: &[(&str, &str)]) -> CommandOutput {
    let output = process::run(&[&["health"], arguments].concat(), env);
    assert!(!output.text().contains("panicked"), "{output:?}");
    output
}

fn assert_unhealthy(output: &CommandOutput, part: &str) {
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.stderr.contains(part), "no {part:?}: {output:?}");
}

async fn healthy_server_passes(mut app: App) {
    let base = app.base().to_owned();
    assert_eq!(health(&["--url", &base], &[]).code, Some(0));
    assert_eq!(health(&["--url", &format!("{base}/healthz")], &[]).code, Some(0));
    let port = base.rsplit(':').next().expect("a port").to_owned();
    for listen in [format!("127.0.0.1:{port}"), format!("0.0.0.0:{port}")] {
        assert_eq!(health(&[], &[("SLUICE_LISTEN", &listen)]).code, Some(0), "{listen}");
    }
    assert_unhealthy(&health(&["--url", &format!("{base}/nothing")], &[]), "responded with status 404");
    let with_user = health(&["--url", &base.replace("http://", "http://ada:hunter2@")], &[]);
    assert_unhealthy(&with_user, "without a user name");
    assert!(!with_user.text().contains("hunter2"), "{with_user:?}");
    app.terminate().await;
    assert_unhealthy(&health(&["--url", &base], &[]), "can't connect to");
}

/// Starts a server that sends `response` to its first client, and returns its URL.
fn server_that_sends(response: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("its address"));
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut request = [0; 1024];
        let read = stream.read(&mut request).expect("a request");
        assert!(request[..read].starts_with(b"GET /readyz HTTP/1.1\r\n"), "{request:?}");
        stream.write_all(response.as_bytes()).expect("a client that reads");
    });
    url
}

#[test]
fn unhealthy_servers_fail_with_a_reason() {
    let unavailable = server_that_sends("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n");
    assert_unhealthy(&health(&["--url", &unavailable], &[]), "responded with status 503");
    assert_unhealthy(&health(&["--url", &server_that_sends("SSH-2.0-OpenSSH 200\r\n")], &[]), "is not HTTP");
    // A server that accepts the connection and sends nothing.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let silent = format!("http://{}", listener.local_addr().expect("its address"));
    assert_unhealthy(
        &health(&["--url", &silent, "--timeout-seconds", "0.2"], &[]),
        "no response within 0.2 s",
    );
    assert_unhealthy(&health(&["--url", "https://localhost"], &[]), "http://");
}
