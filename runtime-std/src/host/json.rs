//! Values as JSON, for logs and reports.

use std::fmt::Write;

use cocaine_core::wire::Value;

/// A value as JSON in one line. Bytes that are not UTF-8 are replaced by the usual sign, numbers that
/// JSON does not have become null, and keys that are no text become the text of their JSON.
#[must_use]
pub fn to_json(value: &Value) -> String {
    let mut out = String::new();
    write_value(&mut out, value);
    out
}

/// Appends a text with its quotes.
pub(crate) fn write_text(out: &mut String, text: &str) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // Line separators of Unicode end a line in some readers.
            '\0'..='\u{1f}' | '\u{7f}' | '\u{2028}' | '\u{2029}' => {
                push(out, format_args!("\\u{:04x}", letter as u32));
            }
            _ => out.push(letter),
        }
    }
    out.push('"');
}

/// Appends a value.
pub(crate) fn write_value(out: &mut String, value: &Value) {
    match value {
        Value::Nil => out.push_str("null"),
        Value::Bool(flag) => push(out, format_args!("{flag}")),
        Value::Uint(number) => push(out, format_args!("{number}")),
        Value::Int(number) => push(out, format_args!("{number}")),
        // With a point or an exponent, so that it is read as what it is.
        Value::Float(number) if number.is_finite() => push(out, format_args!("{number:?}")),
        Value::Float(_) => out.push_str("null"),
        Value::Raw(bytes) => write_text(out, &String::from_utf8_lossy(bytes)),
        Value::Array(items) => write_items(out, ('[', ']'), items, write_value),
        Value::Map(pairs) => write_items(out, ('{', '}'), pairs, |out, (key, value)| {
            match key {
                Value::Raw(_) => write_value(out, key),
                other => write_text(out, &to_json(other)),
            }
            out.push(':');
            write_value(out, value);
        }),
    }
}

fn write_items<T>(out: &mut String, brackets: (char, char), items: &[T], write: impl Fn(&mut String, &T)) {
    out.push(brackets.0);
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write(out, item);
    }
    out.push(brackets.1);
}

/// Appends formatted text; a string takes everything.
pub(crate) fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read_back() {
        let value = Value::Map(vec![
            (
                "a\"\\\n\u{1}\u{2028}é".into(),
                Value::Array(vec![Value::Nil, true.into(), 7_u64.into(), Value::Int(-1)]),
            ),
            (Value::Uint(1), Value::Float(1.0)),
            ("nan".into(), Value::Float(f64::NAN)),
            ("raw".into(), Value::Raw(bytes::Bytes::from_static(b"\xff"))),
        ]);
        let read: serde_json::Value = serde_json::from_str(&to_json(&value)).unwrap();
        let expected = serde_json::json!({
            "a\"\\\n\u{1}\u{2028}é": [null, true, 7, -1], "1": 1.0, "nan": null, "raw": "\u{fffd}"
        });
        assert_eq!(read, expected);
        assert!(!to_json(&value).contains('\n'));
    }
}
