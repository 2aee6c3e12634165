//! `/docs` in a browser, which `make test` installs. The steps are in `tests/browser`.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use crate::support::api_keys::{create_key, wait_until_keys_are_required};
use crate::support::app::App;
use crate::support::database::Backend;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the repository")
}

#[tokio::test]
async fn docs_page_creates_runs_and_approves_a_workflow() {
    let tools = root().join(".tools/browser");
    assert!(tools.join("installed").exists(), "the browser tools are not installed: run `make browser`");
    let app = App::start(Backend::Sqlite).await;
    // The examples name this user.
    let key = create_key(&app.database, "ada", "admin", &[]).await;
    wait_until_keys_are_required(&app).await;

    let mut command = Command::new("node");
    command.arg(root().join("tests/browser/docs.mjs")).stdin(Stdio::null()).kill_on_drop(true);
    command.env("SLUICE_URL", app.base()).env("SLUICE_API_KEY", key).env("SLUICE_BROWSER", tools);
    let output = command.output().await.expect("node");
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{stdout}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(stdout.trim_end(), "the journey is done");
}
