//! Every example frame of the newer dialect, byte for byte.

use super::super::headers::names;
use super::super::protocols;
use super::super::v1::{self, message};
use super::*;

/// `head` is channel and message.
pub(super) const ROWS: &[Row] = &[
    Row {
        name: "handshake",
        hex: "93 01 00 91 da 00 24 35 35 30 65 38 34 30 30 2d 65 32 39 62 2d 34 31 64 34 2d 61 37 31 \
         36 2d 34 34 36 36 35 35 34 34 30 30 30 30",
        head: (1, 0),
        args: r#"["550e8400-e29b-41d4-a716-446655440000"]"#,
        write: |out| v1::handshake(out, UUID),
    },
    Row {
        name: "heartbeat, both ways",
        hex: "93 01 00 90",
        head: (1, 0),
        args: r#"[]"#,
        write: |out| v1::heartbeat(out),
    },
    Row {
        name: "heartbeat with an empty trace",
        hex: "94 01 00 90 93 93 c2 a8 74 72 61 63 65 5f 69 64 a8 00 00 00 00 00 00 00 00 93 c2 a7 73 \
         70 61 6e 5f 69 64 a8 00 00 00 00 00 00 00 00 93 c2 a9 70 61 72 65 6e 74 5f 69 64 a8 00 \
         00 00 00 00 00 00 00",
        head: (1, 0),
        args: r#"[]"#,
        write: |out| {
            v1::frame_with_headers(out, 1, 0, &trace_headers(0, 0, 0), |out| encode::array(out, 0));
        },
    },
    Row {
        name: "terminate at a stop",
        hex: "93 01 01 92 0b b9 6f 76 65 72 73 65 65 72 20 69 73 20 73 68 75 74 74 69 6e 67 20 64 6f \
         77 6e",
        head: (1, 1),
        args: r#"[11, "overseer is shutting down"]"#,
        write: |out| v1::terminate(out, 11, codes::OVERSEER_SHUTDOWN.text().as_bytes()),
    },
    Row {
        name: "terminate of a sealed worker",
        hex: "93 01 01 92 0e b0 73 6c 61 76 65 20 69 73 20 73 65 61 6c 69 6e 67",
        head: (1, 1),
        args: r#"[14, "slave is sealing"]"#,
        write: |out| v1::terminate(out, 14, codes::SLAVE_IS_SEALING.text().as_bytes()),
    },
    Row {
        name: "terminate from a worker, normal",
        hex: "93 01 01 92 01 a4 64 6f 6e 65",
        head: (1, 1),
        args: r#"[1, "done"]"#,
        write: |out| v1::terminate(out, 1, b"done"),
    },
    Row {
        name: "terminate from a worker, abnormal",
        hex: "93 01 01 92 02 a5 66 61 74 61 6c",
        head: (1, 1),
        args: r#"[2, "fatal"]"#,
        write: |out| v1::terminate(out, 2, b"fatal"),
    },
    Row {
        name: "invoke",
        hex: "93 02 00 91 a4 70 69 6e 67",
        head: (2, 0),
        args: r#"["ping"]"#,
        write: |out| v1::invoke(out, 2, b"ping", &[]),
    },
    Row {
        name: "write",
        hex: "93 02 00 91 a5 68 65 6c 6c 6f",
        head: (2, 0),
        args: r#"["hello"]"#,
        write: |out| v1::write(out, 2, b"hello"),
    },
    Row {
        name: "error from a worker",
        hex: "93 02 01 92 92 2a cc c8 aa 6e 6f 20 68 61 6e 64 6c 65 72",
        head: (2, 1),
        args: r#"[[42, 200], "no handler"]"#,
        write: |out| v1::error(out, 2, &Failure::new(ErrorCode::new(42, 200), "no handler")),
    },
    Row { name: "close", hex: "93 02 02 90", head: (2, 2), args: r#"[]"#, write: |out| v1::close(out, 2) },
    Row {
        name: "queue full",
        hex: "93 01 01 92 92 cd 52 ff 01 ad 71 75 65 75 65 20 69 73 20 66 75 6c 6c",
        head: (1, 1),
        args: r#"[[21247, 1], "queue is full"]"#,
        write: |out| v1::error(out, 1, &codes::QUEUE_IS_FULL.into()),
    },
    Row {
        name: "expired in the queue",
        hex: "93 01 01 92 92 cd 51 ff 01 da 00 22 74 68 65 20 65 76 65 6e 74 20 68 61 73 20 65 78 70 \
         69 72 65 64 20 69 6e 20 74 68 65 20 71 75 65 75 65",
        head: (1, 1),
        args: r#"[[20991, 1], "the event has expired in the queue"]"#,
        write: |out| {
            let failure = Failure::new(codes::INVOCATION_DEADLINE, "the event has expired in the queue");
            v1::error(out, 1, &failure);
        },
    },
    Row {
        name: "the client is gone",
        hex: "93 03 01 92 92 05 02 ab 45 6e 64 20 6f 66 20 66 69 6c 65",
        head: (3, 1),
        args: r#"[[5, 2], "End of file"]"#,
        write: |out| v1::error(out, 3, &codes::END_OF_FILE.into()),
    },
    Row {
        name: "enqueue",
        hex: "93 01 00 91 a4 70 69 6e 67",
        head: (1, 0),
        args: r#"["ping"]"#,
        write: |out| call(out, 1, 0, &[b"ping"]),
    },
    Row {
        name: "enqueue with a time limit",
        hex: "94 01 00 91 a4 70 69 6e 67 91 93 c2 af 72 65 71 75 65 73 74 5f 74 69 6d 65 6f 75 74 a8 \
         dc 05 00 00 00 00 00 00",
        head: (1, 0),
        args: r#"["ping"]"#,
        write: |out| {
            let header = Header::new(names::REQUEST_TIMEOUT, 1500_u64.to_le_bytes().to_vec());
            v1::invoke(out, 1, b"ping", &[header]);
        },
    },
    Row {
        name: "resolve",
        hex: "93 01 00 91 a7 73 74 6f 72 61 67 65",
        head: (1, 0),
        args: r#"["storage"]"#,
        write: |out| call(out, 1, 0, &[b"storage"]),
    },
    Row {
        name: "resolve failed",
        hex: "93 01 01 92 92 0a 01 b8 73 65 72 76 69 63 65 20 69 73 20 6e 6f 74 20 61 76 61 69 6c 61 \
         62 6c 65",
        head: (1, 1),
        args: r#"[[10, 1], "service is not available"]"#,
        write: |out| v1::error(out, 1, &codes::SERVICE_NOT_AVAILABLE.into()),
    },
    Row {
        name: "answer to resolve",
        hex: "93 01 00 93 91 92 a9 31 32 37 2e 30 2e 30 2e 31 cd 27 47 01 83 00 93 a7 65 6e 71 75 65 \
         75 65 83 00 92 a5 77 72 69 74 65 c0 01 92 a5 65 72 72 6f 72 80 02 92 a5 63 6c 6f 73 65 \
         80 83 00 92 a5 77 72 69 74 65 c0 01 92 a5 65 72 72 6f 72 80 02 92 a5 63 6c 6f 73 65 80 \
         01 93 a4 69 6e 66 6f 80 82 00 92 a5 76 61 6c 75 65 80 01 92 a5 65 72 72 6f 72 80 02 93 \
         a7 63 6f 6e 74 72 6f 6c 83 00 92 a5 77 72 69 74 65 c0 01 92 a5 65 72 72 6f 72 80 02 92 \
         a5 63 6c 6f 73 65 80 82 00 92 a5 76 61 6c 75 65 80 01 92 a5 65 72 72 6f 72 80",
        head: (1, 0),
        args: r#"[[["127.0.0.1", 10055]], 1, {0: ["enqueue", {0: ["write", null], 1: ["error", {}], 2: ["close", {}]}, {0: ["write", null], 1: ["error", {}], 2: ["close", {}]}], 1: ["info", {}, {0: ["value", {}], 1: ["error", {}]}], 2: ["control", {0: ["write", null], 1: ["error", {}], 2: ["close", {}]}, {0: ["value", {}], 1: ["error", {}]}]}]"#,
        write: |out| v1::value(out, 1, 3, resolved_app),
    },
    Row {
        name: "ping of the control protocol",
        hex: "93 07 cd ff fd 90",
        head: (7, 65533),
        args: r#"[]"#,
        write: |out| call(out, 7, message::PING, &[]),
    },
    Row {
        name: "answer to a ping",
        hex: "93 07 00 90",
        head: (7, 0),
        args: r#"[]"#,
        write: |out| v1::value(out, 7, 0, |_| ()),
    },
    Row {
        name: "start_app",
        hex: "93 01 00 92 a4 65 63 68 6f a7 64 65 66 61 75 6c 74",
        head: (1, 0),
        args: r#"["echo", "default"]"#,
        write: |out| call(out, 1, 0, &[b"echo", b"default"]),
    },
    Row {
        name: "info",
        hex: "93 03 03 92 a4 65 63 68 6f 07",
        head: (3, 3),
        args: r#"["echo", 7]"#,
        write: |out| {
            v1::frame(out, 3, 3, |out| Value::Array(vec!["echo".into(), Value::Uint(7)]).encode(out));
        },
    },
    Row {
        name: "enqueue through the node",
        hex: "93 04 05 92 a4 65 63 68 6f a4 70 69 6e 67",
        head: (4, 5),
        args: r#"["echo", "ping"]"#,
        write: |out| call(out, 4, 5, &[b"echo", b"ping"]),
    },
    Row {
        name: "invoke with a trace",
        hex: "94 02 00 91 a4 70 69 6e 67 93 93 c2 a8 74 72 61 63 65 5f 69 64 a8 08 07 06 05 04 03 02 \
         01 93 c2 a7 73 70 61 6e 5f 69 64 a8 18 17 16 15 14 13 12 11 93 c2 a9 70 61 72 65 6e 74 \
         5f 69 64 a8 00 00 00 00 00 00 00 00",
        head: (2, 0),
        args: r#"["ping"]"#,
        write: |out| v1::invoke(out, 2, b"ping", &trace_headers(TRACE, SPAN, 0)),
    },
];

fn call(out: &mut Vec<u8>, channel: u64, method: u32, args: &[&[u8]]) {
    v1::frame(out, channel, method, |out| {
        encode::array(out, args.len());
        args.iter().for_each(|arg| encode::raw(out, arg));
    });
}

/// Endpoints, version and method tree.
fn resolved_app(out: &mut Vec<u8>) {
    let endpoint = Value::Array(vec![Value::from("127.0.0.1"), Value::Uint(10_055)]);
    Value::array([endpoint]).encode(out);
    encode::uint(out, u64::from(protocols::APP.version));
    protocols::APP.encode(out);
}

#[test]
fn every_frame_is_written_and_read() {
    for row in ROWS {
        let bytes = row.check_bytes();
        let head = v1::head(&bytes, &scanned(&bytes)).unwrap();
        assert_eq!((head.channel, u64::from(head.message)), row.head, "{}", row.name);
        assert_eq!(shown(&bytes[head.args]), row.args, "{}", row.name);
        let headers = HeaderDecoder::new().decode(&bytes[head.headers], &Limits::default()).unwrap();
        assert_eq!(headers.len(), expected_headers(row.name), "{}", row.name);
    }
}

fn expected_headers(name: &str) -> usize {
    match name {
        "heartbeat with an empty trace" | "invoke with a trace" => 3,
        "enqueue with a time limit" => 1,
        _ => 0,
    }
}

#[test]
fn a_frame_has_at_least_three_elements_and_more_do_no_harm() {
    let read = |bytes: &[u8]| v1::head(bytes, &scanned(bytes));
    assert_eq!(read(b"\x92\x01\x00"), Err(FrameError::Arity { expected: "at least 3", found: 2 }));
    assert_eq!(read(b"\x90"), Err(FrameError::Arity { expected: "at least 3", found: 0 }));
    let head = read(b"\x96\x01\x00\x90\x91\x02\xc0\xc0").unwrap();
    assert_eq!((head.args, head.headers), (3..4, 4..6));
    assert_eq!(read(b"\x93\x01\x00\x90").unwrap().headers, 4..4);
}

#[test]
fn elements_of_the_wrong_type_are_named() {
    let read = |bytes: &[u8]| v1::head(bytes, &scanned(bytes));
    assert_eq!(read(b"\x93\xff\x00\x90"), Err(FrameError::Channel));
    assert_eq!(read(b"\x93\xa11\x00\x90"), Err(FrameError::Channel));
    assert_eq!(read(b"\x93\x01\xff\x90"), Err(FrameError::Message));
    assert_eq!(read(b"\x93\x01\xce\x80\x00\x00\x00\x90"), Err(FrameError::Message));
    assert_eq!(read(b"\x93\x01\xce\x7f\xff\xff\xff\x90").unwrap().message, 0x7fff_ffff);
    assert_eq!(read(b"\x93\x01\x00\x80"), Err(FrameError::Args));
    assert_eq!(read(b"\x93\x01\x00\xa0"), Err(FrameError::Args));
    assert_eq!(read(b"\x94\x01\x00\x90\xc0"), Err(FrameError::Headers));
    let signed = read(b"\x93\xd3\x00\x00\x00\x00\x00\x00\x00\x05\xd1\x00\x02\xdc\x00\x00").unwrap();
    assert_eq!((signed.channel, signed.message), (5, 2), "any encoding of an integer will do");
}
