#!/usr/bin/env python3
"""Checks that the end-to-end tests cover success and failure of every operation in the OpenAPI document.

    scripts/api/coverage.py openapi/openapi.json FOLDER

FOLDER has the responses that the tests recorded: lines with method, path, status and kind of problem. There are no
exceptions: `make test` fails for an operation without tests, and for a status or a kind of problem that the document
doesn't declare for the operation.
"""

import json
import pathlib
import re
import sys

# Every operation can respond with these before its handler runs: the `default` response.
ANY = {400, 403, 404, 405, 414, 431}
ANY_KINDS = {"-", "bad-request", "cross-site", "path-not-found", "method-not-allowed", "uri-too-long", "headers-too-large"}
# These don't count as tests of failures if the operation declares others.
ACCESS = {401, 403, 429}


def operations(document):
    for path, item in document["paths"].items():
        fixed = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path.rstrip("/")))
        for method, operation in item.items():
            statuses = {int(s): kinds(answer) for s, answer in operation["responses"].items() if s.isdigit()}
            yield method.upper(), re.compile(f"(/api)?{fixed}/?"), path.count("{"), operation["operationId"], statuses


def kinds(answer):
    return set(answer.get("content", {}).get("application/problem+json", {}).get("examples", {}))


def main():
    document = json.load(open(sys.argv[1], encoding="utf-8"))
    # A fixed path segment takes precedence over a parameter.
    known = sorted(operations(document), key=lambda operation: operation[2])
    seen = {operation[3]: {} for operation in known}
    for file in pathlib.Path(sys.argv[2]).iterdir():
        for line in file.read_text(encoding="utf-8").splitlines():
            method, path, status, kind = line.split()
            method = "GET" if method == "HEAD" else method
            found = next((o for o in known if o[0] == method and o[1].fullmatch(path)), None)
            if found:
                seen[found[3]].setdefault(int(status), set()).add(kind)
    problems = []
    for _, _, _, name, statuses in known:
        answered = seen[name]
        if not any(s < 400 for s in answered):
            problems.append(f"{name}: no test of success")
        failures = {s for s in statuses if 400 <= s < 500}
        significant = failures - ACCESS or failures
        if not answered.keys() & significant:
            problems.append(f"{name}: no test of failure with any of {sorted(significant)}")
        unknown = answered.keys() - statuses.keys() - ANY
        if unknown:
            problems.append(f"{name}: responded with {sorted(unknown)}, which the document doesn't declare")
        for status, reported in sorted(answered.items()):
            unknown = reported - statuses.get(status, set()) - ANY_KINDS
            if unknown:
                problems.append(f"{name}: responded with {status} {sorted(unknown)}, which the document doesn't declare")
    print("\n".join(problems) or f"{len(known)} operations: success and failure of each are tested")
    sys.exit(bool(problems))


main()
