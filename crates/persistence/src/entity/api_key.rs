//! The table `api_keys`.

use std::convert::Infallible;
use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

use sea_orm::entity::prelude::*;
use sluice_domain::api_scope::ApiScope;

use super::relation::Relation;

/// An API key, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "api_keys")]
pub struct Model {
    /// The public part of the key: 16 hex digits.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub id: String,
    /// The name, as shown in pauses, versions and the audit log. It is never reused for another key.
    #[sea_orm(column_type = "Text", unique)]
    pub name: String,
    /// The SHA-256 of the secret, in hex.
    #[sea_orm(column_type = "Text")]
    pub(crate) secret_hash: String,
    /// The scopes that the key grants.
    #[sea_orm(column_type = "Text")]
    pub scopes: Scopes,
    /// True if the key may decide pauses in the name of another user.
    pub for_others: bool,
    /// The time of creation.
    pub created_at: DateTimeUtc,
    /// The time of expiry.
    pub expires_at: Option<DateTimeUtc>,
    /// The time when the key was revoked.
    pub revoked_at: Option<DateTimeUtc>,
    /// The time when the key was last used, to the minute.
    pub last_used_at: Option<DateTimeUtc>,
}

impl ActiveModelBehavior for ActiveModel {}

/// The scopes of a key, stored as names separated by spaces. Unknown names are ignored: a scope of a newer release
/// grants nothing here.
#[derive(Clone, Debug, PartialEq, Eq, DeriveValueType)]
#[sea_orm(value_type = "String", column_type = "Text")]
pub struct Scopes(pub Vec<ApiScope>);

impl Deref for Scopes {
    type Target = [ApiScope];

    fn deref(&self) -> &[ApiScope] {
        &self.0
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> =
            ApiScope::ALL.iter().filter(|scope| self.0.contains(scope)).map(|scope| scope.as_str()).collect();
        f.write_str(&names.join(" "))
    }
}

impl FromStr for Scopes {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.split(' ').filter_map(|name| name.parse().ok()).collect()))
    }
}
