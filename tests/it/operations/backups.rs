//! `sluice backup` and `sluice restore`: with a running server, and killed at every step.
//!
//! Needs a binary with the feature `failpoints`, as `make test` builds it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use futures_util::future::join_all;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::app::App;
use crate::support::database::{Backend, Database, files_below};
use crate::support::definitions::*;
use crate::support::json::assert_json;
use crate::support::polling::eventually;
use crate::support::process::{self, CommandOutput};

/// The database and data folder of a server, as arguments of a command.
struct Storage {
    url: String,
    data: PathBuf,
}

impl Storage {
    fn of(database: &Database) -> Self {
        Self { url: database.url.clone(), data: database.data_dir() }
    }

    fn database(&self) -> PathBuf {
        self.url.strip_prefix("sqlite://").expect("an SQLite URL").into()
    }

    fn arguments(&self, command: &str, file: &Path, more: &[&str]) -> Vec<String> {
        let (file, data) = (file.display().to_string(), self.data.display().to_string());
        let arguments = [command, &file, "--database-url", &self.url, "--data-dir", &data, "--log", "error"];
        arguments.iter().chain(more).map(|argument| (*argument).to_owned()).collect()
    }

    fn run(&self, command: &str, file: &Path, more: &[&str]) -> CommandOutput {
        process::run(&self.arguments(command, file, more), &[])
    }

    /// Contents of the files that a restore changes, without its unpacked files and the lock.
    fn contents(&self) -> BTreeMap<String, Vec<u8>> {
        let folder = self.database().parent().expect("a folder").to_owned();
        let mut contents = BTreeMap::new();
        for name in files_below(&folder) {
            let is_ignored = [".incoming", ".lock", "-shm", "-wal"].iter().any(|end| name.ends_with(end));
            if !is_ignored && !name.contains("/.restoring/") {
                contents.insert(name.clone(), std::fs::read(folder.join(name)).expect("a file"));
            }
        }
        contents
    }
}

fn assert_success(output: CommandOutput) -> String {
    assert_eq!(output.code, Some(0), "{output:?}");
    output.stdout
}

/// Checks that a command failed with this message.
fn assert_rejected(output: CommandOutput, code: i32, part: &str) {
    assert_eq!(output.code, Some(code), "{output:?}");
    assert!(output.stderr.contains(part) && !output.stderr.contains("panicked"), "no {part:?}: {output:?}");
}

/// Returns a temporary folder, and the path of a backup in it.
fn backup_file() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("backup.tar");
    (folder, file)
}

async fn upload(app: &App, workflow: &str, name: String, bytes: Vec<u8>) -> Option<String> {
    let part = Part::bytes(bytes).file_name(name);
    let form = Form::new().text("workflow_id", workflow.to_owned()).text("node_id", "input_node");
    let stored = app.upload(form.part("files", part)).await.ok();
    stored["input_node"][0].as_str().map(str::to_owned)
}

/// Changes that the server confirmed to clients.
#[derive(Default)]
struct ConfirmedChanges {
    runs: RefCell<Vec<String>>,
    /// Contents of uploaded files, by path.
    files: RefCell<BTreeMap<String, Vec<u8>>>,
}

/// Runs a client that starts short, long and pausing runs, and uploads files.
async fn client(
    app: &App,
    client_number: usize,
    workflows: &[String],
    confirmed: &ConfirmedChanges,
    is_over: &Cell<bool>,
) {
    for n in 0.. {
        if is_over.get() {
            return;
        }
        let workflow = &workflows[(client_number + n) % workflows.len()];
        let run = app.start_run(workflow, &run_body("hi")).await;
        confirmed.runs.borrow_mut().push(run);
        let bytes = format!("{client_number} {n} ").repeat(1 + 700 * (n % 3)).into_bytes();
        let path = upload(app, workflow, format!("{client_number} {n}.txt"), bytes.clone()).await;
        confirmed.files.borrow_mut().insert(path.expect("a path"), bytes);
    }
}

#[tokio::test]
async fn restore_has_everything_confirmed_before_the_backup() {
    let app = App::start(Backend::Sqlite).await;
    let waiting = workflow("slow", vec![input(), slow("s1"), slow("s2")], chain(&["input_node", "s1", "s2"]));
    let mut workflows = Vec::new();
    for body in [plain("plain"), gated_workflow("gated"), waiting] {
        workflows.push(app.create(&body).await);
    }
    let (confirmed, is_over, count) = (ConfirmedChanges::default(), Cell::new(false), Cell::new((0, 0)));
    let (_folder, file) = backup_file();
    let storage = Storage::of(&app.database);
    let clients =
        join_all((0..4).map(|client_number| client(&app, client_number, &workflows, &confirmed, &is_over)));
    let backup = async {
        let total = || confirmed.runs.borrow().len();
        eventually("some load", async || (total() >= 40).then_some(())).await;
        let before = (confirmed.runs.borrow().clone(), confirmed.files.borrow().clone());
        let arguments = storage.arguments("backup", &file, &[]);
        let output = tokio::task::spawn_blocking(move || process::run(&arguments, &[]))
            .await
            .expect("the backup ends");
        count.set((before.0.len(), total()));
        is_over.set(true);
        (before, assert_success(output))
    };
    let (((runs, files), reported), _) = tokio::join!(backup, clients);
    assert!(reported.contains("3 workflows, "), "{reported}");
    let (before, after) = count.get();
    assert!(after > before, "no run was accepted during the backup: {before}, {after}");
    assert_eq!(app.get("/readyz").await.status, 200);

    let database = Database::new(Backend::Sqlite).await;
    let reported = assert_success(Storage::of(&database).run("restore", &file, &[]));
    assert!(reported.contains("Restored the backup of 2"), "{reported}");
    let restored = App::start_on(database, &[]).await;
    for (path, bytes) in files {
        assert_eq!(std::fs::read(restored.data_dir().join(&path)).ok(), Some(bytes), "{path}");
    }
    assert!(!restored.data_dir().join(".restoring").exists());
    for run in runs {
        let now = eventually(&run, async || {
            let now = restored.read_run(&run).await;
            if now["status"] == "PAUSED" {
                restored.approve(&run).await;
            }
            ["COMPLETED", "FAILED"].iter().any(|end| now["status"] == *end).then_some(now)
        })
        .await;
        assert_eq!(now["status"], "COMPLETED", "{now}");
    }
}

/// A paused run and an uploaded file, which a restore must bring back.
struct Sample {
    run: String,
    path: String,
    size: usize,
}

/// Creates a database with a paused run and a file. `rows` more workflows make it larger, so that a restore can be
/// killed in the middle.
async fn create_sample(name: &str, rows: usize) -> (Database, Sample) {
    let app = App::start(Backend::Sqlite).await;
    let run = app.start_to_pause(&gated_workflow(name)).await;
    let workflow = app.read_run(&run).await["workflow_id"].as_str().expect("an id").to_owned();
    let size = 300_000 + name.len();
    let path = upload(&app, &workflow, format!("{name}.bin"), vec![7; size]).await.expect("a path");
    for n in 0..rows {
        let mut body = plain(&format!("{name} {n}"));
        body["description"] = json!("long ".repeat(10_000));
        app.create(&body).await;
    }
    (app.end().await, Sample { run, path, size })
}

impl Sample {
    /// Checks that the paused run resumes on `database`, and that the file exists.
    async fn check_in(&self, database: Database) -> Database {
        let app = App::start_on(database, &[]).await;
        let file = std::fs::read(app.data_dir().join(&self.path)).expect("the file");
        assert!(file.len() == self.size && file.iter().all(|byte| *byte == 7));
        app.run_until(&self.run, "PAUSED").await;
        app.approve(&self.run).await;
        app.run_until(&self.run, "COMPLETED").await;
        app.end().await
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("the folder");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn killed_backup_leaves_no_file() {
    let (source, sample) = create_sample("w", 40).await;
    let storage = Storage::of(&source);
    let (folder, file) = backup_file();
    for point in ["backup_copied", "backup_written"] {
        let failpoints = format!("{point}=return");
        let output = process::run(&storage.arguments("backup", &file, &[]), &[("FAILPOINTS", &failpoints)]);
        assert_eq!(output.code, None, "the failpoint did not end the process: {output:?}");
        assert!(!file.exists(), "{point}");
    }
    // An earlier backup is kept.
    assert_success(storage.run("backup", &file, &[]));
    assert_eq!(names(folder.path()), ["backup.tar"], "leftovers of the killed backups are removed");
    let before = std::fs::read(&file).expect("the backup");
    let env = [("FAILPOINTS", "backup_written=return")];
    assert_eq!(process::run(&storage.arguments("backup", &file, &["--force"]), &env).code, None);
    assert!(std::fs::read(&file).expect("the backup") == before);

    // SIGKILL at increasing times after the start.
    let arguments = storage.arguments("backup", &file, &[]);
    let mut killed = 0;
    for moment in 0.. {
        std::fs::remove_file(&file).ok();
        let has_ended = process::run_for(&arguments, Duration::from_millis(8 * moment));
        if file.exists() {
            let to = Database::new(Backend::Sqlite).await;
            assert_success(Storage::of(&to).run("restore", &file, &[]));
        }
        if has_ended {
            break;
        }
        killed += 1;
    }
    assert!(killed > 1, "no process was killed");
    assert!(file.exists());
    assert_eq!(names(folder.path()), ["backup.tar"]);
    sample.check_in(restore_to_new_database(&file).await).await;
}

#[tokio::test]
async fn backup_works_after_a_crash() {
    let mut app = App::start(Backend::Sqlite).await;
    let run = app.start_to_pause(&gated_workflow("g")).await;
    app.kill9().await;
    let storage = Storage::of(&app.database);
    let wal = std::fs::metadata(storage.database().with_extension("db-wal")).expect("a write-ahead log");
    assert!(wal.len() > 0, "the changes must still be in the write-ahead log");
    let (folder, file) = backup_file();
    // The folder of a backup in progress, and one of a killed backup.
    let (live, dead) = (folder.path().join(".sluice-backup-live"), folder.path().join(".sluice-backup-dead"));
    for unfinished in [&live, &dead] {
        std::fs::create_dir(unfinished).expect("a folder");
        std::fs::write(unfinished.join("archive"), "half").expect("a file");
    }
    let lock = std::fs::File::open(&live).expect("a folder");
    lock.try_lock().expect("the lock");
    assert_success(storage.run("backup", &file, &[]));
    assert_eq!(names(folder.path()), [".sluice-backup-live", "backup.tar"]);
    let restored = App::start_on(restore_to_new_database(&file).await, &[]).await;
    restored.run_until(&run, "PAUSED").await;
    app.start_server().await;
    app.run_until(&run, "PAUSED").await;
}

/// Restores a backup into a new database.
async fn restore_to_new_database(file: &Path) -> Database {
    let database = Database::new(Backend::Sqlite).await;
    assert_success(Storage::of(&database).run("restore", file, &[]));
    database
}

/// Checks that a server rejects an incomplete restore at startup.
fn assert_does_not_start(storage: &Storage) {
    let data = storage.data.display().to_string();
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--database-url", &storage.url, "--data-dir", &data];
    assert_rejected(process::run(&arguments, &[]), 1, "Run sluice restore again");
}

#[tokio::test]
async fn restore_that_crashes_can_be_repeated() {
    let (source, sample) = create_sample("new", 3).await;
    let (_folder, file) = backup_file();
    assert_success(Storage::of(&source).run("backup", &file, &[]));
    for point in ["restore_unpacked", "restore_committed", "restore_files"] {
        for has_old_data in [false, true] {
            let (mut database, old) = if has_old_data {
                let (database, old) = create_sample("old", 0).await;
                (database, Some(old))
            } else {
                (Database::new(Backend::Sqlite).await, None)
            };
            let storage = Storage::of(&database);
            let before = storage.contents();
            let force: &[&str] = if has_old_data { &["--force"] } else { &[] };
            let failpoints = format!("{point}=return");
            let output =
                process::run(&storage.arguments("restore", &file, force), &[("FAILPOINTS", &failpoints)]);
            assert_eq!(output.code, None, "the failpoint did not end the process: {output:?}");
            if point == "restore_unpacked" {
                assert!(storage.contents() == before, "{point}: something was changed");
                if let Some(old) = &old {
                    database = old.check_in(database).await;
                }
                assert_success(storage.run("restore", &file, force));
            } else {
                assert_does_not_start(&storage);
                assert_success(storage.run("restore", &file, &[]));
            }
            database = sample.check_in(database).await;
            assert!(names(&storage.data).iter().all(|name| name != ".restoring"));
            if let Some(old) = &old {
                assert!(!storage.data.join(&old.path).exists(), "a file of the replaced data");
            }
            drop(database);
        }
    }
}

#[tokio::test]
async fn killed_restore_is_all_or_nothing() {
    let (source, sample) = create_sample("w", 20).await;
    let (_folder, file) = backup_file();
    assert_success(Storage::of(&source).run("backup", &file, &[]));
    let (mut killed, mut database) = (0, Database::new(Backend::Sqlite).await);
    for moment in 0.. {
        let storage = Storage::of(&database);
        let has_ended =
            process::run_for(&storage.arguments("restore", &file, &[]), Duration::from_millis(8 * moment));
        if storage.contents().is_empty() {
            // Unchanged.
        } else if storage.database().with_extension("db.replacement").exists() {
            assert_does_not_start(&storage);
        } else {
            let _database = sample.check_in(database).await;
            assert_rejected(storage.run("restore", &file, &[]), 1, "--force");
            database = Database::new(Backend::Sqlite).await;
        }
        if has_ended {
            break;
        }
        killed += 1;
    }
    drop(database);
    assert!(killed > 1, "no process was killed");
}

#[tokio::test]
async fn restore_overwrites_only_with_force() {
    let (source, sample) = create_sample("w", 0).await;
    let storage = Storage::of(&source);
    let (folder, file) = backup_file();
    assert_success(storage.run("backup", &file, &[]));
    let before = std::fs::read(&file).expect("the backup");
    assert_rejected(storage.run("backup", &file, &[]), 1, "already exists");
    assert!(std::fs::read(&file).expect("the backup") == before);
    assert_success(storage.run("backup", &file, &["--force"]));

    // Even with --force, a backup doesn't replace the files of the server.
    let database = storage.database();
    let before = std::fs::read(&database).expect("the database");
    for end in ["", "-wal", ".lock"] {
        let mut server_file = database.clone().into_os_string();
        server_file.push(end);
        assert_rejected(
            storage.run("backup", Path::new(&server_file), &["--force"]),
            1,
            "belongs to the server",
        );
    }
    let link = folder.path().join("link.db");
    std::os::unix::fs::symlink(&database, &link).expect("a link");
    assert_rejected(storage.run("backup", &link, &["--force"]), 1, "belongs to the server");
    std::fs::remove_file(&link).expect("the link");
    assert!(std::fs::read(&database).expect("the database") == before);
    let elsewhere = Storage { url: storage.url.clone(), data: folder.path().join("none") };
    assert_rejected(elsewhere.run("backup", &folder.path().join("b.tar"), &[]), 1, "--data-dir");

    // A target with a database, and one with files only.
    let before = storage.contents();
    assert_rejected(storage.run("restore", &file, &[]), 1, "a database already exists at");
    let files_only = Storage {
        url: format!("sqlite://{}", folder.path().join("new.db").display()),
        data: storage.data.clone(),
    };
    assert_rejected(files_only.run("restore", &file, &[]), 1, "already contains files");
    assert!(storage.contents() == before);

    // A target with a running server, even with --force, and after the server has ended.
    let mut app = App::start_on(restore_to_new_database(&file).await, &[]).await;
    let busy = Storage::of(&app.database);
    assert_rejected(busy.run("restore", &file, &["--force"]), 1, "Another sluice owns the database");
    let extra = app.start_to_pause(&gated_workflow("extra")).await;
    let workflow = app.read_run(&extra).await["workflow_id"].as_str().expect("an id").to_owned();
    let path = upload(&app, &workflow, "extra.txt".to_owned(), vec![1]).await.expect("a path");
    app.kill9().await;
    assert_success(busy.run("restore", &file, &["--force"]));
    assert!(!app.data_dir().join(path).exists(), "files of the replaced data are deleted");
    app.start_server().await;
    app.get(&format!("/run/{extra}/")).await.problem(404);
    app.run_until(&sample.run, "PAUSED").await;

    let missing =
        Storage { url: format!("sqlite://{}", folder.path().join("no.db").display()), data: storage.data };
    assert_rejected(missing.run("backup", &folder.path().join("x.tar"), &[]), 1, "no database file at");
    assert_eq!(names(folder.path()), ["backup.tar", "new.db.lock"]);
}

#[tokio::test]
async fn rejects_a_damaged_backup() {
    let (source, sample) = create_sample("w", 2).await;
    let (folder, file) = backup_file();
    assert_success(Storage::of(&source).run("backup", &file, &[]));
    let backup = std::fs::read(&file).expect("the backup");
    let invalid_file = folder.path().join("bad.tar");
    let database = Database::new(Backend::Sqlite).await;
    let storage = Storage::of(&database);
    let restore_bytes = |bytes: &[u8]| {
        std::fs::write(&invalid_file, bytes).expect("a file");
        let output = storage.run("restore", &invalid_file, &[]);
        assert!(!output.stderr.contains("panicked"), "{output:?}");
        if output.code == Some(1) {
            assert!(output.stderr.contains("nothing was changed"), "{output:?}");
            assert!(storage.contents().is_empty(), "{output:?}");
        }
        output
    };
    // Truncated before the end of its last entry. Two empty blocks and padding follow it.
    let end = backup.iter().rposition(|byte| *byte != 0).expect("the checksums");
    for step in 0..24 {
        assert_rejected(restore_bytes(&backup[..end * step / 24]), 1, "");
    }
    assert_rejected(restore_bytes(&backup[..end]), 1, "");
    // One bit flipped. Some bits of a tar archive have no meaning.
    let mut rejections = 0;
    for step in 0..48 {
        let mut bytes = backup.clone();
        bytes[end * step / 48] ^= 4;
        if restore_bytes(&bytes).code == Some(1) {
            rejections += 1;
        } else {
            assert_success(storage.run("restore", &file, &["--force"]));
            std::fs::remove_file(storage.database()).expect("the database");
            std::fs::remove_dir_all(&storage.data).expect("the data folder");
        }
    }
    assert!(rejections > 40, "{rejections} of 48 damaged backups were rejected");
    // A file that is not an archive, an empty file, and an archive with an extra file.
    assert_rejected(restore_bytes(b"this is not an archive"), 1, "is not a backup of sluice");
    assert_rejected(restore_bytes(&[]), 1, "");
    std::fs::write(folder.path().join("evil"), "evil").expect("a file");
    std::fs::write(&invalid_file, &backup).expect("a file");
    let appended = Command::new("tar")
        .args(["--append", "--file", "bad.tar", "--transform", "s,^,files/test_files/../../../../,", "evil"])
        .current_dir(folder.path())
        .output()
        .expect("tar runs");
    assert!(appended.status.success(), "{appended:?}");
    assert_rejected(storage.run("restore", &invalid_file, &[]), 1, "is not a backup of sluice");
    assert!(storage.contents().is_empty());
    assert_success(storage.run("restore", &file, &[]));
    sample.check_in(database).await;
}

#[tokio::test]
async fn backup_is_readable_with_common_tools() {
    let (source, sample) = create_sample("w", 1).await;
    let (folder, file) = backup_file();
    assert_success(Storage::of(&source).run("backup", &file, &[]));
    let shell = "umask 022; tar -xf backup.tar && sha256sum --strict -c SHA256SUMS && stat -c %a backup.tar";
    let output = Command::new("sh").args(["-c", shell]).current_dir(folder.path()).output().expect("a shell");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{output:?}");
    for part in ["manifest.json: OK", "database.sqlite: OK", &format!("files/{}: OK", sample.path), "\n600\n"]
    {
        assert!(text.contains(part), "no {part} in {text}");
    }
    let manifest = std::fs::read_to_string(folder.path().join("manifest.json")).expect("the manifest");
    let manifest: Value = serde_json::from_str(&manifest).expect("JSON");
    assert_json!(manifest, {"format": "sluice/backup", "format_version": 1});
    assert_eq!(manifest["workflows"], 2);
    assert!(manifest["schema"].as_str().is_some_and(|step| step.starts_with('m')), "{manifest}");
}

#[tokio::test]
async fn rejects_a_backup_of_a_newer_release() {
    let (source, sample) = create_sample("w", 0).await;
    let storage = Storage::of(&source);
    let (folder, file) = backup_file();
    assert_success(storage.run("backup", &file, &[]));
    let sh = |shell: &str| {
        let output =
            Command::new("sh").args(["-ec", shell]).current_dir(folder.path()).output().expect("a shell");
        assert!(output.status.success(), "{output:?}");
    };
    // Repacked by other tools: once unchanged, once with an unknown migration.
    sh("tar -xf backup.tar; cut -c 67- SHA256SUMS > names");
    let pack = "cat names | xargs -d '\n' sha256sum > SHA256SUMS
        tar -cf again.tar manifest.json database.sqlite $(grep ^files/ names) SHA256SUMS";
    sh(pack);
    let repacked = folder.path().join("again.tar");
    let database = restore_to_new_database(&repacked).await;
    let unpacked = format!("sqlite://{}", folder.path().join("database.sqlite").display());
    let insert_migration =
        "INSERT INTO applied_migrations (version, applied_at) VALUES ('m99999999_000001_later', 0)";
    Database::at(Backend::Sqlite, unpacked).execute(insert_migration).await;
    sh(pack);
    let newer_database = Database::new(Backend::Sqlite).await;
    assert_rejected(Storage::of(&newer_database).run("restore", &repacked, &[]), 1, "which is newer");
    let target = Storage::of(&newer_database);
    let remaining = files_below(target.database().parent().expect("a folder"));
    assert_eq!(remaining, ["sluice.db.lock"], "the restore leaves no other file");
    source.execute(insert_migration).await;
    assert_rejected(storage.run("backup", &folder.path().join("x.tar"), &[]), 1, "newer sluice");
    sample.check_in(database).await;
}

#[tokio::test]
async fn backup_rejects_postgres_databases() {
    let (folder, file) = backup_file();
    let url = "postgres://user:secret@127.0.0.1:1/x".to_owned();
    let storage = Storage { url, data: folder.path().to_owned() };
    for (command, tool) in [("backup", "pg_dump"), ("restore", "pg_restore")] {
        let output = storage.run(command, &file, &[]);
        assert!(!output.text().contains("secret"));
        assert_rejected(output, 2, tool);
    }
    assert!(names(folder.path()).is_empty());
}
