//! Writing msgpack the way old peers can read it: smallest integers, and only the old raw family.
//!
//! Decoders of the protocol's first decade know `a0…bf`, `da` and `db`, and die of `str8` and `bin`. New ones
//! read both. So everything we send is in the old form.

use alloc::vec::Vec;

use rmp::encode as rmp;

/// The longest head that [`raw_head`] writes, in bytes.
pub const MAX_RAW_HEAD: usize = 5;

/// Appends nil.
pub fn nil(out: &mut Vec<u8>) {
    out.push(0xc0);
}

/// Appends true or false.
pub fn boolean(out: &mut Vec<u8>, flag: bool) {
    out.push(if flag { 0xc3 } else { 0xc2 });
}

/// Appends an integer ≥ 0.
#[inline]
pub fn uint(out: &mut Vec<u8>, number: u64) {
    // Writing into a vector cannot fail.
    let _ = rmp::write_uint(out, number);
}

/// Appends an integer of either sign.
#[inline]
pub fn int(out: &mut Vec<u8>, number: i64) {
    let _ = rmp::write_sint(out, number);
}

/// Appends a 64-bit floating-point number.
pub fn float(out: &mut Vec<u8>, number: f64) {
    let _ = rmp::write_f64(out, number);
}

/// Appends the head of an array; `len` items must follow.
#[inline]
pub fn array(out: &mut Vec<u8>, len: usize) {
    let _ = rmp::write_array_len(out, saturated(len));
}

/// Appends the head of a map; `len` keys, each with its value, must follow.
#[inline]
pub fn map(out: &mut Vec<u8>, len: usize) {
    let _ = rmp::write_map_len(out, saturated(len));
}

/// Appends text or bytes. What is longer than a msgpack length can say (4 GiB) is cut there.
#[inline]
pub fn raw(out: &mut Vec<u8>, bytes: &[u8]) {
    raw_head(out, bytes.len());
    out.extend_from_slice(bytes.get(..saturated(bytes.len()) as usize).unwrap_or(bytes));
}

/// Appends the head of a raw; `len` bytes must follow, at most 4 GiB less one.
#[inline]
pub fn raw_head(out: &mut Vec<u8>, len: usize) {
    match saturated(len) {
        #[expect(clippy::cast_possible_truncation, reason = "the pattern says that it fits")]
        len @ 0..=31 => out.push(0xa0 | len as u8),
        #[expect(clippy::cast_possible_truncation, reason = "the pattern says that it fits")]
        len @ 32..=0xffff => {
            out.push(0xda);
            out.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            out.push(0xdb);
            out.extend_from_slice(&len.to_be_bytes());
        }
    }
}

fn saturated(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out);
        out
    }

    #[test]
    fn raws_use_the_old_family_at_every_border() {
        let heads: [(usize, &[u8]); 6] = [
            (0, &[0xa0]),
            (31, &[0xbf]),
            (32, &[0xda, 0, 32]),
            (255, &[0xda, 0, 255]),
            (65_535, &[0xda, 255, 255]),
            (65_536, &[0xdb, 0, 1, 0, 0]),
        ];
        for (len, head) in heads {
            assert_eq!(written(|out| raw_head(out, len)), head, "head for {len} bytes");
            assert_eq!(written(|out| raw(out, &vec![7; len])).len(), head.len() + len);
        }
    }

    #[test]
    fn integers_take_their_smallest_form() {
        let forms: [(i64, &[u8]); 10] = [
            (0, &[0]),
            (127, &[0x7f]),
            (128, &[0xcc, 128]),
            (256, &[0xcd, 1, 0]),
            (65_536, &[0xce, 0, 1, 0, 0]),
            (1 << 32, &[0xcf, 0, 0, 0, 1, 0, 0, 0, 0]),
            (-1, &[0xff]),
            (-32, &[0xe0]),
            (-33, &[0xd0, 0xdf]),
            (-129, &[0xd1, 0xff, 0x7f]),
        ];
        for (number, bytes) in forms {
            assert_eq!(written(|out| int(out, number)), bytes, "{number}");
            if let Ok(number) = u64::try_from(number) {
                assert_eq!(written(|out| uint(out, number)), bytes, "{number}");
            }
        }
    }

    #[test]
    fn containers_and_the_rest() {
        assert_eq!(written(|out| array(out, 15)), [0x9f]);
        assert_eq!(written(|out| array(out, 16)), [0xdc, 0, 16]);
        assert_eq!(written(|out| map(out, 15)), [0x8f]);
        assert_eq!(written(|out| map(out, 65_536)), [0xdf, 0, 1, 0, 0]);
        assert_eq!(written(nil), [0xc0]);
        assert_eq!(written(|out| boolean(out, true)), [0xc3]);
        assert_eq!(written(|out| boolean(out, false)), [0xc2]);
        assert_eq!(written(|out| float(out, 1.5)), [0xcb, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0]);
    }
}
