//! Slow, silent and misbehaving clients: the server closes their connections at a limit, and other clients are not
//! affected.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::app::App;
use crate::support::database::{Backend, files_below};
use crate::support::definitions::*;
use crate::support::json::id_of;
use crate::support::polling::eventually;
use crate::support::process::DEADLINE;
use crate::support::sse::Stream;

const SHORT_TIMEOUTS: [(&str, &str); 3] = [
    ("SLUICE_HEADER_TIMEOUT_SECONDS", "0.5"),
    ("SLUICE_BODY_TIMEOUT_SECONDS", "0.5"),
    ("SLUICE_WRITE_TIMEOUT_SECONDS", "0.5"),
];

async fn app() -> App {
    App::start_with(Backend::Sqlite, &SHORT_TIMEOUTS).await
}

async fn connect(app: &App) -> TcpStream {
    let address = app.base().strip_prefix("http://").expect("an address");
    TcpStream::connect(address).await.expect("a connection")
}

/// Reads until the server closes the connection.
async fn until_closed(stream: &mut TcpStream) -> String {
    let mut response = Vec::new();
    match timeout(DEADLINE, stream.read_to_end(&mut response)).await {
        // A reset closes the connection too.
        Ok(_) => String::from_utf8_lossy(&response).into_owned(),
        Err(_) => panic!("still open after {DEADLINE:?}, received {:?}", String::from_utf8_lossy(&response)),
    }
}

async fn send(app: &App, text: &str) -> TcpStream {
    let mut stream = connect(app).await;
    stream.write_all(text.as_bytes()).await.expect("the server reads");
    stream
}

fn post(path: &str, kind: &str, length: usize, begin: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n{begin}"
    )
}

#[tokio::test]
async fn connections_with_incomplete_headers_are_closed() {
    let app = app().await;
    for begin in
        ["", "G", "GET /wf/ HTTP/1.1\r\nhost: localhost\r\n", "GET /wf/ HTTP/1.1\r\nhost: localhost\r\nx-a: "]
    {
        let mut stream = send(&app, begin).await;
        until_closed(&mut stream).await;
    }
    // An idle connection after a request is closed too.
    let mut idle = send(&app, "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    assert!(until_closed(&mut idle).await.starts_with("HTTP/1.1 200"));
}

/// The reader of the log pipe has closed it.
#[tokio::test]
async fn closed_log_pipe_does_not_stop_the_server() {
    let mut app = app().await;
    app.stop_reading_log().await;
    let id = app.create(&plain("w")).await;
    app.get(&format!("/wf/{id}/")).await.ok();
    app.get("/wf/none/").await.problem(404);
    app.terminate().await;
}

#[tokio::test]
async fn unknown_methods_are_not_logged() {
    let app = app().await;
    let mut stream =
        send(&app, "SECRET_KEY /wf/ HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await;
    assert!(until_closed(&mut stream).await.starts_with("HTTP/1.1 405"));
    eventually("its log line", async || app.log().contains("method=_OTHER").then_some(())).await;
    assert!(!app.log().contains("SECRET_KEY"));
}

/// After a rejected body, the connection can be reused, or the response has `Connection: close`.
#[tokio::test]
async fn connection_survives_a_rejected_body() {
    let app = app().await;
    let rejected = |length: usize| post("/wf/none/start_run/", "application/json", length, "");
    let next = "GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    // Only the headers, so that the server rejects the request before its body arrives.
    let mut stream = send(&app, &rejected(7)).await;
    let body = "{\"a\":1}";
    for piece in [body, next] {
        tokio::task::yield_now().await;
        stream.write_all(piece.as_bytes()).await.expect("the server reads");
    }
    let response = until_closed(&mut stream).await;
    assert_eq!(response.matches("HTTP/1.1 404").count(), 1, "{response}");
    assert_eq!(response.matches("HTTP/1.1 200").count(), 1, "{response}");
    // A body that never arrives.
    let mut stream = send(&app, &rejected(1_000_000)).await;
    let response = until_closed(&mut stream).await;
    assert!(response.contains("connection: close"), "{response}");
}

/// Each file is stored with an audit entry, or not at all. No partial file remains.
#[tokio::test]
async fn upload_of_a_disconnected_client_is_complete_or_absent() {
    let app = app().await;
    let id = app.create(&plain("w")).await;
    let field = |name: &str, value: &str| {
        format!("--b\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let file = "--b\r\ncontent-disposition: form-data; name=\"files\"; filename=\"a.txt\"\r\n\r\nabc\r\n";
    let form = field("workflow_id", &id) + &field("node_id", "n") + &file.repeat(20) + "--b--\r\n";
    let request = post("/wf/upload_test_files/", "multipart/form-data; boundary=b", form.len(), &form);
    for _ in 0..30 {
        drop(send(&app, &request).await);
    }
    // One upload that completes.
    upload(&app, &id).await;
    let stored =
        |folder: &str| files_below(&app.data_dir()).iter().filter(|file| file.starts_with(folder)).count();
    eventually("the uploads to end", async || {
        let entries = app.get("/audit/?operation=uploadTestFiles&page_size=1&count=true").await;
        let entries = entries.headers["x-total-count"].to_str().expect("a number").parse().ok();
        (stored("tmp/") == 0 && entries == Some(stored("test_files/"))).then_some(())
    })
    .await;
}

async fn upload(app: &App, id: &str) {
    let part = reqwest::multipart::Part::bytes(&b"abc"[..]).file_name("a.txt");
    let form = reqwest::multipart::Form::new().text("workflow_id", id.to_owned()).text("node_id", "n");
    app.upload(form.part("files", part)).await.ok();
}

#[tokio::test]
async fn stalled_body_gets_408_and_is_closed() {
    let app = app().await;
    let form = "multipart/form-data; boundary=b";
    let beginning = "--b\r\ncontent-disposition: form-data; name=\"files\"; filename=\"a\"\r\n\r\nabc";
    for request in [
        post("/wf/", "application/json", 1_000, ""),
        post("/wf/", "application/json", 1_000, "{\"name\": \"half"),
        post("/wf/upload_test_files/", form, 10_000, beginning),
        "POST /wf/ HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n\
         4\r\n{\"na\r\n"
            .to_owned(),
    ] {
        let mut stream = send(&app, &request).await;
        let response = until_closed(&mut stream).await;
        assert!(response.starts_with("HTTP/1.1 408"), "{request}: {response}");
        assert!(response.contains("application/problem+json") && response.contains("request-timeout"), "{response}");
    }
    // Unknown paths don't read the body, and their connections are closed too.
    let mut stream = send(&app, &post("/nope/", "application/json", 1_000, "{")).await;
    assert!(until_closed(&mut stream).await.starts_with("HTTP/1.1 404"));
    assert!(!std::fs::read_dir(app.data_dir().join("tmp")).is_ok_and(|mut files| files.next().is_some()));
}

#[tokio::test]
async fn slow_body_is_rejected() {
    let app = app().await;
    let mut stream = send(&app, &post("/wf/", "application/json", 1_000_000, "{")).await;
    let (mut reads, mut writes) = stream.split();
    let drip = async {
        while writes.write_all(b" ").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let mut response = Vec::new();
    tokio::select! {
        read = timeout(DEADLINE, reads.read_to_end(&mut response)) => drop(read.expect("the server closes the connection")),
        () = drip => {}
    }
    let response = String::from_utf8_lossy(&response).into_owned();
    assert!(response.is_empty() || response.starts_with("HTTP/1.1 408"), "{response}");
}

#[tokio::test]
async fn connection_that_reads_nothing_is_closed() {
    let mut settings = SHORT_TIMEOUTS.to_vec();
    settings.push(("SLUICE_MAX_CONNECTIONS", "1"));
    // One connection slot, which the client of the test releases after each request.
    let app = App::start_with(Backend::Sqlite, &settings).await;
    let big = app.create(&after_input("big", static_node("f", json!({"text": "x".repeat(4 << 20)})))).await;
    let get = format!("GET /wf/{big}/ HTTP/1.1\r\nhost: localhost\r\n\r\n");
    // Several responses, larger than the buffers of the socket.
    let idle_reader = eventually("a free connection slot", async || {
        let mut stream = send(&app, &get.repeat(8)).await;
        let mut first = [0; 1];
        timeout(Duration::from_secs(5), stream.read_exact(&mut first)).await.ok()?.ok()?;
        Some(stream)
    })
    .await;
    // The slot is free once the server has closed the other connection.
    assert_eq!(app.get("/healthz").await.status, 200);
    drop(idle_reader);
}

#[tokio::test]
async fn thousand_silent_connections_leave_the_server_responsive() {
    let app = app().await;
    let workflow = app.create(&plain("plain")).await;
    let mut silent = join_all((0..1_000).map(|_| connect(&app))).await;
    let body = run_body("hi");
    let completed_runs = join_all((0..20).map(|_| app.run(&workflow, &body)));
    assert!(completed_runs.await.iter().all(|run| run["status"] == "COMPLETED"));
    join_all(silent.iter_mut().map(until_closed)).await;
}

#[tokio::test]
async fn waiting_client_is_not_disconnected() {
    let app = app().await;
    let stuck = app.create(&after_input("stuck", never_ending("p"))).await;
    let start = Instant::now();
    let response = app.post(&format!("/wf/{stuck}/run/?wait_seconds=2")).json(&run_body("hi")).await;
    assert_eq!(response.status, 202, "{}", response.text);
    assert!(start.elapsed() >= Duration::from_secs(2));
    let run = app.start_to_pause(&gated_workflow("gated")).await;
    let mut stream = Stream::open(&app, &format!("/run/{run}/events/"), None).await;
    stream.until("run_paused").await;
    // Longer than any of the timeouts.
    app.post(&format!("/wf/{stuck}/run/?wait_seconds=1.5")).json(&run_body("hi")).await.expect(202);
    app.approve(&run).await;
    stream.until("run_completed").await;
}

#[tokio::test]
async fn rejects_headers_that_are_too_large() {
    let app = app().await;
    app.get(&format!("/wf/?x={}", "x".repeat(9_000))).await.problem(414);
    let long = "x".repeat(70_000);
    for path in ["/wf/", "/healthz", "/readyz"] {
        app.get(path).header("x-long", &long).await.problem(431);
    }
    assert_eq!(app.get("/healthz").await.status, 200);
    let id = id_of(&app.post("/wf/").json(&plain("plain")).await.ok());
    app.get(&format!("/wf/{id}/")).await.ok();
}
