//! The generated clients in `sdks/`, installed by `make sdks`: each makes typical calls to a server, as do the
//! code samples of the README.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use crate::support::api_keys::{create_key, wait_until_keys_are_required};
use crate::support::app::App;
use crate::support::database::Backend;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the repository")
}

/// Folder that `make sdks` installs into.
fn tools() -> PathBuf {
    root().join(".tools/sdks")
}

/// A server for a client.
async fn server_for(client: &str) -> App {
    let is_made = tools().join(format!("{client}.stamp")).exists();
    assert!(is_made, "there is no client for {client}: run `make sdks`, or `make test`");
    App::start(Backend::Sqlite).await
}

/// A server that requires keys, and a key for the client.
async fn locked_server() -> App {
    let mut app = App::start(Backend::Postgres).await;
    let scopes = "workflows:read,workflows:write,runs:read,runs:write,approvals:read,approvals:write";
    let key = create_key(&app.database, "grace", scopes, &[]).await;
    wait_until_keys_are_required(&app).await;
    app.set_env("SLUICE_API_KEY", Some(&key));
    app
}

/// Runs a program against the server and returns its output.
async fn run(program: impl AsRef<std::ffi::OsStr>, args: &[&str], folder: &Path, app: &App) -> String {
    let mut command = Command::new(program.as_ref());
    command.args(args).current_dir(folder).stdin(Stdio::null()).kill_on_drop(true);
    command.env("SLUICE_URL", app.base()).env("CARGO_TARGET_DIR", tools().join("rust-target"));
    if let Some(key) = app.env("SLUICE_API_KEY") {
        command.env("SLUICE_API_KEY", key);
    }
    let ended = command.output().await.unwrap_or_else(|e| panic!("{:?}: {e}", program.as_ref()));
    let shown = String::from_utf8_lossy(&ended.stdout);
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{:?} {args:?}:\n{shown}{said}", program.as_ref());
    shown.into_owned()
}

/// The code sample of the README in a language, with the address of this server.
fn block(language: &str, app: &App) -> String {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("the README");
    let mark = format!("```{language}\n");
    let mut blocks = readme.split(&mark).skip(1).filter_map(|rest| rest.split("```").next());
    let block = blocks.next().unwrap_or_else(|| panic!("the README has no block in {language}"));
    assert!(blocks.next().is_none(), "the README has two blocks in {language}");
    assert!(block.contains("http://localhost:8080"), "{block}");
    block.replace("http://localhost:8080", app.base())
}

fn journey_is_done(shown: &str) {
    assert_eq!(shown.trim_end(), "the journey is done");
}

/// Last line that the samples of the README print.
fn routed(shown: &str) {
    assert!(shown.contains("COMPLETED") && shown.contains("urgent"), "{shown}");
}

#[tokio::test]
async fn typescript() {
    let (app, with_keys) = (server_for("typescript").await, locked_server().await);
    let folder = tools().join("typescript-user");
    let tsc = folder.join("node_modules/.bin/tsc");
    run(&tsc, &["-p", "tsconfig.json"], &folder, &app).await;
    // No expression has the type `any`.
    let coverage = ["--strict", "--at-least", "100", "--detail", "-p", "tsconfig.json"];
    run(folder.join("node_modules/.bin/type-coverage"), &coverage, &folder, &app).await;
    for app in [&app, &with_keys] {
        journey_is_done(&run("node", &["built/journey.js"], &folder, app).await);
    }

    std::fs::write(folder.join("readme.ts"), block("ts", &app)).expect("the block");
    run(&tsc, &["-p", "tsconfig.readme.json"], &folder, &app).await;
    let program = folder.join("built/readme.js");
    routed(&run("node", &[program.to_str().expect("a text")], &root(), &app).await);
}

#[tokio::test]
async fn python() {
    let (app, with_keys) = (server_for("python").await, locked_server().await);
    let (bin, test) = (tools().join("python-user/bin"), root().join("sdks/python/test"));
    let strict = ["--strict", "--cache-dir=/dev/null", "--no-error-summary"];
    let scratch = app.data_dir();
    // In a folder without the client's sources, so that Python finds the installed client.
    for name in ["journey.py", "readme.py"] {
        let text = match name {
            "readme.py" => block("python", &app),
            journey => std::fs::read_to_string(test.join(journey)).expect("the journey"),
        };
        std::fs::write(scratch.join(name), text).expect("a program");
        run(bin.join("mypy"), &[&strict[..], &[name]].concat(), &scratch, &app).await;
    }
    for app in [&app, &with_keys] {
        journey_is_done(&run(bin.join("python"), &["journey.py"], &scratch, app).await);
    }
    let program = scratch.join("readme.py");
    routed(&run(bin.join("python"), &[program.to_str().expect("a text")], &root(), &app).await);
}

#[tokio::test]
async fn rust() {
    let (app, with_keys) = (server_for("rust").await, locked_server().await);
    let folder = root().join("sdks/rust/test");
    let manifest = folder.join("Cargo.toml");
    std::fs::create_dir_all(folder.join("src/bin")).expect("a folder");
    std::fs::write(folder.join("src/bin/readme.rs"), block("rust", &app)).expect("the block");
    let cargo =
        ["run", "--locked", "--quiet", "--manifest-path", manifest.to_str().expect("a text"), "--bin"];
    let bin = async |name, app| run("cargo", &[&cargo[..], &[name]].concat(), &root(), app).await;
    for app in [&app, &with_keys] {
        journey_is_done(&bin("sluice-client-journey", app).await);
    }
    routed(&bin("readme", &app).await);
}
