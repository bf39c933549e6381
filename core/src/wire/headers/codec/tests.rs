use quickcheck::{Arbitrary, Gen, QuickCheck};

use super::*;

const LIMITS: Limits = Limits::DEFAULT;

fn decode(decoder: &mut HeaderDecoder, bytes: &[u8]) -> Result<Vec<Header>, HeaderError> {
    decoder.decode(bytes, &LIMITS)
}

/// One header as some sender might write it.
#[derive(Clone, Debug)]
enum Form {
    Literal(Header),
    Stored(Header),
    Indexed(u64),
    LiteralNamed(u64, Vec<u8>),
    StoredNamed(u64, Vec<u8>),
    Shortest(Header),
}

impl Arbitrary for Form {
    fn arbitrary(g: &mut Gen) -> Self {
        let name = *g.choose(&["trace_id", ":method", "x-a", "x-b", "", "cookie"]).unwrap();
        let size = *g.choose(&[0, 1, 8, 100, 1000, 4000, 4090, 5000]).unwrap();
        let value = vec![*g.choose(b"xyz").unwrap(); size];
        let header = Header::new(name, value.clone());
        let index = u64::from(u8::arbitrary(g)) % 96;
        match u8::arbitrary(g) % 6 {
            0 => Self::Literal(header),
            1 => Self::Stored(header),
            2 => Self::Indexed(index),
            3 => Self::LiteralNamed(index, value),
            4 => Self::StoredNamed(index, value),
            _ => Self::Shortest(header),
        }
    }
}

/// Writes one frame's list of one header, and says which header that is; nothing if the form is impossible now.
fn write(encoder: &mut HeaderEncoder, form: &Form) -> Option<(Vec<u8>, Header)> {
    let mut out = vec![0x91];
    let named = |encoder: &HeaderEncoder, index, value: &Vec<u8>| {
        encoder.table().get(index).map(|entry| Header::new(entry.name, value.clone()))
    };
    let header = match form {
        Form::Literal(header) => {
            encoder.literal(&mut out, header);
            header.clone()
        }
        Form::Stored(header) => {
            encoder.stored(&mut out, header);
            header.clone()
        }
        Form::Indexed(index) => {
            let header = encoder.table().get(*index);
            assert_eq!(encoder.indexed(&mut out, *index), header.is_some());
            header?
        }
        Form::LiteralNamed(index, value) => {
            let header = named(encoder, *index, value);
            assert_eq!(encoder.literal_named(&mut out, *index, value), header.is_some());
            header?
        }
        Form::StoredNamed(index, value) => {
            let header = named(encoder, *index, value);
            assert_eq!(encoder.stored_named(&mut out, *index, value), header.is_some());
            header?
        }
        Form::Shortest(header) => {
            out.clear();
            encoder.list(&mut out, std::slice::from_ref(header));
            header.clone()
        }
    };
    Some((out, header))
}

#[test]
#[expect(clippy::needless_pass_by_value, reason = "what quickcheck wants")]
fn both_ends_have_the_same_table_after_any_list() {
    fn property(forms: Vec<Form>) -> bool {
        let (mut encoder, mut decoder, mut absorber) =
            (HeaderEncoder::new(), HeaderDecoder::new(), HeaderDecoder::new());
        forms.iter().all(|form| {
            let Some((bytes, header)) = write(&mut encoder, form) else { return true };
            decode(&mut decoder, &bytes) == Ok(vec![header])
                && absorber.absorb(&bytes, &LIMITS).is_ok()
                && decoder.table() == encoder.table()
                && absorber.table() == encoder.table()
        })
    }
    QuickCheck::new().tests(2000).quickcheck(property as fn(Vec<Form>) -> bool);
}

#[test]
fn an_item_may_refer_to_what_an_earlier_one_stored() {
    let mut decoder = HeaderDecoder::new();
    let a1 = Header::new("a", "1");
    let list = b"\x93\x93\xc3\xa1a\xa11\x53\x93\xc2\x53\xa12";
    assert_eq!(decode(&mut decoder, list), Ok(vec![a1.clone(), a1, Header::new("a", "2")]));
}

#[test]
fn a_name_index_one_past_the_end_is_refused() {
    let index = |item, index, last| Err(HeaderError::Index { item, index, last });
    assert_eq!(decode(&mut HeaderDecoder::new(), b"\x91\x93\xc2\x53\xa1v"), index(0, 83, 82));
    assert_eq!(decode(&mut HeaderDecoder::new(), b"\x91\x93\xc3\x53\xa1v"), index(0, 83, 82));
    assert_eq!(decode(&mut HeaderDecoder::new(), b"\x91\x53"), index(0, 83, 82));
    assert_eq!(decode(&mut HeaderDecoder::new(), b"\x92\x93\xc3\xa1a\xa11\x54"), index(1, 84, 83));
    assert_eq!(decode(&mut HeaderDecoder::new(), b"\x91\x00"), index(0, 0, 82));
    assert_eq!(decode(&mut HeaderDecoder::new(), b"\x91\x93\xc2\x00\xa1v"), index(0, 0, 82));
}

#[test]
fn indexes_are_read_in_every_encoding() {
    let get = Header::new(":method", "GET");
    for item in [&b"\x02"[..], b"\xcc\x02", b"\xcd\0\x02", b"\xcf\0\0\0\0\0\0\0\x02", b"\xd0\x02"] {
        let list = [b"\x91", item].concat();
        assert_eq!(decode(&mut HeaderDecoder::new(), &list), Ok(vec![get.clone()]), "{item:02x?}");
    }
}

#[test]
fn anything_else_in_a_list_is_refused() {
    let wrong = Err(HeaderError::Item { item: 0 });
    let lists: [&[u8]; 9] = [
        b"\x91\xff",
        b"\x91\xc0",
        b"\x91\xa1a",
        b"\x91\x92\xc2\xa1a",
        b"\x91\x94\xc2\xa1a\xa1b\xa1c",
        b"\x91\x93\x00\xa1a\xa1b",
        b"\x91\x93\xc2\xc0\xa1b",
        b"\x91\x93\xc2\xa1a\x05",
        b"\x91\x80",
    ];
    for list in lists {
        assert_eq!(decode(&mut HeaderDecoder::new(), list), wrong, "{list:02x?}");
        assert_eq!(HeaderDecoder::new().absorb(list, &LIMITS), wrong.clone().map(drop), "{list:02x?}");
    }
    assert_eq!(decode(&mut HeaderDecoder::new(), b"\x80"), Err(HeaderError::NotAList));
    assert_eq!(
        decode(&mut HeaderDecoder::new(), b"\x91\x93\xc2"),
        Err(HeaderError::Encoding(TokenError::Truncated))
    );
}

#[test]
fn no_bytes_are_no_headers() {
    assert_eq!(decode(&mut HeaderDecoder::new(), b""), Ok(vec![]));
    assert_eq!(decode(&mut HeaderDecoder::new(), b"\x90"), Ok(vec![]));
    assert_eq!(HeaderDecoder::new().absorb(b"", &LIMITS), Ok(()));
}

#[test]
fn the_limits_are_reached_from_both_sides() {
    let limits = Limits { headers: 2, header_bytes: 20, ..LIMITS };
    let run = |list: &[u8]| HeaderDecoder::new().decode(list, &limits);
    assert!(run(b"\x92\x02\x02").is_ok(), "two headers, 2 × 10 bytes");
    assert_eq!(run(b"\x93\x4e\x4e\x4e"), Err(HeaderError::TooMany { limit: 2 }));
    assert_eq!(run(b"\x92\x02\x03"), Err(HeaderError::TooLarge { limit: 20 }), ":method POST has 11");
    assert_eq!(run(b"\xdd\xff\xff\xff\xff"), Err(HeaderError::TooMany { limit: 2 }));
}

#[test]
fn a_reference_cannot_make_much_of_little() {
    // One stored value of 4000 bytes, referred to again and again: 256 bytes on the wire would be a megabyte.
    let mut encoder = HeaderEncoder::new();
    let mut list = vec![0xdc, 0, 200];
    encoder.stored(&mut list, &Header::new("a", vec![0; 4000]));
    list.extend([83; 199]);
    let error = decode(&mut HeaderDecoder::new(), &list);
    assert_eq!(error, Err(HeaderError::TooLarge { limit: LIMITS.header_bytes }));
}
