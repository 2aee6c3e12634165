#!/usr/bin/env python3
"""Simplifies the OpenAPI document for the Rust templates of openapi-generator: document.py openapi.json > FILE

It changes two things:
- Node kinds have no discriminator. With one, the templates would remove `node_type` from the structs.
- A JSON Schema is any JSON value. The templates don't support "a string or an arbitrary object".
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
