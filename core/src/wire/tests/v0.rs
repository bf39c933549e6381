//! Every example frame of the older dialect, byte for byte.

use super::super::error::V0_INVOCATION;
use super::super::protocols;
use super::super::v0;
use super::*;

/// `head` is message and session.
pub(super) const ROWS: &[Row] = &[
    Row {
        name: "handshake",
        hex: "93 00 00 91 da 00 24 35 35 30 65 38 34 30 30 2d 65 32 39 62 2d 34 31 64 34 2d 61 37 31 \
         36 2d 34 34 36 36 35 35 34 34 30 30 30 30",
        head: (0, 0),
        args: r#"["550e8400-e29b-41d4-a716-446655440000"]"#,
        write: |out| v0::handshake(out, UUID),
    },
    Row {
        name: "heartbeat, both ways",
        hex: "93 01 00 90",
        head: (1, 0),
        args: r#"[]"#,
        write: |out| v0::heartbeat(out),
    },
    Row {
        name: "terminate to an idle worker",
        hex: "93 02 00 92 01 ad 73 6c 61 76 65 20 69 73 20 69 64 6c 65",
        head: (2, 0),
        args: r#"[1, "slave is idle"]"#,
        write: |out| v0::terminate(out, 1, b"slave is idle"),
    },
    Row {
        name: "terminate at a stop",
        hex: "93 02 00 92 01 bb 74 68 65 20 65 6e 67 69 6e 65 20 69 73 20 73 68 75 74 74 69 6e 67 20 \
         64 6f 77 6e",
        head: (2, 0),
        args: r#"[1, "the engine is shutting down"]"#,
        write: |out| v0::terminate(out, 1, b"the engine is shutting down"),
    },
    Row {
        name: "terminate from a worker, normal",
        hex: "93 02 00 92 01 a4 64 6f 6e 65",
        head: (2, 0),
        args: r#"[1, "done"]"#,
        write: |out| v0::terminate(out, 1, b"done"),
    },
    Row {
        name: "terminate from a worker, abnormal",
        hex: "93 02 00 92 02 a5 66 61 74 61 6c",
        head: (2, 0),
        args: r#"[2, "fatal"]"#,
        write: |out| v0::terminate(out, 2, b"fatal"),
    },
    Row {
        name: "invoke",
        hex: "93 03 01 91 a4 70 69 6e 67",
        head: (3, 1),
        args: r#"["ping"]"#,
        write: |out| v0::invoke(out, 1, b"ping"),
    },
    Row {
        name: "chunk",
        hex: "93 04 01 91 a5 68 65 6c 6c 6f",
        head: (4, 1),
        args: r#"["hello"]"#,
        write: |out| v0::chunk(out, 1, b"hello"),
    },
    Row {
        name: "error",
        hex: "93 05 01 92 02 b7 65 6e 67 69 6e 65 20 69 73 20 73 68 75 74 74 69 6e 67 20 64 6f 77 6e",
        head: (5, 1),
        args: r#"[2, "engine is shutting down"]"#,
        write: |out| v0::error(out, 1, 2, b"engine is shutting down"),
    },
    Row { name: "choke", hex: "93 06 01 90", head: (6, 1), args: r#"[]"#, write: |out| v0::choke(out, 1) },
    Row {
        name: "enqueue",
        hex: "93 00 01 92 a4 70 69 6e 67 a5 68 65 6c 6c 6f",
        head: (0, 1),
        args: r#"["ping", "hello"]"#,
        write: |out| call(out, 0, 1, &[b"ping", b"hello"]),
    },
    Row {
        name: "enqueue with a tag",
        hex: "93 00 01 93 a4 70 69 6e 67 a5 68 65 6c 6c 6f a3 77 2d 37",
        head: (0, 1),
        args: r#"["ping", "hello", "w-7"]"#,
        write: |out| call(out, 0, 1, &[b"ping", b"hello", b"w-7"]),
    },
    Row {
        name: "resolve",
        hex: "93 00 01 91 a7 73 74 6f 72 61 67 65",
        head: (0, 1),
        args: r#"["storage"]"#,
        write: |out| call(out, 0, 1, &[b"storage"]),
    },
    Row {
        name: "answer to resolve",
        hex: "93 04 01 91 da 00 2c 93 92 a9 6c 6f 63 61 6c 68 6f 73 74 cd 27 46 01 84 00 a4 72 65 61 \
         64 01 a5 77 72 69 74 65 02 a6 72 65 6d 6f 76 65 03 a4 66 69 6e 64",
        head: (4, 1),
        args: r#"[0x9392a96c6f63616c686f7374cd2746018400a47265616401a5777269746502a672656d6f766503a466696e64]"#,
        write: |out| v0::chunk(out, 1, &resolved_storage()),
    },
    Row {
        name: "result of a read",
        hex: "93 04 03 91 a4 a3 61 62 63",
        head: (4, 3),
        args: r#"[0xa3616263]"#,
        write: |out| v0::chunk(out, 3, b"\xa3abc"),
    },
    Row {
        name: "end of a read",
        hex: "93 06 03 90",
        head: (6, 3),
        args: r#"[]"#,
        write: |out| v0::choke(out, 3),
    },
    Row {
        name: "unknown method",
        hex: "93 05 09 92 01 b4 75 6e 6b 6e 6f 77 6e 20 6d 65 73 73 61 67 65 20 74 79 70 65",
        head: (5, 9),
        args: r#"[1, "unknown message type"]"#,
        write: |out| v0::error(out, 9, V0_INVOCATION, b"unknown message type"),
    },
    Row {
        name: "start_app",
        hex: "93 00 01 91 81 a4 65 63 68 6f a7 64 65 66 61 75 6c 74",
        head: (0, 1),
        args: r#"[{"echo": "default"}]"#,
        write: |out| {
            v0::frame(out, 0, 1, |out| {
                Value::array([Value::map([("echo", "default")])]).encode(out);
            });
        },
    },
];

fn call(out: &mut Vec<u8>, method: u32, session: u64, args: &[&[u8]]) {
    v0::frame(out, method, session, |out| {
        encode::array(out, args.len());
        args.iter().for_each(|arg| encode::raw(out, arg));
    });
}

/// Endpoint, version and methods, packed once more.
fn resolved_storage() -> Vec<u8> {
    let mut out = Vec::new();
    encode::array(&mut out, 3);
    Value::Array(vec![Value::from("localhost"), Value::Uint(10_054)]).encode(&mut out);
    encode::uint(&mut out, 1);
    protocols::STORAGE.encode_v0(&mut out);
    out
}

#[test]
fn every_frame_is_written_and_read() {
    for row in ROWS {
        let bytes = row.check_bytes();
        let head = v0::head(&bytes, &scanned(&bytes)).unwrap();
        assert_eq!((u64::from(head.message), head.session), row.head, "{}", row.name);
        assert_eq!(shown(&bytes[head.args]), row.args, "{}", row.name);
    }
}

#[test]
fn a_frame_has_exactly_three_elements() {
    for (bytes, found) in [(&b"\x92\x01\x00"[..], 2), (b"\x94\x01\x00\x90\x90", 4)] {
        assert_eq!(v0::head(bytes, &scanned(bytes)), Err(FrameError::Arity { expected: "exactly 3", found }));
    }
}
