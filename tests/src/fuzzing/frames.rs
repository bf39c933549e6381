//! Heads of whole frames, in both dialects, and forwarding what they carry.

use core::ops::Range;

use cocaine_core::wire::{Frame, Limits, Scanner, dialect, single_raw, v0, v1};

/// One frame and what it carries.
///
/// # Panics
///
/// A part of a frame is outside of it, or a forwarded payload is not what came.
pub fn run(data: &[u8]) {
    let Ok(Some(frame)) = Scanner::new(Limits::DEFAULT).scan(data) else { return };
    let bytes = &data[..frame.len];
    let _ = dialect(bytes, &frame);
    if let Ok(head) = v1::head(bytes, &frame) {
        assert!(inside(&head.args, bytes) && head.headers.end <= bytes.len());
        assert!(head.headers.is_empty() == (frame.arity == 3));
        forward(
            &bytes[head.args],
            |out, payload| v1::write(out, head.channel, payload),
            |bytes, frame| {
                let again = v1::head(bytes, frame).expect("what we write can be read");
                assert_eq!((again.channel, again.message), (head.channel, 0));
                again.args
            },
        );
    }
    if let Ok(head) = v0::head(bytes, &frame) {
        assert!(inside(&head.args, bytes));
        forward(
            &bytes[head.args],
            |out, payload| v0::chunk(out, head.session, payload),
            |bytes, frame| {
                let again = v0::head(bytes, frame).expect("what we write can be read");
                assert_eq!((again.session, again.message), (head.session, v0::message::CHUNK));
                again.args
            },
        );
    }
}

fn inside(range: &Range<usize>, bytes: &[u8]) -> bool {
    range.start < range.end && range.end <= bytes.len()
}

/// Sends the payload on and reads it again.
fn forward(
    args: &[u8],
    write: impl FnOnce(&mut Vec<u8>, &[u8]),
    read: impl FnOnce(&[u8], &Frame) -> Range<usize>,
) {
    let Ok(payload) = single_raw(args) else { return };
    let payload = &args[payload];
    let mut out = Vec::new();
    write(&mut out, payload);
    let frame = Scanner::new(Limits::DEFAULT).scan(&out).expect("legal").expect("whole");
    assert_eq!(frame.len, out.len());
    let args = &out[read(&out, &frame)];
    assert_eq!(&args[single_raw(args).expect("one raw")], payload);
}
