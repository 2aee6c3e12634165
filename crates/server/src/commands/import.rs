//! `sluice import`: prints the changes that the files of a folder would make, and applies them.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde::Deserialize;
use serde::de::IgnoredAny;
use sluice_domain::transfer::{self, Form};
use sluice_domain::{Definition, versioning};
use sluice_engine::ChangeOrigin;
use sluice_persistence::{
    Database, Import, ImportAction, ImportMode, ImportRefusal, ImportRefused, Imported,
};

use super::{validate, workflow_files as files};
use crate::cli::output::{count, display_path, print_line};
use crate::cli::{DatabaseArgs, with_database};
use crate::error::Result;

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// Folder to import. Its JSON files are exported workflows, bodies of create requests, or workflow definitions.
    folder: PathBuf,
    /// Handling of workflows that are already in the database.
    #[arg(long, value_enum, default_value_t = Mode::Update)]
    mode: Mode,
    /// Print the plan only (default).
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Apply the plan. Creates the database if it is missing.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    database: DatabaseArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Mode {
    /// Create a new workflow from every file.
    Create,
    /// Update the workflow with the id in the file, or else the one with its name.
    Update,
}

/// Imports the workflows in a folder.
pub(super) fn run(args: &ImportArgs) -> Result<ExitCode> {
    // Printing a plan must not create a database.
    if !args.yes && args.database.options().is_new_file() {
        let advice = "set --database-url, or create the database with sluice migrate or --yes";
        return Err(format!("the database file does not exist; {advice}").into());
    }
    let paths = files::list(&args.folder)
        .map_err(|error| format!("can't read the folder {}: {error}", display_path(&args.folder)))?;
    let Some(imports) = read(&paths)? else {
        print_line("Nothing was changed.");
        return Ok(ExitCode::FAILURE);
    };
    let mode = match args.mode {
        Mode::Create => ImportMode::Create,
        Mode::Update => ImportMode::Update,
    };
    with_database(&args.database, async |database| import_all(database, args, mode, &paths, imports).await)
}

/// Reads the files. Prints the errors and returns `None` if any file is invalid.
fn read(paths: &[PathBuf]) -> Result<Option<Vec<Import>>> {
    let misnamed: Vec<_> = paths.iter().filter(|path| stem(path).is_none()).collect();
    for path in &misnamed {
        print_line(&format!("error: {}: {INVALID_NAME}", display_path(path)));
    }
    if !misnamed.is_empty() {
        return Ok(None);
    }
    let Some(texts) = validate::read_valid(paths) else { return Ok(None) };
    let mut imports = Vec::with_capacity(paths.len());
    for (path, text) in paths.iter().zip(texts) {
        if lacks_definition(&text) {
            return Err(format!("{}: {NO_WORKFLOW}", display_path(path)).into());
        }
        let mut incoming = transfer::read(&text)
            .map_err(|wrong| format!("{} at {:?}: {}", display_path(path), wrong.pointer, wrong.message))?;
        // A workflow without a name gets the name of its file.
        incoming.name = incoming.name.or_else(|| stem(path).map(str::to_owned));
        if let Some(wrong) = incoming.misfits().first() {
            return Err(format!("{} at {:?}: {}", display_path(path), wrong.pointer, wrong.message).into());
        }
        imports.push(incoming.into());
    }
    Ok(Some(imports))
}

/// True for the body of a create request without a definition. The API accepts that, but such a file is probably not a
/// workflow, for example package.json.
fn lacks_definition(text: &str) -> bool {
    #[derive(Deserialize)]
    struct Request {
        definition: Option<IgnoredAny>,
    }

    let is_request = transfer::form(text) == Some(Form::Request);
    is_request && serde_json::from_str::<Request>(text).is_ok_and(|request| request.definition.is_none())
}

const NO_WORKFLOW: &str =
    "The file does not contain a workflow definition. Add one, or move the file to another folder.";

const INVALID_NAME: &str = "The name of the file must be UTF-8 without control characters. Rename it.";

/// Returns the file name without its extension, or `None` if it can't be the name of a workflow.
fn stem(path: &Path) -> Option<&str> {
    let stem = path.file_stem()?.to_str()?;
    (!stem.trim().is_empty() && !stem.contains(char::is_control)).then_some(stem)
}

async fn import_all(
    database: &Database,
    args: &ImportArgs,
    mode: ImportMode,
    paths: &[PathBuf],
    imports: Vec<Import>,
) -> Result<ExitCode> {
    let plan = match database.workflow_import_plan(&imports, mode).await? {
        Ok(plan) => plan,
        Err(refused) => return Ok(print_rejections(&refused, paths)),
    };
    print_plan(&plan, paths);
    let is_change = plan.iter().any(|one| one.action != ImportAction::Unchanged);
    if !is_change {
        print_line("Nothing to do: the database is up to date.");
        return Ok(ExitCode::SUCCESS);
    }
    if !args.yes || args.dry_run {
        print_line("Nothing was changed; run again with --yes.");
        return Ok(ExitCode::SUCCESS);
    }
    match database.workflow_import(imports, mode, Some(ChangeOrigin::of_command("import"))).await? {
        Ok(done) => {
            let changed = done.iter().filter(|one| one.action != ImportAction::Unchanged).count();
            print_line(&format!("Done: {} imported.", count(changed, "workflow")));
            Ok(ExitCode::SUCCESS)
        }
        Err(refused) => Ok(print_rejections(&refused, paths)),
    }
}

fn print_rejections(refused: &[ImportRefused], paths: &[PathBuf]) -> ExitCode {
    for ImportRefused { index, refusal } in refused {
        let why = match refusal {
            ImportRefusal::NameTaken => {
                "Another workflow has this name. Use another name, or rename that workflow first."
            }
            ImportRefusal::Twice => {
                "Another file has the same workflow, by id or by name. Delete one of them."
            }
        };
        let path = paths.get(*index).map(|path| display_path(path)).unwrap_or_default();
        print_line(&format!("error: {path}: {why}"));
    }
    print_line("Nothing was changed.");
    ExitCode::FAILURE
}

/// Prints the plan: a line per change, then the totals.
fn print_plan(plan: &[Imported], paths: &[PathBuf]) {
    let total = |action| plan.iter().filter(|one| one.action == action).count();
    for (one, path) in plan.iter().zip(paths) {
        match one.action {
            ImportAction::Create => print_line(&format!("create  {}", title(one, path))),
            ImportAction::Update => print_update(one, path),
            ImportAction::Unchanged => {}
        }
    }
    print_line(&format!(
        "{} to create, {} to update, {} unchanged.",
        total(ImportAction::Create),
        total(ImportAction::Update),
        total(ImportAction::Unchanged)
    ));
}

fn title(one: &Imported, path: &Path) -> String {
    format!("{:?} from {}", one.name, display_path(path))
}

fn print_update(one: &Imported, path: &Path) {
    let Some(before) = &one.before else { return };
    let version = match before.version == one.version {
        true => "no new version".to_owned(),
        false => format!("version {} after {}", one.version, before.version),
    };
    print_line(&format!("update  {}: {version}", title(one, path)));
    if before.name != one.name {
        print_line(&format!("    ~ name: {:?} -> {:?}", before.name, one.name));
    }
    if before.description != one.after.description {
        print_line("    ~ description");
    }
    let tags: Vec<String> = serde_json::from_str(&before.tags).unwrap_or_default();
    if let Some(after) = one.after.tags.as_ref().filter(|after| **after != tags) {
        print_line(&format!("    ~ tags: {} -> {}", tags.join(", "), after.join(", ")));
    }
    format_diff(&before.definition, &one.after.definition.json)
        .lines()
        .for_each(|line| print_line(&format!("    {line}")));
}

/// The difference between two definitions, as text.
fn format_diff(before: &str, after: &str) -> String {
    let read = |json: &str| serde_json::from_str::<Definition>(json).ok();
    match (read(before), read(after)) {
        (Some(before), Some(after)) => versioning::diff(&before, &after, true).to_text(),
        _ => "~ definition".to_owned(),
    }
}
