//! `sluice keys`: manages API keys, also while a server is running.

use std::io::Write as _;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};
use sluice_domain::api_scope::ApiScope;
use sluice_engine::clock;
use sluice_persistence::{ApiKey, ApiKeyAdmin, NewApiKey};

use crate::cli::DatabaseArgs;
use crate::cli::output::print_error;
use crate::error::Result;

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Create a key and print it.
    ///
    /// Only its hash is stored, so it can't be shown again.
    Create(CreateArgs),
    /// List the keys, without their secrets.
    List(ListArgs),
    /// Revoke a key permanently.
    Revoke(RevokeArgs),
}

#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    /// Name of the key, shown in approvals, versions and the audit log. A name can't be reused.
    #[arg(long)]
    name: String,
    /// Scopes of the key, separated by commas. `admin` includes all others and gives access to the audit log.
    #[arg(long = "scope", required = true, value_delimiter = ',', value_parser = scope_parser())]
    scopes: Vec<ApiScope>,
    /// Allow the key to decide pauses on behalf of other users.
    #[arg(long)]
    for_others: bool,
    /// Lifetime of the key, in days. Unlimited by default.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    expires_in_days: Option<u32>,
    #[command(flatten)]
    database: DatabaseArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Output format.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    #[command(flatten)]
    database: DatabaseArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RevokeArgs {
    /// Name or id of the key, as `sluice keys list` prints them.
    key: String,
    #[command(flatten)]
    database: DatabaseArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// One line per key, for people.
    Text,
    /// A JSON array.
    Json,
}

fn scope_parser() -> impl TypedValueParser<Value = ApiScope> {
    PossibleValuesParser::new(ApiScope::ALL.iter().map(|scope| scope.as_str()))
        .try_map(|name| name.parse::<ApiScope>())
}

/// Runs a command on the keys of the database.
pub(super) fn run(command: &KeysCommand) -> Result<()> {
    match command {
        KeysCommand::Create(args) => with_keys(&args.database, async |keys| create(keys, args).await),
        KeysCommand::List(args) => with_keys(&args.database, async |keys| list(keys, args.format).await),
        KeysCommand::Revoke(args) => with_keys(&args.database, async |keys| revoke(keys, &args.key).await),
    }
}

fn with_keys(args: &DatabaseArgs, operation: impl AsyncFnOnce(&ApiKeyAdmin) -> Result<()>) -> Result<()> {
    args.log.init()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let keys = ApiKeyAdmin::open(args.options()).await?;
        let result = operation(&keys).await;
        keys.close().await;
        result
    })
}

async fn create(keys: &ApiKeyAdmin, args: &CreateArgs) -> Result<()> {
    let new = NewApiKey {
        name: args.name.clone(),
        scopes: args.scopes.clone(),
        for_others: args.for_others,
        expires_at: args.expires_in_days.map(|days| clock::now() + TimeDelta::days(i64::from(days))),
    };
    let (secret, key) = keys.create(new).await?;
    // Only the key goes to standard output, for scripts.
    print(&secret)?;
    let (name, scopes) = (&key.name, scope_names(&key).join(", "));
    print_error(&format!("created the key {name:?} ({scopes}). Save it now, it can't be shown again."));
    Ok(())
}

async fn list(keys: &ApiKeyAdmin, format: Format) -> Result<()> {
    let keys = keys.list().await?;
    match format {
        Format::Json => {
            let keys: Vec<Value> = keys.iter().map(to_json).collect();
            print(&serde_json::to_string_pretty(&keys)?)
        }
        Format::Text => keys.iter().try_for_each(|key| print(&to_text(key))),
    }
}

async fn revoke(keys: &ApiKeyAdmin, key: &str) -> Result<()> {
    let revoked = keys.revoke(key).await?;
    print(&format!("revoked {:?} ({})", revoked.name, revoked.id))
}

fn to_json(key: &ApiKey) -> Value {
    json!({
        "id": key.id,
        "name": key.name,
        "scopes": scope_names(key),
        "for_others": key.for_others,
        "created_at": format_time(key.created_at),
        "expires_at": key.expires_at.map(format_time),
        "revoked_at": key.revoked_at.map(format_time),
        "last_used_at": key.last_used_at.map(format_time),
    })
}

fn to_text(key: &ApiKey) -> String {
    let scopes = scope_names(key).join(",");
    let status = match (key.revoked_at, key.expires_at) {
        (Some(at), _) => format!("revoked {}", format_time(at)),
        (None, Some(end)) if end <= clock::now() => format!("expired {}", format_time(end)),
        (None, Some(end)) => format!("expires {}", format_time(end)),
        (None, None) => "valid".to_owned(),
    };
    let last_use = key
        .last_used_at
        .map_or_else(|| "never used".to_owned(), |at| format!("last used {}", format_time(at)));
    let others = if key.for_others { ", for others" } else { "" };
    format!("{}  {:?}  {scopes}{others}  {status}, {last_use}", key.id, key.name)
}

fn scope_names(key: &ApiKey) -> Vec<&'static str> {
    key.scopes.iter().map(|scope| scope.as_str()).collect()
}

fn format_time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Prints a line. Unlike other output, a key that could not be printed is an error.
fn print(line: &str) -> Result<()> {
    writeln!(std::io::stdout(), "{line}").map_err(Into::into)
}
