#!/usr/bin/env python3
"""Checks commit subjects: at most 65 characters, no `;`. Commits up to BASE are older than the rule."""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BASE = "3cef5e7a70fad57798f938b6314b4016b5d8fe01"
MAX_SUBJECT = 65


def complaint(subject):
    """Returns the violated rule, or None."""
    if len(subject) > MAX_SUBJECT:
        return f"{len(subject)} characters: use at most {MAX_SUBJECT}"
    if ";" in subject:
        return "has `;`: make one commit for each change"
    return None


def git(*args):
    """Returns the output of git, or None if it fails or isn't installed."""
    try:
        result = subprocess.run(["git", *args], cwd=ROOT, capture_output=True, text=True)
    except OSError:
        return None
    return result.stdout if result.returncode == 0 else None


def main():
    if git("merge-base", "--is-ancestor", BASE, "HEAD") is None:
        print("commit subjects are not checked: there is no history since their rule")
        return 0
    failures = 0
    for line in (git("log", "--format=%h %s", f"{BASE}..HEAD") or "").splitlines():
        commit, _, subject = line.partition(" ")
        reason = complaint(subject)
        if reason:
            print(f"commit {commit}: {subject!r}: {reason}")
            failures += 1
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
