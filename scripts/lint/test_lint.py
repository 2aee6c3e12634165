"""Shows that each check fails on a bad sample and passes a good one."""

import unittest

import commits
import prose


def findings(path, text):
    report = prose.Report()
    report.add(path, text)
    return [(finding.line, finding.text) for finding in report.failures(prose.group_of(path))]


class Rust(unittest.TestCase):
    def test_rejects_doc_comments_that_open_with_a_clause(self):
        for opener in ("What", "Whether", "How", "Who", "Whoever", "Which", "That"):
            found = findings("crates/api/src/a.rs", f"\n/// {opener} is it.\nstruct A;\n")
            self.assertEqual(set(found), {(2, opener)})
        self.assertEqual(findings("crates/api/src/a.rs", "//! Who calls.\n"), [(1, "Who")])
        # Only the first line of a block, and only whole words.
        self.assertEqual(findings("crates/api/src/a.rs", "/// A key.\n/// What else?\n/// Whatsoever.\nstruct A;\n"), [])

    def test_rejects_denied_phrases_in_comments_and_strings(self):
        self.assertEqual(findings("crates/api/src/a.rs", "fn a() {\n    // It is no JSON.\n}\n"), [(2, "is no JSON")])
        self.assertEqual(findings("crates/api/src/a.rs", 'let a = "runs go on";\n'), [(1, "go on")])
        self.assertEqual(findings("crates/api/src/a.rs", 'let a = r#"a small letter"#;\n'), [(1, "small letter")])
        self.assertEqual(findings("crates/api/src/a.rs", "/* one\nis told */\n"), [(2, "told")])

    def test_finds_phrases_across_lines_with_their_line(self):
        self.assertEqual(findings("crates/api/src/a.rs", "\n// The how\n// manieth.\n"), [(2, "how manieth")])
        self.assertEqual(findings("crates/api/src/a.rs", 'let a = "runs go \\\n    on";\n'), [(1, "go on")])

    def test_ignores_code_and_names(self):
        code = "fn a(c: char) -> bool { c == '\"' || settled(c, \"settled\") } // `anew`\n"
        self.assertEqual(findings("crates/api/src/a.rs", code), [])
        self.assertEqual(findings("crates/api/src/a.rs", "// There is no longer a run, and no key is none.\n"), [(1, "is none")])

    def test_distinguishes_the_literal_none_from_the_word(self):
        self.assertEqual(findings("crates/api/src/a.rs", 'let a = "if x is None: pass";\n'), [])
        self.assertEqual(findings("scripts/a.py", "if a is None:\n    pass  # The key is none.\n"), [(2, "is none")])

    def test_allows_the_tag_of_the_api(self):
        self.assertEqual(findings("crates/api/src/a.rs", 'tag = "catalogue"\n'), [])
        self.assertEqual(findings("crates/api/src/a.rs", '// The catalogue.\nlet a = "the catalogue";\n'), [(1, "catalogue"), (2, "catalogue")])

    def test_rejects_british_spelling_in_names_too(self):
        self.assertEqual(findings("crates/api/src/a.rs", "enum Behaviour {}\n"), [(1, "Behaviour")])
        self.assertEqual(findings("crates/api/src/a.rs", "// It was cancelled.\n"), [(1, "cancell")])
        self.assertEqual(findings("crates/api/src/a.rs", "token.cancelled().await;\n"), [])
        self.assertEqual(findings("crates/api/src/a.rs", "// analyses, canceled, fulfill, organism, optimistic\n"), [])

    def test_rejects_functions_that_are_participles(self):
        self.assertEqual(findings("crates/api/src/a.rs", "fn kept() {}\n"), [(1, "fn kept")])
        self.assertEqual(findings("crates/api/src/a.rs", "fn drawn_anew() {}\n"), [(1, "fn drawn_anew")])
        self.assertEqual(findings("crates/api/src/a.rs", "fn is_kept() {}\nfn feed() {}\nfn red_and_kept() {}\n"), [])


class Documents(unittest.TestCase):
    def test_rejects_denied_phrases_and_long_sentences(self):
        self.assertEqual(findings("docs/a.md", "# A\n\nThe store is full.\n"), [(3, "The store")])
        self.assertEqual(findings("docs/a.md", "# A\n\n- " + "word " * 26 + ".\n"), [(3, "sentence of 26 words")])
        self.assertEqual(findings("docs/a.md", "# A\n\n- " + "word " * 20 + ".\n- " + "word " * 20 + ".\n"), [])

    def test_ignores_code(self):
        code = "# A\n\n```\nthe store\n```\n\n    whoever\n\nThe `anew` of [it](anew.md).\n"
        self.assertEqual(findings("docs/a.md", code), [])

    def test_rejects_conflict_markers(self):
        self.assertEqual(findings("docs/a.md", "a\n" + "<" * 7 + " HEAD\n"), [(2, "<" * 7 + " ")])

    def test_counts_clauses(self):
        self.assertEqual(prose.clauses([("README.md", "what " + "word " * 999)]), 1)
        self.assertEqual(prose.clauses([("README.md", "Whoever, whatever, who " + "word " * 997)]), 3)
        self.assertEqual(prose.clauses([("CHANGELOG.md", "what")]), 0)


class OpenApi(unittest.TestCase):
    def test_rejects_denied_phrases_in_descriptions(self):
        document = '{\n  "description": "Runs go\\non.",\n  "const": "settled"\n}\n'
        self.assertEqual(findings("openapi/openapi.json", document), [(2, "go on")])


class Commits(unittest.TestCase):
    def test_rejects_long_subjects_and_lists(self):
        self.assertIsNone(commits.complaint("a" * 65))
        self.assertIn("66 characters", commits.complaint("a" * 66))
        self.assertIn("`;`", commits.complaint("Fix a; add b"))


class Groups(unittest.TestCase):
    def test_covers_the_repository(self):
        groups = {
            "README.md": "docs",
            "crates/api/src/lib.rs": "api",
            "tests/it/main.rs": "tests",
            "tests/README.md": "tests",
            "openapi/openapi.json": "openapi",
            "Makefile": "tools",
            "tests/fixtures/chatbot.json": None,
            "Cargo.lock": None,
        }
        for path, group in groups.items():
            self.assertEqual(prose.group_of(path), group, path)


if __name__ == "__main__":
    unittest.main()
