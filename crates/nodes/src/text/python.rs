//! Python's conversions of values to text, numbers and booleans, which routers use to compare values.
//!
//! The crate `rustpython-literal` is not a replacement. Version 0.4 parses only ASCII digits, and escapes characters
//! that are newer than Unicode 10. Version 0.6 has 70 dependencies.

use std::fmt::Write as _;

use serde_json::{Number, Value};

/// Returns the result of Python's `str()`.
///
/// The Unicode version of the Rust standard library determines which characters in nested texts are escaped. It may be
/// newer than that of Python. `-0`, which serde_json parses as a float, becomes `-0.0`.
pub(crate) fn to_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => {
            let mut out = String::new();
            repr(&mut out, other);
            out
        }
    }
}

/// Returns the result of Python's `float()`, or `None` if it raises an exception.
pub(crate) fn to_float(value: &Value) -> Option<f64> {
    match value {
        Value::Bool(truth) => Some(f64::from(u8::from(*truth))),
        Value::Number(number) => number.as_f64(),
        Value::String(text) => parse_float(text),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Returns the result of Python's `bool()`.
pub(crate) fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(truth) => *truth,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
    }
}

fn repr(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("None"),
        Value::Bool(true) => out.push_str("True"),
        Value::Bool(false) => out.push_str("False"),
        Value::Number(number) => repr_number(out, number),
        Value::String(text) => repr_text(out, text),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { ", " });
                repr(out, item);
            }
            out.push(']');
        }
        Value::Object(fields) => {
            out.push('{');
            for (index, (key, field)) in fields.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { ", " });
                repr_text(out, key);
                out.push_str(": ");
                repr(out, field);
            }
            out.push('}');
        }
    }
}

fn repr_number(out: &mut String, number: &Number) {
    match number.as_f64().filter(|_| number.is_f64()) {
        Some(float) => repr_float(out, float),
        None => out.push_str(&number.to_string()),
    }
}

/// Writes the shortest digits that parse as `float`, with an exponent if the number is very large or very small.
fn repr_float(out: &mut String, float: f64) {
    let scientific = format!("{float:e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return out.push_str(&scientific) };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..16).contains(&exponent) {
        // `Display` never uses an exponent, and omits a fraction of zero.
        let plain = float.to_string();
        out.push_str(&plain);
        out.push_str(if plain.contains('.') { "" } else { ".0" });
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        let _ = write!(out, "{mantissa}e{sign}{:02}", exponent.unsigned_abs());
    }
}

fn repr_text(out: &mut String, text: &str) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for c in text.chars() {
        let code = u32::from(c);
        let _ = match c {
            '\\' => out.write_str("\\\\"),
            '\n' => out.write_str("\\n"),
            '\r' => out.write_str("\\r"),
            '\t' => out.write_str("\\t"),
            c if c == quote => write!(out, "\\{c}"),
            c if is_printable(c) => out.write_char(c),
            _ if code <= 0xff => write!(out, "\\x{code:02x}"),
            _ if code <= 0xffff => write!(out, "\\u{code:04x}"),
            _ => write!(out, "\\U{code:08x}"),
        };
    }
    out.push(quote);
}

/// Returns true if Python prints `c` without escaping it. `escape_debug` uses the same table, and doesn't escape
/// combining characters after another character, as Python does.
fn is_printable(c: char) -> bool {
    if matches!(c, ' '..='~') {
        return true;
    }
    let pair = String::from_iter(['a', c]);
    pair.escape_debug().count() == 2
}

fn parse_float(text: &str) -> Option<f64> {
    let digits: String = text.trim_matches(char::is_whitespace).chars().map(ascii_digit).collect();
    let unsigned = digits.strip_prefix(['+', '-']).unwrap_or(&digits);
    let is_named = ["inf", "infinity", "nan"].iter().any(|name| unsigned.eq_ignore_ascii_case(name));
    if is_named {
        return digits.parse().ok();
    }
    let bytes = digits.as_bytes();
    let is_digit =
        |index: Option<usize>| index.and_then(|index| bytes.get(index)).is_some_and(u8::is_ascii_digit);
    let is_allowed = |(index, byte): (usize, &u8)| match byte {
        b'_' => is_digit(index.checked_sub(1)) && is_digit(Some(index + 1)),
        b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E' => true,
        _ => false,
    };
    if !bytes.iter().enumerate().all(is_allowed) {
        return None;
    }
    digits.replace('_', "").parse().ok()
}

/// The zeros of all sets of decimal digits outside ASCII. Each zero is followed by the other nine digits.
const ZEROS: [u32; 65] = [
    0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xde6, 0xe50, 0xed0,
    0xf20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50, 0x1bb0, 0x1c40, 0x1c50,
    0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10, 0x104a0, 0x10d30, 0x11066, 0x110f0,
    0x11136, 0x111d0, 0x112f0, 0x11450, 0x114d0, 0x11650, 0x116c0, 0x11730, 0x118e0, 0x11950, 0x11c50,
    0x11d50, 0x11da0, 0x16a60, 0x16ac0, 0x16b50, 0x1d7ce, 0x1d7d8, 0x1d7e2, 0x1d7ec, 0x1d7f6, 0x1e140,
    0x1e2f0, 0x1e950, 0x1fbf0,
];

/// Returns the ASCII digit with the same value, or `c` itself.
fn ascii_digit(c: char) -> char {
    if c.is_ascii() {
        return c;
    }
    let end = ZEROS.partition_point(|zero| *zero <= u32::from(c));
    let number = end.checked_sub(1).and_then(|index| ZEROS.get(index)).map(|zero| u32::from(c) - zero);
    number.and_then(|number| char::from_digit(number, 10)).unwrap_or(c)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// JSON, and the result of `str(json.loads(..))` in Python 3.11.
    const TEXTS: &[(&str, &str)] = &[
        (r##"null"##, "None"),
        (r##"true"##, "True"),
        (r##"false"##, "False"),
        (r##"0"##, "0"),
        (r##"1"##, "1"),
        (r##"-7"##, "-7"),
        (r##"9007199254740993"##, "9007199254740993"),
        (r##"18446744073709551615"##, "18446744073709551615"),
        (r##"-9223372036854775808"##, "-9223372036854775808"),
        (r##"1.0"##, "1.0"),
        (r##"-0.0"##, "-0.0"),
        (r##"0.1"##, "0.1"),
        (r##"100.0"##, "100.0"),
        (r##"1e15"##, "1000000000000000.0"),
        (r##"1e16"##, "1e+16"),
        (r##"123456789012345680.0"##, "1.2345678901234568e+17"),
        (r##"9999999999999998.0"##, "9999999999999998.0"),
        (r##"1e22"##, "1e+22"),
        (r##"1e100"##, "1e+100"),
        (r##"1.5e300"##, "1.5e+300"),
        (r##"0.0001"##, "0.0001"),
        (r##"0.00001"##, "1e-05"),
        (r##"1.5e-7"##, "1.5e-07"),
        (r##"5e-324"##, "5e-324"),
        (r##"1.7976931348623157e308"##, "1.7976931348623157e+308"),
        (r##"2.5"##, "2.5"),
        (r##"123.456"##, "123.456"),
        (r##"3.141592653589793"##, "3.141592653589793"),
        (r##"0.30000000000000004"##, "0.30000000000000004"),
        (r##""plain""##, "plain"),
        (r##""""##, ""),
        (r##""it's""##, "it's"),
        (r##"[]"##, "[]"),
        (r##"{}"##, "{}"),
        (r##"[1, 2.0, null, true, "a"]"##, "[1, 2.0, None, True, 'a']"),
        (r##"{"a": 1, "b": [false, {"c": "d"}]}"##, "{'a': 1, 'b': [False, {'c': 'd'}]}"),
        (r##"["it's"]"##, "[\u{22}it's\u{22}]"),
        (r##"["say \"hi\""]"##, "['say \u{22}hi\u{22}']"),
        (r##"["it's \"both\""]"##, "['it\u{5c}'s \u{22}both\u{22}']"),
        (r##"["back\\slash"]"##, "['back\u{5c}\u{5c}slash']"),
        (r##"["a\nb\tc\rd"]"##, "['a\u{5c}nb\u{5c}tc\u{5c}rd']"),
        (r##"["\u0000\u001b\u007f"]"##, "['\u{5c}x00\u{5c}x1b\u{5c}x7f']"),
        (r##"["\u0085\u00a0\u00ad"]"##, "['\u{5c}x85\u{5c}xa0\u{5c}xad']"),
        (r##"["é ü ñ"]"##, "['\u{e9} \u{fc} \u{f1}']"),
        (r##"["\u200b\u2028\u3000"]"##, "['\u{5c}u200b\u{5c}u2028\u{5c}u3000']"),
        (r##"["日本語"]"##, "['\u{65e5}\u{672c}\u{8a9e}']"),
        (r##"["😀"]"##, "['\u{1f600}']"),
        (r##"["\ue000"]"##, "['\u{5c}ue000']"),
        (r##"["\udb40\udc01"]"##, "['\u{5c}U000e0001']"),
        (r##"["e\u0301"]"##, "['e\u{301}']"),
        (r##"["\u0301"]"##, "['\u{301}']"),
        (r##"["\ufeff"]"##, "['\u{5c}ufeff']"),
        (r##"["\uffff"]"##, "['\u{5c}uffff']"),
        (r##"{"it's": "\n"}"##, "{\u{22}it's\u{22}: '\u{5c}n'}"),
    ];

    /// JSON, and the result of `float(json.loads(..))` in Python 3.11.
    const FLOATS: &[(&str, Option<f64>)] = &[
        (r##""1""##, Some(1.0)),
        (r##"" 2 ""##, Some(2.0)),
        (r##""\t3\n""##, Some(3.0)),
        (r##""1_000""##, Some(1000.0)),
        (r##""1__0""##, None),
        (r##""_1""##, None),
        (r##""1_""##, None),
        (r##""1_.5""##, None),
        (r##""1._5""##, None),
        (r##""1_0.0_1e1_0""##, Some(100100000000.0)),
        (r##""1e3""##, Some(1000.0)),
        (r##""1E+3""##, Some(1000.0)),
        (r##""1e""##, None),
        (r##""e1""##, None),
        (r##"".""##, None),
        (r##""1.""##, Some(1.0)),
        (r##"".5""##, Some(0.5)),
        (r##""+4""##, Some(4.0)),
        (r##""-4""##, Some(-4.0)),
        (r##""--4""##, None),
        (r##""+ 4""##, None),
        (r##""inf""##, Some(f64::INFINITY)),
        (r##""-Infinity""##, Some(f64::NEG_INFINITY)),
        (r##""INF""##, Some(f64::INFINITY)),
        (r##""+nan""##, Some(f64::NAN)),
        (r##""NaN""##, Some(f64::NAN)),
        (r##""infin""##, None),
        (r##""0x10""##, None),
        (r##""""##, None),
        (r##"" ""##, None),
        (r##""١٢.٥""##, Some(12.5)),
        (r##""１２""##, Some(12.0)),
        (r##""1 2""##, None),
        (r##""\u00a05\u3000""##, Some(5.0)),
        (r##""\u001c5""##, None),
        (r##""\u200b5""##, None),
        (r##""1,000""##, None),
        (r##""1e400""##, Some(f64::INFINITY)),
        (r##""-1e400""##, Some(f64::NEG_INFINITY)),
        (r##""True""##, None),
        (r##"true"##, Some(1.0)),
        (r##"false"##, Some(0.0)),
        (r##"3"##, Some(3.0)),
        (r##"2.5"##, Some(2.5)),
        (r##"null"##, None),
        (r##"[]"##, None),
        (r##"{}"##, None),
        (r##"[1]"##, None),
        (r##""1d""##, None),
        (r##""infinity_""##, None),
        (r##""i_nf""##, None),
        (r##""²""##, None),
        (r##""1e-400""##, Some(0.0)),
    ];

    #[test]
    fn texts_match_python() {
        for (json, expected) in TEXTS {
            assert_eq!(to_text(&serde_json::from_str(json).unwrap()), *expected, "{json}");
        }
    }

    #[test]
    fn floats_match_python() {
        for (json, expected) in FLOATS {
            let found = to_float(&serde_json::from_str(json).unwrap());
            let both_nan = found.is_some_and(f64::is_nan) && expected.is_some_and(f64::is_nan);
            assert!(both_nan || found == *expected, "{json}: {found:?}, not {expected:?}");
        }
    }

    #[test]
    fn empty_values_are_false() {
        for json in ["null", "false", "0", "0.0", "-0.0", "\"\"", "[]", "{}"] {
            assert!(!is_truthy(&serde_json::from_str(json).unwrap()), "{json}");
        }
        for json in ["true", "1", "-0.5", "\" \"", "\"0\"", "\"False\"", "[null]", "{\"\": null}"] {
            assert!(is_truthy(&serde_json::from_str(json).unwrap()), "{json}");
        }
    }

    proptest! {
        #[test]
        fn floats_parse_to_the_same_value(number in proptest::num::f64::NORMAL | proptest::num::f64::SUBNORMAL | proptest::num::f64::ZERO) {
            let written = to_text(&Value::from(number));
            prop_assert_eq!(written.parse::<f64>().unwrap().to_bits(), number.to_bits());
            prop_assert!(written.contains(['.', 'e']));
            prop_assert_eq!(to_float(&Value::String(written)).unwrap().to_bits(), number.to_bits());
        }

        #[test]
        fn integers_print_their_digits(number in any::<i64>()) {
            prop_assert_eq!(to_text(&Value::from(number)), number.to_string());
        }

        #[test]
        fn nested_text_is_quoted(plain in "[a-zA-Z0-9 äß]*") {
            prop_assert_eq!(to_text(&Value::from(vec![plain.clone()])), format!("['{plain}']"));
        }

        #[test]
        fn nested_text_prints_on_one_line(any in any::<String>()) {
            let written = to_text(&Value::from(vec![any]));
            let breaks = ['\n', '\r', '\0', '\u{2028}'];
            prop_assert!(!written.contains(breaks));
        }

        #[test]
        fn to_float_accepts_any_text(any in any::<String>()) {
            let _ = to_float(&Value::String(any));
        }
    }
}
