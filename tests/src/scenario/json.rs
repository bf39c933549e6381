//! JSON as the core's values.

use cocaine_core::wire::Value;

/// The JSON documents that stand one after the other in `text`.
pub(super) fn documents(text: &str) -> Result<Vec<Value>, String> {
    serde_json::Deserializer::from_str(text)
        .into_iter::<serde_json::Value>()
        .map(|document| document.map(value).map_err(|error| error.to_string()))
        .collect()
}

fn value(json: serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Nil,
        serde_json::Value::Bool(flag) => Value::Bool(flag),
        serde_json::Value::Number(number) => {
            if let Some(number) = number.as_u64() {
                Value::Uint(number)
            } else if let Some(number) = number.as_i64() {
                Value::Int(number)
            } else {
                Value::Float(number.as_f64().unwrap_or_default())
            }
        }
        serde_json::Value::String(text) => Value::from(text),
        serde_json::Value::Array(items) => Value::Array(items.into_iter().map(value).collect()),
        serde_json::Value::Object(entries) => {
            Value::Map(entries.into_iter().map(|(key, item)| (Value::from(key), value(item))).collect())
        }
    }
}
