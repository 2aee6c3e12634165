//! Files, commands and settings that `deploy/` names must exist. `make test-deb` installs the package.

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

/// Lines of a file; `\` at the end of a line joins it with the next.
fn lines(name: &str) -> Vec<String> {
    read(name).replace("\\\n", " ").lines().map(|line| line.trim().to_owned()).collect()
}

/// Names of all settings of the server.
fn settings() -> BTreeSet<String> {
    let help = process::run(&["serve", "--help"], &[]).stdout;
    let names = help.split("[env: ").skip(1);
    names.filter_map(|rest| Some(rest.split(['=', ']']).next()?.to_owned())).collect()
}

/// Settings that a text sets. Each must exist.
fn known_settings(file: &str, text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| c.is_whitespace() || c == '#');
    let given = words.filter_map(|word| word.trim_start_matches("Environment=").split_once('='));
    let given: BTreeSet<String> =
        given.map(|(name, _)| name.to_owned()).filter(|name| name.starts_with("SLUICE_")).collect();
    let unknown: Vec<_> = given.difference(&settings()).cloned().collect();
    assert!(unknown.is_empty(), "{file} sets {unknown:?}, which the server doesn't know");
    assert!(given.contains("SLUICE_DATABASE_URL") && given.contains("SLUICE_DATA_DIR"), "{file}: {given:?}");
    given
}

/// Checks the sub-command and the flags of a command line.
fn is_command(file: &str, words: &[&str]) {
    assert_eq!(words.first(), Some(&"/usr/bin/sluice"), "{file}");
    let help = process::run(&[&words[1..], &["--help"]].concat(), &[]);
    assert_eq!(help.code, Some(0), "{file}: {words:?}: {help:?}");
}

fn after<'a>(lines: &'a [String], word: &str) -> Vec<&'a str> {
    lines.iter().filter_map(|line| line.strip_prefix(word)).map(str::trim).collect()
}

#[test]
fn container_build_uses_existing_files() {
    let lines = lines("deploy/Dockerfile");
    let toolchain = read("rust-toolchain.toml");
    let channel = toolchain.split("channel = \"").nth(1).and_then(|rest| rest.split('"').next());
    let channel = channel.expect("the release of Rust");
    assert!(after(&lines, "FROM ")[0].starts_with(&format!("rust:{channel}-")), "not Rust {channel}");
    assert!(lines.iter().any(|line| line == &format!("ENV RUSTUP_TOOLCHAIN={channel}")));

    let ignored = read(".dockerignore");
    let ignored: Vec<&str> =
        ignored.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
    let mut needed =
        vec!["Cargo.toml", "Cargo.lock", "crates", "migration", "tests", "benches", "docs", "openapi"];
    for copied in after(&lines, "COPY ").into_iter().filter(|copied| !copied.starts_with("--from")) {
        let mut words: Vec<&str> = copied.split_whitespace().collect();
        words.pop();
        needed.extend(words.into_iter().filter(|word| *word != "."));
    }
    for path in needed {
        assert!(root().join(path).exists(), "the Dockerfile needs {path}, which doesn't exist");
        assert!(!ignored.contains(&path), "the Dockerfile needs {path}, which .dockerignore leaves out");
    }
    for secret in [".git", "**/target", "*.db", "*.env"] {
        assert!(ignored.contains(&secret), "{secret}");
    }

    known_settings("Dockerfile", &after(&lines, "ENV ").join(" "));
    let users = after(&lines, "USER ");
    assert!(!users.is_empty() && users.iter().all(|user| !user.starts_with(['0', 'r'])), "{users:?}");
    let words = |json: &str| -> Vec<String> { serde_json::from_str(json).expect("a list of words") };
    let health = after(&lines, "HEALTHCHECK ").concat();
    let health = words(health.split("CMD ").nth(1).expect("a command"));
    is_command("HEALTHCHECK", &health.iter().map(String::as_str).collect::<Vec<_>>());
    let served = [words(after(&lines, "ENTRYPOINT ")[0]), words(after(&lines, "CMD ")[0])].concat();
    is_command("CMD", &served.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(served[1], "serve");
}

#[test]
fn systemd_service_uses_existing_commands() {
    let lines = lines("deploy/sluice.service");
    let started = after(&lines, "ExecStart=");
    is_command("sluice.service", &started[0].split_whitespace().collect::<Vec<_>>());
    known_settings("sluice.service", &lines.join("\n"));
    for line in
        ["Type=notify", "User=sluice", "ProtectSystem=strict", "NoNewPrivileges=yes", "StateDirectory=sluice"]
    {
        assert!(lines.iter().any(|is| is == line), "{line}");
    }
    // The package installs the settings file of the service.
    let file = after(&lines, "EnvironmentFile=-")[0];
    assert!(
        assets().iter().any(|(from, to)| format!("/{to}{}", from.rsplit('/').next().unwrap_or("")) == file)
    );
    known_settings("sluice.env", &read("deploy/sluice.env"));
    let active = read("deploy/sluice.env");
    assert!(active.lines().all(|line| line.is_empty() || line.starts_with('#')), "defaults stay defaults");
}

/// Files of the package: (source, target).
fn assets() -> Vec<(String, String)> {
    let cargo = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .expect("cargo answers");
    let metadata: Value = serde_json::from_slice(&cargo.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let server = packages.iter().find(|package| package["name"] == "sluice").expect("the binary");
    let assets = server["metadata"]["deb"]["assets"].as_array().expect("assets").iter();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    assets.map(|asset| (text(&asset[0]), text(&asset[1]))).collect()
}

#[test]
fn debian_package_uses_existing_files() {
    let built = |from: &str| from.starts_with("target/") || from.starts_with("../../target/package/");
    let assets = assets();
    assert!(assets.len() > 8, "{assets:?}");
    for (from, to) in &assets {
        assert!(!to.starts_with('/'), "{to}");
        if built(from) {
            continue;
        }
        let path = root().join("crates/server").join(from.trim_end_matches("*.md"));
        let is_there = if from.ends_with("*.md") { path.is_dir() } else { path.is_file() };
        assert!(is_there, "{from} doesn't exist");
    }
    let script = read("scripts/deb.sh");
    for (from, _) in assets.iter().filter(|(from, _)| from.starts_with("../../target/package/sluice.")) {
        let shell = from.rsplit('.').next().expect("a shell");
        assert!(script.contains(shell), "scripts/deb.sh writes nothing for {shell}");
    }
}
