//! API keys, created with the command line while the server runs.

use super::app::App;
use super::database::Database;
use super::polling::eventually;
use super::process::run_async;

/// Creates a key and returns it.
pub(crate) async fn create_key(database: &Database, name: &str, scopes: &str, more: &[&str]) -> String {
    let arguments = ["keys", "create", "--name", name, "--scope", scopes, "--database-url", &database.url];
    let output = run_async(&[&arguments[..], more].concat()).await;
    assert_eq!(output.code, Some(0), "{output:?}");
    output.stdout.trim().to_owned()
}

/// Waits until the server requires keys.
pub(crate) async fn wait_until_keys_are_required(app: &App) {
    eventually("keys to be required", async || (app.get("/wf/").await.status == 401).then_some(())).await;
}
