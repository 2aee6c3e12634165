//! API keys: made, listed and revoked by a command of their own, beside a server that runs; found by the server for
//! each call.

use chrono::{DateTime, SecondsFormat, Utc};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, DatabaseConnection, DatabaseTransaction, DbErr, EntityTrait, ExprTrait as _, QueryFilter,
    QueryOrder, QuerySelect, Set,
};
use sha2::{Digest as _, Sha256};
use sluice_domain::api_scope::ApiScope;
use sluice_engine::{AuditEntry, StoreError, clock};
use subtle::ConstantTimeEq as _;

use crate::change::{Change, Fault};
use crate::connection::disk_reserve;
use crate::connection::options::{Options, Target};
use crate::connection::schema;
use crate::connection::sqlite_fast_path::Tx;
use crate::connection::{self, Use};
use crate::database::Database;
use crate::entity::api_key as entity;
use crate::error::{KeyError, OpenError, WriteError, is_constraint_violation, store_error};
use crate::writer::side_records::insert_audit;

/// What every key begins with, so that one that got out is found by those who look for them.
const PREFIX: &str = "sluice_";
/// The bytes of the public part of a key, and of its secret.
const ID_BYTES: usize = 8;
const SECRET_BYTES: usize = 32;
/// The longest name of a key, in characters.
const MAX_NAME: usize = 100;

/// A key, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Its public part, by which it is found: 16 digits in hex.
    pub id: String,
    /// What approvals, versions and the audit log name it by. No other key ever has it.
    pub name: String,
    /// What it opens.
    pub scopes: Vec<ApiScope>,
    /// Whether it may decide on pauses in other names than its own.
    pub for_others: bool,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// From when on it is no longer taken.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
    /// When it was used last, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// The SHA-256 of the secret, in hex.
    secret_hash: String,
}

/// A key that is to be made.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// Its name.
    pub name: String,
    /// What it opens.
    pub scopes: Vec<ApiScope>,
    /// Whether it may decide on pauses in other names than its own.
    pub for_others: bool,
    /// From when on it is no longer taken.
    pub expires_at: Option<DateTime<Utc>>,
}

/// The text of a key, cut in two.
#[derive(Clone, Copy)]
pub struct PresentedKey<'a> {
    /// The public part.
    pub id: &'a str,
    secret: &'a str,
}

impl<'a> PresentedKey<'a> {
    /// The parts of a text; none when it isn't formed as a key is.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        (is_hex(id, ID_BYTES) && is_hex(secret, SECRET_BYTES)).then_some(Self { id, secret })
    }

    /// Whether this is the secret of `key`. Takes as long whatever is wrong with it, and also without a key.
    #[must_use]
    pub fn opens(&self, key: Option<&ApiKey>) -> bool {
        let nobody = "0".repeat(64);
        let expected = key.map_or(nobody.as_str(), |key| key.secret_hash.as_str());
        let is_same = hash(self.secret).as_bytes().ct_eq(expected.as_bytes());
        bool::from(is_same) && key.is_some()
    }
}

/// Whether a text is so many bytes in hex digits.
fn is_hex(text: &str, bytes: usize) -> bool {
    text.len() == 2 * bytes && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

impl std::fmt::Debug for PresentedKey<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PresentedKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Database {
    /// The key with this public part.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn api_key(&self, id: &str) -> Result<Option<ApiKey>, StoreError> {
        let row = entity::Entity::find_by_id(id).one(self.readers()).await.map_err(store_error)?;
        Ok(row.map(ApiKey::from))
    }

    /// Whether there is any key, also one that is taken no more.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn has_api_keys(&self) -> Result<bool, StoreError> {
        let any = entity::Entity::find().select_only().column(entity::Column::Id).limit(1);
        let found: Option<String> = any.into_tuple().one(self.readers()).await.map_err(store_error)?;
        Ok(found.is_some())
    }

    /// Notes that a key was used.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn api_key_used(&self, id: String, at: DateTime<Utc>) -> Result<(), WriteError> {
        self.writer().change(Used(id, at)).await
    }
}

struct Used(String, DateTime<Utc>);

impl Change for Used {
    type Output = ();

    async fn apply(&self, tx: &DatabaseTransaction) -> Result<(), Fault> {
        let update = entity::Entity::update_many()
            .col_expr(entity::Column::LastUsedAt, Expr::value(self.1))
            .filter(entity::Column::Id.eq(&self.0));
        update.exec(tx).await?;
        Ok(())
    }
}

/// The keys of a database, for commands that run beside its server: opening them takes no lock.
#[derive(Debug)]
pub struct Keys(DatabaseConnection);

impl Keys {
    /// Opens the keys of a database. Brings its schema up to date when no server runs on it.
    ///
    /// # Errors
    /// As for [`Database::open`], but for [`OpenError::Locked`]; and when the server that runs is of another release.
    pub async fn open(options: Options) -> Result<Self, OpenError> {
        match Database::migrate(options.clone()).await {
            Ok(_) | Err(OpenError::Locked { .. }) => {}
            Err(error) => return Err(error),
        }
        let target = Target::parse(&options.url)?;
        let place = target.place();
        let connected = match &target {
            Target::Sqlite { path } => {
                connection::sqlite(path, Use::Write { max_bytes: options.max_bytes }, 1).await
            }
            Target::Postgres { url, .. } => connection::postgres_admin(url).await,
        };
        let unreachable = |source| OpenError::Unreachable { place: place.clone(), source };
        let connection = connected.map_err(unreachable)?;
        schema::check(&connection).await.map_err(|misfit| misfit.at(&place))?;
        if !schema::is_current(&connection).await.map_err(unreachable)? {
            return Err(OpenError::OlderServer { place });
        }
        Ok(Self(connection))
    }

    /// Makes a key. Its text, which is kept nowhere, and what is known of it.
    ///
    /// # Errors
    /// When the name doesn't fit or belongs to another key, no scope is given, or the store fails.
    pub async fn create(&self, new: NewKey) -> Result<(String, ApiKey), KeyError> {
        let NewKey { name, scopes, for_others, expires_at } = new;
        let is_framed = name.trim() != name || name.is_empty();
        if is_framed || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
            return Err(KeyError::Name(MAX_NAME));
        }
        // A key is revoked by its name or its id: no name is to be taken for an id.
        if is_hex(&name, ID_BYTES) {
            return Err(KeyError::NamedAsId);
        }
        if scopes.is_empty() {
            return Err(KeyError::NoScope);
        }
        let (id, secret) = (random::<ID_BYTES>()?, random::<SECRET_BYTES>()?);
        let names: Vec<&str> =
            ApiScope::ALL.iter().filter(|s| scopes.contains(s)).map(|s| s.as_str()).collect();
        let row = entity::Model {
            id,
            name,
            secret_hash: hash(&secret),
            scopes: names.join(" "),
            for_others,
            created_at: clock::now(),
            expires_at,
            revoked_at: None,
            last_used_at: None,
        };
        let text = format!("{PREFIX}{}_{secret}", row.id);
        let model: entity::ActiveModel = row.clone().into();
        let tx = connection::begin(&self.0).await?;
        match entity::Entity::insert(model).exec_without_returning(&tx).await {
            Ok(_) => {}
            Err(error) if is_constraint_violation(&error) => return Err(KeyError::NameTaken(row.name)),
            Err(error) => return Err(error.into()),
        }
        note(&tx, "keys create", &row, (None, Some(may(&row)))).await?;
        tx.commit().await?;
        Ok((text, row.into()))
    }

    /// Every key, the oldest first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn list(&self) -> Result<Vec<ApiKey>, KeyError> {
        let all = entity::Entity::find().order_by_asc(entity::Column::CreatedAt);
        let rows = all.all(&self.0).await?;
        Ok(rows.into_iter().map(ApiKey::from).collect())
    }

    /// Revokes the key with this name or public part; one that is revoked already stays so.
    ///
    /// # Errors
    /// When there is no such key, or the store fails.
    pub async fn revoke(&self, key: &str) -> Result<ApiKey, KeyError> {
        use entity::Column::{Id, Name, RevokedAt};
        let named = Id.eq(key).or(Name.eq(key));
        let tx = connection::begin(&self.0).await?;
        // Also in a store that is full: a key that is known to others doesn't wait for room.
        let found = disk_reserve::with_reserve(&tx, async {
            let revoked = entity::Entity::update_many()
                .set(entity::ActiveModel { revoked_at: Set(Some(clock::now())), ..Default::default() })
                .filter(named.clone().and(RevokedAt.is_null()))
                .exec(&tx)
                .await?;
            let found = entity::Entity::find().filter(named).one(&tx).await?;
            let found = found.ok_or_else(|| KeyError::Unknown(key.to_owned()))?;
            if revoked.rows_affected > 0 {
                note(&tx, "keys revoke", &found, (Some(may(&found)), None)).await?;
            }
            Ok::<_, KeyError>(found)
        });
        let found = found.await?;
        tx.commit().await?;
        Ok(found.into())
    }

    /// Closes the connection.
    pub async fn close(self) {
        if let Err(error) = self.0.close().await {
            tracing::debug!(%error, "the connection was not closed in good order");
        }
    }
}

impl From<DbErr> for KeyError {
    fn from(error: DbErr) -> Self {
        Self::Store(store_error(error))
    }
}

/// What a key may, as the audit log says it: `runs:read runs:write, for others, until 2027-01-01T00:00:00Z`.
fn may(key: &entity::Model) -> String {
    let others = if key.for_others { ", for others" } else { "" };
    let end = key.expires_at.map(|end| format!(", until {}", end.to_rfc3339_opts(SecondsFormat::Secs, true)));
    format!("{}{others}{}", key.scopes, end.unwrap_or_default())
}

/// Writes into the audit log what a command did to a key.
async fn note(
    tx: &DatabaseTransaction,
    operation: &str,
    key: &entity::Model,
    states: (Option<String>, Option<String>),
) -> Result<(), KeyError> {
    let entry = AuditEntry::of_command(operation, ("key", key.id.clone()), states);
    insert_audit(&Tx::Orm(tx), &[&entry]).await.map_err(KeyError::from)
}

impl From<entity::Model> for ApiKey {
    fn from(row: entity::Model) -> Self {
        // A scope of a newer release opens nothing here.
        let scopes = row.scopes.split(' ').filter_map(|name| name.parse().ok()).collect();
        Self {
            id: row.id,
            name: row.name,
            scopes,
            for_others: row.for_others,
            created_at: row.created_at,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
            last_used_at: row.last_used_at,
            secret_hash: row.secret_hash,
        }
    }
}

/// The SHA-256 of a secret, in hex. A secret has 256 bits of chance: nothing slower makes it harder to guess.
fn hash(secret: &str) -> String {
    hex(&Sha256::digest(secret))
}

fn random<const BYTES: usize>() -> Result<String, KeyError> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).map_err(|error| KeyError::NoChance(error.to_string()))?;
    Ok(hex(&bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_only_as_it_was_written() {
        let text = format!("{PREFIX}{}_{}", "0a".repeat(8), "0b".repeat(32));
        assert_eq!(PresentedKey::parse(&text).unwrap().id, "0a0a0a0a0a0a0a0a");
        let bad =
            ["", "sluice_", &text[1..], &text.to_uppercase(), &format!("{text}0"), &text[..text.len() - 1]];
        for bad in bad {
            assert!(PresentedKey::parse(bad).is_none(), "{bad}");
        }
        let shown = format!("{:?}", PresentedKey::parse(&text));
        assert!(!shown.contains("0b0b"), "{shown}");
    }
}
