//! Checks that the files, commands and settings named in `deploy/` exist. `make test-deb` installs the package.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::process;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository").to_owned()
}

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Returns the lines of a file. A `\` at the end of a line joins it with the next.
fn lines(name: &str) -> Vec<String> {
    read(name).replace("\\\n", " ").lines().map(|line| line.trim().to_owned()).collect()
}

/// Returns the names of all settings of the server.
fn settings() -> BTreeSet<String> {
    let help = process::run(&["serve", "--help"], &[]).stdout;
    let names = help.split("[env: ").skip(1);
    names.filter_map(|rest| Some(rest.split(['=', ']']).next()?.to_owned())).collect()
}

/// Returns the settings that a text sets, and checks that each exists.
fn known_settings(file: &str, text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| c.is_whitespace() || c == '#');
    let assigned = words.filter_map(|word| word.trim_start_matches("Environment=").split_once('='));
    let assigned: BTreeSet<String> =
        assigned.map(|(name, _)| name.to_owned()).filter(|name| name.starts_with("SLUICE_")).collect();
    let unknown: Vec<_> = assigned.difference(&settings()).cloned().collect();
    assert!(unknown.is_empty(), "{file} sets {unknown:?}, which the server does not have");
    assert!(
        assigned.contains("SLUICE_DATABASE_URL") && assigned.contains("SLUICE_DATA_DIR"),
        "{file}: {assigned:?}"
    );
    assigned
}

/// Checks the sub-command and the flags of a command line.
fn check_command(file: &str, words: &[&str]) {
    assert_eq!(words.first(), Some(&"/usr/bin/sluice"), "{file}");
    let help = process::run(&[&words[1..], &["--help"]].concat(), &[]);
    assert_eq!(help.code, Some(0), "{file}: {words:?}: {help:?}");
}

/// Returns the rest of each line that starts with `prefix`.
fn values_after<'a>(lines: &'a [String], prefix: &str) -> Vec<&'a str> {
    lines.iter().filter_map(|line| line.strip_prefix(prefix)).map(str::trim).collect()
}

#[test]
fn container_build_uses_existing_files() {
    let lines = lines("deploy/Dockerfile");
    let toolchain = read("rust-toolchain.toml");
    let channel = toolchain.split("channel = \"").nth(1).and_then(|rest| rest.split('"').next());
    let channel = channel.expect("the release of Rust");
    assert!(values_after(&lines, "FROM ")[0].starts_with(&format!("rust:{channel}-")), "not Rust {channel}");
    assert!(lines.iter().any(|line| line == &format!("ENV RUSTUP_TOOLCHAIN={channel}")));

    let ignored = read(".dockerignore");
    let ignored: Vec<&str> =
        ignored.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
    let mut needed = vec![
        ".cargo",
        "Cargo.toml",
        "Cargo.lock",
        "crates",
        "migration",
        "tests",
        "benches",
        "docs",
        "openapi",
    ];
    for copied in values_after(&lines, "COPY ").into_iter().filter(|copied| !copied.starts_with("--from")) {
        let mut words: Vec<&str> = copied.split_whitespace().collect();
        words.pop();
        needed.extend(words.into_iter().filter(|word| *word != "."));
    }
    for path in needed {
        assert!(root().join(path).exists(), "the Dockerfile needs {path}, which doesn't exist");
        assert!(!ignored.contains(&path), "the Dockerfile needs {path}, which .dockerignore excludes");
    }
    for secret in [".git", "**/target", "*.db", "*.env"] {
        assert!(ignored.contains(&secret), "{secret}");
    }

    known_settings("Dockerfile", &values_after(&lines, "ENV ").join(" "));
    let users = values_after(&lines, "USER ");
    assert!(!users.is_empty() && users.iter().all(|user| !user.starts_with(['0', 'r'])), "{users:?}");
    let words = |json: &str| -> Vec<String> { serde_json::from_str(json).expect("a list of words") };
    let health = values_after(&lines, "HEALTHCHECK ").concat();
    let health = words(health.split("CMD ").nth(1).expect("a command"));
    check_command("HEALTHCHECK", &health.iter().map(String::as_str).collect::<Vec<_>>());
    let command =
        [words(values_after(&lines, "ENTRYPOINT ")[0]), words(values_after(&lines, "CMD ")[0])].concat();
    check_command("CMD", &command.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(command[1], "serve");
}

#[test]
fn systemd_service_uses_existing_commands() {
    let lines = lines("deploy/sluice.service");
    let started = values_after(&lines, "ExecStart=");
    check_command("sluice.service", &started[0].split_whitespace().collect::<Vec<_>>());
    known_settings("sluice.service", &lines.join("\n"));
    for line in
        ["Type=notify", "User=sluice", "ProtectSystem=strict", "NoNewPrivileges=yes", "StateDirectory=sluice"]
    {
        assert!(lines.iter().any(|actual| actual == line), "{line}");
    }
    // The package installs the settings file of the service.
    let file = values_after(&lines, "EnvironmentFile=-")[0];
    assert!(
        assets().iter().any(|(from, to)| format!("/{to}{}", from.rsplit('/').next().unwrap_or("")) == file)
    );
    known_settings("sluice.env", &read("deploy/sluice.env"));
    let active = read("deploy/sluice.env");
    assert!(
        active.lines().all(|line| line.is_empty() || line.starts_with('#')),
        "every setting must be commented out"
    );
}

/// Returns the files of the package: (source, target).
fn assets() -> Vec<(String, String)> {
    let cargo = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    let metadata: Value = serde_json::from_slice(&cargo.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let server = packages.iter().find(|package| package["name"] == "sluice").expect("the binary");
    let assets = server["metadata"]["deb"]["assets"].as_array().expect("assets").iter();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    assets.map(|asset| (text(&asset[0]), text(&asset[1]))).collect()
}

#[test]
fn debian_package_uses_existing_files() {
    let is_built = |from: &str| from.starts_with("target/") || from.starts_with("../../target/package/");
    let assets = assets();
    assert!(assets.len() > 8, "{assets:?}");
    for (from, to) in &assets {
        assert!(!to.starts_with('/'), "{to}");
        if is_built(from) {
            continue;
        }
        let path = root().join("crates/server").join(from.trim_end_matches("*.md"));
        let exists = if from.ends_with("*.md") { path.is_dir() } else { path.is_file() };
        assert!(exists, "{from} doesn't exist");
    }
    let script = read("scripts/deb.sh");
    for (from, _) in assets.iter().filter(|(from, _)| from.starts_with("../../target/package/sluice.")) {
        let shell = from.rsplit('.').next().expect("a shell");
        assert!(script.contains(shell), "scripts/deb.sh writes nothing for {shell}");
    }
}
