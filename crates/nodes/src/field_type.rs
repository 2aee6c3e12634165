//! The types that an `output_schema` names: what fits them, and what can be made to fit.

use serde_json::{Map, Number, Value};
use sluice_domain::guard;

use crate::{python_text, wording};

/// The type of one field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FieldType {
    Text,
    Integer,
    Number,
    Boolean,
    List,
    Object,
    /// A type that this server doesn't look into, as `List[Dict[str, str]]`.
    Any,
}

impl FieldType {
    /// The type that a value of an `output_schema` names.
    pub(crate) fn named(name: &Value) -> Self {
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

    /// The type in words.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Integer => "a whole number",
            Self::Number => "a number",
            Self::Boolean => "true or false",
            Self::List => "a list",
            Self::Object => "an object",
            Self::Any => "any value",
        }
    }

    /// Whether `value` is of this type as it stands.
    pub(crate) fn fits(self, value: &Value) -> bool {
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

    /// `value` as this type, where nothing is lost by it; none where it is no such value.
    pub(crate) fn coerced(self, value: Value) -> Option<Value> {
        match self {
            Self::Integer => integer(value),
            Self::Number => number(value),
            Self::Boolean => boolean(&value).map(Value::Bool),
            Self::Text | Self::List | Self::Object | Self::Any => self.fits(&value).then_some(value),
        }
    }

    /// A text as this type; lists and objects are written as JSON.
    fn of_text(self, text: &Value) -> Option<Value> {
        let (Self::List | Self::Object) = self else { return self.coerced(text.clone()) };
        let text = text.as_str()?;
        guard::check_json(text.as_bytes()).ok()?;
        serde_json::from_str(text).ok().and_then(|value| self.coerced(value))
    }
}

fn integer(value: Value) -> Option<Value> {
    match value {
        Value::Bool(truth) => Some(Value::from(i64::from(truth))),
        Value::Number(number) if !number.is_f64() => Some(Value::Number(number)),
        Value::Number(number) => integer_of_float(number.as_f64()?),
        Value::String(text) => integer_of_text(&text),
        _ => None,
    }
}

fn integer_of_text(text: &str) -> Option<Value> {
    let float = python_text::float(&Value::from(text))?;
    let digits = text.trim().replace('_', "");
    let whole = digits.parse::<i64>().map(Number::from).or_else(|_| digits.parse::<u64>().map(Number::from));
    let is_plain = digits.contains('.') && !digits.contains(['e', 'E']);
    whole.ok().map(Value::Number).or_else(|| integer_of_float(float).filter(|_| is_plain))
}

/// `4.0` as `4`. What is too large for an integer of JSON stays the float that it is.
fn integer_of_float(float: f64) -> Option<Value> {
    if float.fract() != 0.0 || !float.is_finite() {
        return None;
    }
    let digits = format!("{float:.0}");
    Some(digits.parse::<i64>().map_or_else(|_| Value::from(float), Value::from))
}

fn number(value: Value) -> Option<Value> {
    match value {
        Value::Number(number) => number.as_f64().and_then(Number::from_f64).map(Value::Number),
        Value::Bool(_) | Value::String(_) => {
            python_text::float(&value).and_then(Number::from_f64).map(Value::Number)
        }
        _ => None,
    }
}

fn boolean(value: &Value) -> Option<bool> {
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

/// The fields of `schema` taken from `value`, each of its type; other fields are left out.
///
/// # Errors
/// A sentence for each field that is missing or doesn't fit.
pub(crate) fn conform(
    schema: &Map<String, Value>,
    mut value: Map<String, Value>,
) -> Result<Value, Vec<String>> {
    let mut wrong = Vec::new();
    let mut fields = Map::new();
    for (name, type_name) in schema {
        let expected = FieldType::named(type_name);
        let Some(given) = value.remove(name) else {
            wrong.push(format!("{} is missing, it has to be {}.", wording::quoted(name), expected.noun()));
            continue;
        };
        let was = wording::shown(&given);
        match expected.coerced(given) {
            Some(fitting) => drop(fields.insert(name.clone(), fitting)),
            None => {
                wrong.push(format!("{} is {was}, but has to be {}.", wording::quoted(name), expected.noun()));
            }
        }
    }
    if wrong.is_empty() { Ok(Value::Object(fields)) } else { Err(wrong) }
}

/// The fields of a row of CSV, where every value is a text, as the types that `schema` ({name: type}) declares for
/// them. A text that is no such value stays a text: the node that is given it says what is wrong.
#[must_use]
pub fn of_texts(schema: &Map<String, Value>, fields: Map<String, Value>) -> Map<String, Value> {
    let typed = |name: &str, value: Value| {
        let declared = schema.get(name).map(FieldType::named);
        declared.and_then(|declared| declared.of_text(&value)).unwrap_or(value)
    };
    fields.into_iter().map(|(name, value)| (name.clone(), typed(&name, value))).collect()
}
