//! Slow, silent and misbehaving clients: the server closes them at a limit, and other clients don't notice.

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

/// Short timeouts.
const SHORT: [(&str, &str); 3] = [
    ("SLUICE_HEADER_TIMEOUT_SECONDS", "0.5"),
    ("SLUICE_BODY_TIMEOUT_SECONDS", "0.5"),
    ("SLUICE_WRITE_TIMEOUT_SECONDS", "0.5"),
];

async fn app() -> App {
    App::start_with(Backend::Sqlite, &SHORT).await
}

async fn connect(app: &App) -> TcpStream {
    let address = app.base().strip_prefix("http://").expect("an address");
    TcpStream::connect(address).await.expect("a connection")
}

/// Reads until the server closes the connection.
async fn until_closed(stream: &mut TcpStream) -> String {
    let mut said = Vec::new();
    match timeout(DEADLINE, stream.read_to_end(&mut said)).await {
        // A reset closes the connection too.
        Ok(_) => String::from_utf8_lossy(&said).into_owned(),
        Err(_) => panic!("still open after {DEADLINE:?}, said {:?}", String::from_utf8_lossy(&said)),
    }
}

async fn send(app: &App, text: &str) -> TcpStream {
    let mut stream = connect(app).await;
    stream.write_all(text.as_bytes()).await.expect("the server takes it");
    stream
}

fn post(path: &str, kind: &str, length: usize, begin: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n{begin}"
    )
}

#[tokio::test]
async fn connections_without_a_whole_head_are_closed() {
    let app = app().await;
    for begin in
        ["", "G", "GET /wf/ HTTP/1.1\r\nhost: localhost\r\n", "GET /wf/ HTTP/1.1\r\nhost: localhost\r\nx-a: "]
    {
        let mut stream = send(&app, begin).await;
        until_closed(&mut stream).await;
    }
    // Between two requests as well.
    let mut idle = send(&app, "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    assert!(until_closed(&mut idle).await.starts_with("HTTP/1.1 200"));
}

/// The reader of the log pipe has gone.
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
    eventually("its line", async || app.log().contains("method=_OTHER").then_some(())).await;
    assert!(!app.log().contains("SECRET_KEY"));
}

/// The connection can be reused after a rejected body, or the response says that it can't.
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
        stream.write_all(piece.as_bytes()).await.expect("the server takes it");
    }
    let said = until_closed(&mut stream).await;
    assert_eq!(said.matches("HTTP/1.1 404").count(), 1, "{said}");
    assert_eq!(said.matches("HTTP/1.1 200").count(), 1, "{said}");
    // A body that never arrives.
    let mut stream = send(&app, &rejected(1_000_000)).await;
    let said = until_closed(&mut stream).await;
    assert!(said.contains("connection: close"), "{said}");
}

/// A file is stored and has an audit entry, or neither. No partial file is left.
#[tokio::test]
async fn upload_of_a_disconnected_client_is_whole() {
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
    until_kept(&app, &id).await;
    let stored =
        |folder: &str| files_below(&app.data_dir()).iter().filter(|file| file.starts_with(folder)).count();
    eventually("the uploads to end", async || {
        let written = app.get("/audit/?operation=uploadTestFiles&page_size=1&count=true").await;
        let written = written.headers["x-total-count"].to_str().expect("a number").parse().ok();
        (stored("tmp/") == 0 && written == Some(stored("test_files/"))).then_some(())
    })
    .await;
}

async fn until_kept(app: &App, id: &str) {
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
        let said = until_closed(&mut stream).await;
        assert!(said.starts_with("HTTP/1.1 408"), "{request}: {said}");
        assert!(said.contains("application/problem+json") && said.contains("request-timeout"), "{said}");
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
    let mut said = Vec::new();
    tokio::select! {
        read = timeout(DEADLINE, reads.read_to_end(&mut said)) => drop(read.expect("it is given up")),
        () = drip => {}
    }
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 408"), "{said}");
}

#[tokio::test]
async fn connection_that_reads_nothing_is_closed() {
    let mut settings = SHORT.to_vec();
    settings.push(("SLUICE_MAX_CONNECTIONS", "1"));
    // One connection slot, which the client of the test releases after each request.
    let app = App::start_with(Backend::Sqlite, &settings).await;
    let big = app.create(&after_input("big", fixed("f", json!({"text": "x".repeat(4 << 20)})))).await;
    let get = format!("GET /wf/{big}/ HTTP/1.1\r\nhost: localhost\r\n\r\n");
    // Several responses, larger than the buffers of the socket.
    let deaf = eventually("a connection that is served", async || {
        let mut stream = send(&app, &get.repeat(8)).await;
        let mut first = [0; 1];
        timeout(Duration::from_secs(5), stream.read_exact(&mut first)).await.ok()?.ok()?;
        Some(stream)
    })
    .await;
    // The slot is free once the server has closed the other connection.
    assert_eq!(app.get("/healthz").await.status, 200);
    drop(deaf);
}

#[tokio::test]
async fn thousand_silent_connections_leave_the_server_responsive() {
    let app = app().await;
    let workflow = app.create(&plain("plain")).await;
    let silent = join_all((0..1_000).map(|_| connect(&app))).await;
    let body = run_body("hi");
    let served = join_all((0..20).map(|_| app.run(&workflow, &body)));
    assert!(served.await.iter().all(|run| run["status"] == "COMPLETED"));
    let mut closed = silent;
    join_all(closed.iter_mut().map(until_closed)).await;
}

#[tokio::test]
async fn waiting_client_is_not_disconnected() {
    let app = app().await;
    let stuck = app.create(&after_input("stuck", never_ending("p"))).await;
    let began = Instant::now();
    let response = app.post(&format!("/wf/{stuck}/run/?wait_seconds=2")).json(&run_body("hi")).await;
    assert_eq!(response.status, 202, "{}", response.text);
    assert!(began.elapsed() >= Duration::from_secs(2));
    let run = app.start_to_pause(&gated("gated")).await;
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
