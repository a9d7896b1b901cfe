#!/usr/bin/env python3
#
# Copyright (C) rs-gateway contributors
#
# The bill of materials that lies beside the packages: it is of these packages,
# it names all that they need and no more, and its schema would refuse another.

import copy
import glob
import json
import os
import re
import subprocess
import sys

import jsonschema

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
SUITE = os.environ.get("RS_SUITE", "bookworm")
POOL = os.path.join(TOP, "build", "repo", "pool", SUITE)
BUILT = os.path.join(TOP, "build", "deb", SUITE)

tests = failed = 0


def ok(good, name, detail=""):
    global tests, failed

    tests += 1
    failed += not good
    print(f"{'ok' if good else 'not ok'} {tests} - {name}")

    if not good and detail:
        print(f"# {detail}")


def packages():
    """name -> fields, as apt sees them."""

    found = {}
    path = glob.glob(os.path.join(TOP, "build", "repo", "dists", SUITE, "main",
                                  "*", "Packages"))[0]

    with open(path, encoding="utf-8") as f:
        for text in f.read().split("\n\n"):
            p = dict(re.findall(r"(?m)^([A-Za-z0-9-]+): (.*)$", text))

            if p and not p["Package"].endswith("-dbgsym"):
                found[p["Package"]] = p

    return found


def refused(document, schema, change):
    other = copy.deepcopy(document)
    change(other)

    try:
        jsonschema.validate(other, schema)

    except jsonschema.ValidationError:
        return True

    return False


def main():
    files = glob.glob(os.path.join(POOL, "*.cdx.json"))

    if len(files) != 1:
        print(f"Bail out!  {len(files)} bills in {POOL}: make repo")
        return 1

    with open(files[0], encoding="utf-8") as f:
        text = f.read()

    document = json.loads(text)
    parts = {c["bom-ref"]: c for c in document["components"]}
    needs = {d["ref"]: d["dependsOn"] for d in document["dependencies"]}
    ours = {c["name"]: c for r, c in parts.items()
            if r.startswith("pkg:deb/rs-gateway/")}
    apt = packages()

    ok(set(ours) == set(apt), "all packages are in it", f"{set(ours)}")

    for name in sorted(ours):
        ok(ours[name]["hashes"] == [{"alg": "SHA-256",
                                     "content": apt[name]["SHA256"]}],
           f"{name} has the checksum that apt sees")

    ok(set(needs) == set(parts) | {"rs-gateway"},
       "each part says what it needs")
    ok(set().union(*needs.values()) == set(parts), "and is needed by another")

    module = needs[ours["libnginx-mod-http-rs-signal"]["bom-ref"]]
    ok(any(parts[r]["name"] == "libhiredis-dev" and parts[r].get("version")
           for r in module), "the hiredis that is linked in has a version")

    console = needs[ours["rs-console"]["bom-ref"]]
    ok([parts[r]["name"] for r in console] == ["oidc-client-ts"]
       and [parts[r]["name"] for r in needs[console[0]]] == ["jwt-decode"],
       "the console's are npm's")

    again = subprocess.run([os.path.join(TOP, "util", "sbom"), BUILT],
                           capture_output=True, text=True, check=True).stdout
    ok(again == text, "made once more it is the same")

    with open(os.path.join(TOP, "util", "sbom.schema.json"),
              encoding="utf-8") as f:
        schema = json.load(f)

    jsonschema.validate(document, schema)

    for name, change in [
        ("another format", lambda d: d.update(bomFormat="SPDX")),
        ("a field of its own", lambda d: d.update(comment="x")),
        ("no components", lambda d: d.update(components=[])),
        ("a component without a name",
         lambda d: d["components"][0].pop("name")),
        ("a component of no registry",
         lambda d: d["components"][0].update(purl="https://localhost/x")),
        ("half a checksum", lambda d: ours_of(d)["hashes"][0].update(
            content="ab12")),
        ("a licence nobody has named", lambda d: ours_of(d).update(
            licenses=[{"license": {"id": "MTI"}}])),
        ("a need that is no text",
         lambda d: d["dependencies"][0].update(dependsOn=[1])),
    ]:
        ok(refused(document, schema, change), f"the schema refuses {name}")

    print(f"1..{tests}")
    return 1 if failed else 0


def ours_of(document):
    return next(c for c in document["components"] if c["name"] == "rs-tools")


sys.exit(main())
