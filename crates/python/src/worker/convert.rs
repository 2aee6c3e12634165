//! Conversions between JSON and the values of the interpreter.

use monty_types::{DictPairs, MontyObject};
use num_bigint::BigInt;
use num_traits::ToPrimitive;
use serde_json::{Map, Number, Value};

use crate::protocol::Failure;

/// Maximum nesting of a returned value. serde_json parses at most 128 levels.
const MAX_DEPTH: usize = 100;

/// Converts a JSON value to a Python value: objects to dicts, arrays to lists.
pub(super) fn to_python(value: Value) -> MontyObject {
    match value {
        Value::Null => MontyObject::None,
        Value::Bool(value) => MontyObject::Bool(value),
        Value::Number(number) => number_to_python(&number),
        Value::String(text) => MontyObject::String(text),
        Value::Array(items) => MontyObject::List(items.into_iter().map(to_python).collect()),
        Value::Object(fields) => object_to_python(fields),
    }
}

/// Converts a JSON object to a dict.
pub(super) fn object_to_python(fields: Map<String, Value>) -> MontyObject {
    let pairs: DictPairs =
        fields.into_iter().map(|(name, value)| (MontyObject::String(name), to_python(value))).collect();
    MontyObject::Dict(pairs)
}

fn number_to_python(number: &Number) -> MontyObject {
    if let Some(int) = number.as_i64() {
        MontyObject::Int(int)
    } else if let Some(int) = number.as_u64() {
        MontyObject::BigInt(BigInt::from(int))
    } else {
        // `None` only if serde_json is built to store numbers as text.
        MontyObject::Float(number.as_f64().unwrap_or(f64::NAN))
    }
}

/// Converts a returned value to JSON.
///
/// # Errors
/// [`Failure::NotJson`] with the reason and the location in the value.
pub(super) fn to_json(value: MontyObject) -> Result<Value, Failure> {
    let mut path = Vec::new();
    convert(value, &mut path).map_err(|reason| {
        Failure::NotJson(match path.is_empty() {
            true => reason,
            false => format!("{reason}, at {}", path.concat()),
        })
    })
}

/// Converts a value. After an error, `path` is the path of the part that caused it.
fn convert(value: MontyObject, path: &mut Vec<String>) -> Result<Value, String> {
    if path.len() >= MAX_DEPTH {
        path.clear();
        return Err(format!("it's nested more than {MAX_DEPTH} levels deep"));
    }
    Ok(match value {
        MontyObject::None => Value::Null,
        MontyObject::Bool(value) => Value::Bool(value),
        MontyObject::Int(int) => Value::Number(int.into()),
        MontyObject::BigInt(int) => Value::Number(big_int(&int)?),
        MontyObject::Float(float) => {
            Value::Number(Number::from_f64(float).ok_or_else(|| format!("JSON has no number like {float}"))?)
        }
        MontyObject::String(text) | MontyObject::Path(text) => Value::String(text),
        MontyObject::List(items)
        | MontyObject::Tuple(items)
        | MontyObject::Set(items)
        | MontyObject::FrozenSet(items)
        | MontyObject::NamedTuple { values: items, .. } => Value::Array(array(items, path)?),
        MontyObject::Dict(pairs) => Value::Object(object(pairs, path)?),
        MontyObject::ClassInstance(instance) if instance.class_type.is_dataclass => {
            Value::Object(object(instance.attrs, path)?)
        }
        // Not the repr, but the result of `isoformat()`.
        MontyObject::Date(_) | MontyObject::DateTime(_) | MontyObject::Time(_) => {
            Value::String(iso_format(&value))
        }
        other => return Err(conversion_error(&other)),
    })
}

/// Converts the items of a list.
fn array(items: Vec<MontyObject>, path: &mut Vec<String>) -> Result<Vec<Value>, String> {
    let mut values = Vec::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        path.push(format!("[{index}]"));
        values.push(convert(item, path)?);
        path.pop();
    }
    Ok(values)
}

/// Converts the items of a dict.
fn object(pairs: DictPairs, path: &mut Vec<String>) -> Result<Map<String, Value>, String> {
    let mut fields = Map::new();
    for (key, value) in pairs {
        let name = key_text(key)?;
        path.push(format!("[{name:?}]"));
        fields.insert(name, convert(value, path)?);
        path.pop();
    }
    Ok(fields)
}

/// Converts the key of a dict to text, like `json.dumps`.
fn key_text(key: MontyObject) -> Result<String, String> {
    Ok(match key {
        MontyObject::String(text) => text,
        MontyObject::None => "null".to_owned(),
        MontyObject::Bool(true) => "true".to_owned(),
        MontyObject::Bool(false) => "false".to_owned(),
        MontyObject::Int(_) | MontyObject::BigInt(_) | MontyObject::Float(_) => key.py_repr(),
        MontyObject::Date(_) | MontyObject::DateTime(_) => iso_format(&key),
        other => {
            let type_name = other.type_name();
            return Err(format!("a key must be text or a number, not {type_name}"));
        }
    })
}

fn big_int(int: &BigInt) -> Result<Number, String> {
    int.to_i64()
        .map(Number::from)
        .or_else(|| int.to_u64().map(Number::from))
        .ok_or_else(|| "the integer has more than 64 bits; return it as text with str()".to_owned())
}

/// Returns the reason why a value can't be converted, with a remedy if there is one.
fn conversion_error(value: &MontyObject) -> String {
    let hint = match value {
        MontyObject::Cycle(..) => return "it contains itself".to_owned(),
        MontyObject::Bytes(_) => "; decode() them or use base64",
        MontyObject::TimeDelta(_) => "; use total_seconds()",
        MontyObject::ClassInstance(_) => "; return a dict of its attributes",
        _ => "",
    };
    format!("values of type {} aren't JSON{hint}", value.type_name())
}

/// Formats a date, a time or both like Python's `isoformat()`.
fn iso_format(value: &MontyObject) -> String {
    match value {
        MontyObject::Date(d) => format!("{:04}-{:02}-{:02}", d.year, d.month, d.day),
        MontyObject::DateTime(d) => format!(
            "{:04}-{:02}-{:02}T{}{}",
            d.year,
            d.month,
            d.day,
            time_text(d.hour, d.minute, d.second, d.microsecond),
            offset(d.offset_seconds)
        ),
        MontyObject::Time(t) => {
            format!("{}{}", time_text(t.hour, t.minute, t.second, t.microsecond), offset(t.offset_seconds))
        }
        other => other.py_repr(),
    }
}

fn time_text(hour: u8, minute: u8, second: u8, microsecond: u32) -> String {
    let fraction = match microsecond {
        0 => String::new(),
        micros => format!(".{micros:06}"),
    };
    format!("{hour:02}:{minute:02}:{second:02}{fraction}")
}

/// Formats a UTC offset in seconds as `+hh:mm`, or `+hh:mm:ss` if it has seconds.
fn offset(seconds: Option<i32>) -> String {
    let Some(seconds) = seconds else {
        return String::new();
    };
    let sign = if seconds < 0 { '-' } else { '+' };
    let total = seconds.unsigned_abs();
    let seconds = match total % 60 {
        0 => String::new(),
        seconds => format!(":{seconds:02}"),
    };
    format!("{sign}{:02}:{:02}{seconds}", total / 3600, total / 60 % 60)
}
