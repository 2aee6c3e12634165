//! `sluice import`: says what the files of a folder would change, and changes it when it is told to.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Deserialize;
use serde::de::IgnoredAny;
use sluice_domain::transfer::{self, Form};
use sluice_domain::{Definition, versioning};
use sluice_engine::{AuditEntry, Kept, Remember};
use sluice_persistence::{
    Database, Import, ImportAction, ImportMode, ImportOutcome, ImportRefusal, ImportRefused, Imported,
};

use super::{Failure, counted, files, on_database, say, shown};
use crate::cli::{ImportArgs, ImportModeArg};
use crate::{serve, validate};

/// Prints the plan of an import, and carries it out if that was asked for.
pub(crate) fn import(args: &ImportArgs) -> Result<ExitCode, Failure> {
    // What only makes a plan makes no database.
    if !args.yes && serve::options(&args.database).names_a_new_file() {
        let advice = "name another one with --database-url, or make it with sluice migrate or --yes";
        return Err(format!("there is no such database file; {advice}").into());
    }
    let paths = files::list(&args.folder)
        .map_err(|error| format!("can't read the folder {}: {error}", shown(&args.folder)))?;
    let Some(imports) = read(&paths)? else {
        say("Nothing was changed.");
        return Ok(ExitCode::FAILURE);
    };
    let mode = match args.mode {
        ImportModeArg::Create => ImportMode::Create,
        ImportModeArg::Update => ImportMode::Update,
    };
    on_database(&args.database, async |database| planned(database, args, mode, &paths, imports).await)
}

/// What the files hold; none when something is wrong with one of them, which is told then.
fn read(paths: &[PathBuf]) -> Result<Option<Vec<Import>>, Failure> {
    let misnamed = paths.iter().filter(|path| stem(path).is_none());
    let told = misnamed.map(|path| {
        say(&format!("error: {}: {MISNAMED}", shown(path)));
    });
    if told.count() > 0 {
        return Ok(None);
    }
    let Some(texts) = validate::fit(paths) else { return Ok(None) };
    let mut imports = Vec::with_capacity(paths.len());
    for (path, text) in paths.iter().zip(texts) {
        if lacks_definition(&text) {
            return Err(format!("{}: {NO_WORKFLOW}", shown(path)).into());
        }
        let mut incoming = transfer::read(&text)
            .map_err(|wrong| format!("{} at {:?}: {}", shown(path), wrong.pointer, wrong.message))?;
        // A definition alone goes by the name of its file.
        incoming.name = incoming.name.or_else(|| stem(path).map(str::to_owned));
        if let Some(wrong) = incoming.misfits().first() {
            return Err(format!("{} at {:?}: {}", shown(path), wrong.pointer, wrong.message).into());
        }
        imports.push(incoming.into());
    }
    Ok(Some(imports))
}

/// Whether a file that is no document and no definition has no definition in it either. A request may leave it out; a file
/// that does is one of another program, as package.json.
fn lacks_definition(text: &str) -> bool {
    #[derive(Deserialize)]
    struct Request {
        definition: Option<IgnoredAny>,
    }

    let is_request = transfer::form(text) == Some(Form::Request);
    is_request && serde_json::from_str::<Request>(text).is_ok_and(|request| request.definition.is_none())
}

const NO_WORKFLOW: &str =
    "There is no definition of a workflow in this file. Move it to another folder, or add one.";

const MISNAMED: &str =
    "The name of the file must be readable text (UTF-8) without control characters. Rename it.";

/// What a file calls the workflow in it that has no name; none when that is no name for one.
fn stem(path: &Path) -> Option<&str> {
    let stem = path.file_stem()?.to_str()?;
    (!stem.trim().is_empty() && !stem.contains(char::is_control)).then_some(stem)
}

async fn planned(
    database: &Database,
    args: &ImportArgs,
    mode: ImportMode,
    paths: &[PathBuf],
    imports: Vec<Import>,
) -> Result<ExitCode, Failure> {
    let plan = match database.import_plan(&imports, mode).await? {
        Ok(plan) => plan,
        Err(refused) => return Ok(refusals(&refused, paths)),
    };
    tell(&plan, paths);
    let is_change = plan.iter().any(|one| one.action != ImportAction::Unchanged);
    if !is_change {
        say("Nothing to do: the database says what the files say.");
        return Ok(ExitCode::SUCCESS);
    }
    if !args.yes || args.dry_run {
        say("Nothing was changed; run again with --yes.");
        return Ok(ExitCode::SUCCESS);
    }
    match database.import(imports, mode, Some(Remember::new(audited))).await? {
        Ok(done) => {
            let changed = done.iter().filter(|one| one.action != ImportAction::Unchanged).count();
            say(&format!("Done: {} imported.", counted(changed, "workflow")));
            Ok(ExitCode::SUCCESS)
        }
        Err(refused) => Ok(refusals(&refused, paths)),
    }
}

/// What the audit log says of an import.
fn audited(outcome: &ImportOutcome) -> Kept {
    let changes = outcome.iter().flatten().flat_map(Imported::changes);
    let audit = changes.map(|(subject, id, [before, after])| {
        AuditEntry::of_command("import", (subject, id), (before, after))
    });
    Kept { answer: None, audit: audit.collect() }
}

fn refusals(refused: &[ImportRefused], paths: &[PathBuf]) -> ExitCode {
    for ImportRefused { index, refusal } in refused {
        let why = match refusal {
            ImportRefusal::NameTaken => {
                "Another workflow has this name. Choose another one, or rename that one first."
            }
            ImportRefusal::Twice => {
                "Another file holds this workflow too, by its id or its name. Keep one of them."
            }
        };
        let path = paths.get(*index).map(|path| shown(path)).unwrap_or_default();
        say(&format!("error: {path}: {why}"));
    }
    say("Nothing was changed.");
    ExitCode::FAILURE
}

/// Prints what an import does, one workflow after the other, and how many there are of each sort.
fn tell(plan: &[Imported], paths: &[PathBuf]) {
    let count = |action| plan.iter().filter(|one| one.action == action).count();
    for (one, path) in plan.iter().zip(paths) {
        match one.action {
            ImportAction::Create => say(&format!("create  {}", titled(one, path))),
            ImportAction::Update => update(one, path),
            ImportAction::Unchanged => {}
        }
    }
    say(&format!(
        "{} to create, {} to update, {} unchanged.",
        count(ImportAction::Create),
        count(ImportAction::Update),
        count(ImportAction::Unchanged)
    ));
}

fn titled(one: &Imported, path: &Path) -> String {
    format!("{:?} from {}", one.name, shown(path))
}

fn update(one: &Imported, path: &Path) {
    let Some(before) = &one.before else { return };
    let version = match before.version == one.version {
        true => "no new version".to_owned(),
        false => format!("version {} after {}", one.version, before.version),
    };
    say(&format!("update  {}: {version}", titled(one, path)));
    if before.name != one.name {
        say(&format!("    ~ name: {:?} -> {:?}", before.name, one.name));
    }
    if before.description != one.after.description {
        say("    ~ description");
    }
    let tags: Vec<String> = serde_json::from_str(&before.tags).unwrap_or_default();
    if let Some(after) = one.after.tags.as_ref().filter(|after| **after != tags) {
        say(&format!("    ~ tags: {} -> {}", tags.join(", "), after.join(", ")));
    }
    difference(&before.definition, &one.after.definition.json)
        .lines()
        .for_each(|line| say(&format!("    {line}")));
}

/// What differs between two definitions, as text for people.
fn difference(before: &str, after: &str) -> String {
    let read = |json: &str| serde_json::from_str::<Definition>(json).ok();
    match (read(before), read(after)) {
        (Some(before), Some(after)) => versioning::diff(&before, &after, true).to_text(),
        _ => "~ definition".to_owned(),
    }
}
