# Copyright (C) rs-gateway contributors
#
# Validates answers against an OpenAPI 3.1 document, for RS/OpenAPI.pm.
#
#   openapi_check.py DOCUMENT      ANSWERS on stdin: a JSON array of
#       {"method", "path", "status", "headers": {lower-case name: value},
#        "body": text}
#
# path is the document's, with {id}.  Prints one line for each thing wrong.

import json
import sys

import jsonschema

with open(sys.argv[1], encoding="utf-8") as f:
    DOC = json.load(f)

VALIDATORS = {}


def resolve(node):
    while "$ref" in node:
        at = DOC
        for part in node["$ref"].removeprefix("#/").split("/"):
            at = at[part]
        node = at

    return node


def validator(schema):
    # top-level fields the document does not name are wrong too

    key = json.dumps(schema, sort_keys=True)

    if key not in VALIDATORS:
        whole = {"$schema": "https://json-schema.org/draft/2020-12/schema",
                 "allOf": [schema], "components": DOC["components"]}

        if "$ref" in schema:
            whole["unevaluatedProperties"] = False

        jsonschema.Draft202012Validator.check_schema(whole)
        VALIDATORS[key] = jsonschema.Draft202012Validator(whole)

    return VALIDATORS[key]


def check(answer):
    operation = DOC["paths"][answer["path"]][answer["method"].lower()]
    response = operation["responses"].get(str(answer["status"]))

    if response is None:
        yield f"status {answer['status']} is not documented: {answer['body']}"
        return

    response = resolve(response)

    for name, header in response.get("headers", {}).items():
        value = answer["headers"].get(name.lower())

        if value is None:
            yield f"no header {name}"
            continue

        schema = resolve(header).get("schema", {})

        if schema.get("type") == "integer":
            value = int(value)

        for e in validator(schema).iter_errors(value):
            yield f"header {name}: {e.message}"

    content = response.get("content")

    if content is None:
        if answer["body"]:
            yield "a body, but none is documented"
        return

    media = answer["headers"].get("content-type")

    if media not in content:
        yield f"Content-Type {media} is not documented"
        return

    body = answer["body"]

    if media.endswith("json"):
        body = json.loads(body)

    for e in validator(content[media]["schema"]).iter_errors(body):
        yield f"{e.json_path}: {e.message}"


def main():
    for answer in json.load(sys.stdin):
        for text in check(answer):
            print(f"{answer['method']} {answer['path']} {answer['status']}: "
                  f"{text}")


main()
