//! Header lists, one after the other on one connection.

use cocaine_core::wire::headers::{DYNAMIC_TABLE_BYTES, request_timeout, trace};
use cocaine_core::wire::{HeaderDecoder, HeaderEncoder, HeaderError, Limits};

const LIMITS: Limits = Limits { headers: 40, header_bytes: 20_000, ..Limits::DEFAULT };

/// Each list is one byte of length and so many bytes; the last one may be longer.
///
/// # Panics
///
/// Reading for the headers and reading for the table differ, or what was read cannot be said again.
pub fn run(data: &[u8]) {
    let (mut decoder, mut absorber) = (HeaderDecoder::new(), HeaderDecoder::new());
    let (mut encoder, mut second) = (HeaderEncoder::new(), HeaderDecoder::new());
    for list in lists(data) {
        let read = decoder.decode(list, &LIMITS);
        assert_eq!(absorber.absorb(list, &LIMITS), read.as_ref().map(drop).map_err(Clone::clone));
        let Ok(headers) = read else { return };
        assert_eq!(absorber, decoder);
        assert!(decoder.table().dynamic_bytes() <= DYNAMIC_TABLE_BYTES);
        assert!(
            headers.iter().map(|header| header.name.len() + header.value.len()).sum::<usize>()
                <= LIMITS.header_bytes
        );
        let _ = (trace(&headers), request_timeout(&headers));

        let mut again = Vec::new();
        encoder.list(&mut again, &headers);
        assert_eq!(second.decode(&again, &LIMITS), Ok::<_, HeaderError>(headers));
        assert_eq!(second.table(), encoder.table());
    }
}

fn lists(mut data: &[u8]) -> impl Iterator<Item = &[u8]> {
    core::iter::from_fn(move || {
        let (&len, rest) = data.split_first()?;
        let (list, rest) = rest.split_at(usize::from(len).min(rest.len()));
        data = rest;
        Some(list)
    })
}
