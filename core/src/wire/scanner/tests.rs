use quickcheck::{Arbitrary, Gen, QuickCheck};

use super::super::value::Value;
use super::*;

fn scanner() -> Scanner {
    Scanner::new(Limits::default())
}

fn limited(frame_bytes: usize) -> Scanner {
    Scanner::new(Limits { frame_bytes, ..Limits::default() })
}

fn scan_once(bytes: &[u8]) -> Result<Option<Frame>, ScanError> {
    scanner().scan(bytes)
}

/// Bytes that panic when one is looked at twice cannot be had from a slice; so bytes already looked at are
/// overwritten with the reserved marker, which the scanner would choke on.
fn scan_in_pieces(bytes: &[u8], cuts: &[usize]) -> Result<Option<Frame>, ScanError> {
    let mut scanner = scanner();
    let mut seen = 0;
    for &cut in cuts {
        let mut buffer = bytes[..cut].to_vec();
        buffer[..seen].fill(0xc1);
        if let Some(frame) = scanner.scan(&buffer)? {
            return Ok(Some(frame));
        }
        assert!(scanner.needed(cut) >= 1 && cut + scanner.needed(cut) <= bytes.len(), "cut {cut}");
        seen = cut;
    }
    Ok(None)
}

/// Every form of every value that the protocol has, inside a frame of five elements.
fn everything() -> Vec<u8> {
    let values: [&[u8]; 27] = [
        b"\x00\x7f\xff\xe0\xc0\xc2\xc3",
        b"\xcc\x80\xcd\x01\x00\xce\x00\x01\x00\x00",
        b"\xcf\x00\x00\x00\x01\x00\x00\x00\x00",
        b"\xd0\x80\xd1\x80\x00\xd2\x80\x00\x00\x00",
        b"\xd3\x80\x00\x00\x00\x00\x00\x00\x00",
        b"\xca\x00\x00\x00\x00",
        b"\xcb\x00\x00\x00\x00\x00\x00\x00\x00",
        b"\xa0",
        b"\xa3abc",
        b"\xd9\x03abc",
        b"\xda\x00\x03abc",
        b"\xdb\x00\x00\x00\x03abc",
        b"\xc4\x03abc",
        b"\xc5\x00\x03abc",
        b"\xc6\x00\x00\x00\x03abc",
        b"\x90",
        b"\x80",
        b"\x92\x01\x91\x02",
        b"\x81\xa1k\x82\x01\x02\x03\x90",
        b"\xdc\x00\x00",
        b"\xdc\x00\x02\x01\x02",
        b"\xdd\x00\x00\x00\x01\xc0",
        b"\xde\x00\x01\x01\x02",
        b"\xdf\x00\x00\x00\x01\x01\x02",
        b"\xdf\x00\x00\x00\x00",
        b"\x91\x91\x91\x91\xa1x",
        b"\xd9\x00",
    ];
    // The first four rows hold 7, 3, 1 and 3 values, the others one each.
    [&b"\x95\x01\x02\xdc\x00\x25"[..], &values.concat(), b"\x90", b"\xa2hi"].concat()
}

#[test]
fn a_frame_is_found_at_every_split() {
    let bytes = everything();
    let whole = scan_once(&bytes).unwrap().unwrap();
    assert_eq!((whole.len, whole.arity), (bytes.len(), 5));
    for cut in 0..bytes.len() {
        assert_eq!(scan_once(&bytes[..cut]), Ok(None), "prefix of {cut}");
        assert_eq!(scan_in_pieces(&bytes, &[cut, bytes.len()]), Ok(Some(whole)), "split at {cut}");
    }
    let every: Vec<usize> = (0..=bytes.len()).collect();
    assert_eq!(scan_in_pieces(&bytes, &every), Ok(Some(whole)), "byte by byte");
}

#[test]
fn elements_are_found() {
    let bytes = everything();
    let frame = scan_once(&bytes).unwrap().unwrap();
    assert_eq!((frame.element(0), frame.element(1)), (Some(1..2), Some(2..3)));
    assert_eq!(frame.element(2), Some(3..bytes.len() - 4));
    assert_eq!(frame.element(3), Some(bytes.len() - 4..bytes.len() - 3));
    assert_eq!(frame.element(4), None, "nobody asks for the fifth");
    let frame = scan_once(b"\x92\xa1a\x91\x05").unwrap().unwrap();
    assert_eq!((frame.element(0), frame.element(1), frame.element(2)), (Some(1..3), Some(3..5), None));
    let frame = scan_once(b"\x90").unwrap().unwrap();
    assert_eq!((frame.len, frame.arity, frame.element(0)), (1, 0, None));
}

#[test]
fn frames_follow_each_other() {
    let mut scanner = scanner();
    let mut bytes = &b"\x93\x01\x00\x90\x93\x02\x00\x91\xa4ping\x90\x93\x02"[..];
    for len in [4, 9, 1] {
        let frame = scanner.scan(bytes).unwrap().unwrap();
        assert_eq!(frame.len, len);
        assert_eq!(scan_once(bytes), Ok(Some(frame)), "nothing is left over from the frame before");
        bytes = &bytes[len..];
    }
    assert_eq!(scanner.scan(bytes), Ok(None));
    assert_eq!(scanner.needed(bytes.len()), 2);
}

#[test]
fn needed_tells_what_lengths_promise() {
    let mut scanner = scanner();
    assert_eq!(scanner.needed(0), 1);
    assert_eq!(scanner.scan(b"\x93"), Ok(None));
    assert_eq!(scanner.needed(1), 3);
    assert_eq!(scanner.scan(b"\x93\x02\x00\x91\xda\x10"), Ok(None));
    assert_eq!(scanner.needed(6), 1, "half a length");
    assert_eq!(scanner.scan(b"\x93\x02\x00\x91\xda\x10\x00"), Ok(None));
    assert_eq!(scanner.needed(7), 4096);
    assert_eq!(scanner.needed(5000), 0, "more was read than this frame has");
}

#[test]
fn what_is_no_frame_is_refused_and_stays_refused() {
    let cases: [(&[u8], ScanError); 6] = [
        (b"\x81\x01\x02", ScanError::NotAnArray(0x81)),
        (b"GET / HTTP/1.1", ScanError::NotAnArray(b'G')),
        (b"\xde\x00\x01", ScanError::NotAnArray(0xde)),
        (b"\xc1", ScanError::NotAnArray(0xc1)),
        (b"\x93\x01\xc1", ScanError::Reserved { offset: 2 }),
        (b"\x93\x01\x00\x91\xc7", ScanError::Extension { offset: 4, marker: 0xc7 }),
    ];
    for (bytes, error) in cases {
        let mut scanner = scanner();
        assert_eq!(scanner.scan(bytes), Err(error), "{bytes:02x?}");
        assert_eq!(scanner.scan(b"\x93\x01\x00\x90"), Err(error), "and again");
    }
    for marker in [0xc8, 0xc9, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8] {
        assert_eq!(scan_once(&[0x91, marker]), Err(ScanError::Extension { offset: 1, marker }));
    }
}

#[test]
fn depth_is_bounded_from_both_sides() {
    let nested = |depth: usize| [vec![0x91; depth - 1], vec![0x90]].concat();
    assert_eq!(scan_once(&nested(32)).unwrap().unwrap().len, 32);
    assert_eq!(scan_once(&nested(33)), Err(ScanError::TooDeep { offset: 32, limit: 32 }));
    let limits = |depth| Limits { depth, ..Limits::default() };
    assert!(Scanner::new(limits(2)).scan(&nested(2)).is_ok());
    assert!(matches!(Scanner::new(limits(2)).scan(&nested(3)), Err(ScanError::TooDeep { limit: 2, .. })));
    assert!(
        matches!(Scanner::new(limits(255)).scan(&nested(33)), Err(ScanError::TooDeep { limit: 32, .. })),
        "a setting beyond what there is room for"
    );
    assert!(Scanner::new(limits(0)).scan(b"\x90").is_err(), "no frame at all");
}

#[test]
fn a_frame_as_large_as_the_limit_passes_and_one_byte_more_does_not() {
    let frame = b"\x93\x02\x00\x91\xa5hello";
    assert_eq!(limited(10).scan(frame).unwrap().unwrap().len, 10);
    assert_eq!(limited(9).scan(&frame[..5]), Err(ScanError::TooLarge { needed: 10, limit: 9 }));
}

#[test]
fn declared_sizes_are_refused_before_their_bytes_come() {
    let two_gib = b"\x93\x02\x00\x91\xdb\x80\x00\x00\x00";
    assert!(matches!(scan_once(two_gib), Err(ScanError::TooLarge { .. })));
    let items = b"\xdd\x40\x00\x00\x00";
    assert!(matches!(scan_once(items), Err(ScanError::TooLarge { .. })), "2^30 items in a frame of 64 MiB");
    let pairs = b"\x91\xdf\xff\xff\xff\xff";
    assert_eq!(
        limited(usize::MAX).scan(pairs),
        Ok(None),
        "without a limit, 2^33 values are counted and not overflowed"
    );
    let repeated = [&b"\x9f"[..], &b"\xdd\x00\x80\x00\x00".repeat(8)].concat();
    assert!(matches!(scan_once(&repeated), Err(ScanError::TooLarge { .. })), "many counts add up");
}

/// A random value, at most three levels deep.
#[derive(Clone, Debug)]
struct Anything(Value);

impl Arbitrary for Anything {
    fn arbitrary(g: &mut Gen) -> Self {
        Self(random(g, 3))
    }
}

fn random(g: &mut Gen, depth: u8) -> Value {
    let kinds = if depth == 0 { 6 } else { 8 };
    match u8::arbitrary(g) % kinds {
        0 => Value::Nil,
        1 => Value::Bool(bool::arbitrary(g)),
        2 => Value::Uint(u64::arbitrary(g) >> (u8::arbitrary(g) % 64)),
        3 => Value::from(i64::arbitrary(g) >> (u8::arbitrary(g) % 64)),
        4 => Value::Float(f64::from(i32::arbitrary(g))),
        5 => Value::Raw(vec![0xc1; usize::from(u16::arbitrary(g)) >> (u8::arbitrary(g) % 16)].into()),
        6 => Value::Array((0..u8::arbitrary(g) % 6).map(|_| random(g, depth - 1)).collect()),
        _ => Value::Map((0..u8::arbitrary(g) % 6).map(|_| (random(g, 0), random(g, depth - 1))).collect()),
    }
}

#[test]
fn any_splits_of_any_frames_give_the_same_frames() {
    fn property(frames: Vec<Vec<Anything>>, chunks: Vec<u8>) -> bool {
        let encoded: Vec<Vec<u8>> = frames
            .into_iter()
            .map(|frame| Value::Array(frame.into_iter().map(|value| value.0).collect()).to_vec())
            .collect();
        let stream = encoded.concat();
        let mut sizes =
            chunks.into_iter().map(|size| usize::from(size).pow(2) / 16 + 1).chain(std::iter::repeat(977));
        let (mut scanner, mut begin, mut end, mut found) = (scanner(), 0, 0, Vec::new());
        while end < stream.len() {
            end = (end + sizes.next().unwrap()).min(stream.len());
            while let Some(frame) = scanner.scan(&stream[begin..end]).unwrap() {
                found.push(stream[begin..begin + frame.len].to_vec());
                begin += frame.len;
            }
        }
        found == encoded
    }
    QuickCheck::new()
        .tests(300)
        .rng(Gen::new(10))
        .quickcheck(property as fn(Vec<Vec<Anything>>, Vec<u8>) -> bool);
}

#[test]
#[expect(clippy::needless_pass_by_value, reason = "what quickcheck wants")]
fn any_bytes_are_cut_or_refused() {
    fn property(bytes: Vec<u8>) -> bool {
        let whole = scan_once(&bytes);
        let every: Vec<usize> = (0..=bytes.len()).collect();
        let mut stepwise = scanner();
        let found = every.iter().find_map(|&cut| stepwise.scan(&bytes[..cut]).transpose());
        found.transpose() == whole
    }
    QuickCheck::new().tests(5000).quickcheck(property as fn(Vec<u8>) -> bool);
}
