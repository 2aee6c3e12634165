//! Audit entries of changes.

use std::sync::Arc;

use axum::http::Extensions;
use sluice_domain::pause::PauseAction;
use sluice_engine::{AuditEntry, Snapshot};
use sluice_persistence::{ImportOutcome, Imported, LabelChange, LabelRow, SavedWorkflow};
use uuid::Uuid;

use crate::auth::caller::Caller;
use crate::change::request_id::RequestId;
use crate::operations::Operation;

/// A change, without its author.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Changed {
    subject: &'static str,
    subject_id: String,
    before: Option<String>,
    after: Option<String>,
}

impl Changed {
    /// Something new, or something whose state says nothing.
    pub(crate) fn made(subject: &'static str, id: impl ToString) -> Self {
        Self { subject, subject_id: id.to_string(), before: None, after: None }
    }
}

/// Author and identity of a request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origin {
    caller: Caller,
    operation: Option<Arc<Operation>>,
    request: RequestId,
}

impl Origin {
    pub(crate) fn of(extensions: &Extensions) -> Self {
        Self {
            caller: extensions.get().cloned().unwrap_or_default(),
            operation: extensions.get().cloned(),
            request: extensions.get().cloned().unwrap_or_default(),
        }
    }

    /// True if the request has an API key.
    pub(crate) fn is_known(&self) -> bool {
        self.caller.name().is_some()
    }

    /// The entries of a change.
    pub(crate) fn entries(&self, changes: Vec<Changed>) -> Vec<AuditEntry> {
        let entry = |Changed { subject, subject_id, before, after }| AuditEntry {
            actor: self.caller.name().map(str::to_owned),
            operation: self.operation.as_ref().map_or_else(String::new, |operation| operation.id.clone()),
            request_id: self.request.as_str().to_owned(),
            subject,
            subject_id,
            before,
            after,
        };
        changes.into_iter().map(entry).collect()
    }
}

/// A workflow that was saved, with the hashes of its definition, and the label that was moved with it; nothing when saving
/// changed nothing.
pub(crate) fn workflow(saved: &SavedWorkflow) -> Vec<Changed> {
    let SavedWorkflow { row, changed, before, after, label: moved } = saved;
    let (before, after) = (before.clone(), after.clone());
    let change = Changed { subject: "workflow", subject_id: row.id.to_string(), before, after };
    let labels = moved.as_ref().and_then(|moved| label_of(row.id, moved));
    changed.then_some(change).into_iter().chain(labels).collect()
}

/// A workflow that was deleted.
pub(crate) fn deleted(id: Uuid) -> impl Fn(&Option<String>) -> Vec<Changed> {
    move |before| vec![Changed { before: before.clone(), ..Changed::made("workflow", id) }]
}

/// The workflows of an import, and the labels that came with them.
pub(crate) fn imported(outcome: &ImportOutcome) -> Vec<Changed> {
    let changes = outcome.iter().flatten().flat_map(Imported::changes);
    changes
        .map(|(subject, subject_id, [before, after])| Changed { subject, subject_id, before, after })
        .collect()
}

/// A label that was moved, protected or freed, with the versions for which it stood and stands.
pub(crate) fn label(workflow_id: Uuid) -> impl Fn(&LabelChange) -> Vec<Changed> {
    move |moved| label_of(workflow_id, moved).into_iter().collect()
}

fn label_of(workflow_id: Uuid, LabelChange { label, before }: &LabelChange) -> Option<Changed> {
    let (before, after) = (before.as_ref().map(LabelRow::audit_text), Some(label.audit_text()));
    let id = format!("{workflow_id}/{}", label.name);
    (before != after).then(|| Changed { before, after, ..Changed::made("label", id) })
}

/// A label that was deleted.
pub(crate) fn unlabeled(workflow_id: Uuid) -> impl Fn(&LabelRow) -> Vec<Changed> {
    move |label| {
        let id = format!("{workflow_id}/{}", label.name);
        vec![Changed { before: Some(label.audit_text()), ..Changed::made("label", id) }]
    }
}

/// A run, with the status that it had, unless it is new, and the one that the change gave it.
pub(crate) fn run(snapshot: &Snapshot) -> Vec<Changed> {
    let before = snapshot.applied.as_ref().map(|applied| applied.status_before.as_str().to_owned());
    let after = Some(snapshot.record.status.as_str().to_owned());
    vec![Changed { before, after, ..Changed::made("run", snapshot.record.id) }]
}

/// A run canceled by the deletion of its workflow. Rows have no entry of their own: their batch cancels them.
pub(crate) fn run_called_off(snapshot: &Snapshot) -> Vec<Changed> {
    if snapshot.record.batch_row.is_some() { Vec::new() } else { run(snapshot) }
}

/// A pause that a person decided, with the decision and whose it is.
pub(crate) fn pause_decision(pause_id: &str, action: PauseAction, person: &str) -> Changed {
    let after = Some(format!("{} by {person}", action.as_str()));
    Changed { before: Some("open".to_owned()), after, ..Changed::made("pause", pause_id) }
}
