//! Field types of an `output_schema`: checks and conversions.

use serde_json::{Map, Number, Value};
use sluice_domain::json_limits;

use crate::text::python;
use crate::text::value_text::{describe, quote};

/// The type of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FieldType {
    Text,
    Integer,
    Number,
    Boolean,
    List,
    Object,
    /// Any other name, such as `List[Dict[str, str]]`: every value has this type.
    Any,
}

impl FieldType {
    /// Returns the type with this name. `name` is a value of an `output_schema`.
    pub(crate) fn from_name(name: &Value) -> Self {
        match name.as_str().map(str::trim) {
            Some("string" | "str") => Self::Text,
            Some("integer" | "int") => Self::Integer,
            Some("number" | "float") => Self::Number,
            Some("boolean" | "bool") => Self::Boolean,
            Some("list" | "array") => Self::List,
            Some("dict" | "object") => Self::Object,
            _ => Self::Any,
        }
    }

    /// Returns the description of the type for messages.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::Text => "a string",
            Self::Integer => "a whole number",
            Self::Number => "a number",
            Self::Boolean => "true or false",
            Self::List => "a list",
            Self::Object => "an object",
            Self::Any => "any value",
        }
    }

    /// Returns true if `value` has this type without conversion.
    pub(crate) fn matches(self, value: &Value) -> bool {
        match self {
            Self::Text => value.is_string(),
            Self::Integer => value.as_f64().is_some_and(|number| number.fract() == 0.0),
            Self::Number => value.is_number(),
            Self::Boolean => value.is_boolean(),
            Self::List => value.is_array(),
            Self::Object => value.is_object(),
            Self::Any => true,
        }
    }

    /// Converts `value` to this type. Returns `None` if that would lose information.
    pub(crate) fn coerce(self, value: Value) -> Option<Value> {
        match self {
            Self::Integer => to_integer(value),
            Self::Number => to_number(value),
            Self::Boolean => to_boolean(&value).map(Value::Bool),
            Self::Text | Self::List | Self::Object | Self::Any => self.matches(&value).then_some(value),
        }
    }

    /// Converts a text to this type. Lists and objects are parsed as JSON.
    fn parse(self, text: &Value) -> Option<Value> {
        let (Self::List | Self::Object) = self else { return self.coerce(text.clone()) };
        let text = text.as_str()?;
        json_limits::check_json(text.as_bytes()).ok()?;
        serde_json::from_str(text).ok().and_then(|value| self.coerce(value))
    }
}

fn to_integer(value: Value) -> Option<Value> {
    match value {
        Value::Bool(truth) => Some(Value::from(i64::from(truth))),
        Value::Number(number) if !number.is_f64() => Some(Value::Number(number)),
        Value::Number(number) => float_to_integer(number.as_f64()?),
        Value::String(text) => parse_integer(&text),
        _ => None,
    }
}

fn parse_integer(text: &str) -> Option<Value> {
    let float = python::to_float(&Value::from(text))?;
    let digits = text.trim().replace('_', "");
    let whole = digits.parse::<i64>().map(Number::from).or_else(|_| digits.parse::<u64>().map(Number::from));
    let is_decimal = digits.contains('.') && !digits.contains(['e', 'E']);
    whole.ok().map(Value::Number).or_else(|| float_to_integer(float).filter(|_| is_decimal))
}

/// Converts `4.0` to `4`. A float beyond 64 bits stays a float.
fn float_to_integer(float: f64) -> Option<Value> {
    if float.fract() != 0.0 || !float.is_finite() {
        return None;
    }
    let digits = format!("{float:.0}");
    Some(digits.parse::<i64>().map_or_else(|_| Value::from(float), Value::from))
}

fn to_number(value: Value) -> Option<Value> {
    match value {
        Value::Number(number) => number.as_f64().and_then(Number::from_f64).map(Value::Number),
        Value::Bool(_) | Value::String(_) => {
            python::to_float(&value).and_then(Number::from_f64).map(Value::Number)
        }
        _ => None,
    }
}

fn to_boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(*truth),
        Value::Number(number) if number.as_f64() == Some(0.0) => Some(false),
        Value::Number(number) if number.as_f64() == Some(1.0) => Some(true),
        Value::String(text) => match text.to_ascii_lowercase().as_str() {
            "true" | "t" | "yes" | "y" | "on" | "1" => Some(true),
            "false" | "f" | "no" | "n" | "off" | "0" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// Converts the fields of an object to the types that `schema` declares. Drops undeclared fields.
///
/// # Errors
/// A message for each field that is missing or can't be converted.
pub(crate) fn conform(
    schema: &Map<String, Value>,
    mut object: Map<String, Value>,
) -> Result<Value, Vec<String>> {
    let mut problems = Vec::new();
    let mut fields = Map::new();
    for (name, type_name) in schema {
        let field_type = FieldType::from_name(type_name);
        let Some(value) = object.remove(name) else {
            problems.push(missing_field(name, field_type));
            continue;
        };
        let got = describe(&value);
        match field_type.coerce(value) {
            Some(value) => drop(fields.insert(name.clone(), value)),
            None => problems.push(wrong_type(name, field_type, &got)),
        }
    }
    if problems.is_empty() { Ok(Value::Object(fields)) } else { Err(problems) }
}

/// Returns the message for a field that is missing.
pub(crate) fn missing_field(name: &str, field_type: FieldType) -> String {
    format!("{} is missing. It must be {}.", quote(name), field_type.noun())
}

/// Returns the message for a field whose value has another type. `got` describes the value.
pub(crate) fn wrong_type(name: &str, field_type: FieldType, got: &str) -> String {
    format!("{} must be {}, got {got}.", quote(name), field_type.noun())
}

/// Converts the fields of a CSV row, which are texts, to the types that `schema` ({name: type}) declares. Keeps texts
/// that can't be converted, so that the node that receives them reports the problem.
#[must_use]
pub fn parse_row(schema: &Map<String, Value>, row: Map<String, Value>) -> Map<String, Value> {
    let mut fields = Map::new();
    for (name, text) in row {
        let field_type = schema.get(&name).map(FieldType::from_name);
        let value = field_type.and_then(|field_type| field_type.parse(&text)).unwrap_or(text);
        fields.insert(name, value);
    }
    fields
}
