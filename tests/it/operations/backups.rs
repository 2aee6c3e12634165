//! `sluice backup` and `sluice restore`: beside a running server, and killed at every step.
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
struct Place {
    url: String,
    data: PathBuf,
}

impl Place {
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
        let mut found = BTreeMap::new();
        for name in files_below(&folder) {
            let is_noise = [".incoming", ".lock", "-shm", "-wal"].iter().any(|end| name.ends_with(end));
            if !is_noise && !name.contains("/.restoring/") {
                found.insert(name.clone(), std::fs::read(folder.join(name)).expect("a file"));
            }
        }
        found
    }
}

fn done(ended: CommandOutput) -> String {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended.stdout
}

/// Checks that a command failed with this message.
fn rejected(ended: CommandOutput, code: i32, part: &str) {
    assert_eq!(ended.code, Some(code), "{ended:?}");
    assert!(ended.stderr.contains(part) && !ended.stderr.contains("panicked"), "no {part:?}: {ended:?}");
}

fn folder() -> (TempDir, PathBuf) {
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

/// Responses that clients got.
#[derive(Default)]
struct Answered {
    runs: RefCell<Vec<String>>,
    /// Contents of uploaded files, by path.
    files: RefCell<BTreeMap<String, Vec<u8>>>,
}

/// A client that starts short, long and pausing runs, and uploads files.
async fn client(app: &App, me: usize, workflows: &[String], answered: &Answered, over: &Cell<bool>) {
    for n in 0.. {
        if over.get() {
            return;
        }
        let workflow = &workflows[(me + n) % workflows.len()];
        let run = app.start_run(workflow, &run_body("hi")).await;
        answered.runs.borrow_mut().push(run);
        let bytes = format!("{me} {n} ").repeat(1 + 700 * (n % 3)).into_bytes();
        let path = upload(app, workflow, format!("{me} {n}.txt"), bytes.clone()).await;
        answered.files.borrow_mut().insert(path.expect("a path"), bytes);
    }
}

#[tokio::test]
async fn restore_has_everything_confirmed_before_the_backup() {
    let app = App::start(Backend::Sqlite).await;
    let waiting = workflow("slow", vec![input(), slow("s1"), slow("s2")], chain(&["input_node", "s1", "s2"]));
    let mut workflows = Vec::new();
    for body in [plain("plain"), gated("gated"), waiting] {
        workflows.push(app.create(&body).await);
    }
    let (answered, over, count) = (Answered::default(), Cell::new(false), Cell::new((0, 0)));
    let (_folder, file) = folder();
    let place = Place::of(&app.database);
    let clients = join_all((0..4).map(|me| client(&app, me, &workflows, &answered, &over)));
    let backup = async {
        let total = || answered.runs.borrow().len();
        eventually("some load", async || (total() >= 40).then_some(())).await;
        let before = (answered.runs.borrow().clone(), answered.files.borrow().clone());
        let arguments = place.arguments("backup", &file, &[]);
        let ended =
            tokio::task::spawn_blocking(move || process::run(&arguments, &[])).await.expect("it ends");
        count.set((before.0.len(), total()));
        over.set(true);
        (before, done(ended))
    };
    let (((runs, files), reported), _) = tokio::join!(backup, clients);
    assert!(reported.contains("3 workflows, "), "{reported}");
    let (before, after) = count.get();
    assert!(after > before, "the server took nothing while it was backed up: {before}, {after}");
    assert_eq!(app.get("/readyz").await.status, 200);

    let database = Database::new(Backend::Sqlite).await;
    let reported = done(Place::of(&database).run("restore", &file, &[]));
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

/// A paused run and a file that a restore must bring back.
struct Treasure {
    run: String,
    path: String,
    size: usize,
}

/// Creates a database with a paused run and a file. `rows` more workflows make it larger, so that a restore can be
/// killed in the middle.
async fn ended(name: &str, rows: usize) -> (Database, Treasure) {
    let app = App::start(Backend::Sqlite).await;
    let run = app.start_to_pause(&gated(name)).await;
    let workflow = app.read_run(&run).await["workflow_id"].as_str().expect("an id").to_owned();
    let size = 300_000 + name.len();
    let path = upload(&app, &workflow, format!("{name}.bin"), vec![7; size]).await.expect("a path");
    for n in 0..rows {
        let mut body = plain(&format!("{name} {n}"));
        body["description"] = json!("long ".repeat(10_000));
        app.create(&body).await;
    }
    (app.end().await, Treasure { run, path, size })
}

impl Treasure {
    /// Checks that the paused run resumes on `database`, and that the file exists.
    async fn is_at(&self, database: Database) -> Database {
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
    let (source, treasure) = ended("w", 40).await;
    let place = Place::of(&source);
    let (folder, file) = folder();
    for point in ["backup_copied", "backup_written"] {
        let failpoints = format!("{point}=return");
        let ended = process::run(&place.arguments("backup", &file, &[]), &[("FAILPOINTS", &failpoints)]);
        assert_eq!(ended.code, None, "it was to die: {ended:?}");
        assert!(!file.exists(), "{point}");
    }
    // An earlier backup is kept.
    done(place.run("backup", &file, &[]));
    assert_eq!(names(folder.path()), ["backup.tar"], "what the dead ones left is gone");
    let before = std::fs::read(&file).expect("the backup");
    let env = [("FAILPOINTS", "backup_written=return")];
    assert_eq!(process::run(&place.arguments("backup", &file, &["--force"]), &env).code, None);
    assert!(std::fs::read(&file).expect("the backup") == before);

    // SIGKILL at times from the beginning to the end.
    let arguments = place.arguments("backup", &file, &[]);
    let mut killed = 0;
    for moment in 0.. {
        std::fs::remove_file(&file).ok();
        let ended = process::run_for(&arguments, Duration::from_millis(8 * moment));
        if file.exists() {
            let to = Database::new(Backend::Sqlite).await;
            done(Place::of(&to).run("restore", &file, &[]));
        }
        if ended {
            break;
        }
        killed += 1;
    }
    assert!(killed > 1, "it was never cut off");
    assert!(file.exists());
    assert_eq!(names(folder.path()), ["backup.tar"]);
    treasure.is_at(server_at(&file).await).await;
}

#[tokio::test]
async fn backup_works_after_a_crash() {
    let mut app = App::start(Backend::Sqlite).await;
    let run = app.start_to_pause(&gated("g")).await;
    app.kill9().await;
    let place = Place::of(&app.database);
    let wal = std::fs::metadata(place.database().with_extension("db-wal")).expect("a log");
    assert!(wal.len() > 0, "what it did stands in the log alone");
    let (folder, file) = folder();
    // The folder of a backup in progress, and one of a killed backup.
    let (live, dead) = (folder.path().join(".sluice-backup-live"), folder.path().join(".sluice-backup-dead"));
    for unfinished in [&live, &dead] {
        std::fs::create_dir(unfinished).expect("a folder");
        std::fs::write(unfinished.join("archive"), "half").expect("a file");
    }
    let lock = std::fs::File::open(&live).expect("a folder");
    lock.try_lock().expect("the lock");
    done(place.run("backup", &file, &[]));
    assert_eq!(names(folder.path()), [".sluice-backup-live", "backup.tar"]);
    let restored = App::start_on(server_at(&file).await, &[]).await;
    restored.run_until(&run, "PAUSED").await;
    app.boot().await;
    app.run_until(&run, "PAUSED").await;
}

/// Restores a backup into a new database.
async fn server_at(file: &Path) -> Database {
    let database = Database::new(Backend::Sqlite).await;
    done(Place::of(&database).run("restore", file, &[]));
    database
}

/// Starts a server that must not start, and returns its message.
fn refuses_to_start(place: &Place) {
    let data = place.data.display().to_string();
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--database-url", &place.url, "--data-dir", &data];
    rejected(process::run(&arguments, &[]), 1, "Run sluice restore again");
}

#[tokio::test]
async fn restore_that_crashes_can_be_repeated() {
    let (source, treasure) = ended("new", 3).await;
    let (_folder, file) = folder();
    done(Place::of(&source).run("backup", &file, &[]));
    for point in ["restore_unpacked", "restore_committed", "restore_files"] {
        for is_taken in [false, true] {
            let (mut database, old) = if is_taken {
                let (database, old) = ended("old", 0).await;
                (database, Some(old))
            } else {
                (Database::new(Backend::Sqlite).await, None)
            };
            let place = Place::of(&database);
            let before = place.contents();
            let force: &[&str] = if is_taken { &["--force"] } else { &[] };
            let failpoints = format!("{point}=return");
            let ended =
                process::run(&place.arguments("restore", &file, force), &[("FAILPOINTS", &failpoints)]);
            assert_eq!(ended.code, None, "it was to die: {ended:?}");
            if point == "restore_unpacked" {
                assert!(place.contents() == before, "{point}: something was changed");
                if let Some(old) = &old {
                    database = old.is_at(database).await;
                }
                done(place.run("restore", &file, force));
            } else {
                refuses_to_start(&place);
                done(place.run("restore", &file, &[]));
            }
            database = treasure.is_at(database).await;
            assert!(names(&place.data).iter().all(|name| name != ".restoring"));
            if let Some(old) = &old {
                assert!(!place.data.join(&old.path).exists(), "a file of what was replaced");
            }
            drop(database);
        }
    }
}

#[tokio::test]
async fn killed_restore_is_all_or_nothing() {
    let (source, treasure) = ended("w", 20).await;
    let (_folder, file) = folder();
    done(Place::of(&source).run("backup", &file, &[]));
    let (mut killed, mut database) = (0, Database::new(Backend::Sqlite).await);
    for moment in 0.. {
        let place = Place::of(&database);
        let ended =
            process::run_for(&place.arguments("restore", &file, &[]), Duration::from_millis(8 * moment));
        if place.contents().is_empty() {
            // Unchanged.
        } else if place.database().with_extension("db.replacement").exists() {
            refuses_to_start(&place);
        } else {
            let _whole = treasure.is_at(database).await;
            rejected(place.run("restore", &file, &[]), 1, "--force");
            database = Database::new(Backend::Sqlite).await;
        }
        if ended {
            break;
        }
        killed += 1;
    }
    drop(database);
    assert!(killed > 1, "it was never cut off");
}

#[tokio::test]
async fn restore_overwrites_only_with_force() {
    let (source, treasure) = ended("w", 0).await;
    let place = Place::of(&source);
    let (folder, file) = folder();
    done(place.run("backup", &file, &[]));
    let before = std::fs::read(&file).expect("the backup");
    rejected(place.run("backup", &file, &[]), 1, "already exists");
    assert!(std::fs::read(&file).expect("the backup") == before);
    done(place.run("backup", &file, &["--force"]));

    // Even with --force, a backup doesn't replace the files of the server.
    let database = place.database();
    let kept = std::fs::read(&database).expect("the database");
    for end in ["", "-wal", ".lock"] {
        let mut own = database.clone().into_os_string();
        own.push(end);
        rejected(place.run("backup", Path::new(&own), &["--force"]), 1, "belongs to the server");
    }
    let link = folder.path().join("link.db");
    std::os::unix::fs::symlink(&database, &link).expect("a link");
    rejected(place.run("backup", &link, &["--force"]), 1, "belongs to the server");
    std::fs::remove_file(&link).expect("the link");
    assert!(std::fs::read(&database).expect("the database") == kept);
    let elsewhere = Place { url: place.url.clone(), data: folder.path().join("none") };
    rejected(elsewhere.run("backup", &folder.path().join("b.tar"), &[]), 1, "--data-dir");

    // A target with a database, and one with files only.
    let kept = place.contents();
    rejected(place.run("restore", &file, &[]), 1, "a database already exists at");
    let files_only = Place {
        url: format!("sqlite://{}", folder.path().join("new.db").display()),
        data: place.data.clone(),
    };
    rejected(files_only.run("restore", &file, &[]), 1, "already contains files");
    assert!(place.contents() == kept);

    // A target with a running server, even with --force, and after the server has ended.
    let mut app = App::start_on(server_at(&file).await, &[]).await;
    let busy = Place::of(&app.database);
    rejected(busy.run("restore", &file, &["--force"]), 1, "Another sluice owns the database");
    let extra = app.start_to_pause(&gated("extra")).await;
    let workflow = app.read_run(&extra).await["workflow_id"].as_str().expect("an id").to_owned();
    let path = upload(&app, &workflow, "extra.txt".to_owned(), vec![1]).await.expect("a path");
    app.kill9().await;
    done(busy.run("restore", &file, &["--force"]));
    assert!(!app.data_dir().join(path).exists(), "files of what was replaced are gone");
    app.boot().await;
    app.get(&format!("/run/{extra}/")).await.problem(404);
    app.run_until(&treasure.run, "PAUSED").await;

    let missing =
        Place { url: format!("sqlite://{}", folder.path().join("no.db").display()), data: place.data };
    rejected(missing.run("backup", &folder.path().join("x.tar"), &[]), 1, "no database file at");
    assert_eq!(names(folder.path()), ["backup.tar", "new.db.lock"]);
}

#[tokio::test]
async fn rejects_a_damaged_backup() {
    let (source, treasure) = ended("w", 2).await;
    let (folder, file) = folder();
    done(Place::of(&source).run("backup", &file, &[]));
    let whole = std::fs::read(&file).expect("the backup");
    let bad = folder.path().join("bad.tar");
    let database = Database::new(Backend::Sqlite).await;
    let place = Place::of(&database);
    let try_it = |bytes: &[u8]| {
        std::fs::write(&bad, bytes).expect("a file");
        let ended = place.run("restore", &bad, &[]);
        assert!(!ended.stderr.contains("panicked"), "{ended:?}");
        if ended.code == Some(1) {
            assert!(ended.stderr.contains("nothing was changed"), "{ended:?}");
            assert!(place.contents().is_empty(), "{ended:?}");
        }
        ended
    };
    // Truncated before the end of its last entry. Two empty blocks and padding follow it.
    let end = whole.iter().rposition(|byte| *byte != 0).expect("the checksums");
    for step in 0..24 {
        rejected(try_it(&whole[..end * step / 24]), 1, "");
    }
    rejected(try_it(&whole[..end]), 1, "");
    // One bit flipped. Some bits of a tar archive have no meaning.
    let mut refusals = 0;
    for step in 0..48 {
        let mut bytes = whole.clone();
        bytes[end * step / 48] ^= 4;
        if try_it(&bytes).code == Some(1) {
            refusals += 1;
        } else {
            done(place.run("restore", &file, &["--force"]));
            std::fs::remove_file(place.database()).expect("the database");
            std::fs::remove_dir_all(&place.data).expect("the data folder");
        }
    }
    assert!(refusals > 40, "{refusals} of 48 damages were seen");
    // Another file, and a file too many.
    rejected(try_it(b"this is no archive"), 1, "is not a backup of sluice");
    rejected(try_it(&[]), 1, "");
    std::fs::write(folder.path().join("evil"), "evil").expect("a file");
    std::fs::write(&bad, &whole).expect("a file");
    let appended = Command::new("tar")
        .args(["--append", "--file", "bad.tar", "--transform", "s,^,files/test_files/../../../../,", "evil"])
        .current_dir(folder.path())
        .output()
        .expect("tar runs");
    assert!(appended.status.success(), "{appended:?}");
    rejected(place.run("restore", &bad, &[]), 1, "is not a backup of sluice");
    assert!(place.contents().is_empty());
    done(place.run("restore", &file, &[]));
    treasure.is_at(database).await;
}

#[tokio::test]
async fn backup_is_readable_with_common_tools() {
    let (source, treasure) = ended("w", 1).await;
    let (folder, file) = folder();
    done(Place::of(&source).run("backup", &file, &[]));
    let shell = "umask 022; tar -xf backup.tar && sha256sum --strict -c SHA256SUMS && stat -c %a backup.tar";
    let ran = Command::new("sh").args(["-c", shell]).current_dir(folder.path()).output().expect("a shell");
    let text = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(ran.status.success(), "{ran:?}");
    for part in
        ["manifest.json: OK", "database.sqlite: OK", &format!("files/{}: OK", treasure.path), "\n600\n"]
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
    let (source, treasure) = ended("w", 0).await;
    let place = Place::of(&source);
    let (folder, file) = folder();
    done(place.run("backup", &file, &[]));
    let sh = |shell: &str| {
        let ran =
            Command::new("sh").args(["-ec", shell]).current_dir(folder.path()).output().expect("a shell");
        assert!(ran.status.success(), "{ran:?}");
    };
    // Repacked by other tools: once unchanged, once with an unknown migration.
    sh("tar -xf backup.tar; cut -c 67- SHA256SUMS > names");
    let pack = "cat names | xargs -d '\n' sha256sum > SHA256SUMS
        tar -cf again.tar manifest.json database.sqlite $(grep ^files/ names) SHA256SUMS";
    sh(pack);
    let again = folder.path().join("again.tar");
    let database = server_at(&again).await;
    let unpacked = format!("sqlite://{}", folder.path().join("database.sqlite").display());
    let step = "INSERT INTO applied_migrations (version, applied_at) VALUES ('m99999999_000001_later', 0)";
    Database::at(Backend::Sqlite, unpacked).execute(step).await;
    sh(pack);
    let new = Database::new(Backend::Sqlite).await;
    rejected(Place::of(&new).run("restore", &again, &[]), 1, "which is newer");
    let target = Place::of(&new);
    let left = files_below(target.database().parent().expect("a folder"));
    assert_eq!(left, ["sluice.db.lock"], "nothing else is left");
    source.execute(step).await;
    rejected(place.run("backup", &folder.path().join("x.tar"), &[]), 1, "newer sluice");
    treasure.is_at(database).await;
}

#[tokio::test]
async fn backup_rejects_postgres_databases() {
    let (folder, file) = folder();
    let url = "postgres://user:secret@127.0.0.1:1/x".to_owned();
    let place = Place { url, data: folder.path().to_owned() };
    for (command, tool) in [("backup", "pg_dump"), ("restore", "pg_restore")] {
        let ended = place.run(command, &file, &[]);
        assert!(!ended.text().contains("secret"));
        rejected(ended, 2, tool);
    }
    assert!(names(folder.path()).is_empty());
}
