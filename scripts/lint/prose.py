#!/usr/bin/env python3
"""Checks the prose of the project: comments, messages, documents, the OpenAPI document and names of functions.

    prose.py             fails on findings
    prose.py api nodes   fails on findings in these groups
    prose.py --counts    prints the number of findings by group

A group is a crate, or another part of the repository, see `group_of`. The word lists are in rules.py.
"""

import argparse
import collections
import pathlib
import re
import subprocess
import sys

import rules

ROOT = pathlib.Path(__file__).resolve().parents[2]

DENYLIST = rules.compile_phrases(rules.DENYLIST)
DOCUMENT_DENYLIST = rules.compile_phrases(rules.DOCUMENT_DENYLIST)
SPELLING = rules.compile_spelling()

# Comments and string literals of Rust. Character literals and lifetimes only have to be skipped.
RUST = re.compile(
    r'(?P<doc>(?:^[ \t]*//[/!](?!/)[^\n]*\n)+)'
    r'|(?P<comment>(?:[ \t]*//[^\n]*\n)+|/\*.*?\*/)'
    r'|(?P<raw>b?r(?P<hashes>\#*)".*?"(?P=hashes))'
    r'|(?P<string>b?"(?:[^"\\]|\\.)*")'
    r"|'(?:\\.[^']*|[^'\\])'",
    re.DOTALL | re.MULTILINE,
)
PREFIX = re.compile(r"^[ \t]*//[/!]?", re.MULTILINE)
CODE_SPAN = re.compile(r"`[^`]*`")
FENCE = re.compile(r"^```.*?^```[^\n]*$", re.DOTALL | re.MULTILINE)
INDENTED = re.compile(r"(?<=\n\n)(?: {4}[^\n]*\n)+")
LINK_TARGET = re.compile(r"\]\([^)]*\)")
OPENAPI_TEXT = re.compile(r'^ *"(?:description|summary|title|detail|message)": "(.*)",?$')
CONFLICT = re.compile(r"^(?:<{7}|>{7}) ", re.MULTILINE)
TEXT_SUFFIXES = {".sh", ".py", ".yml", ".yaml", ".toml", ".ts", ".env", ".service"}

Finding = collections.namedtuple("Finding", "path line text preferred")


def group_of(path):
    """Returns the part of the repository that a file belongs to, or None if it isn't checked."""
    parts = path.split("/")
    if path.startswith(("scripts/lint/", "tests/fixtures/", "fuzz/seeds/", "openapi/released/")):
        return None
    if parts[0] == "crates":
        return parts[1]
    if path == "openapi/openapi.json":
        return "openapi"
    if path == "tests/README.md" or parts[0] in ("migration", "tests", "benches", "fuzz") and path.endswith(".rs"):
        return parts[0]
    if path.endswith(".md"):
        return "docs"
    if path.endswith((".rs", "Makefile", "Dockerfile")) or pathlib.Path(path).suffix in TEXT_SUFFIXES:
        return "tools"
    return None


def blank(pattern, text):
    """Replaces what matches with white space, so that lines keep their numbers."""
    return pattern.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)


def rust_texts(source):
    """Yields (kind, first line, text) for each comment and string literal."""
    for match in RUST.finditer(source):
        kind, text = match.lastgroup, match[0]
        if kind is None:
            continue
        line = source.count("\n", 0, match.start()) + 1
        if kind in ("doc", "comment"):
            yield kind, line, PREFIX.sub("", text)
        else:
            text = re.sub(r"\\\n", " \n", text).replace(r"\"", '"')
            # A single word is a name, not prose.
            if re.search(r"\s", text.strip('"br# ')):
                yield "string", line, text


def phrases(path, line, text, denylist):
    """Yields the findings of a denylist in a text whose first line has a number."""
    text = blank(CODE_SPAN, text)
    # Searching lowercase text is faster than ignoring case.
    lowercase = text.lower()
    for pattern, preferred in denylist:
        for match in pattern.finditer(lowercase):
            begin, end = match.span()
            yield Finding(path, line + text.count("\n", 0, begin), " ".join(text[begin:end].split()), preferred)


def spelling(path, text):
    """Yields the British spellings in a text."""
    lowercase = blank(rules.API_NAMES, text).lower()
    for pattern, american in SPELLING:
        for match in pattern.finditer(lowercase):
            begin, end = match.span()
            yield Finding(path, text.count("\n", 0, begin) + 1, text[begin:end], american)


def check_rust(path, source):
    """Returns the findings in a Rust file, its doc comments, and those that open with a clause."""
    found, docs, openers = list(spelling(path, source)), 0, []
    for kind, line, text in rust_texts(source):
        found += phrases(path, line, blank(rules.LITERALS, text), DENYLIST)
        if kind == "doc":
            docs += 1
            opener = rules.OPENERS.match(text.lstrip())
            if opener:
                openers.append(Finding(path, line, opener[0], "a noun or a verb first"))
    for match in rules.PARTICIPLES.finditer(source):
        line = source.count("\n", 0, match.start()) + 1
        found.append(Finding(path, line, f"fn {match[1]}", "a verb or a noun"))
    return found, docs, openers


def prose_of(document):
    """Returns the text of a Markdown document, without code, link targets and HTML."""
    for pattern in (FENCE, INDENTED, CODE_SPAN, LINK_TARGET):
        document = blank(pattern, document)
    return document


def sentences(prose):
    """Yields (line, number of words) for each sentence of paragraphs and list items."""
    items = re.compile(r"^(?:[-*]|\d+\.) ", re.MULTILINE)
    for paragraph in re.finditer(r"(?:[^\n]+\n)+", prose):
        if paragraph[0].lstrip().startswith(("|", "#")):
            continue
        starts = [match.start() for match in items.finditer(paragraph[0])]
        bounds = sorted({0, *starts, len(paragraph[0])})
        for begin, end in zip(bounds, bounds[1:]):
            line = prose.count("\n", 0, paragraph.start() + begin) + 1
            for sentence in re.split(r"(?<=[.!?:])\s", paragraph[0][begin:end]):
                yield line, len(re.findall(r"[^\W_][\w'’-]*", sentence))
                line += sentence.count("\n")


def check_markdown(path, document):
    prose = prose_of(document)
    found = [*spelling(path, prose), *phrases(path, 1, prose, DENYLIST + DOCUMENT_DENYLIST)]
    for line, words in sentences(prose):
        if words > rules.MAX_SENTENCE:
            found.append(Finding(path, line, f"sentence of {words} words", f"at most {rules.MAX_SENTENCE}"))
    return found


def check_openapi(path, document):
    found = list(spelling(path, document))
    for line, text in enumerate(document.splitlines(), 1):
        match = OPENAPI_TEXT.match(text)
        if match:
            found += phrases(path, line, match[1].replace(r"\n", " "), DENYLIST + DOCUMENT_DENYLIST)
    return found


def clauses(documents):
    """Returns how often README, ARCHITECTURE and docs/ use the words of `rules.CLAUSES`, per 1,000 words."""
    words = hits = 0
    for path, document in documents:
        if path in ("README.md", "ARCHITECTURE.md") or path.startswith("docs/"):
            prose = prose_of(document)
            words += len(prose.split())
            hits += len(rules.CLAUSES.findall(prose))
    return 1000 * hits / max(words, 1)


class Report:
    """Findings by group."""

    def __init__(self):
        self.found = collections.defaultdict(list)
        self.docs = collections.Counter()
        self.openers = collections.defaultdict(list)
        self.documents = []

    def add(self, path, text):
        group = group_of(path)
        for match in CONFLICT.finditer(text):
            self.found[group].append(Finding(path, text.count("\n", 0, match.start()) + 1, match[0], "a resolution"))
        if path.endswith(".rs"):
            found, docs, openers = check_rust(path, text)
            self.found[group] += found
            self.docs[group] += docs
            self.openers[group] += openers
        elif path.endswith(".md"):
            self.documents.append((path, text))
            self.found[group] += check_markdown(path, text)
        elif group == "openapi":
            self.found[group] += check_openapi(path, text)
        else:
            text = blank(rules.LITERALS, text) if path.endswith(".py") else text
            self.found[group] += [*spelling(path, text), *phrases(path, 1, text, DENYLIST)]

    def share(self, group):
        """The share of doc comments that open with a clause."""
        return len(self.openers[group]) / max(self.docs[group], 1)

    def opener_failures(self, group):
        return self.openers[group] if self.share(group) >= rules.MAX_OPENERS else []

    def failures(self, group):
        return sorted({*self.found[group], *self.opener_failures(group)})

    def counts(self):
        lines = [f"{'group':12} {'findings':>8} {'doc comments':>12} {'openers':>8} {'share':>7}"]
        for group in sorted(self.found):
            figures = (len(self.found[group]), self.docs[group], len(self.openers[group]), 100 * self.share(group))
            lines.append("{:12} {:>8} {:>12} {:>8} {:>6.1f}%".format(group, *figures))
        docs, openers = sum(self.docs.values()), sum(map(len, self.openers.values()))
        lines.append(f"openers in all: {100 * openers / max(docs, 1):.1f}% (bar: {100 * rules.MAX_OPENERS:.0f}%)")
        lines.append(f"clauses: {clauses(self.documents):.1f} per 1,000 words (bar: {rules.MAX_CLAUSES})")
        return "\n".join(lines)


def files(root):
    """Returns the files of the repository, those of git if there is one."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=root, capture_output=True, text=True)
    if listed.returncode == 0 and listed.stdout:
        return [path for path in sorted(set(listed.stdout.splitlines())) if (root / path).is_file()]
    skipped = {".git", "target", ".tools", "node_modules"}
    found = (path.relative_to(root) for path in root.rglob("*") if path.is_file())
    return sorted(str(path) for path in found if not skipped & set(path.parts))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", action="store_true", help="print the number of findings by group")
    parser.add_argument("--root", type=pathlib.Path, default=ROOT, help="another checkout to check")
    parser.add_argument("groups", nargs="*", help="groups to check")
    args = parser.parse_args()
    report = Report()
    for path in files(args.root):
        if group_of(path):
            report.add(path, (args.root / path).read_text(encoding="utf-8"))
    if args.counts:
        print(report.counts())
        return 0
    failures = [finding for group in sorted(args.groups or report.found) for finding in report.failures(group)]
    for path, line, text, preferred in failures:
        print(f"{path}:{line}: {text!r}: use {preferred}")
    density = clauses(report.documents)
    if density >= rules.MAX_CLAUSES:
        print(f"README, ARCHITECTURE and docs/ have {density:.1f} of what/who/whoever/whatever per 1,000 words")
    return int(bool(failures) or density >= rules.MAX_CLAUSES)


if __name__ == "__main__":
    sys.exit(main())
