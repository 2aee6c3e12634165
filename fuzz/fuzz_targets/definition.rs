//! Everything that a definition from outside goes through: reading, validation, lints, the hash, the plan.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice_domain::run::Plan;
use sluice_domain::transfer::diagnose_json;
use sluice_domain::validation::{MAX_DIAGNOSTICS, Severity, diagnose, validate};
use sluice_domain::{Definition, json_limits, versioning};
use sluice_nodes::NodeKinds;

fuzz_target!(|text: &[u8]| {
    let kinds = NodeKinds::default();
    let found = diagnose_json(text, &kinds);
    assert!(found.len() <= MAX_DIAGNOSTICS + 2);
    if json_limits::check_json(text).is_err() {
        // A document may be a little deeper than what it was saved in.
        assert!(!found.is_empty() || json_limits::check_documents(text).is_ok());
        return;
    }
    let Ok(mut definition) = serde_json::from_slice::<Definition>(text) else { return };
    definition.normalize();
    let errors = validate(&definition, &kinds);
    let all = diagnose(&definition, &kinds);
    let is_error = |severity: Severity| severity == Severity::Error;
    assert!(errors.iter().all(|found| is_error(found.severity())));
    assert_eq!(errors.is_empty(), !all.iter().any(|found| is_error(found.severity())));
    let hash = versioning::definition_hash(&definition);
    let again: Definition = serde_json::from_str(&definition.to_json()).expect("what was written is read");
    assert_eq!(hash, versioning::definition_hash(&again));
    if errors.is_empty() {
        Plan::build(&definition, &kinds).expect("a valid definition has a plan");
    }
});
