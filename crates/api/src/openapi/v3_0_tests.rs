use serde_json::{Value, json};

use super::{convert, convert_schema};

fn convert_shape(mut shape: Value) -> Value {
    convert_schema(&mut shape);
    shape
}

#[test]
fn schemas_are_converted_to_3_0() {
    for (newer, expected) in [
        (json!({"type": ["string", "null"]}), json!({"type": "string", "nullable": true})),
        (json!({"type": ["string", "object"]}), json!({"anyOf": [{"type": "string"}, {"type": "object"}]})),
        (json!({"const": "a"}), json!({"enum": ["a"]})),
        (json!({"exclusiveMinimum": 3}), json!({"exclusiveMinimum": true, "minimum": 3})),
        (json!({"examples": [1, 2]}), json!({"example": 1})),
        (
            json!({"$ref": "#/a", "description": "An a."}),
            json!({"description": "An a.", "allOf": [{"$ref": "#/a"}]}),
        ),
        (json!({"$ref": "#/a"}), json!({"$ref": "#/a"})),
        (
            json!({"oneOf": [{"$ref": "#/a", "description": "An a."}, {"type": "null"}]}),
            json!({"nullable": true, "allOf": [{"$ref": "#/a"}], "description": "An a."}),
        ),
        (
            json!({"oneOf": [{"$ref": "#/a"}, {"$ref": "#/b"}, {"type": "null"}]}),
            json!({"oneOf": [{"nullable": true, "allOf": [{"$ref": "#/a"}]}, {"$ref": "#/b"}]}),
        ),
        (
            json!({"type": "string", "enum": ["a", null]}),
            json!({"type": "string", "enum": ["a", null], "nullable": true}),
        ),
        (
            json!({"properties": {"const": {"const": 1}, "type": true}}),
            json!({"properties": {"const": {"enum": [1]}, "type": {}}}),
        ),
        (json!({"additionalProperties": true}), json!({"additionalProperties": {}})),
        (
            json!({"type": "string", "contentMediaType": "application/octet-stream"}),
            json!({"type": "string", "format": "binary"}),
        ),
    ] {
        assert_eq!(convert_shape(newer.clone()), expected, "{newer}");
    }
}

#[test]
fn nullable_schemas_have_a_type() {
    let schemas = json!({
        "Size": {"type": "string", "enum": ["s", "l"]},
        "Shirt": {"type": "object", "properties": {
            "size": {"oneOf": [{"$ref": "#/components/schemas/Size", "description": "How large."}, {"type": "null"}]},
            "color": {"type": ["string", "object", "null"]},
        }},
    });
    let document = convert(json!({"info": {}, "paths": {}, "components": {"schemas": schemas}}));
    let properties = &document["components"]["schemas"]["Shirt"]["properties"];
    let size = json!({"nullable": true, "allOf": [{"$ref": "#/components/schemas/Size"}],
        "description": "How large.", "type": "string"});
    assert_eq!(properties["size"], size);
    let color =
        json!({"anyOf": [{"type": "string", "nullable": true}, {"type": "object", "nullable": true}]});
    assert_eq!(properties["color"], color);
}

#[test]
fn scopes_move_to_the_description() {
    let operation = json!({"description": "Does it.", "security": [{"bearer": ["runs:read"]}, {"apiKey": ["runs:read"]}]});
    let document = convert(
        json!({"openapi": "3.1.0", "components": {}, "info": {"license": {"name": "MIT", "identifier": "MIT"}},
        "paths": {"/": {"get": operation}}}),
    );
    assert_eq!(document["openapi"], "3.0.3");
    assert_eq!(document["info"]["license"], json!({"name": "MIT"}));
    let operation = &document["paths"]["/"]["get"];
    assert_eq!(operation["security"], json!([{"bearer": []}, {"apiKey": []}]));
    assert_eq!(operation["description"], "Does it.\n\nThe API key needs the scope `runs:read`.");
}
