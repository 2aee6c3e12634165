//! What a caller may do: the scopes that a key opens calls with.

use std::fmt;
use std::str::FromStr;

macro_rules! scopes {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal,)*) => {
        /// A part of the interface that a key may be given. A name keeps its meaning for ever.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Scope {
            $($(#[doc = $doc])* $variant,)*
        }

        impl Scope {
            /// All of them, in the order in which they are told.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Its name, as it is written in a command, in the store and in the OpenAPI document.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

scopes! {
    /// Read workflows, their versions and labels, and the catalog of node types; check definitions.
    WorkflowsRead = "workflows:read",
    /// Create, change and delete workflows; move labels.
    WorkflowsWrite = "workflows:write",
    /// Read runs, batches, datasets and files of results.
    RunsRead = "runs:read",
    /// Start, repeat and cancel runs; upload what they read.
    RunsWrite = "runs:write",
    /// Read pauses.
    ApprovalsRead = "approvals:read",
    /// Decide on pauses.
    ApprovalsWrite = "approvals:write",
    /// Everything, and the audit log.
    Admin = "admin",
}

impl Scope {
    /// Whether a key with this scope alone may make a call that asks for `wanted`. Writing is not reading: only
    /// [`Scope::Admin`] opens what is not its own.
    #[must_use]
    pub fn opens(self, wanted: Self) -> bool {
        self == wanted || self == Self::Admin
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that no scope has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no scope {0:?}; there are {known}", known = names())]
pub struct UnknownScope(pub String);

fn names() -> String {
    let names: Vec<&str> = Scope::ALL.iter().map(|scope| scope.name()).collect();
    names.join(", ")
}

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(name: &str) -> Result<Self, UnknownScope> {
        let found = Self::ALL.iter().find(|scope| scope.name() == name);
        found.copied().ok_or_else(|| UnknownScope(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_opens_itself_and_admin_opens_all() {
        for one in Scope::ALL {
            for other in Scope::ALL {
                assert_eq!(one.opens(*other), one == other || *one == Scope::Admin, "{one} {other}");
            }
            assert_eq!(one.name().parse(), Ok(*one));
        }
    }

    #[test]
    fn an_unknown_name_is_refused_with_those_there_are() {
        let error = "runs:all".parse::<Scope>().unwrap_err().to_string();
        assert!(error.contains("\"runs:all\"") && error.contains("runs:write"), "{error}");
    }
}
