//! `sluice keys`: API keys, made and revoked beside a server that runs.

use std::io::Write;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::json;
use sluice_engine::clock;
use sluice_persistence::{ApiKey, Keys, NewKey};

use crate::cli::{CreateKeyArgs, DatabaseArgs, KeysCommand, ListFormat};
use crate::{log, serve};

type Failure = Box<dyn std::error::Error>;

/// Does what was asked for.
pub(crate) fn keys(command: &KeysCommand) -> Result<(), Failure> {
    match command {
        KeysCommand::Create(args) => on_keys(&args.database, async |keys| create(keys, args).await),
        KeysCommand::List { format, database } => on_keys(database, async |keys| list(keys, *format).await),
        KeysCommand::Revoke { key, database } => on_keys(database, async |keys| {
            let revoked = keys.revoke(key).await?;
            say(&format!("revoked {:?} ({})", revoked.name, revoked.id))
        }),
    }
}

fn on_keys(
    args: &DatabaseArgs,
    command: impl AsyncFnOnce(&Keys) -> Result<(), Failure>,
) -> Result<(), Failure> {
    log::start(&args.log, args.log_format)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let keys = Keys::open(serve::options(args)).await?;
        let done = command(&keys).await;
        keys.close().await;
        done
    })
}

async fn create(keys: &Keys, args: &CreateKeyArgs) -> Result<(), Failure> {
    let new = NewKey {
        name: args.name.clone(),
        scopes: args.scopes.clone(),
        for_others: args.for_others,
        expires_at: args.expires_in_days.map(|days| clock::now() + TimeDelta::days(i64::from(days))),
    };
    let (text, key) = keys.create(new).await?;
    // The key alone, so that a script can take it; what is to be known of it goes beside.
    say(&text)?;
    let scopes = key.scopes.iter().map(|scope| scope.name()).collect::<Vec<_>>().join(", ");
    writeln!(
        std::io::stderr(),
        "sluice: made the key {:?} ({scopes}). Keep it: it isn't shown again.",
        key.name
    )?;
    Ok(())
}

async fn list(keys: &Keys, format: ListFormat) -> Result<(), Failure> {
    let all = keys.list().await?;
    match format {
        ListFormat::Json => say(&serde_json::to_string_pretty(&all.iter().map(shown).collect::<Vec<_>>())?),
        ListFormat::Text => all.iter().try_for_each(|key| say(&line(key))),
    }
}

fn shown(key: &ApiKey) -> serde_json::Value {
    json!({
        "id": key.id,
        "name": key.name,
        "scopes": key.scopes.iter().map(|scope| scope.name()).collect::<Vec<_>>(),
        "for_others": key.for_others,
        "created_at": written(key.created_at),
        "expires_at": key.expires_at.map(written),
        "revoked_at": key.revoked_at.map(written),
        "last_used_at": key.last_used_at.map(written),
    })
}

fn line(key: &ApiKey) -> String {
    let scopes = key.scopes.iter().map(|scope| scope.name()).collect::<Vec<_>>().join(",");
    let state = match (key.revoked_at, key.expires_at) {
        (Some(at), _) => format!("revoked {}", written(at)),
        (None, Some(end)) if end <= clock::now() => format!("expired {}", written(end)),
        (None, Some(end)) => format!("until {}", written(end)),
        (None, None) => "valid".to_owned(),
    };
    let used = key.last_used_at.map_or_else(|| "never used".to_owned(), |at| format!("used {}", written(at)));
    let others = if key.for_others { ", for others" } else { "" };
    format!("{}  {:?}  {scopes}{others}  {state}, {used}", key.id, key.name)
}

fn written(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn say(line: &str) -> Result<(), Failure> {
    writeln!(std::io::stdout(), "{line}").map_err(Into::into)
}
