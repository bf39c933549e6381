use super::*;

fn sample() -> Value {
    Value::map([
        ("name", Value::from("echo")),
        ("size", Value::from(70_000_u64)),
        ("delta", Value::from(-7_i64)),
        ("rate", Value::from(0.5)),
        ("flags", Value::array([true, false])),
        ("none", Value::Nil),
        ("bytes", Value::Raw(Bytes::from_static(&[0xff, 0]))),
    ])
}

#[test]
fn what_is_encoded_decodes_to_itself() {
    let bytes = sample().to_vec();
    assert_eq!(Value::decode(&bytes), Ok((sample(), &[][..])));
    for cut in 0..bytes.len() {
        assert_eq!(Value::decode(&bytes[..cut]), Err(ValueError::Encoding(TokenError::Truncated)), "{cut}");
    }
}

#[test]
fn helpers_find_and_refuse() {
    let value = sample();
    assert_eq!(value.get("name").and_then(Value::as_str), Some("echo"));
    assert_eq!(value.get("size").and_then(Value::as_u64), Some(70_000));
    assert_eq!(value.get("delta").and_then(Value::as_i64), Some(-7));
    assert_eq!(value.get("delta").and_then(Value::as_u64), None);
    assert_eq!(value.get("size").and_then(Value::as_f64), Some(70_000.0));
    assert_eq!(
        value.get("flags").and_then(Value::as_array).and_then(|flags| flags[1].as_bool()),
        Some(false)
    );
    assert_eq!(value.get("bytes").and_then(Value::as_str), None);
    assert_eq!(value.get("nothing"), None);
    assert_eq!(Value::Nil.get("name"), None);
}

#[test]
fn display_reads_like_json() {
    assert_eq!(
        sample().to_string(),
        r#"{"name": "echo", "size": 70000, "delta": -7, "rate": 0.5, "flags": [true, false], "none": null, "bytes": 0xff00}"#
    );
    assert_eq!(Value::from("a\"\\\n\u{1}").to_string(), r#""a\"\\\n\u0001""#);
}

#[test]
fn depth_and_count_are_bounded_without_reserving() {
    let nested = |depth: usize| [vec![0x91; depth], vec![0xc0]].concat();
    assert!(Value::decode(&nested(MAX_DEPTH)).is_ok());
    assert_eq!(Value::decode(&nested(MAX_DEPTH + 1)), Err(ValueError::TooDeep));
    assert_eq!(Value::decode(&nested(1 << 20)), Err(ValueError::TooDeep));
    assert_eq!(Value::decode(&[0xdd, 0x40, 0, 0, 0]), Err(ValueError::TooMany));
    assert_eq!(Value::decode(&[0xdf, 0xff, 0xff, 0xff, 0xff]), Err(ValueError::TooMany));
    let wide = |items: u32| [&[0xdd][..], &items.to_be_bytes(), &vec![0xc0; items as usize]].concat();
    assert!(Value::decode(&wide((1 << 20) - 1)).is_ok());
    assert_eq!(Value::decode(&wide(1 << 20)), Err(ValueError::TooMany));
    let pair = |items: u32| [&[0x92][..], &wide(items), &wide(items)].concat();
    assert!(Value::decode(&pair((1 << 19) - 2)).is_ok());
    assert_eq!(Value::decode(&pair(1 << 19)), Err(ValueError::TooMany), "parts add up");
}

#[test]
fn what_the_protocol_does_not_have_is_refused() {
    assert_eq!(Value::decode(&[0xc1]), Err(ValueError::Encoding(TokenError::Unsupported(0xc1))));
    for marker in [0xc7, 0xc8, 0xc9, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8] {
        assert_eq!(Value::decode(&[marker]), Err(ValueError::Encoding(TokenError::Unsupported(marker))));
    }
}

#[test]
fn every_string_family_and_small_float_is_read() {
    let hi = Value::from("hi");
    for bytes in [&b"\xa2hi"[..], b"\xd9\x02hi", b"\xc4\x02hi", b"\xc5\0\x02hi", b"\xc6\0\0\0\x02hi"] {
        assert_eq!(Value::decode(bytes), Ok((hi.clone(), &[][..])));
    }
    assert_eq!(Value::decode(&[0xca, 0x3f, 0, 0, 0]), Ok((Value::Float(0.5), &[][..])));
    assert_eq!(
        Value::decode(&[0xd0, 5]),
        Ok((Value::Uint(5), &[][..])),
        "a signed form that is not negative"
    );
}
