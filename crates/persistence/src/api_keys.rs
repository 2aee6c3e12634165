//! API keys. Commands create, list and revoke them while the server runs; the server looks them up for each request.

use chrono::{DateTime, SecondsFormat, Utc};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, DatabaseConnection, DatabaseTransaction, DbErr, EntityTrait, ExprTrait as _,
    IntoActiveModel as _, QueryFilter, QueryOrder, QuerySelect, Set,
};
use sha2::{Digest as _, Sha256};
use sluice_domain::api_scope::ApiScope;
use sluice_engine::{AuditEntry, ChangeOrigin, StoreError, Subject, clock};
use subtle::ConstantTimeEq as _;

use crate::change::{Change, Fault};
use crate::connection::options::{Options, Target};
use crate::connection::sqlite_fast_path::Tx;
use crate::connection::{self, Usage, disk_reserve, schema};
use crate::database::Database;
use crate::entity::api_key::{self, Scopes};
use crate::error::{KeyError, OpenError, WriteError, is_constraint_violation, store_error};
use crate::writer::side_records::{self, SideRecords};

/// The prefix of every key, so that secret scanners find leaked keys.
const PREFIX: &str = "sluice_";
/// Bytes of the public part of a key.
const ID_BYTES: usize = 8;
/// Bytes of the secret of a key.
const SECRET_BYTES: usize = 32;
/// Maximum length of a name, in characters.
pub const MAX_KEY_NAME_LENGTH: usize = 100;

/// An API key to create.
#[derive(Clone, Debug)]
pub struct NewApiKey {
    /// The name.
    pub name: String,
    /// The scopes that the key grants.
    pub scopes: Vec<ApiScope>,
    /// True if the key may decide pauses in the name of another user.
    pub for_others: bool,
    /// The time of expiry.
    pub expires_at: Option<DateTime<Utc>>,
}

/// The text of a key in a request, split into its two parts.
#[derive(Clone, Copy)]
pub struct PresentedKey<'a> {
    /// The public part.
    pub id: &'a str,
    secret: &'a str,
}

impl<'a> PresentedKey<'a> {
    /// Parses the text of a key. Returns `None` if it is malformed.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        (is_hex(id, ID_BYTES) && is_hex(secret, SECRET_BYTES)).then_some(Self { id, secret })
    }

    /// Returns true if this is the secret of `key`. Takes the same time for every wrong secret and for an unknown key.
    #[must_use]
    pub fn matches(&self, key: Option<&api_key::Model>) -> bool {
        let placeholder = "0".repeat(64);
        let expected = key.map_or(placeholder.as_str(), |key| key.secret_hash.as_str());
        let is_equal = hash(self.secret).as_bytes().ct_eq(expected.as_bytes());
        bool::from(is_equal) && key.is_some()
    }
}

/// Returns true if the text is `bytes` bytes in lowercase hex.
fn is_hex(text: &str, bytes: usize) -> bool {
    text.len() == 2 * bytes && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

impl std::fmt::Debug for PresentedKey<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PresentedKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Database {
    /// Returns the key with this public part.
    ///
    /// # Errors
    /// The database failed.
    pub async fn api_key_get(&self, id: &str) -> Result<Option<api_key::Model>, StoreError> {
        api_key::Entity::find_by_id(id).one(self.read_pool()).await.map_err(store_error)
    }

    /// Returns true if there is any key, even an expired or revoked one.
    ///
    /// # Errors
    /// The database failed.
    pub async fn has_api_keys(&self) -> Result<bool, StoreError> {
        let select = api_key::Entity::find().select_only().column(api_key::Column::Id).limit(1);
        let id: Option<String> = select.into_tuple().one(self.read_pool()).await.map_err(store_error)?;
        Ok(id.is_some())
    }

    /// Records the last use of a key.
    ///
    /// # Errors
    /// The database failed.
    pub async fn api_key_touch(&self, id: String, at: DateTime<Utc>) -> Result<(), WriteError> {
        self.writer().change(TouchKey { id, at }).await
    }
}

struct TouchKey {
    id: String,
    at: DateTime<Utc>,
}

impl Change for TouchKey {
    type Output = ();

    const CHANGES_VERSIONS: bool = false;

    async fn apply(&self, tx: &DatabaseTransaction) -> Result<(), Fault> {
        api_key::Entity::update_many()
            .col_expr(api_key::Column::LastUsedAt, Expr::value(self.at))
            .filter(api_key::Column::Id.eq(&self.id))
            .exec(tx)
            .await?;
        Ok(())
    }
}

/// Manages the keys of a database, for commands. Doesn't take the lock, so that a server may run at the same time.
#[derive(Debug)]
pub struct ApiKeyAdmin(DatabaseConnection);

impl ApiKeyAdmin {
    /// Opens a database. Migrates its schema if no server runs.
    ///
    /// # Errors
    /// Those of [`Database::open`], except for [`OpenError::Locked`]. Also fails if the running server is an older release.
    pub async fn open(options: Options) -> Result<Self, OpenError> {
        match Database::migrate(options.clone()).await {
            Ok(_) | Err(OpenError::Locked { .. }) => {}
            Err(error) => return Err(error),
        }
        let target = Target::parse(&options.url)?;
        let location = target.location();
        let connect_result = match &target {
            Target::Sqlite { path } => {
                connection::sqlite(path, Usage::Write { max_bytes: options.max_bytes }, 1).await
            }
            Target::Postgres { url, .. } => connection::postgres_admin(url).await,
        };
        let unreachable_error = |source| OpenError::Unreachable { location: location.clone(), source };
        let connection = connect_result.map_err(unreachable_error)?;
        schema::check(&connection).await.map_err(|error| error.at(&location))?;
        if !schema::is_current(&connection).await.map_err(unreachable_error)? {
            return Err(OpenError::OlderServer { location });
        }
        Ok(Self(connection))
    }

    /// Creates a key. Returns its text, which is not stored, and its row.
    ///
    /// # Errors
    /// The name is invalid or taken, the scopes are empty, or the database failed.
    pub async fn create(&self, new: NewApiKey) -> Result<(String, api_key::Model), KeyError> {
        let NewApiKey { name, scopes, for_others, expires_at } = new;
        if name.is_empty()
            || name.trim() != name
            || name.chars().count() > MAX_KEY_NAME_LENGTH
            || name.chars().any(char::is_control)
        {
            return Err(KeyError::Name(MAX_KEY_NAME_LENGTH));
        }
        // Keys are revoked by name or id, so a name must not look like an id.
        if is_hex(&name, ID_BYTES) {
            return Err(KeyError::NamedAsId);
        }
        if scopes.is_empty() {
            return Err(KeyError::NoScope);
        }
        let (id, secret) = (random_hex::<ID_BYTES>()?, random_hex::<SECRET_BYTES>()?);
        let key = api_key::Model {
            id,
            name,
            secret_hash: hash(&secret),
            scopes: Scopes(scopes),
            for_others,
            created_at: clock::now(),
            expires_at,
            revoked_at: None,
            last_used_at: None,
        };
        let text = format!("{PREFIX}{}_{secret}", key.id);
        let tx = connection::begin(&self.0).await?;
        match api_key::Entity::insert(key.clone().into_active_model()).exec_without_returning(&tx).await {
            Ok(_) => {}
            Err(error) if is_constraint_violation(&error) => return Err(KeyError::NameTaken(key.name)),
            Err(error) => return Err(error.into()),
        }
        insert_audit_entry(&tx, "keys create", &key, None, Some(audit_text(&key))).await?;
        tx.commit().await?;
        Ok((text, key))
    }

    /// Returns all keys, oldest first.
    ///
    /// # Errors
    /// The database failed.
    pub async fn list(&self) -> Result<Vec<api_key::Model>, KeyError> {
        Ok(api_key::Entity::find().order_by_asc(api_key::Column::CreatedAt).all(&self.0).await?)
    }

    /// Revokes the key with this name or public part. Doesn't change a key that is already revoked.
    ///
    /// # Errors
    /// The key doesn't exist, or the database failed.
    pub async fn revoke(&self, name_or_id: &str) -> Result<api_key::Model, KeyError> {
        use api_key::Column::{Id, Name, RevokedAt};
        let condition = Id.eq(name_or_id).or(Name.eq(name_or_id));
        let tx = connection::begin(&self.0).await?;
        // A leaked key must be revocable even if the database is full.
        let key = disk_reserve::with_reserve(&tx, async {
            let update = api_key::Entity::update_many()
                .set(api_key::ActiveModel { revoked_at: Set(Some(clock::now())), ..Default::default() })
                .filter(condition.clone().and(RevokedAt.is_null()))
                .exec(&tx)
                .await?;
            let key = api_key::Entity::find().filter(condition).one(&tx).await?;
            let key = key.ok_or_else(|| KeyError::Unknown(name_or_id.to_owned()))?;
            if update.rows_affected > 0 {
                insert_audit_entry(&tx, "keys revoke", &key, Some(audit_text(&key)), None).await?;
            }
            Ok::<_, KeyError>(key)
        })
        .await?;
        tx.commit().await?;
        Ok(key)
    }

    /// Closes the connection.
    pub async fn close(self) {
        if let Err(error) = self.0.close().await {
            tracing::debug!(%error, "closing a connection failed");
        }
    }
}

impl From<DbErr> for KeyError {
    fn from(error: DbErr) -> Self {
        Self::Store(store_error(error))
    }
}

/// Returns the rights of a key as the audit log shows them: `runs:read runs:write, for others, until
/// 2027-01-01T00:00:00Z`.
fn audit_text(key: &api_key::Model) -> String {
    let others = if key.for_others { ", for others" } else { "" };
    let expiry =
        key.expires_at.map(|at| format!(", until {}", at.to_rfc3339_opts(SecondsFormat::Secs, true)));
    format!("{}{others}{}", key.scopes, expiry.unwrap_or_default())
}

async fn insert_audit_entry(
    tx: &DatabaseTransaction,
    operation: &str,
    key: &api_key::Model,
    before: Option<String>,
    after: Option<String>,
) -> Result<(), KeyError> {
    let entry = AuditEntry::new(Subject::Key, &key.id).with_states(before, after);
    let records = SideRecords::audit_only(ChangeOrigin::of_command(operation), vec![entry]);
    side_records::insert(&Tx::Orm(tx), std::iter::once(&records)).await.map_err(KeyError::from)
}

/// Returns the SHA-256 of a secret, in hex. A slow hash is unnecessary, because a secret has 256 random bits.
fn hash(secret: &str) -> String {
    to_hex(&Sha256::digest(secret))
}

fn random_hex<const BYTES: usize>() -> Result<String, KeyError> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).map_err(|error| KeyError::Random(error.to_string()))?;
    Ok(to_hex(&bytes))
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_only_exact_keys() {
        let text = format!("{PREFIX}{}_{}", "0a".repeat(8), "0b".repeat(32));
        assert_eq!(PresentedKey::parse(&text).unwrap().id, "0a0a0a0a0a0a0a0a");
        let malformed =
            ["", "sluice_", &text[1..], &text.to_uppercase(), &format!("{text}0"), &text[..text.len() - 1]];
        for malformed in malformed {
            assert!(PresentedKey::parse(malformed).is_none(), "{malformed}");
        }
        let debug = format!("{:?}", PresentedKey::parse(&text));
        assert!(!debug.contains("0b0b"), "{debug}");
    }
}
