//! The protocol's example frames, in both directions.

use super::frame::dialect;
use super::*;

mod v0;
mod v1;

const UUID: &[u8] = b"550e8400-e29b-41d4-a716-446655440000";
const TRACE: u64 = 0x0102_0304_0506_0708;
const SPAN: u64 = 0x1112_1314_1516_1718;

/// One example frame.
struct Row {
    name: &'static str,
    hex: &'static str,
    /// The first two elements.
    head: (u64, u64),
    /// The arguments as [`Value`] shows them.
    args: &'static str,
    write: fn(&mut Vec<u8>),
}

impl Row {
    fn check_bytes(&self) -> Vec<u8> {
        let bytes = hex(self.hex);
        let mut written = Vec::new();
        (self.write)(&mut written);
        assert_eq!(written, bytes, "{}", self.name);
        bytes
    }
}

fn hex(text: &str) -> Vec<u8> {
    text.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

fn scanned(bytes: &[u8]) -> Frame {
    let frame = Scanner::new(Limits::default()).scan(bytes).unwrap().unwrap();
    assert_eq!(frame.len, bytes.len());
    frame
}

fn shown(bytes: &[u8]) -> String {
    let (value, rest) = Value::decode(bytes).unwrap();
    assert!(rest.is_empty());
    value.to_string()
}

fn trace_headers(trace: u64, span: u64, parent: u64) -> [Header; 3] {
    [("trace_id", trace), ("span_id", span), ("parent_id", parent)]
        .map(|(name, number)| Header::new(name, number.to_le_bytes().to_vec()))
}

#[test]
fn the_handshake_tells_the_dialects_apart() {
    let of = |bytes: &[u8]| dialect(bytes, &scanned(bytes));
    assert_eq!(of(&hex(v0::ROWS[0].hex)), Ok(Dialect::V0));
    assert_eq!(of(&hex(v1::ROWS[0].hex)), Ok(Dialect::V1));
    assert_eq!(of(b"\x93\xcc\x01\x00\x91\xa0"), Ok(Dialect::V1), "the number counts, not its encoding");
    assert_eq!(of(b"\x93\xd0\x00\x00\x91\xa0"), Ok(Dialect::V0));
    assert_eq!(of(b"\x93\x02\x00\x91\xa0"), Err(FrameError::Dialect));
    assert_eq!(of(b"\x93\xff\x00\x91\xa0"), Err(FrameError::Dialect));
    assert_eq!(of(b"\x90"), Err(FrameError::Dialect));
}

/// Twelve bytes that ended another implementation's process.
#[test]
fn the_frame_that_killed_an_original_is_refused_cleanly() {
    let bytes = hex("93 cf 00 00 00 02 00 00 00 00 01 90");
    let frame = scanned(&bytes);
    assert_eq!(dialect(&bytes, &frame), Err(FrameError::Dialect), "it is no handshake");
    assert_eq!(super::v0::head(&bytes, &frame), Err(FrameError::Message), "nor has any method this number");
    let head = super::v1::head(&bytes, &frame).unwrap();
    assert_eq!((head.channel, head.message), (1 << 33, 1), "a channel may have any number");
    let found = Args::new(&bytes[head.args]).unwrap().text().unwrap_err().found;
    assert_eq!(found, "nothing", "but no method that wants an argument is called without");
}

/// The same trace in every style that is in use.
#[test]
fn header_styles_mean_the_same() {
    let literal = v1::ROWS.last().unwrap().hex;
    let by_index = "94 02 00 91 a4 70 69 6e 67 93 93 c2 50 a8 08 07 06 05 04 03 02 01 93 c2 51 a8 18 17 16 \
         15 14 13 12 11 93 c2 52 a8 00 00 00 00 00 00 00 00";
    let storing = "94 01 00 91 a4 70 69 6e 67 93 93 c3 50 a8 08 07 06 05 04 03 02 01 93 c3 51 a8 18 17 16 \
         15 14 13 12 11 52";
    let stored = "94 02 00 91 a4 70 69 6e 67 93 54 53 52";
    let mut encoder = HeaderEncoder::new();
    let mut decoder = HeaderDecoder::new();
    for text in [literal, by_index, storing, stored] {
        let bytes = hex(text);
        let head = super::v1::head(&bytes, &scanned(&bytes)).unwrap();
        let list = &bytes[head.headers];
        let headers = decoder.decode(list, &Limits::default()).unwrap();
        assert_eq!(headers, trace_headers(TRACE, SPAN, 0), "{text}");
        if text == storing || text == stored {
            let mut written = Vec::new();
            encoder.list(&mut written, &headers);
            assert_eq!(written, list, "{text}");
        }
    }
    assert_eq!(decoder.table(), encoder.table());
}

#[test]
fn a_graph_with_a_control_message_is_understood() {
    let ping = hex("cd ff fd 93 a4 70 69 6e 67 80 82 00 92 a5 76 61 6c 75 65 80 01 92 a5 65 72 72 6f 72 80");
    let graph = Graph::decode(&[&[0x81], &ping[..]].concat()).unwrap();
    let ping = graph.method("ping").unwrap();
    assert_eq!(ping.id, u64::from(super::v1::message::PING));
    assert_eq!(ping.upstream.as_ref().unwrap().message("value"), Some(0));
}
