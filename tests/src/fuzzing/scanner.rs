//! A stream of frames, cut anywhere.

use cocaine_core::wire::{Frame, Limits, ScanError, Scanner};

/// Small, so that the limits are reached.
const LIMITS: Limits = Limits { frame_bytes: 64 * 1024, ..Limits::DEFAULT };

/// The first byte chooses the pieces in which the others arrive.
///
/// # Panics
///
/// The pieces make a difference, or a frame is not what it says.
pub fn run(data: &[u8]) {
    let Some((&pieces, stream)) = data.split_first() else { return };
    let whole = frames(stream, stream.len().max(1));
    assert_eq!(frames(stream, usize::from(pieces) + 1), whole);
    let mut begin = 0;
    for frame in &whole.0 {
        check(frame, &stream[begin..begin + frame.len]);
        begin += frame.len;
    }
}

/// The frames of a stream that arrives in pieces of this size, and the error that ended it.
fn frames(stream: &[u8], piece: usize) -> (Vec<Frame>, Option<ScanError>) {
    let mut scanner = Scanner::new(LIMITS);
    let (mut begin, mut end, mut found) = (0, 0, Vec::new());
    while end < stream.len() {
        end = (end + piece).min(stream.len());
        loop {
            let received = &stream[begin..end];
            match scanner.scan(received) {
                Ok(Some(frame)) => {
                    assert!(frame.len <= received.len() && frame.len <= LIMITS.frame_bytes);
                    begin += frame.len;
                    found.push(frame);
                }
                Ok(None) => {
                    assert!(scanner.needed(received.len()) > 0);
                    break;
                }
                Err(error) => return (found, Some(error)),
            }
        }
    }
    (found, None)
}

/// The elements follow each other, and are scanned alike on their own.
fn check(frame: &Frame, bytes: &[u8]) {
    let mut scanner = Scanner::new(LIMITS);
    assert_eq!(scanner.scan(bytes), Ok(Some(*frame)));
    assert_eq!(scanner.scan(bytes), Ok(Some(*frame)), "the scanner begins anew");
    let elements: Vec<_> = (0..4).map_while(|index| frame.element(index)).collect();
    assert_eq!(elements.len(), (frame.arity as usize).min(4));
    assert!(elements.iter().all(|element| !element.is_empty()));
    assert!(elements.windows(2).all(|pair| pair[0].end == pair[1].start));
    if (1..=4).contains(&frame.arity) {
        assert_eq!(elements.last().map(|last| last.end), Some(frame.len));
    }
}
