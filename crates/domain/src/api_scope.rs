//! Scopes of API keys.

use strum::VariantArray as _;

/// A group of API calls that a key can be granted. Names keep their meaning across releases.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[strum(parse_err_fn = UnknownApiScope::new, parse_err_ty = UnknownApiScope)]
pub enum ApiScope {
    /// Read workflows, their versions and labels, and the catalog of node types; validate definitions.
    #[strum(serialize = "workflows:read")]
    WorkflowsRead,
    /// Create, change and delete workflows; move labels.
    #[strum(serialize = "workflows:write")]
    WorkflowsWrite,
    /// Read runs, batches, datasets and result files.
    #[strum(serialize = "runs:read")]
    RunsRead,
    /// Start, rerun and cancel runs; upload their input files.
    #[strum(serialize = "runs:write")]
    RunsWrite,
    /// Read pauses.
    #[strum(serialize = "approvals:read")]
    ApprovalsRead,
    /// Decide pauses.
    #[strum(serialize = "approvals:write")]
    ApprovalsWrite,
    /// Every call, including the audit log.
    #[strum(serialize = "admin")]
    Admin,
}

impl ApiScope {
    /// Every scope, in documentation order.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// Returns the name in commands, the database and the OpenAPI document.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Returns true if a key with this scope alone may make a call that requires `required`. Write scopes don't include
    /// read scopes: only [`ApiScope::Admin`] grants other scopes.
    #[must_use]
    pub fn grants(self, required: Self) -> bool {
        self == required || self == Self::Admin
    }
}

/// Error: no scope has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown scope {name:?}; use one of: {}", scope_names())]
pub struct UnknownApiScope {
    /// The name that was given.
    pub name: String,
}

impl UnknownApiScope {
    fn new(name: &str) -> Self {
        Self { name: name.to_owned() }
    }
}

fn scope_names() -> String {
    let names: Vec<&str> = ApiScope::ALL.iter().map(|scope| scope.as_str()).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_grant_themselves_and_admin_grants_all() {
        for scope in ApiScope::ALL {
            for other in ApiScope::ALL {
                assert_eq!(
                    scope.grants(*other),
                    scope == other || *scope == ApiScope::Admin,
                    "{scope} {other}"
                );
            }
            assert_eq!(scope.as_str().parse(), Ok(*scope));
        }
    }

    #[test]
    fn rejects_unknown_names_and_lists_the_known_ones() {
        let error = "runs:all".parse::<ApiScope>().unwrap_err().to_string();
        assert!(error.contains("\"runs:all\"") && error.contains("runs:write"), "{error}");
    }
}
