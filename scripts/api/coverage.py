#!/usr/bin/env python3
"""Whether the outside suite has seen every operation of the document succeed and fail.

    scripts/api/coverage.py openapi/openapi.json FOLDER

FOLDER holds what tests/it/support/coverage.rs wrote: lines of method, path, status and kind of problem. There is no list of
exceptions: an operation that is added has its tests, or `make test` fails. Nor may it answer with a status, or a kind
of problem, that the document doesn't have at the operation.
"""

import json
import pathlib
import re
import sys

# What any call can answer before it is looked into: the `default` response of each.
ANY = {400, 403, 404, 405, 414, 431}
ANY_KINDS = {"-", "bad-request", "cross-site", "path-not-found", "method-not-allowed", "uri-too-long", "headers-too-large"}
# What doesn't tell whether an operation's own refusals are tested, where it has others.
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
    # A fixed word goes before a parameter in its place.
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
            problems.append(f"{name}: no test in which it succeeds")
        failures = {s for s in statuses if 400 <= s < 500}
        telling = failures - ACCESS or failures
        if not answered.keys() & telling:
            problems.append(f"{name}: no test in which it fails with any of {sorted(telling)}")
        unknown = answered.keys() - statuses.keys() - ANY
        if unknown:
            problems.append(f"{name}: answered {sorted(unknown)}, which the document doesn't say")
        for status, told in sorted(answered.items()):
            unknown = told - statuses.get(status, set()) - ANY_KINDS
            if unknown:
                problems.append(f"{name}: answered {status} {sorted(unknown)}, which the document doesn't say")
    print("\n".join(problems) or f"{len(known)} operations: each was seen to succeed and to fail")
    sys.exit(bool(problems))


main()
