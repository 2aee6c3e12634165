//! `sluice import`: prints the changes that the files of a folder would make, and applies them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use sluice_domain::transfer::{ImportAction, ImportMode};
use sluice_domain::{Definition, versioning};
use sluice_engine::ChangeOrigin;
use sluice_persistence::{Database, Import, ImportRejection, PlannedImport};

use super::{validate, workflow_files as files};
use crate::cli::output::{count, display_path, print_line};
use crate::cli::{DatabaseArgs, with_database};
use crate::error::Result;

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// Folder to import. Its JSON files are exported workflows, bodies of create requests, or workflow definitions.
    folder: PathBuf,
    /// Handling of existing workflows. `update`: updates the workflow with the id in the file, or else the one with its
    /// name. `create`: creates a new workflow from every file.
    #[arg(long, default_value = "update", value_parser = ["create", "update"])]
    mode: String,
    /// Print the plan only (default).
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Apply the plan. Creates the database if it is missing.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    database: DatabaseArgs,
}

/// Imports the workflows in a folder.
pub(super) fn run(args: &ImportArgs) -> Result<ExitCode> {
    // Printing a plan must not create a database.
    if !args.yes && args.database.options().is_new_file() {
        let advice = "set --database-url, or create the database with sluice migrate or --yes";
        return Err(format!("the database file does not exist; {advice}").into());
    }
    let mut paths = files::entries(&args.folder)?;
    paths.retain(|path| files::is_json_file(path));
    let Some(imports) = read(&paths)? else {
        print_line("Nothing was changed.");
        return Ok(ExitCode::FAILURE);
    };
    with_database(&args.database, async |database| import_all(database, args, &paths, imports).await)
}

/// Reads the files. Prints the errors and returns `None` if any file is invalid.
fn read(paths: &[PathBuf]) -> Result<Option<Arc<[Import]>>> {
    let mut is_valid = true;
    for path in paths.iter().filter(|path| files::stem(path).is_none()) {
        let rule = "The name of the file must be UTF-8 without control characters. Rename it.";
        print_line(&format!("error: {}: {rule}", display_path(path)));
        is_valid = false;
    }
    let Some(texts) = is_valid.then(|| validate::read_valid(paths)).flatten() else { return Ok(None) };
    let documents = paths.iter().zip(&texts).map(|(path, text)| files::read_workflow(path, text));
    documents.map(|document| document.map(Import::from)).collect::<Result<_>>().map(Some)
}

async fn import_all(
    database: &Database,
    args: &ImportArgs,
    paths: &[PathBuf],
    imports: Arc<[Import]>,
) -> Result<ExitCode> {
    let mode: ImportMode = args.mode.parse()?;
    let plan = match database.workflow_import_plan(&imports, mode).await? {
        Ok(plan) => plan,
        Err(rejections) => return Ok(print_rejections(&rejections, paths)),
    };
    print_plan(&plan, &imports, paths);
    let changes = plan.iter().filter(|planned| planned.outcome.action != ImportAction::Unchanged).count();
    if changes == 0 {
        print_line("Nothing to do: the database is up to date.");
    } else if !args.yes || args.dry_run {
        print_line("Nothing was changed; run again with --yes.");
    } else {
        let origin = Some(ChangeOrigin::of_command("import"));
        if let Err(rejections) = database.workflow_import(imports, mode, origin).await? {
            return Ok(print_rejections(&rejections, paths));
        }
        print_line(&format!("Done: {} imported.", count(changes, "workflow")));
    }
    Ok(ExitCode::SUCCESS)
}

fn print_rejections(rejections: &BTreeMap<usize, ImportRejection>, paths: &[PathBuf]) -> ExitCode {
    for (index, rejection) in rejections {
        print_line(&format!("error: {}: {rejection}", display_path(&paths[*index])));
    }
    print_line("Nothing was changed.");
    ExitCode::FAILURE
}

/// Prints the plan: the changes, then the totals.
fn print_plan(plan: &[PlannedImport], imports: &[Import], paths: &[PathBuf]) {
    for ((planned, import), path) in plan.iter().zip(imports).zip(paths) {
        let title = format!("{:?} from {}", planned.outcome.name, display_path(path));
        match &planned.before {
            None => print_line(&format!("create  {title}")),
            Some(before) if planned.outcome.action == ImportAction::Update => {
                let version = match planned.outcome.version {
                    version if version == before.version => "no new version".to_owned(),
                    version => format!("version {version} after {}", before.version),
                };
                print_line(&format!("update  {title}: {version}"));
                changes(planned, import).iter().for_each(|line| print_line(&format!("    {line}")));
            }
            Some(_) => {}
        }
    }
    let total = |action| plan.iter().filter(|planned| planned.outcome.action == action).count();
    print_line(&format!(
        "{} to create, {} to update, {} unchanged.",
        total(ImportAction::Create),
        total(ImportAction::Update),
        total(ImportAction::Unchanged)
    ));
}

/// Describes the changes of an update, in lines.
fn changes(planned: &PlannedImport, import: &Import) -> Vec<String> {
    let (Some(before), after) = (&planned.before, &planned.after) else { return Vec::new() };
    let mut lines = Vec::new();
    if before.name != after.name {
        lines.push(format!("~ name: {:?} -> {:?}", before.name, after.name));
    }
    if before.description != after.description {
        lines.push("~ description".to_owned());
    }
    let tags: Vec<String> = serde_json::from_str(&before.tags).unwrap_or_default();
    if let Some(after) = after.tags.as_ref().filter(|after| **after != tags) {
        lines.push(format!("~ tags: {} -> {}", tags.join(", "), after.join(", ")));
    }
    match serde_json::from_str::<Definition>(&before.definition) {
        Ok(before) => {
            let diff = versioning::diff(&before, import.definition(), true).to_text();
            lines.extend(diff.lines().map(str::to_owned));
        }
        Err(_) => lines.push("~ definition".to_owned()),
    }
    lines
}
