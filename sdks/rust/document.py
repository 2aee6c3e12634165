#!/usr/bin/env python3
"""The OpenAPI document as openapi-generator's Rust templates can take it: document.py openapi.json > FILE

Two things are said more loosely there, and nothing else:
- the kinds of nodes are told apart by what they have, and not by a discriminator, because the templates would take
  `node_type` away from the structs and then miss it;
- a JSON Schema is any JSON value: the templates have no name for "a text, or an object with any members".
"""
import json
import sys

document = json.load(open(sys.argv[1], encoding="utf-8"))
schemas = document["components"]["schemas"]
del schemas["KnownNode"]["discriminator"]
for schema in schemas.values():
    described = schema.get("properties", {}).get("output_json_schema")
    if described is not None:
        schema["properties"]["output_json_schema"] = {"description": described.get("description", "A JSON Schema.")}
schemas.pop("OutputJsonSchemaObject", None)
json.dump(document, sys.stdout, indent=2)
