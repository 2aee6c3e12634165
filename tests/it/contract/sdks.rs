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

/// Returns the folder into which `make sdks` installs the tools.
fn tools() -> PathBuf {
    root().join(".tools/sdks")
}

/// Starts a server for a client.
async fn server_for(client: &str) -> App {
    let is_installed = tools().join(format!("{client}.stamp")).exists();
    assert!(is_installed, "the client for {client} is not installed: run `make sdks` or `make test`");
    App::start(Backend::Sqlite).await
}

/// Starts a server that requires keys, and sets a key for the client.
async fn server_with_keys() -> App {
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
    let output = command.output().await.unwrap_or_else(|e| panic!("{:?}: {e}", program.as_ref()));
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{:?} {args:?}:\n{stdout}{stderr}", program.as_ref());
    stdout.into_owned()
}

/// Returns the code sample of the README in a language, with the address of this server.
fn readme_sample(language: &str, app: &App) -> String {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("the README");
    let fence = format!("```{language}\n");
    let mut samples = readme.split(&fence).skip(1).filter_map(|rest| rest.split("```").next());
    let readme_sample =
        samples.next().unwrap_or_else(|| panic!("the README has no code sample in {language}"));
    assert!(samples.next().is_none(), "the README has two code samples in {language}");
    assert!(readme_sample.contains("http://localhost:8080"), "{readme_sample}");
    readme_sample.replace("http://localhost:8080", app.base())
}

fn assert_journey_is_done(stdout: &str) {
    assert_eq!(stdout.trim_end(), "the journey is done");
}

/// Checks the last line that a code sample of the README prints.
fn assert_sample_output(stdout: &str) {
    assert!(stdout.contains("COMPLETED") && stdout.contains("urgent"), "{stdout}");
}

#[tokio::test]
async fn typescript() {
    let (app, with_keys) = (server_for("typescript").await, server_with_keys().await);
    let folder = tools().join("typescript-user");
    let tsc = folder.join("node_modules/.bin/tsc");
    run(&tsc, &["-p", "tsconfig.json"], &folder, &app).await;
    // Fails if an expression has the type `any`.
    let coverage = ["--strict", "--at-least", "100", "--detail", "-p", "tsconfig.json"];
    run(folder.join("node_modules/.bin/type-coverage"), &coverage, &folder, &app).await;
    for app in [&app, &with_keys] {
        assert_journey_is_done(&run("node", &["built/journey.js"], &folder, app).await);
    }

    std::fs::write(folder.join("readme.ts"), readme_sample("ts", &app)).expect("the code sample");
    run(&tsc, &["-p", "tsconfig.readme.json"], &folder, &app).await;
    let program = folder.join("built/readme.js");
    assert_sample_output(&run("node", &[program.to_str().expect("a text")], &root(), &app).await);
}

#[tokio::test]
async fn python() {
    let (app, with_keys) = (server_for("python").await, server_with_keys().await);
    let (bin, test) = (tools().join("python-user/bin"), root().join("sdks/python/test"));
    let strict = ["--strict", "--cache-dir=/dev/null", "--no-error-summary"];
    let scratch = app.data_dir();
    // In a folder without the client's sources, so that Python finds the installed client.
    for name in ["journey.py", "readme.py"] {
        let text = match name {
            "readme.py" => readme_sample("python", &app),
            journey => std::fs::read_to_string(test.join(journey)).expect("the journey"),
        };
        std::fs::write(scratch.join(name), text).expect("a program");
        run(bin.join("mypy"), &[&strict[..], &[name]].concat(), &scratch, &app).await;
    }
    for app in [&app, &with_keys] {
        assert_journey_is_done(&run(bin.join("python"), &["journey.py"], &scratch, app).await);
    }
    let program = scratch.join("readme.py");
    assert_sample_output(&run(bin.join("python"), &[program.to_str().expect("a text")], &root(), &app).await);
}

#[tokio::test]
async fn rust() {
    let (app, with_keys) = (server_for("rust").await, server_with_keys().await);
    let folder = root().join("sdks/rust/test");
    let manifest = folder.join("Cargo.toml");
    std::fs::create_dir_all(folder.join("src/bin")).expect("a folder");
    std::fs::write(folder.join("src/bin/readme.rs"), readme_sample("rust", &app)).expect("the code sample");
    let cargo =
        ["run", "--locked", "--quiet", "--manifest-path", manifest.to_str().expect("a text"), "--bin"];
    let bin = async |name, app| run("cargo", &[&cargo[..], &[name]].concat(), &root(), app).await;
    for app in [&app, &with_keys] {
        assert_journey_is_done(&bin("sluice-client-journey", app).await);
    }
    assert_sample_output(&bin("readme", &app).await);
}
