//! Notifications to systemd, and the watchdog.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use crate::support::app::App;
use crate::support::database::Backend;
use crate::support::process::DEADLINE;

fn next_message(socket: &UnixDatagram) -> String {
    let mut message = [0; 256];
    let length = socket.recv(&mut message).expect("a message to systemd");
    String::from_utf8_lossy(&message[..length]).trim().to_owned()
}

#[tokio::test]
async fn systemd_is_notified_of_start_and_stop() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    socket.set_read_timeout(Some(DEADLINE)).expect("a time limit");
    let name = path.display().to_string();
    let mut app =
        App::start_with(Backend::Sqlite, &[("NOTIFY_SOCKET", &name), ("WATCHDOG_USEC", "200000")]).await;
    assert_eq!(next_message(&socket), "READY=1");
    let start = std::time::Instant::now();
    for _ in 0..5 {
        assert_eq!(next_message(&socket), "WATCHDOG=1");
    }
    assert!(start.elapsed() >= Duration::from_millis(200), "the watchdog is notified at intervals");
    app.terminate().await;
    socket.set_nonblocking(true).expect("a socket");
    let mut rest = Vec::new();
    let mut message = [0; 256];
    while let Ok(length) = socket.recv(&mut message) {
        rest.push(String::from_utf8_lossy(&message[..length]).trim().to_owned());
    }
    rest.retain(|message| message != "WATCHDOG=1");
    assert_eq!(rest, ["STOPPING=1"]);
}
