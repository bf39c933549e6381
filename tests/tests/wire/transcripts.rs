//! Frames that other people's clients and workers really sent, and what they meant.

use std::collections::BTreeMap;

use cocaine_core::wire::{
    Failure, Frame, Graph, HeaderDecoder, HeaderEncoder, Limits, Scanner, Value, headers, v1,
};
use cocaine_tests::transcripts::{Recorded, recorded, unhex};
use serde_json::Value as Json;

const LIMITS: Limits = Limits::DEFAULT;

fn whole(bytes: &[u8]) -> Frame {
    Scanner::new(LIMITS).scan(bytes).unwrap().unwrap()
}

/// The frames of each direction of each connection, in order.
fn streams(frames: &[Recorded]) -> BTreeMap<(&str, &str, &str), Vec<&Recorded>> {
    let mut streams: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for frame in frames {
        streams.entry((&*frame.file, &*frame.stream.0, &*frame.stream.1)).or_default().push(frame);
    }
    streams
}

/// Whether a value is what the recording says it is.
fn same(json: &Json, value: &Value) -> bool {
    match (json, value) {
        (Json::Null, Value::Nil) => true,
        (Json::Bool(expected), Value::Bool(flag)) => expected == flag,
        (Json::Number(expected), Value::Uint(number)) => expected.as_u64() == Some(*number),
        (Json::Number(expected), Value::Int(number)) => expected.as_i64() == Some(*number),
        (Json::Number(expected), Value::Float(number)) => expected.as_f64() == Some(*number),
        (Json::String(expected), Value::Raw(bytes)) => expected.as_bytes() == bytes,
        (Json::Array(expected), Value::Array(items)) => {
            expected.len() == items.len() && expected.iter().zip(items).all(|(json, item)| same(json, item))
        }
        (Json::Object(object), value) => same_tagged(object, value),
        _ => false,
    }
}

fn same_tagged(object: &serde_json::Map<String, Json>, value: &Value) -> bool {
    match (object.iter().next(), value) {
        (Some((tag, expected)), value @ Value::Raw(_)) if tag == "bin" => same(expected, value),
        (Some((tag, expected)), Value::Raw(bytes)) if tag == "hex" => {
            unhex(expected.as_str().unwrap()) == *bytes
        }
        (Some((tag, Json::Array(expected))), Value::Map(pairs)) if tag == "map" => {
            expected.len() == pairs.len()
                && expected
                    .iter()
                    .zip(pairs)
                    .all(|(json, (key, value))| same(&json[0], key) && same(&json[1], value))
        }
        _ => false,
    }
}

#[test]
fn every_frame_is_found_at_every_split() {
    for frame in recorded() {
        let bytes = &frame.bytes;
        let expected = whole(bytes);
        assert_eq!(expected.len, bytes.len(), "{} {bytes:02x?}", frame.file);
        for cut in 0..bytes.len() {
            let mut scanner = Scanner::new(LIMITS);
            assert_eq!(scanner.scan(&bytes[..cut]), Ok(None), "{} {bytes:02x?}", frame.file);
            assert_eq!(scanner.scan(bytes), Ok(Some(expected)), "{} {bytes:02x?}", frame.file);
        }
    }
}

#[test]
fn every_stream_is_cut_into_its_frames() {
    let frames = recorded();
    for ((file, ..), frames) in streams(&frames) {
        let stream = frames.iter().map(|frame| &*frame.bytes).collect::<Vec<_>>().concat();
        for piece in [1, 7, 64, stream.len()] {
            let (mut scanner, mut begin, mut count) = (Scanner::new(LIMITS), 0, 0);
            for end in (0..stream.len()).step_by(piece).map(|at| (at + piece).min(stream.len())) {
                while let Some(frame) = scanner.scan(&stream[begin..end]).unwrap() {
                    assert_eq!(stream[begin..begin + frame.len], frames[count].bytes, "{file}");
                    begin += frame.len;
                    count += 1;
                }
            }
            assert_eq!((begin, count), (stream.len(), frames.len()), "{file}");
        }
    }
}

#[test]
fn every_head_and_argument_is_what_the_recording_says() {
    for frame in recorded() {
        let head = v1::head(&frame.bytes, &whole(&frame.bytes)).unwrap();
        let decoded = frame.decoded.as_array().unwrap();
        assert_eq!(decoded[0].as_u64(), Some(head.channel), "{}", frame.file);
        assert_eq!(decoded[1].as_u64(), Some(u64::from(head.message)), "{}", frame.file);
        let (args, rest) = Value::decode(&frame.bytes[head.args]).unwrap();
        assert!(rest.is_empty() && same(&decoded[2], &args), "{}: {args}", frame.file);
        assert_eq!(head.headers.is_empty(), decoded.len() == 3, "{}", frame.file);
        if let Some(expected) = decoded.get(3) {
            let (list, _) = Value::decode(&frame.bytes[head.headers]).unwrap();
            assert!(same(expected, &list), "{}: {list}", frame.file);
        }
    }
}

#[test]
fn what_is_recorded_in_the_old_family_is_what_we_write() {
    let frames = recorded();
    let old = frames.iter().filter(|frame| !frame.decoded.to_string().contains("\"bin\""));
    let mut count = 0;
    for frame in old {
        let (value, _) = Value::decode(&frame.bytes).unwrap();
        if !frame.file.starts_with("rust") {
            assert_eq!(value.to_vec(), frame.bytes, "{}", frame.file);
            count += 1;
        }
    }
    assert!(count >= 500, "{count} frames compared");
}

#[test]
fn headers_are_read_with_the_table_of_their_direction() {
    let frames = recorded();
    let mut count = 0;
    for ((file, ..), frames) in streams(&frames) {
        let (mut decoder, mut absorber) = (HeaderDecoder::new(), HeaderDecoder::new());
        let (mut encoder, mut again) = (HeaderEncoder::new(), HeaderDecoder::new());
        for frame in frames {
            let head = v1::head(&frame.bytes, &whole(&frame.bytes)).unwrap();
            let list = &frame.bytes[head.headers];
            let headers = decoder.decode(list, &LIMITS).unwrap_or_else(|error| panic!("{file}: {error}"));
            absorber.absorb(list, &LIMITS).unwrap();
            assert_eq!(absorber, decoder, "{file}");
            headers::trace(&headers).unwrap_or_else(|error| panic!("{file}: {error}"));
            let mut written = Vec::new();
            encoder.list(&mut written, &headers);
            count += headers.len();
            assert_eq!(again.decode(&written, &LIMITS), Ok(headers), "{file}");
        }
        assert_eq!(again.table(), encoder.table(), "{file}");
    }
    assert!(count >= 30, "{count} headers");
}

/// The invokes of a file, as the worker got them and as the client sent them, mean the same headers.
#[test]
fn a_stored_header_is_the_same_header_later() {
    let frames = recorded();
    let mut seen = Vec::new();
    for ((file, conn, direction), frames) in streams(&frames) {
        if !file.ends_with("custom_header_reaches_worker") || !conn.ends_with("app") || direction == "S->C" {
            continue;
        }
        let mut decoder = HeaderDecoder::new();
        for frame in frames {
            let head = v1::head(&frame.bytes, &whole(&frame.bytes)).unwrap();
            for header in decoder.decode(&frame.bytes[head.headers], &LIMITS).unwrap() {
                assert_eq!(
                    (&header.name[..], &header.value[..]),
                    (&b"authorization"[..], &b"TVM abc"[..]),
                    "{file}"
                );
                seen.push(direction);
            }
        }
    }
    let count = |direction| seen.iter().filter(|seen| **seen == direction).count();
    assert_eq!(
        (count("C->S"), count("R->W")),
        (6, 6),
        "three calls in each of two recordings, told on to the worker"
    );
}

#[test]
fn method_trees_and_failures_of_the_recordings_are_read() {
    let (mut graphs, mut failures) = (0, 0);
    for frame in recorded() {
        let head = v1::head(&frame.bytes, &whole(&frame.bytes)).unwrap();
        let args = &frame.decoded[2];
        if frame.stream.0.ends_with("locator") && args.as_array().is_some_and(|args| args.len() == 3) {
            let mut args = cocaine_core::wire::Args::new(&frame.bytes[head.args.clone()]).unwrap();
            args.skip().and_then(|()| args.skip()).unwrap();
            let graph = Graph::decode(args.slice().unwrap()).unwrap();
            assert!(graph.methods().count() >= 3, "{}", frame.file);
            graphs += 1;
        }
        if head.message == 1 && args[0].is_array() && args[0][0].is_u64() {
            let failure = Failure::decode(&frame.bytes[head.args]).unwrap();
            assert_eq!(Some(u64::from(failure.code.category)), args[0][0].as_u64(), "{}", frame.file);
            assert_eq!(Some(i64::from(failure.code.code)), args[0][1].as_i64(), "{}", frame.file);
            failures += 1;
        }
    }
    assert!(graphs >= 20 && failures >= 10, "{graphs} trees, {failures} failures");
}
