//! `sluice completions` and `sluice man`.

use std::collections::BTreeSet;
use std::process::Command;

use crate::support::process::{self, CommandOutput};

fn assert_success(output: CommandOutput) -> String {
    assert_eq!(output.code, Some(0), "{output:?}");
    output.stdout
}

/// Returns the subcommands that `--help` lists.
fn commands() -> Vec<String> {
    let help = assert_success(process::run(&["--help"], &[]));
    let list = help.split("Commands:").nth(1).expect("the list").split("\n\n").next().expect("its end");
    let words = list.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let commands: Vec<String> =
        words.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect();
    assert!(commands.len() > 8 && commands.contains(&"backup".to_owned()), "{commands:?}");
    commands
}

/// Returns the long flags in a text.
fn flags(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    words.filter(|word| word.starts_with("--") && word.len() > 2).map(str::to_owned).collect()
}

#[test]
fn completions_have_every_command_and_flag() {
    let serve = flags(&assert_success(process::run(&["serve", "--help"], &[])));
    assert!(serve.len() > 20, "{serve:?}");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = assert_success(process::run(
            &["completions", shell],
            &[("SLUICE_DATABASE_URL", "postgres://me:hunter2@host/x")],
        ));
        for word in commands().iter().chain(&serve) {
            let word = if shell == "fish" { word.trim_start_matches('-') } else { word };
            assert!(script.contains(word), "the completions for {shell} have no {word}");
        }
        assert!(!script.contains("hunter2"));
    }
    assert_eq!(process::run(&["completions", "tcsh"], &[]).code, Some(2));

    // Completes `sluice ba` in bash.
    let folder = tempfile::tempdir().expect("a temporary folder");
    let script = folder.path().join("sluice.bash");
    std::fs::write(&script, assert_success(process::run(&["completions", "bash"], &[]))).expect("a file");
    let lines = r#"source "$1"; COMP_WORDS=(sluice ba); COMP_CWORD=1; _sluice sluice ba sluice; echo "${COMPREPLY[@]}""#;
    let output = Command::new("bash").args(["-c", lines, "bash"]).arg(&script).output().expect("bash runs");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "backup", "{output:?}");
}

#[test]
fn manual_pages_have_every_command_and_flag() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let pages = folder.path().join("new");
    let name = pages.display().to_string();
    let env = [("SLUICE_DATABASE_URL", "postgres://user:hunter2@host/x")];
    assert_eq!(assert_success(process::run(&["man", &name], &env)), "");
    let mut expected: BTreeSet<String> = commands().iter().map(|name| format!("sluice-{name}.1")).collect();
    expected.remove("sluice-help.1");
    expected.extend(["create", "list", "revoke"].map(|name| format!("sluice-keys-{name}.1")));
    expected.insert("sluice.1".to_owned());
    let entries = std::fs::read_dir(&pages).expect("the folder");
    let written: BTreeSet<String> =
        entries.map(|entry| entry.expect("a page").file_name().to_string_lossy().into_owned()).collect();
    assert_eq!(written, expected);
    for page in &written {
        let text = std::fs::read_to_string(pages.join(page)).expect("a page");
        let text = ["\\fB", "\\fI", "\\fR"]
            .iter()
            .fold(text.replace("\\-", "-"), |text, font| text.replace(font, " "));
        assert!(text.contains(".TH ") && text.contains(".SH SYNOPSIS"), "{page}: {text}");
        assert!(!text.contains("hunter2"), "{page}");
        let Some(command) = page.strip_prefix("sluice-").and_then(|name| name.strip_suffix(".1")) else {
            continue;
        };
        let arguments: Vec<&str> = command.split('-').chain(["--help"]).collect();
        let help = assert_success(process::run(&arguments, &[]));
        let missing: Vec<_> = flags(&help).difference(&flags(&text)).cloned().collect();
        assert!(missing.is_empty(), "{page} does not document {missing:?}");
    }
    let printed = assert_success(process::run(&["man"], &[]));
    assert!(printed.contains("sluice\\-backup(1)"), "{printed}");
}
