//! `/wf/upload_test_files/`: uploaded files with safe names.

use std::collections::HashSet;
use std::path::{Component, Path};

use futures_util::future::join_all;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::support::app::{App, on_both_databases};
use crate::support::database::{Backend, files_below};
use crate::support::definitions::*;

on_both_databases!(
    files_are_stored_by_workflow,
    files_of_another_database_are_kept,
    unsafe_file_names_are_replaced,
    equal_names_are_two_files,
    rejects_a_form_without_required_fields,
    upload_to_an_unknown_workflow_stores_nothing,
    rejects_invalid_forms,
);

fn form(workflow: &str, files: Vec<(&str, &'static [u8])>) -> Form {
    let form = Form::new().text("workflow_id", workflow.to_owned()).text("node_id", "input_node");
    files
        .into_iter()
        .fold(form, |form, (name, bytes)| form.part("files", Part::bytes(bytes).file_name(name.to_owned())))
}

fn paths(response: &Value) -> Vec<String> {
    let list = response["input_node"].as_array().unwrap_or_else(|| panic!("no paths in {response}"));
    list.iter().map(|p| p.as_str().expect("a path").to_owned()).collect()
}

async fn files_are_stored_by_workflow(app: App) {
    let id = app.create(&plain("w")).await;
    let stored = paths(&app.upload(form(&id, vec![("a.txt", b"hello"), ("ü b.csv", b"x,y\n")])).await.ok());
    assert_eq!(stored.len(), 2);
    for (path, (name, bytes)) in stored.iter().zip([("a.txt", &b"hello"[..]), ("ü b.csv", b"x,y\n")]) {
        assert!(path.starts_with(&format!("test_files/{id}/")), "{path}");
        assert!(path.ends_with(&format!("_{name}")), "{path}");
        assert_eq!(std::fs::read(app.data_dir().join(path)).expect("the stored file"), bytes);
    }
    let empty = paths(&app.upload(form(&id, vec![("empty", b"")])).await.ok());
    assert_eq!(std::fs::read(app.data_dir().join(&empty[0])).expect("the stored file"), b"");

    app.delete(&format!("/wf/{id}/")).await.expect(204);
    assert!(!files_below(&app.data_dir()).iter().any(|f| f.contains(&id)));
}

/// Returns the bytes of a form. HTTP libraries do not send such file names.
fn raw_form(workflow: &str, file_name: &[u8]) -> Vec<u8> {
    let field = |name: &str, value: &str| {
        format!("--B\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let mut body = (field("workflow_id", workflow) + &field("node_id", "input_node")).into_bytes();
    body.extend_from_slice(b"--B\r\nContent-Disposition: form-data; name=\"files\"; filename=\"");
    body.extend_from_slice(file_name);
    body.extend_from_slice(b"\"\r\nContent-Type: text/plain\r\n\r\nhello\r\n--B--\r\n");
    body
}

async fn unsafe_file_names_are_replaced(app: App) {
    let id = app.create(&plain("w")).await;
    let long = "n".repeat(300) + ".txt";
    let wide = "\u{1F389}".repeat(100) + ".txt";
    let names: [&[u8]; 16] = [
        b"../../etc/passwd",
        b"..",
        b".",
        b"a/b",
        b"/etc/passwd",
        b"..\\..\\windows",
        b"C:\\boot.ini",
        b"nul\0byte",
        b"tab\tand\x01bell\x07",
        b"new%0aline",
        b"%2e%2e%2fetc",
        b" ",
        b"-rf",
        b"\xff\xfe.txt",
        long.as_bytes(),
        wide.as_bytes(),
    ];
    let folder = app.data_dir().join("test_files").join(&id);
    let mut stored_count = 0;
    for name in names {
        let display_name = String::from_utf8_lossy(name);
        let kind = "multipart/form-data; boundary=B";
        let response = app.post("/wf/upload_test_files/").body(kind, raw_form(&id, name)).await;
        if response.status != 200 {
            // A name that is not a valid header value may be rejected, but must not be stored unchanged.
            let status = response.status;
            assert!([400, 422].contains(&status), "{display_name}: {} {}", status, response.text);
            response.problem(status);
            continue;
        }
        stored_count += 1;
        let path = paths(&response.ok()).remove(0);
        let file = path
            .strip_prefix(&format!("test_files/{id}/"))
            .unwrap_or_else(|| panic!("{display_name}: {path}"));
        let parts: Vec<_> = Path::new(file).components().collect();
        assert!(matches!(parts[..], [Component::Normal(_)]), "{display_name}: {path}");
        assert!(!file.contains('\\') && !file.chars().any(char::is_control), "{display_name}: {file:?}");
        assert!(file.len() <= 255, "{display_name}: {} bytes", file.len());
        let bytes =
            std::fs::read(folder.join(file)).unwrap_or_else(|e| panic!("{display_name}: {path}: {e}"));
        assert_eq!(bytes, b"hello", "{display_name}");
    }
    assert!(stored_count >= 12, "most names can be made safe, but only {stored_count} files were stored");
    let all = files_below(&app.data_dir());
    let with_parent = all.iter().filter(|f| f.starts_with(&format!("test_files/{id}/"))).count();
    assert_eq!(
        with_parent, stored_count,
        "each file is stored under its own name in the folder of the workflow: {all:?}"
    );
}

async fn equal_names_are_two_files(app: App) {
    let id = app.create(&plain("w")).await;
    let responses =
        join_all((0..16).map(|_| app.upload(form(&id, vec![("a.txt", b"one"), ("a.txt", b"two")])).send()))
            .await;
    let all: Vec<String> = responses.into_iter().flat_map(|a| paths(&a.ok())).collect();
    let distinct: HashSet<&String> = all.iter().collect();
    assert_eq!(all.len(), 32);
    assert_eq!(distinct.len(), 32);
    for (n, path) in all.iter().enumerate() {
        let bytes = std::fs::read(app.data_dir().join(path)).expect("the stored file");
        assert_eq!(bytes, if n % 2 == 0 { b"one" } else { b"two" }, "{path}");
    }
}

async fn rejects_a_form_without_required_fields(app: App) {
    let id = app.create(&plain("w")).await;
    let file = || Part::bytes(&b"hello"[..]).file_name("a.txt");
    for (form, missing) in [
        (Form::new().text("node_id", "n").part("files", file()), "/workflow_id"),
        (Form::new().text("workflow_id", id.clone()).part("files", file()), "/node_id"),
        (Form::new().text("workflow_id", id.clone()).text("node_id", "n"), "/files"),
    ] {
        assert_eq!(app.upload(form).await.pointers(), [missing]);
    }
    let form_for_node =
        |node_id: String| Form::new().text("workflow_id", id.clone()).text("node_id", node_id);
    let long = form_for_node("ü".repeat(1_001)).part("files", file());
    assert_eq!(app.upload(long).await.pointers(), ["/node_id"]);
    assert!(
        !files_below(&app.data_dir()).iter().any(|f| f.contains(&id)),
        "a rejected upload stores nothing"
    );
    app.upload(form_for_node("ü".repeat(1_000)).part("files", file())).await.ok();
}

async fn upload_to_an_unknown_workflow_stores_nothing(app: App) {
    let before = files_below(&app.data_dir());
    for id in ["018f0000-0000-7000-8000-000000000000", "nope", "../../outside", "/etc"] {
        app.upload(form(id, vec![("a.txt", b"hello")])).await.problem(404);
    }
    assert_eq!(files_below(&app.data_dir()), before);
}

async fn rejects_invalid_forms(app: App) {
    let path = "/wf/upload_test_files/";
    let id = app.create(&plain("w")).await;
    let json = json!({"workflow_id": id}).to_string();
    for (kind, body) in [
        ("application/json", json.as_str()),
        ("text/plain", "hello"),
        ("multipart/form-data", "--B\r\n"),
        ("multipart/form-data; boundary=B", ""),
        ("multipart/form-data; boundary=B", "no boundary at all"),
        (
            "multipart/form-data; boundary=B",
            "--B\r\nContent-Disposition: form-data; name=\"files\"; filename=\"a\"\r\n\r\ncut",
        ),
        ("multipart/form-data; boundary=B", "--B\r\n\r\nwithout a name\r\n--B--\r\n"),
    ] {
        let response = app.post(path).body(kind, body).await;
        let status = response.status;
        assert!([400, 415, 422].contains(&status), "{kind}: {body:?}: {status} {}", response.text);
        response.problem(status);
    }
    assert!(
        !files_below(&app.data_dir()).iter().any(|f| f.contains(&id)),
        "a rejected upload stores nothing"
    );
}

/// A file is stored with its audit entry, or not at all.
#[tokio::test]
async fn failed_upload_leaves_no_file() {
    let app = App::start_with(Backend::Sqlite, &[("SLUICE_SQLITE_MAX_BYTES", "800000")]).await;
    let id = app.create(&plain("w")).await;
    let mut stored_count = 0;
    loop {
        let files = (0..20).map(|_| ("a.txt", &b"hello"[..])).collect();
        let response = app.upload(form(&id, files)).await;
        if response.status != 200 {
            response.problem(503);
            break;
        }
        stored_count += 20;
        assert!(stored_count < 20_000, "the size of the database is not limited");
    }
    let stored = files_below(&app.data_dir()).iter().filter(|file| file.ends_with(".txt")).count();
    assert_eq!(stored, stored_count);
}

/// The limits of the server are small.
#[tokio::test]
async fn upload_limits_are_enforced() {
    let settings = [("SLUICE_MAX_UPLOAD_BYTES", "1000"), ("SLUICE_MAX_UPLOAD_FILES", "3")];
    let app = App::start_with(Backend::Sqlite, &settings).await;
    let id = app.create(&plain("w")).await;
    static LARGE: [u8; 1001] = [b'x'; 1001];
    app.upload(form(&id, vec![("large", &LARGE)])).await.problem(413);
    app.upload(form(&id, vec![("a", b"1"), ("b", b"2"), ("c", b"3"), ("d", b"4")])).await.problem(413);
    assert!(
        !files_below(&app.data_dir()).iter().any(|f| f.contains(&id)),
        "a rejected upload stores nothing"
    );
    let stored =
        paths(&app.upload(form(&id, vec![("a", &LARGE[..1000]), ("b", b"2"), ("c", b"3")])).await.ok());
    assert_eq!(stored.len(), 3);
}

/// Starts a server with another database and the same data folder.
async fn files_of_another_database_are_kept(mut app: App) {
    let id = app.create(&plain("w")).await;
    app.upload(form(&id, vec![("a.txt", b"hello")])).await.ok();
    let before = files_below(&app.data_dir());
    assert_eq!(before.len(), 1, "{before:?}");
    app.terminate().await;
    let other = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite://{}/other.db", other.path().display());
    let data_dir = app.data_dir().display().to_string();
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--database-url", &url, "--data-dir", &data_dir];
    let second = crate::support::process::Process::start(&arguments.map(str::to_owned), &[]);
    assert_eq!(second.terminate(), Some(0));
    assert_eq!(files_below(&app.data_dir()), before);
}
