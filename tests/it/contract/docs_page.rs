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
    assert!(tools.join("installed").exists(), "what drives the browser is missing: run `make browser`");
    let app = App::start(Backend::Sqlite).await;
    // The user of the examples.
    let key = create_key(&app.database, "ada", "admin", &[]).await;
    wait_until_keys_are_required(&app).await;

    let mut command = Command::new("node");
    command.arg(root().join("tests/browser/docs.mjs")).stdin(Stdio::null()).kill_on_drop(true);
    command.env("SLUICE_URL", app.base()).env("SLUICE_API_KEY", key).env("SLUICE_BROWSER", tools);
    let ended = command.output().await.expect("node");
    let shown = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success(), "{shown}{}", String::from_utf8_lossy(&ended.stderr));
    assert_eq!(shown.trim_end(), "the journey is done");
}
